#include <algorithm>
#include <cmath>

#include "html.hpp"
#include "sections.hpp"
#include "words.hpp"

namespace octavo::report {
namespace {

using html::escaped;
using html::number;
using html::percent;

std::int64_t count(const VerifyResult& verify, StepStatus status) {
  return std::count_if(verify.steps.begin(), verify.steps.end(),
                       [&](const StepResult& step) { return step.status == status; });
}

std::string list(const char* element, const std::vector<std::string>& lines) {
  std::string out = std::string("<") + element + ">";
  for (const std::string& line : lines) out += "<li>" + escaped(line) + "</li>";
  return out + "</" + element + ">";
}

std::string diagnosis_html(const Diagnosis& diagnosis) {
  std::string out = "<div class=\"card diagnosis\"><h3>Diagnosis " +
                    html::tag("wrong", diagnosis_kind_name(diagnosis.kind)) + "</h3><p>Step " +
                    html::code(diagnosis.step) + " expected <b>" + escaped(diagnosis.expected) + "</b> and saw <b>" +
                    escaped(diagnosis.seen) + "</b>.";
  if (!diagnosis.module.empty()) out += " At fault: " + html::code(diagnosis.module) + ".";
  out += "</p><div class=\"pair\">";
  if (!diagnosis.causes.empty())
    out += "<div><h4>Likely causes, likeliest first</h4>" + list("ol", diagnosis.causes) + "</div>";
  if (!diagnosis.next.empty()) out += "<div><h4>What to do</h4>" + list("ol", diagnosis.next) + "</div>";
  out += "</div>";
  if (!diagnosis.measurements.empty()) {
    out += "<details><summary>" +
           html::plural(static_cast<std::int64_t>(diagnosis.measurements.size()), "measurement") +
           " behind it</summary><div class=\"scroll\"><table class=\"figures\"><thead><tr><th>what</th><th>where</th>"
           "<th>value</th></tr></thead><tbody>\n";
    for (const Measurement& entry : diagnosis.measurements)
      out += "<tr><td>" + escaped(entry.what) + "</td><td>" + html::code(entry.where) + "</td><td>" +
             number(entry.value) + "</td></tr>\n";
    out += "</tbody></table></div></details>";
  }
  return out + "</div>\n";
}

std::string capitalised(std::string text) {
  if (!text.empty() && text[0] >= 'a' && text[0] <= 'z') text[0] = static_cast<char>(text[0] - 'a' + 'A');
  return text;
}

struct Tile {
  std::string_view metric;  // whose meaning stands behind the label
  std::string label, value, note;
  bool missed = false;
  std::string more = {};  // markup
  bool wide = false;
};

std::string tile_html(const Tile& tile) {
  return "<div class=\"card tile" + std::string(tile.missed ? " missed" : "") + (tile.wide ? " wide" : "") + "\">" +
         explained(tile.metric, "<b>" + escaped(tile.label) + "</b>") + "<strong>" + tile.value + "</strong><span>" +
         escaped(tile.note) + (tile.missed ? " &#10007; missed" : "") + "</span>" + tile.more + "</div>\n";
}

std::string change(const std::string& before, const std::string& after) {
  return before == after ? escaped(after)
                         : "<i>" + escaped(before) + " <span aria-label=\"to\">&rarr;</span></i> " + escaped(after);
}

std::string ratio(double after, double before, const char* what) {
  return before > 0 && std::isfinite(after) ? percent(after / before) + " " + what : "";
}

std::string bound_note(const char* word, std::optional<double> bound) {
  return bound ? std::string(word) + " " + number(*bound) : "";
}

/// How sure the shares are, and whether the samples can tell the two models apart.
std::string confidence_html(const AccuracyComparison& accuracy) {
  const double change = static_cast<double>(accuracy.counts.second_only - accuracy.counts.first_only) /
                        static_cast<double>(accuracy.counts.total());
  const bool told_apart = accuracy.drop.low > 0 || accuracy.drop.high < 0;
  const std::string head = confidence_text() + " confidence: original " + interval_text(accuracy.original) +
                           ", quantized " + interval_text(accuracy.quantized);
  return explained("interval", escaped(head)) + "<span>A change of " + points_text(change) + ", between " +
         points_text(-accuracy.drop.high) + " and " + points_text(-accuracy.drop.low) + "; " +
         html::plural(accuracy.counts.first_only, "answer") + " lost, " + std::to_string(accuracy.counts.second_only) +
         " gained (p = " + number(accuracy.p) + "). " +
         (told_apart ? "" : "These samples cannot tell it from no difference.") + "</span>";
}

void add_evaluation(const VerifyResult& verify, std::vector<Tile>& tiles) {
  if (verify.samples == 0) {
    tiles.push_back({"accuracy", "Right answers", "<i>not measured</i>", why_no_evaluation(verify), false, "", true});
    return;
  }
  const VerifyThresholds& bounds = verify.thresholds;
  if (!verify.tasks.empty()) {
    const double drop = verify.original_accuracy - verify.quantized_accuracy;
    tiles.push_back({"accuracy", "Right answers",
                     change(percent(verify.original_accuracy), percent(verify.quantized_accuracy)),
                     bounds.max_accuracy_drop ? "may drop by " + percent(*bounds.max_accuracy_drop) : "",
                     bounds.max_accuracy_drop && !(drop <= *bounds.max_accuracy_drop),
                     verify.accuracy ? confidence_html(*verify.accuracy) : "", true});
  }
  tiles.push_back({"KL", "KL divergence, nats", number(verify.kl), bound_note("at most", bounds.max_kl),
                   bounds.max_kl && !(verify.kl <= *bounds.max_kl)});
  tiles.push_back({"token agreement", "Token agreement", percent(verify.token_agreement),
                   bounds.min_token_agreement ? "at least " + percent(*bounds.min_token_agreement) : "",
                   bounds.min_token_agreement && !(verify.token_agreement >= *bounds.min_token_agreement)});
  const DecodingSpeed& speed = verify.speed;
  if (speed.compared)
    tiles.push_back({"decoding", "Decoding, tokens/s",
                     change(number(std::round(speed.original_tokens_per_second)),
                            number(std::round(speed.quantized_tokens_per_second))),
                     ratio(speed.quantized_tokens_per_second, speed.original_tokens_per_second, "of the speed"), false,
                     "<span>" + escaped(speed.why) + "</span>"});
  else if (!speed.why.empty())
    tiles.push_back({"decoding", "Decoding, tokens/s", "<i>not compared</i>", "because " + speed.why});
}

}  // namespace

std::string why_no_evaluation(const VerifyResult& verify) {
  for (const StepResult& step : verify.steps)
    if (step.name == "evaluation" && step.status == StepStatus::not_reached)
      return "The evaluation was not reached: a step before it failed.";
  return "The evaluation was skipped: no samples were given. With --samples FILE the page says how well the quantized "
         "model answers, and where its error is.";
}

std::string verdict_html(const Report& report) {
  const VerifyResult& verify = report.verify;
  const std::int64_t passed = count(verify, StepStatus::passed), skipped = count(verify, StepStatus::skipped);
  const std::int64_t steps = static_cast<std::int64_t>(verify.steps.size());
  std::string facts = std::to_string(passed) + " of " + html::plural(steps, "step") + " passed";
  if (skipped > 0) facts += ", " + std::to_string(skipped) + " skipped";
  if (verify.samples > 0) facts += "; " + html::plural(verify.samples, "sample");
  if (!verify.profile.name.empty()) facts += "; profile " + verify.profile.name;
  std::string out = "<div class=\"card verdict" + std::string(verify.passed ? "" : " bad") + "\"><strong>" +
                    (verify.passed             ? "&#10003; Passed: the quantized model answers like the original"
                     : verify.failures.empty() ? "&#10007; Cannot judge: the original itself does not answer right"
                                               : "&#10007; " + escaped(capitalised(verify.verdict()))) +
                    "</strong><span>" + escaped(facts) + "</span></div>\n";
  if (!verify.not_judged.empty()) out += "<div class=\"card find\"><p>" + escaped(verify.not_judged) + "</p></div>\n";
  if (verify.failures.size() > 1)
    out += "<div class=\"card find\"><details><summary>" +
           html::plural(static_cast<std::int64_t>(verify.failures.size()) - 1, "further failure") + "</summary>" +
           list("ul", {verify.failures.begin() + 1, verify.failures.end()}) + "</details></div>\n";
  if (verify.diagnosis) out += diagnosis_html(*verify.diagnosis);
  out += "<div class=\"sides\"><div class=\"card\"><b>Original</b>" + html::code(report.original_dir) +
         "</div><div class=\"card\"><b>Quantized</b>" + html::code(report.quantized_dir) + "</div></div>\n";
  return out;
}

std::string figures_html(const Report& report) {
  const VerifyResult& verify = report.verify;
  std::vector<Tile> tiles;
  std::uint64_t before = verify.original_bytes, after = verify.quantized_bytes;
  if (before == 0 && report.compare) {
    before = report.compare->original_bytes;
    after = report.compare->quantized_bytes;
  }
  if (before > 0)
    tiles.push_back({"size", "Size", change(html::size_text(before), html::size_text(after)),
                     ratio(static_cast<double>(after), static_cast<double>(before), "of the original")});
  add_evaluation(verify, tiles);
  if (report.memory && report.memory->original_decode > 0)
    tiles.push_back(
        {"memory", "Memory, by plan",
         change(html::size_text(report.memory->original_decode), html::size_text(report.memory->quantized_decode)),
         "after " + html::plural(report.memory->prompt_tokens, "prompt token") + " and " +
             std::to_string(report.memory->max_new_tokens) + " new ones"});
  if (tiles.empty()) return "";
  std::string out = "<div class=\"tiles\">";
  for (const Tile& tile : tiles) out += tile_html(tile);
  return out + "</div>\n";
}

}  // namespace octavo::report
