#include "lazy_panels.hpp"

namespace octavo::gemm {

const FloatPanels& LazyPanels::get() const {
  if (const FloatPanels* panels = ready()) return *panels;
  const std::scoped_lock lock(mutex_);
  if (!panels_) {
    panels_ = std::make_unique<const FloatPanels>(weight_.raw(), weight_.dtype(), weight_.dim(0), weight_.dim(1));
    weight_.drop_pages();
    ready_.store(panels_.get(), std::memory_order_release);
  }
  return *panels_;
}

std::size_t LazyPanels::size_bytes() const noexcept {
  const FloatPanels* panels = ready();
  return panels != nullptr ? panels->size_bytes() : weight_.size_bytes();
}

}  // namespace octavo::gemm
