#include "octavo/detail/cpu.hpp"

#ifdef OCTAVO_X86
#include <cpuid.h>
#endif
#ifdef OCTAVO_AMX
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace octavo::detail {

#ifdef OCTAVO_X86

namespace {

#ifdef OCTAVO_AMX
// Leaf 7 of CPUID, register EDX.
constexpr unsigned kAmxBf16 = 1U << 22U, kAmxTile = 1U << 24U, kAmxInt8 = 1U << 25U;

unsigned amx_features() noexcept {
  unsigned a = 0, b = 0, c = 0, d = 0;
  if (__get_cpuid(1, &a, &b, &c, &d) == 0 || (c & (1U << 27U)) == 0) return 0;  // no XGETBV
  unsigned low = 0, high = 0;
  __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  constexpr unsigned kTileState = 3U << 17U;  // tile configuration and tile data
  if ((low & kTileState) != kTileState) return 0;
  if (__get_cpuid_count(7, 0, &a, &b, &c, &d) == 0 || (d & kAmxTile) == 0) return 0;
  // Linux gives a process the tile data only when asked (Documentation/arch/x86/xstate.rst). It asks once for all
  // threads, and asking again is harmless.
  constexpr long kRequestPermission = 0x1023, kTileData = 18;
  if (::syscall(SYS_arch_prctl, kRequestPermission, kTileData) != 0) return 0;
  return d & (kAmxBf16 | kAmxInt8);
}

bool amx(unsigned feature) noexcept {
  static const unsigned features = amx_features();
  return (features & feature) != 0;
}
#endif

}  // namespace

// The compiler's run-time check includes the operating system's part.
bool has_avx2() noexcept {
  static const bool has = [] {
    unsigned a = 0, b = 0, c = 0, d = 0;
    constexpr unsigned kF16c = 1U << 29U;  // leaf 1, register ECX
    return __builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("fma") != 0 &&
           __get_cpuid(1, &a, &b, &c, &d) != 0 && (c & kF16c) != 0;
  }();
  return has;
}
bool has_avx_vnni() noexcept {
  static const bool has = [] {
    unsigned a = 0, b = 0, c = 0, d = 0;  // leaf 7, second part, register EAX
    return has_avx2() && __get_cpuid_count(7, 1, &a, &b, &c, &d) != 0 && (a & (1U << 4U)) != 0;
  }();
  return has;
}
bool has_avx512() noexcept {
  return __builtin_cpu_supports("avx512f") != 0 && __builtin_cpu_supports("avx512bw") != 0 &&
         __builtin_cpu_supports("avx512vl") != 0 && __builtin_cpu_supports("avx512dq") != 0;
}
bool has_avx512_vnni() noexcept { return has_avx512() && __builtin_cpu_supports("avx512vnni") != 0; }
bool has_avx512_bf16() noexcept { return has_avx512() && __builtin_cpu_supports("avx512bf16") != 0; }

#else

bool has_avx2() noexcept { return false; }
bool has_avx_vnni() noexcept { return false; }
bool has_avx512() noexcept { return false; }
bool has_avx512_vnni() noexcept { return false; }
bool has_avx512_bf16() noexcept { return false; }

#endif

#ifdef OCTAVO_AMX
bool has_amx_int8() noexcept { return has_avx512_vnni() && amx(kAmxInt8); }
bool has_amx_bf16() noexcept { return has_avx512() && amx(kAmxBf16); }
#else
bool has_amx_int8() noexcept { return false; }
bool has_amx_bf16() noexcept { return false; }
#endif

}  // namespace octavo::detail
