// Pictures: one as the samples have it, then odd sizes made here, alone and several in one prompt.
#include <algorithm>
#include <array>
#include <utility>

#include "verification.hpp"

namespace octavo::detail {
namespace {

/// Nothing to look at.
bool skipped_without_tower(const Verification& verification, StepResult& step) {
  if (verification.original->takes_pictures()) return false;
  step.status = StepStatus::skipped;
  step.note = "the model takes no pictures";
  return true;
}

constexpr std::int64_t kShortAnswer = 16;
constexpr std::size_t kPicturePrompts = 2;

struct OddPicture {
  std::int64_t height, width;
  int pattern;
};
// Sides that no patch divides, wide and tall, one larger than an attention window, detail finer than a patch.
constexpr std::array kOddPictures{OddPicture{29, 83, 0}, OddPicture{56, 140, 1}, OddPicture{199, 31, 0},
                                  OddPicture{64, 64, 2}, OddPicture{1, 1, 0}};

/// What leaves the merger, the original's against the quantized model's.
void measure_vision(Verification& verification, StepResult& step, const std::vector<ModelInput>& prompts) {
  OutputError error;
  for (const ModelInput& prompt : prompts) {
    error.add(verification.original->encode_images(prompt), verification.quantized->encode_images(prompt));
    verification.steps.check_cancelled();
  }
  step.metrics.further.push_back({"vision rows' relative error", "", error.relative()});
}

void answer_and_compare(Verification& verification, StepResult& step, const ModelInput& prompt,
                        LogitComparison& logits) {
  verification.evidence.note(prompt, 0);
  const GenerateResult a = generate(verification, false, prompt, {.max_new_tokens = kShortAnswer});
  verification.steps.advance();
  const GenerateResult b = generate(verification, true, prompt, {.max_new_tokens = kShortAnswer});
  verification.steps.advance();
  step.metrics.add_answers(a.tokens, b.tokens);
  const ForcedRun run = forced_run(verification, prompt, a.tokens);
  logits.add(compare_rows(verification, step, run, first_row_after_pictures(verification, prompt)));
  expect_greedy(verification, step, run, false);
}

}  // namespace

void step_image(Verification& verification, StepResult& step) {
  if (skipped_without_tower(verification, step)) return;
  const std::vector<ModelInput> prompts = picture_prompts(verification, step, kPicturePrompts);
  LogitComparison logits;
  for (const ModelInput& prompt : prompts) answer_and_compare(verification, step, prompt, logits);
  step.metrics.set_logits(logits);
  measure_vision(verification, step, prompts);
}

void step_images(Verification& verification, StepResult& step) {
  if (skipped_without_tower(verification, step)) return;
  const std::string question = picture_question(verification);
  std::vector<Image> pictures;
  std::vector<ModelInput> prompts;
  LogitComparison logits;
  for (const OddPicture& odd : kOddPictures) {
    pictures.push_back(synthetic_picture(odd.height, odd.width, odd.pattern));
    ModelInput prompt = in_context(std::to_string(odd.height) + " x " + std::to_string(odd.width) + " picture", [&] {
      return prepare_both(verification, step, question, {&pictures.back(), 1});
    });
    if (room(verification, prompt) < 1) continue;
    verification.evidence.note(prompt, 0);
    const ForcedRun run = forced_run(verification, prompt, {});
    logits.add(compare_rows(verification, step, run, first_row_after_pictures(verification, prompt)));
    prompts.push_back(std::move(prompt));
  }
  // As many pictures in one prompt as the context has room for.
  while (pictures.size() > 1) {
    ModelInput prompt = prepare_both(verification, step, question, pictures);
    if (room(verification, prompt) >= kShortAnswer) {
      answer_and_compare(verification, step, prompt, logits);
      prompts.push_back(std::move(prompt));
      break;
    }
    pictures.pop_back();
  }
  step.metrics.set_logits(logits);
  if (prompts.empty()) {
    step.status = StepStatus::skipped;
    step.note = "the context has no room for a picture";
    return;
  }
  measure_vision(verification, step, prompts);
}

}  // namespace octavo::detail
