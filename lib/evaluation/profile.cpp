// Thresholds from presets and files. The presets are written in the schema that files use, and read by the same code.
#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "octavo/evaluation.hpp"
#include "thresholds.hpp"

namespace octavo {
namespace {

using detail::kThresholdKeys;
using detail::ThresholdKey;

constexpr std::size_t kMaxBytes = std::size_t{1} << 20;

struct Preset {
  const char* name;
  const char* json;
};

// Tokens are judged at the evaluation only: elsewhere a single near tie among few tokens would decide. The long step
// reads an answer that no one would have asked for (it goes on after the stop token), so its bounds are wider.
constexpr std::array kPresets{Preset{"strict", R"({
      "thresholds": {"min_logit_cosine": 0.998, "max_kl": 0.01, "min_top1_agreement": 0.95, "min_top5_agreement": 0.9,
                     "max_perplexity_ratio": 1.05, "max_cache_difference": 1e-4, "max_cache_difference_quantized": 0.05},
      "steps": {"one_token": {"min_top1_agreement": null, "min_top5_agreement": null},
                "long": {"min_logit_cosine": 0.995, "max_kl": 0.02, "min_top1_agreement": 0.9},
                "evaluation": {"min_token_agreement": 0.95, "max_accuracy_drop": 0.01}}})"},
                              Preset{"default", R"({
      "thresholds": {"min_logit_cosine": 0.99, "max_kl": 0.05, "min_top1_agreement": 0.9, "max_perplexity_ratio": 1.15,
                     "max_cache_difference": 1e-3, "max_cache_difference_quantized": 0.1},
      "steps": {"one_token": {"min_top1_agreement": null},
                "sampling": {"min_top1_agreement": null},
                "long": {"min_logit_cosine": 0.98, "max_kl": 0.1, "min_top1_agreement": 0.8},
                "evaluation": {"min_token_agreement": 0.9, "max_accuracy_drop": 0.02}}})"},
                              Preset{"lenient", R"({
      "thresholds": {"min_logit_cosine": 0.95, "max_kl": 0.25, "min_top1_agreement": 0.75, "max_perplexity_ratio": 1.5,
                     "max_cache_difference": 1e-2, "max_cache_difference_quantized": 0.2},
      "steps": {"one_token": {"min_top1_agreement": null},
                "sampling": {"min_top1_agreement": null},
                "long": {"min_logit_cosine": 0.9, "max_kl": 0.4, "min_top1_agreement": 0.6},
                "evaluation": {"min_token_agreement": 0.7, "max_accuracy_drop": 0.05}}})"}};

template <class Words>
std::string joined(const Words& words) {
  std::string text;
  for (const auto& word : words) (text += text.empty() ? "" : ", ") += word;
  return text;
}

std::string preset_list() { return joined(VerifyProfile::preset_names()); }

std::string key_list() {
  std::vector<std::string> keys;
  for (const ThresholdKey& known : kThresholdKeys) keys.emplace_back(known.key);
  return joined(keys);
}

const Preset* find_preset(std::string_view name) {
  const auto* const found =
      std::find_if(kPresets.begin(), kPresets.end(), [&](const Preset& preset) { return name == preset.name; });
  return found == kPresets.end() ? nullptr : found;
}

void require_object(const Json& json) {
  if (!json.is_object()) throw Error(ErrorCode::format, json.where() + " must be an object");
}

/// Calls set(key, value) for each threshold of an object; null takes the bound away.
template <class Set>
void for_each_threshold(const Json& json, Set&& set) {
  require_object(json);
  json.for_each_member([&](std::string_view key, const Json& value) {
    const auto* const known = std::find_if(kThresholdKeys.begin(), kThresholdKeys.end(),
                                           [&](const ThresholdKey& entry) { return key == entry.key; });
    if (known == kThresholdKeys.end())
      throw Error(ErrorCode::format, value.where() + ": unknown key; the thresholds are " + key_list());
    if (value.is_null()) return set(*known, std::optional<double>());
    const double bound = value.as_number();
    if (!(bound >= known->least && bound <= known->most))
      throw Error(
          ErrorCode::format,
          value.where() + " is " + value.dump() + ", it must be at least " + JsonBuilder(known->least).dump() +
              (known->most < detail::kUnbounded ? " and at most " + JsonBuilder(known->most).dump() : std::string()));
    set(*known, std::optional<double>(bound));
  });
}

/// A bound of the whole profile: of the base, and of every step that judges the metric (`null` at a step stays).
void set_everywhere(VerifyProfile& profile, const ThresholdKey& key, std::optional<double> bound) {
  profile.thresholds.*key.value = bound;
  for (auto& [name, own] : profile.steps)
    if (own.*key.value) own.*key.value = bound;
}

void read_steps(const Json& steps, VerifyProfile& profile) {
  require_object(steps);
  steps.for_each_member([&](std::string_view name, const Json& own) {
    if (std::find(kVerifySteps.begin(), kVerifySteps.end(), name) == kVerifySteps.end())
      throw Error(ErrorCode::format, own.where() + ": unknown step; there are " + joined(kVerifySteps));
    VerifyThresholds& bounds = profile.steps.try_emplace(std::string(name), profile.thresholds).first->second;
    for_each_threshold(own, [&](const ThresholdKey& key, std::optional<double> bound) { bounds.*key.value = bound; });
  });
}

std::int64_t read_count(const Json& value, std::int64_t least, std::int64_t most) {
  const std::int64_t count = value.as_int();
  if (count < least || count > most)
    throw Error(ErrorCode::format, value.where() + " is " + std::to_string(count) + ", it must lie in " +
                                       std::to_string(least) + " .. " + std::to_string(most));
  return count;
}

/// Reads a profile onto what `profile` already says.
void read_onto(const Json& json, VerifyProfile& profile) {
  require_object(json);
  json.for_each_member([&](std::string_view key, const Json& value) {
    if (key == "name") {
      profile.name = value.as_string();
    } else if (key == "prompts") {
      profile.prompts = read_count(value, 1, 64);
    } else if (key == "long_tokens") {
      profile.long_tokens = read_count(value, 1, 1 << 20);
    } else if (key != "extends" && key != "thresholds" && key != "steps") {
      throw Error(
          ErrorCode::format,
          value.where() + ": unknown key; a profile has name, extends, prompts, long_tokens, thresholds, steps");
    }
  });
  if (const auto bounds = json.find("thresholds")) {
    for_each_threshold(
        *bounds, [&](const ThresholdKey& key, std::optional<double> bound) { set_everywhere(profile, key, bound); });
  }
  if (const auto steps = json.find("steps")) read_steps(*steps, profile);
}

}  // namespace

std::vector<std::string> VerifyProfile::preset_names() {
  std::vector<std::string> names;
  for (const Preset& preset : kPresets) names.emplace_back(preset.name);
  return names;
}

VerifyProfile VerifyProfile::preset(std::string_view name) {
  const Preset* const found = find_preset(name);
  if (found == nullptr)
    throw Error(ErrorCode::not_found,
                "profile: there is no preset \"" + std::string(name) + "\"; there are " + preset_list());
  VerifyProfile profile;
  profile.name = found->name;
  read_onto(Json::parse(found->json, "profile " + profile.name), profile);
  return profile;
}

VerifyProfile VerifyProfile::parse(const Json& json) {
  require_object(json);
  std::string base = "default";
  if (const auto extends = json.find("extends")) {
    base = extends->as_string();
    if (find_preset(base) == nullptr)
      throw Error(ErrorCode::format, extends->where() + " is \"" + base + "\", one of " + preset_list() + " is needed");
  }
  VerifyProfile profile = preset(base);
  profile.name = "custom";
  read_onto(json, profile);
  return profile;
}

VerifyProfile VerifyProfile::open(const std::string& preset_or_path) {
  if (find_preset(preset_or_path) != nullptr) return preset(preset_or_path);
  try {
    return parse(Json::read_file(preset_or_path, kMaxBytes));
  } catch (const Error& error) {
    if (error.code() != ErrorCode::not_found) throw;
    throw Error(ErrorCode::not_found, "profile: \"" + preset_or_path + "\" is neither a preset (" + preset_list() +
                                          ") nor a file that exists");
  }
}

const VerifyThresholds& VerifyProfile::for_step(std::string_view step) const {
  const auto own = steps.find(step);
  return own == steps.end() ? thresholds : own->second;
}

void VerifyProfile::override_with(const VerifyThresholds& bounds) {
  VerifyThresholds& evaluation = steps.try_emplace("evaluation", thresholds).first->second;
  for (const ThresholdKey& key : kThresholdKeys) {
    const std::optional<double>& bound = bounds.*key.value;
    if (!bound) continue;
    evaluation.*key.value = bound;
    for (auto& [step, own] : steps)
      if (own.*key.value) own.*key.value = bound;
    if (thresholds.*key.value) thresholds.*key.value = bound;
  }
}

JsonBuilder VerifyProfile::to_json() const {
  JsonBuilder own = JsonBuilder::object();
  for (const std::string_view step : kVerifySteps) own.set(step, for_step(step).to_json());
  return JsonBuilder::object()
      .set("name", name)
      .set("prompts", prompts)
      .set("long_tokens", long_tokens)
      .set("thresholds", thresholds.to_json())
      .set("steps", std::move(own));
}

}  // namespace octavo
