#include "catch.hpp"
#include "octavo/evaluation.hpp"

using octavo::score_answer;

TEST_CASE("answers are equal after trimming, but for case and one final full stop") {
  CHECK(score_answer("colour", "blue", " Blue.\n").right);
  CHECK(score_answer("colour", "blue", "blue").right);
  CHECK_FALSE(score_answer("colour", "blue", "light blue").right);
  CHECK_FALSE(score_answer("colour", "blue", "").right);
  CHECK_FALSE(score_answer("count", "3", "33").right);
}

TEST_CASE("grounding is scored by IoU, right from one half") {
  const char* expected = R"({"bbox_2d": [0, 0, 10, 10]})";
  const auto same = score_answer("grounding", expected, "```json\n[{\"bbox_2d\": [0, 0, 10, 10]}]\n```");
  CHECK(same.right);
  CHECK(same.iou == Approx(1.0));
  // Half of the box: 50 / 100, exactly the limit.
  const auto half = score_answer("grounding", expected, "0 0 10 5");
  CHECK(half.iou == Approx(0.5));
  CHECK(half.right);
  // Shifted by half its width: 50 shared, 150 joined.
  const auto shifted = score_answer("Grounding", expected, "[5, 0, 15, 10]");
  CHECK(shifted.iou == Approx(1.0 / 3.0));
  CHECK_FALSE(shifted.right);
}

TEST_CASE("grounding answers that hold no box are wrong, not an error") {
  const char* expected = "[0, 0, 10, 10]";
  for (const char* answer : {"", "no box", "[1, 2, 3]", "[10, 10, 0, 0]", "[20, 20, 30, 30]"}) {
    CAPTURE(answer);
    const auto score = score_answer("grounding", expected, answer);
    CHECK_FALSE(score.right);
    CHECK(score.iou == 0.0);
  }
  // The 2 of "bbox_2d" is part of a word, not a coordinate.
  CHECK(score_answer("grounding", expected, "bbox_2d 0 0 10 10").iou == Approx(1.0));
}

TEST_CASE("the box is read where the answer puts it") {
  const char* think =
      "<think>There are 3 objects and 2 of them are large. The phrase names 1 of the 3.</think>\n"
      "<answer>{\"bbox_2d\": [94, 8, 119, 33]}</answer>";
  const char* fenced = "```json\n[\n\t{\"label\": \"object 2\", \"bbox_2d\": [94, 8, 119, 33]}\n]\n```";
  for (const char* expected : {think, fenced, "[94, 8, 119, 33]", R"({"bbox_2d": [94, 8, 119, 33]})"})
    for (const char* actual : {think, fenced, "[94, 8, 119, 33]", R"({"bbox_2d": [94, 8, 119, 33]})"}) {
      CAPTURE(expected, actual);
      const auto score = score_answer("", expected, actual);  // a box makes it grounding, whatever the task is called
      CHECK(score.iou == 1.0);
      CHECK(score.right);
    }
  CHECK_FALSE(score_answer("grounding", think, "<think>94 8 119 33</think><answer>[0, 0, 9, 9]</answer>").right);
}

TEST_CASE("other answers are compared without their reasoning") {
  CHECK(score_answer("colour", "<think>1 of 3</think><answer>blue</answer>", "Blue.").right);
  CHECK(score_answer("colour", "blue", "<think>red? no</think>\nblue").right);
  CHECK_FALSE(score_answer("colour", "blue", "<think>blue").right);
}

// 400 x 300 pixels, seen as 112 x 140: x times 25/7, y times 15/7.
TEST_CASE("answers in pixels of the picture itself are scored there") {
  octavo::Sample sample;
  sample.task = "grounding";
  sample.answer = "[100, 75, 200, 150]";
  octavo::ModelInput input;
  input.images.emplace_back();
  input.images[0].original = {300, 400};
  input.images[0].resized = {140, 112};
  const auto own =
      octavo::score_sample(sample, input, "[28, 35, 56, 70]", "[100, 75, 200, 150]", octavo::BoxSpace::original);
  CHECK(own.original_box == octavo::Box{100, 75, 200, 150});
  CHECK(own.original_iou == 1.0);
  CHECK(own.original_right);
  CHECK_FALSE(own.quantized_right);
  REQUIRE(own.image_sizes.size() == 1);
  CHECK(own.image_sizes[0].seen.width == 112);
  CHECK(own.image_sizes[0].original.width == 400);
  const auto seen = octavo::score_sample(sample, input, "[28, 35, 56, 70]", "[100, 75, 200, 150]");
  CHECK_FALSE(seen.original_right);
  CHECK(seen.quantized_right);
}
