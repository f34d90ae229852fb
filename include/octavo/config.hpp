/// @file
/// config.json and generation_config.json as plain structs: read once, checked once, then passed by value.
///
///     Checkpoint checkpoint = Checkpoint::open(directory);
///     Qwen25VlConfig config = Qwen25VlConfig::parse(checkpoint.config());   // flat, nested or both
///     std::int64_t width = config.text.hidden_size;
///
/// The published (flat) layout and the nested one of newer savers are read as transformers reads them: where
/// text_config is an object, it alone counts, and what the top level still says of the text model is stale; a key that
/// is left out has the default of transformers' class. A field of the wrong kind, or with a value that Octavo lacks, is
/// an error that names the file and the key.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "octavo/error.hpp"
#include "octavo/generation_config.hpp"
#include "octavo/json.hpp"
#include "octavo/settings.hpp"
#include "octavo/tensor.hpp"

namespace octavo {

/// The language model. Lengths and widths are in elements.
struct TextConfig {
  std::int64_t hidden_size = 0;
  std::int64_t num_hidden_layers = 0;
  std::int64_t num_attention_heads = 0;  ///< query heads
  std::int64_t num_key_value_heads = 0;  ///< divides num_attention_heads
  std::int64_t head_dim = 0;             ///< stated, else hidden_size / num_attention_heads
  std::int64_t intermediate_size = 0;
  std::string hidden_act;       ///< "silu": the one that is implemented
  std::int64_t vocab_size = 0;  ///< rows of the embedding; may exceed the tokenizer's
  double rms_norm_eps = 0;
  double rope_theta = 0;
  std::array<std::int64_t, 3> mrope_section{};  ///< t, h, w; pairs of channels, together head_dim / 2
  std::int64_t max_position_embeddings = 0;     ///< positions
};

/// The vision tower and its merger. Pixels and patches as in the published preprocessor.
struct VisionConfig {
  std::int64_t depth = 0;  ///< blocks
  std::int64_t hidden_size = 0;
  std::int64_t num_heads = 0;
  std::int64_t intermediate_size = 0;
  std::string hidden_act;                           ///< "silu"
  std::int64_t in_channels = 0;                     ///< `in_channels`, else `in_chans`
  std::int64_t patch_size = 0;                      ///< pixels
  std::int64_t temporal_patch_size = 0;             ///< frames per patch
  std::int64_t spatial_merge_size = 0;              ///< this many patches squared become one text position
  std::int64_t window_size = 0;                     ///< pixels; at least one merge group, a remainder is unused
  std::vector<std::int64_t> fullatt_block_indexes;  ///< blocks with full attention, ascending, distinct
  std::int64_t out_hidden_size = 0;                 ///< equals TextConfig::hidden_size
  double tokens_per_second = 0;                     ///< temporal M-RoPE scale of videos

  std::int64_t head_dim() const noexcept { return num_heads > 0 ? hidden_size / num_heads : 0; }
  /// Columns of one flattened patch: channels x frames x rows x columns.
  std::int64_t patch_elements() const noexcept { return in_channels * temporal_patch_size * patch_size * patch_size; }
  /// Width of the merger's first layer: spatial_merge_size^2 * hidden_size.
  std::int64_t merged_size() const noexcept { return spatial_merge_size * spatial_merge_size * hidden_size; }
  bool is_full_attention(std::int64_t block) const noexcept;

  /// Both RMSNorm and rotary constants of the vision tower are not configurable.
  static constexpr double kRmsNormEps = 1e-6;
  static constexpr double kRopeTheta = 10000.0;
};

/// One thing that is wrong with a config.json.
struct ConfigProblem {
  ErrorCode code = ErrorCode::format;
  std::string where;   ///< file and key: "DIR/config.json: vision_config.depth"
  std::string what;    ///< the whole line, as parse throws it
  std::string remedy;  ///< what to do
};

/// Qwen2.5-VL's config.json. Immutable by convention once parsed; free to share between threads.
struct Qwen25VlConfig {
  std::string model_type;  ///< "qwen2_5_vl"
  TextConfig text;
  VisionConfig vision;
  std::int64_t image_token_id = 0;
  std::int64_t video_token_id = 0;
  std::int64_t vision_start_token_id = 0;
  std::int64_t vision_end_token_id = 0;
  /// True when either level says so. Absent when none states it: then the embedding is tied exactly when the checkpoint
  /// has no lm_head.weight. A tied model that stores an lm_head.weight of other values uses that, as transformers 5.
  std::optional<bool> tie_word_embeddings;
  /// What the file says of use_cache, for reports alone. Nothing in Octavo acts on it: caching is a property of a call.
  std::optional<bool> use_cache_stated;
  std::optional<DType> dtype;  ///< torch_dtype or dtype; absent when unstated or "auto"
  /// Fields that the file leaves out and that hold transformers' class default: "hidden_size", "vision_config.depth".
  std::vector<std::string> left_out;

  /// Reads both layouts and validates.
  /// @throws Error  not_found naming a missing key (model_type, vision_config); format for a wrong kind, a
  /// contradiction
  ///                or an impossible value; unsupported for another model_type, sliding windows, other rope types and
  ///                activations, and whatever else `config_settings` requires.
  static Qwen25VlConfig parse(const Json& config);
  /// As parse, but goes on after a problem: appends every one, in the order in which parse would meet them, and leaves
  /// 0 where nothing could be read. A field that is wrong by itself is not blamed again for what it is compared with.
  /// `tensors_known` tells whether every extent that a tensor's shape depends on was read and is in range.
  static Qwen25VlConfig parse_all(const Json& config, std::vector<ConfigProblem>& problems, bool& tensors_known);

  /// Everything the arithmetic relies on: positive sizes, heads that divide, M-RoPE sections that sum to
  /// head_dim / 2, vision head_dim divisible by 4, a window of at least one merge group, block and token ids in range.
  /// `origin` is named in front of each complaint. Sizes are bounded (2^24 per extent), so that products of two or
  /// three of them cannot overflow.
  /// @throws Error  format or unsupported, as parse.
  void validate(const std::string& origin = "config") const;
};

/// What any architecture's config.json says of its head, at the top or in text_config: true when either says so
/// (transformers 5); absent when none states it. @throws Error  format where it is no bool.
std::optional<bool> stated_tie(const Json& config);
/// torch_dtype or dtype, of either level; absent when unstated, "auto" or anything but f32, bf16 and f16.
std::optional<DType> stated_dtype(const Json& config);

/// What is done with each key: of config.json, of its text_config (or of the top level, where that holds the text
/// model), and of its vision_config.
std::span<const SettingsTable> config_settings();
/// Every key of a config.json held against these tables; stale text keys at the top are left out.
std::vector<SettingFinding> config_findings(const Json& config);

}  // namespace octavo
