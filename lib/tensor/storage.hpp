// Storage is one range of bytes and what keeps it alive, or the number of bytes alone.
#pragma once

#include <cstddef>
#include <memory>

#include "octavo/ledger.hpp"
#include "octavo/tensor.hpp"

namespace octavo {

class Storage {
 public:
  Storage(std::byte* data, std::size_t size_bytes, bool read_only, std::shared_ptr<void> keeper,
          bool file_mapping = false)
      : data_(data),
        size_bytes_(size_bytes),
        read_only_(read_only),
        file_mapping_(file_mapping),
        keeper_(std::move(keeper)) {}
  /// Without data; `account` counts it, where there is one.
  Storage(std::size_t size_bytes, std::shared_ptr<Ledger::Account> account)
      : data_(nullptr), size_bytes_(size_bytes), read_only_(false), has_data_(false), account_(std::move(account)) {
    if (account_) account_->live_bytes += size_bytes_;
  }
  ~Storage() {
    if (account_) account_->live_bytes -= size_bytes_;
  }
  Storage(const Storage&) = delete;
  Storage& operator=(const Storage&) = delete;

  std::byte* data() const noexcept { return data_; }
  std::size_t size_bytes() const noexcept { return size_bytes_; }
  bool read_only() const noexcept { return read_only_; }
  bool has_data() const noexcept { return has_data_; }
  /// A private read-only mapping of a file, whose pages can be dropped and read anew.
  bool file_mapping() const noexcept { return file_mapping_; }
  bool counted() const noexcept { return account_ != nullptr; }

 private:
  std::byte* data_;
  std::size_t size_bytes_;
  bool read_only_;
  bool file_mapping_ = false;
  bool has_data_ = true;
  std::shared_ptr<void> keeper_;
  std::shared_ptr<Ledger::Account> account_;
};

// 64-byte aligned, uninitialised; throws out_of_memory naming the size.
std::shared_ptr<Storage> allocate(std::size_t size_bytes);
// Over memory that is there; the handle itself is the pool's, where the thread has one.
std::shared_ptr<Storage> make_storage(std::byte* data, std::size_t size_bytes, bool read_only,
                                      std::shared_ptr<void> keeper);
// Of a range within a file mapping: the pages that lie wholly in it.
void drop_file_pages(const std::byte* data, std::size_t size_bytes) noexcept;
// No memory at all; counted by the thread's ledger, if it has one.
std::shared_ptr<Storage> allocate_without_data(std::size_t size_bytes);

}  // namespace octavo
