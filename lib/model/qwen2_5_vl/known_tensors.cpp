// The tensors that config.json promises, for check: what the shapes say of the fields.
#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "problems.hpp"
#include "qwen2_5_vl.hpp"
#include "registry.hpp"

namespace octavo::model {
namespace {

bool is_left_out(const Qwen25VlConfig& config, const std::string& field) {
  return std::find(config.left_out.begin(), config.left_out.end(), field) != config.left_out.end();
}

void add_contradictions(const Checkpoint& checkpoint, const Qwen25VlConfig& config,
                        const std::vector<Contradiction>& contradictions, std::vector<CheckProblem>& problems) {
  const std::string file = checkpoint.config().where();
  for (const Contradiction& one : contradictions) {
    const bool left_out = is_left_out(config, one.field);
    problems.push_back({file + ": " + one.field + (left_out ? " is left out, which means " : " is ") +
                            std::to_string(one.stated) + (left_out ? " (the class default of transformers)" : "") +
                            ", but by the shapes of " + one.tensors + " it is " + std::to_string(one.shown),
                        file + ": " + one.field,
                        left_out ? "state it, or take the config.json that was saved with these weights"
                                 : "correct the field, or take the weights that were saved with this config.json"});
  }
}

/// Whether config.json as stated leaves fewer problems than the fields that the tensors speak against.
bool tells_more(const Checkpoint& checkpoint, const Qwen25VlConfig& config, const std::vector<ExpectedTensor>& stated,
                const Qwen25VlConfig& shown, const std::vector<Contradiction>& contradictions) {
  std::vector<CheckProblem> told_below;
  const std::vector<ExpectedTensor> by_shapes = expected_tensors(checkpoint, *make_qwen2_5_vl(shown), &told_below);
  const std::size_t as_stated = tensor_problems(checkpoint, stated).size();
  const std::size_t as_shown = tensor_problems(checkpoint, by_shapes).size() + contradictions.size();
  const bool left_out = std::any_of(contradictions.begin(), contradictions.end(),
                                    [&](const Contradiction& one) { return is_left_out(config, one.field); });
  return as_stated < as_shown || (as_stated == as_shown && !left_out);
}

}  // namespace

bool known_qwen2_5_vl_tensors(const Checkpoint& checkpoint, std::vector<ExpectedTensor>& expected,
                              std::vector<CheckProblem>& problems) {
  std::vector<ConfigProblem> told;  // by qwen2_5_vl_config_problems
  bool known = false;
  Qwen25VlConfig config = Qwen25VlConfig::parse_all(checkpoint.config(), told, known);
  if (!known) return false;
  head_notes(checkpoint, problems);
  Qwen25VlConfig shown = config;
  const std::vector<Contradiction> contradictions = follow_tensors(checkpoint, shown);
  if (!implausible_blocks(checkpoint, shown.text.num_hidden_layers, shown.vision.depth).empty()) {
    problems.push_back({implausible_blocks(checkpoint, config.text.num_hidden_layers, config.vision.depth),
                        checkpoint.config().where() + ": num_hidden_layers",
                        "num_hidden_layers and vision_config.depth count blocks: take them from the original"});
    return false;
  }
  if (implausible_blocks(checkpoint, config.text.num_hidden_layers, config.vision.depth).empty()) {
    expected = expected_tensors(checkpoint, *make_qwen2_5_vl(config), &problems);
    if (contradictions.empty() || tells_more(checkpoint, config, expected, shown, contradictions)) return true;
  }
  add_contradictions(checkpoint, config, contradictions, problems);
  constexpr std::size_t kOfAnotherModel = 4;  // fields: what else does not fit is not worth a list
  if (contradictions.size() >= kOfAnotherModel) return false;
  expected = expected_tensors(checkpoint, *make_qwen2_5_vl(shown), &problems);
  return true;
}

}  // namespace octavo::model
