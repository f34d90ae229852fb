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
