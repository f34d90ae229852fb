// What octavo verify prints.
#include "verify_print.hpp"

#include <algorithm>
#include <optional>

#include "streams.hpp"

namespace cli {

namespace {

void print_metric(std::FILE* out, const char* name, const std::optional<double>& value) {
  if (value) std::fprintf(out, "  %s %.4g", name, *value);
}

// How sure the shares are, and whether the samples can tell the two models apart.
void print_confidence(const octavo::AccuracyComparison& accuracy) {
  const auto interval = [](const octavo::Interval& shares) {
    char text[64];
    std::snprintf(text, sizeof text, "%.1f - %.1f", 100 * shares.low, 100 * shares.high);
    return std::string(text);
  };
  const octavo::PairedCounts& counts = accuracy.counts;
  const double drop = static_cast<double>(counts.first_only - counts.second_only) / static_cast<double>(counts.total());
  std::printf("%-22s %12s %12s   (%.0f %% confidence)\n", "", interval(accuracy.original).c_str(),
              interval(accuracy.quantized).c_str(), 100 * octavo::kConfidence);
  std::printf("%-22s %.1f points, %.1f to %.1f; %lld lost, %lld gained, p = %.2g%s\n", "drop", 100 * drop,
              100 * accuracy.drop.low, 100 * accuracy.drop.high, static_cast<long long>(counts.first_only),
              static_cast<long long>(counts.second_only), accuracy.p,
              accuracy.drop.low > 0 || accuracy.drop.high < 0 ? "" : ": cannot be told from no difference");
}

}  // namespace

void print_step(std::FILE* out, const octavo::StepResult& step) {
  const bool failed = step.status == octavo::StepStatus::failed;
  const std::string status = failed ? "FAILED" : octavo::step_status_name(step.status);
  const std::string shown = failed                                      ? coloured(out, Colour::red, status)
                            : step.status == octavo::StepStatus::passed ? coloured(out, Colour::green, status)
                                                                        : status;
  const std::size_t gap = status.size() < 7 ? 7 - status.size() : 0;
  std::fprintf(out, "%s%s %-11s %-28s", shown.c_str(), std::string(gap, ' ').c_str(), step.name.c_str(),
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
    std::fprintf(out, "  perplexity %.3f -> %.3f", *metrics.original_perplexity, *metrics.quantized_perplexity);
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
  if (result.accuracy) print_confidence(*result.accuracy);
  std::printf("%-22s %9.2f MB %9.2f MB\n", "size", static_cast<double>(result.original_bytes) / 1e6,
              static_cast<double>(result.quantized_bytes) / 1e6);
  const octavo::DecodingSpeed& speed = result.speed;
  if (speed.compared)
    std::printf("%-22s %12.0f %12.0f   %s\n\n", "decode, tokens/s", speed.original_tokens_per_second,
                speed.quantized_tokens_per_second, speed.why.c_str());
  else
    std::printf("decoding speed is not compared, because %s\n\n", speed.why.c_str());
  std::printf("token agreement %.4f, same answers %.4f, logit cosine %.6f, KL %.5f nats, same top token %.4f\n",
              result.token_agreement, result.exact_match, result.logit_cosine, result.kl, result.top1_agreement);
  const auto worst = std::max_element(result.layers.begin(), result.layers.end(),
                                      [](const auto& a, const auto& b) { return a.relative_error < b.relative_error; });
  if (worst != result.layers.end())
    std::printf("largest hidden-state error: %s, %.2f %%\n", worst->module_path.c_str(), worst->relative_error * 100);
}

}  // namespace cli
