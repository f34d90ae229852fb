// The inside of a Linear: linear.cpp makes it, linear_forward.cpp runs it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "backend.hpp"
#include "lazy_packed.hpp"
#include "lazy_panels.hpp"
#include "octavo/gemm.hpp"

namespace octavo {

// A weight as it is stored, which is what forward binds and tells.
struct Stored {
  DType dtype = DType::f32;
  Shape shape;
};

struct Linear::Impl {
  std::string module_path;
  LinearKind kind = LinearKind::floating;
  std::int64_t in_features = 0, out_features = 0;
  Tensor weight;                             // as stored; undefined where it is packed
  std::unique_ptr<gemm::LazyPacked> lazy;    // w8a8
  std::unique_ptr<gemm::LazyPanels> panels;  // of a weight in bf16 that is mapped
  std::vector<float> weight_scale, bias;     // bias empty when there is none
  TokenScale mode = TokenScale::absmax_127;  // w8a8
  FloatMath math = FloatMath::f32;           // of the other two
  Stored stored_weight;
  std::optional<Stored> stored_scale, stored_bias;
  bool has_data = true;

  const gemm::PackedS8* packed() const { return lazy ? &lazy->get() : nullptr; }
  gemm::Results results(gemm::Ending ending, float* y) const {
    return {weight_scale.data(), bias.empty() ? nullptr : bias.data(), ending, y, out_features, y, out_features};
  }
  std::uint64_t workspace_bytes(std::int64_t rows) const {
    if (kind != LinearKind::w8a8) return 0;
    const auto m = static_cast<std::uint64_t>(rows);
    const auto k = static_cast<std::uint64_t>(in_features);
    const auto n = static_cast<std::uint64_t>(out_features);
    return m * k + m * sizeof(float) + m * n * sizeof(std::int32_t);  // int8 rows, their scales, int32 sums
  }
};

}  // namespace octavo
