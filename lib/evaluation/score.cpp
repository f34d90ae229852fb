#include <algorithm>
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

double area(const Box& box) { return std::max(0.0, box[2] - box[0]) * std::max(0.0, box[3] - box[1]); }

double intersection_over_union(const Box& a, const Box& b) {
  const Box common{std::max(a[0], b[0]), std::max(a[1], b[1]), std::min(a[2], b[2]), std::min(a[3], b[3])};
  const double shared = area(common);
  const double joined = area(a) + area(b) - shared;
  return joined > 0 ? shared / joined : 0;
}

AnswerScore score_boxes(const std::optional<Box>& expected, const std::optional<Box>& actual) {
  const double iou = expected && actual ? intersection_over_union(*expected, *actual) : 0;
  return {iou >= 0.5, iou};
}

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

bool is_grounding(std::string_view task, std::string_view expected) {
  return to_lower(task).find("ground") != std::string::npos || is_box_answer(expected);
}

AnswerScore score_answer(std::string_view task, std::string_view expected, std::string_view actual) {
  if (is_grounding(task, expected)) return score_boxes(box_in(expected), box_in(actual));
  return {normalised(answer_part(expected)) == normalised(answer_part(actual)), 0};
}

SampleResult score_sample(const Sample& sample, const ModelInput& input, std::string original, std::string quantized,
                          BoxSpace boxes) {
  SampleResult result;
  result.id = sample.id;
  result.task = sample.task;
  result.prompt = sample.prompt;
  result.images = sample.images;
  result.decode = sample.decode;
  result.boxes = boxes;
  for (const PixelPatches& image : input.images) result.image_sizes.push_back({image.original, image.resized});
  result.expected = sample.answer;
  const auto score = [&](const std::string& answer, std::optional<Box>& box, bool& right, double& iou) {
    if (!is_grounding(sample.task, sample.answer)) {
      right = !sample.answer.empty() && score_answer(sample.task, sample.answer, answer).right;
      return;
    }
    const auto scale = boxes == BoxSpace::original ? common_scale(result.image_sizes) : std::nullopt;
    box = box_in(answer);
    if (box && scale) box = to_original(*box, *scale);
    result.expected_box = box_in(sample.answer);
    const AnswerScore scored = score_boxes(result.expected_box, box);
    right = scored.right;
    iou = scored.iou;
  };
  score(original, result.original_box, result.original_right, result.original_iou);
  score(quantized, result.quantized_box, result.quantized_right, result.quantized_iou);
  result.original = std::move(original);
  result.quantized = std::move(quantized);
  return result;
}

}  // namespace octavo
