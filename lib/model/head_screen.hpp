// Which token is the largest, without reading all of lm_head.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "octavo/gemm.hpp"

namespace octavo::model {

/// A copy of lm_head in int8 gives every logit within a bound that is sure; those that may be the largest are then
/// multiplied as stored. Half the bytes of bf16 are read, and the token is the same.
///
/// With w the stored row and q its copy, |w.x - q.x| <= |w - q| |x| (Cauchy and Schwarz). Sums of K terms in float32
/// add at most K 2^-24 |w| |x| to it, on either side.
class HeadScreen {
 public:
  /// Reads lm_head once and makes the copy; its pages are given back.
  /// @param head    floating, with data, no bias; its weight is `weight` [V,H] f32|bf16|f16.
  /// @throws Error  not_finite for NaN or infinity in the weight.
  HeadScreen(const Linear& head, const Tensor& weight);

  /// [rows, V]: the bits of head.forward(x) wherever a logit may be the largest of its row among all but those of
  /// `exact`, and for each id of `exact`; -infinity elsewhere. Undefined where it saves nothing: so many logits are
  /// close to the largest, or x or a logit is not finite, that lm_head is better read as a whole.
  /// @param x      [rows, H], at most kMostRows.
  /// @param exact  ids in any order, repeated or not; those outside 0 .. V - 1 do not count.
  Tensor logits(const Tensor& x, std::span<const std::int32_t> exact) const;

  static constexpr std::int64_t kMostRows = 8;  ///< few rows have the same bits, however few
  std::size_t size_bytes() const noexcept { return copy_.weight_bytes() + bounds_.size() * sizeof(float); }

 private:
  Linear head_, copy_;
  std::vector<float> bounds_;  // [V], to be multiplied by |x|
};

/// When a HeadScreen is worth its memory.
struct ScreenPolicy {
  std::size_t least_bytes = std::size_t{64} << 20;  ///< of lm_head: what stays in caches is read fast as it is
  int asked_before = 32;                            ///< making it takes as long as it saves in so many tokens
};
/// For tests, which have no large models; before a model is opened.
ScreenPolicy& screen_policy() noexcept;

/// The screen of one head, made when enough tokens were asked for; where memory is short, or the processor does not
/// multiply few rows of int8 faster than bf16, never. From any thread: one makes it, the others go on without.
class LazyHeadScreen {
 public:
  /// Null where there is none to be had: of a layer in int8, a small one, or one whose weight is in no mapped file; and
  /// without AVX2.
  static std::shared_ptr<const LazyHeadScreen> of(const Linear& head, const Tensor& weight);
  LazyHeadScreen(const Linear& head, const Tensor& weight) : head_(head), weight_(weight) {}
  /// As HeadScreen's; undefined, too, where there is no screen yet, or never.
  /// @throws Error  cancelled
  Tensor logits(const Tensor& x, std::span<const std::int32_t> exact) const;
  const HeadScreen* ready() const noexcept { return ready_.load(std::memory_order_acquire); }

 private:
  const HeadScreen* get() const;
  std::nullptr_t give_up(const std::string& reason) const;  ///< for good; tells the log

  Linear head_;
  Tensor weight_;
  ScreenPolicy policy_ = screen_policy();
  mutable std::atomic<int> asked_{0};
  mutable std::atomic<int> left_out_{0}, next_left_out_{1};  // tokens
  mutable std::mutex mutex_;
  mutable bool given_up_ = false;
  mutable std::unique_ptr<const HeadScreen> screen_;
  mutable std::atomic<const HeadScreen*> ready_{nullptr};
};

}  // namespace octavo::model
