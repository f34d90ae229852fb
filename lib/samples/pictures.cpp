#include "pictures.hpp"

#include <algorithm>
#include <cstdint>
#include <system_error>
#include <utility>

#include "words.hpp"

namespace octavo::samples {
namespace {

namespace fs = std::filesystem;

bool has_scheme(std::string_view text, std::string_view scheme) {
  return text.size() >= scheme.size() && lower(text.substr(0, scheme.size())) == scheme;
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

/// RFC 8089: no host or localhost, and a path whose bytes may be written as %XX.
std::string path_of_url(std::string_view url, const std::string& where) {
  std::string_view rest = url.substr(std::string_view("file://").size());
  if (has_scheme(rest, "localhost/")) rest.remove_prefix(std::string_view("localhost").size());
  if (!rest.starts_with('/'))
    refuse(where,
           "\"" + cut(url) + "\" names another machine or a relative path; write file:///absolute/path, or a path");
  std::string path;
  for (std::size_t i = 0; i < rest.size(); ++i) {
    if (rest[i] != '%') {
      path += rest[i];
      continue;
    }
    const int high = i + 2 < rest.size() ? hex_digit(rest[i + 1]) : -1;
    const int low = high >= 0 ? hex_digit(rest[i + 2]) : -1;
    if (low < 0) refuse(where, "\"" + cut(url) + "\" has a % without two hexadecimal digits");
    path += static_cast<char>(16 * high + low);
    i += 2;
  }
  if (path.find('\0') != std::string::npos) refuse(where, "the URL holds a NUL character");
  return path;
}

SampleImage embedded(std::vector<std::byte> bytes, PicturePlace& place) {
  ++place.made;
  return {"picture " + std::to_string(place.made) + " of " + place.record, std::move(bytes)};
}

SampleImage file_at(const std::string& path, const std::string& where, PicturePlace& place) {
  ++place.made;
  const std::string resolved = (place.base / path).string();
  std::error_code failed;
  if (!fs::is_regular_file(resolved, failed))
    throw Error(ErrorCode::not_found,
                where + ": the picture " + cut(resolved) +
                    (fs::is_directory(resolved, failed) ? " is a folder"
                                                        : " does not exist; paths are relative to the samples file"));
  return {resolved};
}

SampleImage of_data_url(std::string_view url, const std::string& where, PicturePlace& place) {
  const std::size_t comma = url.find(',');
  const std::string head = lower(url.substr(0, std::min(comma, url.size())));
  if (comma == std::string_view::npos || !head.ends_with(";base64"))
    refuse(where, "a data: URL must say data:image/png;base64, and then the picture's bytes in base64");
  if (!head.starts_with("data:image/"))
    refuse(where, "the data: URL holds " + cut(head.substr(5, head.find(';') - 5)) + ", a picture is needed");
  return embedded(decode_base64(url.substr(comma + 1), where), place);
}

}  // namespace

std::vector<std::byte> decode_base64(std::string_view text, const std::string& where) {
  const auto wrong = [&](const std::string& what) { refuse(where, "the base64 of the picture " + what); };
  const auto digit = [](char c) -> int {
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
  };
  std::vector<std::byte> bytes;
  bytes.reserve(text.size() / 4 * 3);
  std::uint32_t group = 0;
  int digits = 0;
  int padding = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == ' ' || c == '\t' || c == '\r' || c == '\n') continue;
    if (c == '=') {
      ++padding;
      continue;
    }
    const int value = digit(c);
    if (value < 0 || padding > 0) wrong("has a wrong character at position " + std::to_string(i + 1));
    group = group << 6 | static_cast<std::uint32_t>(value);
    if (++digits % 4 == 0)
      for (const int shift : {16, 8, 0}) bytes.push_back(static_cast<std::byte>(group >> shift & 0xFFU));
  }
  const int left = digits % 4;
  if (digits == 0) wrong("is empty");
  if (left == 1 || padding != (4 - left) % 4) wrong("is cut: its length, with = at the end, is no multiple of 4");
  if (left >= 2) bytes.push_back(static_cast<std::byte>(group << (6 * (4 - left)) >> 16 & 0xFFU));
  if (left == 3) bytes.push_back(static_cast<std::byte>(group << 6 >> 8 & 0xFFU));
  return bytes;
}

SampleImage picture_of_text(const Json& value, PicturePlace& place) {
  const std::string where = value.where();
  const std::string text = text_of(value);
  if (text.empty()) refuse(where, "the picture's path is empty; leave the key out of a sample without a picture");
  if (has_scheme(text, "data:")) return of_data_url(text, where, place);
  if (has_scheme(text, "file://")) return file_at(path_of_url(text, where), where, place);
  if (const std::size_t scheme = text.find("://"); scheme != std::string::npos && text.find('/') > scheme)
    throw Error(ErrorCode::unsupported,
                where + ": \"" + cut(text) + "\" is not on this machine; download the picture and name its file");
  return file_at(text, where, place);
}

SampleImage picture_of_base64(const Json& value, PicturePlace& place) {
  const std::string text = text_of(value);
  if (has_scheme(text, "data:")) return of_data_url(text, value.where(), place);
  return embedded(decode_base64(text, value.where()), place);
}

SampleImage picture_of(const Json& value, PicturePlace& place) {
  if (!value.is_object()) return picture_of_text(value, place);
  require_keys(value, {"path", "bytes", "url", "detail"});
  if (const auto detail = value.find("detail"); detail && !detail->is_null()) {  // what OpenAI's models are told
    const std::string level = text_of(*detail);
    if (level != "auto" && level != "low" && level != "high")
      refuse(detail->where(), "\"" + cut(level) + "\" is none of auto, low, high");
  }
  const auto bytes = given(value, "bytes");
  const auto path = given(value, "path");
  const auto url = given(value, "url");
  if (url && (bytes || path)) refuse(value.where(), "\"url\" and \"path\" or \"bytes\" are both given; keep one");
  if (bytes) return picture_of_base64(*bytes, place);  // and the path is only the picture's name, as in datasets
  if (path || url) return picture_of_text(path ? *path : *url, place);
  refuse(value.where(), "the picture has neither \"path\" nor \"bytes\" nor \"url\"");
}

}  // namespace octavo::samples
