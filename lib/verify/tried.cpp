#include "tried.hpp"

#include <algorithm>
#include <filesystem>
#include <optional>

namespace octavo::detail {
namespace {

// Fewer calibration samples than this are worth adding to: published W8A8 recipes use 128 to 512.
constexpr std::int64_t kEnoughSamples = 128;

template <class Wanted>
bool any_of(const std::optional<Json>& list, Wanted&& wanted) {
  for (std::size_t i = 0; list && i < list->size(); ++i)
    if (wanted(list->at(i))) return true;
  return false;
}

}  // namespace

Tried tried_before(const std::string& quantized_dir, const VerifyOptions& options) {
  Tried tried;
  tried.samples = !options.samples.empty();
  tried.suggests = options.suggests;
  tried.profile = options.profile;
  try {
    const Json made = Json::read_file((std::filesystem::path(quantized_dir) / "octavo_report.json").string());
    tried.calibration_samples = made.get_int("calibration_samples", 0);
    const std::optional<Json> layers = made.find("layers");
    tried.gptq = any_of(layers, [](const Json& layer) { return layer.get_string("method", "") == "gptq"; });
    tried.int8_vision =
        any_of(layers, [](const Json& layer) { return layer.get_string("module", "").starts_with("visual."); });
    if (const std::optional<Json> recipe = made.find("recipe"))
      tried.w8a16 =
          any_of(recipe->find("rules"), [](const Json& rule) { return rule.get_string("scheme", "") == "w8a16"; });
    tried.known = true;
  } catch (const Error&) {
    // Made by another tool, or edited: what was done is not known.
  }
  return tried;
}

std::vector<std::string> advice(const Tried& tried, const std::string& module) {
  std::vector<std::string> next;
  if (!module.empty())
    next.push_back("keep " + module +
                   " in W8A16: a recipe rule with \"scheme\": \"w8a16\" leaves its activations in float");
  if (!tried.known)
    next.emplace_back(
        "quantize with GPTQ and calibration samples like those that matter, if that was not done: octavo quantize "
        "MODEL -o OUT --calibration SAMPLES");
  else if (!tried.gptq)
    next.emplace_back(
        "quantize with GPTQ, calibrated on samples of the task: octavo quantize MODEL -o OUT --calibration SAMPLES; "
        "this one was rounded to nearest, without samples");
  else if (tried.calibration_samples < kEnoughSamples)
    next.push_back("calibrate on more samples of the task: this one saw " + std::to_string(tried.calibration_samples) +
                   ", " + std::to_string(kEnoughSamples) + " are usual");
  if (!tried.suggests)
    next.push_back(std::string("octavo verify MODEL QUANTIZED --samples ") + (tried.samples ? "..." : "FILE") +
                   " --suggest RECIPE.json finds the fewest linears to keep in W8A16");
  if (tried.known && !tried.w8a16 && module.empty())
    next.emplace_back("quantize with --recipe w8a16, which leaves all activations in float: more exact, and slower");
  if (tried.profile != "lenient")
    next.emplace_back(
        "if the difference is acceptable, say so with a profile: --profile lenient, or bounds of your own");
  if (next.empty())
    next.emplace_back("everything known here was tried: the difference is what int8 costs this model on these prompts");
  return next;
}

}  // namespace octavo::detail
