// The result of a climb as JSON; the schema is docs/verify.md's.
#include <utility>

#include "internal.hpp"
#include "thresholds.hpp"

namespace octavo {
namespace {

double share(std::int64_t part, std::int64_t whole) {
  return whole > 0 ? static_cast<double>(part) / static_cast<double>(whole) : 0;
}

JsonBuilder measurements_json(const std::vector<Measurement>& measurements) {
  JsonBuilder list = JsonBuilder::array();
  for (const Measurement& entry : measurements)
    list.push(JsonBuilder::object().set("what", entry.what).set("where", entry.where).set("value", entry.value));
  return list;
}

JsonBuilder rung_json(const RungResult& rung) {
  JsonBuilder failures = JsonBuilder::array();
  for (const RungFailure& failure : rung.failures)
    failures.push(JsonBuilder::object()
                      .set("expectation", expectation_name(failure.expectation))
                      .set("what", failure.what)
                      .set("expected", failure.expected)
                      .set("seen", failure.seen));
  return JsonBuilder::object()
      .set("name", rung.name)
      .set("title", rung.title)
      .set("status", rung_status_name(rung.status))
      .set("note", rung.note)
      .set("seconds", rung.seconds)
      .set("metrics", pipeline::metrics_json(rung.metrics))
      .set("thresholds", pipeline::thresholds_json(rung.thresholds))
      .set("failures", std::move(failures));
}

JsonBuilder diagnosis_json(const Diagnosis& diagnosis) {
  return JsonBuilder::object()
      .set("kind", diagnosis_kind_name(diagnosis.kind))
      .set("rung", diagnosis.rung)
      .set("expected", diagnosis.expected)
      .set("seen", diagnosis.seen)
      .set("module", diagnosis.module)
      .set("causes", pipeline::strings_json(diagnosis.causes))
      .set("next", pipeline::strings_json(diagnosis.next))
      .set("measurements", measurements_json(diagnosis.measurements));
}

JsonBuilder tasks_json(const std::vector<TaskScore>& tasks) {
  JsonBuilder list = JsonBuilder::array();
  for (const TaskScore& task : tasks)
    list.push(JsonBuilder::object()
                  .set("task", task.task)
                  .set("total", task.total)
                  .set("original_right", task.original_right)
                  .set("quantized_right", task.quantized_right)
                  .set("original_accuracy", share(task.original_right, task.total))
                  .set("quantized_accuracy", share(task.quantized_right, task.total)));
  return list;
}

}  // namespace

JsonBuilder pipeline::metrics_json(const RungMetrics& metrics) {
  JsonBuilder json = JsonBuilder::object();
  const auto set = [&](const char* key, const auto& value) {
    if (value) json.set(key, JsonBuilder(*value));
  };
  set("prompts", metrics.prompts);
  set("identical_prefix", metrics.identical_prefix);
  set("tokens", metrics.tokens);
  set("token_agreement", metrics.token_agreement);
  set("positions", metrics.positions);
  set("logit_cosine", metrics.logit_cosine);
  set("kl", metrics.kl);
  set("top1_agreement", metrics.top1_agreement);
  set("top5_agreement", metrics.top5_agreement);
  set("original_perplexity", metrics.original_perplexity);
  set("quantized_perplexity", metrics.quantized_perplexity);
  set("original_accuracy", metrics.original_accuracy);
  set("quantized_accuracy", metrics.quantized_accuracy);
  set("original_cache_difference", metrics.original_cache_difference);
  set("quantized_cache_difference", metrics.quantized_cache_difference);
  if (!metrics.further.empty()) json.set("further", measurements_json(metrics.further));
  return json;
}

const char* expectation_name(Expectation expectation) noexcept {
  switch (expectation) {
    case Expectation::structure:
      return "structure";
    case Expectation::same_model:
      return "same_model";
    case Expectation::same_input:
      return "same_input";
    case Expectation::runs:
      return "runs";
    case Expectation::finite:
      return "finite";
    case Expectation::bound:
      return "bound";
    case Expectation::same_generation:
      return "same_generation";
    case Expectation::same_cached:
      return "same_cached";
    case Expectation::same_batched:
      return "same_batched";
    case Expectation::reproducible:
      return "reproducible";
  }
  return "?";
}

const char* rung_status_name(RungStatus status) noexcept {
  switch (status) {
    case RungStatus::passed:
      return "passed";
    case RungStatus::failed:
      return "failed";
    case RungStatus::skipped:
      return "skipped";
    case RungStatus::not_reached:
      return "not_reached";
  }
  return "?";
}

const char* diagnosis_kind_name(DiagnosisKind kind) noexcept {
  switch (kind) {
    case DiagnosisKind::structure:
      return "structure";
    case DiagnosisKind::different_model:
      return "different_model";
    case DiagnosisKind::input:
      return "input";
    case DiagnosisKind::not_finite:
      return "not_finite";
    case DiagnosisKind::module:
      return "module";
    case DiagnosisKind::vision:
      return "vision";
    case DiagnosisKind::accumulated:
      return "accumulated";
    case DiagnosisKind::cache:
      return "cache";
    case DiagnosisKind::batch:
      return "batch";
    case DiagnosisKind::generation:
      return "generation";
    case DiagnosisKind::quality:
      return "quality";
    case DiagnosisKind::failed_call:
      return "failed_call";
  }
  return "?";
}

JsonBuilder VerifyResult::to_json() const {
  JsonBuilder json = JsonBuilder::object();
  json.set("octavo_version", pipeline::kVersion);
  json.set("passed", passed).set("failures", pipeline::strings_json(failures));
  JsonBuilder list = JsonBuilder::array();
  for (const RungResult& rung : rungs) list.push(rung_json(rung));
  json.set("rungs", std::move(list));
  json.set("diagnosis", diagnosis ? diagnosis_json(*diagnosis) : JsonBuilder(nullptr));
  json.set("samples", samples).set("tasks", tasks_json(tasks));
  json.set("original_accuracy", original_accuracy).set("quantized_accuracy", quantized_accuracy);
  json.set("token_agreement", token_agreement).set("exact_match", exact_match);
  json.set("logit_cosine", logit_cosine).set("kl", kl);
  json.set("top1_agreement", top1_agreement).set("top5_agreement", top5_agreement);
  json.set("original_perplexity", original_perplexity).set("quantized_perplexity", quantized_perplexity);
  json.set("original_tokens_per_second", original_tokens_per_second);
  json.set("quantized_tokens_per_second", quantized_tokens_per_second);
  json.set("original_bytes", static_cast<std::int64_t>(original_bytes))
      .set("quantized_bytes", static_cast<std::int64_t>(quantized_bytes));
  json.set("thresholds", pipeline::thresholds_json(thresholds)).set("profile", profile.to_json());
  json.set("seconds", seconds);
  json.set("layers", pipeline::layers_json(layers));
  JsonBuilder samples_list = JsonBuilder::array();
  for (const SampleResult& sample : answers) samples_list.push(pipeline::sample_json(sample));
  json.set("answers", std::move(samples_list));
  return json;
}

}  // namespace octavo
