// Diagnoses from measurements made by hand: faults that a sound runtime cannot be made to show.
#include <algorithm>
#include <limits>
#include <string>
#include <vector>

#include "../../lib/verify/probe.hpp"
#include "../../lib/verify/tried.hpp"
#include "../../lib/verify/verification.hpp"
#include "catch.hpp"
#include "jobs.hpp"
#include "octavo/blockwise.hpp"
#include "octavo/verify.hpp"

using namespace octavo;
using namespace octavo::detail;

namespace {

StepResult failed(const char* name, Expectation expectation, const char* what = "logit cosine") {
  StepResult step;
  step.name = name;
  step.failures.push_back({expectation, what, "at least 0.99", "0.4"});
  return step;
}

BlockProbe block(Tower tower, const char* path, double local, double accumulated = 0.1) {
  BlockProbe probe;
  probe.tower = tower;
  probe.module_path = path;
  probe.local_error = local;
  probe.accumulated_error = accumulated;
  return probe;
}

std::vector<BlockProbe> language_blocks(const std::vector<double>& local) {
  static const std::vector<std::string> paths{"model.layers.0", "model.layers.1", "model.layers.2", "model.layers.3"};
  std::vector<BlockProbe> blocks;
  for (std::size_t i = 0; i < local.size(); ++i) blocks.push_back(block(Tower::language, paths[i].c_str(), local[i]));
  return blocks;
}

}  // namespace

TEST_CASE("a block stands out by its bound and by its neighbours, or by not being finite") {
  CHECK(outstanding_block(language_blocks({0.02, 0.03, 0.9, 0.02})) == 2);
  CHECK(outstanding_block(language_blocks({0.02, 0.03, 0.14, 0.02})) == -1);  // below the bound
  CHECK(outstanding_block(language_blocks({0.3, 0.4, 0.9, 0.3})) == -1);      // all of them are bad
  CHECK(outstanding_block(language_blocks({0.2})) == 0);
  CHECK(outstanding_block({}) == -1);
  std::vector<BlockProbe> broken = language_blocks({0.9, 0.02, 0.02, 0.02});
  broken[3].quantized_finite = false;
  CHECK(outstanding_block(broken) == 3);
  broken[1].original_finite = false;
  CHECK(outstanding_block(broken) == -1);
  // The vision tower is compared with itself: a language model in full precision says nothing of it.
  std::vector<BlockProbe> both = language_blocks({0, 0, 0});
  both.insert(both.begin(),
              {block(Tower::vision, "visual.blocks.0", 0.3), block(Tower::vision, "visual.blocks.1", 0.3)});
  CHECK(outstanding_block(both) == -1);
}

TEST_CASE("tokens that part with the cache are excused only by a tie that was measured") {
  const RunDifference tie{"quantized", 7, 1e-3, 0.01, 0.02};
  CHECK(is_tie(tie, 0.03));
  CHECK_FALSE(is_tie(tie, 1e-4));          // the logits as a whole are too far apart
  CHECK_FALSE(is_tie(tie, std::nullopt));  // nobody said how far apart they may be
  RunDifference apart = tie;
  apart.gap = 0.05;  // more than both tokens' logits can have moved
  CHECK_FALSE(is_tie(apart, 0.03));
  apart.gap = -0.01;  // the token without the cache is not even the better one
  CHECK_FALSE(is_tie(apart, 0.03));
}

TEST_CASE("cached tokens that differ point at positions and cache, and at the runtime when the original does so, too") {
  const StepResult step = failed("cached", Expectation::same_cached, "tokens with the cache (original)");
  Evidence evidence;
  evidence.cache = RunDifference{"original", 7, 0.4, 0.2, 0.5};
  const Diagnosis said = explain(step, evidence, nullptr, {});
  CHECK(said.kind == DiagnosisKind::cache);
  CHECK(test::contains(said.causes.front(), "positions or cache at token 7 of the original model"));
  CHECK(test::contains(said.causes.back(), "the runtime's"));
  CHECK(said.measurements.front().value == 0.4);
}

TEST_CASE("a batch that gives other tokens points at the batch, and at the runtime when the original does so, too") {
  const StepResult step = failed("batch", Expectation::same_batched, "tokens of prompt 2 in a batch of 6 (original)");
  Evidence evidence;
  evidence.batch = RunDifference{"original", 3, 0.4, 0.2, 0.5};
  const Diagnosis said = explain(step, evidence, nullptr, {});
  CHECK(said.kind == DiagnosisKind::batch);
  CHECK(test::contains(said.causes.front(), "at token 3 its logits differ by 40 % from those it gets alone"));
  CHECK(test::contains(said.causes.back(), "the runtime's"));
  CHECK(test::contains(said.next.front(), "--batch"));
  CHECK(said.measurements.front().value == 0.4);
}

TEST_CASE("tokens that a sequence does not get alone fail the batch, and are measured") {
  // What the model gave, with one token of one sequence exchanged: a fault that only the comparison can see.
  VerifyOptions options;
  Verification verification(test::kModel, test::kModel, options);
  verification.original = Model::open(test::kModel);
  verification.quantized = verification.original;
  std::vector<ModelInput> prompts;
  for (const char* text : {"What colour is the circle?", "Hello", "How many squares are there in all?"})
    prompts.push_back(verification.original->prepare(text, {}));
  std::vector<std::vector<std::int32_t>> alone;
  for (const ModelInput& prompt : prompts)
    alone.push_back(generate(verification, false, prompt, {.max_new_tokens = 6, .ignore_eos = true}).tokens);
  StepResult step;
  step.thresholds.max_cache_difference = 1e-3;
  expect_same_alone(verification, step, false, prompts, alone, alone);
  CHECK(step.failures.empty());
  std::vector<std::vector<std::int32_t>> together = alone;
  together[1][4] = together[1][4] == 5 ? 6 : 5;
  expect_same_alone(verification, step, false, prompts, alone, together);
  REQUIRE(step.failures.size() == 1);
  CHECK(step.failures[0].expectation == Expectation::same_batched);
  CHECK(step.failures[0].what == "tokens of prompt 1 in a batch of 3 (original)");
  REQUIRE(verification.evidence.batch);
  CHECK(verification.evidence.batch->token == 4);
  CHECK(verification.evidence.batch->logit_difference < 1e-4);  // the logits are alike: no tie explains the token
  CHECK(verification.evidence.batch->gap > 2 * verification.evidence.batch->largest);
}

TEST_CASE("weights that fit but outputs that do not are outliers, and the linear is named") {
  Probe probe;
  probe.blocks = language_blocks({0.02, 0.6, 0.02});
  probe.linears = {{"model.layers.1.mlp.up_proj", 0.01}, {"model.layers.1.mlp.down_proj", 0.5}};
  probe.tensors = {{"model.layers.1.mlp.down_proj.weight", true, 0.008, 1, 0}};
  const Diagnosis said = explain(failed("text", Expectation::bound), {}, &probe, {});
  CHECK(said.kind == DiagnosisKind::module);
  CHECK(said.module == "model.layers.1.mlp.down_proj");
  CHECK(test::contains(said.causes.back(), "outliers"));
  CHECK(test::contains(said.next.front(), "\"w8a16\""));
}

TEST_CASE("an original that is not finite is told apart from the quantization") {
  Probe probe;
  probe.blocks = language_blocks({0, std::numeric_limits<double>::quiet_NaN()});
  probe.blocks[1].original_finite = probe.blocks[1].quantized_finite = false;
  const Diagnosis said = explain(failed("text", Expectation::finite, "logits (original)"), {}, &probe, {});
  CHECK(said.kind == DiagnosisKind::not_finite);
  CHECK(said.module == "model.layers.1");
  CHECK(test::contains(said.causes.front(), "of the original itself"));
}

TEST_CASE("no module that stands out: error that gathers over layers, over tokens, or comes in with the pictures") {
  Probe probe;
  probe.blocks = language_blocks({0.05, 0.06, 0.05, 0.06});
  Diagnosis said = explain(failed("text", Expectation::bound), {}, &probe, {});
  CHECK(said.kind == DiagnosisKind::accumulated);
  CHECK(said.module.empty());
  Evidence drift;
  drift.measurements = {{"KL in the first half", "", 0.01}, {"KL in the second half", "", 0.3}};
  said = explain(failed("long", Expectation::bound, "KL divergence"), drift, &probe, {});
  CHECK(said.kind == DiagnosisKind::accumulated);
  CHECK(test::contains(said.causes.front(), "grows with the answer"));
  said = explain(failed("evaluation", Expectation::bound, "accuracy drop"), {}, &probe, {});
  CHECK(said.kind == DiagnosisKind::quality);
  probe.has_pictures = true;
  probe.vision_error = 0.5;
  probe.blocks.insert(probe.blocks.begin(),
                      {block(Tower::vision, "visual.blocks.0", 0.3), block(Tower::vision, "visual.blocks.1", 0.3)});
  said = explain(failed("image", Expectation::bound), {}, &probe, {});
  CHECK(said.kind == DiagnosisKind::vision);
}

TEST_CASE("pictures made here are the same every time and have the sizes asked for") {
  for (const int pattern : {0, 1, 2}) {
    const Image image = synthetic_picture(29, 83, pattern);
    CHECK(image.rgb.size() == 29U * 83U * 3U);
    CHECK(image.rgb == synthetic_picture(29, 83, pattern).rgb);
  }
  CHECK(synthetic_picture(1, 1, 0).rgb.size() == 3);
  const Image stripes = synthetic_picture(2, 3, 2);
  CHECK(stripes.rgb == std::vector<std::uint8_t>{255, 255, 255, 0, 0, 0, 255, 255, 255,  //
                                                 255, 255, 255, 0, 0, 0, 255, 255, 255});
}

TEST_CASE("what was tried is not advised again") {
  const auto says = [](const std::vector<std::string>& next, const char* text) {
    return std::any_of(next.begin(), next.end(), [&](const std::string& line) { return test::contains(line, text); });
  };
  Tried tried;
  tried.profile = "default";
  std::vector<std::string> next = advice(tried, "");
  CHECK(says(next, "if that was not done"));  // how it was made is not known
  CHECK(says(next, "--suggest"));
  CHECK(says(next, "--profile lenient"));
  CHECK_FALSE(says(next, "--recipe w8a16"));

  tried.known = true;  // rounded to nearest
  next = advice(tried, "");
  CHECK(says(next, "rounded to nearest"));
  CHECK(says(next, "--recipe w8a16"));

  tried.gptq = true;
  tried.calibration_samples = 12;
  next = advice(tried, "");
  CHECK_FALSE(says(next, "quantize with GPTQ"));
  CHECK(says(next, "this one saw 12"));

  tried.calibration_samples = 512;
  tried.suggests = true;
  tried.profile = "lenient";
  next = advice(tried, "model.layers.3.mlp.down_proj");
  CHECK(next.size() == 1);
  CHECK(says(next, "keep model.layers.3.mlp.down_proj in W8A16"));
  tried.w8a16 = true;
  CHECK(says(advice(tried, ""), "everything known here was tried"));

  Probe probe;
  probe.blocks = {block(Tower::vision, "visual.blocks.0", 0.3), block(Tower::vision, "visual.blocks.1", 0.3),
                  block(Tower::language, "model.layers.0", 0.05)};
  probe.has_pictures = true;
  probe.vision_error = 0.5;
  CHECK_FALSE(says(explain(failed("image", Expectation::bound), {}, &probe, tried).next, "leave the vision tower"));
  tried.int8_vision = true;
  CHECK(says(explain(failed("image", Expectation::bound), {}, &probe, tried).next, "leave the vision tower"));
}

TEST_CASE("what was tried is read from octavo_report.json") {
  const test::Scratch scratch;
  const auto tried = [&](const std::string& report) {
    scratch.write("octavo_report.json", report);
    return tried_before(scratch.path(), {});
  };
  CHECK_FALSE(tried("{").known);
  const Tried rtn =
      tried(R"({"recipe": {"rules": [{"scheme": "w8a8"}]}, "layers": [{"module": "a", "method": "rtn"}]})");
  CHECK(rtn.known);
  CHECK_FALSE(rtn.gptq);
  CHECK_FALSE(rtn.w8a16);
  const Tried gptq = tried(R"({"calibration_samples": 64, "recipe": {"rules": [{"scheme": "w8a16"}]},
                               "layers": [{"module": "visual.blocks.0.mlp.up_proj", "method": "gptq"}]})");
  CHECK(gptq.gptq);
  CHECK(gptq.w8a16);
  CHECK(gptq.int8_vision);
  CHECK(gptq.calibration_samples == 64);
}
