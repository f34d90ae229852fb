// Attribution for a terminal and as JSON (schema: docs/attribution.md).
#include <algorithm>
#include <array>
#include <cstdio>
#include <utility>

#include "internal.hpp"
#include "octavo/attribution.hpp"
#include "thresholds.hpp"

namespace octavo {
namespace {

constexpr std::size_t kShownUnits = 12;
constexpr std::size_t kShownSamples = 5;

const char* tower_name(Tower tower) { return tower == Tower::vision ? "vision" : "language"; }
const char* stored_name(StoredScheme scheme) { return scheme == StoredScheme::w8a16 ? "w8a16" : "w8a8"; }

template <class... Arguments>
std::string format(const char* pattern, Arguments... arguments) {
  std::array<char, 512> text{};
  std::snprintf(text.data(), text.size(), pattern, arguments...);
  return text.data();
}

void print_variants(const Attribution& found, std::string& out) {
  out += "where the loss comes from            int8 linears      mean KL   logit cosine   same top token\n";
  for (const VariantMetrics& variant : found.variants)
    out += format("  %-34s %12lld %12.3g %14.6f %15.2f %%\n", variant.name.c_str(),
                  static_cast<long long>(variant.int8_linears), variant.metrics.kl.value_or(0),
                  variant.metrics.logit_cosine.value_or(0), 100 * variant.metrics.top1_agreement.value_or(0));
  const auto of_tower = [&](Tower tower) {
    return std::any_of(found.units.begin(), found.units.end(), [&](const auto& unit) { return unit.tower == tower; });
  };
  for (const Tower tower : {Tower::vision, Tower::language})
    if (!of_tower(tower)) out += format("  the %s tower has no int8 linear and loses nothing\n", tower_name(tower));
}

void print_units(const Attribution& found, std::string& out) {
  const std::vector<const UnitSensitivity*> worst = found.worst_units();
  const bool exact = !worst.empty() && worst.front()->alone_kl.has_value();
  out += format("\nworst of %zu units, each alone on its block's output\n", worst.size());
  out += "  unit                                         as stored    W8A16   rounded to 0   largest channel";
  out += exact ? "    KL alone   KL lifted\n" : "\n";
  for (std::size_t i = 0; i < std::min(kShownUnits, worst.size()); ++i) {
    const UnitSensitivity& unit = *worst[i];
    out += format("  %-44s %7.3f %% %6.3f %% %12.1f %% %8lld x %-7.3g", unit.input_group.c_str(),
                  100 * unit.quantized_error, 100 * unit.weight_error, 100 * unit.activations.zeroed_ratio,
                  static_cast<long long>(unit.activations.largest_channel), unit.activations.channel_ratio);
    if (exact) out += format(" %10.3g %11.3g", *unit.alone_kl, unit.lifted_kl.value_or(0));
    out += '\n';
  }
}

void print_samples(const Attribution& found, std::string& out) {
  out += "\nworst samples\n";
  for (std::size_t i = 0; i < std::min(kShownSamples, found.samples.size()); ++i) {
    const SampleResult& sample = found.samples[i];
    out += format("  KL %-9.3g ", sample.kl) + sample.id + ": " + sample.original +
           (sample.original == sample.quantized ? " (both)" : " > " + sample.quantized) + "\n";
  }
}

void print_suggestion(const Suggestion& suggestion, std::string& out) {
  if (suggestion.status == SuggestionStatus::not_needed) {
    out += "\nno lift is needed: the evaluation's thresholds hold on these samples\n";
    return;
  }
  out += '\n';
  for (const std::string& line : suggestion.missed) out += "missed: " + line + "\n";
  if (suggestion.status == SuggestionStatus::out_of_reach) {
    out +=
        "not even with every linear as in the original do the thresholds hold: the loss is outside the int8 linears\n";
    return;
  }
  const bool skip = suggestion.scheme == Scheme::skip;
  if (skip) out += "W8A16 does not suffice, even for all units: weights are at fault, too\n";
  out += format("suggestion: %zu units in %s (%.1f %% of the int8 multiplications), found with %lld models\n",
                suggestion.units.size(), skip ? "float" : "W8A16", 100 * suggestion.share_of_multiplies,
                static_cast<long long>(suggestion.variants));
  for (const std::string& unit : suggestion.units) out += "  " + unit + "\n";
  out += format("mean KL %.3g > %.3g\n", suggestion.before.kl.value_or(0), suggestion.after.kl.value_or(0));
}

JsonBuilder activations_json(const ActivationSummary& seen) {
  JsonBuilder histogram = JsonBuilder::array();
  for (const double share : seen.histogram) histogram.push(share);
  return JsonBuilder::object()
      .set("rows", seen.rows)
      .set("columns", seen.columns)
      .set("min", seen.min)
      .set("max", seen.max)
      .set("rms", seen.rms)
      .set("outlier_ratio", seen.outlier_ratio)
      .set("zeroed_ratio", seen.zeroed_ratio)
      .set("largest_channel", seen.largest_channel)
      .set("channel_ratio", seen.channel_ratio)
      .set("histogram", std::move(histogram));
}

JsonBuilder unit_json(const UnitSensitivity& unit) {
  const auto optional = [](const std::optional<double>& value) {
    return value ? JsonBuilder(*value) : JsonBuilder(nullptr);
  };
  return JsonBuilder::object()
      .set("input_group", unit.input_group)
      .set("block", unit.block)
      .set("linears", pipeline::strings_json(unit.linears))
      .set("tower", tower_name(unit.tower))
      .set("scheme", stored_name(unit.scheme))
      .set("multiplies", unit.multiplies)
      .set("quantized_error", unit.quantized_error)
      .set("weight_error", unit.weight_error)
      .set("alone_kl", optional(unit.alone_kl))
      .set("lifted_kl", optional(unit.lifted_kl))
      .set("restored_kl", optional(unit.restored_kl))
      .set("activations", activations_json(unit.activations));
}

JsonBuilder suggestion_json(const Suggestion& suggestion) {
  const bool found = suggestion.status == SuggestionStatus::found;
  return JsonBuilder::object()
      .set("status", suggestion_status_name(suggestion.status))
      .set("scheme", found ? JsonBuilder(scheme_name(suggestion.scheme)) : JsonBuilder(nullptr))
      .set("units", pipeline::strings_json(suggestion.units))
      .set("linears", pipeline::strings_json(suggestion.linears))
      .set("share_of_multiplies", suggestion.share_of_multiplies)
      .set("recipe", found ? suggestion.recipe.to_json() : JsonBuilder(nullptr))
      .set("thresholds", pipeline::thresholds_json(suggestion.thresholds))
      .set("margin", suggestion.margin)
      .set("missed", pipeline::strings_json(suggestion.missed))
      .set("before", pipeline::metrics_json(suggestion.before))
      .set("after", pipeline::metrics_json(suggestion.after))
      .set("variants", suggestion.variants);
}

}  // namespace

std::string Attribution::to_text() const {
  std::string out;
  print_variants(*this, out);
  print_units(*this, out);
  print_samples(*this, out);
  print_suggestion(suggestion, out);
  return out;
}

JsonBuilder Attribution::to_json() const {
  JsonBuilder all_units = JsonBuilder::array();
  for (const UnitSensitivity& unit : units) all_units.push(unit_json(unit));
  JsonBuilder all_variants = JsonBuilder::array();
  for (const VariantMetrics& variant : variants)
    all_variants.push(JsonBuilder::object()
                          .set("name", variant.name)
                          .set("int8_linears", variant.int8_linears)
                          .set("metrics", pipeline::metrics_json(variant.metrics)));
  JsonBuilder all_samples = JsonBuilder::array();
  for (const SampleResult& sample : samples) all_samples.push(pipeline::sample_json(sample));
  return JsonBuilder::object()
      .set("octavo_version", pipeline::kVersion)
      .set("units", std::move(all_units))
      .set("variants", std::move(all_variants))
      .set("samples", std::move(all_samples))
      .set("suggestion", suggestion_json(suggestion))
      .set("proxy_samples", proxy_samples)
      .set("seconds", seconds);
}

}  // namespace octavo
