#include "language_ends.hpp"

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "int8_copy.hpp"
#include "octavo/log.hpp"
#include "octavo/model_contracts.hpp"
#include "ops.hpp"

namespace octavo::model {

SequenceState new_state(const ImageLayout& layout) {
  SequenceState::Tokens tokens;
  tokens.image_token_id = layout.image_token_id;
  tokens.video_token_id = layout.video_token_id;
  tokens.spatial_merge_size = layout.merge_size;
  tokens.tokens_per_second = layout.tokens_per_second;
  return SequenceState(tokens);
}

CallPlan plan_call(const ImageLayout& layout, const SequenceCall& sequence) {
  if (sequence.ids.is_meta()) return sequence.state->plan(sequence.ids.dim(0));
  const std::span<const std::int32_t> ids = sequence.ids.values<std::int32_t>();
  const auto is_pad = [&](std::int32_t id) { return id == layout.image_token_id || id == layout.video_token_id; };
  const auto generated = ids.subspan(std::min(sequence.generated_from, ids.size()));
  if (std::none_of(generated.begin(), generated.end(), is_pad)) return sequence.state->plan(ids, sequence.grids);
  // A model may utter the id of a pad; it gets a text position. Any id that is no pad stands in for it.
  std::vector<std::int32_t> spelled(ids.begin(), ids.end());
  std::int32_t text_id = 0;
  while (is_pad(text_id)) ++text_id;
  std::fill(spelled.begin() + static_cast<std::ptrdiff_t>(sequence.generated_from), spelled.end(), text_id);
  return sequence.state->plan(spelled, sequence.grids);
}

namespace {

/// The positions [3, rows] of all parts, side by side; each part's own are a view of them from then on.
Tensor join_positions(std::span<LanguagePart> parts) {
  if (parts.size() == 1) return parts.front().plan.positions;
  const std::int64_t rows = parts.back().first + parts.back().plan.q_len;
  Tensor joined = Tensor::empty_like(parts.front().plan.positions, DType::i64, Shape{3, rows});
  for (LanguagePart& part : parts) {
    Tensor& own = part.plan.positions;
    for (std::int64_t axis = 0; axis < 3 && !joined.is_meta(); ++axis)
      std::copy_n(own.data<std::int64_t>() + axis * part.plan.q_len, part.plan.q_len,
                  joined.mutable_data<std::int64_t>() + axis * rows + part.first);
    own = joined.slice(1, part.first, part.first + part.plan.q_len);
  }
  return joined;
}

}  // namespace

LanguageContext context_of(const Architecture& architecture, const ImageLayout& layout,
                           std::span<const SequenceCall> sequences) {
  LanguageContext context;
  std::int64_t rows = 0;
  for (const SequenceCall& sequence : sequences) {
    context.parts.push_back({sequence.plan != nullptr ? *sequence.plan : plan_call(layout, sequence), sequence.cache,
                             rows, sequence.logit_rows});
    rows += context.parts.back().plan.q_len;
  }
  context.rotary = architecture.rotary(join_positions(context.parts));
  return context;
}

namespace {

Tensor load_table(WeightSource& weights, const TextConfig& text) {
  const Extent vocab{text.vocab_size, "vocab_size"}, width{text.hidden_size, "hidden_size"};
  return weights.tensor("model.embed_tokens.weight", Shape{vocab.size, width.size},
                        vocab.reason() + ", " + width.reason());
}

}  // namespace

TokenEmbedding::TokenEmbedding(WeightSource& weights, const Architecture& architecture, std::int32_t image_token_id)
    : width_(architecture.text().hidden_size),
      factor_(static_cast<float>(architecture.scales().embedding)),
      image_token_id_(image_token_id),
      table_(load_table(weights, architecture.text())) {}

float* TokenEmbedding::embed_sequence(const SequenceCall& sequence, float* out) const {
  const Tensor& vision = sequence.vision;
  const std::span<const std::int32_t> ids = sequence.ids.values<std::int32_t>();
  std::int64_t next_row = 0;
  for (std::size_t i = 0; i < ids.size(); ++i, out += width_) {
    if (ids[i] == image_token_id_ && i < sequence.generated_from) {
      if (!vision.defined() || next_row >= vision.dim(0)) {
        throw Error(ErrorCode::invalid_argument, "model.embed_tokens: position " + std::to_string(i) +
                                                     " is an image pad, but there are only " +
                                                     std::to_string(next_row) + " vision rows");
      }
      std::memcpy(out, vision.data<float>() + next_row++ * width_, static_cast<std::size_t>(width_) * sizeof(float));
    } else {
      read_row(table_, ids[i], out);
      if (factor_ != 1) std::transform(out, out + width_, out, [this](float value) { return value * factor_; });
    }
  }
  return out;
}

Tensor TokenEmbedding::embed(std::span<const SequenceCall> sequences) const {
  std::int64_t rows = 0;
  std::int64_t vision_rows = 0;
  std::int64_t vision_width = 0;
  for (const SequenceCall& sequence : sequences) {
    rows += sequence.ids.dim(0);
    if (!sequence.vision.defined()) continue;
    vision_rows += sequence.vision.dim(0);
    vision_width = sequence.vision.dim(1);
  }
  Binder binder(kEmbeddingContract, "model.embed_tokens");
  binder.given("ids", DType::s32, Shape{rows}).weight("table", table_);
  if (vision_rows > 0) binder.arg("vision", DType::f32, Shape{vision_rows, vision_width});
  binder.check();
  Tensor hidden = binder.output("x", DType::f32, Shape{rows, width_});
  if (!hidden.is_meta()) {
    float* out = hidden.mutable_data<float>();
    for (const SequenceCall& sequence : sequences) out = embed_sequence(sequence, out);
  }
  if (factor_ != 1) announce_note([this] { return "rows of tokens times " + std::to_string(factor_); });
  binder.done({{"x", hidden}});
  return hidden;
}

namespace {

LoadedLinear load_lm_head(WeightSource& weights, const TextConfig& text, const Tensor& table, bool tied,
                          FloatMath math) {
  const Extent vocab{text.vocab_size, "vocab_size"};
  const Extent width{text.hidden_size, "hidden_size"};
  if (!tied) return load_linear(weights, "lm_head", "lm_head_input", vocab, width, false, math);
  LoadedLinear head;
  head.stored.weight = table;
  head.linear = table.is_meta() ? Linear::meta("lm_head", LinearKind::floating, table, {}, {}, {vocab.size, width.size})
                                : Linear::floating("lm_head", table, {}, math);
  head.info = {"lm_head", "lm_head_input", width.size, vocab.size, false};
  return head;
}

}  // namespace

LanguageHead::LanguageHead(WeightSource& weights, const Architecture& architecture, const Tensor& table, bool tied,
                           const ModelOptions& options)
    : norm_(architecture.final_norm(weights)),
      scales_(architecture.scales()),
      head_is_table_(tied),
      lm_head_(load_lm_head(weights, architecture.text(), table, tied, options.language_math)) {
  if (!norm_.run) throw Error(ErrorCode::internal, "Architecture::final_norm gave a norm without `run`");
  if (tied && !table.is_meta())
    log_line(LogLevel::info, "model",
             [] { return std::string("lm_head is tied: it multiplies by the embedding's table"); });
  if (options.lm_head != HeadWeights::int8 || lm_head_.linear.kind() != LinearKind::floating || table.is_meta()) {
    // Scaled and capped, two logits may become one, so that another token than the product's largest is the first.
    if (!scales_.changes_logits()) screen_ = LazyHeadScreen::of(lm_head_.linear, lm_head_.stored.weight);
    return;
  }
  lm_head_.linear = int8_copy(lm_head_.linear.module_path(), lm_head_.stored.weight, options.language_math);
  head_is_table_ = false;
}

Tensor LanguageHead::logits(const Tensor& hidden) const {
  const Tensor normed = norm_.run(hidden);
  if (head_is_table_) announce_note([] { return "tied: the embedding's table"; });
  Tensor logits = lm_head_.linear.forward(normed);
  if (scales_.changes_logits()) scale_logits(logits, scales_);
  return logits;
}

Tensor LanguageHead::largest(const Tensor& hidden, std::span<const std::int32_t> exact) const {
  if (!screen_ || hidden.dim(0) > HeadScreen::kMostRows) return {};
  return screen_->logits(norm_.run(hidden), exact);
}

std::size_t LanguageHead::screen_bytes() const noexcept {
  const HeadScreen* screen = screen_ ? screen_->ready() : nullptr;
  return screen != nullptr ? screen->size_bytes() : 0;
}

std::size_t LanguageHead::weight_bytes() const noexcept {
  return norm_.weight_bytes + (head_is_table_ ? 0 : lm_head_.linear.weight_bytes()) + screen_bytes();
}

}  // namespace octavo::model
