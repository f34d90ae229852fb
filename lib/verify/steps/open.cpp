// The first rung: do both directories hold models, and the same one?
#include <algorithm>
#include <set>
#include <utility>

#include "ladder.hpp"
#include "octavo/config.hpp"

namespace octavo::pipeline {
namespace {

constexpr std::size_t kShownProblems = 8;

void expect_sound(RungResult& rung, const std::string& directory, bool quantized) {
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
    rung.failures.push_back({Expectation::structure, what, "no problem",
                             problem.what + (problem.remedy.empty() ? "" : "; " + problem.remedy)});
  }
  if (more > 0)
    rung.failures.push_back({Expectation::structure, what, "no problem", std::to_string(more) + " more problems"});
}

/// Names of weights and biases; what quantizing adds beside them is left out.
std::set<std::string> module_tree(const Checkpoint& checkpoint) {
  std::set<std::string> names;
  for (const std::string& name : checkpoint.names())
    if (name.ends_with(".weight") || name.ends_with(".bias")) names.insert(name);
  return names;
}

void expect_equal(RungResult& rung, const char* what, const std::string& original, const std::string& quantized) {
  if (original != quantized)
    rung.failures.push_back({Expectation::same_model, what, original + " as in the original", quantized});
}

void expect_same_tree(RungResult& rung, const Checkpoint& original, const Checkpoint& quantized) {
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
    rung.failures.push_back({Expectation::same_model, "module tree", "every module of the original",
                             std::to_string(missing.size()) + " missing, the first is " + missing.front()});
  if (!extra.empty())
    rung.failures.push_back({Expectation::same_model, "module tree", "only modules of the original",
                             std::to_string(extra.size()) + " more, the first is " + extra.front()});
}

std::string stop_ids(const Checkpoint& checkpoint) {
  const GenerationConfig config = GenerationConfig::read(checkpoint.directory(), checkpoint.config());
  std::set<std::int64_t> ids(config.eos_token_ids.begin(), config.eos_token_ids.end());
  std::string text;
  for (const std::int64_t id : ids) text += (text.empty() ? "" : ", ") + std::to_string(id);
  return text.empty() ? "none" : text;
}

}  // namespace

void climb_open(Climb& climb, RungResult& rung) {
  expect_sound(rung, climb.original_dir, false);
  climb.steps.advance();
  expect_sound(rung, climb.quantized_dir, true);
  climb.steps.advance();
  if (!rung.failures.empty()) return;
  climb.original = in_context("original", [&] { return Model::open(climb.original_dir); });
  climb.steps.advance();
  climb.quantized = in_context("quantized", [&] { return Model::open(climb.quantized_dir); });
  const Model& a = *climb.original;
  const Model& b = *climb.quantized;
  for (const Model* model : {&a, &b}) {  // read now, so that a broken file fails here
    in_context(side(model == &b), [&] {
      model->tokenizer();
      model->image_processor();
    });
  }
  expect_equal(rung, "vocabulary", std::to_string(a.vocab_size()), std::to_string(b.vocab_size()));
  expect_equal(rung, "max_position_embeddings", std::to_string(a.max_position_embeddings()),
               std::to_string(b.max_position_embeddings()));
  expect_equal(rung, "stop ids", stop_ids(a.checkpoint()), stop_ids(b.checkpoint()));
  expect_same_tree(rung, a.checkpoint(), b.checkpoint());
}

}  // namespace octavo::pipeline
