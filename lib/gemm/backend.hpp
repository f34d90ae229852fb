// One interface for the int8 product, so that the engine behind it is chosen in one table.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "ending.hpp"
#include "octavo/gemm.hpp"

namespace octavo::gemm {

// How a backend wants int8 rows [M,K] to lie.
enum class RowLayout : std::uint8_t {
  plain,       // [M,K]
  lines,       // strips of 32 rows for tiles (kernels/panels.hpp: lines_of_rows)
  words,       // strips of 12 rows, their bytes offset by 128 (interleave_rows)
  wide_words,  // strips of 12 rows, widened to int16 (interleave_wide_rows)
};

// Rows in a layout, and the scale of each.
struct Int8Rows {
  const std::byte* values;
  std::int64_t strip_stride;  // bytes from strip to strip
  const float* scales;        // [M]
  std::int64_t count;         // M
};

// Weights [N,K] in the layout their backend likes. Immutable; may be used from many threads.
class PackedS8 {
 public:
  virtual ~PackedS8() = default;
  virtual std::size_t size_bytes() const noexcept = 0;
  // acc[M,N] = a[M,K] w^T. Exact up to Backend::exact_k terms; beyond, sums above 2^24 may have been rounded once to
  // float32, which is what the scales do to them next: the results of `linear` are the same to the bit.
  virtual void multiply(const std::int8_t* a, std::int64_t m, std::int32_t* acc) const = 0;
  // What `linear` wants m rows in.
  virtual RowLayout layout(std::int64_t /*m*/) const noexcept { return RowLayout::plain; }
  // An engine of its own ends each tile while it is in cache; this one ends after `multiply`.
  virtual void linear(const Int8Rows& rows, const Results& results) const;
  // y = silu(gate) * up of the same rows, in the layout of both. `gate` stores to the y that up_results end in and
  // take their gate from; an engine of its own may keep what the gate gives elsewhere.
  virtual void gated(const Int8Rows& rows, const Results& gate, const PackedS8& up, const Results& up_results) const;

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
extern const Backend kAvxVnniBackend;
extern const Backend kAvx512Backend;
extern const Backend kOneDnnBackend;
extern const Backend kAvx2Backend;
extern const Backend kPortableBackend;

inline bool runs_anywhere() noexcept { return true; }

// The backend of that name, or the best available one for "". Throws for unknown and unavailable names.
const Backend& choose_backend(std::string_view name);

// The results of `rows` rows and `columns` columns; tokens and results start at the first of them.
void scale_sums(const std::int32_t* sums, std::int64_t sums_stride, std::int64_t rows, std::int64_t columns,
                const float* tokens, const Results& results);

// For build_info(): oneDNN's version by its headers and by the library that runs, and what it dispatches to.
std::string onednn_built();
std::string onednn_running();
std::string onednn_isa();
std::string onednn_problem();  ///< why there is no engine; empty when there is one

}  // namespace octavo::gemm
