// Writes a checkpoint with the exact shapes of Qwen2.5-VL-3B and random weights (about 7.5 GB at full depth), to
// measure time and memory on. Tokenizer and preprocessor are those of a small model, whose special token ids it uses.
//
//   make_synthetic DIR SMALL_MODEL [--layers 36] [--vision-depth 32]
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <octavo/octavo.hpp>
#include <string>

namespace {

using octavo::DType;
using octavo::JsonBuilder;
using octavo::Shape;
using octavo::Tensor;

constexpr std::int64_t kHidden = 2048, kIntermediate = 11008, kKeyValue = 256, kVocab = 151936;
constexpr std::int64_t kVision = 1280, kVisionIntermediate = 3420;
/// The writer holds a shard's tensors until it ends; small shards keep this program small.
constexpr std::uint64_t kShardBytes = std::uint64_t{512} << 20;

class Writer {
 public:
  explicit Writer(octavo::AtomicDirectory& directory) : shards_(directory, kShardBytes) {}

  /// Uniform in +-sqrt(3 / K): variance 1/K, so that activations keep their size through the layers.
  void weight(const std::string& name, const Shape& shape) {
    const std::int64_t fan_in = shape.numel() / shape[0];
    random(name, shape, 0.0F, std::sqrt(3.0F / static_cast<float>(fan_in)));
  }
  void bias(const std::string& name, std::int64_t size) { random(name, {size}, 0.0F, 0.02F); }
  void norm(const std::string& name, std::int64_t size) { random(name, {size}, 1.0F, 0.1F); }
  void linear(const std::string& name, std::int64_t out, std::int64_t in, bool with_bias) {
    weight(name + ".weight", {out, in});
    if (with_bias) bias(name + ".bias", out);
  }
  void finish() { shards_.finish(); }

 private:
  void random(const std::string& name, const Shape& shape, float centre, float spread) {
    Tensor tensor = Tensor::empty(DType::bf16, shape);
    const auto values = tensor.mutable_values<octavo::BFloat16>();
    for (octavo::BFloat16& value : values) {
      state_ ^= state_ << 13;  // xorshift64: four billion values in seconds
      state_ ^= state_ >> 7;
      state_ ^= state_ << 17;
      const float unit = static_cast<float>(state_ >> 40) * 0x1.0p-23F - 1.0F;
      value = octavo::to_bfloat16(centre + spread * unit);
    }
    shards_.add(name, tensor);
  }

  octavo::ShardWriter shards_;
  std::uint64_t state_ = 0x9E3779B97F4A7C15U;
};

void write_vision_block(Writer& writer, const std::string& path) {
  writer.norm(path + "norm1.weight", kVision);
  writer.norm(path + "norm2.weight", kVision);
  writer.linear(path + "attn.qkv", 3 * kVision, kVision, true);
  writer.linear(path + "attn.proj", kVision, kVision, true);
  writer.linear(path + "mlp.gate_proj", kVisionIntermediate, kVision, true);
  writer.linear(path + "mlp.up_proj", kVisionIntermediate, kVision, true);
  writer.linear(path + "mlp.down_proj", kVision, kVisionIntermediate, true);
}

void write_language_layer(Writer& writer, const std::string& path) {
  writer.norm(path + "input_layernorm.weight", kHidden);
  writer.norm(path + "post_attention_layernorm.weight", kHidden);
  writer.linear(path + "self_attn.q_proj", kHidden, kHidden, true);
  writer.linear(path + "self_attn.k_proj", kKeyValue, kHidden, true);
  writer.linear(path + "self_attn.v_proj", kKeyValue, kHidden, true);
  writer.linear(path + "self_attn.o_proj", kHidden, kHidden, false);
  writer.linear(path + "mlp.gate_proj", kIntermediate, kHidden, false);
  writer.linear(path + "mlp.up_proj", kIntermediate, kHidden, false);
  writer.linear(path + "mlp.down_proj", kHidden, kIntermediate, false);
}

JsonBuilder integers(std::initializer_list<std::int64_t> values) {
  JsonBuilder list = JsonBuilder::array();
  for (const std::int64_t value : values) list.push(value);
  return list;
}

/// The published config.json of the 3B, with the small model's token ids.
std::string config(const octavo::Json& small, std::int64_t layers, std::int64_t vision_depth) {
  JsonBuilder full_attention = JsonBuilder::array();
  for (std::int64_t i = 7; i < vision_depth; i += 8) full_attention.push(i);
  JsonBuilder vision = JsonBuilder::object();
  vision.set("depth", vision_depth).set("hidden_act", "silu").set("hidden_size", kVision);
  vision.set("intermediate_size", kVisionIntermediate).set("num_heads", 16).set("in_chans", 3);
  vision.set("out_hidden_size", kHidden).set("patch_size", 14).set("spatial_merge_size", 2);
  vision.set("spatial_patch_size", 14).set("temporal_patch_size", 2).set("window_size", 112);
  vision.set("fullatt_block_indexes", std::move(full_attention)).set("tokens_per_second", 2);
  JsonBuilder json = JsonBuilder::object();
  json.set("architectures", JsonBuilder::array().push("Qwen2_5_VLForConditionalGeneration"));
  json.set("model_type", "qwen2_5_vl").set("hidden_act", "silu").set("hidden_size", kHidden);
  json.set("intermediate_size", kIntermediate).set("num_hidden_layers", layers).set("num_attention_heads", 16);
  json.set("num_key_value_heads", 2).set("vocab_size", kVocab).set("max_position_embeddings", 128000);
  json.set("rms_norm_eps", 1e-6).set("rope_theta", 1e6).set("tie_word_embeddings", true);
  json.set("rope_scaling", JsonBuilder::object().set("type", "mrope").set("mrope_section", integers({16, 24, 24})));
  json.set("use_sliding_window", false).set("use_cache", true).set("torch_dtype", "bfloat16");
  for (const char* key : {"image_token_id", "video_token_id", "vision_start_token_id", "vision_end_token_id",
                          "vision_token_id", "bos_token_id", "eos_token_id"})
    if (const auto id = small.find(key)) json.set(key, JsonBuilder(*id));
  json.set("vision_config", std::move(vision));
  return json.dump(2) + "\n";
}

void make(const std::string& target, const std::string& small, std::int64_t layers, std::int64_t vision_depth) {
  octavo::AtomicDirectory directory(target);
  const std::filesystem::path from(small);
  directory.write_file("config.json",
                       config(octavo::Json::read_file((from / "config.json").string()), layers, vision_depth));
  for (const char* name : {"tokenizer.json", "tokenizer_config.json", "vocab.json", "merges.txt", "chat_template.json",
                           "preprocessor_config.json", "generation_config.json"})
    if (std::filesystem::exists(from / name)) directory.copy_file((from / name).string(), name);

  Writer writer(directory);
  writer.weight("model.embed_tokens.weight", {kVocab, kHidden});
  writer.weight("visual.patch_embed.proj.weight", {kVision, 3, 2, 14, 14});
  for (std::int64_t i = 0; i < vision_depth; ++i)
    write_vision_block(writer, "visual.blocks." + std::to_string(i) + ".");
  writer.norm("visual.merger.ln_q.weight", kVision);
  writer.linear("visual.merger.mlp.0", 4 * kVision, 4 * kVision, true);
  writer.linear("visual.merger.mlp.2", kHidden, 4 * kVision, true);
  for (std::int64_t i = 0; i < layers; ++i) {
    write_language_layer(writer, "model.layers." + std::to_string(i) + ".");
    std::fprintf(stderr, "layer %lld of %lld\n", static_cast<long long>(i + 1), static_cast<long long>(layers));
  }
  writer.norm("model.norm.weight", kHidden);
  writer.finish();
  directory.commit();
}

}  // namespace

int main(int argc, char** argv) {
  std::int64_t layers = 36;
  std::int64_t vision_depth = 32;
  bool understood = argc >= 3 && argc % 2 == 1;
  for (int i = 3; understood && i + 1 < argc; i += 2) {
    const std::string option = argv[i];
    const std::int64_t value = std::strtoll(argv[i + 1], nullptr, 10);
    understood = value >= 1 && (option == "--layers" || option == "--vision-depth");
    (option == "--layers" ? layers : vision_depth) = value;
  }
  if (!understood) {
    std::fprintf(stderr, "make_synthetic DIR SMALL_MODEL [--layers 36] [--vision-depth 32]\n");
    return 2;
  }
  try {
    make(argv[1], argv[2], layers, vision_depth);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "make_synthetic: %s\n", error.what());
    return 1;
  }
  return 0;
}
