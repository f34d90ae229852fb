// The language model: embedding with vision rows scattered in, decoder layers, logits.
#include <algorithm>
#include <cstring>
#include <string>
#include <utility>

#include "finite.hpp"
#include "int8_copy.hpp"
#include "octavo/log.hpp"
#include "octavo/model_contracts.hpp"
#include "ops.hpp"
#include "qwen2_5_vl.hpp"

namespace octavo::model {

DecoderLayer::DecoderLayer(const WeightSource& source, const TextConfig& config, std::int64_t index, FloatMath math)
    : LinearBlock("model.layers." + std::to_string(index), math),
      heads_(config.num_attention_heads),
      kv_heads_(config.num_key_value_heads),
      head_dim_(config.head_dim),
      attention_path_(module_path() + ".self_attn"),
      mlp_path_(module_path() + ".mlp"),
      input_norm_(load_norm(source, module_path() + ".input_layernorm", config.rms_norm_eps)),
      post_norm_(load_norm(source, module_path() + ".post_attention_layernorm", config.rms_norm_eps)),
      q_(add(source, "self_attn.q_proj", "self_attn.qkv_input")),
      k_(add(source, "self_attn.k_proj", "self_attn.qkv_input")),
      v_(add(source, "self_attn.v_proj", "self_attn.qkv_input")),
      o_(add(source, "self_attn.o_proj", "self_attn.o_input")),
      gate_(add(source, "mlp.gate_proj", "mlp.gate_up_input")),
      up_(add(source, "mlp.up_proj", "mlp.gate_up_input")),
      down_(add(source, "mlp.down_proj", "mlp.down_input")) {}

Tensor DecoderLayer::attend(const Tensor& x, const LanguageContext& context, std::int64_t cache_layer,
                            LinearObserver* observer, Tensor& hidden) const {
  observe(observer, q_, x);
  Heads heads = project(x);
  apply_rotary(heads.q, context.rotary, attention_path_);
  apply_rotary(heads.k, context.rotary, attention_path_);
  // A score of -infinity would hide its key without a trace.
  require_finite(heads.q, attention_path_, "a query");
  require_finite(heads.k, attention_path_, "a key");
  Tensor joined;
  if (context.parts.size() == 1) {
    joined = attend_part(heads, context.parts.front(), cache_layer);
  } else {
    joined = Tensor::empty_like(x, DType::f32, Shape{x.dim(0), heads_ * head_dim_});
    for (std::size_t i = 0; i < context.parts.size(); ++i) {
      const LanguagePart& part = context.parts[i];
      announce_sequence(static_cast<std::int64_t>(i));
      const Tensor rows = attend_part(heads, part, cache_layer);
      if (rows.is_meta()) continue;
      std::memcpy(joined.mutable_data<float>() + part.first * heads_ * head_dim_, rows.data<float>(),
                  rows.size_bytes());
    }
    announce_sequence(-1);
  }
  observe(observer, o_, joined);
  if (current_observer() != nullptr) return apply(o_, joined);
  at(o_).forward_add(joined, hidden);
  return {};
}

DecoderLayer::Heads DecoderLayer::project(const Tensor& x) const {
  const auto split = [&](const Tensor& y, std::size_t slot) {
    const bool query = slot == q_;
    return split_heads(y, query ? heads_ : kv_heads_, head_dim_, query ? "num_attention_heads" : "num_key_value_heads",
                       path_of(slot));
  };
  if (current_observer() == nullptr) {
    const auto [q, k, v] = forward_all({&at(q_), &at(k_), &at(v_)}, x);
    return {split(q, q_), split(k, k_), split(v, v_)};
  }
  Heads heads;  // one after the other, each heard of with its heads
  heads.q = split(apply(q_, x), q_);
  heads.k = split(apply(k_, x), k_);
  heads.v = split(apply(v_, x), v_);
  return heads;
}

Tensor DecoderLayer::attend_part(const Heads& heads, const LanguagePart& part, std::int64_t cache_layer) const {
  const std::int64_t rows = part.plan.q_len;
  // Heads first, as views: (1, heads, rows, D).
  const auto first = [&](const Tensor& x) {
    return x.slice(0, part.first, part.first + rows).reshape(Shape{1, rows, x.dim(1), head_dim_}).permute({0, 2, 1, 3});
  };
  KvCache::View seen{first(heads.k), first(heads.v)};
  if (part.cache != nullptr) seen = part.cache->append(cache_layer, seen.k, seen.v, attention_path_);
  AttentionOptions options;
  options.mask = part.plan.mask;
  options.past = part.plan.past;
  options.module_path = attention_path_;
  options.math = math();
  options.k_scale = seen.k_scale;
  options.v_scale = seen.v_scale;
  announce_note([] { return "causal"; });
  return join_heads(attention(first(heads.q), seen.k, seen.v, options), attention_path_);
}

void DecoderLayer::run(Tensor& hidden, const LanguageContext& context, std::int64_t cache_layer,
                       LinearObserver* observer) const {
  {
    const Tensor attended = attend(input_norm_(hidden), context, cache_layer, observer, hidden);
    if (attended.defined()) add_in_place(hidden, attended, module_path());  // the normed rows are gone
  }
  const Tensor normed = post_norm_(hidden);
  observe(observer, gate_, normed);
  const Tensor gate = apply_gated(gate_, up_, normed, mlp_path_);
  observe(observer, down_, gate);
  apply_add(down_, gate, hidden);
}

void DecoderLayer::forward(BlockState& state, LinearObserver* observer) const {
  FirstNotFinite finite;
  const ObserverScope scope(&finite);
  run(state.hidden, *static_cast<const LanguageContext*>(state.context.get()), 0, observer);
}

std::size_t DecoderLayer::weight_bytes() const noexcept {
  return LinearBlock::weight_bytes() + input_norm_.weight.size_bytes() + post_norm_.weight.size_bytes();
}

std::string DecoderLayer::stored_as() const {
  return LinearBlock::stored_as() + input_norm_.stored_as() + post_norm_.stored_as();
}

namespace {

LoadedLinear load_lm_head(const WeightSource& source, const Tensor& table, bool tied, FloatMath math) {
  if (!tied) return load_linear(source, "lm_head", "lm_head_input", math);
  const Shape promised = source.promised("model.embed_tokens.weight");
  LoadedLinear head;
  head.weight = table;
  head.linear = table.is_meta() ? Linear::meta("lm_head", LinearKind::floating, table, {}, {}, promised)
                                : Linear::floating("lm_head", table, {}, math);
  head.info = {"lm_head", "lm_head_input", promised[1], promised[0], false};
  return head;
}

}  // namespace

LanguageEnds::LanguageEnds(const WeightSource& source, const Qwen25VlConfig& config, const ModelOptions& options)
    : config_(config),
      table_(source.tensor("model.embed_tokens.weight")),
      norm_(load_norm(source, "model.norm", config.text.rms_norm_eps)),
      head_is_table_(is_tied(config, source.has("lm_head.weight"))),
      lm_head_(load_lm_head(source, table_, head_is_table_, options.language_math)) {
  if (head_is_table_ && has_data())
    log_line(LogLevel::info, "model",
             [] { return std::string("lm_head is tied: it multiplies by the embedding's table"); });
  if (options.lm_head != HeadWeights::int8 || lm_head_.linear.kind() != LinearKind::floating || !has_data()) return;
  lm_head_.linear = int8_copy(lm_head_.linear.module_path(), lm_head_.weight, options.language_math);
  head_is_table_ = false;
}

float* LanguageEnds::embed_sequence(const SequenceCall& sequence, float* out) const {
  const std::int64_t width = config_.text.hidden_size;
  const Tensor& vision = sequence.vision;
  const std::span<const std::int32_t> ids = sequence.ids.values<std::int32_t>();
  std::int64_t next_row = 0;
  for (std::size_t i = 0; i < ids.size(); ++i, out += width) {
    if (ids[i] == config_.image_token_id && i < sequence.generated_from) {
      if (!vision.defined() || next_row >= vision.dim(0)) {
        throw Error(ErrorCode::invalid_argument, "model.embed_tokens: position " + std::to_string(i) +
                                                     " is an image pad, but there are only " +
                                                     std::to_string(next_row) + " vision rows");
      }
      std::memcpy(out, vision.data<float>() + next_row++ * width, static_cast<std::size_t>(width) * sizeof(float));
    } else {
      read_row(table_, ids[i], out);
    }
  }
  return out;
}

Tensor LanguageEnds::embed(std::span<const SequenceCall> sequences) const {
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
  Tensor hidden = binder.output("x", DType::f32, Shape{rows, config_.text.hidden_size});
  if (!hidden.is_meta()) {
    float* out = hidden.mutable_data<float>();
    for (const SequenceCall& sequence : sequences) out = embed_sequence(sequence, out);
  }
  binder.done({{"x", hidden}});
  return hidden;
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

LanguageContext LanguageEnds::context(std::span<const SequenceCall> sequences) const {
  const TextConfig& text = config_.text;
  LanguageContext context;
  std::int64_t rows = 0;
  for (const SequenceCall& sequence : sequences) {
    context.parts.push_back(
        {sequence.plan != nullptr ? *sequence.plan : plan(sequence), sequence.cache, rows, sequence.logit_rows});
    rows += context.parts.back().plan.q_len;
  }
  context.rotary =
      mrope_table(join_positions(context.parts), text.head_dim, text.rope_theta, text.mrope_section, "model");
  return context;
}

Tensor LanguageEnds::logits(const Tensor& hidden) const {
  const Tensor normed = norm_(hidden);
  if (head_is_table_) announce_note([] { return "tied: the embedding's table"; });
  return lm_head_.linear.forward(normed);
}

SequenceState LanguageEnds::new_state() const {
  SequenceState::Tokens tokens;
  tokens.image_token_id = static_cast<std::int32_t>(config_.image_token_id);
  tokens.video_token_id = static_cast<std::int32_t>(config_.video_token_id);
  tokens.spatial_merge_size = config_.vision.spatial_merge_size;
  tokens.tokens_per_second = config_.vision.tokens_per_second;
  return SequenceState(tokens);
}

CallPlan LanguageEnds::plan(const SequenceCall& sequence) const {
  if (sequence.ids.is_meta()) return sequence.state->plan(sequence.ids.dim(0));
  const std::span<const std::int32_t> ids = sequence.ids.values<std::int32_t>();
  const auto is_pad = [&](std::int32_t id) { return id == config_.image_token_id || id == config_.video_token_id; };
  const auto generated = ids.subspan(std::min(sequence.generated_from, ids.size()));
  if (std::none_of(generated.begin(), generated.end(), is_pad)) return sequence.state->plan(ids, sequence.grids);
  // A model may utter the id of a pad; it gets a text position. Any id that is no pad stands in for it.
  std::vector<std::int32_t> spelled(ids.begin(), ids.end());
  std::int32_t text_id = 0;
  while (is_pad(text_id)) ++text_id;
  std::fill(spelled.begin() + static_cast<std::ptrdiff_t>(sequence.generated_from), spelled.end(), text_id);
  return sequence.state->plan(spelled, sequence.grids);
}

std::size_t LanguageEnds::weight_bytes() const noexcept {
  return table_.size_bytes() + norm_.weight.size_bytes() + (head_is_table_ ? 0 : lm_head_.linear.weight_bytes());
}

}  // namespace octavo::model
