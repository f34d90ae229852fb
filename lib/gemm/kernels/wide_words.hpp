// The part of a Step (word_tiles.hpp) that multiplies int8 where there is no VNNI, for the registers of the file that
// includes this. The product of bytes saturates, so both sides are widened to int16, and every sum of two products is
// exact (2 * 128 * 128 < 2^31). Rows come widened, weights are widened in registers. Before that, it defines
// OCTAVO_TARGET; its Registers has
//   Vector, kColumns         a register, and how many int32 it holds
//   zero(), load(words), store(words, v), plus(a, b)
//   even(bytes), odd(bytes)  the bytes 0 and 2 of each word as int16, and 1 and 3
#pragma once

#include "word_tiles.hpp"

#ifdef OCTAVO_X86
namespace octavo::gemm {

namespace {

template <class Registers>
struct WideWords {
  using Sum = typename Registers::Vector;
  struct Weights {  // values 0 and 2 along K of kColumns columns, and 1 and 3, as int16
    Sum even, odd;
  };
  using Word = const std::byte*;  // 0 and 2, then 1 and 3, as int16: interleave_wide_rows
  static constexpr std::int64_t kColumns = Registers::kColumns, kWordBytes = 8, kTileRows = 12;
  static constexpr int apart(int /*rows*/) { return 1; }
  OCTAVO_TARGET static Sum zero() { return Registers::zero(); }
  OCTAVO_TARGET static Sum load(const std::byte* words) { return Registers::load(words); }
  OCTAVO_TARGET static void store(std::byte* words, Sum sum) { Registers::store(words, sum); }
  OCTAVO_TARGET static Sum plus(Sum a, Sum b) { return Registers::plus(a, b); }
  OCTAVO_TARGET static Weights weights(const std::byte* words) {
    const Sum bytes = load(words);
    return {Registers::even(bytes), Registers::odd(bytes)};
  }
  static Word word(const std::byte* bytes) { return bytes; }
  // Not intrinsics: compilers load the words of all rows first, and keep the sums in memory then.
  OCTAVO_TARGET static void add(Sum& sum, Word x, const Weights& w) {
    Sum even, odd;
    __asm__(
        "vpbroadcastd %[x_even], %[even]\n\t"
        "vpbroadcastd %[x_odd], %[odd]\n\t"
        "vpmaddwd %[even], %[w_even], %[even]\n\t"
        "vpmaddwd %[odd], %[w_odd], %[odd]\n\t"
        "vpaddd %[even], %[sum], %[sum]\n\t"
        "vpaddd %[odd], %[sum], %[sum]"
        : [sum] "+v"(sum), [even] "=&v"(even), [odd] "=&v"(odd)
        : [w_even] "v"(w.even), [w_odd] "v"(w.odd), [x_even] "m"(*reinterpret_cast<const char(*)[4]>(x)),
          [x_odd] "m"(*reinterpret_cast<const char(*)[4]>(x + 4)));
  }
};

}  // namespace

}  // namespace octavo::gemm
#endif
