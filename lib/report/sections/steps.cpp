#include "html.hpp"
#include "sections.hpp"
#include "words.hpp"

namespace octavo::report {
namespace {

using html::escaped;
using html::number;

class Metrics {
 public:
  /// A metric, with the bound it is judged by where there is one.
  void add(const char* name, std::optional<double> value, std::optional<double> bound = {}, bool least = false) {
    if (!value) return;
    // What lies just below 1 is told by its distance from 1.
    const bool close = *value > 0.999 && *value < 1;
    const std::string digits = close ? html::fixed(*value, 7) : number(*value);
    const bool missed = bound && !(least ? *value >= *bound : *value <= *bound);
    std::string shown = "<i>" + escaped(name) + "</i> " + digits;
    if (bound) shown += " <small>" + std::string(least ? "&ge; " : "&le; ") + number(*bound) + "</small>";
    out_ += explained(name, missed ? shown + " &#10007;" : shown, missed ? "missed" : "");
  }
  void add_text(const std::string& name, const std::string& value, const std::string& where = "") {
    out_ +=
        explained(name, "<i>" + escaped(where.empty() ? name : name + " (" + where + ")") + "</i> " + escaped(value));
  }
  std::string take() { return std::move(out_); }

 private:
  std::string out_;
};

std::string metrics_html(const StepResult& step) {
  const StepMetrics& metrics = step.metrics;
  const VerifyThresholds& bounds = step.thresholds;
  Metrics out;
  if (metrics.identical_prefix && metrics.tokens)
    out.add_text("same tokens", std::to_string(*metrics.identical_prefix) + " of " + std::to_string(*metrics.tokens));
  out.add("token agreement", metrics.token_agreement, bounds.min_token_agreement, true);
  out.add("logit cosine", metrics.logit_cosine, bounds.min_logit_cosine, true);
  out.add("KL", metrics.kl, bounds.max_kl);
  out.add("top-1", metrics.top1_agreement, bounds.min_top1_agreement, true);
  out.add("top-5", metrics.top5_agreement, bounds.min_top5_agreement, true);
  if (metrics.original_perplexity && metrics.quantized_perplexity) {
    out.add_text("perplexity",
                 "from " + number(*metrics.original_perplexity) + " to " + number(*metrics.quantized_perplexity));
    out.add("ratio", *metrics.quantized_perplexity / *metrics.original_perplexity, bounds.max_perplexity_ratio);
  }
  if (metrics.original_accuracy && metrics.quantized_accuracy) {
    out.add_text("accuracy", "from " + html::percent(*metrics.original_accuracy) + " to " +
                                 html::percent(*metrics.quantized_accuracy));
    out.add("drop", *metrics.original_accuracy - *metrics.quantized_accuracy, bounds.max_accuracy_drop);
  }
  out.add("cache difference", metrics.original_cache_difference, bounds.max_cache_difference);
  out.add("of quantized", metrics.quantized_cache_difference, bounds.max_cache_difference_quantized);
  for (const Measurement& entry : metrics.further) out.add_text(entry.what, number(entry.value), entry.where);
  return out.take();
}

struct Look {
  const char* kind;
  const char* word;
};

Look look_of(StepStatus status) {
  switch (status) {
    case StepStatus::passed:
      return {"good", "\xE2\x9C\x93 passed"};
    case StepStatus::failed:
      return {"wrong", "\xE2\x9C\x97 failed"};
    case StepStatus::skipped:
      return {"harmless", "skipped"};
    case StepStatus::not_judged:
      return {"wrong", "\xE2\x9C\x97 not judged"};
    case StepStatus::not_reached:
      break;
  }
  return {"same", "not reached"};
}

}  // namespace

std::string steps_html(const VerifyResult& verify) {
  if (verify.steps.empty()) return "";
  std::string out =
      "<p>From simple to hard; each figure stands beside the bound that it must keep, and opens to say what it "
      "means.</p>\n<ol class=\"card steps\">\n";
  for (const StepResult& step : verify.steps) {
    const Look look = look_of(step.status);
    out += "<li><div class=\"step\">" + html::tag(look.kind, look.word) + "<b>" + escaped(step.title) + "</b>" +
           html::code(step.name);
    if (step.status != StepStatus::skipped && step.status != StepStatus::not_reached)
      out += "<span class=\"count\">" + html::seconds_text(step.seconds) + "</span>";
    out += "</div>";
    for (const StepFailure& failure : step.failures) out += "<p class=\"failure\">" + escaped(failure.line()) + "</p>";
    if (!step.note.empty()) out += "<p class=\"soft\">" + escaped(step.note) + "</p>";
    const std::string metrics = metrics_html(step);
    if (!metrics.empty()) out += "<div class=\"metrics\">" + metrics + "</div>";
    out += "</li>\n";
  }
  return out + "</ol>\n";
}

}  // namespace octavo::report
