// A chat template: it is read and rendered, or named; ranges of user's text lie within the prompt.
#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "octavo/text.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using Kind = octavo::ChatPart::Kind;
  const std::vector<octavo::ChatMessage> messages{{"system", {{Kind::text, "Be brief."}}},
                                                  {"user", {{Kind::image, ""}, {Kind::text, "What\n is it? "}}}};
  try {
    const auto parsed =
        octavo::ChatTemplate::parse(std::string_view(reinterpret_cast<const char*>(data), size), "fuzz");
    std::vector<octavo::TextRange> literal;
    const std::string prompt = parsed.render(messages, {.add_vision_id = true}, &literal);
    for (const octavo::TextRange& range : literal)
      if (range.begin > range.end || range.end > prompt.size()) std::abort();
  } catch (const octavo::Error&) {
    return 0;  // refused
  }
  return 0;
}
