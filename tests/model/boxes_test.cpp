// Boxes in answers: every form that is read, what is none, and where a box lies in the picture's own pixels.
#include "octavo/boxes.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "golden.hpp"

using octavo::Box;
using octavo::box_in;
using octavo::boxes_in;

TEST_CASE("a box is read from every documented form") {
  const Box box{10, 20, 110, 220};
  for (const char* text : {
           R"({"bbox_2d": [10, 20, 110, 220]})",
           R"({"bbox_2d": [10, 20, 110, 220], "label": "object 2"})",
           R"({"label": "object 2", "bbox_2d": [10, 20, 110, 220]})",
           R"({"label": "[1, 2, 3, 4]", "bbox_2d": [10, 20, 110, 220]})",
           R"({"label": "bbox_2d", "bbox_2d": [10, 20, 110, 220]})",
           "[\n\t{\"bbox_2d\": [10, 20, 110, 220], \"label\": \"a\"},\n\t{\"bbox_2d\": [1, 2, 3, 4]}\n]",
           "```json\n[\n\t{\"label\": \"object 2\", \"bbox_2d\": [10, 20, 110, 220]}\n]\n```",
           "The 2 boxes [1, 2, 3, 4] are these:\n```json\n[{\"bbox_2d\": [10, 20, 110, 220]}]\n```",
           "{'bbox_2d': [10,20,110,220]}",
           "bbox_2d = (10, 20, 110, 220)",
           "bbox_2d 10 20 110 220",
           R"({"bbox_2d": [[10, 20, 110, 220], [1, 2, 3, 4]]})",
           R"({"bbox_2d": [10.0, 2e1, 1.1e2, 220]})",
           "[10, 20, 110, 220]",
           "[ 10,\n20, 110 , 220 ]",
           "It is at [10, 20, 110, 220], left of 3 others.",
           "(10, 20, 110, 220)",
           "(10,20),(110,220)",
           "(10, 20) (110, 220)",
           "10 20 110 220",
           "10, 20, 110, 220",
           "<think>There are 3 objects, 2 are large, at [1, 2, 3, 4].</think>\n<answer>[10, 20, 110, 220]</answer>",
           "<think>bbox_2d [1, 2, 3, 4]</think><answer>{\"bbox_2d\": [10, 20, 110, 220]}</answer> in 1 of 3",
           "<think>5 6 7 8</think>\n{\"bbox_2d\": [10, 20, 110, 220]}",
           "reasoning [1, 2, 3, 4] whose tag the prompt opened</think>[10, 20, 110, 220]",
           "<think>I write <answer>[1, 2, 3, 4]</answer> later</think><answer>[10, 20, 110, 220]</answer>",
           "<answer>\n```json\n{\"bbox_2d\": [10, 20, 110, 220]}\n```\n</answer>",
           "<answer>{\"bbox_2d\": [10, 20, 110, 220]}",  // cut at the last token
       }) {
    CAPTURE(text);
    const auto found = box_in(text);
    REQUIRE(found);
    CHECK(*found == box);
  }
  CHECK(*box_in("[-10, 20.5, 110, 220]") == Box{-10, 20.5, 110, 220});
}

TEST_CASE("numbers that are no box are not taken for one") {
  for (const char* text : {"",
                           "no box",
                           "[1, 2, 3]",
                           "[1, 2, 3, 4, 5]",
                           "There are 3 objects, 2 are large, 1 is red and 4 are not.",
                           "1 2 3 4 of them",
                           "<think>[1, 2, 3, 4]",
                           "<think>[1, 2, 3, 4]</think>",
                           "<think>[1, 2, 3, 4]</think>none",
                           "<answer></answer>[1, 2, 3, 4]",
                           "<answer>none</answer>[1, 2, 3, 4]",
                           R"({"bbox_2d": [1, 2, 3]})",
                           R"({"bbox_2d": null})",
                           R"({"bbox_2d": "none"})",
                           "bbox_2d",
                           "bbox_2d1 2 3 4",
                           "[1px, 2px, 3px, 4px]",
                           "[1, 2, 3, 1e999]",
                           "[1 2 3 4",
                           "(1, 2), (3)",
                           R"({"bbox_3d": 1})",
                           "[[1, 2], [3, 4]]"}) {
    CAPTURE(text);
    CHECK_FALSE(box_in(text));
  }
}

TEST_CASE("an answer that is a box is told from one that holds numbers") {
  for (const char* text : {"[1, 2, 3, 4]", "```json\n[1, 2, 3, 4]\n```", "[[1, 2, 3, 4], [5, 6, 7, 8]]", "(1,2),(3,4)",
                           R"(At {"bbox_2d": [1, 2, 3, 4]})", "<think>3</think><answer>[1, 2, 3, 4]</answer>"}) {
    CAPTURE(text);
    CHECK(octavo::is_box_answer(text));
  }
  for (const char* text : {"", "3", "1, 2, 3, 4", "the numbers [1, 2, 3, 4]", "[1, 2, 3, 4] are even", "blue"}) {
    CAPTURE(text);
    CHECK_FALSE(octavo::is_box_answer(text));
  }
}

TEST_CASE("all boxes of an answer are found in order") {
  CHECK(boxes_in(R"([{"bbox_2d": [1, 2, 3, 4]}, {"bbox_2d": [5, 6, 7, 8], "label": "x"}])") ==
        std::vector<Box>{{1, 2, 3, 4}, {5, 6, 7, 8}});
  CHECK(boxes_in("[1, 2, 3, 4] and [5, 6, 7, 8]") == std::vector<Box>{{1, 2, 3, 4}, {5, 6, 7, 8}});
  CHECK(boxes_in("none").empty());
}

// 400 pixels wide and 300 high, seen as 112 wide and 140 high: x times 25/7, y times 15/7.
TEST_CASE("boxes are moved to the pixels of a picture that is not square") {
  const octavo::PictureSize size{{300, 400}, {140, 112}};
  CHECK(octavo::to_original({28, 35, 56, 70}, size) == Box{100, 75, 200, 150});
  CHECK(octavo::boxes_to_original(R"({"bbox_2d": [28, 35, 56, 70], "label": "2 of [1, 2, 3, 4]"})", size) ==
        R"({"bbox_2d": [100, 75, 200, 150], "label": "2 of [1, 2, 3, 4]"})");
  CHECK(octavo::boxes_to_original("<think>[28, 35, 56, 70]</think> <answer>\n[28,35, 56,70]</answer> 7", size) ==
        "<think>[28, 35, 56, 70]</think> <answer>\n[100,75, 200,150]</answer> 7");
  CHECK(octavo::boxes_to_original("(28,35),(56,70) and (0,0),(112,140)", size) ==
        "(100,75),(200,150) and (0,0),(400,300)");
  CHECK(octavo::boxes_to_original(R"([{"point_2d": [28, 35]}, {"bbox_2d": [-28, 0, 56.0, 140]}])", size) ==
        R"([{"point_2d": [100, 75]}, {"bbox_2d": [-100, 0, 200, 300]}])");
  // 1 * 25/7 = 3.57 and 1 * 15/7 = 2.14, to the nearest pixel.
  CHECK(octavo::boxes_to_original("[1, 1, 2, 2]", size) == "[4, 2, 7, 4]");
  CHECK(octavo::boxes_to_original("There are 3 of 4.", size) == "There are 3 of 4.");
  CHECK(octavo::boxes_to_original("", size).empty());
}

TEST_CASE("pictures of several scales have no common one") {
  using octavo::PictureSize;
  CHECK_FALSE(octavo::common_scale({}));
  const std::vector<PictureSize> same{{{280, 224}, {140, 112}}, {{560, 560}, {280, 280}}};
  CHECK(octavo::common_scale(same)->original.height == 280);
  const std::vector<PictureSize> other{{{280, 224}, {140, 112}}, {{280, 224}, {280, 224}}};
  CHECK(golden::message_of([&] { octavo::common_scale(other); }).find("2 pictures that were resized differently") !=
        std::string::npos);
  const std::vector<PictureSize> unknown{{{}, {140, 112}}};
  CHECK(golden::message_of([&] { octavo::common_scale(unknown); }).find("own size is not known") != std::string::npos);
}

namespace {

const std::string kTiny = std::string(OCTAVO_SOURCE_DIR) + "/examples/models/octavo-tiny-vl";

/// Each pixel as a square of `times` pixels.
octavo::Image enlarged(const octavo::Image& image, std::int64_t times) {
  octavo::Image large{image.height * times, image.width * times, {}};
  for (std::int64_t y = 0; y < large.height; ++y)
    for (std::int64_t x = 0; x < large.width; ++x)
      for (std::int64_t c = 0; c < 3; ++c)
        large.rgb.push_back(image.rgb[static_cast<std::size_t>(3 * (y / times * image.width + x / times) + c)]);
  return large;
}

double shared_over_joined(const Box& a, const Box& b) {
  const auto area = [](const Box& box) { return std::max(0.0, box[2] - box[0]) * std::max(0.0, box[3] - box[1]); };
  const double shared = area({std::max(a[0], b[0]), std::max(a[1], b[1]), std::min(a[2], b[2]), std::min(a[3], b[3])});
  return shared / (area(a) + area(b) - shared);
}

}  // namespace

// 001.png is 112 x 140, its red triangle at [20, 73, 65, 118]. Three times as large and with max_pixels at 112 * 140,
// the model sees it at 112 x 140 again: its box is in those pixels, and the picture's own are [60, 219, 195, 354].
TEST_CASE("a model's box lies in the pixels that were asked for") {
  const golden::TemporaryDirectory copy;
  for (const char* name : {"config.json", "generation_config.json", "model.safetensors", "tokenizer.json",
                           "tokenizer_config.json", "chat_template.json", "vocab.json", "merges.txt"})
    std::filesystem::copy_file(kTiny + "/" + name, copy.path() + "/" + name);
  std::ifstream file(kTiny + "/preprocessor_config.json");
  copy.write("preprocessor_config.json",
             golden::replaced({std::istreambuf_iterator<char>(file), {}}, "12845056", "15680"));
  const octavo::Model model = octavo::Model::open(copy.path());
  const octavo::Image picture = enlarged(octavo::load_image(kTiny + "/eval/001.png"), 3);
  REQUIRE(picture.width == 336);
  const octavo::ModelInput input = model.prepare("Where is the red triangle?", {&picture, 1});
  octavo::GenerateOptions options = golden::greedy(64);
  options.ignore_eos = false;
  const octavo::GenerateResult seen = model.generate(input, options);
  REQUIRE(seen.pictures.size() == 1);
  CHECK(seen.pictures[0].seen.width == 112);
  CHECK(seen.pictures[0].seen.height == 140);
  CHECK(seen.pictures[0].original.width == 336);
  CHECK(seen.pictures[0].original.height == 420);
  REQUIRE(seen.boxes.size() == 1);
  CHECK(shared_over_joined(seen.boxes[0], {20, 73, 65, 118}) >= 0.5);

  options.boxes = octavo::BoxSpace::original;
  const octavo::GenerateResult own = model.generate(input, options);
  CHECK(own.tokens == seen.tokens);
  REQUIRE(own.boxes.size() == 1);
  CHECK(shared_over_joined(own.boxes[0], {60, 219, 195, 354}) >= 0.5);
  for (std::size_t i = 0; i < 4; ++i) CHECK(own.boxes[0][i] == 3 * seen.boxes[0][i]);
  CHECK(own.text == octavo::boxes_to_original(seen.text, seen.pictures[0]));

  options.on_token = [](std::int32_t, std::string_view) { return true; };
  CHECK(golden::message_of([&] { model.generate(input, options); }).find("leave on_token") != std::string::npos);
  options.on_token = {};
  const std::vector<octavo::Image> two{picture, octavo::load_image(kTiny + "/eval/001.png")};
  const octavo::ModelInput both = model.prepare("Where?", two);
  CHECK(golden::message_of([&] { model.generate(both, options); }).find("resized differently") != std::string::npos);
}

TEST_CASE("the size that the model sees is the one that smart_resize gives") {
  const octavo::Model model = octavo::Model::open(kTiny);
  const octavo::Image picture{150, 300, std::vector<std::uint8_t>(3 * 150 * 300, 90)};
  const octavo::GenerateResult result = model.generate(model.prepare("What?", {&picture, 1}), golden::greedy(1));
  // 300 / 28 = 10.7, so 11 * 28; 150 / 28 = 5.4, so 5 * 28.
  REQUIRE(result.pictures.size() == 1);
  CHECK(result.pictures[0].seen.width == 308);
  CHECK(result.pictures[0].seen.height == 140);
  CHECK(result.pictures[0].original.width == 300);
  CHECK(result.pictures[0].original.height == 150);
}
