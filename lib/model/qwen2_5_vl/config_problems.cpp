// What parse accepts and yet deserves a word: fields that contradict each other where only one of them is read.
#include <optional>
#include <string>

#include "qwen2_5_vl.hpp"

namespace octavo::model {
namespace {

std::optional<Json> object_in(const Json& parent, std::string_view key) {
  std::optional<Json> found = parent.find(key);
  return found && found->is_object() ? found : std::nullopt;
}

/// Of rope_parameters and rope_scaling, and of a level above, one is read: the others must say the same.
void contradicting_ropes(const Json& config, std::vector<CheckProblem>& problems) {
  std::vector<Json> ropes;
  const std::optional<Json> text = object_in(config, "text_config");
  for (const char* key : {"rope_parameters", "rope_scaling"}) {
    if (text) {
      if (const auto rope = object_in(*text, key)) ropes.push_back(*rope);
    }
    if (const auto rope = object_in(config, key)) ropes.push_back(*rope);
  }
  for (std::size_t i = 1; i < ropes.size(); ++i) {
    for (const char* key : {"mrope_section", "rope_theta"}) {
      const auto first = ropes.front().find(key);
      const auto other = ropes[i].find(key);
      if (!first || !other || first->dump() == other->dump()) continue;
      if (first->is_number() && other->is_number() && first->as_number() == other->as_number()) continue;
      problems.push_back({first->where() + " is " + first->dump() + ", but " + other->where() + " is " + other->dump() +
                              ": the file contradicts itself",
                          other->where(), "keep one of them; both must be those the model was trained with"});
    }
  }
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
                          "; the top level decides",
                      nested->where(), "harmless here; make them equal, for programs that read the other one", false});
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
  layer_types(config, parsed, problems);
  vision_notes(config, parsed.vision, problems);
  tie_notes(config, problems);
  return problems;
}

}  // namespace octavo::model
