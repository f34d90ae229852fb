/// @file
/// Attribution: which linears cost a quantized model its quality, and which ones to keep in W8A16 to get it back.
///
///     AttributionOptions options;
///     options.samples = "held_out.jsonl";
///     Attribution found = attribute("Qwen2.5-VL-3B-Instruct", "Qwen2.5-VL-3B-w8a8", options);
///     std::cout << found.to_text();
///     if (found.suggestion.status == SuggestionStatus::found)      // quantize again with this recipe, then verify
///       save(found.suggestion.recipe.to_json().dump(2));
///
/// Loss is attributed to module groups: the int8 linears of a block that see the same input (q, k and v; gate and up;
/// ...). Runtimes fuse them into one product with one scheme (vLLM: fused linears), so a group is raised in precision
/// as a whole. Each group is measured first by a proxy that needs one pass over the blocks (its own effect on its own
/// block's output), on request also end to end.
///
/// A group that is raised to W8A16 keeps its int8 weights, and its activations stay float: this removes the
/// rounding error of the activations, at the speed of a float product. Where the rounded weights cause the error,
/// W8A16 cannot help, and the group stays in float instead ("skip").
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "octavo/blockwise.hpp"
#include "octavo/evaluation.hpp"
#include "octavo/job.hpp"
#include "octavo/json.hpp"
#include "octavo/model.hpp"
#include "octavo/quant.hpp"

namespace octavo {

/// The values that enter a group, in the original, over all rows (tokens or patches) of the samples seen.
struct ActivationSummary {
  std::int64_t rows = 0, columns = 0;
  double min = 0, max = 0, rms = 0;
  double outlier_ratio = 0;  ///< share of |x| > 6 rms of its sample, as in ValueStatistics
  /// Share of the values other than 0 that int8 rounds to 0: |x| below half a step of its own row's scale, absmax/127.
  double zeroed_ratio = 0;
  std::int64_t largest_channel = 0;  ///< the input column with the largest |x|
  double channel_ratio = 0;          ///< that |x| over the median of the columns' largest |x|; 1: no channel stands out
  /// Share of the values by size within their row: bin b holds 2^-(b+1) < |x| / absmax(row) <= 2^-b, the last one
  /// everything smaller, zeros included. int8 rounds everything from bin 8 on to 0 (half a step is absmax / 254).
  std::array<double, 12> histogram{};
};

/// Linears of one block that see the same input.
struct GroupSensitivity {
  std::string input_group;           ///< "model.layers.3.self_attn.qkv_input"
  std::string block;                 ///< "model.layers.3"
  std::vector<std::string> linears;  ///< module paths, in the order they run
  Tower tower = Tower::language;
  StoredScheme scheme = StoredScheme::w8a8_dynamic;  ///< as stored in QUANTIZED
  std::int64_t multiplies = 0;  ///< per row: sum of in_features * out_features; what raising it takes out of int8
  ActivationSummary activations;
  /// The proxy: ||y' - y|| / ||y|| of the block's output, y on the original's rows with the original's weights, y' with
  /// this group alone as stored, and with its int8 weights and float activations (W8A16).
  double quantized_error = 0, weight_error = 0;
  /// quantized_error^2 - weight_error^2, what raising it to W8A16 gains; at least 0.
  double activation_share() const noexcept;
  // End to end, with AttributionOptions::exact: mean KL(original || variant) in nats on the original's answers.
  std::optional<double> alone_kl;     ///< the original with this group alone as stored
  std::optional<double> w8a16_kl;     ///< QUANTIZED with this group in W8A16
  std::optional<double> restored_kl;  ///< QUANTIZED with this group as in the original
};

/// A partly quantized model, and how far it is from the original.
struct VariantMetrics {
  std::string name;  ///< "quantized", "vision alone", "language alone", "all in W8A16"
  std::int64_t int8_linears = 0;
  StepMetrics metrics;
};

enum class SuggestionStatus : std::uint8_t {
  not_needed,   ///< QUANTIZED meets the thresholds on these samples
  found,        ///< the suggested recipe's model, put together from what is stored, meets them
  out_of_reach  ///< not even with every linear as in the original: the loss is elsewhere (see verify's diagnosis)
};
const char* suggestion_status_name(SuggestionStatus status) noexcept;  ///< "not_needed", "found", "out_of_reach"

/// The cheapest module groups to raise in precision so that the thresholds hold. The search ranks the groups by gain
/// per multiplication, takes the fewest from the top that meet the thresholds (by bisection), and then gives back every
/// group, the most expensive first, whose raising the thresholds do not need.
struct Suggestion {
  SuggestionStatus status = SuggestionStatus::not_needed;
  Scheme scheme = Scheme::skip;      ///< of the raised groups: w8a16, or skip where that does not suffice
  std::vector<std::string> groups;   ///< input groups, in the order they run
  std::vector<std::string> linears;  ///< their module paths
  double share_of_multiplies = 0;    ///< the raised groups' of all int8 linears', 0 to 1
  Recipe recipe;  ///< the recipe QUANTIZED was made by, with rules for `groups` in front; empty unless found
  VerifyThresholds thresholds;      ///< that have to hold: the profile's for the evaluation
  double margin = 0;                ///< share of each bound that the suggested model had to leave free
  std::vector<std::string> missed;  ///< one line per threshold that QUANTIZED misses on these samples
  StepMetrics before, after;        ///< QUANTIZED's, and the suggested model's
  std::int64_t variants = 0;        ///< models that the search ran over the samples
};

struct AttributionOptions {
  std::string samples;               ///< samples JSONL; required
  std::int64_t max_samples = 16;     ///< 0: all
  std::int64_t max_new_tokens = 64;  ///< per answer
  DecodeOptions decode;              ///< of the samples' pictures
  /// VerifyResult::answers of the same two models, with the same max_new_tokens: a sample that is among them (by id and
  /// prompt) is not asked again. Must outlive the call.
  std::span<const SampleResult> answers;
  std::string profile = "default";  ///< preset or path; its thresholds for the evaluation are what must hold
  VerifyThresholds thresholds;      ///< override the profile's
  /// Share of each bound that the suggested model must leave free, in [0, 1): of the way from the bound to what the
  /// original itself would measure. A second run quantizes anew, and recipe chosen on these samples looks
  /// better on them than on others.
  double margin = 0.3;
  bool exact = false;   ///< measure every group end to end: three runs over the samples per group
  bool suggest = true;  ///< false: no search for a recipe
  ProgressCallback progress;
  const std::atomic<bool>* cancel = nullptr;
};

struct Attribution {
  std::vector<GroupSensitivity> groups;  ///< in the order of the forward pass; vision tower first
  std::vector<VariantMetrics> variants;  ///< quantized; each tower alone, where both have int8 linears; all in W8A16
  std::vector<SampleResult> samples;     ///< with the answers of QUANTIZED, worst KL first
  Suggestion suggestion;                 ///< status not_needed and no thresholds when it was not asked for
  std::int64_t proxy_samples = 0;        ///< behind the proxy and the activations: the first of the samples
  double seconds = 0;

  std::vector<const GroupSensitivity*> worst_groups() const;  ///< by proxy, worst first
  std::string to_text() const;  ///< for a terminal: towers, worst groups, samples, suggestion
  JsonBuilder to_json() const;  ///< schema: docs/attribution.md
};

/// @throws Error  as verify(): not_found, format, invalid_argument for what the caller gave; cancelled;
///                invalid_argument when QUANTIZED holds no int8 linear or is not of the same model as MODEL.
Attribution attribute(const std::string& original_dir, const std::string& quantized_dir,
                      const AttributionOptions& options);

}  // namespace octavo
