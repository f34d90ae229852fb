// An lm_head in int8: of a tied model as a copy beside the embedding, of an untied one in its place.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "catch.hpp"
#include "jobs.hpp"
#include "octavo/check.hpp"
#include "octavo/compare.hpp"
#include "octavo/metrics.hpp"
#include "octavo/model.hpp"
#include "octavo/quantize.hpp"
#include "octavo/verify.hpp"

using namespace octavo;

namespace {

const std::string kUntied = std::string(OCTAVO_SOURCE_DIR) + "/tests/golden/model/nested";

std::string recipe_of(const test::Scratch& scratch, const std::string& scheme, const std::string& more = "") {
  return scratch.write("recipe.json", R"({"rules": [{"match": "lm_head", "scheme": ")" + scheme +
                                          R"(", "method": "rtn"},)" + more +
                                          R"({"match": "model\\.layers\\..*", "scheme": "w8a8", "method": "rtn"}]})");
}

}  // namespace

TEST_CASE("an lm_head is stored in int8 and the embedding is left to the byte") {
  const std::string model = GENERATE(test::kModel, kUntied);
  const std::string scheme = GENERATE("w8a8", "w8a16");
  CAPTURE(model, scheme);
  const test::Scratch scratch;
  QuantizeOptions options;
  options.recipe = recipe_of(scratch, scheme);
  const std::string out = scratch.path("out");
  const QuantizeResult result = quantize(model, out, options);
  REQUIRE(result.layers.back().module_path == "lm_head");
  CHECK(result.layers.back().scheme == scheme);
  CHECK(result.layers.back().loss > 0);

  const Checkpoint before = Checkpoint::open(model);
  const Checkpoint after = Checkpoint::open(out);
  CHECK(after.scheme_of("lm_head") == (scheme == "w8a8" ? StoredScheme::w8a8_dynamic : StoredScheme::w8a16));
  CHECK_FALSE(after.config().at("tie_word_embeddings").as_bool());
  const Tensor table = before.tensor("model.embed_tokens.weight");
  const Tensor same = after.tensor("model.embed_tokens.weight");
  REQUIRE(same.dtype() == table.dtype());
  CHECK(std::memcmp(same.raw(), table.raw(), table.size_bytes()) == 0);

  // Each weight lies within half a step of the float one; a step is absmax / 127.5, as rounded to the model's type.
  const Tensor w = before.tensor(model == kUntied ? "lm_head.weight" : "model.embed_tokens.weight").to(DType::f32);
  const StoredLinear stored = after.linear("lm_head");
  REQUIRE(stored.weight.shape() == w.shape());
  std::int64_t far = 0;
  for (std::int64_t row = 0; row < w.dim(0); ++row) {
    const float scale = stored.weight_scale.data<float>()[row];
    for (std::int64_t k = 0; k < w.dim(1); ++k) {
      const std::int64_t at = row * w.dim(1) + k;
      const auto q = static_cast<float>(stored.weight.data<std::int8_t>()[at]);
      if (std::abs(w.data<float>()[at] - q * scale) > scale * (0.51F + (std::abs(q) == 127 ? 0.5F : 0.0F))) ++far;
    }
  }
  CHECK(far == 0);
  CHECK(check(out).ok());
  const CompareResult compared = compare(model, out);
  for (const Difference& difference : compared.differences) {
    CAPTURE(difference.where, difference.what);
    CHECK(difference.verdict != Verdict::wrong);
  }
  const auto row = std::find_if(compared.tensors.begin(), compared.tensors.end(),
                                [](const TensorComparison& tensor) { return tensor.name == "lm_head.weight"; });
  REQUIRE(row != compared.tensors.end());
  CHECK(row->verdict == Verdict::expected);
  CHECK(row->fit.relative_error > 0);
  CHECK(row->fit.relative_error < 0.02);
}

TEST_CASE("a model with an int8 lm_head is verified against its tied original") {
  const test::Scratch scratch;
  QuantizeOptions options;
  options.recipe = recipe_of(scratch, "w8a16");
  quantize(test::kModel, scratch.path("out"), options);
  const VerifyResult result = verify(test::kModel, scratch.path("out"));
  CHECK(result.passed);
  for (const std::string& failure : result.failures) UNSCOPED_INFO(failure);
  CHECK(result.failures.empty());
}

TEST_CASE("an lm_head alone may be quantized") {
  const test::Scratch scratch;
  QuantizeOptions options;
  options.recipe = scratch.write(
      "recipe.json", R"({"rules": [{"match": "lm_head", "scheme": "w8a16", "method": "rtn", "observer": "mse"}]})");
  const QuantizeResult result = quantize(test::kModel, scratch.path("out"), options);
  CHECK(result.layers.size() == 1);
  const Checkpoint after = Checkpoint::open(scratch.path("out"));
  CHECK(after.scheme_of("lm_head") == StoredScheme::w8a16);
  CHECK(after.scheme_of("model.layers.0.self_attn.q_proj") == StoredScheme::none);
  CHECK(structure_problems(after).empty());
}

TEST_CASE("an lm_head by GPTQ and a merger in int8 are refused before any work") {
  const test::Scratch scratch;
  QuantizeOptions options;
  options.calibration = test::kCalibration;
  options.recipe = scratch.write("recipe.json", R"({"rules": [{"match": "lm_head", "scheme": "w8a8"}]})");
  const std::string gptq = test::message_of([&] { quantize(test::kModel, scratch.path("out"), options); });
  CHECK(test::contains(gptq, R"({"match": "lm_head", "scheme": "w8a8", "method": "rtn"})"));
  options.recipe = scratch.write("recipe.json", R"({"rules": [{"match": ".*", "scheme": "w8a8", "method": "rtn"}]})");
  const std::string merger = test::message_of([&] { quantize(test::kModel, scratch.path("out"), options); });
  CHECK(test::contains(merger, "visual.merger.mlp.0"));
  CHECK_FALSE(test::fs::exists(scratch.path("out")));
}
