// From int32 sums to float32 results. The order of the steps is the contract that makes backends agree to the bit; this
// file is compiled without fused multiply-adds (lib/modules.cmake), which would skip a rounding.
#include <algorithm>

#include "backend.hpp"
#include "kernels/panels.hpp"
#include "octavo/detail/clones.hpp"
#include "octavo/parallel.hpp"
#include "scratch.hpp"

namespace octavo::gemm {

namespace {

constexpr std::int64_t kTileColumns = 2 * kPanelColumns;

}  // namespace

OCTAVO_CLONES void scale_sums(const std::int32_t* sums, std::int64_t sums_stride, std::int64_t rows,
                              std::int64_t columns, const float* tokens, const Results& results) {
  if (columns == kTileColumns) {
    for (std::int64_t i = 0; i < rows; ++i)
      scale_and_end(sums + i * sums_stride, tokens[i], results.at(i, 0), kTileColumns);
    return;
  }
  for (std::int64_t i = 0; i < rows; ++i)
    for (std::int64_t first = 0; first < columns; first += kEndedTogether)
      scale_and_end(sums + i * sums_stride + first, tokens[i], results.at(i, first),
                    std::min(kEndedTogether, columns - first));
}

namespace {

OCTAVO_CLONES void end_part(Ending ending, const float* results, std::int64_t count, float* y) {
  end_row(ending, results, count, y, y);
}

}  // namespace

void end_values(Ending ending, const float* results, std::int64_t count, float* y) {
  constexpr std::int64_t kWorthAThread = 32768;
  parallel_for(count, kWorthAThread, [&](std::int64_t begin, std::int64_t end) {
    end_part(ending, results + begin, end - begin, y + begin);
  });
}

void PackedS8::linear(const Int8Rows& rows, const Results& results) const {
  const std::int64_t n = out_features();
  auto* sums = scratch<std::int32_t>(Purpose::sums, static_cast<std::size_t>(rows.count * n));
  multiply(reinterpret_cast<const std::int8_t*>(rows.values), rows.count, sums);
  parallel_for(rows.count, std::max<std::int64_t>(1, 65536 / n), [&](std::int64_t begin, std::int64_t end) {
    scale_sums(sums + begin * n, n, end - begin, n, rows.scales + begin, results.at(begin, 0));
  });
}

void PackedS8::gated(const Int8Rows& rows, const Results& gate, const PackedS8& up, const Results& up_results) const {
  linear(rows, gate);
  up.linear(rows, up_results);
}

}  // namespace octavo::gemm
