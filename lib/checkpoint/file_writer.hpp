/// Files written in one go and synced, with the operating system's reason in every failure.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>

#include "octavo/error.hpp"

namespace octavo::checkpoint_detail {

/// An Error with code io: "cannot WHAT PATH: No space left on device".
Error os_error(const std::string& what, const std::string& path, int error_number);

/// A new file (or a truncated old one). Destroyed before `close`, it leaves a partial file behind.
class FileWriter {
 public:
  explicit FileWriter(std::string path);
  FileWriter(const FileWriter&) = delete;
  FileWriter& operator=(const FileWriter&) = delete;
  ~FileWriter();
  void write(const void* data, std::size_t size_bytes);
  void write(std::string_view text) { write(text.data(), text.size()); }
  void close();  ///< syncs to the disk first

 private:
  std::string path_;
  int fd_ = -1;
};

/// Forces a file's or a directory's content to the disk.
void sync_path(const std::string& path, bool directory);

/// `path` with links resolved: a rename must replace what it names, not a link to it. `what` names an empty path.
std::filesystem::path resolved(const std::string& path, const char* what);
/// Throws not_found when the directory that `target` would stand in is missing; `path` is how the caller wrote it.
void require_parent(const std::string& path, const std::filesystem::path& target);

}  // namespace octavo::checkpoint_detail
