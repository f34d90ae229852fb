// Which tensors config.json promises, and why.
#include <algorithm>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "qwen2_5_vl.hpp"
#include "wrapped_names.hpp"

namespace octavo::model {
namespace {

std::string eq(const std::string& field, std::int64_t value) { return field + " = " + std::to_string(value); }

class List {
 public:
  /// With `problems`, a scheme that cannot be run is reported, once each, and how the linear is stored left open.
  explicit List(const Checkpoint& checkpoint, std::vector<CheckProblem>* problems = nullptr)
      : checkpoint_(checkpoint), problems_(problems) {}

  void vector(const std::string& name, std::int64_t n, const std::string& because) {
    tensors.push_back({name, Shape{n}, eq(because, n)});
  }

  /// A linear `path`, float or as quantization_config says; `rows` and `columns` name the fields behind N and K.
  void linear(const std::string& path, std::int64_t n, const std::string& rows, std::int64_t k,
              const std::string& columns, bool bias) {
    const std::optional<StoredScheme> scheme = scheme_of(path);
    tensors.push_back({path + ".weight", Shape{n, k}, eq(rows, n) + ", " + eq(columns, k), false,
                       scheme.value_or(StoredScheme::none), scheme.has_value()});
    if (scheme && *scheme != StoredScheme::none)
      tensors.push_back({path + ".weight_scale", Shape{n, 1}, eq(rows, n) + ", one scale per row"});
    if (bias) vector(path + ".bias", n, rows);
  }

  std::vector<ExpectedTensor> tensors;

 private:
  std::optional<StoredScheme> scheme_of(const std::string& path) {
    try {
      return checkpoint_.scheme_of(path);
    } catch (const Error& error) {
      if (problems_ == nullptr) throw;
      const std::string what = error.what();
      if (told_.insert(what).second)
        problems_->push_back(
            {what, checkpoint_.config().where() + ": quantization_config",
             "Octavo runs compressed-tensors \"int-quantized\" and \"pack-quantized\": int8 weights per "
             "channel, activations int8 per token or float"});
      return std::nullopt;
    }
  }

  const Checkpoint& checkpoint_;
  std::vector<CheckProblem>* problems_;
  std::set<std::string> told_;
};

void vision_tensors(List& list, const VisionConfig& config) {
  const std::string prefix = "vision_config.";
  const std::int64_t width = config.hidden_size;
  const std::string hidden = prefix + "hidden_size";
  list.tensors.push_back(
      {"visual.patch_embed.proj.weight",
       Shape{width, config.in_channels, config.temporal_patch_size, config.patch_size, config.patch_size},
       eq(hidden, width) + ", " + eq(prefix + "in_channels", config.in_channels) + ", " +
           eq(prefix + "temporal_patch_size", config.temporal_patch_size) + ", " +
           eq(prefix + "patch_size", config.patch_size)});
  for (std::int64_t i = 0; i < config.depth; ++i) {
    const std::string block = "visual.blocks." + std::to_string(i);
    const std::string inner = prefix + "intermediate_size";
    list.vector(block + ".norm1.weight", width, hidden);
    list.linear(block + ".attn.qkv", 3 * width, "3 * " + hidden, width, hidden, true);
    list.linear(block + ".attn.proj", width, hidden, width, hidden, true);
    list.vector(block + ".norm2.weight", width, hidden);
    list.linear(block + ".mlp.gate_proj", config.intermediate_size, inner, width, hidden, true);
    list.linear(block + ".mlp.up_proj", config.intermediate_size, inner, width, hidden, true);
    list.linear(block + ".mlp.down_proj", width, hidden, config.intermediate_size, inner, true);
  }
  const std::string merged = prefix + "spatial_merge_size^2 * hidden_size";
  list.vector("visual.merger.ln_q.weight", width, hidden);
  list.linear("visual.merger.mlp.0", config.merged_size(), merged, config.merged_size(), merged, true);
  list.linear("visual.merger.mlp.2", config.out_hidden_size, prefix + "out_hidden_size", config.merged_size(), merged,
              true);
}

void layer_tensors(List& list, const TextConfig& config, std::int64_t index) {
  const std::string layer = "model.layers." + std::to_string(index);
  const std::int64_t width = config.hidden_size;
  const std::int64_t queries = config.num_attention_heads * config.head_dim;
  const std::int64_t keys = config.num_key_value_heads * config.head_dim;
  list.vector(layer + ".input_layernorm.weight", width, "hidden_size");
  list.linear(layer + ".self_attn.q_proj", queries, "num_attention_heads * head_dim", width, "hidden_size", true);
  list.linear(layer + ".self_attn.k_proj", keys, "num_key_value_heads * head_dim", width, "hidden_size", true);
  list.linear(layer + ".self_attn.v_proj", keys, "num_key_value_heads * head_dim", width, "hidden_size", true);
  list.linear(layer + ".self_attn.o_proj", width, "hidden_size", queries, "num_attention_heads * head_dim", false);
  list.vector(layer + ".post_attention_layernorm.weight", width, "hidden_size");
  list.linear(layer + ".mlp.gate_proj", config.intermediate_size, "intermediate_size", width, "hidden_size", false);
  list.linear(layer + ".mlp.up_proj", config.intermediate_size, "intermediate_size", width, "hidden_size", false);
  list.linear(layer + ".mlp.down_proj", width, "hidden_size", config.intermediate_size, "intermediate_size", false);
}

}  // namespace

bool is_tied(const Qwen25VlConfig& config, bool has_lm_head) {
  return config.tie_word_embeddings.value_or(!has_lm_head);
}

std::vector<ExpectedTensor> expected_tensors(const Checkpoint& checkpoint, const Qwen25VlConfig& config,
                                             std::vector<CheckProblem>* problems) {
  List list(checkpoint, problems);
  const TextConfig& text = config.text;
  vision_tensors(list, config.vision);
  list.tensors.push_back({"model.embed_tokens.weight", Shape{text.vocab_size, text.hidden_size},
                          eq("vocab_size", text.vocab_size) + ", " + eq("hidden_size", text.hidden_size)});
  for (std::int64_t i = 0; i < text.num_hidden_layers; ++i) layer_tensors(list, text, i);
  list.vector("model.norm.weight", text.hidden_size, "hidden_size");
  if (is_tied(config, checkpoint.find("lm_head.weight") != nullptr)) {
    // Fine-tunes of tied models sometimes keep a copy.
    list.tensors.push_back({"lm_head.weight", Shape{text.vocab_size, text.hidden_size},
                            eq("vocab_size", text.vocab_size) + ", " + eq("hidden_size", text.hidden_size), true});
  } else {
    list.linear("lm_head", text.vocab_size, "vocab_size", text.hidden_size, "hidden_size", false);
  }
  return std::move(list.tensors);
}

std::vector<ExpectedTensor> qwen2_5_vl_tensors(const Checkpoint& checkpoint) {
  return expected_tensors(checkpoint, qwen2_5_vl_config(checkpoint));
}

Qwen25VlConfig qwen2_5_vl_config(const Checkpoint& checkpoint) {
  Qwen25VlConfig config = Qwen25VlConfig::parse(checkpoint.config());
  require_plain_names(checkpoint);
  config.tie_word_embeddings = embedding_is_head(checkpoint, config.tie_word_embeddings);
  return config;
}

bool is_plausible(const Checkpoint& checkpoint, const Qwen25VlConfig& config) {
  const auto tensors = static_cast<std::int64_t>(checkpoint.names().size());
  return config.text.num_hidden_layers + config.vision.depth <= tensors;
}

std::string implausible(const Checkpoint& checkpoint, const Qwen25VlConfig& config) {
  return checkpoint.config().where() + ": num_hidden_layers " + std::to_string(config.text.num_hidden_layers) +
         " and vision_config.depth " + std::to_string(config.vision.depth) +
         " promise more blocks than there are tensors, " + std::to_string(checkpoint.names().size());
}

void require_plausible_blocks(const Checkpoint& checkpoint, const Qwen25VlConfig& config) {
  if (!is_plausible(checkpoint, config)) throw Error(ErrorCode::format, implausible(checkpoint, config));
}

}  // namespace octavo::model
