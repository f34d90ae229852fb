// What quantize writes, everyone here accepts: check, check --against, verify. tests/interop/accepted.py asks
// transformers and vLLM.
#include <string>
#include <utility>
#include <vector>

#include "catch.hpp"
#include "jobs.hpp"
#include "octavo/check.hpp"
#include "octavo/compare.hpp"
#include "octavo/parallel.hpp"
#include "octavo/quantize.hpp"
#include "octavo/verify.hpp"

using namespace octavo;

namespace {

struct Variant {
  DType dtype = DType::bf16;
  bool tied = true, newer_names = false;
};

std::string torch_name(DType dtype) {
  return dtype == DType::f32 ? "float32" : dtype == DType::f16 ? "float16" : "bfloat16";
}

std::string newer_name(const std::string& name) {
  if (name.starts_with("visual.")) return "model." + name;
  return name.starts_with("model.") ? "model.language_model." + name.substr(6) : name;
}

/// The bundled model saved in another way.
void save(const Variant& variant, const std::string& target) {
  const Checkpoint source = Checkpoint::open(test::kModel);
  AtomicDirectory out(target);
  ShardWriter writer(out);
  for (const std::string& name : source.names())
    writer.add(variant.newer_names ? newer_name(name) : name, source.tensor(name).to(variant.dtype));
  if (!variant.tied) writer.add("lm_head.weight", source.tensor("model.embed_tokens.weight").to(variant.dtype));
  writer.finish();
  JsonBuilder config(source.config());
  config.set("torch_dtype", torch_name(variant.dtype)).set("tie_word_embeddings", variant.tied);
  out.write_file("config.json", config.dump(2));
  for (const test::fs::directory_entry& entry : test::fs::directory_iterator(test::kModel)) {
    const std::string name = entry.path().filename().string();
    if (entry.is_regular_file() && name != "config.json" && name != "model.safetensors")
      out.copy_file(entry.path().string(), name);
  }
  out.commit();
}

/// Both schemes, both methods, both observers, a linear left float and a vision block.
constexpr const char* kMixed = R"({"rules": [
    {"match": "model\\.layers\\..*\\.down_proj", "scheme": "w8a16"},
    {"match": "model\\.layers\\.1\\.self_attn\\.[qkv]_proj", "scheme": "w8a16", "method": "rtn", "observer": "mse"},
    {"match": "visual\\.blocks\\.0\\..*", "scheme": "w8a16"},
    {"match": "model\\.layers\\.0\\.self_attn\\.o_proj", "scheme": "skip"},
    {"match": "visual\\.blocks\\..*", "scheme": "w8a8", "method": "rtn"},
    {"match": "(?!visual|lm_head)model\\.layers\\.(?P<n>\\d+)\\.", "scheme": "w8a8"}]})";

QuantizeOptions quantizing(const std::string& recipe) {
  QuantizeOptions options;
  options.calibration = test::kCalibration;
  options.max_samples = 4;
  options.recipe = recipe;
  return options;
}

std::string problems_of(const CheckResult& result) {
  std::string all;
  for (const CheckProblem& problem : result.problems) all += problem.what + "\n";
  return all;
}

void require_accepted(const std::string& model, const std::string& out) {
  const CheckResult checked = check(out);
  INFO(problems_of(checked));
  CHECK(checked.ok());
  CHECK(checked.problems.size() == check(model).problems.size());  // nothing that the original did not have
  const CompareResult compared = compare(model, out);
  for (const Difference& difference : compared.differences) {
    CAPTURE(difference.where, difference.what);
    CHECK(difference.verdict != Verdict::wrong);
  }
  VerifyOptions options;
  options.samples = test::kSamples;
  options.max_samples = 2;
  options.max_new_tokens = 8;
  options.layer_samples = 1;
  const VerifyResult verified = verify(model, out, options);
  for (const std::string& failure : verified.failures) UNSCOPED_INFO(failure);
  CHECK(verified.passed);
}

}  // namespace

TEST_CASE("what quantize writes is accepted by check and compare and verify") {
  const DType dtype = GENERATE(DType::bf16, DType::f16, DType::f32);
  const auto [tied, newer_names] =
      GENERATE(std::pair{true, false}, std::pair{false, true}, std::pair{true, true}, std::pair{false, false});
  const bool every_recipe = tied != newer_names;  // the other two pairs add nothing but time
  const SerialRegion serial;  // small runs: beside other jobs, threads would wait for each other most of the time
  const test::Scratch scratch;
  const std::string model = scratch.path("model");
  save({dtype, tied, newer_names}, model);
  std::ofstream(scratch.path("mixed.json")) << kMixed;
  std::vector<std::string> recipes{"default"};
  if (every_recipe) recipes.insert(recipes.end(), {"rtn", "vision", "w8a16", scratch.path("mixed.json")});
  for (const std::string& recipe : recipes) {
    INFO(dtype_name(dtype) << (tied ? ", tied, " : ", untied, ") << (newer_names ? "newer names, " : "") << recipe);
    const std::string out = scratch.path("out-" + test::fs::path(recipe).stem().string());
    quantize(model, out, quantizing(recipe));
    const Checkpoint written = Checkpoint::open(out);
    for (const std::string& name : written.names())
      if (name.ends_with(".weight_scale")) REQUIRE(written.info(name).dtype == dtype);
    require_accepted(model, out);
  }
}

TEST_CASE("a scale_dtype is the model's or the recipe is refused before anything is written") {
  const DType dtype = GENERATE(DType::bf16, DType::f16, DType::f32);
  const SerialRegion serial;  // small runs: beside other jobs, threads would wait for each other most of the time
  const test::Scratch scratch;
  const std::string model = scratch.path("model");
  save({dtype, true, false}, model);
  for (const DType asked : {DType::bf16, DType::f16, DType::f32}) {
    for (const char* scheme : {"w8a8", "w8a16"}) {
      CAPTURE(dtype_name(dtype), dtype_name(asked), scheme);
      const std::string recipe = scratch.path("recipe.json");
      std::ofstream(recipe) << R"({"rules": [{"match": "model\\.layers\\.", "scheme": ")" << scheme
                            << R"(", "method": "rtn", "scale_dtype": ")" << dtype_name(asked) << "\"}]}";
      const std::string out = scratch.path(std::string("out-") + dtype_name(asked) + scheme);
      if (asked == dtype) {
        quantize(model, out, quantizing(recipe));
        require_accepted(model, out);
        continue;
      }
      const std::string said = test::message_of([&] { quantize(model, out, quantizing(recipe)); });
      CHECK(test::contains(said, "leave scale_dtype out"));
      CHECK_FALSE(test::fs::exists(out));
    }
  }
}
