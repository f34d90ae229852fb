// Pieces that architectures share: norms, activations, residuals, heads. Float32, contiguous, caller-checked but for
// the norm; without data where an argument is. The module path is what a trace shows.
#pragma once

#include <cstdint>
#include <string_view>

#include "octavo/tensor.hpp"

namespace octavo::model {

/// y[r] = x[r] / sqrt(mean(x[r]^2) + eps) * weight; x[L,K], weight[K] f32, told as `stored`. Zhang & Sennrich 2019,
/// eq. (4).
Tensor rms_norm(const Tensor& x, const Tensor& weight, double eps, std::string_view module_path,
                DType stored = DType::f32);

/// x += y, both [M,H]: the residual stream.
void add_in_place(Tensor& x, const Tensor& y, std::string_view module_path);

/// gate = silu(gate) * up, both [M,I]. Shazeer 2020 (SwiGLU).
void silu_multiply(Tensor& gate, const Tensor& up, std::string_view module_path);

/// The exact form: 0.5 x (1 + erf(x / sqrt 2)); x[M,I].
void gelu_in_place(Tensor& x, std::string_view module_path);

/// x[L,heads*D] as [L,heads,D], a view; `origin` names the config's field behind heads.
Tensor split_heads(const Tensor& x, std::int64_t heads, std::int64_t width, const char* origin,
                   std::string_view module_path);
/// What attention gives, x[B,heads,L,D], as [B*L,heads*D]; a view, as attention lays it out.
Tensor join_heads(const Tensor& x, std::string_view module_path);

/// out[i] = rows `order[i]` of x, where a "row" is `group` consecutive rows of x[L,K]; order[G] i64.
Tensor gather_groups(const Tensor& x, const Tensor& order, std::int64_t group);

/// Writes row `index` of table[V,K] (any float type) as f32 to out[K].
void read_row(const Tensor& table, std::int64_t index, float* out);

}  // namespace octavo::model
