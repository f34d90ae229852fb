#include <algorithm>
#include <cstdio>
#include <octavo/octavo.hpp>

#include "commands.hpp"
#include "progress.hpp"

namespace cli {

const Command kVerify{"verify",
                      "MODEL QUANTIZED --samples FILE [options]",
                      "Runs both models over samples and compares answers, tokens, logits and hidden states. Exits 1 "
                      "when a threshold is missed.",
                      "octavo verify Qwen2.5-VL-3B Qwen2.5-VL-3B-w8a8 --samples held_out.jsonl",
                      2,
                      {{"--samples", "FILE", "samples, one JSON object a line: image, prompt, answer, task"},
                       {"--max-samples", "N", "use the first N samples"},
                       {"--max-new-tokens", "N", "per answer (64)"},
                       {"--min-token-agreement", "X", "threshold (0.90)"},
                       {"--min-logit-cosine", "X", "threshold (0.99)"},
                       {"--max-kl", "X", "threshold in nats (0.05)"},
                       {"--max-accuracy-drop", "X", "threshold, absolute (0.02)"},
                       {"--threads", "N", "threads to use"},
                       {"--json", "", "the result as one JSON document on standard output"}}};

int run_verify(const Args& args) {
  if (!args.has("--samples")) throw UsageError("octavo verify needs --samples FILE");
  ProgressBar bar;
  octavo::VerifyOptions options;
  options.samples = args.text("--samples");
  options.max_samples = args.integer("--max-samples", 0, 1);
  options.max_new_tokens = args.integer("--max-new-tokens", options.max_new_tokens, 1);
  octavo::VerifyThresholds& limits = options.thresholds;
  limits.min_token_agreement = args.number("--min-token-agreement", limits.min_token_agreement);
  limits.min_logit_cosine = args.number("--min-logit-cosine", limits.min_logit_cosine);
  limits.max_kl = args.number("--max-kl", limits.max_kl);
  limits.max_accuracy_drop = args.number("--max-accuracy-drop", limits.max_accuracy_drop);
  options.progress = bar.callback();
  options.cancel = &interrupted;
  const octavo::VerifyResult result = octavo::verify(args.positional(0), args.positional(1), options);
  if (args.has("--json")) {
    std::printf("%s\n", result.to_json().dump(2).c_str());
    return result.passed ? 0 : 1;
  }
  std::printf("%-22s %12s %12s\n", "", "original", "quantized");
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
  for (const std::string& failure : result.failures) std::printf("MISSED: %s\n", failure.c_str());
  std::printf("%s\n", result.passed ? "passed: the quantized model answers like the original" : "failed");
  return result.passed ? 0 : 1;
}

}  // namespace cli
