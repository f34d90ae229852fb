// The job: reference answers, the proxy, models between the two, and the search for a recipe.
#include "octavo/attribution.hpp"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <numeric>
#include <utility>

#include "sensitivity.hpp"
#include "suggestion.hpp"
#include "variants.hpp"

namespace octavo {
namespace detail {
namespace {

constexpr std::int64_t kProxySamples = 8;  // a group's own error needs few rows
constexpr std::int64_t kProxyRuns = 9;     // of a block: its own and two for each of four groups
constexpr std::int64_t kMaxDrops = 24;

void require_arguments(const std::string& original, const std::string& quantized, const AttributionOptions& options) {
  if (options.samples.empty())
    throw Error(ErrorCode::invalid_argument, "attribute: samples are needed; name a JSONL file of them");
  if (options.max_new_tokens < 1)
    throw Error(ErrorCode::invalid_argument, "attribute: max_new_tokens is " + std::to_string(options.max_new_tokens) +
                                                 "; at least 1 token must be compared");
  if (!(options.margin >= 0 && options.margin < 1))
    throw Error(ErrorCode::invalid_argument,
                "attribute: margin is " + number_text(options.margin) + ", it must lie in [0, 1)");
  for (const std::string& directory : {original, quantized})
    if (!std::filesystem::is_directory(directory))
      throw Error(ErrorCode::not_found,
                  "attribute: " + directory + " is not a directory; expected MODEL, then QUANTIZED");
}

/// Each bound moved by `margin` of its way to what the original itself would measure.
VerifyThresholds tightened(VerifyThresholds bounds, double margin) {
  const auto towards = [&](std::optional<double>& bound, double perfect) {
    if (bound) *bound += margin * (perfect - *bound);
  };
  towards(bounds.min_token_agreement, 1);
  towards(bounds.min_logit_cosine, 1);
  towards(bounds.min_top1_agreement, 1);
  towards(bounds.min_top5_agreement, 1);
  towards(bounds.max_kl, 0);
  towards(bounds.max_perplexity_ratio, 1);
  if (bounds.max_accuracy_drop && *bounds.max_accuracy_drop > 0) towards(bounds.max_accuracy_drop, 0);
  return bounds;
}

class Attributor {
 public:
  Attributor(const std::string& original_dir, const std::string& quantized_dir, const AttributionOptions& options)
      : options_(options),
        quantized_dir_(quantized_dir),
        steps_(options.progress, options.cancel, "attribute", "no result"),
        set_(read_samples(options.samples, options.max_samples, options.decode)) {
    VerifyProfile profile = VerifyProfile::open(options.profile);
    profile.override_with(options.thresholds);
    thresholds_ = profile.for_step("evaluation");
    tightened_ = tightened(thresholds_, options.margin);
    original_ = Model::open(original_dir);
    quantized_ = Model::open(quantized_dir);
    require_comparable(original_dir);
    check_pictures(set_, original_.checkpoint(), options.samples.skip_bad,
                   [&](const Sample&) { steps_.check_cancelled(); });
    found_.skipped = set_.skipped;
  }

  Attribution run() {
    const auto n = static_cast<std::int64_t>(set_.samples.size());
    const std::int64_t proxied = std::min(n, kProxySamples);
    // The search is counted as if it were to run; what it leaves is skipped over at the end.
    const std::int64_t searched = options_.suggest ? 24 * n : 0;
    std::int64_t total = n + kProxyRuns * proxied + 4 * n + searched;
    steps_.set_total(total);
    reference_.emplace(original_, set_.samples, options_, steps_);
    groups(proxied, n);
    if (found_.groups.empty())
      throw Error(ErrorCode::invalid_argument, "attribute: " + quantized_dir_ + " holds no int8 linear");
    const auto count = static_cast<std::int64_t>(found_.groups.size());
    if (options_.exact) steps_.set_total(total += 3 * count * n);
    mixed_.emplace(original_, quantized_, found_.groups);
    towers();
    if (options_.exact) exact();
    if (options_.suggest) suggest();
    steps_.advance_to(total);
    found_.seconds = watch_.seconds();
    return std::move(found_);
  }

 private:
  /// The same modules of the same sizes; anything else is two models.
  void require_comparable(const std::string& original_dir) const {
    const std::vector<LinearInfo> a = original_.linears();
    const std::vector<LinearInfo> b = quantized_.linears();
    const bool same = std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const LinearInfo& x, const LinearInfo& y) {
      return x.module_path == y.module_path && x.in_features == y.in_features && x.out_features == y.out_features;
    });
    if (!same || original_.vocab_size() != quantized_.vocab_size())
      throw Error(ErrorCode::invalid_argument, "attribute: " + original_dir + " and " + quantized_dir_ +
                                                   " are not two forms of one model; octavo check QUANTIZED --against "
                                                   "MODEL says how they differ");
    for (const LinearInfo& linear : a)
      if (original_.linear(linear.module_path).kind() != LinearKind::floating)
        throw Error(ErrorCode::invalid_argument, "attribute: " + original_dir + " is quantized itself (" +
                                                     linear.module_path + "); expected MODEL, then QUANTIZED");
  }

  void groups(std::int64_t proxied, std::int64_t behind) {
    found_.proxy_samples = proxied;
    const std::vector<ModelInput> inputs = reference_->inputs(proxied);
    steps_.stage("each group on its own");
    found_.groups = measure_groups(
        original_.checkpoint(), quantized_.checkpoint(), inputs, [&](std::int64_t done, std::int64_t total) {
          steps_.advance_to(behind + kProxyRuns * proxied * done / std::max<std::int64_t>(1, total));
        });
  }

  std::vector<bool> all() const { return std::vector<bool>(found_.groups.size(), true); }
  std::vector<bool> of(Tower tower) const {
    std::vector<bool> flags;
    for (const GroupSensitivity& group : found_.groups) flags.push_back(group.tower == tower);
    return flags;
  }
  std::int64_t linears(const std::vector<bool>& flags) const {
    std::size_t count = 0;
    for (std::size_t i = 0; i < flags.size(); ++i) count += flags[i] ? found_.groups[i].linears.size() : 0;
    return static_cast<std::int64_t>(count);
  }

  /// QUANTIZED, each tower alone, and everything in W8A16.
  void towers() {
    steps_.stage("quantized");
    before_ = reference_->answers_of_quantized(quantized_, found_.samples);
    found_.variants.push_back({"quantized", linears(all()), before_});
    const std::int64_t vision = linears(of(Tower::vision));
    const std::int64_t language = linears(of(Tower::language));
    if (vision > 0 && language > 0) {
      for (const Tower tower : {Tower::vision, Tower::language}) {
        const std::string name = tower == Tower::vision ? "vision alone" : "language alone";
        steps_.stage(name);
        found_.variants.push_back({name, linears(of(tower)), reference_->logits(mixed_->original_with(of(tower)))});
      }
    }
    steps_.stage("all in W8A16");
    found_.variants.push_back({"all in W8A16", linears(all()), reference_->logits(mixed_->with(all(), Scheme::w8a16))});
  }

  void exact() {
    const auto kl = [&](const Model& variant) { return reference_->logits(variant).kl; };
    for (std::size_t i = 0; i < found_.groups.size(); ++i) {
      GroupSensitivity& group = found_.groups[i];
      steps_.stage("end to end: " + group.input_group);
      std::vector<bool> one(found_.groups.size());
      one[i] = true;
      group.alone_kl = kl(mixed_->original_with(one));
      group.w8a16_kl = kl(mixed_->with(one, Scheme::w8a16));
      group.restored_kl = kl(mixed_->with(one, Scheme::skip));
    }
  }

  /// The thresholds that `metrics` miss.
  static std::vector<std::string> missed(const StepMetrics& metrics, const VerifyThresholds& thresholds) {
    std::vector<std::string> lines;
    for (const StepFailure& failure : missed_bounds(thresholds, metrics)) lines.push_back(failure.line());
    return lines;
  }

  /// Logits first: where they miss, no answer needs to be generated.
  bool holds(const Model& variant, StepMetrics& metrics) const {
    metrics = reference_->logits(variant);
    if (!missed(metrics, tightened_).empty()) return false;
    if (thresholds_.min_token_agreement || thresholds_.max_accuracy_drop) metrics = reference_->answers(variant);
    return missed(metrics, tightened_).empty();
  }

  /// What raising a group's precision gains per multiplication, by what was measured best.
  double worth(const GroupSensitivity& group, Scheme scheme) const {
    double won = scheme == Scheme::w8a16 ? group.activation_share() : group.quantized_error * group.quantized_error;
    const std::optional<double>& end_to_end = scheme == Scheme::w8a16 ? group.w8a16_kl : group.restored_kl;
    if (end_to_end && before_.kl) won = *before_.kl - *end_to_end;
    return won / static_cast<double>(std::max<std::int64_t>(1, group.multiplies));
  }

  void suggest() {
    Suggestion& suggestion = found_.suggestion;
    suggestion.thresholds = thresholds_;
    suggestion.before = before_;
    suggestion.margin = options_.margin;
    suggestion.missed = missed(before_, thresholds_);
    if (suggestion.missed.empty()) return;
    suggestion.status = SuggestionStatus::out_of_reach;
    for (const Scheme scheme : {Scheme::w8a16, Scheme::skip}) {
      if (!search(scheme)) continue;
      suggestion.status = SuggestionStatus::found;
      return;
    }
  }

  bool search(Scheme scheme) {
    Suggestion& suggestion = found_.suggestion;
    std::vector<std::size_t> order;
    std::vector<std::int64_t> cost;
    for (std::size_t i = 0; i < found_.groups.size(); ++i) {
      cost.push_back(found_.groups[i].multiplies);
      if (scheme == Scheme::skip || found_.groups[i].scheme == StoredScheme::w8a8_dynamic) order.push_back(i);
    }
    if (order.empty()) return false;
    std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
      return badness(worth(found_.groups[a], scheme)) > badness(worth(found_.groups[b], scheme));
    });
    StepMetrics metrics;
    const auto suffices = [&](const std::vector<bool>& raised) {
      ++suggestion.variants;
      steps_.stage("suggest: " + std::to_string(std::count(raised.begin(), raised.end(), true)) + " groups in " +
                   (scheme == Scheme::skip ? "float" : "W8A16"));
      if (!holds(mixed_->with(raised, scheme), metrics)) return false;
      suggestion.after = metrics;  // the last that held is the one that is kept
      return true;
    };
    const auto chosen = cheapest_groups(order, cost, suffices, kMaxDrops);
    if (!chosen) return false;
    std::vector<const GroupSensitivity*> groups;
    std::int64_t raised = 0;
    for (const std::size_t index : *chosen) {
      const GroupSensitivity& group = found_.groups[index];
      groups.push_back(&group);
      suggestion.groups.push_back(group.input_group);
      suggestion.linears.insert(suggestion.linears.end(), group.linears.begin(), group.linears.end());
      raised += group.multiplies;
    }
    suggestion.scheme = scheme;
    suggestion.share_of_multiplies =
        static_cast<double>(raised) / static_cast<double>(std::accumulate(cost.begin(), cost.end(), std::int64_t{0}));
    suggestion.recipe = recipe_with_groups(recipe_of(quantized_dir_, found_.groups), groups, scheme);
    return true;
  }

  const AttributionOptions& options_;
  std::string quantized_dir_;
  Stopwatch watch_;
  JobProgress steps_;
  SampleSet set_;
  VerifyThresholds thresholds_, tightened_;
  Model original_, quantized_;
  std::optional<Reference> reference_;
  std::optional<MixedModels> mixed_;
  StepMetrics before_;
  Attribution found_;
};

}  // namespace
}  // namespace detail

double GroupSensitivity::activation_share() const noexcept {
  return std::max(0.0, quantized_error * quantized_error - weight_error * weight_error);
}

const char* suggestion_status_name(SuggestionStatus status) noexcept {
  switch (status) {
    case SuggestionStatus::not_needed:
      return "not_needed";
    case SuggestionStatus::found:
      return "found";
    case SuggestionStatus::out_of_reach:
      return "out_of_reach";
  }
  return "?";
}

std::vector<const GroupSensitivity*> Attribution::worst_groups() const {
  std::vector<const GroupSensitivity*> worst;
  for (const GroupSensitivity& group : groups) worst.push_back(&group);
  std::stable_sort(worst.begin(), worst.end(), [](const GroupSensitivity* a, const GroupSensitivity* b) {
    return detail::badness(a->quantized_error) > detail::badness(b->quantized_error);
  });
  return worst;
}

Attribution attribute(const std::string& original_dir, const std::string& quantized_dir,
                      const AttributionOptions& options) {
  detail::require_arguments(original_dir, quantized_dir, options);
  return detail::Attributor(original_dir, quantized_dir, options).run();
}

}  // namespace octavo
