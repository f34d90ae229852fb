// Attention of one task, a block of keys at a time, with an online softmax: M. Milakov and N. Gimelshein, "Online
// normalizer calculation for softmax" (2018), and T. Dao et al., "FlashAttention" (2022), algorithm 1.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/kernels.hpp"
#include "problem.hpp"
#include "schedule.hpp"
#include "task_rows.hpp"
#include "working_memory.hpp"

namespace octavo::attention_kernels {

// Rows of width `padded_width` that are not divided by their sums yet. A task has queries times group of them, the
// heads of a query side by side.
struct Sums {
  float* out = nullptr;      // [padded(rows), padded_width]: sum_j exp(score_j - largest) v_j
  float* largest = nullptr;  // [rows]
  float* sum = nullptr;      // [rows]: sum_j exp(score_j - largest)
};

inline std::int64_t padded(std::int64_t count) noexcept { return (count + kLanes - 1) / kLanes * kLanes; }
// Floats that `rows` rows of sums take, and where they lie in such memory.
std::int64_t sums_size(std::int64_t rows, std::int64_t width) noexcept;
Sums sums_in(float* memory, std::int64_t rows, std::int64_t width) noexcept;

void clear(const Rows& rows, const Sums& sums) noexcept;

// Adds blocks of keys to the sums of a task's rows, in float32. One lives at a time on a thread.
class FloatBlocks {
 public:
  FloatBlocks(const Rows& rows, const Kernels& kernels, const Sums& sums);
  // Keys [begin, begin + count), at most kKeyBlock.
  void add(std::int64_t begin, std::int64_t count) const;

 private:
  const float* packed(const float* key, std::int64_t key_stride, std::int64_t count) const;

  const Rows& rows_;
  const Kernels& kernels_;
  Sums sums_;
  const float* queries_;  // packed
};

// Computes the sums of a task.
void attend(const Problem& problem, const Task& task, const Kernels& kernels, const Sums& sums);

// Writes the rows of a task to problem.out from the sums of all its chunks, which follow each other in `memory`.
void finish(const Problem& problem, const Task& task, const Kernels& kernels, float* memory, std::int64_t chunks);

}  // namespace octavo::attention_kernels
