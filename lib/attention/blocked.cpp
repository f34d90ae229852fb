#include "blocked.hpp"

#include <algorithm>
#include <limits>

namespace octavo::attention_kernels {

namespace {

constexpr float kMinusInfinity = -std::numeric_limits<float>::infinity();

// Panels of kernels.lanes rows of `width` columns; the last row stands for those that the last panel lacks.
template <class RowAt>
void pack_panels(const Kernels& kernels, std::int64_t count, std::int64_t width, float scale, const RowAt& row_at,
                 float* packed) {
  const float* rows[kMostLanes];
  for (std::int64_t first = 0; first < count; first += kernels.lanes) {
    for (std::int64_t i = 0; i < kernels.lanes && first + kernels.lanes + i < count; ++i) {
      const float* next = row_at(first + kernels.lanes + i);
      for (std::int64_t c = 0; c < width; c += 16) __builtin_prefetch(next + c);
    }
    for (std::int64_t i = 0; i < kernels.lanes; ++i) rows[i] = row_at(std::min(first + i, count - 1));
    kernels.pack(rows, width, scale, packed + first * width);
  }
}

// A block of keys and values, ready for the kernels.
struct Block {
  std::int64_t begin, count;
  const float* keys;  // packed; null where scores were made of keys as they lie
  const float* values;
  std::int64_t value_stride;
  bool copied;  // the values are, and so they are near
  Ahead next_keys;
};

// Where rows [begin, begin + count) of keys or values are stored, if they follow each other.
Ahead stored_rows(const Stored& from, const Task& task, std::int64_t begin, std::int64_t count, std::int64_t width) {
  if (from.row_stride != width) return {};
  const auto size = static_cast<std::int64_t>(size_of(from.dtype));
  const std::int64_t row = task.batch * from.batch_stride + task.kv_head * from.head_stride + begin * width;
  const auto* first = reinterpret_cast<const char*>(from.first) + row * size;
  return {first, first + count * width * size};
}

// Tiles of rows against one block.
class Tiles {
 public:
  Tiles(const Rows& rows, const Kernels& kernels, const float* queries, const Sums& sums)
      : rows_(rows), kernels_(kernels), queries_(queries), sums_(sums), width_(padded(rows.problem.width)) {}

  // Of all rows, at most kernels.lanes, by keys as they lie.
  void make_scores(const float* keys, std::int64_t stride, std::int64_t count, const Ahead& ahead) {
    kernels_.scores_in_place(queries_, rows_.count, keys, stride, count, rows_.problem.width, scores_, ahead);
  }

  void run(const Block& block) {
    for (std::int64_t first = 0; first < rows_.count; first += kernels_.rows)
      tile(block, first, std::min(kernels_.rows, rows_.count - first));
  }

 private:
  void tile(const Block& block, std::int64_t first, std::int64_t count) {
    const Problem& problem = rows_.problem;
    std::int64_t visible[kMostTileRows];
    for (std::int64_t r = 0; r < count; ++r) visible[r] = rows_.visible(first + r, block.begin, block.count);
    const std::int64_t most = visible[count - 1];  // later queries see more
    if (most == 0) return;
    float* scores = scores_ + (block.keys == nullptr ? first * kKeyBlock : 0);
    if (block.keys != nullptr)
      kernels_.scores(queries_ + first / kernels_.lanes * kernels_.lanes * problem.width + first % kernels_.lanes,
                      count, block.keys, padded(most), problem.width, scores);
    const bool masked = problem.mask->kind() == Mask::Kind::tensor;
    if (masked)
      for (std::int64_t r = 0; r < count; ++r)
        apply_mask(rows_, first + r, block.begin, block.count, scores + r * kKeyBlock, hidden_ + r * kKeyBlock);
    float factor[kMostTileRows];
    kernels_.softmax(scores, count, visible, padded(most), sums_.largest + first, sums_.sum + first, factor);

    // Values that a row does not see are not even multiplied by 0: they may be NaN.
    float* out = sums_.out + first * width_;
    if (masked && !all_finite(block.values, block.count, block.value_stride, problem.width))
      return add_visible(block, scores, count, factor, out);
    const std::int64_t common = visible[0];
    if (!block.copied && rows_.count <= kernels_.rows)
      kernels_.accumulate_streamed(scores, count, common, block.values, block.value_stride, width_, factor, out, width_,
                                   block.next_keys);
    else
      kernels_.accumulate(scores, count, common, block.values, block.value_stride, width_, factor, out, width_);
    for (std::int64_t r = 0; r < count; ++r)
      if (visible[r] > common) add(block, scores + r * kKeyBlock, common, visible[r], 1.0F, out + r * width_);
  }

  // Adds keys [begin, end) of the block to one row.
  void add(const Block& block, const float* weights, std::int64_t begin, std::int64_t end, float factor, float* out) {
    kernels_.accumulate(weights + begin, 1, end - begin, block.values + begin * block.value_stride, block.value_stride,
                        width_, &factor, out, width_);
  }

  void add_visible(const Block& block, const float* weights, std::int64_t count, const float* factor, float* out) {
    for (std::int64_t r = 0; r < count; ++r) {
      add(block, weights + r * kKeyBlock, 0, 0, factor[r], out + r * width_);
      for (std::int64_t j = 0; j < block.count; ++j)
        if (!hidden_[r * kKeyBlock + j]) add(block, weights + r * kKeyBlock, j, j + 1, 1.0F, out + r * width_);
    }
  }

  const Rows& rows_;
  const Kernels& kernels_;
  const float* queries_;
  Sums sums_;
  std::int64_t width_;
  alignas(64) float scores_[kMostLanes * kKeyBlock];  // then weights
  bool hidden_[kMostTileRows * kKeyBlock];            // by an explicit mask
};

}  // namespace

std::int64_t sums_size(std::int64_t rows, std::int64_t width) noexcept {
  return padded(rows) * padded(width) + padded(2 * rows);  // so that the next ones start on a cache line, too
}

Sums sums_in(float* memory, std::int64_t rows, std::int64_t width) noexcept {
  float* largest = memory + padded(rows) * padded(width);
  return {memory, largest, largest + rows};
}

void clear(const Rows& rows, const Sums& sums) noexcept {
  std::fill_n(sums.out, padded(rows.count) * padded(rows.problem.width), 0.0F);
  std::fill_n(sums.largest, rows.count, kMinusInfinity);
  std::fill_n(sums.sum, rows.count, 0.0F);
}

FloatBlocks::FloatBlocks(const Rows& rows, const Kernels& kernels, const Sums& sums)
    : rows_(rows), kernels_(kernels), sums_(sums) {
  const Problem& problem = rows.problem;
  float* queries = working_memory(Working::queries, padded(rows.count) * problem.width);
  pack_panels(
      kernels, rows.count, problem.width, problem.scale,
      [&](std::int64_t row) { return problem.q.at(rows.task.batch, rows.head(row), rows.query(row)); }, queries);
  queries_ = queries;
}

void FloatBlocks::add(std::int64_t begin, std::int64_t count) const {
  const Problem& problem = rows_.problem;
  const Task& task = rows_.task;
  const std::int64_t width = problem.width;
  const std::int64_t wide = padded(width);
  Tiles tiles(rows_, kernels_, queries_, sums_);
  const bool few = rows_.count <= kernels_.lanes;  // to pack keys takes longer than to multiply them as they lie
  const bool keys_in_place = problem.k.dtype == DType::f32;
  const bool values_in_place = problem.v.dtype == DType::f32 && width == wide && problem.v.row_stride == width;
  float* copied = keys_in_place && values_in_place ? nullptr : working_memory(Working::rows, kKeyBlock * wide);
  if (!keys_in_place) copy_rows(kernels_, problem.k, task, begin, count, width, wide, copied);
  const float* key = keys_in_place ? problem.k.at<float>(task.batch, task.kv_head, begin) : copied;
  const std::int64_t key_stride = keys_in_place ? problem.k.row_stride : wide;
  if (few) tiles.make_scores(key, key_stride, count, stored_rows(problem.v, task, begin, count, width));
  const float* keys = few ? nullptr : packed(key, key_stride, count);
  if (!values_in_place) copy_rows(kernels_, problem.v, task, begin, count, width, wide, copied);
  const float* value = values_in_place ? problem.v.at<float>(task.batch, task.kv_head, begin) : copied;
  const std::int64_t next = begin + count;
  const std::int64_t next_count = std::min(kKeyBlock, task.key_end - next);
  tiles.run({begin, count, keys, value, wide, !values_in_place, stored_rows(problem.k, task, next, next_count, width)});
}

// `count` keys as panels.
const float* FloatBlocks::packed(const float* key, std::int64_t key_stride, std::int64_t count) const {
  const std::int64_t width = rows_.problem.width;
  float* keys = working_memory(Working::keys, kKeyBlock * width);
  pack_panels(
      kernels_, count, width, 1.0F, [&](std::int64_t row) { return key + row * key_stride; }, keys);
  // Panels of fewer than kLanes rows: the kernels read whole ones, whose scores no row sees.
  if (const std::int64_t in_panels = (count + kernels_.lanes - 1) / kernels_.lanes * kernels_.lanes;
      in_panels < padded(count))
    std::fill_n(keys + in_panels * width, (padded(count) - in_panels) * width, 0.0F);
  return keys;
}

void attend(const Problem& problem, const Task& task, const Kernels& kernels, const Sums& sums) {
  const Rows rows{problem, task};
  clear(rows, sums);
  const FloatBlocks blocks(rows, kernels, sums);
  for (std::int64_t begin = task.key_begin; begin < task.key_end; begin += kKeyBlock)
    blocks.add(begin, std::min(kKeyBlock, task.key_end - begin));
}

void finish(const Problem& problem, const Task& task, const Kernels& kernels, float* memory, std::int64_t chunks) {
  const Rows rows{problem, task};
  const std::int64_t width = problem.width;
  const std::int64_t wide = padded(width);
  const std::int64_t size = sums_size(rows.count, width);
  const bool may_see_nothing = problem.mask->kind() == Mask::Kind::tensor || task.key_begin == task.key_end;
  const Sums first = sums_in(memory, rows.count, width);
  for (std::int64_t r = 0; r < rows.count; ++r) {
    float* sum_out = first.out + r * wide;
    // Chunks are added to the first in their order.
    for (std::int64_t chunk = 1; chunk < chunks; ++chunk) {
      const Sums next = sums_in(memory + chunk * size, rows.count, width);
      const float most = std::max(first.largest[r], next.largest[r]);
      const float reference = most == kMinusInfinity ? 0.0F : most;
      const float change[2] = {first.largest[r] - reference, next.largest[r] - reference};
      float factor[2];
      kernels.exponential(change, 2, factor);
      first.largest[r] = most;
      first.sum[r] = factor[0] * first.sum[r] + factor[1] * next.sum[r];
      const float* next_out = next.out + r * wide;
      for (std::int64_t d = 0; d < width; ++d) sum_out[d] = factor[0] * sum_out[d] + factor[1] * next_out[d];
    }
    float* to = problem.out + ((task.batch * problem.q_len + rows.query(r)) * problem.heads + rows.head(r)) * width;
    const float factor = first.sum[r] == 0 && may_see_nothing ? 0.0F : 1.0F / first.sum[r];
    for (std::int64_t d = 0; d < width; ++d) to[d] = factor * sum_out[d];
  }
}

}  // namespace octavo::attention_kernels
