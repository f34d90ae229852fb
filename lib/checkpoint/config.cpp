#include "octavo/config.hpp"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <utility>

namespace octavo {
namespace {

constexpr std::int64_t kMaxExtent = std::int64_t{1} << 24;
constexpr std::int64_t kMaxBlocks = std::int64_t{1} << 16;

std::optional<Json> present(const Json& object, std::string_view key) {
  std::optional<Json> value = object.find(key);
  return value && !value->is_null() ? value : std::nullopt;
}

bool same_value(const Json& a, const Json& b) {
  if (a.is_number() && b.is_number()) return a.as_number() == b.as_number();
  return a.dump() == b.dump();
}

/// One value that may be stated in two places, which must then agree.
std::optional<Json> agreed(const std::optional<Json>& first, const std::optional<Json>& second) {
  if (first && second && !same_value(*first, *second)) {
    throw Error(ErrorCode::format, first->where() + " is " + first->dump() + ", but " + second->where() + " is " +
                                       second->dump() + ": the file contradicts itself");
  }
  return first ? first : second;
}

/// The text fields of config.json: in text_config (nested layout), at the top (flat layout), or at both.
class TextFields {
 public:
  explicit TextFields(const Json& config) : top_(config), nested_(present(config, "text_config")) {
    if (nested_ && !nested_->is_object()) throw Error(ErrorCode::format, nested_->where() + " must be an object");
  }

  std::optional<Json> find(std::string_view key) const {
    return agreed(nested_ ? present(*nested_, key) : std::nullopt, present(top_, key));
  }
  /// As find, but text_config simply wins: for values that savers are known to leave stale at the top.
  std::optional<Json> find_nested_first(std::string_view key) const {
    std::optional<Json> value = nested_ ? present(*nested_, key) : std::nullopt;
    return value ? value : present(top_, key);
  }
  Json at(std::string_view key) const {
    if (std::optional<Json> value = find(key)) return *value;
    return home().at(key);  // throws, naming the file and the key where it belongs
  }
  const Json& home() const { return nested_ ? *nested_ : top_; }

 private:
  Json top_;
  std::optional<Json> nested_;
};

/// rope_parameters (new) or rope_scaling (old), wherever they are; the type is checked, the rest is returned.
std::optional<Json> rope_object(const TextFields& fields) {
  std::optional<Json> rope = fields.find_nested_first("rope_parameters");
  if (!rope) rope = fields.find_nested_first("rope_scaling");
  if (!rope) return std::nullopt;
  if (!rope->is_object()) throw Error(ErrorCode::format, rope->where() + " must be an object");
  for (const char* key : {"rope_type", "type"}) {
    const std::optional<Json> type = present(*rope, key);
    if (!type) continue;
    // Two names of the same thing: plain frequencies, no scaling.
    if (const std::string& name = type->as_string(); name != "mrope" && name != "default") {
      throw Error(ErrorCode::unsupported,
                  type->where() + " is \"" + name + "\", Octavo has \"mrope\" and \"default\" (the same)");
    }
  }
  return rope;
}

void read_rope(const TextFields& fields, TextConfig& text) {
  const std::optional<Json> rope = rope_object(fields);
  const std::optional<Json> theta =
      agreed(rope ? present(*rope, "rope_theta") : std::nullopt, fields.find("rope_theta"));
  text.rope_theta = theta ? theta->as_number() : 1e6;
  if (!rope) fields.home().at("rope_scaling");  // throws: without it there are no sections
  const Json sections = rope->at("mrope_section");
  if (!sections.is_array() || sections.size() != text.mrope_section.size()) {
    throw Error(ErrorCode::format, sections.where() + " must be three numbers (t, h, w), but is " + sections.dump());
  }
  for (std::size_t i = 0; i < text.mrope_section.size(); ++i) text.mrope_section[i] = sections.at(i).as_int();
}

void refuse_sliding_windows(const TextFields& fields) {
  if (const std::optional<Json> use = fields.find("use_sliding_window"); use && use->as_bool()) {
    throw Error(ErrorCode::unsupported, use->where() + " is true; Octavo has no sliding-window attention for text");
  }
  const std::optional<Json> types = fields.find_nested_first("layer_types");
  if (!types) return;
  for (std::size_t i = 0; i < types->size(); ++i) {
    const Json type = types->at(i);
    if (type.as_string() != "full_attention") {
      throw Error(ErrorCode::unsupported,
                  type.where() + " is " + type.dump() + ", Octavo has \"full_attention\" alone");
    }
  }
}

TextConfig read_text(const Json& config) {
  const TextFields fields(config);
  refuse_sliding_windows(fields);
  TextConfig text;
  text.hidden_size = fields.at("hidden_size").as_int();
  text.num_hidden_layers = fields.at("num_hidden_layers").as_int();
  text.num_attention_heads = fields.at("num_attention_heads").as_int();
  text.num_key_value_heads = fields.at("num_key_value_heads").as_int();
  text.intermediate_size = fields.at("intermediate_size").as_int();
  text.vocab_size = fields.at("vocab_size").as_int();
  text.rms_norm_eps = fields.at("rms_norm_eps").as_number();
  text.max_position_embeddings = fields.at("max_position_embeddings").as_int();
  const std::optional<Json> activation = fields.find("hidden_act");
  text.hidden_act = activation ? activation->as_string() : "silu";
  if (const std::optional<Json> stated = fields.find("head_dim")) {
    text.head_dim = stated->as_int();
  } else {
    const Json heads = fields.at("num_attention_heads");
    if (text.num_attention_heads <= 0 || text.hidden_size % text.num_attention_heads != 0) {
      throw Error(ErrorCode::format, heads.where() + " is " + std::to_string(text.num_attention_heads) +
                                         ", which does not divide hidden_size " + std::to_string(text.hidden_size));
    }
    text.head_dim = text.hidden_size / text.num_attention_heads;
  }
  read_rope(fields, text);
  return text;
}

VisionConfig read_vision(const Json& fields) {
  if (!fields.is_object()) throw Error(ErrorCode::format, fields.where() + " must be an object");
  // No class defaults for what is missing: Hugging Face's are not the published values.
  VisionConfig vision;
  vision.depth = fields.at("depth").as_int();
  vision.hidden_size = fields.at("hidden_size").as_int();
  vision.num_heads = fields.at("num_heads").as_int();
  vision.intermediate_size = fields.at("intermediate_size").as_int();
  vision.hidden_act = fields.get_string("hidden_act", "silu");
  const std::optional<Json> channels = agreed(present(fields, "in_channels"), present(fields, "in_chans"));
  vision.in_channels = channels ? channels->as_int() : 3;
  vision.patch_size = fields.at("patch_size").as_int();
  vision.temporal_patch_size = fields.at("temporal_patch_size").as_int();
  vision.spatial_merge_size = fields.at("spatial_merge_size").as_int();
  vision.window_size = fields.at("window_size").as_int();
  vision.out_hidden_size = fields.at("out_hidden_size").as_int();
  vision.tokens_per_second = fields.at("tokens_per_second").as_number();
  const Json blocks = fields.at("fullatt_block_indexes");
  if (!blocks.is_array()) throw Error(ErrorCode::format, blocks.where() + " must be an array of block indexes");
  for (std::size_t i = 0; i < blocks.size(); ++i) vision.fullatt_block_indexes.push_back(blocks.at(i).as_int());
  std::sort(vision.fullatt_block_indexes.begin(), vision.fullatt_block_indexes.end());
  return vision;
}

std::optional<DType> read_dtype(const TextFields& fields) {
  std::optional<Json> stated = fields.find_nested_first("dtype");
  if (!stated) stated = fields.find_nested_first("torch_dtype");
  if (!stated || !stated->is_string()) return std::nullopt;
  if (stated->as_string() == "bfloat16") return DType::bf16;
  if (stated->as_string() == "float16") return DType::f16;
  if (stated->as_string() == "float32") return DType::f32;
  return std::nullopt;
}

/// The complaints of validate, each with the field in front.
class Validator {
 public:
  explicit Validator(std::string origin) : origin_(std::move(origin)) {}

  [[noreturn]] void refuse(const std::string& field, const std::string& problem) const {
    throw Error(ErrorCode::format, origin_ + ": " + field + " " + problem);
  }
  void extent(const std::string& field, std::int64_t value, std::int64_t most = kMaxExtent) const {
    if (value < 1 || value > most) {
      refuse(field, "must be 1 to " + std::to_string(most) + ", but is " + std::to_string(value));
    }
  }
  void divides(const std::string& field, std::int64_t value, const std::string& of, std::int64_t whole) const {
    if (whole % value != 0) {
      refuse(field, "is " + std::to_string(value) + ", which does not divide " + of + " " + std::to_string(whole));
    }
  }
  void positive(const std::string& field, double value) const {
    if (!(value > 0) || !std::isfinite(value))
      refuse(field, "must be a positive number, but is " + std::to_string(value));
  }
  void activation(const std::string& field, const std::string& value) const {
    if (value != "silu") {
      throw Error(ErrorCode::unsupported, origin_ + ": " + field + " is \"" + value + "\", Octavo has \"silu\"");
    }
  }
  void token(const std::string& field, std::int64_t id, std::int64_t vocab) const {
    if (id < 0 || id >= vocab) {
      refuse(field, "must be below vocab_size " + std::to_string(vocab) + ", but is " + std::to_string(id));
    }
  }

 private:
  std::string origin_;
};

void validate_text(const TextConfig& text, const Validator& check) {
  check.extent("hidden_size", text.hidden_size);
  check.extent("num_hidden_layers", text.num_hidden_layers, kMaxBlocks);
  check.extent("num_attention_heads", text.num_attention_heads);
  check.extent("num_key_value_heads", text.num_key_value_heads);
  check.extent("head_dim", text.head_dim);
  check.extent("intermediate_size", text.intermediate_size);
  check.extent("vocab_size", text.vocab_size);
  check.extent("max_position_embeddings", text.max_position_embeddings, std::int64_t{1} << 31);
  check.extent("num_attention_heads * head_dim", text.num_attention_heads * text.head_dim);
  check.divides("num_key_value_heads", text.num_key_value_heads, "num_attention_heads", text.num_attention_heads);
  check.positive("rms_norm_eps", text.rms_norm_eps);
  check.positive("rope_theta", text.rope_theta);
  check.activation("hidden_act", text.hidden_act);
  std::int64_t sum = 0;
  for (const std::int64_t section : text.mrope_section) {
    if (section < 0 || section > text.head_dim) {
      check.refuse("mrope_section", "must be of counts up to head_dim " + std::to_string(text.head_dim) + ", but has " +
                                        std::to_string(section));
    }
    sum += section;
  }
  if (2 * sum != text.head_dim) {
    check.refuse("mrope_section", "sums to " + std::to_string(sum) + ", but must sum to half of head_dim " +
                                      std::to_string(text.head_dim));
  }
}

void validate_vision(const VisionConfig& vision, const TextConfig& text, const Validator& check) {
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
  check.divides("vision_config.num_heads", vision.num_heads, "vision_config.hidden_size", vision.hidden_size);
  if (vision.head_dim() % 4 != 0) {  // two axes, each rotated in pairs
    check.refuse("vision_config.hidden_size", "/ num_heads is " + std::to_string(vision.head_dim()) +
                                                  ", but the two-dimensional rotation needs a multiple of 4");
  }
  const std::int64_t group = vision.patch_size * vision.spatial_merge_size;
  if (vision.window_size < group) {
    check.refuse("vision_config.window_size", "is " + std::to_string(vision.window_size) +
                                                  " pixels, smaller than one merge group of patch_size * "
                                                  "spatial_merge_size = " +
                                                  std::to_string(group));
  }
  for (std::size_t i = 0; i < vision.fullatt_block_indexes.size(); ++i) {
    const std::int64_t block = vision.fullatt_block_indexes[i];
    if (block < 0 || block >= vision.depth) {
      check.refuse("vision_config.fullatt_block_indexes",
                   "has block " + std::to_string(block) + ", but depth is " + std::to_string(vision.depth));
    }
    if (i > 0 && block <= vision.fullatt_block_indexes[i - 1]) {
      check.refuse("vision_config.fullatt_block_indexes", "must be distinct and ascending, but has " +
                                                              std::to_string(block) + " after " +
                                                              std::to_string(vision.fullatt_block_indexes[i - 1]));
    }
  }
  if (vision.out_hidden_size != text.hidden_size) {
    check.refuse("vision_config.out_hidden_size", "is " + std::to_string(vision.out_hidden_size) +
                                                      ", but the text model's hidden_size is " +
                                                      std::to_string(text.hidden_size));
  }
}

[[noreturn]] void refuse_value(const Json& json, std::string_view key, const std::string& rule) {
  const Json value = json.at(key);
  throw Error(ErrorCode::format, value.where() + " must be " + rule + ", but is " + value.dump());
}

std::vector<std::int64_t> read_eos(const Json& json) {
  const std::optional<Json> eos = present(json, "eos_token_id");
  if (!eos) return {};
  if (!eos->is_array()) return {eos->as_int()};
  std::vector<std::int64_t> ids;
  for (std::size_t i = 0; i < eos->size(); ++i) ids.push_back(eos->at(i).as_int());
  return ids;
}

std::optional<std::int64_t> read_id(const Json& json, std::string_view key) {
  const std::optional<Json> id = present(json, key);
  return id ? std::optional(id->as_int()) : std::nullopt;
}

}  // namespace

bool VisionConfig::is_full_attention(std::int64_t block) const noexcept {
  return std::find(fullatt_block_indexes.begin(), fullatt_block_indexes.end(), block) != fullatt_block_indexes.end();
}

Qwen25VlConfig Qwen25VlConfig::parse(const Json& config) {
  if (!config.is_object()) throw Error(ErrorCode::format, config.where() + " must be an object");
  Qwen25VlConfig parsed;
  const Json model_type = config.at("model_type");
  parsed.model_type = model_type.as_string();
  if (parsed.model_type != "qwen2_5_vl") {
    throw Error(ErrorCode::unsupported,
                model_type.where() + " is \"" + parsed.model_type + "\", expected \"qwen2_5_vl\"");
  }
  const TextFields fields(config);
  parsed.text = read_text(config);
  parsed.vision = read_vision(config.at("vision_config"));
  const auto token_id = [&](std::string_view key) {
    const std::optional<Json> id = fields.find(key);
    return id ? id->as_int() : config.at(key).as_int();
  };
  parsed.image_token_id = token_id("image_token_id");
  parsed.video_token_id = token_id("video_token_id");
  parsed.vision_start_token_id = token_id("vision_start_token_id");
  parsed.vision_end_token_id = token_id("vision_end_token_id");
  // The top level decides; text_config may carry a default that its class had when the file was saved.
  std::optional<Json> tied = present(config, "tie_word_embeddings");
  if (!tied) tied = fields.find_nested_first("tie_word_embeddings");
  if (tied) parsed.tie_word_embeddings = tied->as_bool();
  if (const std::optional<Json> cache = fields.find_nested_first("use_cache"))
    parsed.use_cache_stated = cache->as_bool();
  parsed.dtype = read_dtype(fields);
  parsed.validate(config.where());
  return parsed;
}

void Qwen25VlConfig::validate(const std::string& origin) const {
  const Validator check(origin);
  validate_text(text, check);
  validate_vision(vision, text, check);
  check.token("image_token_id", image_token_id, text.vocab_size);
  check.token("video_token_id", video_token_id, text.vocab_size);
  check.token("vision_start_token_id", vision_start_token_id, text.vocab_size);
  check.token("vision_end_token_id", vision_end_token_id, text.vocab_size);
  if (image_token_id == video_token_id) {
    check.refuse("image_token_id", "and video_token_id are both " + std::to_string(image_token_id));
  }
}

GenerationConfig GenerationConfig::parse(const Json& json) {
  if (!json.is_object()) throw Error(ErrorCode::format, json.where() + " must be an object");
  GenerationConfig parsed;
  parsed.eos_token_ids = read_eos(json);
  parsed.bos_token_id = read_id(json, "bos_token_id");
  parsed.pad_token_id = read_id(json, "pad_token_id");
  parsed.do_sample = json.get_bool("do_sample", parsed.do_sample);
  parsed.temperature = json.get_number("temperature", parsed.temperature);
  parsed.top_k = json.get_int("top_k", parsed.top_k);
  parsed.top_p = json.get_number("top_p", parsed.top_p);
  parsed.repetition_penalty = json.get_number("repetition_penalty", parsed.repetition_penalty);
  for (const std::int64_t id : parsed.eos_token_ids) {
    if (id < 0 || id > INT32_MAX) refuse_value(json, "eos_token_id", "of token ids (0 to 2147483647)");
  }
  if (!(parsed.temperature >= 0)) refuse_value(json, "temperature", "0 or more");
  if (parsed.top_k < 0) refuse_value(json, "top_k", "0 (off) or more");
  if (!(parsed.top_p >= 0 && parsed.top_p <= 1)) refuse_value(json, "top_p", "0 to 1");
  if (!(parsed.repetition_penalty > 0)) refuse_value(json, "repetition_penalty", "positive");
  return parsed;
}

GenerationConfig GenerationConfig::read(const std::string& directory, const Json& config) {
  const std::string path = (std::filesystem::path(directory) / "generation_config.json").string();
  std::error_code failed;
  if (std::filesystem::exists(path, failed)) return parse(Json::read_file(path));
  GenerationConfig parsed = parse(config);
  if (const std::optional<Json> text = present(config, "text_config"); text && text->is_object()) {
    const GenerationConfig nested = parse(*text);
    if (parsed.eos_token_ids.empty()) parsed.eos_token_ids = nested.eos_token_ids;
    if (!parsed.bos_token_id) parsed.bos_token_id = nested.bos_token_id;
    if (!parsed.pad_token_id) parsed.pad_token_id = nested.pad_token_id;
  }
  return parsed;
}

}  // namespace octavo
