#include "probe.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <utility>

#include "octavo/metrics.hpp"

namespace octavo::detail {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr std::int64_t kRowsAtOnce = 1024;  // of a tensor, so that an embedding is never widened as a whole

/// ||b - a|| / ||a - x||.
double added_error(const Tensor& x, const Tensor& a, const Tensor& b) {
  const auto from = x.values<float>();
  const auto to = a.values<float>();
  const auto other = b.values<float>();
  double difference = 0;
  double size = 0;
  for (std::size_t i = 0; i < to.size(); ++i) {
    const double d = double{other[i]} - double{to[i]};
    const double added = double{to[i]} - double{from[i]};
    difference += d * d;
    size += added * added;
  }
  if (difference == 0) return 0;
  return std::sqrt(difference / size);
}

/// A block's linears on the inputs that the original's block gives them.
class LinearComparison : public LinearObserver {
 public:
  LinearComparison(const ModelBlock& original, const ModelBlock& quantized)
      : original_(original), quantized_(quantized) {}
  void on_input(const LinearInfo& first, const Tensor& x) override {
    for (const LinearInfo& linear : original_.linears()) {
      if (linear.input_group != first.input_group) continue;
      LinearProbe probe;
      probe.module_path = linear.module_path;
      const Tensor expected = original_.linear(linear.module_path).forward(x);
      try {
        probe.output_error = relative_error(expected, quantized_.linear(linear.module_path).forward(x));
      } catch (const Error&) {
        probe.output_error = kInfinity;
      }
      probes.push_back(std::move(probe));
    }
  }
  std::vector<LinearProbe> probes;

 private:
  const ModelBlock& original_;
  const ModelBlock& quantized_;
};

/// Walks one tower: both models' blocks on the original's rows, and the quantized model's on its own.
class TowerWalk {
 public:
  TowerWalk(const BlockwiseModel& original, const BlockwiseModel& quantized, Tower tower, Probe& probe,
            const std::function<void()>& tick)
      : original_(original), quantized_(quantized), tower_(tower), probe_(probe), tick_(tick) {}

  /// `state` is the original's and moves on; `own` is the quantized model's, undefined once it broke. False where the
  /// original itself broke: nothing behind that block can be told.
  bool run(BlockState& state, BlockState& own) {
    for (std::int64_t i = 0; i < original_.num_blocks(tower_); ++i) {
      tick_();
      if (!advance(i, state, own)) return false;
    }
    return true;
  }

  /// The linears of block `index`, given what enters it.
  std::vector<LinearProbe> linears(std::int64_t index, BlockState state) const {
    const auto a = original_.load_block(tower_, index);
    const auto b = quantized_.load_block(tower_, index);
    LinearComparison comparison(*a, *b);
    a->forward(state, &comparison);
    return std::move(comparison.probes);
  }

 private:
  bool advance(std::int64_t index, BlockState& state, BlockState& own) {
    const auto a = original_.load_block(tower_, index);
    BlockProbe block;
    block.tower = tower_;
    block.module_path = a->module_path();
    const Tensor before = state.hidden.clone();
    BlockState given{state.hidden.clone(), state.context};
    try {
      a->forward(state, nullptr);
    } catch (const Error& error) {
      block.thrown = error.what();
      block.original_finite = false;
      probe_.blocks.push_back(std::move(block));
      return false;
    }
    std::unique_ptr<ModelBlock> b;
    try {
      b = quantized_.load_block(tower_, index);
      b->forward(given, nullptr);
    } catch (const Error& error) {
      block.thrown = error.what();
      block.quantized_finite = false;
    }
    block.local_error = block.quantized_finite ? added_error(before, state.hidden, given.hidden) : kInfinity;
    try {
      if (b && own.hidden.defined()) b->forward(own, nullptr);
    } catch (const Error&) {
      own.hidden = Tensor();  // its rows are no longer finite; the block that made them so was found above
    }
    if (!b) own.hidden = Tensor();
    block.accumulated_error = own.hidden.defined() ? relative_error(state.hidden, own.hidden) : kInfinity;
    probe_.blocks.push_back(std::move(block));
    return true;
  }

  const BlockwiseModel& original_;
  const BlockwiseModel& quantized_;
  Tower tower_;
  Probe& probe_;
  const std::function<void()>& tick_;
};

/// Rows [begin, end) of a stored tensor in float, scaled when it is int8.
Tensor rows_as_float(const Tensor& stored, const Tensor& scale, std::int64_t begin, std::int64_t end) {
  const Tensor part = stored.rank() == 0 ? stored : stored.slice(0, begin, end);
  if (stored.dtype() != DType::s8) return part.to(DType::f32).contiguous();
  Tensor wide = Tensor::empty(DType::f32, part.shape());
  const auto from = part.contiguous().values<std::int8_t>();
  const auto to = wide.mutable_values<float>();
  const Tensor scales = scale.slice(0, begin, end).to(DType::f32).contiguous();
  const auto by = scales.values<float>();
  const std::size_t columns = from.size() / by.size();
  for (std::size_t i = 0; i < from.size(); ++i) to[i] = static_cast<float>(from[i]) * by[i / columns];
  return wide;
}

TensorProbe compare_tensor(const Checkpoint& original, const Checkpoint& quantized, const std::string& name) {
  TensorProbe probe;
  probe.name = name;
  const Tensor a = original.tensor(name);
  const Tensor b = quantized.tensor(name);
  probe.quantized = b.dtype() == DType::s8;
  Tensor scale;
  if (probe.quantized && quantized.find(name + "_scale") != nullptr) scale = quantized.tensor(name + "_scale");
  if (a.shape() != b.shape() || a.rank() == 0 || (probe.quantized && !scale.defined())) {
    probe.relative_error = kInfinity;
    return probe;
  }
  double difference = 0;
  double size = 0;
  double common = 0;
  for (std::int64_t begin = 0; begin < a.dim(0); begin += kRowsAtOnce) {
    const std::int64_t end = std::min(a.dim(0), begin + kRowsAtOnce);
    const Tensor left = rows_as_float(a, {}, begin, end);
    const Tensor right = rows_as_float(b, scale, begin, end);
    const auto x = left.values<float>();
    const auto y = right.values<float>();
    for (std::size_t i = 0; i < x.size(); ++i) {
      if (!std::isfinite(y[i])) {
        ++probe.not_finite;
        continue;
      }
      const double d = double{y[i]} - double{x[i]};
      difference += d * d;
      size += double{x[i]} * double{x[i]};
      common += double{x[i]} * double{y[i]};
    }
  }
  probe.relative_error = probe.not_finite > 0 ? kInfinity
                         : difference == 0    ? 0
                         : size > 0           ? std::sqrt(difference / size)
                                              : kInfinity;
  probe.ratio = size > 0 ? common / size : 1;
  return probe;
}

bool in_a_block(const std::string& name) {
  return name.starts_with("model.layers.") || name.starts_with("visual.blocks.");
}

/// `only_different` leaves equal tensors out.
void compare_tensors(const Checkpoint& original, const Checkpoint& quantized,
                     const std::function<bool(const std::string&)>& wanted, bool only_different, Probe& probe,
                     const std::function<void()>& tick) {
  for (const std::string& name : original.names()) {
    if (!wanted(name) || quantized.find(name) == nullptr) continue;
    tick();
    TensorProbe tensor = compare_tensor(original, quantized, name);
    if (!only_different || tensor.relative_error > 0 || tensor.not_finite > 0)
      probe.tensors.push_back(std::move(tensor));
  }
}

}  // namespace

std::int64_t outstanding_block(const std::vector<BlockProbe>& blocks) {
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    if (!blocks[i].original_finite) return -1;  // nothing behind it can be told from what came in
    if (!blocks[i].quantized_finite) return static_cast<std::int64_t>(i);
  }
  std::int64_t worst = -1;
  double worst_ratio = 0;
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    if (blocks[i].local_error < kBlockBound) continue;
    std::vector<double> others;
    for (std::size_t j = 0; j < blocks.size(); ++j)
      if (j != i && blocks[j].tower == blocks[i].tower) others.push_back(blocks[j].local_error);
    double median = 0;
    if (!others.empty()) {
      const auto middle = others.begin() + static_cast<std::ptrdiff_t>(others.size() / 2);
      std::nth_element(others.begin(), middle, others.end());
      median = *middle;
    }
    const double ratio = median > 0 ? blocks[i].local_error / median : kInfinity;
    const bool beats =
        worst < 0 || ratio > worst_ratio ||
        (ratio == worst_ratio && blocks[i].local_error > blocks[static_cast<std::size_t>(worst)].local_error);
    if (ratio < kStandsOut || !beats) continue;
    worst = static_cast<std::int64_t>(i);
    worst_ratio = ratio;
  }
  return worst;
}

Probe probe_models(const Checkpoint& original, const Checkpoint& quantized, const ModelInput& input,
                   const std::function<void()>& tick) {
  Probe probe;
  const auto a = BlockwiseModel::open(original);
  const auto b = BlockwiseModel::open(quantized);
  BlockState vision = a->begin_vision(input);
  BlockState own_vision = b->begin_vision(input);
  probe.has_pictures = vision.hidden.defined();
  const BlockState vision_start{probe.has_pictures ? vision.hidden.clone() : Tensor(), vision.context};
  Tensor vision_rows;
  if (probe.has_pictures) {
    if (!TowerWalk(*a, *b, Tower::vision, probe, tick).run(vision, own_vision)) return probe;
    vision_rows = a->finish_vision(vision);
    const Tensor own = own_vision.hidden.defined() ? b->finish_vision(own_vision) : Tensor();
    probe.vision_error = own.defined() ? relative_error(vision_rows, own) : kInfinity;
  }
  BlockState language = a->begin_language(input, vision_rows);
  BlockState own_language = b->begin_language(input, vision_rows);
  probe.embedding_error = relative_error(language.hidden, own_language.hidden);
  const BlockState language_start{language.hidden.clone(), language.context};
  if (!TowerWalk(*a, *b, Tower::language, probe, tick).run(language, own_language)) return probe;

  const std::int64_t worst = outstanding_block(probe.blocks);
  if (worst >= 0) {
    const BlockProbe& block = probe.blocks[static_cast<std::size_t>(worst)];
    const bool in_vision = block.tower == Tower::vision;
    const std::int64_t before = in_vision || !probe.has_pictures ? 0 : a->num_blocks(Tower::vision);
    BlockState state = in_vision ? vision_start : language_start;
    state.hidden = state.hidden.clone();
    const std::int64_t index = worst - before;
    for (std::int64_t i = 0; i < index; ++i) {
      tick();
      a->load_block(block.tower, i)->forward(state, nullptr);
    }
    try {
      probe.linears = TowerWalk(*a, *b, block.tower, probe, tick).linears(index, std::move(state));
    } catch (const Error&) {
      probe.linears.clear();  // the tensors below still tell
    }
    const std::string prefix = block.module_path + ".";
    compare_tensors(
        original, quantized, [&](const std::string& name) { return name.starts_with(prefix); }, false, probe, tick);
  }
  compare_tensors(
      original, quantized, [](const std::string& name) { return !in_a_block(name); }, true, probe, tick);
  return probe;
}

}  // namespace octavo::detail
