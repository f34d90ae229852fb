#include "pictures.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <optional>

#include "http_error.hpp"

namespace server {
namespace {

HttpError too_large(const RequestLimits& limits, const std::string& where) {
  return HttpError(413,
                   where + ": the picture has more than " + std::to_string(limits.max_picture_bytes >> 20) +
                       " MiB (--max-picture-mib)",
                   where);
}

constexpr std::array<std::int8_t, 256> base64_values() {
  constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::array<std::int8_t, 256> values{};
  values.fill(-1);
  for (std::size_t i = 0; i < alphabet.size(); ++i)
    values[static_cast<unsigned char>(alphabet[i])] = static_cast<std::int8_t>(i);
  return values;
}

/// RFC 4648, padding required, nothing else between: absent for any other text.
std::optional<std::vector<std::byte>> decode_base64(std::string_view text) {
  static constexpr auto values = base64_values();
  if (text.empty() || text.size() % 4 != 0) return std::nullopt;
  const std::size_t padding = text.ends_with("==") ? 2 : text.ends_with('=') ? 1 : 0;
  text.remove_suffix(padding);
  std::vector<std::byte> bytes;
  bytes.reserve(text.size() / 4 * 3 + 3);
  std::uint32_t bits = 0;
  unsigned count = 0;
  for (const char c : text) {
    const std::int8_t value = values[static_cast<unsigned char>(c)];
    if (value < 0) return std::nullopt;
    bits = bits << 6 | static_cast<std::uint32_t>(value);
    count += 6;
    if (count >= 8) bytes.push_back(static_cast<std::byte>(bits >> (count -= 8) & 0xffu));
  }
  return bytes;
}

std::vector<std::byte> data_uri_bytes(std::string_view url, const RequestLimits& limits, const std::string& where) {
  const std::size_t comma = url.find(',');
  const std::string_view kind = url.substr(0, comma);
  if (comma == std::string_view::npos || !kind.starts_with("data:image/") || !kind.ends_with(";base64"))
    throw HttpError(400, where + R"(: a data: URI has the form "data:image/png;base64,...")", where);
  const std::string_view text = url.substr(comma + 1);
  if (text.size() / 4 * 3 > limits.max_picture_bytes + 3) throw too_large(limits, where);
  auto bytes = decode_base64(text);
  if (!bytes) throw HttpError(400, where + ": the base64 of the data: URI is damaged or cut short", where);
  if (bytes->size() > limits.max_picture_bytes) throw too_large(limits, where);
  return *std::move(bytes);
}

// What the path means is asked of the file system, links followed, before it is compared with the directory.
std::vector<std::byte> file_bytes(std::string_view url, const RequestLimits& limits, const std::string& where) {
  namespace fs = std::filesystem;
  if (limits.allow_files.empty())
    throw HttpError(400,
                    where +
                        ": files of the server are not read (--allow-files DIR allows a directory); send the "
                        R"(picture itself: "data:image/png;base64,...")",
                    where);
  if (url.starts_with("file://")) url.remove_prefix(7);
  std::error_code failure;
  const fs::path root = fs::canonical(limits.allow_files, failure);
  const fs::path file = fs::canonical(root / fs::path(url), failure);
  const bool inside = std::mismatch(root.begin(), root.end(), file.begin(), file.end()).first == root.end();
  if (failure || !inside || !fs::is_regular_file(file, failure))
    throw HttpError(400, where + ": no picture of that name in the directory that --allow-files names", where);
  if (fs::file_size(file, failure) > limits.max_picture_bytes || failure) throw too_large(limits, where);
  std::vector<std::byte> bytes(limits.max_picture_bytes + 1);
  std::ifstream stream(file, std::ios::binary);
  stream.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  bytes.resize(static_cast<std::size_t>(stream.gcount()));
  if (bytes.size() > limits.max_picture_bytes) throw too_large(limits, where);
  return bytes;
}

}  // namespace

std::vector<std::byte> picture_bytes(std::string_view url, const RequestLimits& limits, const std::string& where) {
  if (url.starts_with("data:")) return data_uri_bytes(url, limits, where);
  if (url.starts_with("http://") || url.starts_with("https://"))
    throw HttpError(400,
                    where +
                        ": this server fetches nothing from the network; send the picture itself: "
                        R"("data:image/png;base64,...")",
                    where);
  return file_bytes(url, limits, where);
}

octavo::Image decode_picture(const std::vector<std::byte>& bytes, const RequestLimits& limits,
                             const std::string& where) {
  octavo::DecodeOptions options;
  options.max_pixels = limits.max_picture_pixels;
  options.max_bytes = std::int64_t{16} * limits.max_picture_pixels;
  try {
    return octavo::decode_image(bytes, where, options);
  } catch (const octavo::Error& error) {
    throw HttpError(400, error.what(), where);
  }
}

}  // namespace server
