#include "float_panels.hpp"

#include <algorithm>

#include "tile_loops.hpp"

namespace octavo::gemm {

FloatPanels::FloatPanels(const void* weight, std::int64_t n, std::int64_t k) {
  const std::int64_t row_bytes = k * static_cast<std::int64_t>(size_of(DType::bf16));
  const std::int64_t panels = (n + kPanelColumns - 1) / kPanelColumns;
  stride_ = panel_bytes(row_bytes);
  size_bytes_ = static_cast<std::size_t>(panels * stride_);
  memory_ = aligned_bytes(size_bytes_);
  parallel_for(panels, std::max<std::int64_t>(1, kWorthAThread / stride_), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t panel = begin; panel < end; ++panel)
      pack_panel(static_cast<const std::byte*>(weight) + panel * kPanelColumns * row_bytes, row_bytes,
                 std::min(kPanelColumns, n - panel * kPanelColumns), row_bytes, memory_.get() + panel * stride_);
  });
}

}  // namespace octavo::gemm
