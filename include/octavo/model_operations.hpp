/// @file
/// Operations that models share, beside products (gemm.hpp) and attention (attention.hpp): norms, activations, the
/// residual stream, heads. float32, contiguous; they run on the calling thread's pool, and may be called from any
/// thread. Over tensors without data they check, tell and compute nothing, so that a plan hears of them.
///
///     Tensor normed = rms_norm(hidden, weight, 1e-6, "model.layers.0.input_layernorm");
///
/// `module_path` is what traces and errors show. Contracts: model_contracts.hpp.
#pragma once

#include <cstdint>
#include <string_view>

#include "octavo/tensor.hpp"

namespace octavo {

/// y[r] = x[r] / sqrt(mean(x[r]^2) + eps) * weight; x[M,K], weight[K] f32, told as `stored`. Zhang & Sennrich 2019,
/// eq. (4).
/// @throws Error  shape_mismatch, dtype_mismatch; not_finite naming the row that holds NaN or infinity.
Tensor rms_norm(const Tensor& x, const Tensor& weight, double eps, std::string_view module_path,
                DType stored = DType::f32);

/// x += y, both [M,H]: the residual stream. @throws Error  shape_mismatch
void add_in_place(Tensor& x, const Tensor& y, std::string_view module_path);

/// gate = silu(gate) * up, both [M,I]. Shazeer 2020 (SwiGLU). @throws Error  shape_mismatch
void silu_multiply(Tensor& gate, const Tensor& up, std::string_view module_path);

/// The exact form: 0.5 x (1 + erf(x / sqrt 2)); x[M,I].
void gelu_in_place(Tensor& x, std::string_view module_path);

/// x[L,heads*D] as [L,heads,D], a view; `origin` names the config's field behind heads.
/// @throws Error  invalid_argument, or shape_mismatch where somebody observes: heads * width is another width.
Tensor split_heads(const Tensor& x, std::int64_t heads, std::int64_t width, const char* origin,
                   std::string_view module_path);
/// What attention gives, x[B,heads,L,D], as [B*L,heads*D]; a view, as attention lays it out.
Tensor join_heads(const Tensor& x, std::string_view module_path);

}  // namespace octavo
