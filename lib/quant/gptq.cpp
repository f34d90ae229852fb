#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "checks.hpp"
#include "loss.hpp"
#include "octavo/cancel.hpp"
#include "octavo/detail/clones.hpp"
#include "octavo/gemm.hpp"
#include "octavo/parallel.hpp"
#include "octavo/quant.hpp"
#include "prepared.hpp"
#include "scales.hpp"

namespace octavo {
namespace {

/// Rows swept side by side: the innermost loops run over them, so that they vectorise for any block size.
constexpr std::int64_t kLanes = 16;
/// Columns whose differences are kept before one deep product carries them to all columns behind. Blocks in between are
/// updated only up to here: far fewer passes over W than one per block.
constexpr std::int64_t kPanel = 1024;

using Lanes = std::array<float, kLanes>;

/// A block of one tile in place: `carried` is what the columns before have carried to each column of it, `levels` the
/// weights, which become integers; `f` its rows of F, from its first column on.
OCTAVO_CLONES void sweep_lanes(std::size_t count, const float* f, std::int64_t k, const Lanes& scale, Lanes* carried,
                               Lanes* levels, Lanes* differences) {
  for (std::size_t i = 0; i < count; ++i, f += k) {
    for (std::size_t r = 0; r < kLanes; ++r) {
      const float w = levels[i][r];
      levels[i][r] = quant::quantize_value(w + carried[i][r] / f[i], scale[r]);
      differences[i][r] = w - levels[i][r] * scale[r];
    }
    for (std::size_t j = i + 1; j < count; ++j) {
      for (std::size_t r = 0; r < kLanes; ++r) carried[j][r] += differences[i][r] * f[j];
    }
  }
}

/// One layer being swept. Columns are in sweep order; rows never meet, so any split of them gives the same bits.
///
/// The columns before have left the differences d = w - q*scale. With H = F F^T, the remaining objective is least where
/// column j, rounded next, is at w_j + sum_i d_i F[i,j] / F[j,j]: the substitution that GPTQ's inverse factor does in
/// advance (Chen et al. 2025, arXiv:2507.18553: GPTQ is Babai's nearest plane algorithm).
class Sweep {
 public:
  Sweep(const float* w, std::int64_t rows, const PreparedHessian::Impl& hessian, const std::vector<float>& scales)
      : hessian_(hessian),
        rows_(rows),
        k_(hessian.factor.dim(0)),
        f_(hessian.factor.data<float>()),
        scales_(scales),
        storage_(Tensor::empty(DType::f32, {rows, k_})),
        ordered_(storage_.mutable_data<float>()) {
    in_rows([&](std::int64_t row) {
      float* to = ordered_ + row * k_;
      for (std::int64_t i = 0; i < k_; ++i) {
        const std::int64_t column = hessian.order[static_cast<std::size_t>(i)];
        to[i] = hessian.dead[static_cast<std::size_t>(column)] ? 0.0F : w[row * k_ + column];
      }
    });
  }

  /// Into q[rows,K], columns as stored.
  void run(std::int64_t block_size, std::int8_t* q) {
    const std::int64_t panel = std::max<std::int64_t>(1, kPanel / block_size) * block_size;
    carried_storage_ = Tensor::zeros(DType::f32, {rows_, k_});
    differences_storage_ = Tensor::empty(DType::f32, {rows_, std::min(panel, k_)});
    carried_ = carried_storage_.mutable_data<float>();
    differences_ = differences_storage_.mutable_data<float>();
    for (std::int64_t p = 0; p < k_; p += panel) {
      const std::int64_t panel_end = std::min(k_, p + panel);
      kept_columns_ = panel_end - p;
      for (std::int64_t b = p; b < panel_end; b += block_size) {
        check_cancelled();
        const std::int64_t block_end = std::min(panel_end, b + block_size);
        sweep_block(p, b, block_end);
        carry(p, b, block_end, block_end, panel_end);
      }
      carry(p, p, panel_end, panel_end, k_);
    }
    in_rows([&](std::int64_t row) {
      const float* levels = ordered_ + row * k_;
      for (std::int64_t i = 0; i < k_; ++i)
        q[row * k_ + hessian_.order[static_cast<std::size_t>(i)]] = static_cast<std::int8_t>(levels[i]);
    });
  }

 private:
  template <class Body>
  void in_rows(const Body& body) const {
    parallel_for(rows_, 1 + (std::int64_t{1} << 15) / k_, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t row = begin; row < end; ++row) body(row);
    });
  }

  /// carried[:, to:to_end] += D[:, from:from_end] F[from:from_end, to:to_end]
  void carry(std::int64_t panel, std::int64_t from, std::int64_t from_end, std::int64_t to, std::int64_t to_end) {
    if (to == to_end) return;
    sgemm(rows_, to_end - to, from_end - from, differences_ + (from - panel), kept_columns_, f_ + from * k_ + to, k_,
          carried_ + to, k_, {.beta = 1.0F});
  }

  void sweep_block(std::int64_t panel, std::int64_t begin, std::int64_t end) {
    parallel_for((rows_ + kLanes - 1) / kLanes, 1, [&](std::int64_t first, std::int64_t last) {
      std::vector<Lanes> lanes(3 * static_cast<std::size_t>(end - begin));
      for (std::int64_t tile = first; tile < last; ++tile) sweep_tile(tile * kLanes, panel, begin, end - begin, lanes);
    });
  }

  void sweep_tile(std::int64_t row, std::int64_t panel, std::int64_t begin, std::int64_t count,
                  std::vector<Lanes>& lanes) {
    const std::int64_t used = std::min(kLanes, rows_ - row);
    Lanes scale;
    scale.fill(1.0F);
    std::copy_n(scales_.begin() + row, used, scale.begin());
    Lanes* const carried = lanes.data();
    Lanes* const levels = carried + count;
    Lanes* const differences = levels + count;
    std::fill_n(carried, 2 * count, Lanes{});
    for (std::int64_t r = 0; r < used; ++r) {
      const float* from = carried_ + (row + r) * k_ + begin;
      const float* w = ordered_ + (row + r) * k_ + begin;
      const auto lane = static_cast<std::size_t>(r);
      for (std::int64_t i = 0; i < count; ++i) {
        carried[i][lane] = from[i];
        levels[i][lane] = w[i];
      }
    }
    sweep_lanes(static_cast<std::size_t>(count), f_ + begin * k_ + begin, k_, scale, carried, levels, differences);
    for (std::int64_t r = 0; r < used; ++r) {
      float* to = differences_ + (row + r) * kept_columns_ + begin - panel;
      float* w = ordered_ + (row + r) * k_ + begin;
      const auto lane = static_cast<std::size_t>(r);
      for (std::int64_t i = 0; i < count; ++i) {
        to[i] = differences[i][lane];
        w[i] = levels[i][lane];
      }
    }
  }

  const PreparedHessian::Impl& hessian_;
  std::int64_t rows_;
  std::int64_t k_;
  const float* f_;                    // [K, K]
  const std::vector<float>& scales_;  // [rows]
  Tensor storage_;
  float* ordered_;  // [rows, K] W in sweep order, dead columns at 0; behind the sweep its integers
  Tensor carried_storage_, differences_storage_;
  float* carried_ = nullptr;      // [rows, K] sum_i d_i F[i,j]
  float* differences_ = nullptr;  // [rows, kept_columns_] of the panel
  std::int64_t kept_columns_ = 0;
};

void check_agreement(const GptqOptions& options, const PreparedHessian::Impl& hessian, const std::string& who) {
  if (options.method == QuantMethod::rtn) return;
  const char* differing = hessian.options.method != QuantMethod::gptq            ? "method"
                          : options.damp_percent != hessian.options.damp_percent ? "damp_percent"
                          : options.act_order != hessian.options.act_order       ? "act_order"
                                                                                 : nullptr;
  if (differing == nullptr) return;
  throw Error(ErrorCode::invalid_argument, who + ": " + differing + " is not what the Hessian of " + hessian.name +
                                               " was prepared with; prepare one with the same options");
}

}  // namespace

QuantizedLayer quantize_layer(const Tensor& weight, const PreparedHessian& hessian, const GptqOptions& options,
                              std::string_view name) {
  const std::string who = "quantize_layer (" + std::string(name) + ")";
  const PreparedHessian::Impl& prepared = hessian.impl();
  quant::check_options(options, who);
  check_agreement(options, prepared, who);
  const Tensor values = quant::checked_weight(weight, who);
  const std::int64_t n = values.dim(0);
  const std::int64_t k = values.dim(1);
  if (k != prepared.hessian.dim(0)) {
    throw Error(ErrorCode::shape_mismatch,
                who + ": the weight is " + weight.shape().to_string() + ", so K is " + std::to_string(k) +
                    ", but the Hessian of " + prepared.name + " is " + prepared.hessian.shape().to_string(),
                ShapeDetail{"quantize_layer", std::string(name), "weight", 1, "K", prepared.hessian.dim(0), k});
  }
  const float* w = values.data<float>();
  const float* h = prepared.hessian.data<float>();
  const std::vector<float> scales =
      quant::channel_scales(w, n, k, options.observer, options.scale_dtype.value_or(weight.dtype()), who);

  QuantizedLayer layer;
  layer.weight = Tensor::empty(DType::s8, {n, k});
  layer.scales = Tensor::from<float>(scales, {n});
  layer.dead_columns = prepared.dead_columns;
  auto* q = layer.weight.mutable_data<std::int8_t>();

  const quant::LossRows losses(w, n, k, scales, options.loss_channels);
  layer.rtn_loss = losses.of_round_to_nearest(h);
  if (options.method == QuantMethod::rtn || !prepared.factor.defined()) {
    layer.loss = layer.rtn_loss;
    layer.fell_back_to_rtn = options.method != QuantMethod::rtn;
    quant::round_to_nearest(w, n, k, scales, q);
    return layer;
  }
  layer.damp_used = prepared.damp_used;
  Sweep(w, n, prepared, scales).run(options.block_size, q);
  layer.loss = losses.of(q, h);
  return layer;
}

}  // namespace octavo
