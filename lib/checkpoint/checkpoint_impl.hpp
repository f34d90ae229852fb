// The inside of Checkpoint: open.cpp fills it, checkpoint.cpp reads it, names.cpp spells.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "compressed_tensors.hpp"
#include "octavo/checkpoint.hpp"

namespace octavo {

struct Checkpoint::Impl {
  struct Entry {
    std::size_t file = 0;
    const TensorInfo* info = nullptr;
    bool packed = false;  ///< stored as `info->name`, four to an integer; `info` tells the weight that it holds
  };

  FileSource source;
  Json config;
  std::vector<SafetensorsFile> files;
  std::vector<std::string> paths;                           // of `files`
  std::map<std::string, Entry, std::less<>> tensors;        // by published name
  std::map<std::string, std::string, std::less<>> spelled;  // "visual", "model", "lm_head" -> prefix in this checkpoint
  std::deque<TensorInfo> unpacked;                          // of packed weights; Entry::info points here
  std::uint64_t total_bytes = 0;
  std::optional<checkpoint_detail::QuantizationConfig> quantization;
  std::size_t naming = 0;  // of kNamings: the names that quantization's expressions are given

  explicit Impl(FileSource from) : source(std::move(from)) {}

  // open.cpp
  void open_shard(const std::string& name);
  void insert(std::size_t file, const TensorInfo& info);
  void open_single();
  void open_index();
  /// The index's names in the shard opened last; each must be in its header.
  void insert_indexed(const std::vector<std::string>& names);
  /// A tied model may store its one matrix under the head's name, as transformers 5 accepts (modeling_utils.py,
  /// tie_weights): it is the embedding then, with the spelling that the file has.
  void take_head_for_embedding();
  /// A packed weight is shown as the int8 weight that it holds. Tensors that are no 8-bit packing stay as they are.
  void show_packed_weights();
  /// The same expression means other modules under other names, and config.json does not say whose it was written for:
  /// which weights are stored as integers does.
  void choose_naming();
  [[noreturn]] void refuse_without_weights() const;

  // names.cpp
  std::string stored_name(std::string_view published) const;
  checkpoint_detail::ModuleNames names_of(const std::string& published, std::size_t program) const;
  /// The nearest names, for a name that is not there: at most half of it may differ.
  std::vector<std::string> suggestions(std::string_view name) const;

  // checkpoint.cpp
  bool is_linear(const std::string& published) const;  ///< "Linear", as far as tensors tell
  /// Loaders look for the tensors that a group's format names. @throws Error  format.
  void require_form(const std::string& published, const checkpoint_detail::StoredForm& form) const;

 private:
  /// Of an integer tensor that one of the shards holds; nothing when it is no [2] of i64.
  std::optional<Shape> stored_shape(const Entry& entry) const;
};

}  // namespace octavo
