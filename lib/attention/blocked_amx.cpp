#include "blocked_amx.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <span>

namespace octavo::attention_kernels {

namespace {

std::int64_t round_up(std::int64_t count, std::int64_t step) noexcept { return (count + step - 1) / step * step; }

std::uint16_t* halves(Working purpose, std::int64_t count) { return working_memory<std::uint16_t>(purpose, count); }

// The thread's tiles while one lives.
class TileState {
 public:
  explicit TileState(const AmxKernels& amx) : amx_(amx) { amx_.start(); }
  ~TileState() { amx_.stop(); }
  TileState(const TileState&) = delete;
  TileState& operator=(const TileState&) = delete;

 private:
  const AmxKernels& amx_;
};

// Keys and values [begin, begin + count), packed.
struct Block {
  std::int64_t begin, count;
  const std::uint16_t* keys;
  const std::uint16_t* values;
};

// Blocks that are packed before rows meet them, so that a tile's rows and sums stay in the first cache for all of them;
// the blocks stay in the second.
constexpr std::int64_t together(int parts) { return parts == 1 ? 8 : 4; }
constexpr std::int64_t kMostTogether = 8;

// A task's rows, tile by tile, against packed blocks.
class Tiles {
 public:
  Tiles(const Rows& rows, const AmxKernels& amx, const Sums& sums)
      : rows_(rows),
        amx_(amx),
        sums_(sums),
        depth_(round_up(rows.problem.width, kAmxDepth)),
        width_(padded(rows.problem.width)),
        tile_size_(amx.parts * kAmxRows * depth_) {
    const std::int64_t tiles = (rows.count + kAmxRows - 1) / kAmxRows;
    queries_ = halves(Working::amx_queries, tiles * tile_size_);
    std::fill_n(queries_ + (tiles - 1) * tile_size_, tile_size_, std::uint16_t{0});  // rows that the last one lacks
    const Problem& problem = rows.problem;
    for (std::int64_t r = 0; r < rows.count; ++r)
      amx.pack_query(problem.q.at(rows.task.batch, rows.head(r), rows.query(r)), problem.width, problem.scale,
                     r % kAmxRows, queries_ + r / kAmxRows * tile_size_);
    weights_ = halves(Working::amx_weights, amx.parts * kAmxRows * kKeyBlock);
    std::fill_n(weights_, amx.parts * kAmxRows * kKeyBlock, std::uint16_t{0});
  }

  void run(std::span<const Block> blocks) {
    for (std::int64_t first = 0; first < rows_.count; first += kAmxRows)
      for (const Block& block : blocks) tile(block, first, std::min(kAmxRows, rows_.count - first));
  }

 private:
  void tile(const Block& block, std::int64_t first, std::int64_t count) {
    std::int64_t visible[kAmxRows];
    for (std::int64_t r = 0; r < count; ++r) visible[r] = rows_.visible(first + r, block.begin, block.count);
    const std::int64_t most = visible[count - 1];  // later queries see more
    if (most == 0) return;
    const std::int64_t padded_keys = round_up(most, kAmxDepth);
    amx_.scores(queries_ + first / kAmxRows * tile_size_, count, block.keys, padded_keys, depth_, scores_);
    if (rows_.problem.mask->kind() == Mask::Kind::tensor)
      for (std::int64_t r = 0; r < count; ++r)
        apply_mask(rows_, first + r, block.begin, block.count, scores_ + r * kKeyBlock, hidden_);
    float factor[kAmxRows];
    amx_.softmax(scores_, count, visible, padded_keys, sums_.largest + first, sums_.sum + first, factor, weights_);
    amx_.accumulate(weights_, count, padded_keys, block.values, round_up(block.count, kAmxDepth), width_, factor,
                    sums_.out + first * width_);
  }

  const Rows& rows_;
  const AmxKernels& amx_;
  Sums sums_;
  std::int64_t depth_, width_, tile_size_;
  std::uint16_t* queries_;
  std::uint16_t* weights_;
  alignas(64) float scores_[kAmxRows * kKeyBlock];
  bool hidden_[kKeyBlock];
};

// Rows [begin, begin + count) of keys or values as float32, where they lie or copied.
struct FloatRows {
  const float* first;
  std::int64_t stride;

  FloatRows(const Kernels& kernels, const Stored& from, const Rows& rows, std::int64_t begin, std::int64_t count) {
    const std::int64_t width = rows.problem.width;
    if (from.dtype == DType::f32) {
      first = from.at<float>(rows.task.batch, rows.task.kv_head, begin);
      stride = from.row_stride;
      return;
    }
    float* copied = working_memory(Working::amx_rows, kKeyBlock * width);
    copy_rows(kernels, from, rows.task, begin, count, width, width, copied);
    first = copied;
    stride = width;
  }
};

}  // namespace

void attend_amx(const Problem& problem, const Task& task, const Kernels& kernels, const AmxKernels& amx,
                const Sums& sums) {
  const Rows rows{problem, task};
  clear(rows, sums);
  const std::int64_t most = together(amx.parts);
  const std::int64_t key_size = amx.parts * kKeyBlock * round_up(problem.width, kAmxDepth);
  const std::int64_t value_size = amx.parts * kKeyBlock * padded(problem.width);
  std::uint16_t* keys = halves(Working::amx_keys, most * key_size);
  std::uint16_t* values = halves(Working::amx_values, most * value_size);
  const TileState state(amx);
  Tiles tiles(rows, amx, sums);
  std::optional<FloatBlocks> exact;
  std::array<Block, kMostTogether> packed{};
  std::int64_t packed_count = 0;
  const auto run_packed = [&] {
    tiles.run({packed.data(), static_cast<std::size_t>(packed_count)});
    packed_count = 0;
  };
  // Blocks are whole, though a causal mask may hide the last keys from the task: whether all are finite, and so a row's
  // bits, must not depend on how rows are divided.
  const bool causal = problem.mask->kind() == Mask::Kind::causal;
  const std::int64_t key_end = causal ? problem.kv_len : task.key_end;
  for (std::int64_t begin = task.key_begin; begin < task.key_end; begin += kKeyBlock) {
    const std::int64_t count = std::min(kKeyBlock, key_end - begin);
    std::uint16_t* block_keys = keys + packed_count * key_size;
    std::uint16_t* block_values = values + packed_count * value_size;
    const FloatRows key(kernels, problem.k, rows, begin, count);
    bool finite = amx.pack_keys(key.first, key.stride, count, problem.width, block_keys);
    if (finite) {
      const FloatRows value(kernels, problem.v, rows, begin, count);
      finite = amx.pack_values(value.first, value.stride, count, problem.width, block_values);
    }
    if (finite) {
      packed[static_cast<std::size_t>(packed_count++)] = {begin, count, block_keys, block_values};
      if (packed_count == most) run_packed();
    } else {
      run_packed();  // blocks are added in their order
      if (!exact) exact.emplace(rows, kernels, sums);
      exact->add(begin, count);
    }
  }
  run_packed();
}

}  // namespace octavo::attention_kernels
