// verify --suggest: where the loss is, and the recipe that wins it back.
#pragma once

#include "verify.hpp"

namespace cli {

/// Quality is lost on samples: throws UsageError when there are none to say it by.
void require_samples(const VerifyCommand& command);
octavo::AttributionOptions attribution_of(const VerifyCommand& command, const octavo::VerifyOptions& job);
/// Writes the recipe where one was found and a path was given.
void write_suggestion(const octavo::Suggestion& suggestion, const std::string& path);
/// And the two commands that confirm the recipe, judged as this one was.
void print_attribution(const VerifyCommand& command, const std::optional<octavo::Attribution>& found);

}  // namespace cli
