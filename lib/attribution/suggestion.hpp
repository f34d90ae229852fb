/// The search for the cheapest module groups to raise in precision.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "variants.hpp"

namespace octavo::detail {

/// What the search runs: QUANTIZED with some of its groups raised.
class MixedModels {
 public:
  MixedModels(const Model& original, const Model& quantized, const std::vector<GroupSensitivity>& groups)
      : original_(original), quantized_(quantized), groups_(groups) {}
  /// `raised[i]`: group i's linears by `scheme`, w8a16 or skip (as in the original).
  Model with(const std::vector<bool>& raised, Scheme scheme) const;
  /// The original with some groups as QUANTIZED stores them.
  Model original_with(const std::vector<bool>& quantized) const;

 private:
  const Model& original_;
  const Model& quantized_;
  const std::vector<GroupSensitivity>& groups_;
};

/// Indices of the cheapest groups that suffice, ascending; nothing when all of them do not. `order` ranks the groups,
/// the first to be raised first; `cost[i]` belongs to group i. `holds(raised)` says whether a choice suffices; more
/// groups never do worse. Calls it O(log n) times for the shortest run of the order, then once for each group of the
/// run, the costliest first, to drop what is not needed; at most `max_drops` times.
std::optional<std::vector<std::size_t>> cheapest_groups(std::span<const std::size_t> order,
                                                        std::span<const std::int64_t> cost,
                                                        const std::function<bool(const std::vector<bool>&)>& holds,
                                                        std::int64_t max_drops);

/// The recipe that puts `groups` in `scheme` and is `base` otherwise.
Recipe recipe_with_groups(const Recipe& base, std::span<const GroupSensitivity* const> groups, Scheme scheme);
/// The recipe in QUANTIZED/octavo_report.json; without one, the preset that reaches the groups there are.
Recipe recipe_of(const std::string& quantized_dir, const std::vector<GroupSensitivity>& groups);

}  // namespace octavo::detail
