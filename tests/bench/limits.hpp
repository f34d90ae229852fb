/// What this machine can do at best, on one thread: the measure of the measurements.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <ctime>
#include <vector>

#include "kernels/cpu.hpp"
#include "kernels/tile_config.hpp"

#ifdef OCTAVO_X86
#include <immintrin.h>
#endif

namespace limits {

/// Seconds from some start: of the clock on the wall, or of this thread alone, which other jobs on the machine stop
/// less often.
inline double wall_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}
inline double thread_seconds() {
  timespec now{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

/// The best of five of job(), which returns a rate.
template <class Job>
double best_of_five(const Job& job) {
  double best = 0;
  for (int i = 0; i < 5; ++i) best = std::max(best, job());
  return best;
}

#ifdef OCTAVO_X86

/// GFLOP/s of float32 multiply-adds on 24 independent AVX-512 registers.
__attribute__((target("avx512f"))) inline double fma_gflops() {
  constexpr int kRounds = 400000;
  const double start = thread_seconds();
  __m512 sums[24];
#pragma GCC unroll 24
  for (__m512& sum : sums) sum = _mm512_set1_ps(1.0F);
  __m512 x = _mm512_set1_ps(0.5F);
  for (int round = 0; round < kRounds; ++round) {
    __asm__ volatile("" : "+v"(x));
#pragma GCC unroll 24
    for (__m512& sum : sums) __asm__ volatile("vfmadd231ps %1, %1, %0" : "+v"(sum) : "v"(x));
  }
#pragma GCC unroll 24
  for (__m512& sum : sums) __asm__ volatile("" ::"v"(sum));
  return 24.0 * 32 * kRounds * 1e-9 / (thread_seconds() - start);
}

/// GOP/s of int8 by AVX512-VNNI.
__attribute__((target("avx512f,avx512vnni"))) inline double vnni_gops() {
  constexpr int kRounds = 400000;
  const double start = thread_seconds();
  __m512i sums[24];
#pragma GCC unroll 24
  for (__m512i& sum : sums) sum = _mm512_set1_epi32(1);
  __m512i x = _mm512_set1_epi8(1);
  for (int round = 0; round < kRounds; ++round) {
    __asm__ volatile("" : "+v"(x));
#pragma GCC unroll 24
    for (__m512i& sum : sums) __asm__ volatile("vpdpbusd %1, %1, %0" : "+v"(sum) : "v"(x));
  }
#pragma GCC unroll 24
  for (__m512i& sum : sums) __asm__ volatile("" ::"v"(sum));
  return 24.0 * 128 * kRounds * 1e-9 / (thread_seconds() - start);
}

/// GB/s of a sum over 24 MiB, the size of a large layer of the 3B model in int8, by four streams.
__attribute__((target("avx512f"))) inline double read_gb_s(const std::vector<std::int64_t>& memory) {
  const double start = thread_seconds();
  const std::size_t quarter = memory.size() / 4;
  __m512i sums[8];
#pragma GCC unroll 8
  for (__m512i& sum : sums) sum = _mm512_setzero_si512();
  for (std::size_t i = 0; i + 16 <= quarter; i += 16)
#pragma GCC unroll 8
    for (std::size_t j = 0; j < 8; ++j)
      sums[j] = _mm512_add_epi64(sums[j], _mm512_loadu_si512(memory.data() + j / 2 * quarter + i + 8 * (j % 2)));
#pragma GCC unroll 8
  for (__m512i& sum : sums) __asm__ volatile("" ::"v"(sum));
  return static_cast<double>(memory.size()) * 8e-9 / (thread_seconds() - start);
}

#endif

#ifdef OCTAVO_AMX

/// GOP/s of AMX: bytes, or bf16.
template <bool bytes>
__attribute__((target("amx-tile,amx-int8,amx-bf16"))) inline double amx_gops() {
  constexpr int kRounds = 400000;
  static const std::int8_t zeros[1024] = {};
  const octavo::gemm::TileConfig config(32);
  _tile_loadd(4, zeros, 64);
  _tile_loadd(5, zeros, 64);
  _tile_loadd(6, zeros, 64);
  _tile_loadd(7, zeros, 64);
  const double start = thread_seconds();
  for (int round = 0; round < kRounds; ++round)
    if (bytes) {
      _tile_dpbssd(0, 4, 6);
      _tile_dpbssd(1, 4, 7);
      _tile_dpbssd(2, 5, 6);
      _tile_dpbssd(3, 5, 7);
    } else {
      _tile_dpbf16ps(0, 4, 6);
      _tile_dpbf16ps(1, 4, 7);
      _tile_dpbf16ps(2, 5, 6);
      _tile_dpbf16ps(3, 5, 7);
    }
  return 4.0 * 512 * (bytes ? 64 : 32) * kRounds * 1e-9 / (thread_seconds() - start);
}

#endif

}  // namespace limits
