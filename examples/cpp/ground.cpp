// Streams the answer about a picture with the C++ library.   ground MODEL_DIR IMAGE "question"
#include <cstdio>
#include <octavo/octavo.hpp>
#include <vector>

int main(int argc, char** argv) {
  if (argc != 4) return std::fprintf(stderr, "usage: %s MODEL_DIR IMAGE QUESTION\n", argv[0]), 2;
  try {
    const octavo::Model model = octavo::Model::open(argv[1]);
    const std::vector<octavo::Image> images{octavo::load_image(argv[2])};
    octavo::GenerateOptions options;
    options.on_token = [](std::int32_t, std::string_view text) {
      std::fwrite(text.data(), 1, text.size(), stdout);
      return true;
    };
    model.generate(model.prepare(argv[3], images), options);
    std::putchar('\n');
  } catch (const octavo::Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
  return 0;
}
