// One interface for the int8 product, so that the engine behind it is chosen in one table.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "octavo/gemm.hpp"

namespace octavo::gemm {

// What turns sums into results: y[i,j] = (sum[i,j] * token[i]) * channel[j] + bias[j], each step rounded to float32 in
// this order on every backend.
struct Scales {
  const float* token;    // [M]
  const float* channel;  // [N]
  const float* bias;     // [N], or null
};

// Weights [N,K] in the layout their backend likes. Immutable; may be used from many threads.
class PackedS8 {
 public:
  virtual ~PackedS8() = default;
  virtual std::size_t size_bytes() const noexcept = 0;
  // acc[M,N] = a[M,K] w^T. Exact up to Backend::exact_k terms; beyond, sums above 2^24 may have been rounded once to
  // float32, which is what the scales do to them next: the results of `linear` are the same to the bit.
  virtual void multiply(const std::int8_t* a, std::int64_t m, std::int32_t* acc) const = 0;
  // y[M,N] from a[M,K]. An engine of its own scales each tile while it is in cache; this one scales after `multiply`.
  virtual void linear(const std::int8_t* a, std::int64_t m, const Scales& scales, float* y) const;

 protected:
  virtual std::int64_t out_features() const noexcept = 0;
};

struct Backend {
  const char* name;
  const char* detail;
  std::int64_t exact_k;          // products of at most so many terms are exact integers
  bool (*runs_here)() noexcept;  // whether this processor has the instructions; pack must not be called otherwise
  std::unique_ptr<PackedS8> (*pack)(const std::int8_t* weight, std::int64_t n, std::int64_t k);
};

inline constexpr std::int64_t kMaxInFeatures = 131071;  // K * 128 * 128 must fit in int32

extern const Backend kAmxInt8Backend;
extern const Backend kAvx512VnniBackend;
extern const Backend kOneDnnBackend;
extern const Backend kAvx2Backend;
extern const Backend kPortableBackend;

inline bool runs_anywhere() noexcept { return true; }

// The backend of that name, or the best available one for "". Throws for unknown and unavailable names.
const Backend& choose_backend(std::string_view name);

// y[i,j] of `rows` rows and `columns` columns by Scales, whose arrays start at the first row and column.
void scale_sums(const std::int32_t* sums, std::int64_t sums_stride, std::int64_t rows, std::int64_t columns,
                const Scales& scales, float* y, std::int64_t y_stride);

// For build_info(): oneDNN's version by its headers and by the library that runs, and what it dispatches to.
std::string onednn_built();
std::string onednn_running();
std::string onednn_isa();
std::string onednn_problem();  ///< why there is no engine; empty when there is one

}  // namespace octavo::gemm
