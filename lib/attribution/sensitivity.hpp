/// The cheap half of attribution: each group's own effect on its own block, and what enters it. One pass over the
/// blocks, one block of each model in memory.
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "octavo/attribution.hpp"
#include "octavo/checkpoint.hpp"

namespace octavo::detail {

/// The int8 linear as stored, with its activations left in float.
Linear without_activation_rounding(const Checkpoint& quantized, const std::string& module_path);

/// Every group of QUANTIZED, measured on the rows that `inputs` bring in the original. `tick(done, total)` is called
/// per block, and may throw to stop.
std::vector<GroupSensitivity> measure_groups(const Checkpoint& original, const Checkpoint& quantized,
                                             std::span<const ModelInput> inputs,
                                             const std::function<void(std::int64_t done, std::int64_t total)>& tick);

}  // namespace octavo::detail
