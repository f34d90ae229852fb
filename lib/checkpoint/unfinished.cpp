#include "unfinished.hpp"

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "octavo/checkpoint.hpp"

namespace octavo {

namespace checkpoint_detail {

Unfinished::Entry Unfinished::entries[16];

void Unfinished::name(const std::string& path, int descriptor) noexcept {
  forget();
  for (Entry& entry : entries) {
    if (entry.taken.exchange(true)) continue;
    entry.descriptor = descriptor;
    entry.path = path.c_str();  // last: it is what makes the entry valid
    entry_ = &entry;
    return;
  }
}

void Unfinished::forget() noexcept {
  if (entry_ == nullptr) return;
  entry_->path = nullptr;
  entry_->taken = false;
  entry_ = nullptr;
}

namespace {

// readdir takes memory, which a signal handler must not; getdents64(2) fills ours: inode, offset, length, type, name.
void remove_files(int directory) noexcept {
  constexpr std::size_t kLengthAt = 16, kNameAt = 19;
  alignas(8) char buffer[4096];
  if (::lseek(directory, 0, SEEK_SET) != 0) return;
  for (;;) {
    const long got = ::syscall(SYS_getdents64, directory, buffer, sizeof buffer);
    if (got <= 0) return;
    for (long at = 0; at < got;) {
      std::uint16_t length = 0;
      std::memcpy(&length, buffer + at + kLengthAt, sizeof length);
      const char* name = buffer + at + kNameAt;
      if (std::strcmp(name, ".") != 0 && std::strcmp(name, "..") != 0) ::unlinkat(directory, name, 0);
      at += length;
    }
  }
}

}  // namespace

void remove_all_unfinished() noexcept {
  for (Unfinished::Entry& entry : Unfinished::entries) {
    const char* path = entry.path.exchange(nullptr);
    if (path == nullptr) continue;
    // Twice: another thread may have made a file meanwhile.
    for (int attempt = 0; attempt < 2; ++attempt) {
      if (entry.descriptor >= 0) remove_files(entry.descriptor);
      if ((entry.descriptor >= 0 ? ::rmdir(path) : ::unlink(path)) == 0) break;
    }
  }
}

}  // namespace checkpoint_detail

void remove_unfinished_outputs() noexcept { checkpoint_detail::remove_all_unfinished(); }

}  // namespace octavo
