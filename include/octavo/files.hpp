/// @file
/// The files of a model: those of a directory, or files in memory or behind open descriptors, under the names that they
/// have in a directory.
///
///     Model::open("Qwen2.5-VL-3B-Instruct");
///     const FileSource files = FileSource::in_memory("bundled", {{"config.json", config}, {"model.safetensors",
///     weights}}); Model::open(files);
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "octavo/json.hpp"
#include "octavo/tensor.hpp"

namespace octavo {

/// Immutable; copies share what they hold. May be used from many threads.
class FileSource {
 public:
  // Wherever a directory was meant, its path does.
  FileSource(std::string directory);  // NOLINT(google-explicit-constructor)
  FileSource(const char* directory);  // NOLINT(google-explicit-constructor)

  struct MemoryFile {
    std::string name;  ///< "config.json"
    std::span<const std::byte> bytes;
  };
  /// Over the caller's bytes, which are not copied: they must stay as they are while the source lives, or a model or
  /// tensor that was read from it. `label` stands in messages where a directory's path would.
  /// @throws Error  invalid_argument: a name that is empty, a path, or given twice.
  static FileSource in_memory(std::string label, std::span<const MemoryFile> files);

  struct OpenFile {
    std::string name;
    int descriptor = -1;  ///< open for reading: a regular file, or a memfd
  };
  /// Maps each file whole; the descriptors may be closed then.
  /// @throws Error  as in_memory; io for what cannot be mapped.
  static FileSource descriptors(std::string label, std::span<const OpenFile> files);

  const std::string& label() const noexcept;  ///< the directory's path
  bool is_directory() const noexcept;         ///< false for files in memory and behind descriptors
  bool has(std::string_view name) const;
  std::vector<std::string> names() const;            ///< sorted; of a directory that cannot be read, none
  std::string path_of(std::string_view name) const;  ///< "DIR/config.json": how messages name a file
  // @throws Error  not_found; io.
  std::shared_ptr<Storage> map(std::string_view name) const;  ///< the whole file, read-only
  std::string text(std::string_view name) const;              ///< the whole file
  /// @throws Error  format, too: what Json::read_file refuses.
  Json json(std::string_view name, std::size_t max_bytes = Json::kMostBytes) const;

 private:
  struct Impl;
  explicit FileSource(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}
  std::shared_ptr<const Impl> impl_;
};

}  // namespace octavo
