// Gemma 2 without caps in its attention: an embedding that is scaled, norms by 1 + weight, logits that are capped
// compute what transformers computes (tests/golden/gemma2/make.py).
#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "catch.hpp"
#include "golden.hpp"
#include "octavo/octavo.hpp"

using octavo::Extent, octavo::FloatMath, octavo::Json, octavo::RmsNorm, octavo::Tensor, octavo::WeightSource;

namespace {

std::string directory() { return std::string(OCTAVO_SOURCE_DIR) + "/tests/golden/gemma2"; }

RmsNorm plus_one(RmsNorm norm) {
  if (norm.weight.is_meta()) return norm;
  norm.weight = norm.weight.clone();
  for (float& value : norm.weight.mutable_values<float>()) value += 1;
  return norm;
}

/// x times the tanh form of gelu of gate.
Tensor gelu_multiply(Tensor gate, const Tensor& up) {
  if (gate.is_meta()) return gate;
  const float* other = up.data<float>();
  for (float& x : gate.mutable_values<float>()) {
    const double inner = std::sqrt(2 / std::acos(-1.0)) * (double{x} + 0.044715 * std::pow(double{x}, 3));
    x = static_cast<float>(0.5 * double{x} * (1 + std::tanh(inner)) * double{*other++});
  }
  return gate;
}

struct Layer final : octavo::LanguageLayer {
  Layer(WeightSource& weights, const octavo::TextConfig& config, std::int64_t index, FloatMath math)
      : LanguageLayer(index, math), config_(config) {
    const Extent width{config.hidden_size, "hidden_size"}, inner{config.intermediate_size, "intermediate_size"};
    const Extent queries{config.num_attention_heads * config.head_dim, "num_attention_heads * head_dim"};
    const Extent keys{config.num_key_value_heads * config.head_dim, "num_key_value_heads * head_dim"};
    const auto norm = [&](const char* name) { return plus_one(add_norm(weights, name, width, config.rms_norm_eps)); };
    before_attention_ = norm("input_layernorm");
    q_ = add(weights, "self_attn.q_proj", "self_attn.qkv_input", queries, width);
    k_ = add(weights, "self_attn.k_proj", "self_attn.qkv_input", keys, width);
    v_ = add(weights, "self_attn.v_proj", "self_attn.qkv_input", keys, width);
    o_ = add(weights, "self_attn.o_proj", "self_attn.o_input", width, queries);
    behind_attention_ = norm("post_attention_layernorm");
    before_mlp_ = norm("pre_feedforward_layernorm");
    gate_ = add(weights, "mlp.gate_proj", "mlp.gate_up_input", inner, width);
    up_ = add(weights, "mlp.up_proj", "mlp.gate_up_input", inner, width);
    down_ = add(weights, "mlp.down_proj", "mlp.down_input", width, inner);
    behind_mlp_ = norm("post_feedforward_layernorm");
  }

  void run(Tensor& hidden, const octavo::LayerCall& call) const override {
    const auto [q, k, v] = apply_all({q_, k_, v_}, before_attention_(hidden), call);
    Tensor queries = heads(q, config_.num_attention_heads, q_);
    Tensor keys = heads(k, config_.num_key_value_heads, k_);
    octavo::apply_rotary(queries, call.rotary(), path_of(q_));
    octavo::apply_rotary(keys, call.rotary(), path_of(k_));
    const Tensor values = heads(v, config_.num_key_value_heads, v_);
    const Tensor attended = call.attend(queries, keys, values, math(), module_path() + ".self_attn");
    octavo::add_in_place(hidden, behind_attention_(apply(o_, attended, call)), module_path());
    const auto [gate, up] = apply_all({gate_, up_}, before_mlp_(hidden), call);
    octavo::add_in_place(hidden, behind_mlp_(apply(down_, gelu_multiply(gate, up), call)), module_path());
  }
  std::unique_ptr<LanguageLayer> clone() const override { return std::make_unique<Layer>(*this); }

  Tensor heads(const Tensor& x, std::int64_t count, std::size_t linear) const {
    return octavo::split_heads(x, count, config_.head_dim, "num_attention_heads", path_of(linear));
  }
  octavo::TextConfig config_;
  RmsNorm before_attention_, behind_attention_, before_mlp_, behind_mlp_;
  std::size_t q_, k_, v_, o_, gate_, up_, down_;
};

struct Gemma2 final : octavo::Architecture {
  explicit Gemma2(const Json& config) {
    const auto at = [&](const char* key) { return config.at(key).as_int(); };
    text_config.hidden_size = at("hidden_size"), text_config.intermediate_size = at("intermediate_size");
    text_config.num_hidden_layers = at("num_hidden_layers"), text_config.vocab_size = at("vocab_size");
    text_config.num_attention_heads = at("num_attention_heads"), text_config.head_dim = at("head_dim");
    text_config.num_key_value_heads = at("num_key_value_heads");
    text_config.max_position_embeddings = at("max_position_embeddings");
    text_config.rms_norm_eps = config.at("rms_norm_eps").as_number();
    text_config.rope_theta = config.at("rope_parameters").at("rope_theta").as_number();
    cap = config.at("final_logit_softcapping").as_number();
  }
  const octavo::TextConfig& text() const noexcept override { return text_config; }
  std::unique_ptr<octavo::LanguageLayer> layer(WeightSource& weights, std::int64_t i, FloatMath math) const override {
    return std::make_unique<Layer>(weights, text_config, i, math);
  }
  octavo::LanguageScales scales() const noexcept override {
    return {.embedding = std::sqrt(static_cast<double>(text_config.hidden_size)), .logit_cap = cap};
  }
  octavo::FinalNorm final_norm(WeightSource& weights) const override {
    const Extent width{text_config.hidden_size, "hidden_size"};
    const RmsNorm norm = plus_one(octavo::load_norm(weights, "model.norm", width, text_config.rms_norm_eps));
    return {norm, norm.weight.size_bytes()};
  }
  octavo::TextConfig text_config;
  double cap = 0;
};

octavo::Model open() {
  static const bool registered = [] {
    octavo::register_architecture("gemma2",
                                  {.read = [](const Json& config) { return std::make_shared<Gemma2>(config); }});
    return true;
  }();
  REQUIRE(registered);
  return octavo::Model::open(directory());
}

Tensor golden_tensor(const std::string& name) { return golden::tensor(directory(), name); }

}  // namespace

TEST_CASE("a scaled embedding and capped logits are those of transformers within 1e-4") {
  const octavo::Model model = open();
  std::vector<Tensor> hidden;
  const Tensor logits = model.forward(golden::input(golden_tensor("ids")), &hidden);
  CHECK(golden::furthest(hidden.at(0), golden_tensor("layer0")) <= 1e-4);
  CHECK(golden::furthest(logits, golden_tensor("logits")) <= 1e-4);
}

TEST_CASE("calibration sees the scaled embedding") {
  const octavo::Model model = open();
  const auto blocks = octavo::BlockwiseModel::open(model.checkpoint());
  octavo::BlockState state = blocks->begin_language(golden::input(golden_tensor("ids")), {});
  CHECK(golden::furthest(state.hidden, golden_tensor("embedded")) <= 1e-5);
  blocks->load_block(octavo::Tower::language, 0)->forward(state, nullptr);
  CHECK(golden::furthest(state.hidden, golden_tensor("layer0")) <= 1e-4);
}

TEST_CASE("an answer under a cap is the same by every way of running it") {
  const octavo::Model model = open();
  octavo::GenerateOptions options;
  options.max_new_tokens = 20;
  options.ignore_eos = true;
  options.sampling.emplace();
  const octavo::ModelInput input = golden::input(golden_tensor("ids"));
  const std::vector<std::int32_t> cached = model.generate(input, options).tokens;
  REQUIRE(cached.size() == 20);
  octavo::GenerateOptions uncached = options;
  uncached.use_cache = false;
  CHECK(model.generate(input, uncached).tokens == cached);
  const std::vector<octavo::ModelInput> two{input, input};
  for (const octavo::GenerateResult& result : model.generate(std::span(two), options)) CHECK(result.tokens == cached);
  // Each is the first of the largest logits behind what stands before it.
  octavo::ModelInput whole = input;
  whole.ids.insert(whole.ids.end(), cached.begin(), cached.end());
  const Tensor logits = model.forward(whole);
  for (std::size_t i = 0; i < cached.size(); ++i) {
    const auto row = logits.select(0, static_cast<std::int64_t>(input.ids.size() + i) - 1).values<float>();
    CHECK(cached[i] == std::max_element(row.begin(), row.end()) - row.begin());
  }
}
