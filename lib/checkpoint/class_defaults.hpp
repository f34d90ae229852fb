/// What transformers' configuration classes take for a key that a file leaves out.
///
/// Source: models/qwen2_5_vl/configuration_qwen2_5_vl.py of transformers. Qwen2_5_VLConfig (4.49 to 4.51, where it
/// holds the text model's keys itself), Qwen2_5_VLTextConfig (4.52 to 5.17) and Qwen2_5_VLVisionConfig (4.49 to 5.17)
/// have had the same values in 4.49.0, 4.51.3, 4.52.4, 4.55.4, 4.57.6 and 5.17.0. They are those of the 72B, the vision
/// tower's width aside, and not those of a model that leaves them out by mistake: tensors of other shapes show it. 4.49
/// leaves out of vision_config what equals them (PretrainedConfig.to_diff_dict); later releases write every key. The
/// token ids have defaults since 4.52 (Qwen2_5_VLConfig); the sections of M-RoPE since 5.0 (Qwen2_5_VLRotaryEmbedding
/// in modeling_qwen2_5_vl.py); 4.x fails without them.
#pragma once

#include "octavo/config.hpp"

namespace octavo::checkpoint_detail {

inline TextConfig text_class_defaults() {
  TextConfig text;
  text.hidden_size = 8192;
  text.num_hidden_layers = 80;
  text.num_attention_heads = 64;
  text.num_key_value_heads = 8;  // a stated null means num_attention_heads
  text.intermediate_size = 29568;
  text.hidden_act = "silu";
  text.vocab_size = 152064;
  text.rms_norm_eps = 1e-5;
  text.rope_theta = 1e6;
  text.mrope_section = {16, 24, 24};
  text.max_position_embeddings = 32768;
  return text;
}
inline constexpr std::int64_t kDefaultMaxWindowLayers = 80;

inline VisionConfig vision_class_defaults() {
  VisionConfig vision;
  vision.depth = 32;
  vision.hidden_size = 3584;
  vision.num_heads = 16;
  vision.intermediate_size = 3420;
  vision.hidden_act = "silu";
  vision.in_channels = 3;
  vision.patch_size = 14;
  vision.temporal_patch_size = 2;
  vision.spatial_merge_size = 2;
  vision.window_size = 112;
  vision.fullatt_block_indexes = {7, 15, 23, 31};
  vision.out_hidden_size = 3584;
  vision.tokens_per_second = 4;
  return vision;
}

inline constexpr std::int64_t kDefaultImageTokenId = 151655;
inline constexpr std::int64_t kDefaultVideoTokenId = 151656;
inline constexpr std::int64_t kDefaultVisionStartTokenId = 151652;
inline constexpr std::int64_t kDefaultVisionEndTokenId = 151653;

}  // namespace octavo::checkpoint_detail
