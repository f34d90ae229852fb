#include <atomic>
#include <string_view>

#include "bf16.hpp"
#include "kernels.hpp"

#if defined(__x86_64__) && defined(__linux__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace octavo::attention_kernels {

namespace {

// The compiler's check includes that the operating system saves the registers.
#if defined(__x86_64__) && defined(__GNUC__)
bool runs_avx2() noexcept { return __builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("fma") != 0; }
bool runs_avx512() noexcept {
  return __builtin_cpu_supports("avx512f") != 0 && __builtin_cpu_supports("avx512bw") != 0 &&
         __builtin_cpu_supports("avx512vl") != 0 && __builtin_cpu_supports("avx512dq") != 0;
}
#else
bool runs_avx2() noexcept { return false; }
bool runs_avx512() noexcept { return false; }
#endif

#if defined(__x86_64__) && defined(__linux__)
bool runs_amx_bf16() noexcept {
  unsigned a = 0, b = 0, c = 0, d = 0;
  if (!runs_avx512() || __get_cpuid(1, &a, &b, &c, &d) == 0 || (c & (1U << 27U)) == 0) return false;  // no XGETBV
  unsigned low = 0, high = 0;
  __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  constexpr unsigned kTileState = 3U << 17U;  // the operating system saves tile configuration and data
  if ((low & kTileState) != kTileState) return false;
  constexpr unsigned kTile = 1U << 24U, kBf16Tile = 1U << 22U;  // leaf 7, EDX
  if (__get_cpuid_count(7, 0, &a, &b, &c, &d) == 0 || (d & kTile) == 0 || (d & kBf16Tile) == 0) return false;
  if (__get_cpuid_count(7, 1, &a, &b, &c, &d) == 0 || (a & (1U << 5U)) == 0) return false;  // AVX512_BF16
  // Linux gives a process the tile data only when asked (Documentation/arch/x86/xstate.rst); for all its threads.
  constexpr long kRequestPermission = 0x1023, kTileData = 18;
  return ::syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
}
#else
bool runs_amx_bf16() noexcept { return false; }
#endif

const Kernels* usable(std::string_view name) noexcept {
  if (name == "avx512") return runs_avx512() ? avx512_kernels() : nullptr;
  if (name == "avx2") return runs_avx2() ? avx2_kernels() : nullptr;
  return name == "portable" ? portable_kernels() : nullptr;
}

std::atomic<const Kernels*> forced{nullptr};

}  // namespace

const Kernels& best_kernels() noexcept {
  static const Kernels& best = [&]() -> const Kernels& {
    for (const char* name : {"avx512", "avx2"})
      if (const Kernels* found = usable(name)) return *found;
    return *portable_kernels();
  }();
  return best;
}

const Kernels& kernels() noexcept {
  const Kernels* chosen = forced.load(std::memory_order_relaxed);
  return chosen != nullptr ? *chosen : best_kernels();
}

const Bf16Kernels* bf16_kernels() noexcept {
  static const bool runs = amx_kernels() != nullptr && runs_amx_bf16();
  return runs && forced.load(std::memory_order_relaxed) == nullptr ? amx_kernels() : nullptr;
}

bool force_kernels(const char* name) noexcept {
  const std::string_view wanted(name);
  const Kernels* found = wanted.empty() ? nullptr : usable(wanted);
  if (found == nullptr && !wanted.empty()) return false;
  forced.store(found, std::memory_order_relaxed);
  return true;
}

}  // namespace octavo::attention_kernels
