#include <algorithm>
#include <cstring>
#include <filesystem>
#include <string>
#include <tuple>
#include <unordered_map>
#include <utility>

#include "octavo/checkpoint.hpp"
#include "octavo/message.hpp"
#include "stored_type.hpp"

namespace octavo {
namespace {

using checkpoint_detail::find_stored_type;
using checkpoint_detail::StoredType;

constexpr std::uint64_t kLengthBytes = 8;
constexpr std::uint64_t kMaxHeaderBytes = 100'000'000;  // the reference implementation's limit

[[noreturn]] void refuse(const std::string& message) { throw Error(ErrorCode::format, message); }

/// Printable start of a file that is something else, for the message.
std::string opening_of(std::span<const std::byte> bytes) {
  std::string text;
  for (std::size_t i = 0; i < std::min<std::size_t>(bytes.size(), 16); ++i) {
    const char c = static_cast<char>(bytes[i]);
    text += c >= ' ' && c <= '~' ? c : '.';
  }
  return text;
}

bool starts_with(std::span<const std::byte> bytes, std::string_view text) {
  return bytes.size() >= text.size() && std::memcmp(bytes.data(), text.data(), text.size()) == 0;
}

/// Length of the JSON header, checked against the format's limit and the file.
std::uint64_t read_header_length(const std::string& path, std::span<const std::byte> bytes) {
  if (bytes.size() < kLengthBytes) {
    refuse(path + ": the file has " + std::to_string(bytes.size()) +
           " bytes, but a safetensors file starts with an 8-byte header length");
  }
  if (starts_with(bytes, "version https://git-lfs")) {
    refuse(path + ": this is a Git LFS pointer, not the tensor data it stands for; fetch it with `git lfs pull`");
  }
  std::uint64_t length = 0;
  for (std::size_t i = kLengthBytes; i-- > 0;) length = (length << 8) | static_cast<std::uint64_t>(bytes[i]);
  if (length > kMaxHeaderBytes) {
    refuse(path + ": header length at byte 0 is " + std::to_string(length) + ", the format allows up to " +
           std::to_string(kMaxHeaderBytes) + "; not a safetensors file? It starts with \"" + opening_of(bytes) + "\"");
  }
  if (length > bytes.size() - kLengthBytes) {
    refuse(path + ": header length at byte 0 is " + std::to_string(length) + ", so the header ends at byte " +
           std::to_string(kLengthBytes + length) + ", but the file has " + std::to_string(bytes.size()) +
           " bytes; it is cut short");
  }
  if (length < 2 || bytes[kLengthBytes] != std::byte{'{'}) {
    refuse(path + ": the header at byte 8 must be a JSON object of at least 2 bytes; header length at byte 0 is " +
           std::to_string(length));
  }
  return length;
}

/// Reads the header of one file, entry by entry, and keeps where each complaint lies.
class HeaderReader {
 public:
  HeaderReader(std::string path, std::uint64_t data_begin, std::uint64_t file_bytes)
      : path_(std::move(path)), data_begin_(data_begin), data_bytes_(file_bytes - data_begin) {}

  TensorInfo read(std::string_view name, const Json& entry) const {
    const std::string tensor = path_ + ": tensor " + in_quotes(name) + ": ";
    if (!entry.is_object()) refuse(tensor + "the header entry must be an object with dtype, shape and data_offsets");
    TensorInfo info;
    info.name = name;
    info.file = path_;
    const StoredType& type = read_dtype(tensor, entry);
    info.stored_dtype = type.name;
    info.dtype = type.dtype;
    info.shape = read_shape(tensor, entry, type);
    read_offsets(tensor, entry, info);
    const std::uint64_t expected = static_cast<std::uint64_t>(info.shape.numel()) * type.size_bytes;
    if (info.end - info.begin != expected) {
      refuse(tensor + info.stored_dtype + " " + info.shape.to_string() + " takes " + std::to_string(expected) +
             " bytes, but data_offsets [" + std::to_string(info.begin - data_begin_) + ", " +
             std::to_string(info.end - data_begin_) + "] span " + std::to_string(info.end - info.begin));
    }
    return info;
  }

  /// Sorted by place, the tensors must cover the data without hole or overlap.
  void check_coverage(const std::vector<TensorInfo>& in_file_order) const {
    std::uint64_t covered = data_begin_;
    const TensorInfo* previous = nullptr;
    for (const TensorInfo& info : in_file_order) {
      if (info.begin != covered) {
        const std::string before =
            previous == nullptr ? "the data starts" : "the tensor before it, " + in_quotes(previous->name) + ", ends";
        refuse(path_ + ": tensor " + in_quotes(info.name) + ": begins at byte " + std::to_string(info.begin) +
               ", but " + before + " at byte " + std::to_string(covered) +
               (info.begin < covered ? ": they overlap" : ": the bytes between belong to no tensor"));
      }
      covered = info.end;
      previous = &info;
    }
    if (covered != data_begin_ + data_bytes_) {
      refuse(path_ + ": the tensors end at byte " + std::to_string(covered) + ", but the file has " +
             std::to_string(data_begin_ + data_bytes_) + " bytes: the rest belongs to no tensor");
    }
  }

 private:
  static Json member(const std::string& tensor, const Json& entry, std::string_view field) {
    if (std::optional<Json> value = entry.find(field)) return *value;
    refuse(tensor + "the header entry has no " + std::string(field));
  }

  /// Written as plain digits and below 2^63: neither -1 nor 3.0 nor 1e3 is a count.
  static std::uint64_t count(const std::string& tensor, const std::string& field, const Json& value) {
    const std::string text = value.dump();
    if (!value.is_integer() || text.find_first_not_of("0123456789") != std::string::npos) {
      refuse(tensor + field + " must be a non-negative integer below 2^63, but is " + shortened(text));
    }
    return static_cast<std::uint64_t>(value.as_int());
  }

  static const StoredType& read_dtype(const std::string& tensor, const Json& entry) {
    const Json value = member(tensor, entry, "dtype");
    if (!value.is_string()) refuse(tensor + "dtype must be a string, but is " + shortened(value.dump()));
    const StoredType* type = find_stored_type(value.as_string());
    if (type == nullptr) {
      refuse(tensor + "unknown dtype " + shortened(value.dump()) + "; known are " +
             checkpoint_detail::known_stored_types());
    }
    return *type;
  }

  static Shape read_shape(const std::string& tensor, const Json& entry, const StoredType& type) {
    const Json value = member(tensor, entry, "shape");
    if (!value.is_array()) refuse(tensor + "shape must be an array of non-negative integers");
    if (value.size() > static_cast<std::size_t>(Shape::kMaxRank)) {
      throw Error(ErrorCode::unsupported, tensor + "shape has " + std::to_string(value.size()) +
                                              " dimensions, Octavo reads up to " + std::to_string(Shape::kMaxRank));
    }
    std::vector<std::int64_t> dims;
    // The product of the non-zero extents must fit: a zero must not hide an absurd neighbour.
    std::uint64_t bytes = type.size_bytes;
    for (std::size_t i = 0; i < value.size(); ++i) {
      const std::uint64_t extent = count(tensor, "shape[" + std::to_string(i) + "]", value.at(i));
      if (extent != 0 && __builtin_mul_overflow(bytes, extent, &bytes)) bytes = UINT64_MAX;
      if (bytes > static_cast<std::uint64_t>(INT64_MAX)) {
        refuse(tensor + "shape " + value.dump() + " of " + std::string(type.name) + " overflows 63 bits");
      }
      dims.push_back(static_cast<std::int64_t>(extent));
    }
    return Shape(dims);
  }

  void read_offsets(const std::string& tensor, const Json& entry, TensorInfo& info) const {
    const Json value = member(tensor, entry, "data_offsets");
    if (!value.is_array() || value.size() != 2) refuse(tensor + "data_offsets must be [begin, end]");
    const std::uint64_t begin = count(tensor, "data_offsets[0]", value.at(0));
    const std::uint64_t end = count(tensor, "data_offsets[1]", value.at(1));
    const std::string offsets = "data_offsets [" + std::to_string(begin) + ", " + std::to_string(end) + "]";
    if (begin > end) refuse(tensor + offsets + " end before they begin");
    if (end > data_bytes_) {
      refuse(tensor + offsets + " end at byte " + std::to_string(data_begin_ + end) + " of the file, which has " +
             std::to_string(data_begin_ + data_bytes_) + " bytes; it is cut short or the header is wrong");
    }
    info.begin = data_begin_ + begin;
    info.end = data_begin_ + end;
  }

  std::string path_;
  std::uint64_t data_begin_;
  std::uint64_t data_bytes_;
};

}  // namespace

struct SafetensorsFile::Impl {
  std::string path;
  std::shared_ptr<Storage> storage;
  std::vector<TensorInfo> tensors;
  std::unordered_map<std::string_view, std::size_t> by_name;  // views into `tensors`
  std::vector<std::pair<std::string, std::string>> metadata;
};

SafetensorsFile SafetensorsFile::open(const std::string& path) {
  std::error_code ignored;
  const std::filesystem::file_status status = std::filesystem::status(path, ignored);
  if (!std::filesystem::exists(status)) throw Error(ErrorCode::not_found, path + ": no such file");
  if (std::filesystem::is_directory(status)) {
    throw Error(ErrorCode::invalid_argument, path + ": is a directory, expected a .safetensors file");
  }
  if (!std::filesystem::is_regular_file(status)) {
    throw Error(ErrorCode::invalid_argument, path + ": is not a regular file and cannot be mapped");
  }
  if (std::filesystem::file_size(path, ignored) == 0) {  // there is nothing to map
    read_header_length(path, {});
  }

  return over(map_file(path), path);
}

SafetensorsFile SafetensorsFile::open(const FileSource& files, const std::string& name) {
  return files.is_directory() ? open(files.path_of(name)) : over(files.map(name), files.path_of(name));
}

SafetensorsFile SafetensorsFile::over(std::shared_ptr<Storage> storage, const std::string& path) {
  const auto impl = std::make_shared<Impl>();
  impl->path = path;
  impl->storage = std::move(storage);
  const std::span<const std::byte> bytes = bytes_of(*impl->storage);
  const std::uint64_t header_bytes = read_header_length(path, bytes);
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()) + kLengthBytes, header_bytes);
  const Json header = Json::parse(text, path + ": header (from byte 8)");
  if (!header.is_object()) refuse(path + ": the header at byte 8 must be a JSON object");

  const HeaderReader reader(path, kLengthBytes + header_bytes, bytes.size());
  impl->tensors.reserve(header.size());
  header.for_each_member([&](std::string_view name, const Json& entry) {
    if (name != "__metadata__") {
      impl->tensors.push_back(reader.read(name, entry));
      return;
    }
    if (!entry.is_object()) refuse(path + ": __metadata__ must be an object of strings");
    entry.for_each_member([&](std::string_view key, const Json& value) {
      if (!value.is_string()) {
        refuse(path + ": __metadata__ key " + in_quotes(key) + " must be a string, but is " + shortened(value.dump()));
      }
      impl->metadata.emplace_back(key, value.as_string());
    });
  });
  std::sort(impl->tensors.begin(), impl->tensors.end(), [](const TensorInfo& a, const TensorInfo& b) {
    return std::tie(a.begin, a.end, a.name) < std::tie(b.begin, b.end, b.name);
  });
  reader.check_coverage(impl->tensors);
  for (std::size_t i = 0; i < impl->tensors.size(); ++i) impl->by_name.emplace(impl->tensors[i].name, i);

  SafetensorsFile file;
  file.impl_ = impl;
  return file;
}

const std::vector<TensorInfo>& SafetensorsFile::tensors() const noexcept { return impl_->tensors; }

const TensorInfo* SafetensorsFile::find(std::string_view name) const noexcept {
  const auto found = impl_->by_name.find(name);
  return found == impl_->by_name.end() ? nullptr : &impl_->tensors[found->second];
}

Tensor SafetensorsFile::tensor(std::string_view name) const {
  const TensorInfo* info = find(name);
  if (info == nullptr) {
    throw Error(ErrorCode::not_found, impl_->path + ": has no tensor " + in_quotes(name));
  }
  if (!info->dtype) {
    throw Error(ErrorCode::unsupported, impl_->path + ": tensor " + in_quotes(info->name) + " is stored as " +
                                            info->stored_dtype + ", which Octavo has no element type for");
  }
  return Tensor::over(impl_->storage, info->begin, *info->dtype, info->shape);
}

const std::vector<std::pair<std::string, std::string>>& SafetensorsFile::metadata() const noexcept {
  return impl_->metadata;
}

}  // namespace octavo
