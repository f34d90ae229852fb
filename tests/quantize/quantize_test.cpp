#include "octavo/quantize.hpp"

#include <atomic>
#include <cmath>
#include <map>

#include "catch.hpp"
#include "jobs.hpp"
#include "octavo/check.hpp"

using namespace octavo;

namespace {

QuantizeOptions few_samples() {
  QuantizeOptions options;
  options.calibration = test::kCalibration;
  options.max_samples = 4;
  return options;
}

std::string bytes_of_tensor(const Tensor& tensor) {
  return {static_cast<const char*>(tensor.raw()), tensor.size_bytes()};
}

}  // namespace

TEST_CASE("quantize writes int8 language linears and leaves everything else to the byte") {
  const test::Scratch scratch;
  const QuantizeResult result = quantize(test::kModel, scratch.path("out"), few_samples());
  const Checkpoint before = Checkpoint::open(test::kModel);
  const Checkpoint after = Checkpoint::open(scratch.path("out"));
  CHECK(after.is_quantized());
  CHECK(structure_problems(after).empty());

  std::map<std::string, bool> quantized;
  for (const LayerReport& layer : result.layers) quantized[layer.module_path] = true;
  CHECK(static_cast<std::int64_t>(quantized.size()) == 7 * before.config().at("num_hidden_layers").as_int());
  for (const std::string& name : before.names()) {
    CAPTURE(name);
    const std::string module = name.substr(0, name.rfind('.'));
    const bool is_weight = name.ends_with(".weight");
    if (!is_weight || quantized.count(module) == 0) {
      REQUIRE(after.info(name).stored_dtype == before.info(name).stored_dtype);
      CHECK(bytes_of_tensor(after.tensor(name)) == bytes_of_tensor(before.tensor(name)));
      continue;
    }
    REQUIRE(name.starts_with("model.layers."));
    REQUIRE(after.info(name).stored_dtype == "I8");
    // The scale is absmax / 127.5 before rounding to bfloat16, and no int8 weight strays far from its original.
    const Tensor w = before.tensor(name).to(DType::f32);
    const Tensor q = after.tensor(name);
    const Tensor scale = after.tensor(module + ".weight_scale");
    REQUIRE(scale.dtype() == DType::bf16);
    REQUIRE(scale.shape() == Shape{w.dim(0), 1});
    const Tensor wide = scale.to(DType::f32);
    for (std::int64_t row = 0; row < w.dim(0); ++row) {
      float largest = 0;
      for (std::int64_t k = 0; k < w.dim(1); ++k)
        largest = std::max(largest, std::abs(w.data<float>()[row * w.dim(1) + k]));
      REQUIRE(wide.data<float>()[row] == Approx(largest / 127.5F).epsilon(0.005));
    }
  }
  for (const char* file : {"tokenizer.json", "preprocessor_config.json", "generation_config.json"})
    CHECK(test::read_file(scratch.path("out/") + file) == test::read_file(test::kModel + "/" + file));
  CHECK(Json::read_file(scratch.path("out/octavo_report.json")).at("layers").size() == result.layers.size());
}

TEST_CASE("GPTQ ends below round-to-nearest in its own objective") {
  const test::Scratch scratch;
  double loss = 0;
  double rtn_loss = 0;
  for (const LayerReport& layer : quantize(test::kModel, scratch.path("out"), few_samples()).layers) {
    CHECK(layer.method == "gptq");
    CHECK(layer.rows > 0);
    CHECK(layer.relative_error > 0);
    CHECK(layer.relative_error < 0.2);
    loss += layer.loss;
    rtn_loss += layer.rtn_loss;
  }
  CHECK(loss < rtn_loss);
}

TEST_CASE("the same inputs give the same bytes") {
  const test::Scratch scratch;
  quantize(test::kModel, scratch.path("a"), few_samples());
  quantize(test::kModel, scratch.path("b"), few_samples());
  CHECK(test::read_file(scratch.path("a/model.safetensors")) == test::read_file(scratch.path("b/model.safetensors")));
}

TEST_CASE("round-to-nearest needs no calibration") {
  const test::Scratch scratch;
  QuantizeOptions options;
  options.recipe = "rtn";
  const QuantizeResult result = quantize(test::kModel, scratch.path("out"), options);
  REQUIRE_FALSE(result.layers.empty());
  for (const LayerReport& layer : result.layers) CHECK(layer.method == "rtn");
  CHECK(check(scratch.path("out")).ok());
}

TEST_CASE("the vision recipe quantizes the tower's blocks, too, not the merger") {
  const test::Scratch scratch;
  QuantizeOptions options = few_samples();
  options.recipe = "vision";
  quantize(test::kModel, scratch.path("out"), options);
  const Checkpoint after = Checkpoint::open(scratch.path("out"));
  CHECK(after.info("visual.blocks.0.attn.qkv.weight").stored_dtype == "I8");
  CHECK(after.info("visual.merger.mlp.0.weight").stored_dtype != "I8");
  CHECK(check(scratch.path("out")).ok());
}

TEST_CASE("a cancelled quantization leaves nothing, whatever step it was in") {
  const test::Scratch scratch;
  for (const int allowed : {0, 1, 20, 60}) {
    CAPTURE(allowed);
    int calls = 0;
    QuantizeOptions options = few_samples();
    options.progress = [&](const Progress&) { return calls++ < allowed; };
    const std::string message = test::message_of([&] { quantize(test::kModel, scratch.path("out"), options); });
    CHECK(test::contains(message, "cancelled"));
    CHECK(scratch.is_empty());
  }
  std::atomic<bool> cancel{true};
  QuantizeOptions options = few_samples();
  options.cancel = &cancel;
  CHECK(test::contains(test::message_of([&] { quantize(test::kModel, scratch.path("out"), options); }), "cancelled"));
  CHECK(scratch.is_empty());
}

TEST_CASE("progress never goes back and ends at its total") {
  const test::Scratch scratch;
  Progress last;
  QuantizeOptions options = few_samples();
  options.progress = [&](const Progress& progress) {
    CHECK(progress.done >= last.done);
    CHECK(progress.done <= progress.total);
    last = progress;
    return true;
  };
  quantize(test::kModel, scratch.path("out"), options);
  CHECK(last.total > 0);
  CHECK(last.done == last.total);
}

TEST_CASE("quantize refuses before it works") {
  const test::Scratch scratch;
  const std::string out = scratch.path("out");
  const auto refusal = [&](const std::string& model, const std::string& target, const QuantizeOptions& options) {
    return test::message_of([&] { quantize(model, target, options); });
  };
  CHECK(
      refusal(test::kModel, out, {}) ==
      "quantize: recipe \"default\" uses GPTQ, which needs calibration samples; name a samples file, or use the recipe "
      "\"rtn\"");
  QuantizeOptions rtn;
  rtn.recipe = "rtn";
  CHECK(refusal(test::kModel, "", rtn) == "quantize: the output directory is empty; name one that does not exist yet");
  CHECK(refusal(test::kModel, test::kModel, rtn) ==
        "quantize: the output directory " + test::kModel + " is the model itself; choose another");
  QuantizeOptions missing;
  missing.calibration = scratch.write("s.jsonl", "{\"id\": \"a\", \"image\": \"gone.png\", \"prompt\": \"P\"}\n");
  CHECK(refusal(test::kModel, out, missing) == "sample \"a\": " + missing.calibration.file + ":1: image: the picture " +
                                                   scratch.path("gone.png") +
                                                   " does not exist; paths are relative to the samples file");
  QuantizeOptions split;
  split.recipe = scratch.write(
      "split.json", R"({"rules": [{"match": "model\\.layers\\..*q_proj", "scheme": "w8a8", "method": "rtn"}]})");
  CHECK(test::contains(refusal(test::kModel, out, split), "see the same input but get different schemes"));
  CHECK_FALSE(test::fs::exists(out));

  quantize(test::kModel, out, rtn);
  CHECK(test::contains(refusal(out, scratch.path("again"), rtn), "already quantized"));
  CHECK(test::contains(refusal(test::kModel, out, rtn), "exist"));
}
