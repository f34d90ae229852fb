// What the steps ask: the samples' own questions and pictures where there are any, so that they suit the model.
#include <algorithm>
#include <array>
#include <utility>

#include "verification.hpp"

namespace octavo::detail {
namespace {

constexpr std::array<const char*, 4> kQuestions{"What is the capital of France?", "Name three colours.",
                                                "How many legs does a spider have?",
                                                "Write one sentence about the sea."};
constexpr const char* kPictureQuestion = "What is in this picture?";

std::vector<std::string> questions(const Verification& verification) {
  std::vector<std::string> distinct;
  const auto take = [&](const std::string& prompt) {
    if (!prompt.empty() && static_cast<std::int64_t>(distinct.size()) < verification.profile.prompts &&
        std::find(distinct.begin(), distinct.end(), prompt) == distinct.end())
      distinct.push_back(prompt);
  };
  for (const Sample& sample : verification.samples) take(sample.prompt);
  if (distinct.empty())
    for (const char* question : kQuestions) take(question);
  return distinct;
}

bool same_pixels(const PixelPatches& a, const PixelPatches& b) {
  if (a.grid.t != b.grid.t || a.grid.h != b.grid.h || a.grid.w != b.grid.w) return false;
  const auto x = a.pixel_values.values<float>();
  const auto y = b.pixel_values.values<float>();
  return std::equal(x.begin(), x.end(), y.begin(), y.end());
}

std::string grid_text(const Grid& grid) {
  return std::to_string(grid.t) + " x " + std::to_string(grid.h) + " x " + std::to_string(grid.w) + " patches";
}

}  // namespace

ModelInput prepare_both(Verification& verification, StepResult& step, std::string_view prompt,
                        std::span<const Image> images) {
  ChatMessage message;
  message.role = "user";
  message.parts.assign(images.size(), ChatPart{ChatPart::Kind::image, {}});
  message.parts.push_back({ChatPart::Kind::text, std::string(prompt)});
  return prepare_both(verification, step, {&message, 1}, images);
}

ModelInput prepare_both(Verification& verification, StepResult& step, std::span<const ChatMessage> messages,
                        std::span<const Image> images) {
  ModelInput input = verification.original->prepare(messages, images);
  const ModelInput other = verification.quantized->prepare(messages, images);
  for (std::size_t i = 0; i < input.images.size(); ++i) {
    if (same_pixels(input.images[i], other.images[i])) continue;
    verification.evidence.pictures_differ = true;
    const Grid& a = input.images[i].grid;
    const Grid& b = other.images[i].grid;
    const bool same_grid = a.h == b.h && a.w == b.w;
    step.failures.push_back({Expectation::same_input, "picture " + std::to_string(i) + " as prepared by both",
                             "the same patches",
                             same_grid ? "other pixel values" : grid_text(a) + " and " + grid_text(b)});
    return input;
  }
  if (input.ids != other.ids) {
    const std::int64_t at = identical_prefix(input.ids, other.ids);
    step.failures.push_back({Expectation::same_input, "token ids of a prompt by both tokenizers",
                             std::to_string(input.ids.size()) + " equal ids",
                             std::to_string(other.ids.size()) + " ids, the first other one at " + std::to_string(at)});
  }
  return input;
}

const std::vector<ModelInput>& text_prompts(Verification& verification) {
  if (verification.text_prompts) return *verification.text_prompts;
  std::vector<ModelInput> prompts;
  for (const std::string& question : questions(verification)) {
    ModelInput input = verification.original->prepare(question, {});
    if (room(verification, input) > 0) prompts.push_back(std::move(input));
  }
  if (prompts.empty())
    throw Error(ErrorCode::invalid_argument, "every text prompt fills the context of " +
                                                 std::to_string(verification.original->max_position_embeddings()) +
                                                 " positions: put a shorter one first in the samples");
  return verification.text_prompts.emplace(std::move(prompts));
}

std::string picture_question(const Verification& verification) {
  const bool has_own = !verification.samples.empty() && !verification.samples.front().prompt.empty();
  return has_own ? verification.samples.front().prompt : kPictureQuestion;
}

std::vector<ModelInput> picture_prompts(Verification& verification, StepResult& step, std::size_t limit) {
  std::vector<ModelInput> prompts;
  if (!verification.original->takes_pictures()) return prompts;
  for (const Sample& sample : verification.samples) {
    if (sample.images.empty() || prompts.size() == limit) continue;
    std::vector<Image> images;
    try {
      images = load_images(sample);
    } catch (const Error& error) {
      throw InputError(error.with_context(sample.name()));
    }
    ModelInput input =
        in_context(sample.name(), [&] { return prepare_both(verification, step, messages_of(sample), images); });
    if (room(verification, input) > 0) prompts.push_back(std::move(input));
  }
  if (prompts.empty()) {
    const Image picture = synthetic_picture(112, 140, 0);
    prompts.push_back(prepare_both(verification, step, picture_question(verification), {&picture, 1}));
  }
  return prompts;
}

std::int64_t room(const Verification& verification, const ModelInput& prompt) {
  const std::int64_t context =
      std::min(verification.original->max_position_embeddings(), verification.quantized->max_position_embeddings());
  return context - static_cast<std::int64_t>(prompt.ids.size());
}

Image synthetic_picture(std::int64_t height, std::int64_t width, int pattern) {
  Image image{height, width, {}};
  image.rgb.reserve(static_cast<std::size_t>(3 * height * width));
  const auto shade = [](std::int64_t part, std::int64_t whole) {
    return static_cast<std::uint8_t>(whole > 1 ? 255 * part / (whole - 1) : 128);
  };
  for (std::int64_t y = 0; y < height; ++y) {
    for (std::int64_t x = 0; x < width; ++x) {
      std::array<std::uint8_t, 3> rgb{};
      if (pattern == 2) {
        rgb.fill(x % 2 == 0 ? 255 : 0);
      } else if (pattern == 1) {
        const bool dark = (y / 9 + x / 9) % 2 == 0;
        rgb = dark ? std::array<std::uint8_t, 3>{40, 60, 200} : std::array<std::uint8_t, 3>{240, 220, 120};
      } else {
        const std::int64_t dy = 2 * y - height;
        const std::int64_t dx = 2 * x - width;
        const std::int64_t radius = std::min(height, width) / 2;
        rgb = dy * dy + dx * dx < radius * radius ? std::array<std::uint8_t, 3>{220, 30, 30}
                                                  : std::array<std::uint8_t, 3>{shade(x, width), shade(y, height), 160};
      }
      image.rgb.insert(image.rgb.end(), rgb.begin(), rgb.end());
    }
  }
  return image;
}

}  // namespace octavo::detail
