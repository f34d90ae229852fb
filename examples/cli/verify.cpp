// octavo verify MODEL QUANTIZED
#include "verify.hpp"

#include <cstdio>
#include <memory>
#include <utility>
#include <vector>

#include "attribution.hpp"
#include "commands.hpp"
#include "describe.hpp"
#include "progress.hpp"
#include "sources.hpp"
#include "streams.hpp"
#include "verify_print.hpp"

namespace cli {

namespace {

constexpr int kNotJudged = 3;  // exit status

struct Outcome {
  octavo::VerifyResult verify;
  std::optional<octavo::Attribution> attribution;
  std::vector<std::string> notes;  // why a part of the report is absent
};

Outcome verify(const VerifyCommand& command, const octavo::VerifyOptions& job) {
  Outcome outcome;
  outcome.verify = octavo::verify(command.model, command.quantized, job);
  // Where more than a threshold failed, the diagnosis says what; there is no loss to attribute.
  if (command.suggest && outcome.verify.only_bounds_missed())
    outcome.attribution = octavo::attribute(command.model, command.quantized, attribution_of(command, job));
  return outcome;
}

/// All of it, on one page; that it can be written is asked before the work.
Outcome verify_and_report(const VerifyCommand& command, const octavo::VerifyOptions& job) {
  octavo::check_report_path(*command.report);
  octavo::ReportOptions options;
  options.verify = job;
  options.suggest = command.suggest.has_value();
  options.command = command.line;
  options.exact = command.exact;
  if (options.suggest) options.attribution_samples = job.max_samples;  // the thresholds must hold on the same samples
  octavo::Report report = octavo::make_report(command.model, command.quantized, options);
  octavo::write_report(report, *command.report);
  return {std::move(report.verify), std::move(report.attribution), std::move(report.notes)};
}

void print_outcome(const VerifyCommand& command, const Outcome& outcome) {
  const octavo::VerifyResult& result = outcome.verify;
  if (result.samples > 0) print_evaluation(result);
  if (const std::string run = result.run_text(); !run.empty())
    std::printf("the quantized model was run with %s\n", run.c_str());
  if (result.diagnosis) print_diagnosis(*result.diagnosis);
  if (command.suggest) print_attribution(command, outcome.attribution);
  for (const std::string& note : outcome.notes) std::printf("left out of the report: %s\n", note.c_str());
  if (command.report) std::printf("report: %s\n", command.report->c_str());
  std::printf("%s\n", result.verdict().c_str());
}

int run(const VerifyCommand& command) {
  require_source(command.job.samples, "--samples");
  require_samples(command);
  if (command.suggest && !command.run.is_default())
    throw UsageError(
        "--suggest says which linears cost quality in a run by default: leave out --math, --lm-head and --kv-cache");
  if (command.suggest) octavo::check_new_file(*command.suggest, octavo::kRecipeMark);
  ProgressBar bar(command.quiet);
  octavo::VerifyOptions job = command.job;
  job.progress = bar.callback();
  job.cancel = &interrupted;
  job.boxes = box_space(command.boxes);
  job.suggests = command.suggest.has_value();
  job.model = command.run.model();
  job.cache_dtype = command.run.cache_dtype();
  job.on_step = [&](const octavo::StepResult& step) {
    bar.clear();
    if (!command.json)
      print_step(stdout, step);
    else if (!command.quiet)
      print_step(stderr, step);
  };
  const Outcome outcome = command.report ? verify_and_report(command, job) : verify(command, job);
  bar.clear();
  print_skipped(outcome.verify.skipped);
  if (outcome.attribution) write_suggestion(outcome.attribution->suggestion, command.suggest.value_or(""));
  if (command.json)
    std::printf("%s\n", outcome.verify.to_json().dump(2).c_str());
  else
    print_outcome(command, outcome);
  if (outcome.verify.passed) return 0;
  return outcome.verify.failures.empty() ? kNotJudged : 1;
}

}  // namespace

void add_verify(Program& program) {
  const auto options = std::make_shared<VerifyCommand>();
  octavo::VerifyOptions& job = options->job;
  const std::vector<std::string> profiles = octavo::VerifyProfile::preset_names();
  Command command = program.command(
      "verify", "Models",
      "prove that a quantized model answers like its original\n\nFrom simple to hard: check, one "
      "forward, one token, cache, pictures, long answers, a second turn, sampling, batch, the samples. "
      "Stops with a diagnosis at the first step that fails, exit status 1. Exit status 3: nothing failed, "
      "but the original itself answers so badly that the samples allow no judgement.");
  command.positional({"MODEL", ValueKind::directory}, options->model, "the original");
  command.positional({"QUANTIZED", ValueKind::directory}, options->quantized, "what octavo quantize wrote");
  command.group("Input");
  command.text("-s,--samples", {"FILE", ValueKind::file}, job.samples.file,
               "samples to evaluate: JSON lines or a JSON array, see docs/samples.md");
  add_pictures(command, job.samples, "--samples");
  add_skip_bad(command, job.samples);
  add_boxes(command, options->boxes,
            "what boxes in the expected answers are in: pixels as the model sees the picture, or its own (model)");
  command.integer("-n,--max-samples", job.max_samples, 1, "evaluate the first N samples (all)");
  command.integer("--max-new-tokens", job.max_new_tokens, 1, "tokens per answer to a sample (64)");
  command.flag("--run-all", job.run_all, "go on after a step that failed");
  command.pictures(job.decode);
  command.group("How the quantized model is run");
  add_model_options(command, options->run);
  add_kv_cache(command, options->run);
  command.group("Quality bounds");
  command.text("--profile", {"NAME|FILE", ValueKind::choice_or_file, profiles}, job.profile,
               "thresholds: " + joined(profiles, ", ") + ", or a profile file (default)");
  command.number("--min-token-agreement", job.thresholds.min_token_agreement, "overrides the profile's (0.90)");
  command.number("--min-logit-cosine", job.thresholds.min_logit_cosine, "overrides the profile's (0.99)");
  command.number("--max-kl", job.thresholds.max_kl, "overrides the profile's, in nats (0.05)");
  command.number("--max-accuracy-drop", job.thresholds.max_accuracy_drop, "overrides the profile's, absolute (0.02)");
  command.group("Output");
  command.text("--report", {"FILE.html", ValueKind::file}, options->report,
               "one page with all of it, and FILE.json; also compares and attributes");
  command.text("--suggest", {"RECIPE.json", ValueKind::file}, options->suggest,
               "say where the loss is; if needed, write the recipe that keeps the fewest linears in W8A16");
  command.flag("--exact", options->exact, "with --suggest or --report: measure each module group end to end (slow)");
  command.json(options->json, "the result as one JSON document on standard output");
  command.quiet(options->quiet);
  command.threads();
  command.example("octavo verify Qwen2.5-VL-3B Qwen2.5-VL-3B-w8a8 --samples held_out.jsonl");
  command.run([options, &program] {
    options->line = program.command_line();
    return run(*options);
  });
}

}  // namespace cli
