// The first step: do both directories hold models, and the same one?
#include <algorithm>
#include <set>
#include <utility>

#include "octavo/check.hpp"
#include "octavo/config.hpp"
#include "verification.hpp"

namespace octavo::detail {
namespace {

constexpr std::size_t kShownProblems = 8;

void expect_sound(StepResult& step, const std::string& directory, bool quantized) {
  const CheckResult checked = check(directory);
  std::size_t shown = 0;
  std::size_t more = 0;
  const std::string what = std::string("structure (") + side(quantized) + ")";
  for (const CheckProblem& problem : checked.problems) {
    if (!problem.fatal) continue;
    if (++shown > kShownProblems) {
      ++more;
      continue;
    }
    step.failures.push_back({Expectation::structure, what, "no problem",
                             problem.what + (problem.remedy.empty() ? "" : "; " + problem.remedy)});
  }
  if (more > 0)
    step.failures.push_back({Expectation::structure, what, "no problem", std::to_string(more) + " more problems"});
}

/// Names of weights and biases; what quantizing adds beside them is left out.
std::set<std::string> module_tree(const Checkpoint& checkpoint) {
  std::set<std::string> names;
  for (const std::string& name : checkpoint.names())
    if (name.ends_with(".weight") || name.ends_with(".bias")) names.insert(name);
  return names;
}

void expect_equal(StepResult& step, const char* what, const std::string& original, const std::string& quantized) {
  if (original != quantized)
    step.failures.push_back({Expectation::same_model, what, original + " as in the original", quantized});
}

void expect_same_tree(StepResult& step, const Checkpoint& original, const Checkpoint& quantized) {
  const std::set<std::string> a = module_tree(original);
  const std::set<std::string> b = module_tree(quantized);
  std::vector<std::string> missing;
  std::vector<std::string> extra;
  std::set_difference(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(missing));
  std::set_difference(b.begin(), b.end(), a.begin(), a.end(), std::back_inserter(extra));
  // A tied head may be stored or not.
  std::erase(missing, "lm_head.weight");
  std::erase(extra, "lm_head.weight");
  if (!missing.empty())
    step.failures.push_back({Expectation::same_model, "module tree", "every module of the original",
                             std::to_string(missing.size()) + " missing, the first is " + missing.front()});
  if (!extra.empty())
    step.failures.push_back({Expectation::same_model, "module tree", "only modules of the original",
                             std::to_string(extra.size()) + " more, the first is " + extra.front()});
}

/// A weight that no prompt of ours reads may be read by the next.
void expect_finite_weights(Verification& verification, StepResult& step, bool quantized) {
  const Checkpoint& checkpoint = (quantized ? verification.quantized : verification.original)->checkpoint();
  const std::string what = std::string("weights (") + side(quantized) + ")";
  std::size_t found = 0;
  for (const std::string& name : checkpoint.names()) {
    verification.steps.advance(0);
    const std::string problem = not_finite(checkpoint, name);
    if (problem.empty()) continue;
    if (verification.evidence.not_finite_module.empty())
      verification.evidence.not_finite_module = name.substr(0, name.rfind('.'));
    if (++found <= kShownProblems) step.failures.push_back({Expectation::finite, what, "finite", problem});
  }
  if (found > kShownProblems)
    step.failures.push_back(
        {Expectation::finite, what, "finite", std::to_string(found - kShownProblems) + " more such tensors"});
}

std::string stop_ids(const Checkpoint& checkpoint) {
  const GenerationConfig config = GenerationConfig::read(checkpoint.directory(), checkpoint.config());
  std::set<std::int64_t> ids(config.eos_token_ids.begin(), config.eos_token_ids.end());
  std::string text;
  for (const std::int64_t id : ids) text += (text.empty() ? "" : ", ") + std::to_string(id);
  return text.empty() ? "none" : text;
}

/// A picture that cannot be used is the sample's fault, and neither model's.
void check_sample_pictures(Verification& verification) {
  SampleSet set{std::move(verification.samples), std::move(verification.result.skipped)};
  if (set.samples.empty()) return;
  try {
    check_pictures(set, verification.original->checkpoint(), verification.options.samples.skip_bad,
                   [&](const Sample&) { verification.steps.check_cancelled(); });
  } catch (const Error& error) {
    if (error.code() == ErrorCode::cancelled) throw;
    throw InputError(error);
  }
  verification.samples = std::move(set.samples);
  verification.result.skipped = std::move(set.skipped);
}

}  // namespace

void step_open(Verification& verification, StepResult& step) {
  expect_sound(step, verification.original_dir, false);
  verification.steps.advance();
  expect_sound(step, verification.quantized_dir, true);
  verification.steps.advance();
  if (!step.failures.empty()) return;
  verification.original = in_context("original", [&] {
    ModelOptions exact;
    exact.vision_math = exact.language_math = FloatMath::f32;
    exact.lm_head = HeadWeights::as_stored;
    return Model::open(verification.original_dir, exact);
  });
  verification.steps.advance();
  verification.quantized =
      in_context("quantized", [&] { return Model::open(verification.quantized_dir, verification.options.model); });
  const Model& a = *verification.original;
  const Model& b = *verification.quantized;
  expect_finite_weights(verification, step, false);
  expect_finite_weights(verification, step, true);
  for (const Model* model : {&a, &b}) {  // read now, so that a broken file fails here
    in_context(side(model == &b), [&] {
      model->tokenizer();
      if (model->takes_pictures()) model->image_processor();
    });
  }
  check_sample_pictures(verification);
  expect_equal(step, "vocabulary", std::to_string(a.vocab_size()), std::to_string(b.vocab_size()));
  expect_equal(step, "max_position_embeddings", std::to_string(a.max_position_embeddings()),
               std::to_string(b.max_position_embeddings()));
  expect_equal(step, "stop ids", stop_ids(a.checkpoint()), stop_ids(b.checkpoint()));
  expect_same_tree(step, a.checkpoint(), b.checkpoint());
}

}  // namespace octavo::detail
