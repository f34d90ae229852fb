#include "schedule.hpp"

#include <algorithm>

#include "kernels/kernels.hpp"

namespace octavo::attention_kernels {

namespace {

constexpr std::int64_t kLeastRows = 32;  // packing a block of keys costs as much as about eight rows do with it

// Where so few rows meet so many keys (decode), keys are divided, else a thread per key/value head is all there is.
// Always with up to eight queries: each of them has the bits that it has alone.
constexpr std::int64_t kFewRows = 64, kFewQueries = 8, kChunk = 4 * kKeyBlock;

}  // namespace

void make_schedule(const Problem& problem, int threads, std::int64_t most_rows, Schedule& schedule) {
  schedule.tasks.clear();
  schedule.chunks = 1;
  schedule.most_rows = 0;
  schedule.multiplies = 0;
  const Mask& mask = *problem.mask;
  const std::int64_t group = problem.group();
  const bool causal = mask.kind() == Mask::Kind::causal;
  const bool segments = mask.kind() == Mask::Kind::segments;
  schedule.few_rows = !segments && (problem.q_len * group <= kFewRows || problem.q_len <= kFewQueries);
  if (schedule.few_rows) schedule.chunks = std::max<std::int64_t>(1, (problem.kv_len + kChunk - 1) / kChunk);

  const std::int64_t all_rows = problem.batches * problem.heads * problem.q_len;
  const std::int64_t rows = std::clamp(all_rows / (4 * threads), kLeastRows, most_rows);
  const std::int64_t step = schedule.chunks > 1 ? problem.q_len : std::max<std::int64_t>(1, rows / group);

  const auto add = [&](const Task& task) {
    if (task.query_begin == task.query_end) return;
    const std::int64_t task_rows = (task.query_end - task.query_begin) * group;
    schedule.tasks.push_back(task);
    schedule.most_rows = std::max(schedule.most_rows, task_rows);
    schedule.multiplies += 2 * task_rows * (task.key_end - task.key_begin) * problem.width;
  };
  // The queries that see most come first, so that the last tasks are short.
  const auto divide = [&](std::int64_t batch, std::int64_t kv_head, std::int64_t query_begin, std::int64_t query_end,
                          std::int64_t key_begin, std::int64_t key_end) {
    for (std::int64_t end = query_end; end > query_begin; end -= std::min(step, end - query_begin)) {
      const std::int64_t begin = std::max(query_begin, end - step);
      add({batch, kv_head, begin, end, key_begin, causal ? std::min(key_end, mask.past() + end) : key_end});
    }
  };
  for (std::int64_t batch = 0; batch < problem.batches; ++batch) {
    if (segments) {  // the heads of a segment one after the other: their rows share pages of memory
      const auto bounds = mask.cu_seqlens();
      for (std::size_t s = 1; s < bounds.size(); ++s)
        for (std::int64_t kv_head = 0; kv_head < problem.kv_heads; ++kv_head)
          divide(batch, kv_head, bounds[s - 1], bounds[s], bounds[s - 1], bounds[s]);
      continue;
    }
    for (std::int64_t kv_head = 0; kv_head < problem.kv_heads; ++kv_head) {
      if (schedule.chunks == 1) divide(batch, kv_head, 0, problem.q_len, 0, problem.kv_len);
      for (std::int64_t begin = 0; schedule.chunks > 1 && begin < problem.kv_len; begin += kChunk)
        add({batch, kv_head, 0, problem.q_len, begin, std::min(problem.kv_len, begin + kChunk)});
    }
  }
}

}  // namespace octavo::attention_kernels
