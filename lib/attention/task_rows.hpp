// What the ways of computing a task share: its rows, and the keys and values that they read.
#pragma once

#include <algorithm>
#include <cstdint>

#include "kernels/kernels.hpp"
#include "problem.hpp"
#include "schedule.hpp"

namespace octavo::attention_kernels {

// The rows of a task, a head of a query each.
struct Rows {
  const Problem& problem;
  const Task& task;
  std::int64_t group = problem.group();
  std::int64_t count = (task.query_end - task.query_begin) * group;

  // The keys that the row sees, of `length` from `begin` on, but for an explicit mask.
  std::int64_t visible(std::int64_t row, std::int64_t begin, std::int64_t length) const noexcept {
    if (problem.mask->kind() != Mask::Kind::causal) return length;
    return std::clamp<std::int64_t>(problem.mask->past() + query(row) + 1 - begin, 0, length);
  }
  std::int64_t query(std::int64_t row) const noexcept { return task.query_begin + row / group; }
  std::int64_t head(std::int64_t row) const noexcept { return task.kv_head * group + row % group; }
};

// Keys [begin, begin + count) that the row may not see by the explicit mask: their scores become -infinity.
void apply_mask(const Rows& rows, std::int64_t row, std::int64_t begin, std::int64_t count, float* scores,
                bool* hidden);

// Rows [begin, begin + count) as float32, `stride` apart, with zeros behind their columns.
void copy_rows(const Kernels& kernels, const Stored& from, const Task& task, std::int64_t begin, std::int64_t count,
               std::int64_t width, std::int64_t stride, float* to);

bool all_finite(const float* values, std::int64_t rows, std::int64_t stride, std::int64_t width) noexcept;

}  // namespace octavo::attention_kernels
