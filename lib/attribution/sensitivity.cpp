#include "sensitivity.hpp"

#include <algorithm>
#include <map>
#include <memory>
#include <utility>

#include "activations.hpp"
#include "octavo/metrics.hpp"

namespace octavo::detail {
namespace {

class GroupCollector final : public LinearObserver {
 public:
  void on_input(const LinearInfo& linear, const Tensor& x) override { groups[linear.input_group].add(x); }
  std::map<std::string, ActivationCollector> groups;
};

/// The groups of a block: linears that share an input and a scheme, in the order they run.
std::vector<GroupSensitivity> groups_of(const ModelBlock& block, Tower tower, const Checkpoint& quantized) {
  std::vector<GroupSensitivity> groups;
  for (const LinearInfo& linear : block.linears()) {
    const StoredScheme scheme = quantized.scheme_of(linear.module_path);
    if (scheme == StoredScheme::none) continue;
    auto group = std::find_if(groups.begin(), groups.end(), [&](const GroupSensitivity& known) {
      return known.input_group == linear.input_group && known.scheme == scheme;
    });
    if (group == groups.end()) {
      GroupSensitivity fresh;
      fresh.input_group = linear.input_group;
      fresh.block = block.module_path();
      fresh.tower = tower;
      fresh.scheme = scheme;
      group = groups.insert(group, std::move(fresh));
    }
    group->linears.push_back(linear.module_path);
    group->multiplies += linear.in_features * linear.out_features;
  }
  return groups;
}

/// Walks one tower on the original's rows.
class TowerMeasurement {
 public:
  TowerMeasurement(const BlockwiseModel& original, const BlockwiseModel& quantized, const Checkpoint& stored,
                   Tower tower)
      : original_(original), quantized_(quantized), stored_(stored), tower_(tower) {}

  std::vector<GroupSensitivity> block(std::int64_t index, std::vector<BlockState>& states) const {
    const auto block = original_.load_block(tower_, index);
    std::vector<GroupSensitivity> groups = groups_of(*block, tower_, stored_);
    std::vector<Tensor> before;
    GroupCollector collector;
    for (BlockState& state : states) {
      before.push_back(groups.empty() ? Tensor() : state.hidden.clone());
      block->forward(state, groups.empty() ? nullptr : &collector);
    }
    if (groups.empty()) return groups;
    const auto other = quantized_.load_block(tower_, index);
    for (GroupSensitivity& group : groups) {
      group.activations = collector.groups[group.input_group].summary();
      const auto with = [&](const std::function<Linear(const std::string&)>& replacement) {
        return error_with(*block, group, replacement, before, states);
      };
      group.weight_error = with([&](const std::string& path) { return without_activation_rounding(stored_, path); });
      group.quantized_error = group.scheme == StoredScheme::w8a16
                                  ? group.weight_error
                                  : with([&](const std::string& path) { return other->linear(path); });
    }
    return groups;
  }

 private:
  /// ||y' - y|| / ||y|| of the block's output with the group's linears replaced; the block is left as it came.
  static double error_with(ModelBlock& block, const GroupSensitivity& group,
                           const std::function<Linear(const std::string&)>& replacement,
                           const std::vector<Tensor>& before, const std::vector<BlockState>& after) {
    std::vector<Linear> own;
    for (const std::string& path : group.linears) {
      own.push_back(block.linear(path));
      block.replace(path, replacement(path));
    }
    OutputError error;
    for (std::size_t i = 0; i < before.size(); ++i) {
      BlockState state{before[i].clone(), after[i].context};
      block.forward(state, nullptr);
      error.add(after[i].hidden, state.hidden);
    }
    for (std::size_t i = 0; i < own.size(); ++i) block.replace(group.linears[i], own[i]);
    return error.relative();
  }

  const BlockwiseModel& original_;
  const BlockwiseModel& quantized_;
  const Checkpoint& stored_;
  Tower tower_;
};

}  // namespace

Linear without_activation_rounding(const Checkpoint& quantized, const std::string& module_path) {
  const std::string bias = module_path + ".bias";
  return Linear::w8a16(module_path, quantized.tensor(module_path + ".weight"),
                       quantized.tensor(module_path + ".weight_scale"),
                       quantized.find(bias) != nullptr ? quantized.tensor(bias) : Tensor());
}

std::vector<GroupSensitivity> measure_groups(const Checkpoint& original, const Checkpoint& quantized,
                                             std::span<const ModelInput> inputs,
                                             const std::function<void(std::int64_t done, std::int64_t total)>& tick) {
  const auto a = BlockwiseModel::open(original);
  const auto b = BlockwiseModel::open(quantized);
  const std::int64_t total = a->num_blocks(Tower::vision) + a->num_blocks(Tower::language);
  std::int64_t done = 0;
  std::vector<GroupSensitivity> all;
  const auto walk = [&](Tower tower, std::vector<BlockState>& states) {
    const TowerMeasurement measurement(*a, *b, quantized, tower);
    for (std::int64_t i = 0; i < a->num_blocks(tower); ++i) {
      tick(done++, total);
      for (GroupSensitivity& group : measurement.block(i, states)) all.push_back(std::move(group));
    }
  };
  std::vector<BlockState> vision;  // of the inputs that have pictures
  for (const ModelInput& input : inputs)
    if (!input.images.empty()) vision.push_back(a->begin_vision(input));
  walk(Tower::vision, vision);
  std::vector<BlockState> language;
  std::size_t next = 0;
  for (const ModelInput& input : inputs)
    language.push_back(a->begin_language(input, input.images.empty() ? Tensor() : a->finish_vision(vision[next++])));
  vision.clear();
  walk(Tower::language, language);
  tick(total, total);
  return all;
}

}  // namespace octavo::detail
