/// @file
/// Matrix products: float32 over weights as stored, int8 with per-token activations, float32 over int8 weights.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "octavo/contract.hpp"
#include "octavo/float_math.hpp"
#include "octavo/tensor.hpp"

namespace octavo {

namespace gemm {
class LinearCall;
}

inline constexpr Contract kLinearContract{"linear: x[M,K]:f32 w[N,K]:f32|bf16|f16 bias?[N]:f32|bf16|f16 -> y[M,N]"};
inline constexpr Contract kLinearW8A8Contract{
    "linear_w8a8: x[M,K]:f32 w[N,K]:s8 w_scale[N]:f32|bf16|f16 bias?[N]:f32|bf16|f16 -> y[M,N]"};
inline constexpr Contract kLinearW8A16Contract{
    "linear_w8a16: x[M,K]:f32 w[N,K]:s8 w_scale[N]:f32|bf16|f16 bias?[N]:f32|bf16|f16 -> y[M,N]"};
inline constexpr Contract kQuantizePerTokenContract{"quantize_per_token: x[M,K]:f32 -> q[M,K]:s8 scale[M]:f32"};
inline constexpr Contract kGemmS8Contract{"gemm_s8: a[M,K]:s8 w[N,K]:s8 -> acc[M,N]:s32"};

/// C[M,N] (+)= alpha * op(A) op(B), float32, row-major with leading dimensions in elements; runtime-dispatched.
/// The order of every sum is fixed for a given K and float backend. The workhorse of GPTQ.
struct SgemmOptions {
  bool transpose_a = false;  ///< A is stored [K,M]
  bool transpose_b = false;  ///< B is stored [N,K]
  float alpha = 1.0F;
  float beta = 0.0F;
};
void sgemm(std::int64_t m, std::int64_t n, std::int64_t k, const float* a, std::int64_t lda, const float* b,
           std::int64_t ldb, float* c, std::int64_t ldc, const SgemmOptions& options = {});

/// C[N,N] += X^T X for X[K,N], float32, row-major: the lower triangle; what lies above the diagonal is left undefined.
/// FloatMath::bf16 rounds X to bf16 where the processor multiplies bf16 faster (float_math.hpp): C then takes the
/// products of the rounded values, summed in float32, so that it stays positive semidefinite but for that rounding.
/// The order of every sum is fixed for a given K, math and float backend.
/// @throws Error  invalid_argument for negative sizes, shape_mismatch for leading dimensions below N.
void ssyrk(std::int64_t n, std::int64_t k, const float* x, std::int64_t ldx, float* c, std::int64_t ldc,
           FloatMath math = FloatMath::f32);

/// How the scale of a token is taken: absmax/127 (vLLM; Octavo's default) or absmax/127.5 (compressed-tensors).
enum class TokenScale : std::uint8_t { absmax_127, absmax_127_5 };

/// Rows quantized symmetrically: q[M,K] s8, scale[M] f32 > 0. NaN or infinity in a row throws, naming the row.
struct QuantizedRows {
  Tensor values;  // s8  [M,K]
  Tensor scales;  // f32 [M]
};
QuantizedRows quantize_per_token(const Tensor& x, TokenScale mode = TokenScale::absmax_127);

/// What a Linear multiplies by what: float by float weights; int8 per token by int8 (W8A8); float by int8 (W8A16).
enum class LinearKind : std::uint8_t { floating, w8a8, w8a16 };

/// One linear layer `y = x W^T + b`, its weight float (as stored: f32, bf16 or f16, never widened as a whole) or
/// int8 per channel: packed once for the int8 backend in use where activations are int8 too, as stored where they stay
/// float. Immutable; safe to use from many threads.
class Linear {
 public:
  Linear() = default;
  /// weight [N,K] f32|bf16|f16; bias [N] f32|bf16|f16 or undefined. Shares the weight's storage.
  static Linear floating(std::string module_path, const Tensor& weight, const Tensor& bias,
                         FloatMath math = FloatMath::f32);
  /// weight [N,K] s8; weight_scale [N] or [N,1] f32|bf16. K <= 131071 so that int32 cannot overflow. A weight that is
  /// mapped from a file is packed by the first forward, while other threads that need it wait, and the file's pages are
  /// given back then; any other is packed here.
  static Linear w8a8(std::string module_path, const Tensor& weight, const Tensor& weight_scale, const Tensor& bias,
                     TokenScale mode = TokenScale::absmax_127);
  /// y = (x Q^T) * scale + b: int8 weights under float activations, for inputs whose outliers int8 cannot carry.
  /// weight [N,K] s8; weight_scale [N] or [N,1] f32|bf16|f16, finite. Shares the weight's storage; a panel of it at a
  /// time is widened, exactly. Few rows read the weight once, so that decoding takes half of bf16's bytes.
  static Linear w8a16(std::string module_path, const Tensor& weight, const Tensor& weight_scale, const Tensor& bias,
                      FloatMath math = FloatMath::f32);
  /// Over weights without data, as stored: forward checks and tells, and computes nothing. What breaks the contract is
  /// not refused here but by each forward, which an observer may let go on with y[M,N] of `promised`, [N,K].
  static Linear meta(std::string module_path, LinearKind kind, const Tensor& weight, const Tensor& weight_scale,
                     const Tensor& bias, const Shape& promised);

  bool defined() const noexcept;
  LinearKind kind() const noexcept;  ///< floating when undefined
  bool is_w8a8() const noexcept { return kind() == LinearKind::w8a8; }
  std::int64_t in_features() const noexcept;   // K
  std::int64_t out_features() const noexcept;  // N
  const std::string& module_path() const noexcept;
  /// What products read: of a weight that is not packed yet, its bytes as stored.
  std::size_t weight_bytes() const noexcept;
  /// x[M,K] f32 -> y[M,N] f32, owned; without data where x or the weight is.
  Tensor forward(const Tensor& x) const;
  /// residual[M,N] f32 += x W^T + b, contiguous, not x: the bits of forward and an addition, and no y in memory where
  /// the layer can add as it multiplies and nobody observes.
  void forward_add(const Tensor& x, Tensor& residual) const;
  /// y[M, columns] f32: these results of forward, from their rows of the weight alone, 0 <= column < out_features in
  /// any order. The same bits as forward for M <= 8. An observer hears nothing of it.
  /// @throws Error  invalid_argument for an x that does not fit or a column outside; unsupported for a W8A8 layer,
  ///                which keeps no weight as stored, and for one without data.
  Tensor forward_columns(const Tensor& x, std::span<const std::int32_t> columns) const;
  /// gelu(x W^T + b), as forward and then gelu: the exact form, 0.5 y (1 + erf(y / sqrt 2)), erf within 1.4 ulp.
  Tensor forward_gelu(const Tensor& x) const;

 private:
  struct Impl;
  friend class gemm::LinearCall;  // what forward does, once for all its forms
  static void forward_each(std::span<const Linear* const> layers, const Tensor& x, std::span<Tensor> results);
  friend Tensor forward_gated(const Linear& gate, const Linear& up, const Tensor& x);
  template <std::size_t count>
  friend std::array<Tensor, count> forward_all(const Linear* const (&layers)[count], const Tensor& x);
  std::shared_ptr<const Impl> impl_;
};

/// y[i] = layers[i]->forward(x), x[M,K] f32, for layers that share an input (q, k and v; gate and up): the rows of x
/// are quantized once for those that are W8A8. The same bits as one call each, told to an observer in the same way.
/// @code
/// const auto [q, k, v] = forward_all({&q_proj, &k_proj, &v_proj}, x);
/// @endcode
template <std::size_t count>
std::array<Tensor, count> forward_all(const Linear* const (&layers)[count], const Tensor& x) {
  std::array<Tensor, count> results;
  Linear::forward_each(layers, x, results);
  return results;
}

/// silu(gate(x)) * up(x), x[M,K] f32 -> [M,N] f32: the first half of a gated MLP (SwiGLU, Shazeer 2020). The bits of
/// the three operations; where both layers are W8A8 of one backend and nobody observes, one pass: rows are quantized
/// once, and each block of up is multiplied by what the gate's has just left in the cache. `gate` and `up` are of equal
/// shape.
/// @throws Error  invalid_argument where their shapes differ; and as forward.
Tensor forward_gated(const Linear& gate, const Linear& up, const Tensor& x);

/// int32 product of int8 operands, exact: a[M,K] s8, w[N,K] s8 -> acc[M,N] s32. By the named backend.
Tensor gemm_s8(const Tensor& a, const Tensor& w, std::string_view backend = "");

/// Backends of the int8 product, best first; the last is "portable".
struct BackendInfo {
  std::string name;
  bool available = false;  ///< its exactness test passes on this CPU
  std::string detail;      ///< why not, or what it uses
};
std::vector<BackendInfo> int8_backends();
/// The one that packing done from now on takes: forced, named by the environment, or the best one available.
/// @throws Error  invalid_argument, unsupported when what is forced or named cannot be had.
std::string int8_backend_in_use();
/// Forces one by name for packing done from now on; unknown or unavailable names throw. "" restores the default.
void force_int8_backend(std::string_view name);

/// Engines of the products of layers that stay in float, best first; the last is "portable", which runs anywhere. sgemm
/// takes its kernel from the same choice. Results of different ones differ by the rounding of float32 sums.
std::vector<BackendInfo> float_backends();
/// Forces one by name for products from now on; unknown or unavailable names throw. "" restores the default: the one
/// that OCTAVO_FLOAT_BACKEND names, or the best.
void force_float_backend(std::string_view name);

}  // namespace octavo
