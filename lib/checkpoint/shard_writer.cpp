#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <map>
#include <string>
#include <utility>

#include "file_writer.hpp"
#include "octavo/checkpoint.hpp"
#include "stored_type.hpp"

namespace octavo {
namespace {

using checkpoint_detail::FileWriter;
using checkpoint_detail::os_error;
using checkpoint_detail::stored_name_of;
using checkpoint_detail::writing_rank;

struct Entry {
  std::string name;
  Tensor tensor;
};

/// 7 as "00007", the way published shards are numbered.
std::string five_digits(std::size_t number) {
  const std::string digits = std::to_string(number);
  return digits.size() < 5 ? std::string(5 - digits.size(), '0') + digits : digits;
}

/// The eight length bytes and the JSON header, padded with spaces so that the data starts at a multiple of 8.
std::string make_header(const std::vector<Entry>& entries) {
  JsonBuilder header = JsonBuilder::object();
  header.set("__metadata__", JsonBuilder::object().set("format", "pt"));
  std::uint64_t offset = 0;
  for (const Entry& entry : entries) {
    JsonBuilder shape = JsonBuilder::array();
    for (const std::int64_t extent : entry.tensor.shape().dims()) shape.push(extent);
    const std::uint64_t end = offset + entry.tensor.size_bytes();
    JsonBuilder offsets = JsonBuilder::array();
    offsets.push(static_cast<std::int64_t>(offset)).push(static_cast<std::int64_t>(end));
    JsonBuilder fields = JsonBuilder::object();
    fields.set("dtype", stored_name_of(entry.tensor.dtype())).set("shape", shape).set("data_offsets", offsets);
    header.set(entry.name, fields);
    offset = end;
  }
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');
  std::string bytes(8, '\0');
  for (std::size_t i = 0; i < 8; ++i) bytes[i] = static_cast<char>(static_cast<std::uint64_t>(text.size()) >> (8 * i));
  return bytes + text;
}

}  // namespace

struct ShardWriter::Impl {
  std::filesystem::path directory;
  std::uint64_t max_shard_bytes = 0;
  std::vector<Entry> current;
  std::uint64_t current_bytes = 0;
  std::uint64_t total_bytes = 0;
  std::map<std::string, std::size_t> shard_of;  // every name ever added, sorted as the index wants them
  std::vector<std::string> parts;               // shards on disk, under temporary names
  bool finished = false;

  void check_open() const {
    if (finished) throw Error(ErrorCode::invalid_argument, "the shards in " + directory.string() + " are finished");
  }

  void write_current() {
    // Large elements first keeps every tensor aligned to its element size; the order is the one of Hugging Face's
    // writer, so that the same tensors give the same bytes.
    std::sort(current.begin(), current.end(), [](const Entry& a, const Entry& b) {
      const int left = writing_rank(a.tensor.dtype());
      const int right = writing_rank(b.tensor.dtype());
      return left != right ? left > right : a.name < b.name;
    });
    const std::string path = (directory / ("shard-" + five_digits(parts.size() + 1) + ".part")).string();
    try {
      write_part(path);
    } catch (...) {
      std::error_code ignored;
      std::filesystem::remove(path, ignored);
      throw;
    }
    parts.push_back(path);
    current.clear();
    current_bytes = 0;
  }

  void write_part(const std::string& path) const {
    FileWriter file(path);
    file.write(make_header(current));
    for (const Entry& entry : current) {
      const Tensor tensor = entry.tensor.contiguous();
      if (tensor.numel() > 0) file.write(tensor.raw(), tensor.size_bytes());
    }
    file.close();
  }

  void rename_part(std::size_t index, const std::string& name) const {
    const std::string to = (directory / name).string();
    if (std::rename(parts[index].c_str(), to.c_str()) != 0) throw os_error("rename " + parts[index] + " to", to, errno);
  }

  std::string index_json() const {
    JsonBuilder weight_map = JsonBuilder::object();
    for (const auto& [name, shard] : shard_of) weight_map.set(name, shard_name(shard));
    JsonBuilder index = JsonBuilder::object();
    index.set("metadata", JsonBuilder::object().set("total_size", static_cast<std::int64_t>(total_bytes)));
    index.set("weight_map", weight_map);
    return index.dump(2) + "\n";
  }

  std::string shard_name(std::size_t shard) const {
    return "model-" + five_digits(shard + 1) + "-of-" + five_digits(parts.size()) + ".safetensors";
  }
};

ShardWriter::ShardWriter(AtomicDirectory& directory, std::uint64_t max_shard_bytes) : impl_(std::make_unique<Impl>()) {
  if (max_shard_bytes == 0) throw Error(ErrorCode::invalid_argument, "max_shard_bytes must be at least 1, but is 0");
  impl_->directory = directory.path();
  impl_->max_shard_bytes = max_shard_bytes;
}

ShardWriter::~ShardWriter() {
  if (impl_->finished) return;
  for (const std::string& part : impl_->parts) {
    std::error_code ignored;
    std::filesystem::remove(part, ignored);
  }
}

void ShardWriter::add(const std::string& stored_name, const Tensor& tensor) {
  impl_->check_open();
  if (!tensor.defined()) {
    throw Error(ErrorCode::invalid_argument, "tensor \"" + stored_name + "\" to be written is undefined");
  }
  if (stored_name.empty() || stored_name == "__metadata__") {
    throw Error(ErrorCode::invalid_argument, "a tensor cannot be named \"" + stored_name + "\"");
  }
  if (JsonBuilder(stored_name).build().as_string() != stored_name) {
    throw Error(ErrorCode::invalid_argument, "a tensor's name must be UTF-8, but \"" + stored_name + "\" is not");
  }
  if (impl_->shard_of.contains(stored_name)) {
    throw Error(ErrorCode::invalid_argument, "tensor \"" + stored_name + "\" was written before");
  }
  const std::uint64_t bytes = tensor.size_bytes();
  if (!impl_->current.empty() &&
      bytes > impl_->max_shard_bytes - std::min(impl_->max_shard_bytes, impl_->current_bytes)) {
    impl_->write_current();
  }
  impl_->shard_of.emplace(stored_name, impl_->parts.size());
  impl_->current.push_back({stored_name, tensor});
  impl_->current_bytes += bytes;
  impl_->total_bytes += bytes;
  if (impl_->current_bytes >= impl_->max_shard_bytes) impl_->write_current();
}

void ShardWriter::flush() {
  impl_->check_open();
  if (!impl_->current.empty()) impl_->write_current();
}

void ShardWriter::finish() {
  flush();
  if (impl_->parts.empty()) {
    throw Error(ErrorCode::invalid_argument, "no tensor was added to the shards in " + impl_->directory.string());
  }
  if (impl_->parts.size() == 1) {
    impl_->rename_part(0, "model.safetensors");
  } else {
    for (std::size_t i = 0; i < impl_->parts.size(); ++i) impl_->rename_part(i, impl_->shard_name(i));
    FileWriter index((impl_->directory / "model.safetensors.index.json").string());
    index.write(impl_->index_json());
    index.close();
  }
  impl_->finished = true;
}

}  // namespace octavo
