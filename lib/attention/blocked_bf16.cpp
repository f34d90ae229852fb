#include "blocked_bf16.hpp"

#include <algorithm>
#include <limits>

#include "task_rows.hpp"

namespace octavo::attention_kernels {

namespace {

std::int64_t round_up(std::int64_t count, std::int64_t step) noexcept { return (count + step - 1) / step * step; }

std::uint16_t* halves(Floats& memory, std::int64_t count) {
  return reinterpret_cast<std::uint16_t*>(memory.reserve(static_cast<std::size_t>((count + 1) / 2)));
}

struct Workspace {
  Floats queries, keys, values;  // bf16, packed
  Floats rows;                   // of a block, f32, padded
};

Workspace& workspace() {
  thread_local Workspace own;
  return own;
}

struct Block {
  std::int64_t begin, count;
  const std::uint16_t* keys;
  const std::uint16_t* values;
  const float* value_rows;
  std::int64_t value_stride;
  bool finite;  // all values, where a row may not see some
};

class Tiles {
 public:
  Tiles(const Rows& rows, const Kernels& kernels, const Bf16Kernels& bf16, const std::uint16_t* queries,
        const Sums& sums)
      : rows_(rows),
        kernels_(kernels),
        bf16_(bf16),
        queries_(queries),
        sums_(sums),
        depth_(round_up(rows.problem.width, kBf16Depth)),
        width_(padded(rows.problem.width)) {}

  void run(const Block& block) {
    for (std::int64_t first = 0; first < rows_.count; first += kBf16Rows)
      tile(block, first, std::min(kBf16Rows, rows_.count - first));
  }

 private:
  void tile(const Block& block, std::int64_t first, std::int64_t count) {
    std::int64_t visible[kBf16Rows];
    for (std::int64_t r = 0; r < count; ++r) visible[r] = rows_.visible(first + r, block.begin, block.count);
    const std::int64_t most = visible[count - 1];
    if (most == 0) return;
    const std::int64_t keys = round_up(most, kBf16Depth);
    bf16_.scores(queries_ + first * depth_, count, block.keys, keys, depth_, scores_);
    const bool masked = rows_.problem.mask->kind() == Mask::Kind::tensor;
    if (masked)
      for (std::int64_t r = 0; r < count; ++r)
        apply_mask(rows_, first + r, block.begin, block.count, scores_ + r * kKeyBlock, hidden_ + r * kKeyBlock);
    float factor[kBf16Rows];
    for (std::int64_t r = 0; r < count; r += kMostTileRows)
      kernels_.softmax(scores_ + r * kKeyBlock, std::min(kMostTileRows, count - r), visible + r, keys,
                       sums_.largest + first + r, sums_.sum + first + r, factor + r);
    float* out = sums_.out + first * width_;
    for (std::int64_t r = 0; r < count; ++r)
      if (factor[r] != 1) kernels_.accumulate(scores_, 1, 0, nullptr, 0, width_, factor + r, out + r * width_, width_);
    if (!block.finite) return add_visible(block, count, visible, masked, out);
    for (std::int64_t r = 0; r < count; ++r) bf16_.round(scores_ + r * kKeyBlock, keys, 1.0F, weights_ + r * kKeyBlock);
    bf16_.accumulate(weights_, count, keys, block.values, round_up(block.count, kBf16Depth), width_, out);
  }

  // Values that a row does not see are not even multiplied by 0: they may be NaN.
  void add_visible(const Block& block, std::int64_t count, const std::int64_t* visible, bool masked, float* out) {
    const float unchanged = 1;
    for (std::int64_t r = 0; r < count; ++r)
      for (std::int64_t j = 0; j < visible[r]; ++j)
        if (!masked || !hidden_[r * kKeyBlock + j])
          kernels_.accumulate(scores_ + r * kKeyBlock + j, 1, 1, block.value_rows + j * block.value_stride,
                              block.value_stride, width_, &unchanged, out + r * width_, width_);
  }

  const Rows& rows_;
  const Kernels& kernels_;
  const Bf16Kernels& bf16_;
  const std::uint16_t* queries_;
  Sums sums_;
  std::int64_t depth_, width_;
  alignas(64) float scores_[kBf16Rows * kKeyBlock];                // then weights
  alignas(64) std::uint16_t weights_[kBf16Rows * kKeyBlock] = {};  // rounded
  bool hidden_[kBf16Rows * kKeyBlock];
};

// The thread's tiles while one lives.
class TileState {
 public:
  explicit TileState(const Bf16Kernels& bf16) : bf16_(bf16) { bf16_.start(); }
  ~TileState() { bf16_.stop(); }
  TileState(const TileState&) = delete;
  TileState& operator=(const TileState&) = delete;

 private:
  const Bf16Kernels& bf16_;
};

}  // namespace

void attend_bf16(const Problem& problem, const Task& task, const Kernels& kernels, const Bf16Kernels& bf16,
                 const Sums& sums) {
  const Rows rows{problem, task};
  const std::int64_t width = problem.width;
  const std::int64_t depth = round_up(width, kBf16Depth);
  const std::int64_t padded_rows = padded(rows.count);
  std::fill_n(sums.out, padded_rows * padded(width), 0.0F);
  std::fill_n(sums.largest, rows.count, -std::numeric_limits<float>::infinity());
  std::fill_n(sums.sum, rows.count, 0.0F);

  Workspace& own = workspace();
  std::uint16_t* queries = halves(own.queries, padded_rows * depth);
  std::uint16_t* keys = halves(own.keys, kKeyBlock * depth);
  std::uint16_t* values = halves(own.values, kKeyBlock * padded(width));
  float* copied = own.rows.reserve(static_cast<std::size_t>(kKeyBlock * depth));
  std::fill_n(queries, padded_rows * depth, std::uint16_t{0});
  for (std::int64_t r = 0; r < rows.count; ++r)
    bf16.round(problem.q.at(task.batch, rows.head(r), rows.query(r)), width, problem.scale, queries + r * depth);

  const TileState state(bf16);
  Tiles tiles(rows, kernels, bf16, queries, sums);
  const bool masked = problem.mask->kind() == Mask::Kind::tensor;
  for (std::int64_t begin = task.key_begin; begin < task.key_end; begin += kKeyBlock) {
    const std::int64_t count = std::min(kKeyBlock, task.key_end - begin);
    const std::int64_t whole = round_up(count, kBf16Depth);
    std::fill(copied + count * depth, copied + whole * depth, 0.0F);
    copy_rows(kernels, problem.k, task, begin, count, width, depth, copied);
    bf16.pack_keys(copied, depth, whole, depth, keys);
    copy_rows(kernels, problem.v, task, begin, count, width, depth, copied);
    bf16.pack_values(copied, depth, whole, padded(width), values);
    const bool partly_seen = masked || rows.visible(0, begin, count) < count;
    tiles.run({begin, count, keys, values, copied, depth, !partly_seen || all_finite(copied, count, depth, width)});
  }
}

}  // namespace octavo::attention_kernels
