#include "file_writer.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

namespace octavo::checkpoint_detail {

Error os_error(const std::string& what, const std::string& path, int error_number) {
  return Error(ErrorCode::io, "cannot " + what + " " + path + ": " + std::generic_category().message(error_number));
}

FileWriter::FileWriter(std::string path) : path_(std::move(path)) {
  fd_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (fd_ < 0) throw os_error("create", path_, errno);
}

FileWriter::~FileWriter() {
  if (fd_ >= 0) ::close(fd_);
}

void FileWriter::write(const void* data, std::size_t size_bytes) {
  constexpr std::size_t kMaxWrite = std::size_t{1} << 30;  // Linux writes at most 2 GiB at a time
  const char* next = static_cast<const char*>(data);
  while (size_bytes > 0) {
    const ssize_t written = ::write(fd_, next, std::min(size_bytes, kMaxWrite));
    if (written < 0) {
      if (errno == EINTR) continue;
      throw os_error("write", path_, errno);
    }
    next += written;
    size_bytes -= static_cast<std::size_t>(written);
  }
}

void FileWriter::close() {
  // Space is reserved late on some file systems: a full disk may first show here.
  if (::fsync(fd_) != 0 && errno != EINVAL && errno != EROFS) throw os_error("sync", path_, errno);
  const int fd = std::exchange(fd_, -1);
  if (::close(fd) != 0) throw os_error("close", path_, errno);
}

void sync_path(const std::string& path, bool directory) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | (directory ? O_DIRECTORY : 0));
  if (fd < 0) throw os_error("open", path, errno);
  const int result = ::fsync(fd);
  const int reason = errno;
  ::close(fd);
  // Network file systems may not know how to sync a directory; that is no reason to lose the output.
  if (result != 0 && reason != EINVAL && reason != EROFS) throw os_error("sync", path, reason);
}

std::filesystem::path resolved(const std::string& path, const char* what) {
  namespace fs = std::filesystem;
  if (path.empty()) throw Error(ErrorCode::invalid_argument, std::string(what) + " has no name");
  std::error_code failed;
  fs::path target = fs::weakly_canonical(fs::absolute(path, failed), failed);
  if (failed) throw os_error("resolve", path, failed.value());
  return target;
}

void require_parent(const std::string& path, const std::filesystem::path& target) {
  std::error_code failed;
  if (!std::filesystem::is_directory(target.parent_path(), failed))
    throw Error(ErrorCode::not_found, path + ": the directory to put it in, " + target.parent_path().string() +
                                          ", does not exist; create it first");
}

}  // namespace octavo::checkpoint_detail
