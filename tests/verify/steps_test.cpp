// Sound models pass every step; copies damaged on purpose fail at the step that can show it, and are told why.
#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "catch.hpp"
#include "damaged.hpp"
#include "octavo/quantize.hpp"
#include "octavo/verify.hpp"

using namespace octavo;

namespace {

const std::string kGolden = std::string(OCTAVO_SOURCE_DIR) + "/tests/golden/model/";

std::string quantized(const std::string& model, const std::string& target, const char* recipe = "rtn") {
  QuantizeOptions options;
  options.recipe = recipe;
  options.calibration = std::string(recipe) == "rtn" ? "" : test::kCalibration;
  options.max_samples = 2;
  quantize(model, target, options);
  return target;
}

/// The bundled model on two of its samples, every step kept short.
VerifyOptions short_verification(const test::Scratch& scratch) {
  VerifyOptions options;
  options.samples = test::kSamples;
  options.max_samples = 2;
  options.max_new_tokens = 6;
  options.profile = scratch.write("profile.json", R"({"extends": "lenient", "prompts": 2, "long_tokens": 24,
    "steps": {"evaluation": {"min_token_agreement": null, "max_accuracy_drop": null}}})");
  return options;
}

std::vector<std::string> statuses(const VerifyResult& result) {
  std::vector<std::string> list;
  for (const StepResult& step : result.steps) list.push_back(step.name + " " + step_status_name(step.status));
  return list;
}

const StepResult& step(const VerifyResult& result, const std::string& name) {
  const auto found =
      std::find_if(result.steps.begin(), result.steps.end(), [&](const StepResult& r) { return r.name == name; });
  REQUIRE(found != result.steps.end());
  return *found;
}

/// Every step before `name` passed, and `name` is the first that did not.
void check_fails_at(const VerifyResult& result, const std::string& name) {
  INFO(result.to_json().dump(1));
  CHECK_FALSE(result.passed);
  REQUIRE(result.diagnosis);
  CHECK(result.diagnosis->step == name);
  CHECK_FALSE(result.diagnosis->causes.empty());
  CHECK_FALSE(result.diagnosis->next.empty());
  bool reached = false;
  for (const StepResult& each : result.steps) {
    if (each.name == name) {
      reached = true;
      CHECK(each.status == StepStatus::failed);
    } else {
      CHECK(each.status == (reached ? StepStatus::not_reached : StepStatus::passed));
    }
  }
}

/// A golden model with a tokenizer: the published one of "nested", its 256 bytes folded into `bytes` ids where the
/// vocabulary is smaller. Added tokens stand in the vocabulary, too, which is what decides on their ids.
std::string with_tokenizer(const std::string& name, const std::string& target, std::int64_t bytes,
                           std::int64_t first_special) {
  test::fs::copy(kGolden + name, target);
  if (name == "nested") return target;
  test::fs::copy_file(kGolden + "nested/preprocessor_config.json", target + "/preprocessor_config.json");
  const Json source = Json::read_file(kGolden + "nested/tokenizer.json");
  JsonBuilder vocabulary = JsonBuilder::object();
  source.at("model").at("vocab").for_each_member(
      [&](std::string_view symbol, const Json& id) { vocabulary.set(symbol, id.as_int() % bytes); });
  JsonBuilder added = JsonBuilder::array();
  for (std::size_t i = 0; i < source.at("added_tokens").size(); ++i) {
    const Json token = source.at("added_tokens").at(i);
    const std::int64_t id = first_special + static_cast<std::int64_t>(i);
    vocabulary.set(token.at("content").as_string(), id);
    added.push(JsonBuilder(token).set("id", id));
  }
  JsonBuilder model(source.at("model"));
  model.set("vocab", std::move(vocabulary));
  JsonBuilder tokenizer(source);
  tokenizer.set("added_tokens", std::move(added)).set("model", std::move(model));
  std::ofstream(target + "/tokenizer.json") << tokenizer.dump();
  return target;
}

}  // namespace

TEST_CASE("the golden models, quantized, pass every step but the evaluation") {
  struct Golden {
    const char* name;
    std::int64_t bytes, first_special;
  };
  for (const Golden golden : {Golden{"nested", 256, 256}, Golden{"flat", 120, 120}, Golden{"bf16", 120, 120}}) {
    INFO(golden.name);
    const test::Scratch scratch;
    const std::string original = with_tokenizer(golden.name, scratch.path("m"), golden.bytes, golden.first_special);
    VerifyOptions options;
    options.profile = "lenient";  // their weights are random: many near ties
    const VerifyResult result = verify(original, quantized(original, scratch.path("q")), options);
    INFO(result.to_json().dump(1));
    CHECK(result.passed);
    CHECK(result.failures.empty());
    REQUIRE(result.steps.size() == 12);
    CHECK(result.steps.back().status == StepStatus::skipped);
    for (const StepResult& each : result.steps)
      CHECK((each.status == StepStatus::passed || each.status == StepStatus::skipped));
    CHECK(step(result, "text").metrics.positions > 20);
    CHECK_FALSE(step(result, "text").metrics.tokens);  // no answer, so nothing to count
    CHECK_FALSE(step(result, "text").metrics.original_perplexity);
    CHECK(step(result, "long").metrics.tokens > 16);
    CHECK(*step(result, "second_turn").metrics.original_cache_difference < 1e-4);
    CHECK(*step(result, "cached").metrics.original_perplexity >= 1);
    CHECK(step(result, "batch").metrics.prompts == 5);  // four texts and the built-in picture
    CHECK(step(result, "batch").metrics.further.front().value < 1e-4);
  }
}

TEST_CASE("the bundled model passes every step, telling each as it ends, and progress never runs backwards") {
  const test::Scratch scratch;
  VerifyOptions options = short_verification(scratch);
  std::vector<std::string> told;
  options.on_step = [&](const StepResult& result) { told.push_back(result.name); };
  std::int64_t last = 0;
  options.progress = [&](const Progress& progress) {
    CHECK(progress.done >= last);
    CHECK(progress.done <= progress.total);
    last = progress.done;
    return true;
  };
  const VerifyResult result = verify(test::kModel, quantized(test::kModel, scratch.path("q")), options);
  INFO(result.to_json().dump(1));
  CHECK(result.passed);
  CHECK(statuses(result) == std::vector<std::string>{"open passed", "text passed", "one_token passed",
                                                     "uncached passed", "cached passed", "image passed",
                                                     "images passed", "long passed", "second_turn passed",
                                                     "sampling passed", "batch passed", "evaluation passed"});
  CHECK(told.size() == 12);
  CHECK(told.front() == "open");
  const Json document = result.to_json().build();
  CHECK(document.at("diagnosis").is_null());
  CHECK(document.at("steps").at(1).at("metrics").find("tokens") == std::nullopt);
  CHECK(document.at("steps").at(4).at("metrics").at("tokens").as_int() > 0);
  CHECK(document.at("profile").at("prompts").as_int() == 2);
}

TEST_CASE("scales that are eight times too large fail at the first text, and the linear is named") {
  const test::Scratch scratch;
  test::Damaged copy(quantized(test::kModel, scratch.path("q")));
  copy.edit("model.layers.2.mlp.up_proj.weight_scale", [](float scale) { return 8 * scale; });
  const VerifyResult result = verify(test::kModel, copy.save(scratch.path("bad")), short_verification(scratch));
  check_fails_at(result, "text");
  CHECK(result.diagnosis->kind == DiagnosisKind::module);
  CHECK(result.diagnosis->module == "model.layers.2.mlp.up_proj");
  CHECK(test::contains(result.diagnosis->causes.front(), "model.layers.2.mlp.up_proj.weight, its int8 values times"));
  INFO(result.diagnosis->causes.front());
  CHECK(test::contains(result.diagnosis->causes.front(), "8 times as large"));
  CHECK(test::contains(result.to_json().dump(), "\"kind\":\"module\""));
}

TEST_CASE("all the scales of one layer too large: the layer is named") {
  const test::Scratch scratch;
  test::Damaged copy(quantized(test::kModel, scratch.path("q")));
  for (auto& [name, tensor] : copy.tensors)
    if (name.starts_with("model.layers.1.") && name.ends_with("_scale"))
      copy.edit(name, [](float scale) { return 8 * scale; });
  const VerifyResult result = verify(test::kModel, copy.save(scratch.path("bad")), short_verification(scratch));
  check_fails_at(result, "text");
  CHECK(result.diagnosis->kind == DiagnosisKind::module);
  CHECK(result.diagnosis->module.starts_with("model.layers.1."));
}

TEST_CASE("a damaged vision tower passes every text step and fails at the picture") {
  const test::Scratch scratch;
  test::Damaged copy(quantized(test::kModel, scratch.path("q")));
  copy.edit("visual.blocks.2.mlp.down_proj.weight", [](float weight) { return -6 * weight; });
  const VerifyResult result = verify(test::kModel, copy.save(scratch.path("bad")), short_verification(scratch));
  check_fails_at(result, "image");
  CHECK(result.diagnosis->kind == DiagnosisKind::vision);
  CHECK(result.diagnosis->module == "visual.blocks.2.mlp.down_proj");
}

TEST_CASE("a merger that is not the original's fails at the picture, too") {
  const test::Scratch scratch;
  test::Damaged copy(quantized(test::kModel, scratch.path("q")));
  copy.edit("visual.merger.mlp.2.weight", [](float weight) { return -4 * weight; });
  const VerifyResult result = verify(test::kModel, copy.save(scratch.path("bad")), short_verification(scratch));
  check_fails_at(result, "image");
  CHECK(result.diagnosis->kind == DiagnosisKind::vision);
  CHECK(result.diagnosis->module == "visual.merger.mlp.2");
}

TEST_CASE("a scale that is NaN keeps the model from opening, and is named") {
  const test::Scratch scratch;
  test::Damaged copy(quantized(test::kModel, scratch.path("q")));
  copy.edit("model.layers.3.self_attn.o_proj.weight_scale",
            [n = 0](float scale) mutable { return n++ == 5 ? std::numeric_limits<float>::quiet_NaN() : scale; });
  const VerifyResult result = verify(test::kModel, copy.save(scratch.path("bad")), short_verification(scratch));
  check_fails_at(result, "open");
  CHECK(result.diagnosis->kind == DiagnosisKind::not_finite);
  CHECK(result.diagnosis->module == "model.layers.3.self_attn.o_proj");
}

TEST_CASE("a weight with one infinite value keeps the step open from passing and is named") {
  const test::Scratch scratch;
  test::Damaged copy(quantized(test::kModel, scratch.path("q")));
  copy.edit("model.layers.3.post_attention_layernorm.weight",
            [n = 0](float weight) mutable { return n++ == 0 ? std::numeric_limits<float>::infinity() : weight; });
  const VerifyResult result = verify(test::kModel, copy.save(scratch.path("bad")), short_verification(scratch));
  check_fails_at(result, "open");
  CHECK(result.diagnosis->kind == DiagnosisKind::not_finite);
  CHECK(result.diagnosis->module == "model.layers.3.post_attention_layernorm");
}

TEST_CASE("files that are not the original's are told from weights") {
  const test::Scratch scratch;
  const std::string sound = quantized(test::kModel, scratch.path("q"));
  SECTION("other stop ids") {
    test::Damaged copy(sound);
    copy.edit_file("generation_config.json", "404,", "405,");
    const VerifyResult result = verify(test::kModel, copy.save(scratch.path("bad")), short_verification(scratch));
    check_fails_at(result, "open");
    CHECK(result.diagnosis->kind == DiagnosisKind::different_model);
    CHECK(result.diagnosis->module == "generation_config.json");
    CHECK(result.diagnosis->seen == "402, 405");
  }
  SECTION("another image processor") {
    test::Damaged copy(sound);
    JsonBuilder processor(Json::parse(copy.files.at("preprocessor_config.json"), "preprocessor_config.json"));
    JsonBuilder mean = JsonBuilder::array();
    for (int i = 0; i < 3; ++i) mean.push(0.1);
    copy.files["preprocessor_config.json"] = processor.set("image_mean", std::move(mean)).dump();
    const VerifyResult result = verify(test::kModel, copy.save(scratch.path("bad")), short_verification(scratch));
    check_fails_at(result, "image");
    CHECK(result.diagnosis->kind == DiagnosisKind::input);
    CHECK(result.diagnosis->module == "preprocessor_config.json");
  }
  SECTION("a tensor that is missing") {
    test::Damaged copy(sound);
    copy.tensors.erase("model.layers.0.input_layernorm.weight");
    const VerifyResult result = verify(test::kModel, copy.save(scratch.path("bad")), short_verification(scratch));
    check_fails_at(result, "open");
    CHECK(result.diagnosis->kind == DiagnosisKind::structure);
    CHECK(test::contains(result.diagnosis->causes.front(), "model.layers.0.input_layernorm.weight"));
  }
}

TEST_CASE("run_all runs the remaining steps, and keeps the diagnosis of the first step that failed") {
  const test::Scratch scratch;
  test::Damaged copy(quantized(test::kModel, scratch.path("q")));
  copy.edit("model.layers.0.mlp.down_proj.weight_scale", [](float scale) { return 8 * scale; });
  VerifyOptions options = short_verification(scratch);
  options.run_all = true;
  const VerifyResult result = verify(test::kModel, copy.save(scratch.path("bad")), options);
  CHECK_FALSE(result.passed);
  CHECK(result.diagnosis->step == "text");
  for (const StepResult& each : result.steps) CHECK(each.status != StepStatus::not_reached);
  // Whatever the weights, the runtime holds its promises.
  for (const StepResult& each : result.steps)
    for (const StepFailure& failure : each.failures) CHECK(failure.expectation == Expectation::bound);
  CHECK(result.samples == 2);
}

TEST_CASE("a verification can be cancelled at every step, by flag and by callback") {
  const test::Scratch scratch;
  const std::string sound = quantized(test::kModel, scratch.path("q"));
  for (const char* stage : {"open", "cached", "images", "long", "batch", "evaluation"}) {
    VerifyOptions options = short_verification(scratch);
    bool begun = false;
    options.progress = [&](const Progress& progress) {
      begun = begun || progress.stage.starts_with(stage);
      return !begun;
    };
    const std::string message = test::message_of([&] { verify(test::kModel, sound, options); });
    INFO(message);
    CHECK(test::contains(message, "verify: cancelled at \"" + std::string(stage)));
    CHECK(test::contains(message, "no result"));
  }
  std::atomic<bool> cancel{true};
  VerifyOptions options = short_verification(scratch);
  options.cancel = &cancel;
  CHECK(test::contains(test::message_of([&] { verify(test::kModel, sound, options); }), "cancelled"));
}

TEST_CASE("what the caller gave wrong is an error, not a failed step") {
  const test::Scratch scratch;
  const std::string sound = quantized(test::kModel, scratch.path("q"));
  VerifyOptions options = short_verification(scratch);
  options.samples = scratch.write("s.jsonl", "{\"prompt\": \"What?\", \"image\": \"bad.png\"}\n");
  CHECK(test::contains(test::message_of([&] { verify(test::kModel, sound, options); }), "bad.png"));
  scratch.write("bad.png", "not a picture");
  CHECK(test::contains(test::message_of([&] { verify(test::kModel, sound, options); }), "bad.png"));
  options = short_verification(scratch);
  options.profile = "no such profile";
  CHECK(test::contains(test::message_of([&] { verify(test::kModel, sound, options); }), "neither a preset"));
}

TEST_CASE("a picture of an impossible shape is the sample's fault and no model's") {
  const test::Scratch scratch;
  const std::string sound = quantized(test::kModel, scratch.path("q"));
  scratch.write("long.ppm", "P6\n222 1\n255\n" + std::string(666, 'x'));
  test::fs::copy_file(test::kModel + "/eval/000.png", scratch.path("a.png"));
  VerifyOptions options = short_verification(scratch);
  options.samples = scratch.write("s.jsonl",
                                  "{\"id\": \"fine\", \"prompt\": \"What?\", \"image\": \"a.png\"}\n"
                                  "{\"id\": \"long\", \"prompt\": \"What?\", \"image\": \"long.ppm\"}\n");
  const std::string said = test::message_of([&] { verify(test::kModel, sound, options); });
  CHECK(test::contains(said, "sample \"long\" (" + options.samples.file + ":2)"));
  CHECK(test::contains(said, "222 x 1"));

  options.samples.skip_bad = true;
  const VerifyResult result = verify(test::kModel, sound, options);
  REQUIRE(result.skipped.size() == 1);
  CHECK(result.skipped[0].id == "long");
  CHECK(result.samples == 1);
  CHECK(result.answers.at(0).image_sizes.at(0).seen.width == 140);
}
