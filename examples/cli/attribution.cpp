#include "attribution.hpp"

#include <array>
#include <charconv>
#include <cstdio>

#include "commands.hpp"
#include "streams.hpp"

namespace cli {

namespace {

// The shortest text that reads back as the same number.
std::string number(double value) {
  std::array<char, 32> text{};
  const auto [end, error] = std::to_chars(text.data(), text.data() + text.size(), value);
  return {text.data(), end};
}

// The options that this run was judged by, other than their defaults.
std::string judged_by(const octavo::VerifyOptions& job) {
  const octavo::VerifyOptions standard;
  std::string options;
  const auto add = [&](const char* name, const std::string& value) {
    options += std::string(" ") + name + " " + value;
  };
  if (job.max_samples != standard.max_samples) add("--max-samples", std::to_string(job.max_samples));
  if (job.max_new_tokens != standard.max_new_tokens) add("--max-new-tokens", std::to_string(job.max_new_tokens));
  if (job.profile != standard.profile) add("--profile", shell_word(job.profile));
  if (!job.decode.apply_orientation) options += " --no-orientation";
  if (job.decode.transparency == octavo::Transparency::drop) add("--transparency", "drop");
  if (job.decode.max_pixels != standard.decode.max_pixels)
    add("--max-decoded-pixels", std::to_string(job.decode.max_pixels));
  if (job.decode.max_bytes != standard.decode.max_bytes)
    add("--max-decoded-bytes", std::to_string(job.decode.max_bytes));
  const octavo::VerifyThresholds& bounds = job.thresholds;
  if (bounds.min_token_agreement) add("--min-token-agreement", number(*bounds.min_token_agreement));
  if (bounds.min_logit_cosine) add("--min-logit-cosine", number(*bounds.min_logit_cosine));
  if (bounds.max_kl) add("--max-kl", number(*bounds.max_kl));
  if (bounds.max_accuracy_drop) add("--max-accuracy-drop", number(*bounds.max_accuracy_drop));
  return options;
}

}  // namespace

void require_samples(const VerifyCommand& command) {
  if (!command.job.samples.empty()) return;
  for (const auto& [given, option] : {std::pair(command.suggest.has_value(), "--suggest"), {command.exact, "--exact"}})
    if (given)
      throw UsageError(std::string("octavo verify ") + option + " needs --samples FILE: quality is lost on samples");
}

octavo::AttributionOptions attribution_of(const VerifyCommand& command, const octavo::VerifyOptions& job) {
  octavo::AttributionOptions options;
  options.samples = job.samples;
  options.max_samples = job.max_samples;
  options.max_new_tokens = job.max_new_tokens;
  options.decode = job.decode;
  options.profile = job.profile;
  options.thresholds = job.thresholds;
  options.exact = command.exact;
  options.progress = job.progress;
  options.cancel = &interrupted;
  return options;
}

void write_suggestion(const octavo::Suggestion& suggestion, const std::string& path) {
  if (path.empty() || suggestion.status != octavo::SuggestionStatus::found) return;
  const std::string text = suggestion.recipe.to_json().dump(2) + "\n";
  const std::array<octavo::NewFile, 1> files{octavo::NewFile{path, text, octavo::kRecipeMark}};
  octavo::write_files(files);
}

void print_attribution(const VerifyCommand& command, const std::optional<octavo::Attribution>& found) {
  if (!found) {
    std::printf("\nno suggestion: more than a threshold failed; see the diagnosis\n");
    return;
  }
  std::printf("\n%s", found->to_text().c_str());
  if (found->suggestion.status != octavo::SuggestionStatus::found) return;
  const std::string model = shell_word(command.model);
  const std::string recipe = shell_word(*command.suggest);
  std::printf("written to %s; confirm it by a second run:\n", command.suggest->c_str());
  std::printf("  octavo quantize %s -o OUT --recipe %s --calibration CALIBRATION.jsonl\n", model.c_str(),
              recipe.c_str());
  std::printf("  octavo verify %s OUT --samples %s%s\n", model.c_str(), shell_word(command.job.samples).c_str(),
              judged_by(command.job).c_str());
}

}  // namespace cli
