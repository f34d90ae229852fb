#include "config_rules.hpp"

#include <cmath>
#include <initializer_list>

namespace octavo::checkpoint_detail {
namespace {

constexpr std::int64_t kMaxExtent = std::int64_t{1} << 24;
constexpr std::int64_t kMaxBlocks = std::int64_t{1} << 16;

/// The rules, each with the field in front. A field that broke one is left out of those that follow.
class Rules {
 public:
  explicit Rules(FieldReader& read) : read_(read) {}

  bool usable(std::initializer_list<const char*> fields) const {
    for (const char* field : fields)
      if (read_.unread(field)) return false;
    return true;
  }
  void refuse(const std::string& field, const std::string& problem, const std::string& remedy) const {
    read_.report(ErrorCode::format, field, problem, remedy);
  }
  void extent(const char* field, std::int64_t value, std::int64_t most = kMaxExtent) const {
    if (!usable({field}) || (value >= 1 && value <= most)) return;
    refuse(field, "must be 1 to " + std::to_string(most) + ", but is " + std::to_string(value),
           FieldReader::kTakeOriginal);
  }
  void divides(const char* field, std::int64_t value, const char* of, std::int64_t whole,
               const std::string& remedy) const {
    if (!usable({field, of}) || whole % value == 0) return;
    refuse(field,
           "is " + std::to_string(value) + ", which does not divide " + std::string(of) + " " + std::to_string(whole),
           remedy);
  }
  void positive(const char* field, double value) const {
    if (!usable({field}) || (value > 0 && std::isfinite(value))) return;
    refuse(field, "must be a positive number, but is " + std::to_string(value), FieldReader::kTakeOriginal);
  }
  void activation(const char* field, const std::string& value) const {
    if (!usable({field}) || value == "silu" || value == "swish") return;  // two names of one function
    read_.report(ErrorCode::unsupported, field, "is \"" + value + "\", Octavo has \"silu\"",
                 "every published Qwen2.5-VL has \"silu\"; another activation is another model");
  }
  void token(const char* field, std::int64_t id, std::int64_t vocab) const {
    if (!usable({field, "vocab_size"}) || (id >= 0 && id < vocab)) return;
    refuse(field, "must be below vocab_size " + std::to_string(vocab) + ", but is " + std::to_string(id),
           "take the id that tokenizer.json gives the token");
  }

 private:
  FieldReader& read_;
};

void validate_sections(const TextConfig& text, const Rules& check) {
  if (!check.usable({"mrope_section", "head_dim"})) return;
  const std::string remedy = "three counts of channel pairs (t, h, w) that sum to head_dim / 2: [16, 24, 24] for 128";
  std::int64_t sum = 0;
  for (const std::int64_t section : text.mrope_section) {
    if (section < 0 || section > text.head_dim) {
      check.refuse(
          "mrope_section",
          "must be of counts up to head_dim " + std::to_string(text.head_dim) + ", but has " + std::to_string(section),
          remedy);
      return;
    }
    sum += section;
  }
  if (2 * sum != text.head_dim) {
    check.refuse(
        "mrope_section",
        "sums to " + std::to_string(sum) + ", but must sum to half of head_dim " + std::to_string(text.head_dim),
        remedy);
  }
}

void validate_text(const TextConfig& text, const Rules& check) {
  check.extent("hidden_size", text.hidden_size);
  check.extent("num_hidden_layers", text.num_hidden_layers, kMaxBlocks);
  check.extent("num_attention_heads", text.num_attention_heads);
  check.extent("num_key_value_heads", text.num_key_value_heads);
  check.extent("head_dim", text.head_dim);
  check.extent("intermediate_size", text.intermediate_size);
  check.extent("vocab_size", text.vocab_size);
  check.extent("max_position_embeddings", text.max_position_embeddings, std::int64_t{1} << 31);
  if (check.usable({"num_attention_heads", "head_dim"}))
    check.extent("num_attention_heads * head_dim", text.num_attention_heads * text.head_dim);
  check.divides("num_key_value_heads", text.num_key_value_heads, "num_attention_heads", text.num_attention_heads,
                "each key/value head serves a whole number of query heads: rows of k_proj / head_dim is the number");
  check.positive("rms_norm_eps", text.rms_norm_eps);
  check.positive("rope_theta", text.rope_theta);
  check.activation("hidden_act", text.hidden_act);
  validate_sections(text, check);
}

void validate_full_attention_blocks(const VisionConfig& vision, const Rules& check) {
  if (!check.usable({"vision_config.fullatt_block_indexes", "vision_config.depth"})) return;
  const std::string remedy = "list each block with full attention once, 0 to depth - 1: [7, 15, 23, 31] of 32";
  for (std::size_t i = 0; i < vision.fullatt_block_indexes.size(); ++i) {
    const std::int64_t block = vision.fullatt_block_indexes[i];
    if (block < 0 || block >= vision.depth) {
      return check.refuse("vision_config.fullatt_block_indexes",
                          "has block " + std::to_string(block) + ", but depth is " + std::to_string(vision.depth),
                          remedy);
    }
    if (i > 0 && block <= vision.fullatt_block_indexes[i - 1]) {
      return check.refuse("vision_config.fullatt_block_indexes",
                          "must be distinct and ascending, but has " + std::to_string(block) + " after " +
                              std::to_string(vision.fullatt_block_indexes[i - 1]),
                          remedy);
    }
  }
}

void validate_vision(const VisionConfig& vision, const TextConfig& text, const Rules& check) {
  check.extent("vision_config.depth", vision.depth, kMaxBlocks);
  check.extent("vision_config.hidden_size", vision.hidden_size);
  check.extent("vision_config.num_heads", vision.num_heads);
  check.extent("vision_config.intermediate_size", vision.intermediate_size);
  check.extent("vision_config.in_channels", vision.in_channels, 64);
  check.extent("vision_config.patch_size", vision.patch_size, 1024);
  check.extent("vision_config.temporal_patch_size", vision.temporal_patch_size, 64);
  check.extent("vision_config.spatial_merge_size", vision.spatial_merge_size, 64);
  check.extent("vision_config.window_size", vision.window_size);
  check.activation("vision_config.hidden_act", vision.hidden_act);
  check.positive("vision_config.tokens_per_second", vision.tokens_per_second);
  check.divides("vision_config.num_heads", vision.num_heads, "vision_config.hidden_size", vision.hidden_size,
                "16 heads in every published model: hidden_size 1280 makes head_dim 80");
  if (check.usable({"vision_config.hidden_size", "vision_config.num_heads"}) &&
      vision.head_dim() % 4 != 0) {  // two axes, each rotated in pairs
    check.refuse("vision_config.hidden_size",
                 "/ num_heads is " + std::to_string(vision.head_dim()) +
                     ", but the two-dimensional rotation needs a multiple of 4",
                 FieldReader::kTakeOriginal);
  }
  if (check.usable({"vision_config.window_size", "vision_config.patch_size", "vision_config.spatial_merge_size"})) {
    const std::int64_t group = vision.patch_size * vision.spatial_merge_size;
    if (vision.window_size < group) {
      check.refuse(
          "vision_config.window_size",
          "is " + std::to_string(vision.window_size) +
              " pixels, smaller than one merge group of patch_size * spatial_merge_size = " + std::to_string(group),
          "window_size is in pixels: 112 in every published model");
    }
  }
  validate_full_attention_blocks(vision, check);
  // Without an extent of its own: it must equal one that has.
  if (check.usable({"vision_config.out_hidden_size", "hidden_size"}) && vision.out_hidden_size != text.hidden_size) {
    check.refuse("vision_config.out_hidden_size",
                 "is " + std::to_string(vision.out_hidden_size) + ", but the text model's hidden_size is " +
                     std::to_string(text.hidden_size),
                 "the merger writes rows into the text model: set it to hidden_size (visual.merger.mlp.2's rows)");
  }
}

}  // namespace

bool validate_config(const Qwen25VlConfig& config, FieldReader& read, bool has_vision) {
  const Rules check(read);
  validate_text(config.text, check);
  if (has_vision) validate_vision(config.vision, config.text, check);
  check.token("image_token_id", config.image_token_id, config.text.vocab_size);
  check.token("video_token_id", config.video_token_id, config.text.vocab_size);
  check.token("vision_start_token_id", config.vision_start_token_id, config.text.vocab_size);
  check.token("vision_end_token_id", config.vision_end_token_id, config.text.vocab_size);
  if (check.usable({"image_token_id", "video_token_id"}) && config.image_token_id == config.video_token_id) {
    check.refuse("image_token_id", "and video_token_id are both " + std::to_string(config.image_token_id),
                 "take the ids that tokenizer.json gives <|image_pad|> and <|video_pad|>");
  }
  // A broken rule between two extents (heads that do not divide) leaves every shape known; an extent out of range or
  // unread does not.
  const auto in_range = [](std::int64_t value, std::int64_t most) { return value >= 1 && value <= most; };
  const TextConfig& text = config.text;
  const VisionConfig& vision = config.vision;
  for (const std::int64_t extent :
       {text.hidden_size, text.num_attention_heads, text.num_key_value_heads, text.head_dim, text.intermediate_size,
        text.vocab_size, vision.hidden_size, vision.num_heads, vision.intermediate_size, vision.out_hidden_size})
    if (!in_range(extent, kMaxExtent)) return false;
  return has_vision && in_range(text.num_hidden_layers, kMaxBlocks) && in_range(vision.depth, kMaxBlocks) &&
         in_range(text.num_attention_heads * text.head_dim, kMaxExtent) && in_range(vision.in_channels, 64) &&
         in_range(vision.patch_size, 1024) && in_range(vision.temporal_patch_size, 64) &&
         in_range(vision.spatial_merge_size, 64);
}

}  // namespace octavo::checkpoint_detail
