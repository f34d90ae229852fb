// The loops behind Kernels, written once over an instruction set S:
//
//   S::Vector                       S::kLanes floats
//   S::kRows, S::kVectors           a tile's rows and vectors: as many sums as the registers hold
//   load, store, broadcast, zero    unaligned
//   add, subtract, multiply
//   multiply_add(a, b, c)           a * b + c; multiply_add_one for single floats
//   larger(x, kept)                 kept where x is not larger or is NaN
//   largest_of(v)                   of all lanes
//   power_of_two(v)                 2^n for the n in the low bits of v + 1.5 * 2^23
//   zero_below(y, x, bound)         0 where x < bound, y elsewhere and where x is NaN
//   widen(from)                     of kLanes bf16, as bits, or of kLanes signed bytes
//   transpose(rows, c, to, scale)   to[(c + i) * kLanes + r] = scale * rows[r][c + i] for i < 4 and all lanes r
//
// Included by one file per instruction set, which is compiled with it: nothing here may be seen outside that file, and
// no inline function of a library may be called, or another file might get the version compiled with it.
#pragma once

#include <cstdint>

#include "kernels.hpp"
#include "octavo/detail/exp.hpp"

namespace octavo::attention_kernels {

namespace {

// One more line into the second cache, which has room while the first is in use.
inline __attribute__((always_inline)) void fetch(Ahead& ahead) {
  if (ahead.next >= ahead.end) return;
  __builtin_prefetch(ahead.next, 0, 2);
  ahead.next += 64;
}

// c[r, n] = (kAdd ? factor[r] * c[r, n] : 0) + sum_k a[r * kARow + k * kAStep] * b[n * b_vector + k * b_step]
// for Rows rows and Vectors vectors.
template <class S, int Rows, int Vectors, int kARow, int kAStep, bool kAdd, bool kFetch = false>
void product(const float* a, const float* b, std::int64_t b_vector, std::int64_t b_step, std::int64_t depth,
             const float* factor, float* c, std::int64_t c_stride, Ahead* ahead = nullptr) {
  typename S::Vector sums[Rows][Vectors];
#pragma GCC unroll 8
  for (int r = 0; r < Rows; ++r)
#pragma GCC unroll 8
    for (int n = 0; n < Vectors; ++n)
      sums[r][n] = kAdd ? S::multiply(S::load(c + r * c_stride + n * S::kLanes), S::broadcast(factor[r])) : S::zero();
  Ahead wanted = kFetch ? *ahead : Ahead{};
  for (std::int64_t k = 0; k < depth; ++k) {
    if constexpr (kFetch)
#pragma GCC unroll 8
      for (int r = 0; r < Rows; ++r) fetch(wanted);
    typename S::Vector x[Vectors];
#pragma GCC unroll 8
    for (int n = 0; n < Vectors; ++n) x[n] = S::load(b + n * b_vector + k * b_step);
#pragma GCC unroll 8
    for (int r = 0; r < Rows; ++r) {
      const typename S::Vector y = S::broadcast(a[r * kARow + k * kAStep]);
#pragma GCC unroll 8
      for (int n = 0; n < Vectors; ++n) sums[r][n] = S::multiply_add(y, x[n], sums[r][n]);
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < Rows; ++r)
#pragma GCC unroll 8
    for (int n = 0; n < Vectors; ++n) S::store(c + r * c_stride + n * S::kLanes, sums[r][n]);
  if constexpr (kFetch) *ahead = wanted;
}

// The tile of `count` rows over `vectors` vectors, some of S::kVectors at a time, as even as can be.
template <class S, int Rows, int kARow, int kAStep, bool kAdd>
void product_rows(std::int64_t count, const float* a, const float* b, std::int64_t b_vector, std::int64_t b_step,
                  std::int64_t depth, std::int64_t vectors, const float* factor, float* c, std::int64_t c_stride) {
  if constexpr (Rows > 1) {
    if (count < Rows)
      return product_rows<S, Rows - 1, kARow, kAStep, kAdd>(count, a, b, b_vector, b_step, depth, vectors, factor, c,
                                                            c_stride);
  }
  static_assert(S::kVectors == 2 || S::kVectors == 3);
  const std::int64_t parts = (vectors + S::kVectors - 1) / S::kVectors;
  for (std::int64_t part = 0; part < parts; ++part) {
    const std::int64_t first = vectors * part / parts;
    const std::int64_t size = vectors * (part + 1) / parts - first;
    const float* from = b + first * b_vector;
    float* to = c + first * S::kLanes;
    if constexpr (S::kVectors == 3)
      if (size == 3) {
        product<S, Rows, 3, kARow, kAStep, kAdd>(a, from, b_vector, b_step, depth, factor, to, c_stride);
        continue;
      }
    if (size == 2)
      product<S, Rows, 2, kARow, kAStep, kAdd>(a, from, b_vector, b_step, depth, factor, to, c_stride);
    else
      product<S, Rows, 1, kARow, kAStep, kAdd>(a, from, b_vector, b_step, depth, factor, to, c_stride);
  }
}

template <class S>
void pack(const float* const* rows, std::int64_t width, float scale, float* packed) {
  std::int64_t c = 0;
  for (; c + 4 <= width; c += 4) S::transpose(rows, c, packed, scale);
  for (; c < width; ++c)
    for (int r = 0; r < S::kLanes; ++r) packed[c * S::kLanes + r] = scale * rows[r][c];
}

template <class S>
void scores(const float* q, std::int64_t count, const float* keys, std::int64_t padded_keys, std::int64_t width,
            float* out) {
  product_rows<S, S::kRows, 1, S::kLanes, false>(count, q, keys, width * S::kLanes, S::kLanes, width,
                                                 padded_keys / S::kLanes, nullptr, out, kKeyBlock);
}

// The scores of S::kLanes rows, side by side in `q`, and of Keys keys: to[j * S::kLanes + r]. Meanwhile the next keys
// come into the first cache, if they are what follows in memory.
template <class S, int Keys>
void scores_of_keys(const float* q, const float* keys, std::int64_t stride, std::int64_t width, float* to,
                    Ahead& ahead) {
  constexpr int kGroup = Keys < 4 ? Keys : 4;  // a pointer for each, so that all have a register
  typename S::Vector sums[Keys];
  const float* at[Keys / kGroup];
#pragma GCC unroll 16
  for (int j = 0; j < Keys; ++j) sums[j] = S::zero();
#pragma GCC unroll 4
  for (int g = 0; g < Keys / kGroup; ++g) at[g] = keys + g * kGroup * stride;
  const float* const next = keys + Keys * stride;
  for (std::int64_t c = 0; c < width; ++c) {
    if constexpr (Keys > 1) {
      __builtin_prefetch(next + c * Keys);
      fetch(ahead);
    }
    const typename S::Vector x = S::load(q + c * S::kLanes);
#pragma GCC unroll 4
    for (int g = 0; g < Keys / kGroup; ++g) {
#pragma GCC unroll 4
      for (int i = 0; i < kGroup; ++i)
        sums[g * kGroup + i] = S::multiply_add(S::broadcast(at[g][i * stride]), x, sums[g * kGroup + i]);
      ++at[g];
    }
  }
#pragma GCC unroll 16
  for (int j = 0; j < Keys; ++j) S::store(to + j * S::kLanes, sums[j]);
}

template <class S>
void scores_in_place(const float* q, std::int64_t count, const float* keys, std::int64_t stride, std::int64_t key_count,
                     std::int64_t width, float* out, Ahead ahead) {
  alignas(64) float by_key[S::kLanes * S::kLanes];
  alignas(64) float by_row[S::kLanes * S::kLanes];
  for (std::int64_t j = 0; key_count < S::kLanes && j < key_count; ++j) {
    scores_of_keys<S, 1>(q, keys + j * stride, stride, width, by_key, ahead);
    for (std::int64_t r = 0; r < count; ++r) out[r * kKeyBlock + j] = by_key[r];
  }
  const float* rows[S::kLanes];
  for (int j = 0; j < S::kLanes; ++j) rows[j] = by_key + j * S::kLanes;
  for (std::int64_t next = 0; key_count >= S::kLanes && next < key_count; next += S::kLanes) {
    const std::int64_t first = key_count - next < S::kLanes ? key_count - S::kLanes : next;  // some once more
    scores_of_keys<S, S::kLanes>(q, keys + first * stride, stride, width, by_key, ahead);
    for (std::int64_t r = 0; r < count; r += 4) S::transpose(rows, r, by_row, 1.0F);
    for (std::int64_t r = 0; r < count; ++r) S::store(out + r * kKeyBlock + first, S::load(by_row + r * S::kLanes));
  }
}

template <class S>
void accumulate(const float* weights, std::int64_t count, std::int64_t keys, const float* values,
                std::int64_t value_stride, std::int64_t padded_width, const float* factor, float* out,
                std::int64_t out_stride) {
  product_rows<S, S::kRows, kKeyBlock, 1, true>(count, weights, values, S::kLanes, value_stride, keys,
                                                padded_width / S::kLanes, factor, out, out_stride);
}

// Three rows at a time of the usual width, whose sums fill the registers that another tile's would: a value is read
// from one end to the other, as processors foresee it, and some values stay in the first cache until all rows have
// them.
template <class S>
void accumulate_streamed(const float* weights, std::int64_t count, std::int64_t keys, const float* values,
                         std::int64_t value_stride, std::int64_t padded_width, const float* factor, float* out,
                         std::int64_t out_stride, Ahead ahead) {
  constexpr std::int64_t kTogether = 64;
  constexpr float kOnes[3] = {1, 1, 1};
  if constexpr (S::kRows * S::kVectors >= 24)
    if (padded_width == 8 * S::kLanes) {
      for (std::int64_t key = 0; key == 0 || key < keys; key += kTogether) {
        const std::int64_t some = keys - key < kTogether ? keys - key : kTogether;
        for (std::int64_t r = 0; r < count; r += 3) {
          const auto add = count - r >= 3   ? product<S, 3, 8, kKeyBlock, 1, true, true>
                           : count - r == 2 ? product<S, 2, 8, kKeyBlock, 1, true, true>
                                            : product<S, 1, 8, kKeyBlock, 1, true, true>;
          add(weights + r * kKeyBlock + key, values + key * value_stride, S::kLanes, value_stride, some,
              key == 0 ? factor + r : kOnes, out + r * out_stride, out_stride, &ahead);
        }
      }
      return;
    }
  accumulate<S>(weights, count, keys, values, value_stride, padded_width, factor, out, out_stride);
}

template <class S>
void softmax(float* all_scores, std::int64_t count, const std::int64_t* visible, std::int64_t padded_keys,
             float* largest, float* sum, float* factor) {
  using Vector = typename S::Vector;
  constexpr int kParts = static_cast<int>(kLanes) / S::kLanes;
  float reference[kMostLanes] = {};
  float change[kMostLanes] = {};
  for (std::int64_t r = 0; r < count; ++r) {
    float* row = all_scores + r * kKeyBlock;
    for (std::int64_t j = visible[r]; j < padded_keys; ++j) row[j] = -__builtin_inff();
    Vector most = S::broadcast(largest[r]);
    for (std::int64_t j = 0; j < padded_keys; j += S::kLanes) most = S::larger(S::load(row + j), most);
    const float now = S::largest_of(most);
    reference[r] = now == -__builtin_inff() ? 0.0F : now;  // nothing seen yet: all weights 0, NaN stays
    change[r] = largest[r] - reference[r];
    largest[r] = now;
  }
  float factors[kMostLanes];
  for (int i = 0; i < static_cast<int>(kMostTileRows); i += S::kLanes)
    S::store(factors + i, detail::exponential<S>(S::load(change + i)));
  for (std::int64_t r = 0; r < count; ++r) {
    float* row = all_scores + r * kKeyBlock;
    const Vector from = S::broadcast(reference[r]);
    Vector partial[kParts];
#pragma GCC unroll 4
    for (int part = 0; part < kParts; ++part) partial[part] = S::zero();
    for (std::int64_t j = 0; j < padded_keys; j += kLanes)
#pragma GCC unroll 4
      for (int part = 0; part < kParts; ++part) {
        const Vector weight = detail::exponential<S>(S::subtract(S::load(row + j + part * S::kLanes), from));
        S::store(row + j + part * S::kLanes, weight);
        partial[part] = S::add(partial[part], weight);
      }
    float lanes[kLanes];
#pragma GCC unroll 4
    for (int part = 0; part < kParts; ++part) S::store(lanes + part * S::kLanes, partial[part]);
    for (int half = static_cast<int>(kLanes) / 2; half > 0; half /= 2)
      for (int i = 0; i < half; ++i) lanes[i] += lanes[i + half];
    factor[r] = factors[r];
    sum[r] = S::multiply_add_one(sum[r], factor[r], lanes[0]);
  }
}

template <class S>
void exponentials(const float* from, std::int64_t count, float* to) {
  std::int64_t i = 0;
  for (; i + S::kLanes <= count; i += S::kLanes) S::store(to + i, detail::exponential<S>(S::load(from + i)));
  if (i == count) return;
  float rest[kMostLanes] = {};
  for (std::int64_t j = i; j < count; ++j) rest[j - i] = from[j];
  S::store(rest, detail::exponential<S>(S::load(rest)));
  for (std::int64_t j = i; j < count; ++j) to[j] = rest[j - i];
}

template <class S>
void widen_bf16(const std::uint16_t* from, std::int64_t count, float* to) {
  std::int64_t i = 0;
  for (; i + S::kLanes <= count; i += S::kLanes) S::store(to + i, S::widen(from + i));
  for (; i < count; ++i) {
    const std::uint32_t bits = static_cast<std::uint32_t>(from[i]) << 16U;
    __builtin_memcpy(to + i, &bits, sizeof bits);
  }
}

template <class S>
void widen_s8(const std::int8_t* from, float scale, std::int64_t count, float* to) {
  const typename S::Vector factor = S::broadcast(scale);
  std::int64_t i = 0;
  for (; i + S::kLanes <= count; i += S::kLanes) S::store(to + i, S::multiply(factor, S::widen(from + i)));
  for (; i < count; ++i) to[i] = scale * static_cast<float>(from[i]);
}

template <class S>
constexpr Kernels table(const char* name) {
  return {name,          S::kLanes,     S::kRows,
          pack<S>,       scores<S>,     scores_in_place<S>,
          softmax<S>,    accumulate<S>, accumulate_streamed<S>,
          widen_bf16<S>, widen_s8<S>,   exponentials<S>};
}

}  // namespace

}  // namespace octavo::attention_kernels
