/// @file
/// A file that is written as it is made, and is at its place whole, or not at all.
///
///     AtomicFile file("run.jsonl", "{\"octavo_trace\"");
///     file.write(line);   // as often as wanted, beside the place
///     file.commit();      // synced, and moved there in one rename
#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace octavo {

/// Destroyed without commit, it removes what it has written, and what was at the place stays; so do
/// remove_unfinished_outputs (checkpoint.hpp) and a process that they end. One thread at a time.
class AtomicFile {
 public:
  /// @param path  Of a link, what it names is replaced. A pipe or a device is written to as it goes.
  /// @param mark  Stands near the beginning of what is written there: a file that is there is replaced where its first
  ///              4096 bytes hold the mark, or it is empty.
  /// @throws Error  as check_new_file (checkpoint.hpp); io.
  AtomicFile(const std::string& path, std::string_view mark);
  AtomicFile(AtomicFile&&) noexcept;
  AtomicFile& operator=(AtomicFile&&) = delete;
  ~AtomicFile();
  void write(std::string_view content);  ///< collected in memory for a while. @throws Error  io, a full disk say
  void commit();                         ///< once, as the last call. @throws Error  io: the place is as before

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace octavo
