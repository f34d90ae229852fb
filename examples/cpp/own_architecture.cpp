// An architecture of your own: Qwen3, which Octavo does not come with, registered, quantized, and answering in W8A8.
//   own_architecture MODEL_DIR OUT_DIR SAMPLES.jsonl QUESTION
#include <iostream>
#include <octavo/octavo.hpp>

using octavo::Extent, octavo::FloatMath, octavo::Json, octavo::Tensor, octavo::TextConfig, octavo::WeightSource;

namespace {

// How config.json is read. What is not understood is refused: a wrong answer would be worse.
TextConfig read_text(const Json& config) {
  const auto parameters = config.find("rope_parameters");  // transformers 5; 4 has the keys at the top
  const Json rope = parameters && parameters->is_object() ? *parameters : config;
  const bool older = config.find("rope_scaling").value_or(Json()).is_object();
  if (older || rope.get_string("rope_type", "default") != "default" || config.get_bool("use_sliding_window", false))
    throw octavo::Error(octavo::ErrorCode::unsupported, config.where() + ": scaled positions or sliding windows");
  TextConfig text;
  const auto at = [&](const char* key) { return config.at(key).as_int(); };  // an error names file and key
  text.hidden_size = at("hidden_size"), text.intermediate_size = at("intermediate_size");
  text.num_hidden_layers = at("num_hidden_layers"), text.num_attention_heads = at("num_attention_heads");
  text.num_key_value_heads = at("num_key_value_heads"), text.head_dim = at("head_dim");
  text.vocab_size = at("vocab_size"), text.max_position_embeddings = at("max_position_embeddings");
  text.rms_norm_eps = config.at("rms_norm_eps").as_number(), text.rope_theta = rope.at("rope_theta").as_number();
  return text;
}

// Grouped heads, each query and key normed (which is new in Qwen3), then a gated MLP.
struct Layer final : octavo::LanguageLayer {
  // What it is made of: each weight by its name, and by its shape in terms of config.json.
  Layer(WeightSource& weights, const TextConfig& config, std::int64_t index, FloatMath math)
      : LanguageLayer(index, math), config_(config) {
    const Extent width{config.hidden_size, "hidden_size"}, inner{config.intermediate_size, "intermediate_size"};
    const Extent queries{config.num_attention_heads * config.head_dim, "num_attention_heads * head_dim"};
    const Extent keys{config.num_key_value_heads * config.head_dim, "num_key_value_heads * head_dim"};
    norm1_ = add_norm(weights, "input_layernorm", width, config.rms_norm_eps);
    q_ = add(weights, "self_attn.q_proj", "self_attn.qkv_input", queries, width);  // one input, one Hessian
    k_ = add(weights, "self_attn.k_proj", "self_attn.qkv_input", keys, width);
    v_ = add(weights, "self_attn.v_proj", "self_attn.qkv_input", keys, width);
    q_norm_ = add_norm(weights, "self_attn.q_norm", {config.head_dim, "head_dim"}, config.rms_norm_eps);
    k_norm_ = add_norm(weights, "self_attn.k_norm", {config.head_dim, "head_dim"}, config.rms_norm_eps);
    o_ = add(weights, "self_attn.o_proj", "self_attn.o_input", width, queries);
    norm2_ = add_norm(weights, "post_attention_layernorm", width, config.rms_norm_eps);
    gate_ = add(weights, "mlp.gate_proj", "mlp.gate_up_input", inner, width);
    up_ = add(weights, "mlp.up_proj", "mlp.gate_up_input", inner, width);
    down_ = add(weights, "mlp.down_proj", "mlp.down_input", width, inner);
  }

  // What it computes, on hidden[rows, hidden_size]: of any number of sequences, cached or not, in float or int8.
  void run(Tensor& hidden, const octavo::LayerCall& call) const override {
    const auto [q, k, v] = apply_all({q_, k_, v_}, norm1_(hidden), call);
    const Tensor queries = turned(heads(q, config_.num_attention_heads, q_), q_norm_, call);
    const Tensor keys = turned(heads(k, config_.num_key_value_heads, k_), k_norm_, call);
    const Tensor values = heads(v, config_.num_key_value_heads, v_);
    apply_add(o_, call.attend(queries, keys, values, math(), module_path() + ".self_attn"), hidden, call);
    apply_add(down_, apply_gated(gate_, up_, norm2_(hidden), module_path() + ".mlp", call), hidden, call);
  }
  std::unique_ptr<LanguageLayer> clone() const override { return std::make_unique<Layer>(*this); }

  Tensor heads(const Tensor& x, std::int64_t count, std::size_t linear) const {
    return octavo::split_heads(x, count, config_.head_dim, "num_attention_heads", path_of(linear));
  }
  static Tensor turned(const Tensor& x, const octavo::RmsNorm& norm, const octavo::LayerCall& call) {
    Tensor y = norm(x.reshape({x.dim(0) * x.dim(1), x.dim(2)})).reshape(x.shape());
    octavo::apply_rotary(y, call.rotary(), norm.module_path);
    return y;
  }
  TextConfig config_;
  octavo::RmsNorm norm1_, norm2_, q_norm_, k_norm_;
  std::size_t q_, k_, v_, o_, gate_, up_, down_;
};

struct Qwen3 final : octavo::Architecture {
  explicit Qwen3(const Json& config) : text_config(read_text(config)) {}
  const TextConfig& text() const noexcept override { return text_config; }
  std::unique_ptr<octavo::LanguageLayer> layer(WeightSource& weights, std::int64_t i, FloatMath math) const override {
    return std::make_unique<Layer>(weights, text_config, i, math);
  }
  TextConfig text_config;
};

}  // namespace

int main(int argc, char** argv) try {
  if (argc != 5) return std::cerr << "usage: " << argv[0] << " MODEL_DIR OUT_DIR SAMPLES.jsonl QUESTION\n", 2;
  octavo::register_architecture("qwen3", {.read = [](const Json& config) { return std::make_shared<Qwen3>(config); }});
  octavo::QuantizeOptions options;
  options.calibration = argv[3];
  octavo::quantize(argv[1], argv[2], options);  // by GPTQ; from here on nothing is new
  for (const char* directory : {argv[1], argv[2]}) {
    const octavo::Model model = octavo::Model::open(directory);
    std::cout << octavo::model_info(model).num_w8a8 << " of " << model.linears().size()
              << " linears in W8A8: " << model.generate(model.prepare(argv[4], {})).text << "\n";
  }
  return 0;
} catch (const octavo::Error& error) {
  return std::cerr << error.what() << "\n", 1;
}
