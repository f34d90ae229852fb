// The chat template against the published Jinja template, and the expansion of pads.
#include "catch.hpp"
#include "golden.hpp"

using namespace octavo;
using namespace octavo::test;

TEST_CASE("render_chat gives what the published template gives", "[text]") {
  const Json chats = golden().at("chats");
  REQUIRE(chats.size() == 24);
  for (std::size_t i = 0; i < chats.size(); ++i) {
    const Json chat = chats.at(i);
    std::vector<ChatMessage> messages;
    for (std::size_t m = 0; m < chat.at("messages").size(); ++m) {
      const Json from = chat.at("messages").at(m);
      ChatMessage message{from.at("role").as_string(), {}};
      for (std::size_t p = 0; p < from.at("content").size(); ++p) {
        const Json part = from.at("content").at(p);
        const std::string type = part.at("type").as_string();
        const auto kind = type == "image"   ? ChatPart::Kind::image
                          : type == "video" ? ChatPart::Kind::video
                                            : ChatPart::Kind::text;
        message.parts.push_back({kind, part.get_string("text", "")});
      }
      messages.push_back(std::move(message));
    }
    INFO("chat " << i);
    const ChatOptions options{.add_generation_prompt = chat.at("add_generation_prompt").as_bool(),
                              .add_vision_id = chat.at("add_vision_id").as_bool()};
    REQUIRE(render_chat(messages, options) == chat.at("text").as_string());
  }
}

TEST_CASE("each pad becomes as many as its image has tokens", "[text]") {
  const std::vector<std::int32_t> ids{1, 9, 2, 9, 9, 3};
  const std::vector<std::int64_t> counts{3, 1, 2};
  REQUIRE(expand_pads(ids, 9, counts) == std::vector<std::int32_t>{1, 9, 9, 9, 2, 9, 9, 9, 3});
  REQUIRE(expand_pads({}, 9, {}).empty());
}

TEST_CASE("pads and images must be equally many", "[text]") {
  const std::vector<std::int32_t> ids{1, 9, 2};
  const std::vector<std::int64_t> two{3, 1};
  const std::vector<std::int64_t> none{0};
  REQUIRE_THROWS_WITH(expand_pads(ids, 9, two),
                      "the prompt has 1 image pads, but 2 images were given: each image needs one pad");
  REQUIRE_THROWS_WITH(expand_pads(ids, 9, none), "image 0 makes 0 tokens");
}
