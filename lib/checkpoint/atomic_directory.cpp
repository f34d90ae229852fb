#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <filesystem>
#include <system_error>
#include <utility>

#include "file_writer.hpp"
#include "octavo/checkpoint.hpp"
#include "own_output.hpp"
#include "unfinished.hpp"

namespace octavo {
namespace {

namespace fs = std::filesystem;
using checkpoint_detail::FileWriter;
using checkpoint_detail::os_error;
using checkpoint_detail::sync_path;

fs::path resolve_target(const std::string& target) {
  fs::path path = checkpoint_detail::resolved(target, "the output directory");
  if (path.filename().empty()) path = path.parent_path();  // "out/" names out
  if (path.filename().empty()) {
    throw Error(ErrorCode::invalid_argument, target + ": the root directory cannot be an output directory");
  }
  checkpoint_detail::require_parent(target, path);
  return path;
}

/// Overwriting is for outputs of an earlier run: a directory that holds something else is not ours to remove.
void check_existing(const fs::path& target, bool overwrite) {
  std::error_code failed;
  if (!fs::exists(fs::symlink_status(target, failed))) return;
  if (!fs::is_directory(target, failed)) {
    throw Error(ErrorCode::exists,
                target.string() + ": exists and is not a directory; choose another output directory");
  }
  if (!overwrite) {
    throw Error(ErrorCode::exists, target.string() + ": exists already; choose another output directory or overwrite");
  }
  if (const std::string reason = checkpoint_detail::reason_to_keep(target); !reason.empty())
    throw Error(ErrorCode::exists, target.string() + ": " + reason +
                                       ", so it is not replaced; choose another output directory, or remove it");
}

std::string temporary_prefix(const fs::path& target) { return "." + target.filename().string() + ".octavo-tmp-"; }

/// The process id in a temporary name, 0 when there is none.
pid_t owner_of(std::string_view suffix) {
  pid_t pid = 0;
  const auto [end, failed] = std::from_chars(suffix.data(), suffix.data() + suffix.size(), pid);
  const bool whole = end == suffix.data() + suffix.size() || *end == '.';
  return failed == std::errc{} && whole && pid > 0 ? pid : 0;
}

int open_locked(const fs::path& directory) {
  const int fd = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
  if (fd >= 0 && ::flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
    ::close(fd);
    return -1;
  }
  return fd;
}

/// Removes what killed runs left behind. The process id alone does not tell: on a shared disk it may live in another
/// container. So a directory goes only when its owner is gone here and nobody holds its lock.
void remove_stale(const fs::path& target) {
  const std::string prefix = temporary_prefix(target);
  std::error_code failed;
  std::vector<fs::path> stale;
  for (fs::directory_iterator it(target.parent_path(), failed), end; !failed && it != end; it.increment(failed)) {
    const std::string name = it->path().filename().string();
    if (!name.starts_with(prefix)) continue;
    const pid_t owner = owner_of(std::string_view(name).substr(prefix.size()));
    if (owner != 0 && owner != ::getpid() && ::kill(owner, 0) != 0 && errno == ESRCH) stale.push_back(it->path());
  }
  for (const fs::path& path : stale) {
    const int lock = open_locked(path);
    if (lock < 0) continue;
    fs::remove_all(path, failed);
    ::close(lock);
  }
}

void check_file_name(const std::string& name) {
  if (name.empty() || name == "." || name == ".." || name.find('/') != std::string::npos ||
      name.find('\0') != std::string::npos) {
    throw Error(ErrorCode::invalid_argument, "\"" + name + "\" is not a plain file name");
  }
}

enum class Move { done, exists, failed };

/// One rename that refuses to replace, where the file system can.
Move move_to_absent(const fs::path& from, const fs::path& to) {
  if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0) return Move::done;
  if (errno == EEXIST) return Move::exists;
  if (errno != EINVAL && errno != ENOSYS) return Move::failed;
  std::error_code ignored;
  if (fs::exists(fs::symlink_status(to, ignored))) return Move::exists;
  return ::rename(from.c_str(), to.c_str()) == 0 ? Move::done : Move::failed;
}

}  // namespace

struct AtomicDirectory::Impl {
  fs::path target;
  std::string path;
  bool overwrite = false;
  bool committed = false;
  int lock = -1;

  checkpoint_detail::Unfinished unfinished;

  /// Puts the finished directory in the target's place. True where another was there, which is at `path` then.
  bool swap_in() {
    const Move moved = move_to_absent(path, target);
    if (moved == Move::done) return false;
    if (moved == Move::failed) throw os_error("rename " + path + " to", target.string(), errno);
    check_existing(target, overwrite);  // it may have appeared, or changed, since the start
    if (::renameat2(AT_FDCWD, path.c_str(), AT_FDCWD, target.c_str(), RENAME_EXCHANGE) == 0) return true;
    // No exchange on this file system: step aside, move in, and step back if that fails.
    const std::string aside = path + ".old";
    if (::rename(target.c_str(), aside.c_str()) != 0) throw os_error("rename", target.string(), errno);
    if (::rename(path.c_str(), target.c_str()) != 0) {
      const int reason = errno;
      static_cast<void>(std::rename(aside.c_str(), target.c_str()));
      throw os_error("rename " + path + " to", target.string(), reason);
    }
    if (::rename(aside.c_str(), path.c_str()) != 0) throw os_error("rename", aside, errno);
    return true;
  }

  /// Undoes swap_in; false where that failed, too.
  bool swap_out(bool exchanged) {
    if (!exchanged) return std::rename(target.c_str(), path.c_str()) == 0;
    if (::renameat2(AT_FDCWD, path.c_str(), AT_FDCWD, target.c_str(), RENAME_EXCHANGE) == 0) return true;
    const std::string aside = path + ".new";
    return std::rename(target.c_str(), aside.c_str()) == 0 && std::rename(path.c_str(), target.c_str()) == 0 &&
           std::rename(aside.c_str(), path.c_str()) == 0;
  }
};

AtomicDirectory::AtomicDirectory(const std::string& target, bool overwrite) : impl_(std::make_unique<Impl>()) {
  impl_->target = resolve_target(target);
  impl_->overwrite = overwrite;
  check_existing(impl_->target, overwrite);
  remove_stale(impl_->target);
  const std::string base =
      (impl_->target.parent_path() / temporary_prefix(impl_->target)).string() + std::to_string(::getpid());
  impl_->path = base;
  // A second job of this process on the same target, or a leftover of a process that had our id, holds the plain name.
  for (int attempt = 1; ::mkdir(impl_->path.c_str(), 0777) != 0; ++attempt) {
    if (errno != EEXIST || attempt > 1000) throw os_error("create directory", impl_->path, errno);
    impl_->path = base + "." + std::to_string(attempt);
  }
  impl_->lock = open_locked(impl_->path);
  impl_->unfinished.name(impl_->path, impl_->lock);
}

AtomicDirectory::AtomicDirectory(AtomicDirectory&&) noexcept = default;

AtomicDirectory::~AtomicDirectory() {
  if (!impl_) return;
  impl_->unfinished.forget();
  if (!impl_->committed) {
    std::error_code ignored;
    fs::remove_all(impl_->path, ignored);
  }
  if (impl_->lock >= 0) ::close(impl_->lock);
}

const std::string& AtomicDirectory::path() const noexcept { return impl_->path; }

void AtomicDirectory::write_file(const std::string& name, std::string_view content) {
  check_file_name(name);
  FileWriter file((fs::path(impl_->path) / name).string());
  file.write(content);
  file.close();
}

void AtomicDirectory::copy_file(const std::string& from, const std::string& name) {
  check_file_name(name);
  const int source = ::open(from.c_str(), O_RDONLY | O_CLOEXEC);
  if (source < 0) {
    if (errno == ENOENT) throw Error(ErrorCode::not_found, from + ": no such file");
    throw os_error("open", from, errno);
  }
  try {
    FileWriter file((fs::path(impl_->path) / name).string());
    std::vector<char> buffer(std::size_t{1} << 20);
    for (;;) {
      const ssize_t got = ::read(source, buffer.data(), buffer.size());
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) throw os_error("read", from, errno);
      if (got == 0) break;
      file.write(buffer.data(), static_cast<std::size_t>(got));
    }
    file.close();
  } catch (...) {
    ::close(source);
    throw;
  }
  ::close(source);
}

std::vector<std::string> AtomicDirectory::files() const {
  std::vector<std::string> names;
  for (const fs::directory_entry& entry : fs::directory_iterator(impl_->path))
    names.push_back(entry.path().filename().string());
  std::sort(names.begin(), names.end());
  return names;
}

void AtomicDirectory::commit() {
  if (impl_->committed) throw Error(ErrorCode::invalid_argument, impl_->path + ": committed already");
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(impl_->path)) {
    if (entry.is_regular_file()) sync_path(entry.path().string(), false);
    if (entry.is_directory()) sync_path(entry.path().string(), true);
  }
  sync_path(impl_->path, true);
  const std::string parent = impl_->target.parent_path().string();
  sync_path(parent, true);     // what cannot be synced is found out before anything moved
  impl_->unfinished.forget();  // from here on the name may be that of the old output
  const bool exchanged = impl_->swap_in();
  try {
    sync_path(parent, true);
  } catch (...) {
    impl_->committed = !impl_->swap_out(exchanged);  // then both stay, rather than that one is lost
    throw;
  }
  impl_->committed = true;
  // The new output stands: a leftover of the old one is no failure.
  if (exchanged) checkpoint_detail::remove_own_output(impl_->path);
  impl_->path = impl_->target.string();
}

}  // namespace octavo
