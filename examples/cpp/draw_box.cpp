// Grounds a phrase, and draws its box into the picture.   draw_box MODEL_DIR PICTURE "the red circle" OUT.png
#include <cstdio>
#include <fstream>
#include <octavo/octavo.hpp>
#include <string>
#include <vector>

int main(int argc, char** argv) {
  if (argc != 5) return std::fprintf(stderr, "usage: %s MODEL_DIR PICTURE PHRASE OUT.png\n", argv[0]), 2;
  try {
    const octavo::Model model = octavo::Model::open(argv[1]);
    std::vector<octavo::Image> images{octavo::load_image(argv[2])};
    octavo::GenerateOptions options;
    options.sampling = octavo::SamplingOptions{};                                        // greedy
    options.form = octavo::OutputForm::example(R"({"bbox_2d": [int, int, int, int]})");  // so that the answer parses
    options.boxes = octavo::BoxSpace::original;  // in the picture's own pixels, not in those that the model saw
    const std::string question = "Locate " + std::string(argv[3]) + ".";
    const octavo::GenerateResult answer = model.generate(model.prepare(question, images), options);
    std::printf("%s\n", answer.text.c_str());

    octavo::draw_boxes(images[0], answer.boxes);
    const std::vector<std::byte> png = octavo::encode_png(images[0]);
    std::ofstream out(argv[4], std::ios::binary);
    out.write(reinterpret_cast<const char*>(png.data()), static_cast<std::streamsize>(png.size()));
    if (!out.flush()) return std::fprintf(stderr, "%s cannot be written\n", argv[4]), 1;
  } catch (const octavo::Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
  return 0;
}
