/// The output directory of a quantization, as it fills.
#pragma once

#include <functional>
#include <memory>
#include <set>
#include <span>
#include <string>

#include "octavo/checkpoint.hpp"
#include "octavo/quant.hpp"

namespace octavo::detail {

class QuantizedOutput {
 public:
  /// Refuses what cannot work before hours are spent on it: an existing target without `overwrite`, the source itself,
  /// a directory that holds one of the files that are `read`, a parent that cannot be written.
  QuantizedOutput(const std::string& source, const std::string& target, bool overwrite, std::uint64_t max_shard_bytes,
                  std::span<const std::string> read);

  /// Stores a quantized linear in the form of its scheme (write_linear); its float weight counts as written.
  void add_quantized(const Checkpoint& source, const std::string& module_path, const QuantizedLayer& layer,
                     const Rule& rule);
  /// Copies every tensor not written yet whose name starts with `prefix` ("" for all), as views of the mapped file.
  /// copied(bytes) is called after each, and may cancel by an Error.
  void copy_tensors(const std::string& prefix, const std::function<void(std::uint64_t)>& copied);
  /// config.json with quantization_config (`modules` in the published layout), and every other file that belongs to the
  /// model byte for byte (copied_files.hpp).
  /// `own_head`: OUT has an lm_head of its own, whatever the source ties.
  void copy_files(const Checkpoint& source, const QuantizedModules& modules, bool own_head);
  void write_file(const std::string& name, const std::string& content) { directory_.write_file(name, content); }
  std::vector<std::string> files() const { return directory_.files(); }
  void finish_shards() { writer_.finish(); }
  void commit() { directory_.commit(); }

  std::uint64_t bytes() const { return bytes_; }

 private:
  void add(const std::string& stored_name, const Tensor& tensor, bool held);

  std::string source_;
  AtomicDirectory directory_;
  ShardWriter writer_;
  std::set<std::string> written_;  ///< normalised names
  std::uint64_t bytes_ = 0;
  std::uint64_t held_bytes_ = 0;  ///< owned by tensors the writer still holds
};

}  // namespace octavo::detail
