// Attribution for a terminal and as JSON (schema: docs/attribution.md).
#include <algorithm>
#include <array>
#include <cstdio>
#include <utility>

#include "octavo/attribution.hpp"
#include "octavo/version.hpp"

namespace octavo {
namespace {

constexpr std::size_t kShownGroups = 12;
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
    return std::any_of(found.groups.begin(), found.groups.end(),
                       [&](const auto& group) { return group.tower == tower; });
  };
  for (const Tower tower : {Tower::vision, Tower::language})
    if (!of_tower(tower)) out += format("  the %s tower has no int8 linear and loses nothing\n", tower_name(tower));
}

void print_groups(const Attribution& found, std::string& out) {
  const std::vector<const GroupSensitivity*> worst = found.worst_groups();
  const bool exact = !worst.empty() && worst.front()->alone_kl.has_value();
  out +=
      format("\nworst of %zu module groups: relative change of the block's output by each group alone\n", worst.size());
  out += "  group                                         as stored    W8A16   rounded to 0   largest channel";
  out += exact ? "    KL alone   KL W8A16\n" : "\n";
  for (std::size_t i = 0; i < std::min(kShownGroups, worst.size()); ++i) {
    const GroupSensitivity& group = *worst[i];
    out += format("  %-44s %7.3f %% %6.3f %% %12.1f %% %8lld x %-7.3g", group.input_group.c_str(),
                  100 * group.quantized_error, 100 * group.weight_error, 100 * group.activations.zeroed_ratio,
                  static_cast<long long>(group.activations.largest_channel), group.activations.channel_ratio);
    if (exact) out += format(" %10.3g %11.3g", *group.alone_kl, group.w8a16_kl.value_or(0));
    out += '\n';
  }
}

void print_samples(const Attribution& found, std::string& out) {
  out += "\nworst samples\n";
  for (std::size_t i = 0; i < std::min(kShownSamples, found.samples.size()); ++i) {
    const SampleResult& sample = found.samples[i];
    out += format("  KL %-9.3g ", sample.kl) + sample.id + ": " + sample.original +
           (sample.original == sample.quantized ? " (both)" : " -> " + sample.quantized) + "\n";
  }
}

void print_suggestion(const Suggestion& suggestion, std::string& out) {
  if (suggestion.status == SuggestionStatus::not_needed) {
    out += "\nno change needed: the evaluation's thresholds hold on these samples\n";
    return;
  }
  out += '\n';
  for (const std::string& line : suggestion.missed) out += "missed: " + line + "\n";
  if (suggestion.status == SuggestionStatus::out_of_reach) {
    out +=
        "the thresholds are missed even with every linear as in the original: the loss is outside the int8 linears\n";
    return;
  }
  const bool skip = suggestion.scheme == Scheme::skip;
  if (skip) out += "W8A16 does not suffice, even for all module groups: the int8 weights lose too much\n";
  out +=
      format("suggestion: keep %zu module groups in %s (%.1f %% of the int8 multiplications); %lld models were tried\n",
             suggestion.groups.size(), skip ? "float" : "W8A16", 100 * suggestion.share_of_multiplies,
             static_cast<long long>(suggestion.variants));
  for (const std::string& group : suggestion.groups) out += "  " + group + "\n";
  out += format("mean KL %.3g -> %.3g\n", suggestion.before.kl.value_or(0), suggestion.after.kl.value_or(0));
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

JsonBuilder group_json(const GroupSensitivity& group) {
  const auto optional = [](const std::optional<double>& value) {
    return value ? JsonBuilder(*value) : JsonBuilder(nullptr);
  };
  return JsonBuilder::object()
      .set("input_group", group.input_group)
      .set("block", group.block)
      .set("linears", JsonBuilder::array_of(group.linears))
      .set("tower", tower_name(group.tower))
      .set("scheme", stored_name(group.scheme))
      .set("multiplies", group.multiplies)
      .set("quantized_error", group.quantized_error)
      .set("weight_error", group.weight_error)
      .set("alone_kl", optional(group.alone_kl))
      .set("w8a16_kl", optional(group.w8a16_kl))
      .set("restored_kl", optional(group.restored_kl))
      .set("activations", activations_json(group.activations));
}

JsonBuilder suggestion_json(const Suggestion& suggestion) {
  const bool found = suggestion.status == SuggestionStatus::found;
  return JsonBuilder::object()
      .set("status", suggestion_status_name(suggestion.status))
      .set("scheme", found ? JsonBuilder(scheme_name(suggestion.scheme)) : JsonBuilder(nullptr))
      .set("groups", JsonBuilder::array_of(suggestion.groups))
      .set("linears", JsonBuilder::array_of(suggestion.linears))
      .set("share_of_multiplies", suggestion.share_of_multiplies)
      .set("recipe", found ? suggestion.recipe.to_json() : JsonBuilder(nullptr))
      .set("thresholds", suggestion.thresholds.to_json())
      .set("margin", suggestion.margin)
      .set("missed", JsonBuilder::array_of(suggestion.missed))
      .set("before", suggestion.before.to_json())
      .set("after", suggestion.after.to_json())
      .set("variants", suggestion.variants);
}

}  // namespace

std::string Attribution::to_text() const {
  std::string out;
  print_variants(*this, out);
  print_groups(*this, out);
  print_samples(*this, out);
  print_suggestion(suggestion, out);
  return out;
}

JsonBuilder Attribution::to_json() const {
  JsonBuilder all_groups = JsonBuilder::array();
  for (const GroupSensitivity& group : groups) all_groups.push(group_json(group));
  JsonBuilder all_variants = JsonBuilder::array();
  for (const VariantMetrics& variant : variants)
    all_variants.push(JsonBuilder::object()
                          .set("name", variant.name)
                          .set("int8_linears", variant.int8_linears)
                          .set("metrics", variant.metrics.to_json()));
  JsonBuilder all_samples = JsonBuilder::array();
  for (const SampleResult& sample : samples) all_samples.push(sample.to_json());
  return JsonBuilder::object()
      .set("octavo_version", kVersion)
      .set("groups", std::move(all_groups))
      .set("variants", std::move(all_variants))
      .set("samples", std::move(all_samples))
      .set("suggestion", suggestion_json(suggestion))
      .set("skipped_samples", skipped_json(skipped))
      .set("proxy_samples", proxy_samples)
      .set("seconds", seconds);
}

}  // namespace octavo
