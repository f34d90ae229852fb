// What is the same in every language model: tokens become rows, rows become logits; and what the layers between share.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "head_screen.hpp"
#include "octavo/architecture.hpp"
#include "octavo/detail/pooled.hpp"
#include "octavo/model.hpp"
#include "octavo/observer.hpp"

namespace octavo::model {

/// One sequence's share of a call.
struct SequenceCall {
  SequenceState* state = nullptr;  ///< its own; a sequence is in a call once
  KvCache* cache = nullptr;        ///< its own; absent: uncached
  Tensor ids;                      // s32 [q_len], the new ones; without data: as many text tokens
  std::size_t generated_from =
      SIZE_MAX;                    ///< ids from here on are the model's own: text even when they spell an image pad
  std::span<const Grid> grids;     ///< of the images among ids
  Tensor vision;                   // f32 [image tokens, hidden]; undefined without images
  const CallPlan* plan = nullptr;  ///< of the ids; absent: the state plans them with the grids
  std::int64_t logit_rows = 1;     ///< of how many of its last rows logits are wanted; 0 .. q_len
  bool largest_alone = false;      ///< of those, the largest decides: others may be -infinity, but for `exact`
  std::span<const std::int32_t> exact;
};

/// Of a sequence that begins.
SequenceState new_state(const ImageLayout& layout);
/// Positions and mask of a sequence's ids behind what its state has committed.
CallPlan plan_call(const ImageLayout& layout, const SequenceCall& sequence);

/// One sequence among the rows of a call.
struct LanguagePart {
  CallPlan plan;
  KvCache* cache = nullptr;     ///< absent: uncached
  std::int64_t first = 0;       ///< its rows are [first, first + plan.q_len)
  std::int64_t logit_rows = 1;  ///< the last of them, whose logits are wanted
};

/// What all layers share for one call.
struct LanguageContext {
  detail::PooledVector<LanguagePart> parts;
  RotaryTable rotary;  // [rows, head_dim]: the sequences' tables, one behind the other
};
/// Plans every sequence from its own state; pads from `generated_from` on count as text.
LanguageContext context_of(const Architecture& architecture, const ImageLayout& layout,
                           std::span<const SequenceCall> sequences);

/// model.embed_tokens, and the tower's rows in the place of pads.
class TokenEmbedding {
 public:
  TokenEmbedding(WeightSource& weights, const Architecture& architecture, std::int32_t image_token_id);
  /// Embeds all rows, and writes each sequence's vision rows over its pads among ids[0, generated_from).
  Tensor embed(std::span<const SequenceCall> sequences) const;
  const Tensor& table() const noexcept { return table_; }  // [V,H] as stored
  bool has_data() const noexcept { return !table_.is_meta(); }
  std::size_t weight_bytes() const noexcept { return table_.size_bytes(); }

 private:
  float* embed_sequence(const SequenceCall& sequence, float* out) const;  ///< returns the end of its last row

  std::int64_t width_;
  float factor_;  ///< of a token's row
  std::int32_t image_token_id_;
  Tensor table_;  // [V,H] as stored
};

/// The final norm, lm_head, and what is done to its logits.
class LanguageHead {
 public:
  /// @param tied  lm_head is the embedding's table; as ModelOptions::lm_head asks, a copy of it in int8.
  LanguageHead(WeightSource& weights, const Architecture& architecture, const Tensor& table, bool tied,
               const ModelOptions& options);
  Tensor logits(const Tensor& hidden) const;  // [rows, H] -> [rows, V]
  /// The same where a logit may be the largest of its row or is one of `exact`, -infinity elsewhere: without reading
  /// all of lm_head. Undefined where that cannot be had (HeadScreen).
  Tensor largest(const Tensor& hidden, std::span<const std::int32_t> exact) const;
  Tensor normed(const Tensor& hidden) const { return norm_.run(hidden); }
  bool may_screen() const noexcept { return screen_ != nullptr && current_observer() == nullptr; }
  LinearInfo info() const { return lm_head_.info; }
  std::size_t weight_bytes() const noexcept;  ///< but for a table that is the embedding's
  std::size_t screen_bytes() const noexcept;

 private:
  FinalNorm norm_;
  LanguageScales scales_;
  bool head_is_table_;  ///< lm_head multiplies by the table itself
  LoadedLinear lm_head_;
  std::shared_ptr<const LazyHeadScreen> screen_;  ///< null: there is none to be had, or logits are more than products
};

}  // namespace octavo::model
