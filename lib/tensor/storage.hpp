// Storage is one range of bytes and what keeps it alive.
#pragma once

#include <cstddef>
#include <memory>

#include "octavo/tensor.hpp"

namespace octavo {

class Storage {
 public:
  Storage(std::byte* data, std::size_t size_bytes, bool read_only, std::shared_ptr<void> keeper)
      : data_(data), size_bytes_(size_bytes), read_only_(read_only), keeper_(std::move(keeper)) {}

  std::byte* data() const noexcept { return data_; }
  std::size_t size_bytes() const noexcept { return size_bytes_; }
  bool read_only() const noexcept { return read_only_; }

 private:
  std::byte* data_;
  std::size_t size_bytes_;
  bool read_only_;
  std::shared_ptr<void> keeper_;
};

// 64-byte aligned, uninitialised; throws out_of_memory naming the size.
std::shared_ptr<Storage> allocate(std::size_t size_bytes);

}  // namespace octavo
