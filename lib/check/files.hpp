/// The files beside config.json and the weights, held against them.
#pragma once

#include <string>
#include <vector>

#include "octavo/config.hpp"
#include "octavo/image.hpp"
#include "octavo/json.hpp"
#include "octavo/plan.hpp"

namespace octavo::detail {

/// Tokenizer, image processor and generation_config.json: missing, unreadable, or at odds with config.json. `config`
/// holds 0 for what could not be read; nothing is compared with that.
void check_files(const std::string& directory, const Json& json, const Qwen25VlConfig& config,
                 std::vector<CheckProblem>& problems);

/// `use_cache: false` on any level.
void note_use_cache(const Json& config, std::vector<CheckProblem>& problems);

}  // namespace octavo::detail
