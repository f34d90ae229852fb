// A conversation about a picture on one session: each turn reads only what is new. A line of input is a question.
//   conversation MODEL_DIR IMAGE < questions
#include <algorithm>
#include <cstdio>
#include <iostream>
#include <octavo/octavo.hpp>
#include <string>
#include <vector>

using octavo::ChatPart;

int main(int argc, char** argv) {
  if (argc != 3) return std::fprintf(stderr, "usage: %s MODEL_DIR IMAGE < QUESTIONS\n", argv[0]), 2;
  try {
    const octavo::Model model = octavo::Model::open(argv[1]);
    const std::vector<octavo::Image> images{octavo::load_image(argv[2])};
    octavo::Session session(model, std::min<std::int64_t>(4096, model.max_position_embeddings()));
    octavo::GenerateOptions options;
    options.max_new_tokens = 64;
    options.on_token = [](std::int32_t, std::string_view text) {
      std::cout << text << std::flush;
      return true;
    };
    std::vector<octavo::ChatMessage> messages;
    for (std::string line; std::getline(std::cin, line);) {
      messages.push_back({"user", {}});
      if (messages.size() == 1) messages.back().parts.push_back({ChatPart::Kind::image, {}, {}});
      messages.back().parts.push_back({ChatPart::Kind::text, line, {}});
      // All messages are rendered anew; the session finds what it holds of them already.
      const auto [logits, reused] = session.continue_with(model.prepare(messages, images));
      const octavo::GenerateResult answer = session.generate(options);
      std::cout << "\n(" << reused << " of " << answer.prompt_tokens << " tokens were read before)\n";
      messages.push_back({"assistant", {{ChatPart::Kind::text, answer.text, {}}}});
    }
  } catch (const octavo::Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
  return 0;
}
