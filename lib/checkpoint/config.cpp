#include "octavo/config.hpp"

#include <algorithm>
#include <filesystem>
#include <utility>

#include "class_defaults.hpp"
#include "config_rules.hpp"
#include "text_fields.hpp"

namespace octavo {
namespace {

using checkpoint_detail::agreed;
using checkpoint_detail::FieldReader;
using checkpoint_detail::kDefaultImageTokenId;
using checkpoint_detail::kDefaultMaxWindowLayers;
using checkpoint_detail::kDefaultVideoTokenId;
using checkpoint_detail::kDefaultVisionEndTokenId;
using checkpoint_detail::kDefaultVisionStartTokenId;
using checkpoint_detail::present;
using checkpoint_detail::text_class_defaults;
using checkpoint_detail::TextFields;
using checkpoint_detail::validate_config;
using checkpoint_detail::vision_class_defaults;

/// Reads a key into a field that holds its class default, and notes where that stays.
class Fields {
 public:
  Fields(FieldReader& read, std::string prefix, std::vector<std::string>& left_out)
      : read_(read), prefix_(std::move(prefix)), left_out_(left_out) {}

  template <class Value, class Read>
  void take(const Json& home, const char* key, Value& value, Read&& read) {
    read_.field(prefix_ + key, [&] {
      const std::optional<Json> stated = present(home, key);
      if (!stated) return left_out_.push_back(prefix_ + key);
      value = Value{};  // nothing to go by, should it be unreadable
      value = read(*stated);
    });
  }
  void integer(const Json& home, const char* key, std::int64_t& value) {
    take(home, key, value, [](const Json& stated) { return stated.as_int(); });
  }
  void number(const Json& home, const char* key, double& value) {
    take(home, key, value, [](const Json& stated) { return stated.as_number(); });
  }
  void text(const Json& home, const char* key, std::string& value) {
    take(home, key, value, [](const Json& stated) { return stated.as_string(); });
  }

 private:
  FieldReader& read_;
  std::string prefix_;
  std::vector<std::string>& left_out_;
};

/// rope_scaling (transformers 4) or rope_parameters (5), which takes the former first; the type is checked.
std::optional<Json> rope_object(const TextFields& fields) {
  std::optional<Json> rope;
  for (const char* key : {"rope_scaling", "rope_parameters"}) {
    rope = fields.find(key);
    if (!rope) continue;
    if (!rope->is_object()) throw Error(ErrorCode::format, rope->where() + " must be an object");
    if (rope->size() > 0) break;
  }
  if (!rope) return std::nullopt;
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

void read_rope(const TextFields& fields, TextConfig& text, FieldReader& read, std::vector<std::string>& left_out) {
  std::optional<Json> rope;
  bool known = true;
  read.field("rope_scaling", [&] {
    known = false;
    rope = rope_object(fields);
    known = true;
  });
  read.field("rope_theta", [&] {
    const std::optional<Json> theta =
        agreed(rope ? present(*rope, "rope_theta") : std::nullopt, fields.find("rope_theta"));
    if (!theta) return left_out.emplace_back("rope_theta"), void();
    text.rope_theta = 0;
    text.rope_theta = theta->as_number();
  });
  if (!known) {
    read.give_up("mrope_section");
    return;
  }
  read.field("mrope_section", [&] {
    const std::optional<Json> sections = rope ? present(*rope, "mrope_section") : std::nullopt;
    if (!sections) return left_out.emplace_back("mrope_section"), void();
    if (!sections->is_array() || sections->size() != text.mrope_section.size()) {
      throw Error(ErrorCode::format,
                  sections->where() + " must be three numbers (t, h, w), but is " + sections->dump());
    }
    for (std::size_t i = 0; i < text.mrope_section.size(); ++i) text.mrope_section[i] = sections->at(i).as_int();
  });
}

/// A layer slides where layer_types says so; without that key, from max_window_layers on when use_sliding_window is
/// true (Qwen2_5_VLTextConfig).
void refuse_sliding_windows(const TextFields& fields, std::int64_t layers, FieldReader& read) {
  bool typed = false;
  read.field("layer_types", [&] {
    const std::optional<Json> types = fields.find("layer_types");
    if (!types) return;
    typed = true;
    for (std::size_t i = 0; i < types->size(); ++i) {
      const Json type = types->at(i);
      if (type.as_string() != "full_attention") {
        throw Error(ErrorCode::unsupported,
                    type.where() + " is " + type.dump() + ", Octavo has \"full_attention\" alone");
      }
    }
  });
  read.field("use_sliding_window", [&] {
    const std::optional<Json> use = fields.find("use_sliding_window");
    if (typed || !use || !use->as_bool()) return;
    const std::optional<Json> window = fields.home().find("sliding_window");
    const std::optional<Json> first = fields.find("max_window_layers");
    const bool never = (window && window->is_null()) || (first ? first->as_int() : kDefaultMaxWindowLayers) >= layers;
    if (never) return;
    throw Error(ErrorCode::unsupported, use->where() + " is true; Octavo has no sliding-window attention for text");
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
    if (text.num_attention_heads <= 0 || text.hidden_size % text.num_attention_heads != 0) {
      read.give_up("head_dim");
      throw Error(ErrorCode::format, fields.home().where() + (fields.nested() ? "." : ": ") +
                                         "num_attention_heads is " + std::to_string(text.num_attention_heads) +
                                         ", which does not divide hidden_size " + std::to_string(text.hidden_size));
    }
    text.head_dim = text.hidden_size / text.num_attention_heads;
  });
}

void read_text(const TextFields& fields, TextConfig& text, FieldReader& read, std::vector<std::string>& left_out) {
  text = text_class_defaults();
  Fields take(read, "", left_out);
  const Json& home = fields.home();
  take.integer(home, "num_hidden_layers", text.num_hidden_layers);
  refuse_sliding_windows(fields, text.num_hidden_layers, read);
  take.integer(home, "hidden_size", text.hidden_size);
  take.integer(home, "num_attention_heads", text.num_attention_heads);
  if (const std::optional<Json> heads = home.find("num_key_value_heads"); heads && heads->is_null()) {
    text.num_key_value_heads = text.num_attention_heads;
    if (read.unread("num_attention_heads")) read.give_up("num_key_value_heads");
  } else {
    take.integer(home, "num_key_value_heads", text.num_key_value_heads);
  }
  take.integer(home, "intermediate_size", text.intermediate_size);
  take.integer(home, "vocab_size", text.vocab_size);
  take.number(home, "rms_norm_eps", text.rms_norm_eps);
  take.integer(home, "max_position_embeddings", text.max_position_embeddings);
  take.text(home, "hidden_act", text.hidden_act);
  read_head_dim(fields, text, read);
  read_rope(fields, text, read, left_out);
}

void read_vision(const Json& fields, VisionConfig& vision, FieldReader& read, std::vector<std::string>& left_out) {
  vision = vision_class_defaults();
  Fields take(read, "vision_config.", left_out);
  take.integer(fields, "depth", vision.depth);
  take.integer(fields, "hidden_size", vision.hidden_size);
  // transformers 5 takes the second name for the first.
  read.field("vision_config.num_heads", [&] {
    const std::optional<Json> heads = agreed(present(fields, "num_heads"), present(fields, "num_attention_heads"));
    if (!heads) return left_out.emplace_back("vision_config.num_heads"), void();
    vision.num_heads = 0;
    vision.num_heads = heads->as_int();
  });
  take.integer(fields, "intermediate_size", vision.intermediate_size);
  take.text(fields, "hidden_act", vision.hidden_act);
  // The published files have in_chans, which no release reads: it is the same 3 as the default of in_channels.
  read.field("vision_config.in_channels", [&] {
    std::optional<Json> channels = present(fields, "in_channels");
    if (!channels) channels = present(fields, "in_chans");
    if (channels) vision.in_channels = channels->as_int();
  });
  take.integer(fields, "patch_size", vision.patch_size);
  take.integer(fields, "temporal_patch_size", vision.temporal_patch_size);
  take.integer(fields, "spatial_merge_size", vision.spatial_merge_size);
  take.integer(fields, "window_size", vision.window_size);
  take.integer(fields, "out_hidden_size", vision.out_hidden_size);
  take.number(fields, "tokens_per_second", vision.tokens_per_second);
  take.take(fields, "fullatt_block_indexes", vision.fullatt_block_indexes, [](const Json& blocks) {
    if (!blocks.is_array()) throw Error(ErrorCode::format, blocks.where() + " must be an array of block indexes");
    std::vector<std::int64_t> indexes;
    for (std::size_t i = 0; i < blocks.size(); ++i) indexes.push_back(blocks.at(i).as_int());
    std::sort(indexes.begin(), indexes.end());
    return indexes;
  });
}

/// What the tables refuse and no rule has told of yet. Rules name text fields without their level.
void add_refused(const Json& config, std::vector<ConfigProblem>& problems) {
  const std::string nested = ": text_config.";
  for (const SettingFinding& finding : config_findings(config)) {
    if (finding.kind != SettingFinding::Kind::refused) continue;
    std::string plain = finding.where;
    if (const std::size_t at = plain.find(nested); at != std::string::npos) plain.replace(at, nested.size(), ": ");
    const bool told = std::any_of(problems.begin(), problems.end(), [&](const ConfigProblem& problem) {
      return problem.where == plain || problem.what.find(finding.where + " ") == 0;
    });
    if (!told) problems.push_back({ErrorCode::unsupported, finding.where, finding.what, finding.remedy});
  }
}

}  // namespace

bool VisionConfig::is_full_attention(std::int64_t block) const noexcept {
  return std::find(fullatt_block_indexes.begin(), fullatt_block_indexes.end(), block) != fullatt_block_indexes.end();
}

std::optional<bool> stated_tie(const Json& config) {
  std::optional<bool> stated;
  // 4.52 to 4.57 write it into text_config alone.
  for (const Json& level : {config, TextFields(config).home()}) {
    if (const std::optional<Json> tied = present(level, "tie_word_embeddings"))
      stated = tied->as_bool() || stated.value_or(false);
  }
  return stated;
}

std::optional<DType> stated_dtype(const Json& config) {
  for (const char* key : {"dtype", "torch_dtype"}) {
    std::optional<Json> stated = present(config, key);
    if (const std::optional<Json> text = config.find("text_config"); text && present(*text, key))
      stated = present(*text, key);
    if (!stated) continue;
    if (!stated->is_string()) return std::nullopt;
    if (stated->as_string() == "bfloat16") return DType::bf16;
    if (stated->as_string() == "float16") return DType::f16;
    if (stated->as_string() == "float32") return DType::f32;
    return std::nullopt;
  }
  return std::nullopt;
}

Qwen25VlConfig Qwen25VlConfig::parse(const Json& config) {
  std::vector<ConfigProblem> problems;
  bool tensors_known = false;
  Qwen25VlConfig parsed = parse_all(config, problems, tensors_known);
  if (!problems.empty()) throw Error::of(problems.front().code, problems.front().what);
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
  read_text(*fields, parsed.text, read, parsed.left_out);
  std::optional<Json> vision;
  read.field("vision_config", [&] {
    vision = config.at("vision_config");
    if (vision->is_object()) return;
    const std::string where = vision->where();
    vision.reset();
    throw Error(ErrorCode::format, where + " must be an object");
  });
  if (vision) read_vision(*vision, parsed.vision, read, parsed.left_out);
  const auto token_id = [&](const char* key, std::int64_t& value, std::int64_t by_default) {
    value = by_default;
    read.field(key, [&] {
      const std::optional<Json> id = agreed(present(config, key), fields->find(key));
      if (!id) return parsed.left_out.emplace_back(key), void();
      value = 0;
      value = id->as_int();
    });
  };
  token_id("image_token_id", parsed.image_token_id, kDefaultImageTokenId);
  token_id("video_token_id", parsed.video_token_id, kDefaultVideoTokenId);
  token_id("vision_start_token_id", parsed.vision_start_token_id, kDefaultVisionStartTokenId);
  token_id("vision_end_token_id", parsed.vision_end_token_id, kDefaultVisionEndTokenId);
  read.field("tie_word_embeddings", [&] { parsed.tie_word_embeddings = stated_tie(config); });
  read.field("use_cache", [&] {
    if (const std::optional<Json> cache = fields->find_anywhere("use_cache"))
      parsed.use_cache_stated = cache->as_bool();
  });
  read.field("torch_dtype", [&] { parsed.dtype = stated_dtype(config); });
  tensors_known = validate_config(parsed, read, vision.has_value());
  add_refused(config, problems);
  return parsed;
}

void Qwen25VlConfig::validate(const std::string& origin) const {
  std::vector<ConfigProblem> problems;
  FieldReader read(origin, problems);
  validate_config(*this, read, true);
  if (!problems.empty()) throw Error::of(problems.front().code, problems.front().what);
}

}  // namespace octavo
