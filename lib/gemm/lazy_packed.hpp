// A weight in the layout of an int8 backend, made when it is first needed where that saves something.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <mutex>

#include "backend.hpp"

namespace octavo::gemm {

// Over a mapped file, the weight is packed by the first `get`, so that opening a model reads no weight, and its pages
// are dropped then, so that it is in memory once. Any other is packed at once: its owner may change or release it.
class LazyPacked {
 public:
  // weight [N,K] s8, contiguous, neither extent 0.
  LazyPacked(const Backend& backend, const Tensor& weight);
  // From any thread; one packs, the others wait. Throws out_of_memory where it packs, and a later call tries again.
  const PackedS8& get() const;
  std::size_t size_bytes() const noexcept;  // packed; as stored before

 private:
  void pack() const;

  const Backend& backend_;
  mutable std::mutex mutex_;
  mutable Tensor weight_;  // undefined once packed
  mutable std::unique_ptr<PackedS8> packed_;
  mutable std::atomic<const PackedS8*> ready_{nullptr};
  std::size_t stored_bytes_;
};

}  // namespace octavo::gemm
