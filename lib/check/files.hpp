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
/// What other files are held against: 0 where a field could not be read, or is not known of an architecture that the
/// caller registered.
struct KnownConfig {
  Qwen25VlConfig fields;
  bool is_built_in = true;     ///< Qwen2.5-VL, with the special tokens and the chat template that it was trained with
  bool takes_pictures = true;  ///< so that there must be picture settings
};
KnownConfig known_config(const Json& json);

void check_files(const std::string& directory, const Json& json, const KnownConfig& config,
                 std::vector<CheckProblem>& problems);

/// `use_cache: false` on any level.
void note_use_cache(const Json& config, std::vector<CheckProblem>& problems);

}  // namespace octavo::detail
