#include "words.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "html.hpp"

namespace octavo::report {
namespace {

struct Meaning {
  std::string_view metric, text;
};

constexpr std::array kMeanings{
    Meaning{"same tokens", "How many tokens of the two greedy answers agree before the first that differs."},
    Meaning{"token agreement",
            "The mean over the answers of the part, counted from the beginning, that is the same in both. One close "
            "call early in an answer makes all that follows count as different."},
    Meaning{"logit cosine",
            "The angle between the two models' scores of all tokens at the same place of the same text. 1 is the same "
            "direction; below about 0.99 the most likely tokens begin to change."},
    Meaning{"KL",
            "Kullback-Leibler divergence: how far the quantized model's probabilities of the next token are from the "
            "original's, in nats, while both read the original's answer. 0 is the same; 0.05 is hard to notice."},
    Meaning{"top-1", "Of the places in the text, the share where both models find the same next token most likely."},
    Meaning{"top-5", "The share of the original's five most likely next tokens that are among the quantized model's."},
    Meaning{"perplexity",
            "How surprised each model is by the original's answer; 1 is not at all. The quantized model should not be "
            "much more surprised."},
    Meaning{"ratio", "The quantized model's perplexity over the original's: 1.15 is 15 % more surprised."},
    Meaning{"accuracy",
            "The share of the samples answered right. A box is right when it overlaps the expected one by half (IoU "
            "0.5); other answers when they are equal."},
    Meaning{"drop", "How much smaller the quantized model's share of right answers is than the original's."},
    Meaning{"cache difference",
            "How far the original's last scores with a cache are from those without one: rounding alone, so next to "
            "nothing. More means that positions or the cache are wrong, not the quantization."},
    Meaning{"of quantized",
            "The same of the quantized model, where rounding can move an activation by a whole int8 step."},
    Meaning{"vision rows' relative error",
            "How far what the vision tower hands to the language model is from the original's, relative to its size."},
    Meaning{"KL in the first half", "KL of the first half of a long answer, to compare with the second."},
    Meaning{"KL in the second half", "KL of the second half: much larger than the first's means that errors gather."},
    Meaning{"logits in a batch against alone",
            "How far a prompt's scores in a batch are from those it gets alone: rounding, so next to nothing."},
    Meaning{"size", "Bytes of all tensors on disk."},
    Meaning{"memory",
            "What weights, cache and activations take while the last token is made, computed from the model's shapes, "
            "not measured."},
    Meaning{"decoding", "Tokens of an answer per second, after the prompt was read; one prompt at a time."},
    Meaning{"interval",
            "With few samples a share is uncertain: 95 of 100 such intervals hold the true one. Of one model: Wilson's "
            "score interval. Of the difference: Newcombe's for paired samples. p is McNemar's exact test: how likely "
            "so uneven a split would be if neither model was better."}};

}  // namespace

std::string_view meaning(std::string_view metric) {
  const auto found =
      std::find_if(kMeanings.begin(), kMeanings.end(), [&](const Meaning& entry) { return entry.metric == metric; });
  return found == kMeanings.end() ? std::string_view() : found->text;
}

std::string explained(std::string_view metric, const std::string& markup, std::string_view look) {
  const std::string_view text = meaning(metric);
  const std::string kind = "metric" + (look.empty() ? "" : " " + std::string(look));
  if (text.empty()) return "<span class=\"" + kind + "\">" + markup + "</span> ";
  return "<details class=\"" + kind + "\"><summary title=\"" + html::escaped(text) + "\">" + markup + "</summary><p>" +
         html::escaped(text) + "</p></details> ";
}

std::string confidence_text() { return html::fixed(100 * kConfidence, 1) + "\xC2\xA0%"; }

std::string interval_text(const Interval& interval) {
  return html::percent(interval.low) + " to " + html::percent(interval.high);
}

std::string points_text(double share) {
  const std::string points = (share > 0 ? "+" : "") + html::fixed(100 * share, 1);
  return points + (points == "+1" || points == "-1" ? " point" : " points");
}

}  // namespace octavo::report
