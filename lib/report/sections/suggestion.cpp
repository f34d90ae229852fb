#include "html.hpp"
#include "octavo/quant.hpp"
#include "sections.hpp"

namespace octavo::report {
namespace {

using html::escaped;
using html::number;

std::string metric_row(const char* name, const std::optional<double>& before, const std::optional<double>& after) {
  if (!before && !after) return "";
  const auto cell = [](const std::optional<double>& value) { return value ? number(*value) : std::string("-"); };
  return "<tr><td>" + std::string(name) + "</td><td>" + cell(before) + "</td><td>" + cell(after) + "</td></tr>\n";
}

std::string before_after(const Suggestion& suggestion) {
  const StepMetrics &before = suggestion.before, &after = suggestion.after;
  return "<div class=\"scroll\"><table class=\"figures\"><thead><tr><th></th><th>as it is</th><th>as "
         "suggested</th></tr></thead><tbody>\n" +
         metric_row("KL, nats", before.kl, after.kl) +
         metric_row("token agreement", before.token_agreement, after.token_agreement) +
         metric_row("logit cosine", before.logit_cosine, after.logit_cosine) +
         metric_row("top-1 agreement", before.top1_agreement, after.top1_agreement) +
         metric_row("accuracy", before.quantized_accuracy, after.quantized_accuracy) + "</tbody></table></div>";
}

std::string list(const std::vector<std::string>& lines, bool as_code) {
  std::string out = "<ul>";
  for (const std::string& line : lines) out += "<li>" + (as_code ? html::code(line) : escaped(line)) + "</li>";
  return out + "</ul>";
}

}  // namespace

std::string suggestion_html(const Suggestion& suggestion) {
  // Without a model that was run there is no search to report: it was not asked for, or not needed.
  std::string out = "<div class=\"card\">";
  switch (suggestion.status) {
    case SuggestionStatus::not_needed:
      if (suggestion.variants == 0 && suggestion.missed.empty() && !suggestion.before.kl) return "";
      return out + "<p>" + html::tag("good", "not needed") +
             " The quantized model meets the bounds on these samples.</p></div>\n";
    case SuggestionStatus::out_of_reach:
      return out + "<p>" + html::tag("wrong", "out of reach") +
             " The bounds are missed even with every linear as in the original: the loss is outside the int8 "
             "linears.</p>" +
             list(suggestion.missed, false) + "</div>\n";
    case SuggestionStatus::found:
      break;
  }
  const bool w8a16 = suggestion.scheme != Scheme::skip;
  out += "<p>" + html::tag("good", "found") + " " +
         (w8a16 ? "Keep in W8A16 (int8 weights, float activations): " : "Leave in float: ") +
         html::plural(static_cast<std::int64_t>(suggestion.groups.size()), "module group") + ", " +
         html::percent(suggestion.share_of_multiplies) + " of the int8 multiplications. The search ran " +
         html::plural(suggestion.variants, "model") + " on the samples.</p>";
  out += list(suggestion.groups, true);
  if (!suggestion.missed.empty()) out += "<p>What the model misses as it is:</p>" + list(suggestion.missed, false);
  out += before_after(suggestion);
  out += "<details><summary>The recipe, to quantize with again</summary><pre>" +
         escaped(suggestion.recipe.to_json().dump(2)) + "</pre></details></div>\n";
  return out;
}

}  // namespace octavo::report
