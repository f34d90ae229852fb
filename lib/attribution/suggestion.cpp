#include "suggestion.hpp"

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <numeric>
#include <utility>

#include "sensitivity.hpp"

namespace octavo::detail {
namespace {

/// A path as a regular expression that fits it alone.
std::string literal(std::string_view path) {
  std::string expression;
  for (const char c : path) {
    if (std::isalnum(static_cast<unsigned char>(c)) == 0 && c != '_') expression += '\\';
    expression += c;
  }
  return expression;
}

std::vector<bool> chosen(std::size_t count, std::span<const std::size_t> indices) {
  std::vector<bool> flags(count);
  for (const std::size_t index : indices) flags[index] = true;
  return flags;
}

}  // namespace

Model MixedModels::with(const std::vector<bool>& raised, Scheme scheme) const {
  std::vector<Linear> changes;
  for (std::size_t i = 0; i < groups_.size(); ++i) {
    if (!raised[i]) continue;
    for (const std::string& path : groups_[i].linears)
      changes.push_back(scheme == Scheme::skip ? original_.linear(path)
                                               : without_activation_rounding(quantized_.checkpoint(), path));
  }
  return quantized_.with_linears(changes);
}

Model MixedModels::original_with(const std::vector<bool>& quantized) const {
  std::vector<Linear> changes;
  for (std::size_t i = 0; i < groups_.size(); ++i)
    if (quantized[i])
      for (const std::string& path : groups_[i].linears) changes.push_back(quantized_.linear(path));
  return original_.with_linears(changes);
}

std::optional<std::vector<std::size_t>> cheapest_groups(std::span<const std::size_t> order,
                                                        std::span<const std::int64_t> cost,
                                                        const std::function<bool(const std::vector<bool>&)>& holds,
                                                        std::int64_t max_drops) {
  if (!holds(chosen(cost.size(), order))) return std::nullopt;
  std::size_t enough = order.size();  // the first `enough` suffice, the first `few` do not
  std::size_t few = 0;
  while (enough - few > 1) {
    const std::size_t middle = few + (enough - few) / 2;
    (holds(chosen(cost.size(), order.first(middle))) ? enough : few) = middle;
  }
  std::vector<std::size_t> run(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(enough));
  std::stable_sort(run.begin(), run.end(), [&](std::size_t a, std::size_t b) { return cost[a] > cost[b]; });
  const std::size_t last = order[enough - 1];  // the shorter run failed for want of it
  for (std::size_t i = 0; i < run.size() && max_drops > 0;) {
    if (run[i] == last) {
      ++i;
      continue;
    }
    std::vector<std::size_t> fewer = run;
    fewer.erase(fewer.begin() + static_cast<std::ptrdiff_t>(i));
    --max_drops;
    if (holds(chosen(cost.size(), fewer)))
      run = std::move(fewer);
    else
      ++i;
  }
  std::sort(run.begin(), run.end());
  return run;
}

Recipe recipe_with_groups(const Recipe& base, std::span<const GroupSensitivity* const> groups, Scheme scheme) {
  Recipe recipe;
  for (const GroupSensitivity* group : groups) {
    Rule rule;
    rule.scheme = scheme;
    if (scheme != Scheme::skip) rule.options = base.rule_for(group->linears.front()).options;
    std::string leaves;
    for (const std::string& path : group->linears) leaves += (leaves.empty() ? "" : "|") + literal(path);
    rule.match = group->linears.size() == 1 ? leaves : "(" + leaves + ")";
    recipe.rules.push_back(std::move(rule));
  }
  recipe.rules.insert(recipe.rules.end(), base.rules.begin(), base.rules.end());
  return recipe;
}

Recipe recipe_of(const std::string& quantized_dir, const std::vector<GroupSensitivity>& groups) {
  const std::filesystem::path report = std::filesystem::path(quantized_dir) / "octavo_report.json";
  if (std::filesystem::exists(report)) {
    if (const auto stated = Json::read_file(report.string()).find("recipe"); stated && !stated->is_null())
      return Recipe::parse(*stated);
  }
  const bool vision = std::any_of(groups.begin(), groups.end(),
                                  [](const GroupSensitivity& group) { return group.tower == Tower::vision; });
  return Recipe::preset(vision ? "vision" : "default");
}

}  // namespace octavo::detail
