// The inner loops of attention, once per instruction set, on one block of keys at a time; those on float32, and beside
// them those on AMX (amx.hpp).
//
// Every sum has one order, whatever the instruction set and however the rows are divided: a score adds its products
// from the first column to the last, an output element its keys from the first to the last, and a sum of weights is
// made of kLanes partial sums. AVX2 and AVX-512 therefore give the same bits; the portable loops round each product as
// well.
#pragma once

#include <cstdint>

namespace octavo::attention_kernels {

inline constexpr std::int64_t kKeyBlock = 128;  // keys whose scores are held at once
inline constexpr std::int64_t kLanes = 16;      // scores and output rows are padded to a multiple of it

struct AmxKernels;

// Memory that is read after a kernel's own operands: it asks for lines of it while it multiplies, as many as it has
// time for. Processors foresee a stream only a few lines ahead, and none while they work on what is near.
struct Ahead {
  const char* next = nullptr;
  const char* end = nullptr;
};

struct Kernels {
  const char* name;
  std::int64_t lanes;  // rows that stand side by side in a packed panel
  std::int64_t rows;   // the most rows a tile has; divides lanes

  // packed[c * lanes + i] = scale * rows[i][c], for `lanes` rows of `width` columns.
  void (*pack)(const float* const* rows, std::int64_t width, float scale, float* packed);

  // scores[r * kKeyBlock + j] = sum_c q[c * lanes + r] * keys[j / lanes][c * lanes + j % lanes] for `count` rows and
  // the first `padded_keys` keys, a multiple of kLanes; a panel of keys takes width * lanes floats.
  void (*scores)(const float* q, std::int64_t count, const float* keys, std::int64_t padded_keys, std::int64_t width,
                 float* scores);

  // The same of at most `lanes` rows and of `key_count` keys as they lie: scores[r * kKeyBlock + j] =
  // sum_c q[c * lanes + r] * keys[j * stride + c].
  void (*scores_in_place)(const float* q, std::int64_t count, const float* keys, std::int64_t stride,
                          std::int64_t key_count, std::int64_t width, float* scores, Ahead ahead);

  // One step of the online softmax over scores[count, padded_keys]; row r sees its first visible[r] keys. Scores become
  // weights exp(score - largest), 0 where not visible; largest[r] and sum[r] are brought up to date, and factor[r] is
  // what sums made with the former largest are to be multiplied with. A score that is NaN makes its row's sum NaN.
  void (*softmax)(float* scores, std::int64_t count, const std::int64_t* visible, std::int64_t padded_keys,
                  float* largest, float* sum, float* factor);

  // out[r, :] = factor[r] * out[r, :] + sum_j weights[r * kKeyBlock + j] * values[j * value_stride, :] for `count`
  // rows, `keys` keys and `padded_width` columns, a multiple of kLanes.
  void (*accumulate)(const float* weights, std::int64_t count, std::int64_t keys, const float* values,
                     std::int64_t value_stride, std::int64_t padded_width, const float* factor, float* out,
                     std::int64_t out_stride);
  // The same, to the same bits, for values that come from memory and are wanted once.
  void (*accumulate_streamed)(const float* weights, std::int64_t count, std::int64_t keys, const float* values,
                              std::int64_t value_stride, std::int64_t padded_width, const float* factor, float* out,
                              std::int64_t out_stride, Ahead ahead);

  // Numbers as float32: bf16 given by their bits, exactly, and bytes times `scale`.
  void (*widen_bf16)(const std::uint16_t* from, std::int64_t count, float* to);
  void (*widen_s8)(const std::int8_t* from, float scale, std::int64_t count, float* to);

  // to[i] = exp(from[i]) for from <= 0; see exp.hpp.
  void (*exponential)(const float* from, std::int64_t count, float* to);

  // What multiplies many rows faster, where there is something: in float32's precision, and rounded to bf16.
  const AmxKernels* exact = nullptr;
  const AmxKernels* rounded = nullptr;
};

inline constexpr std::int64_t kMostTileRows = 8;
inline constexpr std::int64_t kMostLanes = 16;

// The table of an instruction set; null where it was not compiled for this kind of processor.
const Kernels* portable_kernels() noexcept;
const Kernels* avx2_kernels() noexcept;    // AVX2 and FMA
const Kernels* avx512_kernels() noexcept;  // AVX-512 F, BW, VL and DQ
const Kernels* amx_kernels() noexcept;     // the same, with tiles of bf16 and AVX512-BF16

// The best that this processor and operating system can run.
const Kernels& best_kernels() noexcept;

// What attention uses: the best, or what force_kernels chose. "portable", "avx2", "avx512" or "amx"; "" for the best.
// False, and nothing changed, where it cannot run here. For tests and benchmarks: not while attention runs.
const Kernels& kernels() noexcept;
bool force_kernels(const char* name) noexcept;

}  // namespace octavo::attention_kernels
