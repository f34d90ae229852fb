#include <algorithm>
#include <cstdio>
#include <octavo/octavo.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "attribution.hpp"
#include "commands.hpp"
#include "progress.hpp"

namespace cli {

const Command kVerify{
    "verify",
    "MODEL QUANTIZED [--samples FILE] [options]",
    "Verifies from simple to hard: check, one forward, one token, cache, pictures, long answers, a second "
    "turn, sampling, the samples. Stops with a diagnosis at the first step that fails, exit status 1.",
    "octavo verify Qwen2.5-VL-3B Qwen2.5-VL-3B-w8a8 --samples held_out.jsonl",
    2,
    {{"--samples", "FILE", "samples, one JSON object a line: image, prompt, answer, task"},
     {"--max-samples", "N", "use the first N samples"},
     {"--max-new-tokens", "N", "per answer to a sample (64)"},
     {"--profile", "NAME|FILE", "thresholds: strict, default, lenient, or a profile file"},
     {"--run-all", "", "go on after a step that failed"},
     {"--min-token-agreement", "X", "overrides the profile's (0.90)"},
     {"--min-logit-cosine", "X", "overrides the profile's (0.99)"},
     {"--max-kl", "X", "overrides the profile's, nats (0.05)"},
     {"--max-accuracy-drop", "X", "overrides the profile's, absolute (0.02)"},
     {"--report", "FILE.html", "one page with all of it, and FILE.json; also compares and attributes"},
     {"--suggest", "RECIPE.json",
      "say where the loss is; write the recipe that keeps the fewest linears in W8A16, if needed"},
     {"--exact", "", "with --suggest or --report: measure each group of linears end to end (slow)"},
     {"--threads", "N", "threads to use"},
     {"--json", "", "the result as one JSON document on standard output"}}};

namespace {

void print_metric(std::FILE* out, const char* name, const std::optional<double>& value) {
  if (value) std::fprintf(out, "  %s %.4g", name, *value);
}

void print_step(std::FILE* out, const octavo::StepResult& step) {
  const bool failed = step.status == octavo::StepStatus::failed;
  std::fprintf(out, "%-7s %-11s %-28s", failed ? "FAILED" : octavo::step_status_name(step.status), step.name.c_str(),
               step.title.c_str());
  const octavo::StepMetrics& metrics = step.metrics;
  if (metrics.identical_prefix && metrics.tokens)
    std::fprintf(out, "  same tokens %lld/%lld", static_cast<long long>(*metrics.identical_prefix),
                 static_cast<long long>(*metrics.tokens));
  if (metrics.logit_cosine) std::fprintf(out, "  cosine %.6f", *metrics.logit_cosine);
  print_metric(out, "KL", metrics.kl);
  print_metric(out, "top-1", metrics.top1_agreement);
  print_metric(out, "top-5", metrics.top5_agreement);
  if (metrics.original_perplexity && metrics.quantized_perplexity)
    std::fprintf(out, "  ppl %.3f > %.3f", *metrics.original_perplexity, *metrics.quantized_perplexity);
  print_metric(out, "cache", metrics.quantized_cache_difference);
  std::fprintf(out, "  %.1f s%s%s\n", step.seconds, step.note.empty() ? "" : ": ", step.note.c_str());
  for (const octavo::StepFailure& failure : step.failures) std::fprintf(out, "        %s\n", failure.line().c_str());
  std::fflush(out);
}

void print_diagnosis(const octavo::Diagnosis& diagnosis) {
  std::printf("\ndiagnosis (%s): step \"%s\" expected %s, saw %s\n", octavo::diagnosis_kind_name(diagnosis.kind),
              diagnosis.step.c_str(), diagnosis.expected.c_str(), diagnosis.seen.c_str());
  if (!diagnosis.module.empty()) std::printf("  where  %s\n", diagnosis.module.c_str());
  for (const std::string& cause : diagnosis.causes) std::printf("  cause  %s\n", cause.c_str());
  for (const std::string& next : diagnosis.next) std::printf("  next   %s\n", next.c_str());
}

void print_evaluation(const octavo::VerifyResult& result) {
  std::printf("\n%-22s %12s %12s\n", "", "original", "quantized");
  const auto percent = [](std::int64_t right, std::int64_t total) {
    return total == 0 ? 0.0 : 100.0 * static_cast<double>(right) / static_cast<double>(total);
  };
  for (const octavo::TaskScore& task : result.tasks)
    std::printf("%-22s %10.1f %% %10.1f %%   of %lld\n", task.task.c_str(), percent(task.original_right, task.total),
                percent(task.quantized_right, task.total), static_cast<long long>(task.total));
  std::printf("%-22s %10.1f %% %10.1f %%\n", "all", result.original_accuracy * 100, result.quantized_accuracy * 100);
  std::printf("%-22s %9.2f MB %9.2f MB\n", "size", static_cast<double>(result.original_bytes) / 1e6,
              static_cast<double>(result.quantized_bytes) / 1e6);
  std::printf("%-22s %12.0f %12.0f\n\n", "decode, tokens/s", result.original_tokens_per_second,
              result.quantized_tokens_per_second);
  std::printf("token agreement %.4f, same answers %.4f, logit cosine %.6f, KL %.5f nats, same top token %.4f\n",
              result.token_agreement, result.exact_match, result.logit_cosine, result.kl, result.top1_agreement);
  const auto worst = std::max_element(result.layers.begin(), result.layers.end(),
                                      [](const auto& a, const auto& b) { return a.relative_error < b.relative_error; });
  if (worst != result.layers.end())
    std::printf("largest hidden-state error: %s, %.2f %%\n", worst->module_path.c_str(), worst->relative_error * 100);
}

struct Outcome {
  octavo::VerifyResult verify;
  std::optional<octavo::Attribution> attribution;
  std::vector<std::string> notes;  // why a part of the report is absent
};

Outcome verify_only(const Args& args, const octavo::VerifyOptions& options) {
  Outcome outcome;
  outcome.verify = octavo::verify(args.positional(0), args.positional(1), options);
  // Where more than a threshold failed, the diagnosis says what; there is no loss to attribute.
  if (args.has("--suggest") && outcome.verify.only_bounds_missed())
    outcome.attribution = octavo::attribute(args.positional(0), args.positional(1), attribution_of(args, options));
  return outcome;
}

/// All of it, on one page; that it can be written is asked before the work.
Outcome verify_and_report(const Args& args, const octavo::VerifyOptions& options) {
  const std::string path = args.text("--report");
  octavo::check_report_path(path);
  octavo::ReportOptions job;
  job.verify = options;
  job.suggest = args.has("--suggest");
  job.exact = args.has("--exact");
  if (job.suggest) job.attribution_samples = options.max_samples;  // the thresholds must hold on the same samples
  octavo::Report report = octavo::make_report(args.positional(0), args.positional(1), job);
  octavo::write_report(report, path);
  return {std::move(report.verify), std::move(report.attribution), std::move(report.notes)};
}

}  // namespace

int run_verify(const Args& args) {
  ProgressBar bar;
  octavo::VerifyOptions options;
  options.samples = args.text("--samples");
  options.max_samples = args.integer("--max-samples", 0, 1);
  options.max_new_tokens = args.integer("--max-new-tokens", options.max_new_tokens, 1);
  options.profile = args.text("--profile", options.profile);
  options.run_all = args.has("--run-all");
  octavo::VerifyThresholds& limits = options.thresholds;
  if (args.has("--min-token-agreement")) limits.min_token_agreement = args.number("--min-token-agreement", 0);
  if (args.has("--min-logit-cosine")) limits.min_logit_cosine = args.number("--min-logit-cosine", 0);
  if (args.has("--max-kl")) limits.max_kl = args.number("--max-kl", 0);
  if (args.has("--max-accuracy-drop")) limits.max_accuracy_drop = args.number("--max-accuracy-drop", 0);
  const bool json = args.has("--json");
  require_samples(args);
  options.progress = bar.callback();
  options.cancel = &interrupted;
  options.on_step = [&](const octavo::StepResult& step) {
    bar.clear();
    print_step(json ? stderr : stdout, step);
  };
  const std::string recipe = args.text("--suggest");
  if (args.has("--suggest")) octavo::check_new_file(recipe);
  const Outcome outcome = args.has("--report") ? verify_and_report(args, options) : verify_only(args, options);
  const octavo::VerifyResult& result = outcome.verify;
  bar.clear();
  if (outcome.attribution) write_suggestion(outcome.attribution->suggestion, recipe);
  if (json) {
    std::printf("%s\n", result.to_json().dump(2).c_str());
    return result.passed ? 0 : 1;
  }
  if (result.samples > 0) print_evaluation(result);
  if (result.diagnosis) print_diagnosis(*result.diagnosis);
  if (args.has("--suggest")) print_attribution(args, outcome.attribution);
  for (const std::string& note : outcome.notes) std::printf("left out of the report: %s\n", note.c_str());
  if (args.has("--report")) std::printf("report: %s\n", args.text("--report").c_str());
  std::printf("%s\n", result.passed ? "passed: the quantized model answers like the original" : "failed");
  return result.passed ? 0 : 1;
}

}  // namespace cli
