#include "counters.hpp"

#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstddef>

// glibc's own allocator under the names that it keeps for those who put theirs before it.
extern "C" {
void* __libc_malloc(std::size_t size);                           // NOLINT(bugprone-reserved-identifier)
void* __libc_calloc(std::size_t count, std::size_t size);        // NOLINT(bugprone-reserved-identifier)
void* __libc_realloc(void* memory, std::size_t size);            // NOLINT(bugprone-reserved-identifier)
void* __libc_memalign(std::size_t alignment, std::size_t size);  // NOLINT(bugprone-reserved-identifier)
}

namespace {

std::atomic<std::int64_t> allocations{0}, mappings{0}, refused{0};
std::atomic<std::size_t> refused_size{0};  // 0: none

std::int64_t page_faults() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return usage.ru_minflt + usage.ru_majflt;
}

}  // namespace

extern "C" {

void* malloc(std::size_t size) {
  ++allocations;
  if (size != 0 && size == refused_size) {
    ++refused;
    errno = ENOMEM;
    return nullptr;
  }
  return __libc_malloc(size);
}
void* calloc(std::size_t count, std::size_t size) {
  ++allocations;
  return __libc_calloc(count, size);
}
void* realloc(void* memory, std::size_t size) {
  ++allocations;
  return __libc_realloc(memory, size);
}
void* memalign(std::size_t alignment, std::size_t size) {
  ++allocations;
  return __libc_memalign(alignment, size);
}
void* aligned_alloc(std::size_t alignment, std::size_t size) { return memalign(alignment, size); }
int posix_memalign(void** memory, std::size_t alignment, std::size_t size) {
  *memory = memalign(alignment, size);
  return *memory == nullptr ? ENOMEM : 0;
}
void* mmap(void* address, std::size_t length, int protection, int flags, int file, off_t offset) {
  ++mappings;
  return reinterpret_cast<void*>(::syscall(SYS_mmap, address, length, protection, flags, file, offset));
}
void* mmap64(void* address, std::size_t length, int protection, int flags, int file, off_t offset) {
  return mmap(address, length, protection, flags, file, offset);
}
int munmap(void* address, std::size_t length) {
  ++mappings;
  return static_cast<int>(::syscall(SYS_munmap, address, length));
}

}  // extern "C"

namespace test {

Taken taken() { return {allocations, mappings, page_faults()}; }

Taken taken_by(const std::function<void()>& job) {
  const Taken before = taken();
  job();
  const Taken after = taken();
  return {after.allocations - before.allocations, after.mappings - before.mappings,
          after.page_faults - before.page_faults};
}

Refusal::Refusal(std::size_t bytes) {
  refused = 0;
  refused_size = bytes;
}
Refusal::~Refusal() { refused_size = 0; }
std::int64_t Refusal::count() const { return refused; }

}  // namespace test
