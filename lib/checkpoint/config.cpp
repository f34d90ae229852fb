#include "octavo/config.hpp"

#include <algorithm>
#include <filesystem>
#include <utility>

#include "config_rules.hpp"

namespace octavo {
namespace {

using checkpoint_detail::FieldReader;
using checkpoint_detail::validate_config;

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

void read_rope(const TextFields& fields, TextConfig& text, FieldReader& read) {
  std::optional<Json> rope;
  bool known = true;
  read.field("rope_scaling", [&] {
    known = false;
    rope = rope_object(fields);
    known = true;
  });
  text.rope_theta = 1e6;
  read.field("rope_theta", [&] {
    const std::optional<Json> theta =
        agreed(rope ? present(*rope, "rope_theta") : std::nullopt, fields.find("rope_theta"));
    if (theta) text.rope_theta = theta->as_number();
  });
  if (!known) {
    read.give_up("mrope_section");
    return;
  }
  read.field("mrope_section", [&] {
    if (!rope) fields.home().at("rope_scaling");  // throws: without it there are no sections
    const Json sections = rope->at("mrope_section");
    if (!sections.is_array() || sections.size() != text.mrope_section.size()) {
      throw Error(ErrorCode::format, sections.where() + " must be three numbers (t, h, w), but is " + sections.dump());
    }
    for (std::size_t i = 0; i < text.mrope_section.size(); ++i) text.mrope_section[i] = sections.at(i).as_int();
  });
}

void refuse_sliding_windows(const TextFields& fields, FieldReader& read) {
  read.field("use_sliding_window", [&] {
    if (const std::optional<Json> use = fields.find("use_sliding_window"); use && use->as_bool()) {
      throw Error(ErrorCode::unsupported, use->where() + " is true; Octavo has no sliding-window attention for text");
    }
  });
  read.field("layer_types", [&] {
    const std::optional<Json> types = fields.find_nested_first("layer_types");
    if (!types) return;
    for (std::size_t i = 0; i < types->size(); ++i) {
      const Json type = types->at(i);
      if (type.as_string() != "full_attention") {
        throw Error(ErrorCode::unsupported,
                    type.where() + " is " + type.dump() + ", Octavo has \"full_attention\" alone");
      }
    }
  });
}

void read_head_dim(const TextFields& fields, TextConfig& text, FieldReader& read) {
  std::optional<Json> stated;
  read.field("head_dim", [&] {
    stated = fields.find("head_dim");
    if (stated) text.head_dim = stated->as_int();
  });
  if (stated || read.unread("head_dim")) return;
  if (read.unread("hidden_size") || read.unread("num_attention_heads")) return read.give_up("head_dim");
  read.field("num_attention_heads", [&] {
    const Json heads = fields.at("num_attention_heads");
    if (text.num_attention_heads <= 0 || text.hidden_size % text.num_attention_heads != 0) {
      read.give_up("head_dim");
      throw Error(ErrorCode::format, heads.where() + " is " + std::to_string(text.num_attention_heads) +
                                         ", which does not divide hidden_size " + std::to_string(text.hidden_size));
    }
    text.head_dim = text.hidden_size / text.num_attention_heads;
  });
}

void read_text(const TextFields& fields, TextConfig& text, FieldReader& read) {
  refuse_sliding_windows(fields, read);
  const auto integer = [&](const char* key, std::int64_t& value) {
    read.field(key, [&] { value = fields.at(key).as_int(); });
  };
  integer("hidden_size", text.hidden_size);
  integer("num_hidden_layers", text.num_hidden_layers);
  integer("num_attention_heads", text.num_attention_heads);
  integer("num_key_value_heads", text.num_key_value_heads);
  integer("intermediate_size", text.intermediate_size);
  integer("vocab_size", text.vocab_size);
  read.field("rms_norm_eps", [&] { text.rms_norm_eps = fields.at("rms_norm_eps").as_number(); });
  integer("max_position_embeddings", text.max_position_embeddings);
  text.hidden_act = "silu";
  read.field("hidden_act", [&] {
    if (const std::optional<Json> activation = fields.find("hidden_act")) text.hidden_act = activation->as_string();
  });
  read_head_dim(fields, text, read);
  read_rope(fields, text, read);
}

void read_vision(const Json& fields, VisionConfig& vision, FieldReader& read) {
  const auto integer = [&](const char* key, std::int64_t& value) {
    read.field(std::string("vision_config.") + key, [&] { value = fields.at(key).as_int(); });
  };
  // No class defaults for what is missing: Hugging Face's are not the published values.
  integer("depth", vision.depth);
  integer("hidden_size", vision.hidden_size);
  integer("num_heads", vision.num_heads);
  integer("intermediate_size", vision.intermediate_size);
  vision.hidden_act = "silu";
  read.field("vision_config.hidden_act", [&] { vision.hidden_act = fields.get_string("hidden_act", "silu"); });
  vision.in_channels = 3;
  read.field("vision_config.in_channels", [&] {
    const std::optional<Json> channels = agreed(present(fields, "in_channels"), present(fields, "in_chans"));
    if (channels) vision.in_channels = channels->as_int();
  });
  integer("patch_size", vision.patch_size);
  integer("temporal_patch_size", vision.temporal_patch_size);
  integer("spatial_merge_size", vision.spatial_merge_size);
  integer("window_size", vision.window_size);
  integer("out_hidden_size", vision.out_hidden_size);
  read.field("vision_config.tokens_per_second",
             [&] { vision.tokens_per_second = fields.at("tokens_per_second").as_number(); });
  read.field("vision_config.fullatt_block_indexes", [&] {
    const Json blocks = fields.at("fullatt_block_indexes");
    if (!blocks.is_array()) throw Error(ErrorCode::format, blocks.where() + " must be an array of block indexes");
    std::vector<std::int64_t> indexes;
    for (std::size_t i = 0; i < blocks.size(); ++i) indexes.push_back(blocks.at(i).as_int());
    std::sort(indexes.begin(), indexes.end());
    vision.fullatt_block_indexes = std::move(indexes);
  });
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
  std::vector<ConfigProblem> problems;
  bool tensors_known = false;
  Qwen25VlConfig parsed = parse_all(config, problems, tensors_known);
  if (!problems.empty()) throw Error(problems.front().code, problems.front().what);
  return parsed;
}

Qwen25VlConfig Qwen25VlConfig::parse_all(const Json& config, std::vector<ConfigProblem>& problems,
                                         bool& tensors_known) {
  Qwen25VlConfig parsed;
  FieldReader read(config.where(), problems);
  tensors_known = false;
  const std::size_t before = problems.size();
  read.field("model_type", [&] {
    if (!config.is_object()) throw Error(ErrorCode::format, config.where() + " must be an object");
    const Json stored = config.at("model_type");
    parsed.model_type = stored.as_string();
    if (parsed.model_type != "qwen2_5_vl") {
      throw Error(ErrorCode::unsupported,
                  stored.where() + " is \"" + parsed.model_type + "\", expected \"qwen2_5_vl\"");
    }
  });
  if (problems.size() != before) return parsed;  // nothing else means what we would take it for

  std::optional<TextFields> fields;
  read.field("text_config", [&] { fields.emplace(config); });
  if (!fields) return parsed;
  read_text(*fields, parsed.text, read);
  std::optional<Json> vision;
  read.field("vision_config", [&] {
    vision = config.at("vision_config");
    if (vision->is_object()) return;
    const std::string where = vision->where();
    vision.reset();
    throw Error(ErrorCode::format, where + " must be an object");
  });
  if (vision) read_vision(*vision, parsed.vision, read);
  const auto token_id = [&](const char* key, std::int64_t& value) {
    read.field(key, [&] {
      const std::optional<Json> id = fields->find(key);
      value = id ? id->as_int() : config.at(key).as_int();
    });
  };
  token_id("image_token_id", parsed.image_token_id);
  token_id("video_token_id", parsed.video_token_id);
  token_id("vision_start_token_id", parsed.vision_start_token_id);
  token_id("vision_end_token_id", parsed.vision_end_token_id);
  read.field("tie_word_embeddings", [&] {
    // The top level decides; text_config may carry a default that its class had when the file was saved.
    std::optional<Json> tied = present(config, "tie_word_embeddings");
    if (!tied) tied = fields->find_nested_first("tie_word_embeddings");
    if (tied) parsed.tie_word_embeddings = tied->as_bool();
  });
  read.field("use_cache", [&] {
    if (const std::optional<Json> cache = fields->find_nested_first("use_cache"))
      parsed.use_cache_stated = cache->as_bool();
  });
  read.field("torch_dtype", [&] { parsed.dtype = read_dtype(*fields); });
  tensors_known = validate_config(parsed, read, vision.has_value());
  return parsed;
}

void Qwen25VlConfig::validate(const std::string& origin) const {
  std::vector<ConfigProblem> problems;
  FieldReader read(origin, problems);
  validate_config(*this, read, true);
  if (!problems.empty()) throw Error(problems.front().code, problems.front().what);
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
