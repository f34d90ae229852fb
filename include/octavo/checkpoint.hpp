/// Checkpoint directories as Hugging Face publishes them: safetensors (one file or shards with an index),
/// config.json, and the compressed-tensors form of W8A8; reading is lazy and memory-mapped, writing is atomic.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <regex>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "octavo/json.hpp"
#include "octavo/tensor.hpp"

namespace octavo {

/// What a safetensors header says of one tensor.
struct TensorInfo {
  std::string name;              ///< as stored
  std::string stored_dtype;      ///< "BF16", "I8", ... also those that have no DType
  std::optional<DType> dtype;    ///< absent when Octavo has no such type
  Shape shape;
  std::string file;              ///< path of the shard
  std::uint64_t begin = 0;       ///< bytes, from the start of the file
  std::uint64_t end = 0;
};

/// One .safetensors file. Every header field is validated before a byte of data is trusted: header length,
/// offsets (in bounds, no overlap, no hole), dtype x shape == byte count, overflow, duplicate keys.
class SafetensorsFile {
 public:
  static SafetensorsFile open(const std::string& path);
  const std::vector<TensorInfo>& tensors() const noexcept;  ///< in file order
  const TensorInfo* find(std::string_view name) const noexcept;
  Tensor tensor(std::string_view name) const;               ///< over the mapped file
  const std::vector<std::pair<std::string, std::string>>& metadata() const noexcept;

 private:
  struct Impl;
  std::shared_ptr<const Impl> impl_;
};

/// How a linear is stored, from quantization_config. (A module that matches no group or is ignored is `none`.)
enum class StoredScheme : std::uint8_t { none, w8a8_dynamic, w8a16 };

/// A model directory. Names are normalised to the published layout ("visual.*", "model.*", "lm_head.weight");
/// `TensorInfo::name` keeps the stored spelling.
class Checkpoint {
 public:
  static Checkpoint open(const std::string& directory);

  const std::string& directory() const noexcept;
  const Json& config() const noexcept;                   ///< config.json, as read
  std::vector<std::string> names() const;                ///< normalised, sorted
  const TensorInfo* find(std::string_view name) const noexcept;  ///< by normalised name
  const TensorInfo& info(std::string_view name) const;   ///< throws not_found, with the nearest names
  Tensor tensor(std::string_view name) const;
  std::string stored_name(std::string_view normalised) const;  ///< spelling in this checkpoint, also for modules and new tensors
  std::uint64_t total_bytes() const noexcept;            ///< of tensor data
  std::vector<std::string> shard_files() const;
  /// By quantization_config (targets, ignore; plain, class and `re:` forms); `none` without one.
  StoredScheme scheme_of(std::string_view module_path) const;
  bool is_quantized() const noexcept;

 private:
  struct Impl;
  std::shared_ptr<const Impl> impl_;
};

/// Normalises one tensor or module name to the published layout.
std::string normalise_name(std::string_view stored);

/// A directory that is complete or absent: built beside the target under a temporary name, synced, renamed by `commit`.
/// Destroyed without commit, it removes what it wrote. Refuses an existing target unless `overwrite`, in which case
/// the old one is replaced only by commit.
class AtomicDirectory {
 public:
  AtomicDirectory(const std::string& target, bool overwrite = false);
  AtomicDirectory(AtomicDirectory&&) noexcept;
  AtomicDirectory& operator=(AtomicDirectory&&) = delete;
  ~AtomicDirectory();
  const std::string& path() const noexcept;  ///< where to write meanwhile
  void write_file(const std::string& name, std::string_view content);
  void copy_file(const std::string& from, const std::string& name);  ///< byte for byte
  void commit();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Writes tensors into shards of bounded size as they come, then the index. Tensors of one shard are
/// held (by handle) until the shard is full. Each tensor sits at a multiple of its element size.
class ShardWriter {
 public:
  ShardWriter(AtomicDirectory& directory, std::uint64_t max_shard_bytes = std::uint64_t{5} << 30);
  ShardWriter(const ShardWriter&) = delete;
  ~ShardWriter();
  void add(const std::string& stored_name, const Tensor& tensor);  ///< written or kept by handle; duplicates throw
  void flush();   ///< ends the current shard now, letting go of its tensors
  /// Renames shards to their final names and writes model.safetensors (one shard) or shards + index.
  void finish();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Adds `quantization_config` (compressed-tensors, int-quantized, W8A8 dynamic per token) to a config: `targets: ["Linear"]`
/// with every linear in `ignored` (stored spelling) listed. All else, use_cache included, stays as it was.
std::string with_w8a8_quantization_config(const Json& config, const std::vector<std::string>& ignored);

}  // namespace octavo
