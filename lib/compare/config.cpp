#include "octavo/config.hpp"

#include <array>
#include <map>

#include "octavo/architecture.hpp"
#include "parts.hpp"

namespace octavo::detail {
namespace {

/// Keys in the order of the file that stated them first, values as JSON.
class Fields {
 public:
  void set(const std::string& key, std::string value) {
    if (values_.insert_or_assign(key, std::move(value)).second) order_.push_back(key);
  }
  bool has(const std::string& key) const { return values_.count(key) != 0; }
  std::string get(const std::string& key) const {
    const auto found = values_.find(key);
    return found == values_.end() ? "" : found->second;
  }
  const std::vector<std::string>& keys() const { return order_; }

 private:
  std::map<std::string, std::string> values_;
  std::vector<std::string> order_;
};

template <class List>
std::string list_json(const List& values) {
  JsonBuilder list = JsonBuilder::array();
  for (const std::int64_t value : values) list.push(value);
  return list.dump();
}

std::string json(const JsonBuilder& value) { return value.dump(); }

bool is_built_in(const Json& config) { return config.get_string("model_type", "") == "qwen2_5_vl"; }

/// What the arithmetic reads, under the name a reader knows it by. Of an architecture that the caller registered only
/// what every language model has is known; the rest is compared as written.
Fields parsed_fields(const Checkpoint& checkpoint) {
  Fields fields;
  const Json& stated = checkpoint.config();
  const bool built_in = is_built_in(stated);
  const Qwen25VlConfig config = built_in ? Qwen25VlConfig::parse(stated) : Qwen25VlConfig{};
  const TextConfig text = built_in ? config.text : read_architecture(stated)->text();
  const VisionConfig& vision = config.vision;
  const auto number = [&](const char* key, std::int64_t value) { fields.set(key, std::to_string(value)); };
  fields.set("model_type", json(stated.get_string("model_type", "")));
  if (built_in) {
    number("image_token_id", config.image_token_id);
    number("video_token_id", config.video_token_id);
    number("vision_start_token_id", config.vision_start_token_id);
    number("vision_end_token_id", config.vision_end_token_id);
  }
  fields.set("tie_word_embeddings", has_tied_head(checkpoint) ? "true" : "false");
  number("text_config.hidden_size", text.hidden_size);
  number("text_config.num_hidden_layers", text.num_hidden_layers);
  number("text_config.num_attention_heads", text.num_attention_heads);
  number("text_config.num_key_value_heads", text.num_key_value_heads);
  number("text_config.head_dim", text.head_dim);
  if (built_in) {
    number("text_config.intermediate_size", text.intermediate_size);
    fields.set("text_config.hidden_act", json(text.hidden_act));
  }
  number("text_config.vocab_size", text.vocab_size);
  fields.set("text_config.rms_norm_eps", json(text.rms_norm_eps));
  if (built_in) {
    fields.set("text_config.rope_theta", json(text.rope_theta));
    fields.set("text_config.rope_scaling.mrope_section", list_json(text.mrope_section));
  }
  number("text_config.max_position_embeddings", text.max_position_embeddings);
  if (!built_in) return fields;
  number("vision_config.depth", vision.depth);
  number("vision_config.hidden_size", vision.hidden_size);
  number("vision_config.num_heads", vision.num_heads);
  number("vision_config.intermediate_size", vision.intermediate_size);
  fields.set("vision_config.hidden_act", json(vision.hidden_act));
  number("vision_config.in_channels", vision.in_channels);
  number("vision_config.patch_size", vision.patch_size);
  number("vision_config.temporal_patch_size", vision.temporal_patch_size);
  number("vision_config.spatial_merge_size", vision.spatial_merge_size);
  number("vision_config.window_size", vision.window_size);
  fields.set("vision_config.fullatt_block_indexes", list_json(vision.fullatt_block_indexes));
  number("vision_config.out_hidden_size", vision.out_hidden_size);
  fields.set("vision_config.tokens_per_second", json(vision.tokens_per_second));
  return fields;
}

/// Top-level keys of both layouts that say nothing of the text model alone.
bool is_top_level(std::string_view key) {
  static constexpr std::array<std::string_view, 15> kKeys{
      "architectures",       "model_type",           "image_token_id", "video_token_id", "vision_start_token_id",
      "vision_end_token_id", "vision_token_id",      "bos_token_id",   "eos_token_id",   "pad_token_id",
      "tie_word_embeddings", "transformers_version", "use_cache",      "dtype",          "_name_or_path"};
  for (const std::string_view known : kKeys) {
    if (key == known) return true;
  }
  return false;
}

/// One name for every place and spelling that a field may have.
std::string canonical(std::string_view section, std::string_view key) {
  if (key == "torch_dtype") key = "dtype";
  if (section == "vision_config") {
    if (key == "in_chans") key = "in_channels";
    return "vision_config." + std::string(key);
  }
  if (section == "rope") {
    if (key == "rope_theta") return "text_config.rope_theta";
    return "text_config.rope_scaling." + std::string(key == "type" ? "rope_type" : key);
  }
  const bool nested = section == "text_config";
  if (is_top_level(key) && !(nested && (key == "model_type" || key == "architectures"))) return std::string(key);
  return "text_config." + std::string(key);
}

/// config.json as written, quantization_config left out. Of a field stated twice, text_config's counts.
Fields written_fields(const Json& config) {
  Fields fields;
  const auto take = [&](const Json& object, std::string_view section, bool overrides) {
    object.for_each_member([&](std::string_view key, const Json& value) {
      if (section != "vision_config" && (key == "rope_scaling" || key == "rope_parameters") && value.is_object()) {
        value.for_each_member(
            [&](std::string_view name, const Json& inner) { fields.set(canonical("rope", name), inner.dump()); });
        return;
      }
      if (section.empty() && (key == "text_config" || key == "vision_config" || key == "quantization_config") &&
          value.is_object()) {
        return;
      }
      const std::string name = canonical(section, key);
      if (overrides || !fields.has(name)) fields.set(name, value.dump());
    });
  };
  take(config, "", true);
  for (const char* section : {"text_config", "vision_config"}) {
    const auto nested = config.find(section);
    // tie_word_embeddings and its like at the top decide; text_config may carry what its class had by default.
    if (nested && nested->is_object()) take(*nested, section, false);
  }
  return fields;
}

std::string why_harmless(const std::string& key) {
  if (key == "use_cache") return "caching is a property of a call here; set it to what the original says for others";
  if (key == "dtype") return "the stored type of each tensor counts, not this field";
  if (key == "transformers_version") return "says which version saved the file";
  if (key == "architectures" || key == "_name_or_path") return "says which class or path the file came from";
  if (key == "eos_token_id" || key == "bos_token_id" || key == "pad_token_id") {
    return "generation follows generation_config.json, which is compared on its own";
  }
  return "";
}

class ConfigPart {
 public:
  ConfigPart(const ComparedPair& pair, CompareResult& result) : pair_(pair), result_(result) {}

  void run() {
    const Fields original = parsed_fields(pair_.original);
    Fields quantized;
    bool parses = true;
    const Fields written_original = written_fields(pair_.original.config());
    const Fields written_quantized = written_fields(pair_.quantized.config());
    try {
      quantized = parsed_fields(pair_.quantized);
    } catch (const Error& error) {
      parses = false;
      result_.differences.push_back({Verdict::wrong, "config.json", error.what(), "", "",
                                     "restore the original's config.json and add quantization_config to it"});
    }
    for (const std::string& key : original.keys()) {
      // A configuration that does not parse is compared as written, where it states the field at all.
      const std::string ours = parses ? quantized.get(key) : written_quantized.get(key);
      const std::string theirs = parses || !written_original.has(key) ? original.get(key) : written_original.get(key);
      field(key, theirs, ours);
    }
    for (const Fields* fields : {&written_original, &written_quantized}) {
      for (const std::string& key : fields->keys()) {
        if (original.has(key)) continue;  // by value, above
        if (key == "text_config.rope_scaling.rope_type" && is_built_in(pair_.original.config())) continue;  // by parse
        if (fields == &written_quantized && written_original.has(key)) continue;
        unread(key, written_original.get(key), written_quantized.get(key));
      }
    }
    quantization();
  }

 private:
  void field(const std::string& key, const std::string& original, const std::string& quantized) {
    const bool same = original == quantized;
    const bool untied = key == "tie_word_embeddings" && original == "true" && has_int8_head();
    result_.config.push_back({key, original, quantized,
                              same     ? Verdict::same
                              : untied ? Verdict::expected
                                       : Verdict::wrong});
    if (same) return;
    if (untied) {
      result_.differences.push_back({Verdict::expected, "config.json: " + key,
                                     "its lm_head is a copy of the embedding in int8", original, quantized, ""});
      return;
    }
    result_.differences.push_back(
        {Verdict::wrong, "config.json: " + key,
         quantized.empty() ? "the arithmetic reads it, and it is gone" : "the arithmetic reads it, and it changed",
         original, quantized, "set it back to " + original});
  }

  bool has_int8_head() const {
    const TensorInfo* head = pair_.quantized.find("lm_head.weight");
    return head != nullptr && head->dtype == DType::s8;
  }

  void unread(const std::string& key, const std::string& original, const std::string& quantized) {
    const bool same = original == quantized;
    std::string why = why_harmless(key);
    const bool may_be_read = why.empty() && !is_built_in(pair_.original.config());
    const Verdict differs = may_be_read ? Verdict::wrong : Verdict::harmless;
    result_.config.push_back({key, original, quantized, same ? Verdict::same : differs});
    if (same) return;
    if (why.empty()) why = may_be_read ? "the architecture may read it" : "the arithmetic does not read it";
    result_.differences.push_back({differs, "config.json: " + key, std::move(why), original, quantized,
                                   may_be_read ? "set it back to " + original : ""});
  }

  void quantization() {
    const auto stated = pair_.quantized.config().find("quantization_config");
    if (!stated || !stated->is_object()) return;
    const auto word = [&](const char* key) {
      const auto value = stated->find(key);
      return value && value->is_string() ? value->as_string() : std::string("?");
    };
    const auto ignore = stated->find("ignore");
    const std::string summary =
        word("quant_method") + ", " + word("format") +
        (ignore && ignore->is_array() ? ", " + std::to_string(ignore->size()) + " modules ignored" : "");
    result_.config.push_back({"quantization_config", "", summary, Verdict::expected});
    result_.differences.push_back(
        {Verdict::expected, "config.json: quantization_config", "says how the linears are stored", "", summary, ""});
  }

  const ComparedPair& pair_;
  CompareResult& result_;
};

}  // namespace

void compare_config(const ComparedPair& pair, CompareResult& result) { ConfigPart(pair, result).run(); }

}  // namespace octavo::detail
