#include "storage.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "memory_pool.hpp"

namespace octavo {

namespace {

[[noreturn]] void refuse(std::size_t size_bytes) {
  throw Error(ErrorCode::out_of_memory, "cannot allocate " + std::to_string(size_bytes) + " bytes for a tensor");
}

std::shared_ptr<Storage> allocate_from(const std::shared_ptr<MemoryPool::State>& pool, std::size_t size_bytes) {
  void* memory = pool->take(size_bytes);
  if (memory == nullptr) refuse(size_bytes);
  const auto give_back = [pool, size_bytes](void* block) noexcept { pool->give_back(block, size_bytes); };
  std::shared_ptr<void> keeper(memory, give_back, PoolAllocator<std::byte>(pool));
  return std::allocate_shared<Storage>(PoolAllocator<Storage>(pool), static_cast<std::byte*>(memory), size_bytes, false,
                                       std::move(keeper));
}

}  // namespace

std::shared_ptr<Storage> allocate(std::size_t size_bytes) {
  if (const auto& pool = current_pool()) return allocate_from(pool, size_bytes);
  const std::size_t rounded = (size_bytes + 63) / 64 * 64;
  void* memory = rounded < size_bytes ? nullptr : std::aligned_alloc(64, rounded == 0 ? 64 : rounded);
  if (memory == nullptr) refuse(size_bytes);
  std::shared_ptr<void> keeper(memory, [](void* p) { std::free(p); });
  return std::make_shared<Storage>(static_cast<std::byte*>(memory), size_bytes, false, std::move(keeper));
}

std::shared_ptr<Storage> map_file(const std::string& path) {
  const auto fail = [&](const char* action) -> Error {
    const int number = errno;
    return Error::of(number == ENOENT || number == ENOTDIR ? ErrorCode::not_found : ErrorCode::io,
                     path + ": cannot " + action + ": " + std::strerror(number));
  };
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) throw fail("open");
  const std::shared_ptr<void> closer(nullptr, [descriptor](void*) { ::close(descriptor); });
  struct stat status {};
  if (::fstat(descriptor, &status) != 0) throw fail("read the size");
  if (S_ISDIR(status.st_mode)) throw Error(ErrorCode::io, path + ": is a directory, a file is needed");
  if (!S_ISREG(status.st_mode)) throw Error(ErrorCode::io, path + ": is not a regular file");
  const auto size = static_cast<std::size_t>(status.st_size);
  if (size == 0) return std::make_shared<Storage>(nullptr, 0, true, nullptr);
  void* memory = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, descriptor, 0);
  if (memory == MAP_FAILED) throw fail("map");
  std::shared_ptr<void> keeper(memory, [size](void* p) { ::munmap(p, size); });
  return std::make_shared<Storage>(static_cast<std::byte*>(memory), size, true, std::move(keeper));
}

std::span<const std::byte> bytes_of(const Storage& storage) noexcept { return {storage.data(), storage.size_bytes()}; }

}  // namespace octavo
