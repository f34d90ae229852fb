// What parse accepts and yet deserves a word: fields that contradict each other where only one of them is read.
#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "qwen2_5_vl.hpp"

namespace octavo::model {
namespace {

constexpr std::int64_t kMostKeys = 8;  // that one line names

/// Whether the field, left at its class default, is what the top level says.
bool holds_default(const TextConfig& text, std::string_view key, const Json& top) {
  if (key == "hidden_act") return top.is_string() && top.as_string() == text.hidden_act;
  const std::map<std::string_view, double> values{
      {"vocab_size", static_cast<double>(text.vocab_size)},
      {"hidden_size", static_cast<double>(text.hidden_size)},
      {"intermediate_size", static_cast<double>(text.intermediate_size)},
      {"num_hidden_layers", static_cast<double>(text.num_hidden_layers)},
      {"num_attention_heads", static_cast<double>(text.num_attention_heads)},
      {"num_key_value_heads", static_cast<double>(text.num_key_value_heads)},
      {"max_position_embeddings", static_cast<double>(text.max_position_embeddings)},
      {"rms_norm_eps", text.rms_norm_eps},
      {"rope_theta", text.rope_theta}};
  const auto value = values.find(key);
  return value != values.end() && top.is_number() && top.as_number() == value->second;
}

std::optional<Json> object_in(const Json& parent, std::string_view key) {
  std::optional<Json> found = parent.find(key);
  return found && found->is_object() ? found : std::nullopt;
}

/// Of rope_scaling and rope_parameters one is read, by release another: they must say the same.
void contradicting_ropes(const Json& config, std::vector<CheckProblem>& problems) {
  const std::optional<Json> text = object_in(config, "text_config");
  const Json& home = text ? *text : config;
  const std::optional<Json> older = object_in(home, "rope_scaling");
  const std::optional<Json> newer = object_in(home, "rope_parameters");
  if (!older || !newer || older->size() == 0 || newer->size() == 0) return;
  problems.push_back({newer->where() + " stands beside " + older->where() + ", which counts, as for transformers",
                      newer->where(), "keep one of them", false});
  for (const char* key : {"mrope_section", "rope_theta"}) {
    const auto first = older->find(key);
    const auto other = newer->find(key);
    if (!first || !other || first->dump() == other->dump()) continue;
    if (first->is_number() && other->is_number() && first->as_number() == other->as_number()) continue;
    problems.push_back({first->where() + " is " + first->dump() + ", but " + other->where() + " is " + other->dump() +
                            ": the file contradicts itself",
                        other->where(), "keep one of them; both must be those the model was trained with"});
  }
}

/// What the top level says of the text model beside a text_config that says otherwise.
void stale_top_level(const Json& config, const Qwen25VlConfig& parsed, std::vector<CheckProblem>& problems) {
  const std::optional<Json> text = object_in(config, "text_config");
  if (!text) return;
  std::string stale;
  std::int64_t count = 0;
  const auto add = [&](const std::string& key, const Json& top, const std::string& nested) {
    if (count++ < kMostKeys) stale += (stale.empty() ? "" : ", ") + key + " (" + top.dump() + ", " + nested + ")";
  };
  for (const char* key :
       {"vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads",
        "num_key_value_heads", "head_dim", "hidden_act", "max_position_embeddings", "rms_norm_eps", "rope_theta"}) {
    const std::optional<Json> top = config.find(key);
    if (!top || top->is_null()) continue;
    const std::optional<Json> nested = text->find(key);
    if (!nested || nested->is_null()) {
      const bool left_out = std::find(parsed.left_out.begin(), parsed.left_out.end(), key) != parsed.left_out.end();
      if (left_out && !holds_default(parsed.text, key, *top)) add(key, *top, "left out: the class default");
    } else if (top->is_number() && nested->is_number() ? top->as_number() != nested->as_number()
                                                       : top->dump() != nested->dump()) {
      add(key, *top, nested->dump());
    }
  }
  if (count == 0) return;
  problems.push_back({config.where() + ": the top level and text_config differ in " + stale +
                          (count > kMostKeys ? " and " + std::to_string(count - kMostKeys) + " more" : "") +
                          "; text_config counts, as for transformers 4.52 and later",
                      config.where() + ": text_config", "harmless; older programs read the top level: make them equal",
                      false});
}

void layer_types(const Json& config, const Qwen25VlConfig& parsed, std::vector<CheckProblem>& problems) {
  const std::optional<Json> text = object_in(config, "text_config");
  const std::optional<Json> types = (text ? *text : config).find("layer_types");
  if (!types || !types->is_array() || parsed.text.num_hidden_layers <= 0) return;
  if (static_cast<std::int64_t>(types->size()) == parsed.text.num_hidden_layers) return;
  problems.push_back({types->where() + " names " + std::to_string(types->size()) + " layers, num_hidden_layers is " +
                          std::to_string(parsed.text.num_hidden_layers),
                      types->where(), "one \"full_attention\" per layer, or drop layer_types"});
}

void vision_notes(const Json& config, const VisionConfig& vision, std::vector<CheckProblem>& problems) {
  const std::optional<Json> fields = object_in(config, "vision_config");
  if (!fields) return;
  const std::int64_t group = vision.patch_size * vision.spatial_merge_size;
  if (group > 0 && vision.window_size > group && vision.window_size % group != 0) {
    problems.push_back({fields->where() + ".window_size is " + std::to_string(vision.window_size) +
                            " pixels, not a multiple of patch_size * spatial_merge_size = " + std::to_string(group) +
                            ": windows are " + std::to_string(vision.window_size / group) +
                            " groups wide, the rest is unused",
                        fields->where() + ".window_size", "harmless: the reference rounds down as well", false});
  }
  const std::optional<Json> stated = fields->find("in_channels");
  const std::optional<Json> older = fields->find("in_chans");
  if (stated && older && stated->is_integer() && older->is_integer() && stated->as_int() != older->as_int()) {
    problems.push_back(
        {older->where() + " is " + older->dump() + ", but in_channels is " + stated->dump() + "; in_channels counts",
         older->where(), "harmless: no release of transformers reads in_chans; make them equal", false});
  }
  const std::optional<Json> spatial = fields->find("spatial_patch_size");
  if (spatial && spatial->is_integer() && spatial->as_int() != vision.patch_size) {
    problems.push_back(
        {spatial->where() + " is " + spatial->dump() + ", but patch_size is " + std::to_string(vision.patch_size),
         spatial->where(), "harmless: nothing reads spatial_patch_size; make them equal", false});
  }
}

void tie_notes(const Json& config, std::vector<CheckProblem>& problems) {
  const std::optional<Json> text = object_in(config, "text_config");
  const std::optional<Json> top = config.find("tie_word_embeddings");
  const std::optional<Json> nested = text ? text->find("tie_word_embeddings") : std::nullopt;
  if (!top || !nested || !top->is_bool() || !nested->is_bool() || top->as_bool() == nested->as_bool()) return;
  problems.push_back({top->where() + " is " + top->dump() + ", but " + nested->where() + " is " + nested->dump() +
                          "; true counts, as for transformers 5",
                      nested->where(), "make them equal: transformers 4.52 to 4.57 read text_config alone", false});
}

}  // namespace

std::vector<CheckProblem> qwen2_5_vl_config_problems(const Json& config) {
  std::vector<ConfigProblem> found;
  bool tensors_known = false;
  const Qwen25VlConfig parsed = Qwen25VlConfig::parse_all(config, found, tensors_known);
  std::vector<CheckProblem> problems;
  for (ConfigProblem& problem : found)
    problems.push_back({std::move(problem.what), std::move(problem.where), std::move(problem.remedy)});
  contradicting_ropes(config, problems);
  stale_top_level(config, parsed, problems);
  layer_types(config, parsed, problems);
  vision_notes(config, parsed.vision, problems);
  tie_notes(config, problems);
  std::vector<SettingFinding> settings = config_findings(config);
  std::erase_if(settings, [](const SettingFinding& finding) { return finding.kind == SettingFinding::Kind::refused; });
  for (CheckProblem& problem : setting_problems(std::move(settings), config.where()))
    problems.push_back(std::move(problem));
  return problems;
}

}  // namespace octavo::model
