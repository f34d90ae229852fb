// A layer of the language model: grouped heads with biases, then a gated MLP.
#include <string>

#include "octavo/model_operations.hpp"
#include "qwen2_5_vl.hpp"

namespace octavo::model {

namespace {

Extent queries(const TextConfig& config) {
  return {config.num_attention_heads * config.head_dim, "num_attention_heads * head_dim"};
}
Extent keys(const TextConfig& config) {
  return {config.num_key_value_heads * config.head_dim, "num_key_value_heads * head_dim"};
}
Extent width(const TextConfig& config) { return {config.hidden_size, "hidden_size"}; }
Extent inner(const TextConfig& config) { return {config.intermediate_size, "intermediate_size"}; }

}  // namespace

DecoderLayer::DecoderLayer(WeightSource& weights, const TextConfig& config, std::int64_t index, FloatMath math)
    : LanguageLayer(index, math),
      heads_(config.num_attention_heads),
      kv_heads_(config.num_key_value_heads),
      head_dim_(config.head_dim),
      attention_path_(module_path() + ".self_attn"),
      mlp_path_(module_path() + ".mlp"),
      input_norm_(add_norm(weights, "input_layernorm", width(config), config.rms_norm_eps)),
      q_(add(weights, "self_attn.q_proj", "self_attn.qkv_input", queries(config), width(config), true)),
      k_(add(weights, "self_attn.k_proj", "self_attn.qkv_input", keys(config), width(config), true)),
      v_(add(weights, "self_attn.v_proj", "self_attn.qkv_input", keys(config), width(config), true)),
      o_(add(weights, "self_attn.o_proj", "self_attn.o_input", width(config), queries(config))),
      post_norm_(add_norm(weights, "post_attention_layernorm", width(config), config.rms_norm_eps)),
      gate_(add(weights, "mlp.gate_proj", "mlp.gate_up_input", inner(config), width(config))),
      up_(add(weights, "mlp.up_proj", "mlp.gate_up_input", inner(config), width(config))),
      down_(add(weights, "mlp.down_proj", "mlp.down_input", width(config), inner(config))) {}

Tensor DecoderLayer::attend(const Tensor& x, const LayerCall& call, Tensor& hidden) const {
  Heads heads = project(x, call);
  apply_rotary(heads.q, call.rotary(), attention_path_);
  apply_rotary(heads.k, call.rotary(), attention_path_);
  const Tensor joined = call.attend(heads.q, heads.k, heads.v, math(), attention_path_);
  if (current_observer() != nullptr) return apply(o_, joined, call);
  apply_add(o_, joined, hidden, call);
  return {};
}

DecoderLayer::Heads DecoderLayer::project(const Tensor& x, const LayerCall& call) const {
  const auto split = [&](const Tensor& y, std::size_t slot) {
    const bool query = slot == q_;
    return split_heads(y, query ? heads_ : kv_heads_, head_dim_, query ? "num_attention_heads" : "num_key_value_heads",
                       path_of(slot));
  };
  if (current_observer() == nullptr) {
    const auto [q, k, v] = apply_all({q_, k_, v_}, x, call);
    return {split(q, q_), split(k, k_), split(v, v_)};
  }
  Heads heads;  // one after the other, each heard of with its heads
  heads.q = split(apply(q_, x, call), q_);
  heads.k = split(apply(k_, x, call), k_);
  heads.v = split(apply(v_, x, call), v_);
  return heads;
}

void DecoderLayer::run(Tensor& hidden, const LayerCall& call) const {
  {
    const Tensor attended = attend(input_norm_(hidden), call, hidden);
    if (attended.defined()) add_in_place(hidden, attended, module_path());  // the normed rows are gone
  }
  const Tensor gate = apply_gated(gate_, up_, post_norm_(hidden), mlp_path_, call);
  apply_add(down_, gate, hidden, call);
}

}  // namespace octavo::model
