#include "attribution.hpp"

#include <array>
#include <cstdio>

#include "commands.hpp"

namespace cli {

void require_samples(const Args& args) {
  if (args.has("--samples")) return;
  for (const char* option : {"--suggest", "--exact"})
    if (args.has(option))
      throw UsageError(std::string("octavo verify ") + option + " needs --samples FILE: quality is lost on samples");
}

octavo::AttributionOptions attribution_of(const Args& args, const octavo::VerifyOptions& verify) {
  octavo::AttributionOptions options;
  options.samples = verify.samples;
  options.max_samples = verify.max_samples;
  options.max_new_tokens = verify.max_new_tokens;
  options.profile = verify.profile;
  options.thresholds = verify.thresholds;
  options.exact = args.has("--exact");
  options.progress = verify.progress;
  options.cancel = &interrupted;
  return options;
}

void write_suggestion(const octavo::Suggestion& suggestion, const std::string& path) {
  if (path.empty() || suggestion.status != octavo::SuggestionStatus::found) return;
  const std::string text = suggestion.recipe.to_json().dump(2) + "\n";
  const std::array<octavo::NewFile, 1> files{octavo::NewFile{path, text}};
  octavo::write_files(files);
}

void print_attribution(const Args& args, const std::optional<octavo::Attribution>& found) {
  if (!found) {
    std::printf("\nno suggestion: more than a threshold failed; see the diagnosis\n");
    return;
  }
  std::printf("\n%s", found->to_text().c_str());
  if (found->suggestion.status != octavo::SuggestionStatus::found) return;
  const std::string recipe = args.text("--suggest");
  std::printf("written to %s; confirm it by a second run:\n", recipe.c_str());
  std::printf("  octavo quantize %s -o OUT --recipe %s --calibration CALIBRATION.jsonl\n", args.positional(0).c_str(),
              recipe.c_str());
  std::printf("  octavo verify %s OUT --samples %s\n", args.positional(0).c_str(), args.text("--samples").c_str());
}

}  // namespace cli
