#include <algorithm>
#include <array>
#include <cctype>
#include <optional>
#include <utility>

#include "octavo/evaluation.hpp"

namespace octavo {
namespace {

std::string to_lower(std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](unsigned char c) { return c < 0x80 ? static_cast<char>(std::tolower(c)) : static_cast<char>(c); });
  return lower;
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// The first four integers of an answer such as `{"bbox_2d": [10, 20, 110, 220]}`; digits inside words ("bbox_2d") do
/// not count.
std::optional<Box> first_box(std::string_view text) {
  Box box{};
  std::size_t found = 0;
  for (std::size_t i = 0; i < text.size() && found < box.size();) {
    const bool in_word = i > 0 && (std::isalnum(static_cast<unsigned char>(text[i - 1])) != 0 || text[i - 1] == '_');
    if (!is_digit(text[i]) || in_word) {
      ++i;
      continue;
    }
    double value = 0;
    const bool negative = i > 0 && text[i - 1] == '-';
    for (; i < text.size() && is_digit(text[i]); ++i) {
      value = value * 10 + (text[i] - '0');
    }
    if (i + 1 < text.size() && text[i] == '.' && is_digit(text[i + 1])) {
      for (++i; i < text.size() && is_digit(text[i]); ++i) {
      }
    }
    box[found++] = negative ? -value : value;
  }
  if (found < box.size()) {
    return std::nullopt;
  }
  return box;
}

double area(const Box& box) { return std::max(0.0, box[2] - box[0]) * std::max(0.0, box[3] - box[1]); }

double intersection_over_union(const Box& a, const Box& b) {
  const Box common{std::max(a[0], b[0]), std::max(a[1], b[1]), std::min(a[2], b[2]), std::min(a[3], b[3])};
  const double shared = area(common);
  const double joined = area(a) + area(b) - shared;
  return joined > 0 ? shared / joined : 0;
}

bool is_grounding(std::string_view task) { return to_lower(task).find("ground") != std::string::npos; }

std::string normalised(std::string_view text) {
  const auto is_space = [](char c) { return std::isspace(static_cast<unsigned char>(c)) != 0; };
  const auto trim = [&] {
    while (!text.empty() && is_space(text.front())) {
      text.remove_prefix(1);
    }
    while (!text.empty() && is_space(text.back())) {
      text.remove_suffix(1);
    }
  };
  trim();
  if (text.ends_with('.')) {
    text.remove_suffix(1);
    trim();
  }
  return to_lower(text);
}

}  // namespace

std::optional<Box> answer_box(std::string_view task, std::string_view answer) {
  return is_grounding(task) ? first_box(answer) : std::nullopt;
}

AnswerScore score_answer(std::string_view task, std::string_view expected, std::string_view actual) {
  if (is_grounding(task)) {
    const auto want = first_box(expected);
    const auto got = first_box(actual);
    const double iou = want && got ? intersection_over_union(*want, *got) : 0;
    return {iou >= 0.5, iou};
  }
  return {normalised(expected) == normalised(actual), 0};
}

SampleResult score_sample(const Sample& sample, const ModelInput& input, std::string original, std::string quantized) {
  SampleResult result;
  result.id = sample.id;
  result.task = sample.task;
  result.prompt = sample.prompt;
  result.images = sample.images;
  result.decode = sample.decode;
  for (const PixelPatches& image : input.images) result.image_sizes.push_back(image.resized);
  result.expected = sample.answer;
  result.original_box = answer_box(sample.task, original);
  result.quantized_box = answer_box(sample.task, quantized);
  if (!sample.answer.empty()) {
    result.expected_box = answer_box(sample.task, sample.answer);
    const AnswerScore a = score_answer(sample.task, sample.answer, original);
    const AnswerScore b = score_answer(sample.task, sample.answer, quantized);
    result.original_right = a.right;
    result.quantized_right = b.right;
    result.original_iou = a.iou;
    result.quantized_iou = b.iou;
  }
  result.original = std::move(original);
  result.quantized = std::move(quantized);
  return result;
}

}  // namespace octavo
