#include "storage.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <utility>

#include "octavo/detail/pooled.hpp"

namespace octavo {

namespace {

[[noreturn]] void refuse(std::size_t size_bytes) {
  throw Error(ErrorCode::out_of_memory, "cannot allocate " + std::to_string(size_bytes) + " bytes for a tensor");
}

// Gives a shared Storage and the bytes of its tensors one block of memory: the bytes begin at the next cache line.
template <class T>
struct BytesBehind {
  using value_type = T;
  BytesBehind(detail::Pool from, std::size_t size, std::byte** first)
      : pool(std::move(from)), size_bytes(size), bytes(first) {}
  template <class U>
  BytesBehind(const BytesBehind<U>& other)  // NOLINT(google-explicit-constructor)
      : pool(other.pool), size_bytes(other.size_bytes), bytes(other.bytes) {}

  static std::size_t header(std::size_t n) { return (n * sizeof(T) + 63) / 64 * 64; }
  T* allocate(std::size_t n) {
    const std::size_t all = header(n) + size_bytes;
    void* memory = all < size_bytes ? nullptr : detail::take(pool, all);
    if (memory == nullptr) refuse(size_bytes);
    *bytes = static_cast<std::byte*>(memory) + header(n);
    return static_cast<T*>(memory);
  }
  void deallocate(T* memory, std::size_t n) noexcept { detail::give_back(pool, memory, header(n) + size_bytes); }
  template <class U>
  bool operator==(const BytesBehind<U>& other) const noexcept {
    return pool == other.pool && size_bytes == other.size_bytes;
  }

  detail::Pool pool;
  std::size_t size_bytes;
  std::byte** bytes;  // of the caller of allocate_shared, while it lasts
};

}  // namespace

std::shared_ptr<Storage> allocate(std::size_t size_bytes) {
  std::byte* bytes = nullptr;  // set before the Storage that is made of it
  return std::allocate_shared<Storage>(BytesBehind<Storage>(detail::current_pool(), size_bytes, &bytes), bytes,
                                       size_bytes, false, nullptr);
}

std::shared_ptr<Storage> make_storage(std::byte* data, std::size_t size_bytes, bool read_only,
                                      std::shared_ptr<void> keeper) {
  return std::allocate_shared<Storage>(detail::PooledAllocator<Storage>(), data, size_bytes, read_only,
                                       std::move(keeper));
}

namespace {

Error failed_to(const char* action, const std::string& name) {
  const int number = errno;
  return Error::of(number == ENOENT || number == ENOTDIR ? ErrorCode::not_found : ErrorCode::io,
                   name + ": cannot " + action + ": " + std::strerror(number));
}

}  // namespace

std::shared_ptr<Storage> map_descriptor(int descriptor, const std::string& name) {
  struct stat status {};
  if (::fstat(descriptor, &status) != 0) throw failed_to("read the size", name);
  if (S_ISDIR(status.st_mode)) throw Error(ErrorCode::io, name + ": is a directory, a file is needed");
  if (!S_ISREG(status.st_mode)) throw Error(ErrorCode::io, name + ": is not a regular file");
  const auto size = static_cast<std::size_t>(status.st_size);
  if (size == 0) return std::make_shared<Storage>(nullptr, 0, true, nullptr);
  void* memory = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, descriptor, 0);
  if (memory == MAP_FAILED) throw failed_to("map", name);
  std::shared_ptr<void> keeper(memory, [size](void* p) { ::munmap(p, size); });
  return std::make_shared<Storage>(static_cast<std::byte*>(memory), size, true, std::move(keeper), true);
}

std::shared_ptr<Storage> map_file(const std::string& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) throw failed_to("open", path);
  const std::shared_ptr<void> closer(nullptr, [descriptor](void*) { ::close(descriptor); });
  return map_descriptor(descriptor, path);
}

std::shared_ptr<Storage> borrow_bytes(std::span<const std::byte> bytes) {
  auto* first = const_cast<std::byte*>(bytes.data());  // never written: the storage is read-only
  return std::make_shared<Storage>(first, bytes.size(), true, nullptr);
}

void drop_file_pages(const std::byte* data, std::size_t size_bytes) noexcept {
  const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  const std::uintptr_t begin = (reinterpret_cast<std::uintptr_t>(data) + page - 1) / page * page;
  const std::uintptr_t end = (reinterpret_cast<std::uintptr_t>(data) + size_bytes) / page * page;
  // A hint: where it is refused, the pages stay until the system needs their memory.
  if (begin < end) ::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);  // NOLINT
}

std::span<const std::byte> bytes_of(const Storage& storage) noexcept { return {storage.data(), storage.size_bytes()}; }

}  // namespace octavo
