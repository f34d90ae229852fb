/// @file
/// What an opened model is: sizes, types, tokens, and how each linear is stored.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "octavo/json.hpp"
#include "octavo/model.hpp"

namespace octavo {

struct SpecialToken {
  std::int32_t id = 0;
  std::string text;  ///< "<|im_end|>"
};

struct ModelInfo {
  std::string model_type;  ///< "qwen2_5_vl"
  std::string dtype;       ///< that programs run it in unless told otherwise: "bf16"
  // The language model.
  std::int64_t vocab_size = 0;  ///< rows of the embedding; may exceed the tokenizer's
  std::int64_t hidden_size = 0, num_layers = 0;
  std::int64_t num_heads = 0, num_kv_heads = 0, head_dim = 0;
  std::int64_t max_position_embeddings = 0;
  // The vision tower; 0 where the model takes text alone.
  std::int64_t vision_num_blocks = 0, vision_hidden_size = 0;
  std::int64_t patch_size = 0, merge_size = 0;  ///< pixels of a patch's side; patches of an image token's side
  std::uint64_t stored_bytes = 0;               ///< of all tensors, as the files have them
  std::uint64_t resident_bytes = 0;             ///< of the weights that a run touches: mapped, converted or packed
  std::int64_t num_parameters = 0;  ///< of the stored weights; a quantized weight counts as the one it stands for
  bool is_quantized = false;
  std::int64_t num_w8a8 = 0, num_w8a16 = 0, num_float = 0;  ///< linears of the blocks, by how they are stored
  std::int32_t image_token_id = -1;                         ///< -1 where the model takes text alone
  std::vector<std::int32_t> eos_token_ids;                  ///< of generation_config.json
  std::vector<SpecialToken> special_tokens{};               ///< of the tokenizer; empty where the directory has none
};
ModelInfo model_info(const Model& model);

/// The same as one document, and each linear of the blocks: {..., "special_tokens": [{"id", "text"}],
/// "linears": [{"module", "in_features", "out_features", "bias", "scheme", "contract"}]}, where "scheme" is "float",
/// "w8a8" or "w8a16".
JsonBuilder describe(const Model& model);

}  // namespace octavo
