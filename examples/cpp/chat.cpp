// A chat about a picture: several turns on one session, each read once.   chat MODEL_DIR PICTURE   (a question a line)
#include <algorithm>
#include <cstdio>
#include <iostream>
#include <octavo/octavo.hpp>
#include <string>
#include <vector>

using Part = octavo::ChatPart;

int main(int argc, char** argv) {
  if (argc != 3) return std::fprintf(stderr, "usage: %s MODEL_DIR PICTURE\n", argv[0]), 2;
  try {
    const octavo::Model model = octavo::Model::open(argv[1]);
    const std::vector<octavo::Image> images{octavo::load_image(argv[2])};
    octavo::Session session(model, std::min<std::int64_t>(4096, model.max_position_embeddings()));
    std::vector<octavo::ChatMessage> messages;

    octavo::GenerateOptions options;
    options.sampling = octavo::SamplingOptions{};  // greedy
    options.on_token = [](std::int32_t, std::string_view text) {
      std::fwrite(text.data(), 1, text.size(), stdout);
      std::fflush(stdout);
      return true;
    };
    for (std::string line; std::getline(std::cin, line);) {
      octavo::ChatMessage question{"user", {{Part::Kind::text, line}}};
      // The picture belongs to the first question, and stays in the session's cache for all that follow.
      if (messages.empty()) question.parts.insert(question.parts.begin(), {Part::Kind::image, {}});
      messages.push_back(question);
      // The whole conversation is laid out anew; the session runs only what it does not hold yet.
      const auto continued = session.continue_with(model.prepare(messages, images));
      const octavo::GenerateResult answer = session.generate(options);
      std::printf("\n  (%lld tokens held, %lld not read again)\n", static_cast<long long>(session.past()),
                  static_cast<long long>(continued.reused_tokens));
      messages.push_back({"assistant", {{Part::Kind::text, answer.text}}});
    }
  } catch (const octavo::Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
  return 0;
}
