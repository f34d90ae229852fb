// verify --suggest: where the loss is, and the recipe that wins it back.
#pragma once

#include <octavo/octavo.hpp>
#include <optional>
#include <string>

#include "args.hpp"

namespace cli {

/// Quality is lost on samples: throws UsageError when there are none to say it by.
void require_samples(const Args& args);
octavo::AttributionOptions attribution_of(const Args& args, const octavo::VerifyOptions& verify);
/// Writes the recipe where one was found and a path was given.
void write_suggestion(const octavo::Suggestion& suggestion, const std::string& path);
void print_attribution(const Args& args, const std::optional<octavo::Attribution>& found);

}  // namespace cli
