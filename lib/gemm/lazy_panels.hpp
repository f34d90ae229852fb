// The panels of a weight in bf16, made when they are first needed.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <mutex>

#include "kernels/float_panels.hpp"

namespace octavo::gemm {

// Of a weight in a mapped file: `get` packs it once it has been asked often enough, and drops its pages, so that it is
// in memory once. The mapping stays, and what reads the weight as stored reads it from the file again. Where little
// memory is left, the weight stays in the file, whose pages the system may take back. Products are the same to the bit.
class LazyPanels {
 public:
  // weight [N,K] bf16, mapped, contiguous; neither extent 0.
  explicit LazyPanels(const Tensor& weight) : weight_(weight) {}
  const FloatPanels* ready() const noexcept { return ready_.load(std::memory_order_acquire); }  // or null
  // Fresh memory costs as much as packing anew a few times, which a prompt that is read once should not pay.
  static constexpr int kAskedBeforePacking = 4;
  // For a product of many rows, from any thread; one packs, the others wait. Null where the weight is to be read as
  // stored.
  const FloatPanels* get() const;
  std::size_t size_bytes() const noexcept;  // packed; as stored before

 private:
  Tensor weight_;
  mutable std::atomic<int> asked_{0};
  mutable std::mutex mutex_;
  mutable std::unique_ptr<const FloatPanels> panels_;
  mutable std::atomic<const FloatPanels*> ready_{nullptr};
};

}  // namespace octavo::gemm
