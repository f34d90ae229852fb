// Reports made by hand, and what their pages are asked.
#pragma once

#include <cmath>
#include <limits>
#include <set>
#include <string>
#include <vector>

#include "catch.hpp"
#include "jobs.hpp"
#include "markup.hpp"
#include "octavo/compare.hpp"
#include "octavo/image.hpp"
#include "octavo/report.hpp"
#include "octavo/verify.hpp"

namespace test {

using namespace octavo;

inline const std::string kHostile = "</script><img src=x onerror=1>\"'&amp;<b>]]>\xC0\xAF\xFF\x01";
inline constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
inline constexpr double kInfinity = std::numeric_limits<double>::infinity();

inline GroupSensitivity group(const std::string& block, const std::string& kind, double quantized, double weights) {
  GroupSensitivity made;
  made.block = block;
  made.input_group = block + "." + kind + "_input";
  made.linears = {block + "." + kind + "_proj"};
  made.quantized_error = quantized;
  made.weight_error = weights;
  made.activations.rows = 7;
  made.activations.min = -3.25;
  made.activations.max = 9.5;
  made.activations.outlier_ratio = 0.0125;
  made.activations.zeroed_ratio = 0.3125;
  made.activations.largest_channel = 41;
  made.activations.channel_ratio = 17;
  made.activations.histogram.fill(1.0 / 12);
  return made;
}

inline SampleResult sample(const std::string& id, double kl, bool right) {
  SampleResult made;
  made.id = id;
  made.task = "grounding";
  made.prompt = "Where is " + id + "?";
  made.images = {test::kModel + "/eval/000.png"};
  made.image_sizes = {{{168, 224}, {84, 112}}};
  made.expected = "[10, 20, 30, 60]";
  made.original = "[11, 20, 30, 60]";
  made.quantized = "[12, 24, 32, 64]";
  made.expected_box = Box{10, 20, 30, 60};
  made.original_box = Box{11, 20, 30, 60};
  made.quantized_box = Box{12, 24, 32, 64};
  made.original_right = true;
  made.quantized_right = right;
  made.original_iou = 0.95;
  made.quantized_iou = 0.625;
  made.token_agreement = 0.75;
  made.kl = kl;
  return made;
}

/// Something in every field; the figures are chosen to be found on the page.
inline Report full_report() {
  Report report;
  report.original_dir = "/models/original";
  report.quantized_dir = "/models/small-w8a8";
  report.model_type = "qwen2_5_vl";
  report.octavo_version = "9.8.7";
  report.date = "2031-02-03T04:05:06+07:00";
  report.command = "octavo verify original 'small w8a8'";
  report.machine = {"A Processor", 17, 34'000'000'000, {"avx9", "amx_int9"}, "7.6.5", "avx9_core", "portable", 13};
  report.seconds = 12.5;
  report.notes = {"compare: something was in the way"};
  VerifyResult& verify = report.verify;
  verify.profile = VerifyProfile::preset("default");
  verify.thresholds = verify.profile.for_step("evaluation");
  verify.failures = {"text: KL divergence is 0.77, expected at most 0.05", "evaluation: another"};
  StepResult text;
  text.name = "text";
  text.title = "one forward of text";
  text.status = StepStatus::failed;
  text.failures = {{Expectation::bound, "KL divergence", "at most 0.05", "0.77"}};
  text.metrics.kl = 0.77;
  text.metrics.logit_cosine = 0.9999625;
  text.thresholds.max_kl = 0.05;
  StepResult evaluation;
  evaluation.name = "evaluation";
  evaluation.title = "the samples";
  evaluation.status = StepStatus::passed;
  evaluation.note = "a note of the step";
  verify.steps = {text, evaluation};
  Diagnosis diagnosis;
  diagnosis.kind = DiagnosisKind::module;
  diagnosis.step = "text";
  diagnosis.expected = "at most 0.05";
  diagnosis.seen = "0.77";
  diagnosis.module = "model.layers.3.mlp.down_proj";
  diagnosis.causes = {"the first cause", "the second cause"};
  diagnosis.next = {"the first remedy"};
  diagnosis.measurements = {{"local error", "model.layers.3", 0.4375}};
  verify.diagnosis = diagnosis;
  verify.samples = 3;
  verify.tasks = {{"grounding", 3, 3, 2}};
  verify.original_accuracy = 1;
  verify.quantized_accuracy = 2.0 / 3;
  verify.kl = 0.0625;
  verify.token_agreement = 0.8125;
  verify.accuracy = AccuracyComparison::of({2, 1, 0, 0});
  verify.speed.original_tokens_per_second = 40;
  verify.speed.quantized_tokens_per_second = 55;
  verify.speed.compared = true;
  verify.speed.why = "faster: a reason of its own";
  verify.original_bytes = 8'000'000;
  verify.quantized_bytes = 5'000'000;
  for (int i = 0; i < 4; ++i) {
    LayerReport layer;
    layer.module_path = "model.layers." + std::to_string(i);
    layer.method = "output";
    layer.relative_error = 0.01 * (i + 1);
    layer.rows = 99;
    verify.layers.push_back(layer);
  }
  verify.answers = {sample("calm", 0.001, true), sample("bad", 0.5, false), sample("fine", 0.002, true)};
  CompareResult compare;
  compare.original_dir = report.original_dir;
  compare.quantized_dir = report.quantized_dir;
  compare.differences = {{Verdict::wrong, "model.norm.weight", "the norm changed", "a", "b", "copy it"}};
  TensorComparison tensor;
  tensor.name = "model.layers.0.mlp.up_proj.weight";
  tensor.verdict = Verdict::expected;
  tensor.original = {"BF16", {16, 24}};
  tensor.quantized = {"I8", {16, 24}};
  tensor.values_read = tensor.has_fit = true;
  tensor.fit.relative_error = 0.0123;
  compare.tensors = {tensor};
  compare.config = {{"text_config.hidden_size", "64", "64", Verdict::same}};
  FileComparison file;
  file.name = "vocab.json";
  file.in_original = file.in_quantized = true;
  file.original_sha256 = file.quantized_sha256 = std::string(64, 'a');
  compare.files = {file};
  report.compare = compare;
  Attribution attribution;
  for (const char* block : {"visual.blocks.0", "model.layers.0", "model.layers.1"})
    for (const char* kind : {"attn.qkv", "mlp.down"}) attribution.groups.push_back(group(block, kind, 0.04, 0.01));
  attribution.groups[3].quantized_error = 0.0876;
  attribution.groups[3].alone_kl = 0.0375;
  attribution.proxy_samples = 5;
  VariantMetrics variant;
  variant.name = "vision alone";
  variant.int8_linears = 21;
  variant.metrics.kl = 0.03125;
  attribution.variants = {variant};
  attribution.suggestion.status = SuggestionStatus::found;
  attribution.suggestion.groups = {"model.layers.0.mlp.down_input"};
  attribution.suggestion.linears = {"model.layers.0.mlp.down_proj"};
  attribution.suggestion.share_of_multiplies = 0.05;
  attribution.suggestion.missed = {"KL divergence is 0.0625, expected at most 0.05"};
  attribution.suggestion.recipe = Recipe::preset("rtn");
  attribution.suggestion.before.kl = 0.0625;
  attribution.suggestion.after.kl = 0.046875;
  attribution.suggestion.variants = 6;
  report.attribution = attribution;
  ReportMemory memory;
  memory.original_weights = 7'000'000;
  memory.quantized_weights = 4'000'000;
  memory.kv_cache_per_position = 2560;
  memory.prompt_tokens = 322;
  memory.max_new_tokens = 256;
  memory.original_prefill = 9'100'000;
  memory.quantized_prefill = 6'200'000;
  memory.original_decode = 8'300'000;
  memory.quantized_decode = 5'400'000;
  report.memory = memory;
  report.quantization =
      R"({"octavo_version": "0.0.9", "recipe": {"rules": []}, "calibration_samples": 64, "calibration_tokens": 3210,
          "bytes_before": 8000000, "bytes_after": 5000000, "seconds": 2.5, "peak_rss_bytes": 70000000,
          "warnings": ["few calibration rows"],
          "layers": [{"module": "model.layers.0.mlp.up_proj", "method": "gptq", "loss": 2.0, "rtn_loss": 8.0,
                      "damp_used": 0.01, "dead_columns": 0, "fell_back_to_rtn": false, "relative_error": 0.0175,
                      "rows": 640}]})";
  return report;
}

inline Markup page_of(const Report& report) {
  const std::string html = report.to_html();
  const Markup page = test::read_markup(html);
  CHECK(page.problem == "");
  // Self-contained: nothing is fetched, nothing runs.
  CHECK_FALSE(contains(html, "<script"));
  CHECK_FALSE(contains(html, "url("));
  CHECK_FALSE(contains(html, "@import"));
  for (const Element& element : page.elements) {
    CHECK(element.name != "script");
    CHECK(element.name != "link");
    for (const auto& [key, value] : element.attributes) {
      CAPTURE(element.name, key, value.substr(0, 80));
      if (key == "href" || key == "src") CHECK((value.rfind("data:image/", 0) == 0 || value.rfind('#', 0) == 0));
      CHECK(key.rfind("on", 0) != 0);
    }
  }
  return page;
}

/// Rectangles of one class, in order.
inline std::vector<Element> rectangles(const Markup& page, const std::string& look) {
  std::vector<Element> found;
  for (const Element& element : page.named("rect"))
    if (element.attributes.count("class") != 0 && element.attributes.at("class") == look) found.push_back(element);
  return found;
}

inline Report with_samples(std::vector<SampleResult> answers) {
  Report report;
  report.quantized_dir = "q";
  report.verify.samples = static_cast<std::int64_t>(answers.size());
  report.verify.answers = std::move(answers);
  return report;
}

inline void collect_keys(const Json& json, std::set<std::string>& keys) {
  if (json.is_object())
    json.for_each_member([&](std::string_view key, const Json& value) {
      keys.insert(std::string(key));
      collect_keys(value, keys);
    });
  for (std::size_t i = 0; json.is_array() && i < json.size(); ++i) collect_keys(json.at(i), keys);
}

}  // namespace test
