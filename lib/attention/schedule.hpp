// How a call is divided into tasks that threads take one after the other.
#pragma once

#include <cstdint>
#include <vector>

#include "problem.hpp"

namespace octavo::attention_kernels {

// Queries [query_begin, query_end) of all heads of one group, against the keys [key_begin, key_end) of their key/value
// head; a causal mask may hide some of those keys, no key outside is seen.
struct Task {
  std::int64_t batch, kv_head, query_begin, query_end, key_begin, key_end;
};

struct Schedule {
  std::vector<Task> tasks;
  // With more than one chunk, every `chunks` tasks that follow each other are the same queries against successive
  // chunks of the keys, and their results are to be combined.
  std::int64_t chunks = 1;
  bool few_rows = false;        // so few per key/value head that reading keys and values takes the time
  std::int64_t most_rows = 0;   // of a task, queries times the heads of a group
  std::int64_t multiplies = 0;  // of all tasks together, about
};

// A row's result is the same however rows are divided, so rows are divided as suits the `threads`, into tasks of up to
// `most_rows`. How keys are divided, and what few rows are, changes the rounding: it depends on the shape alone.
void make_schedule(const Problem& problem, int threads, std::int64_t most_rows, Schedule& schedule);

}  // namespace octavo::attention_kernels
