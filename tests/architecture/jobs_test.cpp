// Every job works on an architecture that a program registers.
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "qwen3.hpp"
#include "scratch.hpp"

using octavo::CheckProblem, octavo::Checkpoint, octavo::Tensor;

namespace {

std::string read(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

/// A copy whose config.json has `from` replaced by `to`.
struct Copy : test::ScratchDirectory {
  explicit Copy(const std::string& from = "", const std::string& to = "") {
    for (const auto& entry : std::filesystem::directory_iterator(qwen3::directory()))
      std::filesystem::copy(entry.path(), path(entry.path().filename().string()));
    std::filesystem::remove(path("golden.safetensors"));
    std::string config = read(path("config.json"));
    const std::size_t at = config.find(from);
    REQUIRE(at != std::string::npos);
    write("config.json", config.replace(at, from.size(), to));
  }
};

octavo::QuantizeOptions calibrated(const octavo::SampleSource& source) {
  octavo::QuantizeOptions options;
  options.calibration = source;
  return options;
}

std::string all_of(const std::vector<CheckProblem>& problems) {
  std::string text;
  for (const CheckProblem& problem : problems) text += problem.what + "\n";
  return text;
}

}  // namespace

TEST_CASE("check finds a sound directory sound and names what is wrong with others") {
  qwen3::require_registered();
  const octavo::CheckResult sound = octavo::check(Copy().path());
  INFO(all_of(sound.problems));
  CHECK(sound.ok());
  CHECK(sound.problems.empty());

  const Copy longer("\"num_hidden_layers\": 2", "\"num_hidden_layers\": 3");
  const std::vector<std::string> missing = octavo::structure_problems(Checkpoint::open(longer.path()));
  REQUIRE(missing.size() == 11);
  CHECK(missing[0] == "model.layers.2.input_layernorm.weight: missing, expected [64] (hidden_size = 64)");
  CHECK(missing[1] ==
        "model.layers.2.self_attn.q_proj.weight: missing, expected [96, 64] "
        "(num_attention_heads * head_dim = 96, hidden_size = 64)");
  CHECK_FALSE(octavo::check(longer.path()).ok());

  const Copy wider("\"head_dim\": 24", "\"head_dim\": 32");
  CHECK(qwen3::message_of([&] {
          octavo::Model::open(wider.path());
        }).find("q_norm.weight: is [24], expected [32] (head_dim = 32)") != std::string::npos);

  const Copy without("\"rms_norm_eps\": 1e-06,", "");
  const octavo::CheckResult unread = octavo::check(without.path());
  CAPTURE(all_of(unread.problems));
  CHECK(all_of(unread.problems).find(without.path("config.json") + ": the key \"rms_norm_eps\" is missing") !=
        std::string::npos);
  CHECK_FALSE(unread.ok());

  const Copy sliding("\"use_sliding_window\": false", "\"use_sliding_window\": true");
  CHECK(all_of(octavo::check(sliding.path()).problems).find("sliding windows") != std::string::npos);

  const Copy endless("\"num_hidden_layers\": 2", "\"num_hidden_layers\": 16000000");
  CHECK(qwen3::message_of([&] {
          octavo::Model::open(endless.path());
        }).find("num_hidden_layers 16000000 promises more blocks than there are tensors, 24") != std::string::npos);
  CHECK_FALSE(octavo::check(endless.path()).ok());

  const Copy uneven("\"num_key_value_heads\": 2", "\"num_key_value_heads\": 3");
  CHECK(qwen3::message_of([&] { octavo::Model::open(uneven.path()); }) ==
        uneven.path("config.json") +
            ": as the architecture reads it, num_key_value_heads is 3, it must divide num_attention_heads 4");
}

TEST_CASE("a plan is a run of the layers without data") {
  qwen3::require_registered();
  octavo::PlanOptions options;
  options.prompt_tokens = 20;
  options.max_new_tokens = 8;
  const octavo::ModelPlan plan = octavo::plan_model(Checkpoint::open(qwen3::directory()), options);
  CHECK(plan.model_type == "qwen3");
  const octavo::Model model = qwen3::open();
  CHECK(plan.weight_bytes == model.resident_bytes());
  // Keys and values of two layers of two heads of 24, in float32.
  CHECK(plan.kv_cache_bytes_per_position == 2 * 2 * 2 * 24 * 4);
  // The same operations in the same order as the run itself has.
  const octavo::PlannedCall* prefill = plan.find(octavo::CallKind::prefill);
  REQUIRE(prefill != nullptr);
  octavo::Trace trace;
  {
    const octavo::TraceScope scope(trace);
    octavo::ModelInput input;
    for (std::int32_t id = 0; id < 20; ++id) input.ids.push_back(id);
    octavo::Session(model, 28).feed(input);
  }
  const std::vector<octavo::TraceRecord> run = trace.take_records();
  REQUIRE(run.size() == prefill->steps.size());
  for (std::size_t i = 0; i < run.size(); ++i) {
    CHECK(run[i].module_path == prefill->steps[i].module_path);
    CHECK(run[i].operation == prefill->steps[i].operation);
  }
  CHECK(run.size() > 30);
  // Of equal layers the first says all.
  options.every_block = false;
  CHECK(
      octavo::plan_model(Checkpoint::open(qwen3::directory()), options).find(octavo::CallKind::prefill)->steps.size() <
      prefill->steps.size());
  // A weight that does not fit is a broken contract of the run.
  const Copy wider("\"head_dim\": 24", "\"head_dim\": 32");
  std::vector<octavo::Error> problems;
  octavo::plan_model(Checkpoint::open(wider.path()), options, problems);
  REQUIRE_FALSE(problems.empty());
  REQUIRE(problems[0].shape() != nullptr);
  CHECK(problems[0].shape()->op == "split_heads");
  CHECK(problems[0].shape()->module == "model.layers.0.self_attn.q_proj");
  CHECK(qwen3::message_of([&] {
          octavo::tensor_parallel_dims(Checkpoint::open(qwen3::directory()), 2);
        }).find("the architecture \"qwen3\" does not say how it is divided among ranks") != std::string::npos);
}

TEST_CASE("it is quantized by GPTQ block by block and passes verification") {
  qwen3::require_registered();
  const Copy original;
  const test::ScratchDirectory scratch;
  const std::string out = scratch.path("out");
  const octavo::QuantizeResult result = octavo::quantize(original.path(), out, calibrated(qwen3::samples()));
  REQUIRE(result.layers.size() == 14);
  double loss = 0;
  double rtn_loss = 0;
  for (const octavo::LayerReport& layer : result.layers) {
    CHECK(layer.method == "gptq");
    loss += layer.loss;
    rtn_loss += layer.rtn_loss;
  }
  CHECK(loss < rtn_loss);
  const octavo::CheckResult checked = octavo::check(out);
  INFO(all_of(checked.problems));
  CHECK(checked.ok());

  octavo::VerifyOptions options;
  options.samples = qwen3::samples();
  const octavo::VerifyResult verdict = octavo::verify(original.path(), out, options);
  INFO(verdict.verdict());
  CHECK(verdict.passed);
  for (const octavo::StepResult& step : verdict.steps) {
    const bool of_pictures = step.name == "image" || step.name == "images";
    CHECK((step.status == octavo::StepStatus::skipped) == of_pictures);
    if (of_pictures) CHECK(step.note == "the model takes no pictures");
  }
  CHECK(octavo::compare(original.path(), out).ok());

  const octavo::Model model = octavo::Model::open(out);
  const octavo::ModelInfo info = octavo::model_info(model);
  CHECK(info.num_w8a8 == 14);
  CHECK(info.model_type == "qwen3");
  CHECK(info.vision_num_blocks == 0);
  CHECK(info.image_token_id == -1);
  CHECK(model.generate(model.prepare("What comes after seven?", {})).text == "eight");
}

TEST_CASE("a picture given to a model of text alone is refused") {
  const octavo::Model model = qwen3::open();
  CHECK_FALSE(model.takes_pictures());
  const octavo::Image picture{28, 28, std::vector<std::uint8_t>(3 * 28 * 28)};
  const std::string expected =
      "the architecture \"qwen3\" has no vision tower: the model takes text alone, leave the pictures out";
  CHECK(qwen3::message_of([&] { model.prepare("What is this?", {&picture, 1}); }) == expected);
  octavo::ModelInput input = model.prepare("What comes after two?", {});
  octavo::PixelPatches patches;
  patches.pixel_values = Tensor::zeros(octavo::DType::f32, {4, 12});
  patches.grid = {1, 2, 2};
  input.images.push_back(patches);
  CHECK(qwen3::message_of([&] { model.generate(input); }) == expected);
  CHECK(qwen3::message_of([&] { octavo::Session(model, 64).feed(input); }) == expected);
  CHECK(qwen3::message_of([&] { model.encode_images(input); }) == expected);
  octavo::PlanOptions options;
  options.grids = {{1, 2, 2}};
  CHECK(qwen3::message_of([&] { octavo::plan_model(model.checkpoint(), options); }) == expected);

  const test::ScratchDirectory scratch;
  const std::string bundled = std::string(OCTAVO_SOURCE_DIR) + "/examples/models/octavo-tiny-vl/eval/000.png";
  const std::string file = scratch.write("samples.jsonl",
                                         "{\"prompt\": \"What comes after two?\", \"answer\": \"three\"}\n"
                                         "{\"prompt\": \"What is this?\", \"image\": \"" +
                                             bundled + "\", \"answer\": \"a box\"}\n");
  CHECK(qwen3::message_of([&] {
          octavo::quantize(qwen3::directory(), scratch.path("out"), calibrated(file));
        }).find("the model has no vision tower and takes text alone") != std::string::npos);
  octavo::SampleSource source(file);
  source.skip_bad = true;
  CHECK(octavo::quantize(qwen3::directory(), scratch.path("out"), calibrated(source)).skipped.size() == 1);
}
