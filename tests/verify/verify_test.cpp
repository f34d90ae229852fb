#include "octavo/verify.hpp"

#include <cmath>
#include <limits>

#include "catch.hpp"
#include "jobs.hpp"
#include "octavo/check.hpp"
#include "octavo/quantize.hpp"

using namespace octavo;

TEST_CASE("verify compares a model with its int8 form, and fails only what misses a threshold") {
  const test::Scratch scratch;
  QuantizeOptions quantization;
  quantization.recipe = "rtn";
  quantize(test::kModel, scratch.path("out"), quantization);
  VerifyOptions options;
  options.samples = test::kSamples;
  options.max_samples = 2;
  options.max_new_tokens = 6;
  options.thresholds = {0, -1, std::numeric_limits<double>::infinity(), 1};
  options.thresholds.min_top1_agreement = 0;
  options.thresholds.max_perplexity_ratio = std::numeric_limits<double>::infinity();
  const VerifyResult result = verify(test::kModel, scratch.path("out"), options);
  CHECK(result.passed);
  CHECK(result.failures.empty());
  CHECK_FALSE(result.diagnosis);
  CHECK(result.samples == 2);
  CHECK(result.logit_cosine > 0.9);
  CHECK(result.logit_cosine <= 1.0 + 1e-9);
  CHECK(result.kl >= 0);
  CHECK(result.token_agreement >= result.exact_match);
  CHECK(result.quantized_bytes < result.original_bytes);
  CHECK(result.layers.size() ==
        static_cast<std::size_t>(Json::read_file(test::kModel + "/config.json").at("num_hidden_layers").as_int()));
  for (const LayerReport& layer : result.layers) CHECK(layer.relative_error > 0);

  options.max_samples = 1;
  options.run_all = true;
  options.thresholds = {1.1, 1.1, -1, -2};  // out of reach, each of them
  options.thresholds.min_top1_agreement = 0;
  options.thresholds.max_perplexity_ratio = std::numeric_limits<double>::infinity();
  const VerifyResult missed = verify(test::kModel, scratch.path("out"), options);
  CHECK_FALSE(missed.passed);
  REQUIRE(missed.steps.back().name == "evaluation");
  CHECK(missed.steps.back().failures.size() == 4);
  REQUIRE(missed.diagnosis);
  CHECK(missed.diagnosis->step == "text");
}

TEST_CASE("verify refuses two originals and nothing to compare") {
  VerifyOptions options;
  options.samples = test::kSamples;
  CHECK(test::contains(test::message_of([&] { verify(test::kModel, test::kModel, options); }), "is not quantized"));
  CHECK(test::contains(test::message_of([&] { verify(test::kModel, "no/such/model", options); }),
                       "no/such/model is not a directory"));
  options.max_new_tokens = 0;
  CHECK(test::message_of([&] { verify(test::kModel, test::kModel, options); }) ==
        "verify: max_new_tokens is 0; at least 1 token must be compared");
}

TEST_CASE("check says what is wrong and throws nothing") {
  const test::Scratch scratch;
  CHECK(check(test::kModel).ok());
  CHECK_FALSE(check(scratch.path("gone")).ok());
  const std::string copy = scratch.path("copy");
  test::fs::create_directory(copy);
  for (const char* file : {"config.json", "model.safetensors", "tokenizer.json", "vocab.json", "merges.txt"})
    test::fs::copy_file(test::kModel + "/" + file, copy + "/" + file);
  const CheckResult result = check(copy);
  CHECK_FALSE(result.ok());
  REQUIRE(result.problems.size() == 1);
  CHECK(test::contains(result.problems[0].what, "has neither preprocessor_config.json nor processor_config.json"));
}
