// The result of a verification as JSON; the schema is docs/verify.md's.
#include <utility>

#include "octavo/verify.hpp"
#include "octavo/version.hpp"

namespace octavo {
namespace {

double share(std::int64_t part, std::int64_t whole) {
  return whole > 0 ? static_cast<double>(part) / static_cast<double>(whole) : 0;
}

template <class List>
JsonBuilder list_json(const List& values) {
  JsonBuilder list = JsonBuilder::array();
  for (const auto& value : values) list.push(value.to_json());
  return list;
}

JsonBuilder step_json(const StepResult& step) {
  JsonBuilder failures = JsonBuilder::array();
  for (const StepFailure& failure : step.failures)
    failures.push(JsonBuilder::object()
                      .set("expectation", expectation_name(failure.expectation))
                      .set("what", failure.what)
                      .set("expected", failure.expected)
                      .set("seen", failure.seen));
  return JsonBuilder::object()
      .set("name", step.name)
      .set("title", step.title)
      .set("status", step_status_name(step.status))
      .set("note", step.note)
      .set("seconds", step.seconds)
      .set("metrics", step.metrics.to_json())
      .set("thresholds", step.thresholds.to_json())
      .set("failures", std::move(failures));
}

JsonBuilder diagnosis_json(const Diagnosis& diagnosis) {
  return JsonBuilder::object()
      .set("kind", diagnosis_kind_name(diagnosis.kind))
      .set("step", diagnosis.step)
      .set("expected", diagnosis.expected)
      .set("seen", diagnosis.seen)
      .set("module", diagnosis.module)
      .set("causes", JsonBuilder::array_of(diagnosis.causes))
      .set("next", JsonBuilder::array_of(diagnosis.next))
      .set("measurements", list_json(diagnosis.measurements));
}

JsonBuilder interval_json(const Interval& interval) {
  return JsonBuilder::array().push(interval.low).push(interval.high);
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
                  .set("quantized_accuracy", share(task.quantized_right, task.total))
                  .set("original_interval", interval_json(share_interval(task.original_right, task.total)))
                  .set("quantized_interval", interval_json(share_interval(task.quantized_right, task.total))));
  return list;
}

JsonBuilder accuracy_json(const AccuracyComparison& accuracy) {
  return JsonBuilder::object()
      .set("confidence", kConfidence)
      .set("both_right", accuracy.counts.both)
      .set("original_only", accuracy.counts.first_only)
      .set("quantized_only", accuracy.counts.second_only)
      .set("both_wrong", accuracy.counts.neither)
      .set("original_interval", interval_json(accuracy.original))
      .set("quantized_interval", interval_json(accuracy.quantized))
      .set("drop_interval", interval_json(accuracy.drop))
      .set("mcnemar_p", accuracy.p);
}

JsonBuilder speed_json(const DecodingSpeed& speed) {
  return JsonBuilder::object()
      .set("compared", speed.compared)
      .set("why", speed.why)
      .set("original_tokens", speed.original_tokens)
      .set("quantized_tokens", speed.quantized_tokens)
      .set("original_seconds", speed.original_seconds)
      .set("quantized_seconds", speed.quantized_seconds)
      .set("original_read", static_cast<std::int64_t>(speed.original_read))
      .set("quantized_read", static_cast<std::int64_t>(speed.quantized_read))
      .set("processors", speed.processors)
      .set("other_load", speed.other_load ? JsonBuilder(*speed.other_load) : JsonBuilder(nullptr));
}

}  // namespace

const char* step_status_name(StepStatus status) noexcept {
  switch (status) {
    case StepStatus::passed:
      return "passed";
    case StepStatus::failed:
      return "failed";
    case StepStatus::skipped:
      return "skipped";
    case StepStatus::not_reached:
      return "not_reached";
    case StepStatus::not_judged:
      return "not_judged";
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
  json.set("octavo_version", kVersion);
  json.set("passed", passed)
      .set("verdict", passed             ? "passed"
                      : failures.empty() ? "not_judged"
                                         : "failed")
      .set("not_judged", not_judged.empty() ? JsonBuilder(nullptr) : JsonBuilder(not_judged))
      .set("failures", JsonBuilder::array_of(failures));
  JsonBuilder list = JsonBuilder::array();
  for (const StepResult& step : steps) list.push(step_json(step));
  json.set("steps", std::move(list));
  json.set("diagnosis", diagnosis ? diagnosis_json(*diagnosis) : JsonBuilder(nullptr));
  json.set("samples", samples).set("skipped_samples", skipped_json(skipped)).set("tasks", tasks_json(tasks));
  json.set("original_accuracy", original_accuracy).set("quantized_accuracy", quantized_accuracy);
  json.set("token_agreement", token_agreement).set("exact_match", exact_match);
  json.set("logit_cosine", logit_cosine).set("kl", kl);
  json.set("top1_agreement", top1_agreement).set("top5_agreement", top5_agreement);
  json.set("original_perplexity", original_perplexity).set("quantized_perplexity", quantized_perplexity);
  json.set("accuracy", accuracy ? accuracy_json(*accuracy) : JsonBuilder(nullptr));
  json.set("original_tokens_per_second", speed.original_tokens_per_second);
  json.set("quantized_tokens_per_second", speed.quantized_tokens_per_second);
  json.set("speed", speed_json(speed));
  json.set("original_bytes", static_cast<std::int64_t>(original_bytes))
      .set("quantized_bytes", static_cast<std::int64_t>(quantized_bytes));
  json.set("run", JsonBuilder::object()
                      .set("vision_math", float_math_name(model.vision_math))
                      .set("language_math", float_math_name(model.language_math))
                      .set("lm_head", head_weights_name(model.lm_head))
                      .set("kv_cache", dtype_name(cache_dtype)));
  json.set("thresholds", thresholds.to_json()).set("profile", profile.to_json());
  json.set("seconds", seconds);
  json.set("layers", list_json(layers));
  JsonBuilder samples_list = JsonBuilder::array();
  for (const SampleResult& sample : answers) samples_list.push(sample.to_json());
  json.set("answers", std::move(samples_list));
  return json;
}

}  // namespace octavo
