// A quantized model verified as it will be run: its own options and cache, the original's left alone.
#include <algorithm>

#include "catch.hpp"
#include "jobs.hpp"
#include "octavo/quantize.hpp"
#include "octavo/verify.hpp"

using namespace octavo;

namespace {

const StepResult& step_named(const VerifyResult& result, const std::string& name) {
  const auto found =
      std::find_if(result.steps.begin(), result.steps.end(), [&](const StepResult& step) { return step.name == name; });
  REQUIRE(found != result.steps.end());
  return *found;
}

}  // namespace

TEST_CASE("a model is verified with the products lm_head and cache that it will be run with") {
  const test::Scratch scratch;
  QuantizeOptions quantization;
  quantization.recipe = "rtn";
  quantize(test::kModel, scratch.path("out"), quantization);
  VerifyOptions options;
  options.profile = scratch.write("profile.json", R"({"extends": "lenient", "prompts": 2, "long_tokens": 16})");
  options.run_all = true;
  const VerifyResult standard = verify(test::kModel, scratch.path("out"), options);
  CHECK(standard.run_text().empty());
  CHECK(test::contains(standard.to_json().dump(), R"("kv_cache":"f32")"));

  options.cache_dtype = DType::s8;
  const VerifyResult cached = verify(test::kModel, scratch.path("out"), options);
  CHECK(cached.passed);
  CHECK(cached.run_text() == "kv_cache s8");
  const StepMetrics& before = step_named(standard, "second_turn").metrics;
  const StepMetrics& after = step_named(cached, "second_turn").metrics;
  CHECK(after.original_cache_difference == before.original_cache_difference);  // float32 in any case
  // A difference in a last bit can move an activation to the next integer (docs/verify.md), whatever the cache holds.
  CHECK(after.quantized_cache_difference.value() > 2 * before.quantized_cache_difference.value());
  CHECK(after.quantized_cache_difference.value() < 0.1);
  CHECK(step_named(cached, "text").metrics.kl != step_named(standard, "text").metrics.kl);

  options.cache_dtype = DType::f32;
  options.model.lm_head = HeadWeights::int8;
  options.model.vision_math = options.model.language_math = FloatMath::bf16;
  const VerifyResult fast = verify(test::kModel, scratch.path("out"), options);
  CHECK(fast.passed);
  CHECK(fast.run_text() == "vision_math bf16, language_math bf16, lm_head int8");
  CHECK(step_named(fast, "text").metrics.kl != step_named(standard, "text").metrics.kl);
  CHECK(step_named(fast, "text").metrics.original_perplexity ==
        step_named(standard, "text").metrics.original_perplexity);
  CHECK(test::contains(fast.to_json().dump(), R"("lm_head":"int8")"));

  options.cache_dtype = DType::i64;
  CHECK(test::contains(test::message_of([&] { verify(test::kModel, scratch.path("out"), options); }), "cache_dtype"));
}
