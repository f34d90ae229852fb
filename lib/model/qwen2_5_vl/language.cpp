// The language model: embedding with vision rows scattered in, decoder layers, logits.
#include <algorithm>
#include <cstring>
#include <string>

#include "octavo/model_contracts.hpp"
#include "ops.hpp"
#include "qwen2_5_vl.hpp"

namespace octavo::model {

DecoderLayer::DecoderLayer(const Checkpoint& checkpoint, const TextConfig& config, std::int64_t index)
    : LinearBlock("model.layers." + std::to_string(index)),
      index_(index),
      heads_(config.num_attention_heads),
      kv_heads_(config.num_key_value_heads),
      head_dim_(config.head_dim),
      attention_path_(module_path() + ".self_attn"),
      mlp_path_(module_path() + ".mlp"),
      input_norm_(load_norm(checkpoint, module_path() + ".input_layernorm", config.rms_norm_eps)),
      post_norm_(load_norm(checkpoint, module_path() + ".post_attention_layernorm", config.rms_norm_eps)),
      q_(add(checkpoint, "self_attn.q_proj", "self_attn.qkv_input")),
      k_(add(checkpoint, "self_attn.k_proj", "self_attn.qkv_input")),
      v_(add(checkpoint, "self_attn.v_proj", "self_attn.qkv_input")),
      o_(add(checkpoint, "self_attn.o_proj", "self_attn.o_input")),
      gate_(add(checkpoint, "mlp.gate_proj", "mlp.gate_up_input")),
      up_(add(checkpoint, "mlp.up_proj", "mlp.gate_up_input")),
      down_(add(checkpoint, "mlp.down_proj", "mlp.down_input")) {}

Tensor DecoderLayer::split_heads(std::size_t slot, const Tensor& x, std::int64_t heads) const {
  Tensor split = x.reshape(Shape{x.dim(0), heads, head_dim_});
  report_operation(kSplitHeadsContract, path_of(slot), [&](Binder& binder) {
    binder.dim("heads", heads, "config.json").dim("D", head_dim_, "head_dim").arg("x", x).done({{"y", split}});
  });
  return split;
}

Tensor DecoderLayer::attend(const Tensor& x, const LanguageContext& context, LinearObserver* observer) const {
  observe(observer, q_, x);
  Heads heads;
  heads.q = split_heads(q_, apply(q_, x), heads_);
  heads.k = split_heads(k_, apply(k_, x), kv_heads_);
  heads.v = split_heads(v_, apply(v_, x), kv_heads_);
  apply_rotary(heads.q, context.rotary, attention_path_);
  apply_rotary(heads.k, context.rotary, attention_path_);
  Tensor merged;
  if (context.parts.size() == 1) {
    merged = attend_part(heads, context.parts.front());
  } else {
    merged = Tensor::empty(DType::f32, Shape{x.dim(0), heads_ * head_dim_});
    float* out = merged.mutable_data<float>();
    for (const LanguagePart& part : context.parts) {
      const Tensor rows = attend_part(heads, part);
      std::memcpy(out + part.first * heads_ * head_dim_, rows.data<float>(), rows.size_bytes());
    }
  }
  observe(observer, o_, merged);
  return apply(o_, merged);
}

Tensor DecoderLayer::attend_part(const Heads& heads, const LanguagePart& part) const {
  const std::int64_t rows = part.plan.q_len;
  // Heads first, as views: (1, heads, rows, D).
  const auto first = [&](const Tensor& x) {
    return x.slice(0, part.first, part.first + rows).reshape(Shape{1, rows, x.dim(1), head_dim_}).permute({0, 2, 1, 3});
  };
  KvCache::View seen{first(heads.k), first(heads.v)};
  if (part.cache != nullptr) seen = part.cache->append(index_, seen.k, seen.v, attention_path_);
  AttentionOptions options;
  options.mask = part.plan.mask;
  options.past = part.plan.past;
  options.module_path = attention_path_;
  const Tensor out = attention(first(heads.q), seen.k, seen.v, options);
  Tensor merged = out.permute({0, 2, 1, 3}).contiguous().reshape(Shape{rows, heads_ * head_dim_});
  report_operation(kJoinHeadsContract, attention_path_, [&](Binder& binder) {
    binder.arg("x", out).done({{"y", merged}});
  });
  return merged;
}

void DecoderLayer::run(Tensor& hidden, const LanguageContext& context, LinearObserver* observer) const {
  add_in_place(hidden, attend(input_norm_(hidden), context, observer), module_path());
  const Tensor normed = post_norm_(hidden);
  observe(observer, gate_, normed);
  Tensor gate = apply(gate_, normed);
  silu_multiply(gate, apply(up_, normed), mlp_path_);
  observe(observer, down_, gate);
  add_in_place(hidden, apply(down_, gate), module_path());
}

void DecoderLayer::forward(BlockState& state, LinearObserver* observer) const {
  run(state.hidden, *static_cast<const LanguageContext*>(state.context.get()), observer);
}

namespace {

LoadedLinear load_lm_head(const Checkpoint& checkpoint, const Tensor& table, bool tied) {
  if (!tied) return load_linear(checkpoint, "lm_head", "lm_head_input");
  LoadedLinear head;
  head.weight = table;
  head.linear = Linear::floating("lm_head", table, {});
  head.info = {"lm_head", "lm_head_input", table.dim(1), table.dim(0), false};
  return head;
}

}  // namespace

LanguageEnds::LanguageEnds(const Checkpoint& checkpoint, const Qwen25VlConfig& config)
    : config_(config),
      table_(checkpoint.tensor("model.embed_tokens.weight")),
      norm_(load_norm(checkpoint, "model.norm", config.text.rms_norm_eps)),
      lm_head_(load_lm_head(checkpoint, table_, is_tied(config, checkpoint))),
      tied_(is_tied(config, checkpoint)) {}

float* LanguageEnds::embed_sequence(const SequenceCall& sequence, float* out) const {
  const std::int64_t width = config_.text.hidden_size;
  const Tensor& vision = sequence.vision;
  std::int64_t next_row = 0;
  for (std::size_t i = 0; i < sequence.ids.size(); ++i, out += width) {
    if (sequence.ids[i] == config_.image_token_id && i < sequence.generated_from) {
      if (!vision.defined() || next_row >= vision.dim(0)) {
        throw Error(ErrorCode::invalid_argument, "model.embed_tokens: position " + std::to_string(i) +
                                                     " is an image pad, but there are only " +
                                                     std::to_string(next_row) + " vision rows");
      }
      std::memcpy(out, vision.data<float>() + next_row++ * width, static_cast<std::size_t>(width) * sizeof(float));
    } else {
      read_row(table_, sequence.ids[i], out);
    }
  }
  return out;
}

Tensor LanguageEnds::embed(std::span<const SequenceCall> sequences) const {
  std::int64_t rows = 0;
  std::int64_t vision_rows = 0;
  for (const SequenceCall& sequence : sequences) {
    rows += static_cast<std::int64_t>(sequence.ids.size());
    vision_rows += sequence.vision.defined() ? sequence.vision.dim(0) : 0;
  }
  Tensor hidden = Tensor::empty(DType::f32, Shape{rows, config_.text.hidden_size});
  float* out = hidden.mutable_data<float>();
  for (const SequenceCall& sequence : sequences) out = embed_sequence(sequence, out);
  report_operation(kEmbeddingContract, "model.embed_tokens", [&](Binder& binder) {
    binder.arg("ids", DType::s32, Shape{rows}).arg("table", table_);
    if (vision_rows > 0) binder.arg("vision", DType::f32, Shape{vision_rows, config_.text.hidden_size});
    binder.done({{"x", hidden}});
  });
  return hidden;
}

namespace {

/// The positions [3, q_len] of every part, side by side.
Tensor joined_positions(const std::vector<LanguagePart>& parts) {
  if (parts.size() == 1) return parts.front().plan.positions;
  const std::int64_t rows = parts.back().first + parts.back().plan.q_len;
  Tensor joined = Tensor::empty(DType::i64, Shape{3, rows});
  for (const LanguagePart& part : parts)
    for (std::int64_t axis = 0; axis < 3; ++axis)
      std::copy_n(part.plan.positions.data<std::int64_t>() + axis * part.plan.q_len, part.plan.q_len,
                  joined.mutable_data<std::int64_t>() + axis * rows + part.first);
  return joined;
}

}  // namespace

LanguageContext LanguageEnds::context(std::span<const SequenceCall> sequences) const {
  const TextConfig& text = config_.text;
  LanguageContext context;
  std::int64_t rows = 0;
  for (const SequenceCall& sequence : sequences) {
    context.parts.push_back({plan(sequence), sequence.cache, rows});
    rows += context.parts.back().plan.q_len;
  }
  context.rotary =
      mrope_table(joined_positions(context.parts), text.head_dim, text.rope_theta, text.mrope_section, "model");
  return context;
}

Tensor LanguageEnds::logits(const Tensor& hidden) const { return lm_head_.linear.forward(norm_(hidden)); }

SequenceState LanguageEnds::new_state() const {
  SequenceState::Tokens tokens;
  tokens.image_token_id = static_cast<std::int32_t>(config_.image_token_id);
  tokens.video_token_id = static_cast<std::int32_t>(config_.video_token_id);
  tokens.spatial_merge_size = config_.vision.spatial_merge_size;
  tokens.tokens_per_second = config_.vision.tokens_per_second;
  return SequenceState(tokens);
}

CallPlan LanguageEnds::plan(const SequenceCall& sequence) const {
  if (sequence.generated_from >= sequence.ids.size()) return sequence.state->plan(sequence.ids, sequence.grids);
  // A model may utter the id of a pad; it gets a text position. Any id that is no pad stands in for it.
  std::vector<std::int32_t> spelled(sequence.ids.begin(), sequence.ids.end());
  std::int32_t text_id = 0;
  while (text_id == config_.image_token_id || text_id == config_.video_token_id) ++text_id;
  std::fill(spelled.begin() + static_cast<std::ptrdiff_t>(sequence.generated_from), spelled.end(), text_id);
  return sequence.state->plan(spelled, sequence.grids);
}

std::size_t LanguageEnds::weight_bytes() const noexcept {
  return table_.size_bytes() + norm_.weight.size_bytes() + (tied_ ? 0 : lm_head_.linear.weight_bytes());
}

}  // namespace octavo::model
