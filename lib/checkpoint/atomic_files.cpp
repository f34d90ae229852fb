#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <deque>
#include <filesystem>
#include <fstream>
#include <optional>

#include "file_writer.hpp"
#include "octavo/atomic_file.hpp"
#include "octavo/checkpoint.hpp"
#include "unfinished.hpp"

namespace octavo {
namespace {

namespace fs = std::filesystem;
using checkpoint_detail::FileWriter;
using checkpoint_detail::os_error;
using checkpoint_detail::sync_path;

/// Whether the file there is of the kind that we write: anybody's pictures and configurations are not.
bool has_mark(const fs::path& file, std::string_view mark) {
  std::ifstream stream(file, std::ios::binary);
  std::string start(4096, '\0');
  stream.read(start.data(), static_cast<std::streamsize>(start.size()));
  start.resize(static_cast<std::size_t>(stream.gcount()));
  return start.empty() ? stream.eof() : start.find(mark) != std::string::npos;
}

fs::path checked(const std::string& path, std::string_view mark) {
  fs::path target = checkpoint_detail::resolved(path, "the file to write");
  std::error_code failed;
  if (path.back() == '/' || target.filename().empty())
    throw Error(ErrorCode::invalid_argument, path + ": names a directory; a file is needed");
  checkpoint_detail::require_parent(path, target);
  const fs::file_status status = fs::status(target, failed);
  if (fs::exists(status) && !fs::is_regular_file(status))
    throw Error(ErrorCode::invalid_argument, path + ": exists and is not a file; choose another name");
  if (fs::exists(status) && !has_mark(target, mark))
    throw Error(ErrorCode::exists, path + ": exists and is not one that octavo wrote (it does not say " +
                                       std::string(mark) + "), so it is not replaced; choose another name");
  if (::access(target.parent_path().c_str(), W_OK | X_OK) != 0)
    throw os_error("write into", target.parent_path().string(), errno);
  return target;
}

std::string path_beside(const fs::path& target) {
  static std::atomic<std::uint64_t> next{0};  // several may be written at a time
  return (target.parent_path() / ("." + target.filename().string() + ".octavo-tmp-" + std::to_string(::getpid()) + "." +
                                  std::to_string(next++)))
      .string();
}

/// A file beside its place; removed unless it got there.
class Beside {
 public:
  Beside(const std::string& path, std::string_view mark)
      : target_(checked(path, mark)), path_(path_beside(target_)), writer_(path_) {
    unfinished_.name(path_, -1);
  }
  Beside(const Beside&) = delete;
  Beside& operator=(const Beside&) = delete;
  ~Beside() {
    if (!moved_) static_cast<void>(std::remove(path_.c_str()));
  }

  FileWriter& writer() noexcept { return writer_; }
  /// Of a file that is written and closed.
  void move_in() {
    if (std::rename(path_.c_str(), target_.c_str()) != 0)
      throw os_error("rename " + path_ + " to", target_.string(), errno);
    moved_ = true;
    unfinished_.forget();
    sync_path(target_.parent_path().string(), true);
  }

 private:
  fs::path target_;
  std::string path_;
  FileWriter writer_;
  checkpoint_detail::Unfinished unfinished_;
  bool moved_ = false;
};

/// What cannot be replaced by a rename.
bool is_pipe_or_device(const std::string& path) {
  std::error_code failed;
  const fs::file_status status = fs::status(path, failed);
  return fs::is_fifo(status) || fs::is_character_file(status) || fs::is_socket(status);
}

}  // namespace

void check_new_file(const std::string& path, std::string_view mark) { static_cast<void>(checked(path, mark)); }

void write_files(std::span<const NewFile> files) {
  std::deque<Beside> written;
  for (const NewFile& file : files) {
    FileWriter& writer = written.emplace_back(file.path, file.mark).writer();
    writer.write(file.content);
    writer.close();
  }
  for (Beside& file : written) file.move_in();
}

struct AtomicFile::Impl {
  Impl(const std::string& path, std::string_view mark) {
    if (is_pipe_or_device(path))
      direct.emplace(path);
    else
      beside.emplace(path, mark);
  }
  FileWriter& writer() { return beside ? beside->writer() : *direct; }
  void flush() {
    writer().write(collected);
    collected.clear();
  }

  std::optional<Beside> beside;
  std::optional<FileWriter> direct;
  std::string collected;
};

AtomicFile::AtomicFile(const std::string& path, std::string_view mark) : impl_(std::make_unique<Impl>(path, mark)) {}
AtomicFile::AtomicFile(AtomicFile&&) noexcept = default;
AtomicFile::~AtomicFile() = default;

void AtomicFile::write(std::string_view content) {
  constexpr std::size_t kMostCollected = std::size_t{1} << 16;
  impl_->collected += content;
  if (impl_->collected.size() >= kMostCollected) impl_->flush();
}

void AtomicFile::commit() {
  impl_->flush();
  impl_->writer().close();
  if (impl_->beside) impl_->beside->move_in();
}

}  // namespace octavo
