// Pictures: one as the samples have it, then odd sizes made here, alone and several in one prompt.
#include <algorithm>
#include <array>
#include <utility>

#include "ladder.hpp"

namespace octavo::pipeline {
namespace {

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
void measure_vision(Climb& climb, RungResult& rung, const std::vector<ModelInput>& prompts) {
  OutputError error;
  for (const ModelInput& prompt : prompts) {
    error.add(climb.original->encode_images(prompt), climb.quantized->encode_images(prompt));
    climb.steps.check_cancelled();
  }
  rung.metrics.further.push_back({"vision rows' relative error", "", error.relative()});
}

void answer_and_compare(Climb& climb, RungResult& rung, const ModelInput& prompt, LogitComparison& logits) {
  climb.evidence.note(prompt, 0);
  const GenerateResult a = generate(climb, false, prompt, {.max_new_tokens = kShortAnswer});
  climb.steps.advance();
  const GenerateResult b = generate(climb, true, prompt, {.max_new_tokens = kShortAnswer});
  climb.steps.advance();
  add_answers(rung.metrics, a.tokens, b.tokens);
  const ForcedRun run = forced_run(climb, prompt, a.tokens);
  logits.add(compare_rows(climb, rung, run, first_row_after_pictures(climb, prompt)));
  expect_greedy(climb, rung, run, false);
}

}  // namespace

void climb_image(Climb& climb, RungResult& rung) {
  const std::vector<ModelInput> prompts = picture_prompts(climb, rung, kPicturePrompts);
  LogitComparison logits;
  for (const ModelInput& prompt : prompts) answer_and_compare(climb, rung, prompt, logits);
  set_logit_metrics(rung.metrics, logits);
  measure_vision(climb, rung, prompts);
}

void climb_images(Climb& climb, RungResult& rung) {
  const std::string question = picture_question(climb);
  std::vector<Image> pictures;
  std::vector<ModelInput> prompts;
  LogitComparison logits;
  for (const OddPicture& odd : kOddPictures) {
    pictures.push_back(synthetic_picture(odd.height, odd.width, odd.pattern));
    ModelInput prompt = in_context(std::to_string(odd.height) + " x " + std::to_string(odd.width) + " picture", [&] {
      return prepare_both(climb, rung, question, {&pictures.back(), 1});
    });
    if (room(climb, prompt) < 1) continue;
    climb.evidence.note(prompt, 0);
    const ForcedRun run = forced_run(climb, prompt, {});
    logits.add(compare_rows(climb, rung, run, first_row_after_pictures(climb, prompt)));
    prompts.push_back(std::move(prompt));
  }
  // As many pictures in one prompt as the context has room for.
  while (pictures.size() > 1) {
    ModelInput prompt = prepare_both(climb, rung, question, pictures);
    if (room(climb, prompt) >= kShortAnswer) {
      answer_and_compare(climb, rung, prompt, logits);
      prompts.push_back(std::move(prompt));
      break;
    }
    pictures.pop_back();
  }
  set_logit_metrics(rung.metrics, logits);
  if (prompts.empty()) {
    rung.status = RungStatus::skipped;
    rung.note = "the context has no room for a picture";
    return;
  }
  measure_vision(climb, rung, prompts);
}

}  // namespace octavo::pipeline
