#include "ops.hpp"

#include <bit>
#include <cmath>
#include <cstring>
#include <string>

#include "octavo/detail/elementwise.hpp"
#include "octavo/model_contracts.hpp"
#include "octavo/parallel.hpp"

namespace octavo {
namespace {

// Rows below this many elements are not worth a thread.
constexpr std::int64_t kGrainElements = 65536;  // bound by memory: some 20 microseconds

std::int64_t row_grain(std::int64_t width) { return width >= kGrainElements ? 1 : kGrainElements / (width + 1) + 1; }

}  // namespace

Tensor rms_norm(const Tensor& x, const Tensor& weight, double eps, std::string_view module_path, DType stored) {
  // Blocks are fed by callers of BlockwiseModel, and each begins with a norm.
  Binder binder(kRmsNormContract, module_path);
  binder.arg("x", x).weight("w", stored, weight.shape(), !weight.is_meta()).check();
  Tensor y = binder.output("y", DType::f32, x.shape());
  if (y.is_meta()) {
    binder.done({{"y", y}});
    return y;
  }
  const std::int64_t rows = x.dim(0);
  const std::int64_t width = x.dim(1);
  const Tensor packed = x.contiguous();
  const float* in = packed.data<float>();
  const float* scale = weight.data<float>();
  float* out = y.mutable_data<float>();
  parallel_for(rows, row_grain(width), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; ++r) {
      const float* row = in + r * width;
      const float mean = detail::sum_of_squares(row, width) / static_cast<float>(width);
      // Every row of the residual stream comes by here, and NaN and infinity among its values show in the sum: of an
      // infinite one, the norm would be zeros.
      if (!std::isfinite(mean))
        throw Error(ErrorCode::not_finite, std::string(module_path) + ": row " + std::to_string(r) +
                                               " of its input holds NaN or infinity, or its squares overflow");
      const float inverse = 1.0F / std::sqrt(mean + static_cast<float>(eps));
      detail::scale(row, inverse, scale, width, out + r * width);
    }
  });
  binder.done({{"y", y}});
  return y;
}

void add_in_place(Tensor& x, const Tensor& y, std::string_view module_path) {
  if (!x.is_meta()) {
    if (x.shape() != y.shape()) Binder(kResidualContract, module_path).arg("x", x).arg("y", y).check();
    float* out = x.mutable_data<float>();
    const float* in = y.data<float>();
    parallel_for(x.numel(), kGrainElements,
                 [&](std::int64_t begin, std::int64_t end) { detail::add(out + begin, in + begin, end - begin); });
  }
  report_operation(kResidualContract, module_path, [&](Binder& binder) {
    binder.arg("x", x).arg("y", y).done({{"sum", x}});
  });
}

void silu_multiply(Tensor& gate, const Tensor& up, std::string_view module_path) {
  if (!gate.is_meta()) {
    if (gate.shape() != up.shape()) Binder(kSwigluContract, module_path).arg("gate", gate).arg("up", up).check();
    float* g = gate.mutable_data<float>();
    const float* u = up.data<float>();
    parallel_for(gate.numel(), kGrainElements / 2, [&](std::int64_t begin, std::int64_t end) {
      detail::silu_multiply(g + begin, u + begin, end - begin);
    });
  }
  report_operation(kSwigluContract, module_path, [&](Binder& binder) {
    binder.arg("gate", gate).arg("up", up).done({{"y", gate}});
  });
}

void gelu_in_place(Tensor& x, std::string_view module_path) {
  if (!x.is_meta()) {
    float* v = x.mutable_data<float>();
    parallel_for(x.numel(), kGrainElements / 2,
                 [&](std::int64_t begin, std::int64_t end) { detail::gelu(v + begin, end - begin); });
  }
  report_operation(kGeluContract, module_path, [&](Binder& binder) { binder.arg("x", x).done({{"y", x}}); });
}

Tensor split_heads(const Tensor& x, std::int64_t heads, std::int64_t width, const char* origin,
                   std::string_view module_path) {
  return view_operation(kSplitHeadsContract, module_path, x, Shape{x.dim(0), heads, width}, [&](Binder& binder) {
    binder.dim("heads", heads, origin).dim("D", width, "head_dim").arg("x", x);
  });
}

Tensor join_heads(const Tensor& x, std::string_view module_path) {
  const Tensor rows = x.permute({0, 2, 1, 3}).contiguous();  // [B,L,heads,D]
  return view_operation(kJoinHeadsContract, module_path, rows,
                        Shape{rows.dim(0) * rows.dim(1), rows.dim(2) * rows.dim(3)},
                        [&](Binder& binder) { binder.arg("x", x); });
}

namespace model {

Tensor gather_groups(const Tensor& x, const Tensor& order, std::int64_t group) {
  const std::int64_t count = order.dim(0);
  const std::int64_t width = x.dim(1) * group;
  Tensor y = Tensor::empty_like(x, DType::f32, Shape{count * group, x.dim(1)});
  if (y.is_meta()) return y;
  const float* in = x.data<float>();
  const std::int64_t* from = order.data<std::int64_t>();
  float* out = y.mutable_data<float>();
  parallel_for(count, row_grain(width), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i)
      std::memcpy(out + i * width, in + from[i] * width, static_cast<std::size_t>(width) * sizeof(float));
  });
  return y;
}

void read_row(const Tensor& table, std::int64_t index, float* out) {
  const std::int64_t width = table.dim(1);
  switch (table.dtype()) {
    case DType::f32:
      std::memcpy(out, table.data<float>() + index * width, static_cast<std::size_t>(width) * sizeof(float));
      return;
    case DType::bf16: {
      const BFloat16* row = table.data<BFloat16>() + index * width;
      for (std::int64_t i = 0; i < width; ++i)  // as to_float, which is a call for every number
        out[i] = std::bit_cast<float>(static_cast<std::uint32_t>(row[i].bits) << 16U);
      return;
    }
    case DType::f16: {
      const Float16* row = table.data<Float16>() + index * width;
      for (std::int64_t i = 0; i < width; ++i) out[i] = to_float(row[i]);
      return;
    }
    default:
      throw Error(ErrorCode::internal,
                  std::string("read_row: a table of ") + dtype_name(table.dtype()) + " was let in");
  }
}

void scale_logits(Tensor& logits, const LanguageScales& scales) {
  if (!logits.is_meta()) {
    float* values = logits.mutable_data<float>();
    const auto factor = static_cast<float>(scales.logits);
    const auto cap = static_cast<float>(scales.logit_cap);
    parallel_for(logits.numel(), kGrainElements / 16, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) {
        values[i] *= factor;
        if (cap != 0 && std::isfinite(values[i])) values[i] = cap * std::tanh(values[i] / cap);  // infinity shows
      }
    });
  }
  report_operation(kScaleLogitsContract, "lm_head", [&](Binder& binder) {
    binder.arg("x", logits).done({{"y", logits}});
  });
}

}  // namespace model
}  // namespace octavo
