// A checkpoint of any size that takes no disk space: real config.json, index and safetensors headers, and data that is
// a hole. Names and shapes are spelled out here from the published models, not taken from the library.
#pragma once

#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "octavo/checkpoint.hpp"
#include "octavo/json.hpp"

namespace test {

struct SparseModel {
  std::int64_t hidden = 8192, layers = 80, heads = 64, kv_heads = 8, intermediate = 29568, vocab = 152064;
  std::int64_t vision_hidden = 1280, vision_depth = 32, vision_heads = 16, vision_intermediate = 3456;
  bool tied = false;
  bool int8 = false;                                   ///< the language model's linears, as W8A8
  std::uint64_t shard_bytes = std::uint64_t{4} << 30;  ///< of tensor data
  std::int64_t tokenizer_words = 1;                    ///< the published one has 151643
  bool vision_int8 = false;                            ///< with int8: the vision MLPs, too
  std::vector<std::string> w8a16{};                    ///< with int8: these linears as W8A16
};

class SparseCheckpoint {
 public:
  SparseCheckpoint(const std::string& directory, const SparseModel& model) : directory_(directory), model_(model) {
    std::filesystem::create_directories(directory);
    tensors();
    flush();
    write_index();
    write_config();
    write_files();
  }
  std::size_t tensor_count() const { return count_; }
  std::uint64_t data_bytes() const { return data_bytes_; }

 private:
  void tensors() {
    const SparseModel& m = model_;
    tensor("visual.patch_embed.proj.weight", "BF16", {m.vision_hidden, 3, 2, 14, 14});
    for (std::int64_t i = 0; i < m.vision_depth; ++i) {
      const std::string block = "visual.blocks." + std::to_string(i) + ".";
      norm(block + "norm1", m.vision_hidden);
      norm(block + "norm2", m.vision_hidden);
      linear(block + "attn.qkv", 3 * m.vision_hidden, m.vision_hidden, true, false);
      linear(block + "attn.proj", m.vision_hidden, m.vision_hidden, true, false);
      linear(block + "mlp.gate_proj", m.vision_intermediate, m.vision_hidden, true, m.vision_int8);
      linear(block + "mlp.up_proj", m.vision_intermediate, m.vision_hidden, true, m.vision_int8);
      linear(block + "mlp.down_proj", m.vision_hidden, m.vision_intermediate, true, m.vision_int8);
    }
    norm("visual.merger.ln_q", m.vision_hidden);
    linear("visual.merger.mlp.0", 4 * m.vision_hidden, 4 * m.vision_hidden, true, false);
    linear("visual.merger.mlp.2", m.hidden, 4 * m.vision_hidden, true, false);
    tensor("model.embed_tokens.weight", "BF16", {m.vocab, m.hidden});
    const std::int64_t keys = m.hidden / m.heads * m.kv_heads;
    for (std::int64_t i = 0; i < m.layers; ++i) {
      const std::string layer = "model.layers." + std::to_string(i) + ".";
      norm(layer + "input_layernorm", m.hidden);
      norm(layer + "post_attention_layernorm", m.hidden);
      linear(layer + "self_attn.q_proj", m.hidden, m.hidden, true, m.int8);
      linear(layer + "self_attn.k_proj", keys, m.hidden, true, m.int8);
      linear(layer + "self_attn.v_proj", keys, m.hidden, true, m.int8);
      linear(layer + "self_attn.o_proj", m.hidden, m.hidden, false, m.int8);
      linear(layer + "mlp.gate_proj", m.intermediate, m.hidden, false, m.int8);
      linear(layer + "mlp.up_proj", m.intermediate, m.hidden, false, m.int8);
      linear(layer + "mlp.down_proj", m.hidden, m.intermediate, false, m.int8);
    }
    norm("model.norm", m.hidden);
    if (!m.tied) linear("lm_head", m.vocab, m.hidden, false, false);
  }

  void norm(const std::string& name, std::int64_t size) { tensor(name + ".weight", "BF16", {size}); }
  void linear(const std::string& name, std::int64_t out, std::int64_t in, bool bias, bool int8) {
    tensor(name + ".weight", int8 ? "I8" : "BF16", {out, in});
    if (int8) tensor(name + ".weight_scale", "BF16", {out, 1});
    if (bias) tensor(name + ".bias", "BF16", {out});
    if (!int8) ignored_.push_back(name);
  }
  void tensor(const std::string& name, const std::string& dtype, const std::vector<std::int64_t>& shape) {
    std::uint64_t bytes = dtype == "I8" ? 1 : 2;
    octavo::JsonBuilder dims = octavo::JsonBuilder::array();
    for (const std::int64_t extent : shape) {
      bytes *= static_cast<std::uint64_t>(extent);
      dims.push(extent);
    }
    if (offset_ > 0 && offset_ + bytes > model_.shard_bytes) flush();
    octavo::JsonBuilder offsets = octavo::JsonBuilder::array();
    offsets.push(static_cast<std::size_t>(offset_)).push(static_cast<std::size_t>(offset_ + bytes));
    header_.set(name, octavo::JsonBuilder::object()
                          .set("dtype", dtype)
                          .set("shape", std::move(dims))
                          .set("data_offsets", std::move(offsets)));
    names_.push_back(name);
    offset_ += bytes;
    data_bytes_ += bytes;
    ++count_;
  }

  void flush() {
    if (names_.empty()) return;
    std::string file = "model-" + std::to_string(shards_ + 1) + ".safetensors";
    const std::string path = (std::filesystem::path(directory_) / file).string();
    const std::string header = header_.dump();
    std::uint64_t length = header.size();
    std::string prefix;
    for (int i = 0; i < 8; ++i, length >>= 8) prefix += static_cast<char>(length & 0xFF);
    std::ofstream(path, std::ios::binary) << prefix << header;
    if (truncate(path.c_str(), static_cast<off_t>(prefix.size() + header.size() + offset_)) != 0)
      throw std::runtime_error("cannot make a sparse file of " + std::to_string(offset_) + " bytes: " + path);
    for (const std::string& name : names_) weight_map_.set(name, file);
    names_.clear();
    header_ = octavo::JsonBuilder::object();
    offset_ = 0;
    ++shards_;
  }

  void write(const std::string& name, const std::string& content) const {
    std::ofstream(std::filesystem::path(directory_) / name, std::ios::binary) << content;
  }

  void write_index() {
    write("model.safetensors.index.json", octavo::JsonBuilder::object().set("weight_map", weight_map_).dump());
  }

  void write_config() const {
    const SparseModel& m = model_;
    using octavo::JsonBuilder;
    JsonBuilder full = JsonBuilder::array();
    for (std::int64_t i = 7; i < m.vision_depth; i += 8) full.push(i);
    JsonBuilder vision = JsonBuilder::object();
    vision.set("depth", m.vision_depth).set("hidden_act", "silu").set("hidden_size", m.vision_hidden);
    vision.set("intermediate_size", m.vision_intermediate).set("num_heads", m.vision_heads).set("in_chans", 3);
    vision.set("out_hidden_size", m.hidden).set("patch_size", 14).set("spatial_merge_size", 2);
    vision.set("temporal_patch_size", 2).set("window_size", 112).set("tokens_per_second", 2);
    vision.set("fullatt_block_indexes", std::move(full));
    const std::int64_t pairs = m.hidden / m.heads / 2;
    JsonBuilder sections = JsonBuilder::array();
    sections.push(pairs / 4).push(pairs * 3 / 8).push(pairs - pairs / 4 - pairs * 3 / 8);
    JsonBuilder json = JsonBuilder::object();
    json.set("model_type", "qwen2_5_vl").set("hidden_act", "silu").set("hidden_size", m.hidden);
    json.set("intermediate_size", m.intermediate).set("num_hidden_layers", m.layers);
    json.set("num_attention_heads", m.heads).set("num_key_value_heads", m.kv_heads).set("vocab_size", m.vocab);
    json.set("max_position_embeddings", 128000).set("rms_norm_eps", 1e-6).set("rope_theta", 1e6);
    json.set("rope_scaling", JsonBuilder::object().set("type", "mrope").set("mrope_section", std::move(sections)));
    json.set("tie_word_embeddings", m.tied).set("torch_dtype", "bfloat16").set("use_cache", true);
    json.set("image_token_id", 151655).set("video_token_id", 151656);
    json.set("vision_start_token_id", 151652).set("vision_end_token_id", 151653);
    json.set("vision_config", std::move(vision));
    write("config.json", m.int8
                             ? plain_int8(octavo::with_quantization_config(
                                   json.build("config.json"), {octavo::StoredScheme::w8a8_dynamic, m.w8a16, ignored_}))
                             : json.dump(2));
  }

  /// Packed weights would need data, of their shapes: W8A16 is stored as plain int8 here.
  static std::string plain_int8(std::string config) {
    for (const std::string format : {"\"pack-quantized\"", "\"mixed-precision\""})
      if (const std::size_t at = config.find(format); at != std::string::npos)
        config.replace(at, format.size(), "\"int-quantized\"");
    return config;
  }

  void write_files() const {
    using octavo::JsonBuilder;
    JsonBuilder words = JsonBuilder::object();
    std::string vocabulary = "{";
    for (std::int64_t i = 0; i < model_.tokenizer_words; ++i)
      vocabulary += (i == 0 ? "\"w" : ",\"w") + std::to_string(i) + "\":" + std::to_string(i);
    std::string merges = "[";
    for (std::int64_t i = 1; i < model_.tokenizer_words; ++i)
      merges += (i == 1 ? "\"w " : ",\"w ") + std::to_string(i) + "\"";
    std::string added = "[";
    const std::vector<std::pair<std::string, int>> tokens{
        {"<|endoftext|>", 151643},  {"<|im_start|>", 151644},  {"<|im_end|>", 151645},   {"<|vision_start|>", 151652},
        {"<|vision_end|>", 151653}, {"<|image_pad|>", 151655}, {"<|video_pad|>", 151656}};
    for (const auto& [token, id] : tokens)
      added += (added.size() > 1 ? "," : "") + std::string("{\"content\":\"") + token +
               "\",\"id\":" + std::to_string(id) + ",\"special\":true}";
    write("tokenizer.json", "{\"added_tokens\":" + added + "],\"model\":{\"type\":\"BPE\",\"vocab\":" + vocabulary +
                                "},\"merges\":" + merges + "]}}");
    write(
        "preprocessor_config.json",
        R"({"min_pixels": 3136, "max_pixels": 12845056, "patch_size": 14, "temporal_patch_size": 2, "merge_size": 2})");
    write("generation_config.json", R"({"eos_token_id": [151645, 151643]})");
  }

  std::string directory_;
  SparseModel model_;
  octavo::JsonBuilder header_ = octavo::JsonBuilder::object();
  octavo::JsonBuilder weight_map_ = octavo::JsonBuilder::object();
  std::vector<std::string> names_, ignored_;
  std::uint64_t offset_ = 0, data_bytes_ = 0;
  std::size_t shards_ = 0, count_ = 0;
};

}  // namespace test
