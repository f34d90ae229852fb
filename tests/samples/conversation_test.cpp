// A conversation that waits for its answer.
#include <filesystem>
#include <fstream>
#include <string>

#include "catch.hpp"
#include "octavo/samples.hpp"

using namespace octavo;
using Catch::Matchers::ContainsSubstring;

namespace {

constexpr const char* kPixel =  // a PNG of one pixel
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/"
    "pLvAAAAAElFTkSuQmCC";

Sample parsed(const std::string& json) { return parse_conversation(json, "here"); }

}  // namespace

TEST_CASE("a conversation keeps its turns and the places of its pictures") {
  const std::string turns =
      R"([{"role": "system", "content": "Be brief."},
          {"role": "user", "content": [{"type": "text", "text": "Look: "},
                                       {"type": "image_url", "image_url": {"url": ")" +
      std::string(kPixel) + R"("}},
                                       {"type": "text", "text": "what is it?"}]},
          {"role": "assistant", "content": "A dot."},
          {"role": "user", "content": [{"type": "image", "image": ")" +
      std::string(kPixel) + R"("}, {"type": "text", "text": "And this?"}]}])";
  for (const std::string& json : {turns, "{\"messages\": " + turns + "}"}) {
    const Sample sample = parsed(json);
    REQUIRE(sample.messages.size() == 4);
    CHECK(sample.messages[0].role == "system");
    REQUIRE(sample.messages[1].parts.size() == 3);
    CHECK(sample.messages[1].parts[0].text == "Look: ");
    CHECK(sample.messages[1].parts[1].kind == ChatPart::Kind::image);
    CHECK(sample.messages[2].parts.at(0).text == "A dot.");
    CHECK(sample.messages[3].parts.at(0).kind == ChatPart::Kind::image);
    CHECK(sample.images.size() == 2);
    CHECK(sample.answer.empty());
    CHECK(sample.prompt == "And this?");
    CHECK(load_images(sample).at(1).width == 1);
  }
}

TEST_CASE("a conversation that is answered or no conversation is refused by name") {
  CHECK_THROWS_WITH(parsed(R"([{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hi"}])"),
                    ContainsSubstring("end it with a user turn"));
  CHECK_THROWS_WITH(parsed("[]"), ContainsSubstring("here"));
  CHECK_THROWS_WITH(parsed("7"), ContainsSubstring("an array of turns is needed"));
  CHECK_THROWS_WITH(parsed(R"([{"role": "tool", "content": "Hi"}])"),
                    ContainsSubstring("messages[0]") && ContainsSubstring("tool"));
  CHECK_THROWS_WITH(parsed(R"([{"role": "user", "content": "<image>Hi"}])"), ContainsSubstring("each needs the other"));
}

TEST_CASE("pictures of a conversation's file are relative to it") {
  namespace fs = std::filesystem;
  const fs::path folder = fs::temp_directory_path() / "octavo_conversation_test";
  fs::create_directories(folder / "in");
  std::ofstream(folder / "in" / "dot.pgm") << "P2 2 1 255 0 255\n";
  std::ofstream(folder / "talk.json")
      << R"([{"role": "user", "content": [{"type": "image", "path": "in/dot.pgm"}, {"type": "text", "text": "?"}]}])";
  const Sample sample = read_conversation((folder / "talk.json").string());
  CHECK(load_images(sample).at(0).width == 2);
  CHECK_THROWS_AS(read_conversation((folder / "none.json").string()), Error);
  fs::remove_all(folder);
}
