/// The search for the cheapest units to lift.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "variants.hpp"

namespace octavo::pipeline {

/// What the search runs: QUANTIZED with some of its units lifted.
class LiftedModels {
 public:
  LiftedModels(const Model& original, const Model& quantized, const std::vector<UnitSensitivity>& units)
      : original_(original), quantized_(quantized), units_(units) {}
  /// `lifted[i]`: unit i's linears by `scheme`, w8a16 or skip (as in the original).
  Model with(const std::vector<bool>& lifted, Scheme scheme) const;
  /// The original with some units as QUANTIZED stores them.
  Model original_with(const std::vector<bool>& quantized) const;

 private:
  const Model& original_;
  const Model& quantized_;
  const std::vector<UnitSensitivity>& units_;
};

/// Indices of the cheapest units that suffice, ascending; nothing when all of them do not. `order` ranks the units, the
/// first to be lifted first; `cost[i]` belongs to unit i. `holds(lifted)` says whether a choice suffices; more units
/// never do worse. Calls it O(log n) times for the shortest run of the order, then once for each unit of the run, the
/// costliest first, to drop what is not needed; at most `max_drops` times.
std::optional<std::vector<std::size_t>> cheapest_lift(std::span<const std::size_t> order,
                                                      std::span<const std::int64_t> cost,
                                                      const std::function<bool(const std::vector<bool>&)>& holds,
                                                      std::int64_t max_drops);

/// The recipe that lifts `units` to `scheme` and is `base` otherwise.
Recipe lifted_recipe(const Recipe& base, std::span<const UnitSensitivity* const> units, Scheme scheme);
/// The recipe in QUANTIZED/octavo_report.json; without one, the preset that reaches the units there are.
Recipe recipe_of(const std::string& quantized_dir, const std::vector<UnitSensitivity>& units);

}  // namespace octavo::pipeline
