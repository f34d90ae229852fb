#include "lazy_packed.hpp"

#include <chrono>
#include <string>

#include "octavo/detail/amounts.hpp"
#include "octavo/log.hpp"

namespace octavo::gemm {

LazyPacked::LazyPacked(const Backend& backend, const Tensor& weight)
    : backend_(backend), weight_(weight), stored_bytes_(weight.size_bytes()) {
  if (!weight.is_mapped()) pack();
}

const PackedS8& LazyPacked::get() const {
  if (const PackedS8* packed = ready_.load(std::memory_order_acquire)) return *packed;
  const std::scoped_lock lock(mutex_);
  if (!packed_) pack();
  return *packed_;
}

void LazyPacked::pack() const {
  const auto begin = std::chrono::steady_clock::now();
  packed_ = backend_.pack(weight_.data<std::int8_t>(), weight_.dim(0), weight_.dim(1));
  log_line(LogLevel::debug, "gemm", [&] {
    const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - begin;
    return "weight " + weight_.shape().to_string() + " packed for " + backend_.name + ": " +
           detail::megabytes(packed_->size_bytes()) + " in " + detail::seconds(taken.count());
  });
  weight_.drop_pages();
  weight_ = Tensor();
  ready_.store(packed_.get(), std::memory_order_release);
}

std::size_t LazyPacked::size_bytes() const noexcept {
  const PackedS8* packed = ready_.load(std::memory_order_acquire);
  return packed != nullptr ? packed->size_bytes() : stored_bytes_;
}

}  // namespace octavo::gemm
