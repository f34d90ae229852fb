// Attribution on models whose loss was planted: where it is, is known beforehand.
#include "octavo/attribution.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>
#include <set>

#include "../../lib/attribution/activations.hpp"
#include "../../lib/attribution/suggestion.hpp"
#include "catch.hpp"
#include "damaged.hpp"
#include "octavo/quantize.hpp"
#include "octavo/verify.hpp"

using namespace octavo;

namespace {

constexpr std::int64_t kSampleCount = 6;

/// The bundled model, in float the same function to the bit, but with one input channel of a layer's attention (or
/// MLP) enlarged: the norm's weight grows by a power of two, the columns that read it shrink by the same.
std::string with_outlier(const std::string& target, const std::string& layer, bool attention, float factor) {
  test::Damaged model(test::kModel);
  constexpr std::size_t kChannel = 5;
  const auto scale_element = [&](const std::string& name, std::size_t begin, std::size_t stride, float by) {
    Tensor& tensor = model.tensors.at(name);
    const DType stored = tensor.dtype();
    Tensor wide = tensor.to(DType::f32).clone();
    const auto values = wide.mutable_values<float>();
    for (std::size_t i = begin; i < values.size(); i += stride) values[i] *= by;
    tensor = wide.to(stored);
  };
  const std::string norm = attention ? ".input_layernorm.weight" : ".post_attention_layernorm.weight";
  const auto width = static_cast<std::size_t>(model.tensors.at(layer + norm).dim(0));
  scale_element(layer + norm, kChannel, width, factor);
  const std::vector<std::string> readers =
      attention ? std::vector<std::string>{".self_attn.q_proj", ".self_attn.k_proj", ".self_attn.v_proj"}
                : std::vector<std::string>{".mlp.gate_proj", ".mlp.up_proj"};
  for (const std::string& reader : readers) scale_element(layer + reader + ".weight", kChannel, width, 1 / factor);
  return model.save(target);
}

std::string quantized(const std::string& model, const std::string& target, const std::string& recipe) {
  QuantizeOptions options;
  options.recipe = recipe;
  options.calibration = test::kCalibration;
  options.max_samples = 8;
  quantize(model, target, options);
  return target;
}

AttributionOptions on_samples() {
  AttributionOptions options;
  options.samples = test::kSamples;
  options.max_samples = kSampleCount;
  options.max_new_tokens = 24;
  return options;
}

/// Only KL is judged.
std::string kl_profile(const test::Scratch& scratch, double bound) {
  return scratch.write("kl.json", R"({"extends": "lenient", "prompts": 1, "long_tokens": 8, "thresholds":
    {"min_token_agreement": null, "min_logit_cosine": null, "max_kl": null, "max_accuracy_drop": null,
     "min_top1_agreement": null, "min_top5_agreement": null, "max_perplexity_ratio": null},
    "steps": {"evaluation": {"max_kl": )" +
                                      std::to_string(bound) + "}}}");
}

double kl_of(const std::string& model, const std::string& with) {
  AttributionOptions options = on_samples();
  options.suggest = false;
  return attribute(model, with, options).variants.at(0).metrics.kl.value();
}

}  // namespace

TEST_CASE("answers that a verification got are taken over, and the models not asked again") {
  const test::Scratch scratch;
  const std::string q = quantized(test::kModel, scratch.path("q"), "rtn");
  VerifyOptions verification;
  verification.samples = test::kSamples;
  verification.max_samples = 3;
  verification.max_new_tokens = 24;
  verification.profile = kl_profile(scratch, 1);
  VerifyResult verified = verify(test::kModel, q, verification);
  AttributionOptions options = on_samples();
  options.max_samples = 3;
  options.suggest = false;
  const Attribution asked = attribute(test::kModel, q, options);
  options.answers = verified.answers;
  const Attribution taken = attribute(test::kModel, q, options);
  REQUIRE(taken.samples.size() == asked.samples.size());
  for (std::size_t i = 0; i < asked.samples.size(); ++i)
    CHECK(taken.samples[i].to_json().dump() == asked.samples[i].to_json().dump());
  CHECK(taken.variants.at(0).metrics.to_json().dump() == asked.variants.at(0).metrics.to_json().dump());
  // That they were taken shows in an answer that no model gives.
  for (SampleResult& answer : verified.answers) answer.quantized = "an answer of another model";
  options.answers = verified.answers;
  for (const SampleResult& sample : attribute(test::kModel, q, options).samples)
    CHECK(sample.quantized == "an answer of another model");
}

TEST_CASE("a planted activation outlier is found, raised to W8A16, and a second run confirms it") {
  const test::Scratch scratch;
  const bool attention = GENERATE(true, false);
  const std::string layer = attention ? "model.layers.2" : "model.layers.1";
  const std::string group = layer + (attention ? ".self_attn.qkv_input" : ".mlp.gate_up_input");
  const std::string model = with_outlier(scratch.path("m"), layer, attention, 1024);
  const std::string recipe = "rtn";
  const double sound = kl_of(test::kModel, quantized(test::kModel, scratch.path("sound"), recipe));
  const std::string hurt = quantized(model, scratch.path("q"), recipe);
  const double lost = kl_of(model, hurt);
  INFO("KL " << sound << " without the outlier, " << lost << " with it");
  REQUIRE(lost > 4 * sound);

  const double bound = std::sqrt(sound * lost);  // between the two, so that nothing but the outlier has to go
  AttributionOptions options = on_samples();
  options.profile = kl_profile(scratch, bound);
  const Attribution found = attribute(model, hurt, options);
  INFO(found.to_text());
  CHECK(found.worst_groups().front()->input_group == group);
  CHECK(found.worst_groups().front()->activations.largest_channel == 5);
  const Suggestion& suggestion = found.suggestion;
  REQUIRE(suggestion.status == SuggestionStatus::found);
  CHECK(suggestion.scheme == Scheme::w8a16);
  CHECK(suggestion.groups == std::vector<std::string>{group});
  CHECK(suggestion.before.kl == Approx(lost).epsilon(1e-9));
  CHECK(suggestion.after.kl.value() <= bound);
  REQUIRE(suggestion.missed.size() == 1);
  CHECK(suggestion.missed.front().find("KL divergence") == 0);

  // The second run: quantize with the recipe, verify again with the same bound.
  const std::string raised = scratch.write("recipe.json", suggestion.recipe.to_json().dump());
  const std::string again = quantized(model, scratch.path("again"), raised);
  const Checkpoint stored = Checkpoint::open(again);
  for (const std::string& linear : suggestion.linears) CHECK(stored.scheme_of(linear) == StoredScheme::w8a16);
  VerifyOptions again_options;
  again_options.samples = options.samples;
  again_options.max_samples = options.max_samples;
  again_options.max_new_tokens = options.max_new_tokens;
  again_options.profile = options.profile;
  const VerifyResult before = verify(model, hurt, again_options);
  CHECK_FALSE(before.passed);
  CHECK(before.kl == Approx(lost).epsilon(1e-9));
  const VerifyResult after = verify(model, again, again_options);
  INFO(after.to_json().dump(1));
  CHECK(after.passed);
  CHECK(after.kl <= bound);
}

TEST_CASE("weights at fault are left in float, since float activations do not help them") {
  const test::Scratch scratch;
  const std::string target = quantized(test::kModel, scratch.path("q"), "rtn");
  const double sound = kl_of(test::kModel, target);
  test::Damaged damaged(target);
  const std::string linear = "model.layers.1.mlp.down_proj";
  damaged.edit(linear + ".weight_scale", [](float scale) { return 1.5F * scale; });
  const std::string hurt = damaged.save(scratch.path("hurt"));
  const double lost = kl_of(test::kModel, hurt);
  REQUIRE(lost > 4 * sound);
  AttributionOptions options = on_samples();
  options.profile = kl_profile(scratch, std::sqrt(sound * lost));
  options.exact = true;
  const Attribution found = attribute(test::kModel, hurt, options);
  INFO(found.to_text());
  REQUIRE(found.suggestion.status == SuggestionStatus::found);
  CHECK(found.suggestion.scheme == Scheme::skip);
  CHECK(found.suggestion.linears == std::vector<std::string>{linear});
  // Exactly: the group alone costs about all there is, W8A16 gains nothing for it, float nearly everything.
  const GroupSensitivity& group = *found.worst_groups().front();
  CHECK(group.linears == std::vector<std::string>{linear});
  CHECK(group.weight_error == Approx(group.quantized_error).epsilon(0.05));
  CHECK(group.alone_kl.value() > 0.5 * lost);
  CHECK(group.w8a16_kl.value() > 0.5 * lost);
  CHECK(group.restored_kl.value() < 2 * sound);
  for (const GroupSensitivity& other : found.groups) CHECK(other.alone_kl.has_value());
}

TEST_CASE("what no linear explains is said to be out of reach") {
  const test::Scratch scratch;
  test::Damaged damaged(quantized(test::kModel, scratch.path("q"), "rtn"));
  damaged.edit("model.norm.weight", [](float weight) { return 0.5F * weight; });
  AttributionOptions options = on_samples();
  options.max_samples = 2;
  options.profile = kl_profile(scratch, 1e-3);
  const Attribution found = attribute(test::kModel, damaged.save(scratch.path("hurt")), options);
  CHECK(found.suggestion.status == SuggestionStatus::out_of_reach);
  CHECK(found.suggestion.groups.empty());
  CHECK(found.to_text().find("outside the int8 linears") != std::string::npos);
}

TEST_CASE("towers are told apart, and a model that meets the bounds gets no suggestion") {
  const test::Scratch scratch;
  const std::string both = quantized(test::kModel, scratch.path("both"), "vision");
  AttributionOptions options = on_samples();
  options.profile = kl_profile(scratch, 100);
  const Attribution found = attribute(test::kModel, both, options);
  std::vector<std::string> names;
  for (const VariantMetrics& variant : found.variants) names.push_back(variant.name);
  REQUIRE(names == std::vector<std::string>{"quantized", "vision alone", "language alone", "all in W8A16"});
  // Each tower alone is the original with that tower's linears from QUANTIZED: a checkpoint that was quantized with
  // the other tower's rules left out has the same language weights only when the vision tower came in float; compare
  // with the model that can be had: rounding to nearest does not look at what comes in.
  const std::string rtn_both = scratch.write("both.json", R"({"rules": [
    {"match": "(visual\\.blocks|model\\.layers)\\..*", "scheme": "w8a8", "method": "rtn"}]})");
  const std::string rtn_vision = scratch.write("vision.json", R"({"rules": [
    {"match": "visual\\.blocks\\..*", "scheme": "w8a8", "method": "rtn"}]})");
  const Attribution mixed = attribute(test::kModel, quantized(test::kModel, scratch.path("rb"), rtn_both), options);
  const std::string vision_only = quantized(test::kModel, scratch.path("rv"), rtn_vision);
  const std::string language_only = quantized(test::kModel, scratch.path("rl"), "rtn");
  CHECK(mixed.variants.at(1).metrics.kl.value() == Approx(kl_of(test::kModel, vision_only)).epsilon(1e-12));
  CHECK(mixed.variants.at(2).metrics.kl.value() == Approx(kl_of(test::kModel, language_only)).epsilon(1e-12));
  CHECK(found.suggestion.status == SuggestionStatus::not_needed);
  CHECK(found.suggestion.variants == 0);
  // Worst sample first, each with both answers.
  REQUIRE(found.samples.size() == kSampleCount);
  CHECK(std::is_sorted(found.samples.begin(), found.samples.end(),
                       [](const SampleResult& a, const SampleResult& b) { return a.kl > b.kl; }));
  for (const SampleResult& sample : found.samples) {
    CHECK_FALSE(sample.original.empty());
    CHECK(sample.images.size() == sample.image_sizes.size());
  }
  CHECK(Json::parse(found.to_json().dump(), "attribution").at("groups").size() == found.groups.size());
}

TEST_CASE("activations are summarised as by hand") {
  // One row at a time, so that steps are 127 and 2.
  const float rows[] = {127, 0.4F, -0.6F, 0, 1, -2, 0.5F, 0.001F};
  detail::ActivationCollector collector;
  collector.add(Tensor::from<float>(rows, Shape{2, 4}));
  const ActivationSummary seen = collector.summary();
  CHECK(seen.rows == 2);
  CHECK(seen.columns == 4);
  CHECK(seen.min == -2);
  CHECK(seen.max == 127);
  double squares = 0;
  for (const float value : rows) squares += double{value} * double{value};
  CHECK(seen.rms == Approx(std::sqrt(squares / 8)));
  CHECK(seen.outlier_ratio == 0);               // 127 is 2.8 rms
  CHECK(seen.zeroed_ratio == Approx(2.0 / 7));  // 0.4 of step 1, and 0.001 of step 2/127; one value is 0 already
  CHECK(seen.largest_channel == 0);
  CHECK(seen.channel_ratio == Approx(127 / 2.0));  // columns: 127, 2, 0.6, 0.001; the upper median is 2
  // Octaves below the row's largest: 127 > bin 0; 0.4/127 = 2^-8.3 > bin 8; 0.6/127 = 2^-7.7 > bin 7; 0 > last;
  // 1/2 > bin 1; 2/2 > bin 0; 0.5/2 = 2^-2 > bin 2; 0.001/2 = 2^-10.97 > bin 10.
  std::array<double, 12> expected{};
  for (const std::size_t bin : {0, 8, 7, 11, 1, 0, 2, 10}) expected[bin] += 1.0 / 8;
  CHECK(seen.histogram == expected);
}

TEST_CASE("the search finds a choice that holds and from which nothing can be dropped") {
  std::mt19937 random(7);
  std::int64_t found = 0;
  for (int round = 0; round < 300; ++round) {
    const std::size_t n = 1 + random() % 12;
    std::vector<std::int64_t> cost(n);
    std::vector<double> gain(n);
    for (std::size_t i = 0; i < n; ++i) {
      cost[i] = 1 + static_cast<std::int64_t>(random() % 50);
      gain[i] = static_cast<double>(random() % 100);
    }
    const double needed = static_cast<double>(1 + random() % 500);
    std::vector<std::size_t> order(n);
    std::iota(order.begin(), order.end(), 0);
    std::shuffle(order.begin(), order.end(), random);
    int calls = 0;
    const auto holds = [&](const std::vector<bool>& raised) {
      ++calls;
      double sum = 0;
      for (std::size_t i = 0; i < n; ++i) sum += raised[i] ? gain[i] : 0;
      return sum >= needed;
    };
    const auto chosen = detail::cheapest_groups(order, cost, holds, 1000);
    const bool possible = std::accumulate(gain.begin(), gain.end(), 0.0) >= needed;
    REQUIRE(chosen.has_value() == possible);
    if (!chosen) continue;
    ++found;
    CHECK(calls <= 1 + 4 + static_cast<int>(n));  // all of them, log2(12) halvings, one drop each
    CHECK(std::is_sorted(chosen->begin(), chosen->end()));
    std::vector<bool> raised(n);
    for (const std::size_t index : *chosen) raised[index] = true;
    CHECK(holds(raised));
    for (const std::size_t index : *chosen) {
      raised[index] = false;
      CHECK_FALSE(holds(raised));
      raised[index] = true;
    }
  }
  CHECK(found > 50);
}

TEST_CASE("attribution says what it cannot work with") {
  const test::Scratch scratch;
  const std::string target = quantized(test::kModel, scratch.path("q"), "rtn");
  const auto refused = [&](const std::string& a, const std::string& b, const AttributionOptions& options) {
    return test::message_of([&] { static_cast<void>(attribute(a, b, options)); });
  };
  CHECK(refused(test::kModel, target, {}) == "attribute: samples are needed; name a JSONL file of them");
  AttributionOptions options = on_samples();
  options.max_samples = 1;
  CHECK(refused(scratch.path("none"), target, options).find("is not a directory") != std::string::npos);
  CHECK(refused(target, target, options).find("is quantized itself") != std::string::npos);
  CHECK(refused(test::kModel, test::kModel, options).find("holds no int8 linear") != std::string::npos);
  const std::atomic<bool> stop{true};
  options.cancel = &stop;
  CHECK(refused(test::kModel, target, options).find("cancelled") != std::string::npos);
}
