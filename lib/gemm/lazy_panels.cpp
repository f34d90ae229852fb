#include "lazy_panels.hpp"

#include "octavo/detail/memory_left.hpp"

namespace octavo::gemm {

const FloatPanels* LazyPanels::get() const {
  if (const FloatPanels* panels = ready()) return panels;
  if (asked_.load() + 1 < kAskedBeforePacking && asked_.fetch_add(1) + 1 < kAskedBeforePacking) return nullptr;
  const std::scoped_lock lock(mutex_);
  if (!panels_) {
    if (!detail::leaves_enough(detail::memory_left(), weight_.size_bytes())) return nullptr;
    panels_ = std::make_unique<const FloatPanels>(weight_.raw(), weight_.dim(0), weight_.dim(1));
    weight_.drop_pages();
    ready_.store(panels_.get(), std::memory_order_release);
  }
  return panels_.get();
}

std::size_t LazyPanels::size_bytes() const noexcept {
  const FloatPanels* panels = ready();
  return panels != nullptr ? panels->size_bytes() : weight_.size_bytes();
}

}  // namespace octavo::gemm
