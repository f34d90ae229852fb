#include "octavo/model_info.hpp"

#include <utility>

#include "model_impl.hpp"
#include "octavo/architecture.hpp"
#include "octavo/structure.hpp"

namespace octavo {

namespace {

const char* scheme_word(StoredScheme scheme) {
  switch (scheme) {
    case StoredScheme::w8a8_dynamic:
      return "w8a8";
    case StoredScheme::w8a16:
      return "w8a16";
    case StoredScheme::none:
      break;
  }
  return "float";
}

const Contract& contract_of(StoredScheme scheme) {
  switch (scheme) {
    case StoredScheme::w8a8_dynamic:
      return kLinearW8A8Contract;
    case StoredScheme::w8a16:
      return kLinearW8A16Contract;
    case StoredScheme::none:
      break;
  }
  return kLinearContract;
}

bool is_scale(std::string_view name) {
  return name.ends_with(".weight_scale") || name.ends_with(".weight_zero_point") || name.ends_with(".weight_shape");
}

}  // namespace

ModelInfo model_info(const Model& model) {
  const Checkpoint& checkpoint = model.checkpoint();
  const std::shared_ptr<const Architecture> architecture = read_architecture(checkpoint.config());
  const TextConfig& text = architecture->text();
  ModelInfo info;
  info.model_type = checkpoint.config().get_string("model_type", "");
  info.dtype = dtype_name(running_dtype(checkpoint));
  info.vocab_size = model.vocab_size();
  info.hidden_size = text.hidden_size;
  info.num_layers = text.num_hidden_layers;
  info.num_heads = text.num_attention_heads;
  info.num_kv_heads = text.num_key_value_heads;
  info.head_dim = text.head_dim;
  info.max_position_embeddings = model.max_position_embeddings();
  if (const VisionTower* tower = architecture->vision()) {
    const ImageLayout layout = tower->layout();
    info.vision_num_blocks = tower->num_blocks();
    info.vision_hidden_size = layout.hidden_size;
    info.patch_size = layout.patch_size;
    info.merge_size = layout.merge_size;
    info.image_token_id = layout.image_token_id;
  }
  info.stored_bytes = checkpoint.total_bytes();
  info.resident_bytes = model.resident_bytes();
  for (const std::string& name : checkpoint.names())
    if (!is_scale(name)) info.num_parameters += checkpoint.info(name).shape.numel();
  info.is_quantized = checkpoint.is_quantized();
  for (const LinearInfo& linear : model.linears()) {
    const StoredScheme scheme = checkpoint.scheme_of(linear.module_path);
    std::int64_t& count = scheme == StoredScheme::w8a8_dynamic ? info.num_w8a8
                          : scheme == StoredScheme::w8a16      ? info.num_w8a16
                                                               : info.num_float;
    ++count;
  }
  const GenerationConfig generation = GenerationConfig::read(checkpoint.files(), checkpoint.config());
  for (const std::int64_t id : generation.eos_token_ids) info.eos_token_ids.push_back(static_cast<std::int32_t>(id));
  if (checkpoint.files().has("tokenizer.json") || checkpoint.files().has("vocab.json")) {
    const Tokenizer& tokenizer = model.tokenizer();
    for (std::int32_t id = 0; id < tokenizer.size(); ++id)
      if (tokenizer.is_special(id)) info.special_tokens.push_back({id, tokenizer.token_bytes(id)});
  }
  return info;
}

JsonBuilder describe(const Model& model) {
  const ModelInfo info = model_info(model);
  JsonBuilder tokens = JsonBuilder::array();
  for (const SpecialToken& token : info.special_tokens)
    tokens.push(JsonBuilder::object().set("id", token.id).set("text", token.text));
  JsonBuilder linears = JsonBuilder::array();
  for (const LinearInfo& linear : model.linears()) {
    const StoredScheme scheme = model.checkpoint().scheme_of(linear.module_path);
    linears.push(JsonBuilder::object()
                     .set("module", linear.module_path)
                     .set("in_features", linear.in_features)
                     .set("out_features", linear.out_features)
                     .set("bias", linear.has_bias)
                     .set("scheme", scheme_word(scheme))
                     .set("contract", contract_of(scheme).text()));
  }
  return JsonBuilder::object()
      .set("directory", model.checkpoint().directory())
      .set("model_type", info.model_type)
      .set("dtype", info.dtype)
      .set("vocab_size", info.vocab_size)
      .set("hidden_size", info.hidden_size)
      .set("num_layers", info.num_layers)
      .set("num_heads", info.num_heads)
      .set("num_kv_heads", info.num_kv_heads)
      .set("head_dim", info.head_dim)
      .set("max_position_embeddings", info.max_position_embeddings)
      .set("vision_num_blocks", info.vision_num_blocks)
      .set("vision_hidden_size", info.vision_hidden_size)
      .set("patch_size", info.patch_size)
      .set("merge_size", info.merge_size)
      .set("num_parameters", info.num_parameters)
      .set("stored_bytes", info.stored_bytes)
      .set("resident_bytes", info.resident_bytes)
      .set("quantization", JsonBuilder::object()
                               .set("quantized", info.is_quantized)
                               .set("w8a8", info.num_w8a8)
                               .set("w8a16", info.num_w8a16)
                               .set("float", info.num_float))
      .set("image_token_id", info.image_token_id)
      .set("eos_token_ids", JsonBuilder::array_of(info.eos_token_ids))
      .set("special_tokens", std::move(tokens))
      .set("linears", std::move(linears));
}

}  // namespace octavo
