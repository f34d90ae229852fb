/// Large pages for memory that is read from one end to the other, as weights are: a third more bandwidth than with
/// pages of 4 KiB, whose addresses are looked up every 64 lines. Not for direct use.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <cstdint>

namespace octavo::detail {

inline constexpr std::size_t kHugePage = std::size_t{1} << 21;

/// Asks for huge pages wherever whole ones fit; before the memory is first written. Where the system refuses, its pages
/// stay small.
inline void advise_huge_pages([[maybe_unused]] void* memory, [[maybe_unused]] std::size_t size_bytes) noexcept {
#ifdef MADV_HUGEPAGE
  const auto address = reinterpret_cast<std::uintptr_t>(memory);
  const std::uintptr_t begin = (address + kHugePage - 1) / kHugePage * kHugePage;
  const std::uintptr_t end = (address + size_bytes) / kHugePage * kHugePage;
  if (begin < end) ::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_HUGEPAGE);  // NOLINT
#endif
}

}  // namespace octavo::detail
