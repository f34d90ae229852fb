// A model's own chat template, against jinja2 as transformers sets it up: tests/golden/text/make_templates.py.
#include "catch.hpp"
#include "golden.hpp"
#include "scratch.hpp"

using namespace octavo;
using namespace octavo::test;

namespace {

std::vector<ChatMessage> messages_of(const Json& list) {
  std::vector<ChatMessage> messages;
  for (std::size_t m = 0; m < list.size(); ++m) {
    ChatMessage message{list.at(m).at("role").as_string(), {}};
    const Json parts = list.at(m).at("content");
    for (std::size_t p = 0; p < parts.size(); ++p) {
      const std::string type = parts.at(p).at("type").as_string();
      const auto kind = type == "image"   ? ChatPart::Kind::image
                        : type == "video" ? ChatPart::Kind::video
                                          : ChatPart::Kind::text;
      message.parts.push_back({kind, parts.at(p).get_string("text", "")});
    }
    messages.push_back(std::move(message));
  }
  return messages;
}

ChatMessage user(std::vector<ChatPart> parts) { return {"user", std::move(parts)}; }
const ChatPart kPicture{ChatPart::Kind::image, ""};
ChatPart said(const char* text) { return {ChatPart::Kind::text, text}; }

std::string published() { return Json::read_file(bundled_path("chat_template.json")).at("chat_template").as_string(); }

std::string problem_of(const std::string& source) { return ChatTemplate::parse(source, "t").problem(); }

}  // namespace

TEST_CASE("a template that is read renders what jinja2 renders", "[text]") {
  const Json templates = Json::read_file(text_path("templates.json"));
  REQUIRE(templates.size() >= 10);
  std::size_t compared = 0;
  for (std::size_t i = 0; i < templates.size(); ++i) {
    const Json entry = templates.at(i);
    const ChatTemplate chat = ChatTemplate::parse(entry.at("source").as_string(), "t");
    INFO(entry.at("name").as_string() << ": " << chat.problem());
    if (chat.problem().find("not used") != std::string::npos) continue;
    const bool takes_parts = chat.problem().find("takes texts alone") == std::string::npos;
    CHECK(takes_parts == entry.at("takes_parts").as_bool());
    for (std::size_t c = 0; c < entry.at("chats").size(); ++c) {
      const Json one = entry.at("chats").at(c);
      const ChatOptions options{.add_generation_prompt = one.at("add_generation_prompt").as_bool(),
                                .add_vision_id = one.at("add_vision_id").as_bool()};
      const std::vector<ChatMessage> messages = messages_of(one.at("messages"));
      INFO("chat " << c);
      if (one.at("text").is_null())
        CHECK_THROWS_AS(chat.render(messages, options), Error);
      else
        CHECK(chat.render(messages, options) == one.at("text").as_string());
      ++compared;
    }
  }
  CHECK(compared > 60);
}

TEST_CASE("the published template has neither problem nor difference and renders as render_chat", "[text]") {
  const ChatTemplate chat = ChatTemplate::parse(published(), "t");
  CHECK(chat.problem().empty());
  CHECK(chat.difference().empty());
  const std::vector<ChatMessage> messages{user({kPicture, said("What?")})};
  CHECK(chat.render(messages) == render_chat(messages));
}

TEST_CASE("another system prompt is taken over and told", "[text]") {
  std::string source = published();
  const std::string old = "You are a helpful assistant.";
  source.replace(source.find(old), old.size(), "Think first.");
  const ChatTemplate chat = ChatTemplate::parse(source, "t");
  CHECK(chat.problem().empty());
  CHECK(chat.difference().find("Think first.") != std::string::npos);
  const std::vector<ChatMessage> messages{user({said("Hi")})};
  CHECK(chat.render(messages) ==
        "<|im_start|>system\nThink first.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n");
}

TEST_CASE("what cannot be read or leaves no place for a picture is named and not used", "[text]") {
  const std::vector<ChatMessage> messages{user({kPicture, said("Hi")})};
  for (const char* source : {"{% if %}", "{{ messages", "{% for m in messages %}", "{% endif %}", "{{ 'a }}",
                             "{% macro m() %}{% endmacro %}", "{{ messages | tojson }}", "{{ strftime_now('%Y') }}",
                             "{{ raise_exception('no') }}", "no picture", "{{ messages }}", "{% include 'x' %}",
                             "{{ (((((((((((( }}", "{{ 1 if }}", "\xFF\xFE"}) {
    INFO(source);
    CHECK(problem_of(source).find("t: ") == 0);
    CHECK(problem_of(source).find("this chat template is not used") != std::string::npos);
    CHECK(ChatTemplate::parse(source, "t").render(messages) == render_chat(messages));
  }
}

TEST_CASE("a template can neither run for ever nor fill the memory nor the stack", "[text]") {
  std::string doubling =
      "{% set ns = namespace(x='ab') %}{% for i in range(99999) %}{% set ns.x = ns.x + ns.x %}{% endfor %}";
  CHECK(problem_of(doubling).find("64 MiB") != std::string::npos);
  const std::string loops =
      "{% for a in range(99999) %}{% for b in range(99999) %}{% for c in range(99999) %}{% endfor %}{% endfor %}{% "
      "endfor %}";
  CHECK(problem_of(loops).find("steps") != std::string::npos);
  CHECK(problem_of("{{ " + std::string(100000, '(') + "1" + std::string(100000, ')') + " }}").find("deep") !=
        std::string::npos);
  std::string sum = "{{ 'a'";
  for (int i = 0; i < 100000; ++i) sum += " + 'a'";
  CHECK(problem_of(sum + " }}").find("deep") != std::string::npos);
  std::string nested;
  for (int i = 0; i < 100000; ++i) nested += "{% if true %}";
  CHECK(problem_of(nested).find("deep") != std::string::npos);
  std::string dots = "{{ messages";
  for (int i = 0; i < 100000; ++i) dots += ".a";
  CHECK(problem_of(dots + " }}").find("deep") != std::string::npos);
}

TEST_CASE("the ranges of a user's text follow it through the template", "[text]") {
  const ChatTemplate chat = ChatTemplate::parse(
      "{% for m in messages %}<{{ m.role }}>{% for p in m.content %}{% if p.type == 'image' %}<|image_pad|>{% else %}"
      "{{ (p.text | trim).split('-')[-1] + '!' }}{% endif %}{% endfor %}{% endfor %}",
      "t");
  REQUIRE(chat.problem().empty());
  std::vector<TextRange> literal;
  const std::string text =
      chat.render(std::vector<ChatMessage>{user({kPicture, said(" a-<|im_end|> ")})}, {}, &literal);
  REQUIRE(text == "<user><|image_pad|><|im_end|>!");
  std::string from_user;
  for (const TextRange& range : literal) from_user += text.substr(range.begin, range.end - range.begin) + ";";
  CHECK(from_user == "user;<|im_end|>;");
}

TEST_CASE("the template is found where transformers looks first", "[text]") {
  const ::test::ScratchDirectory directory;
  const auto origin = [&] { return ChatTemplate::open(directory.path()).origin(); };
  const auto holds = [](const std::string& text) { return JsonBuilder::object().set("chat_template", text).dump(); };
  CHECK(origin().empty());
  directory.write("tokenizer_config.json", R"({"chat_template": [{"name": "tool_use", "template": "a"},
                                                {"name": "default", "template": "b"}], "eos_token": "<|im_end|>"})");
  CHECK(origin() == directory.path("tokenizer_config.json"));
  CHECK(ChatTemplate::open(directory.path()).source() == "b");
  directory.write("processor_config.json", holds("c"));
  CHECK(origin() == directory.path("processor_config.json"));
  directory.write("chat_template.jinja", "d");
  CHECK(origin() == directory.path("chat_template.jinja"));
  directory.write("chat_template.json", holds("<|image_pad|>{{ eos_token }}"));
  CHECK(origin() == directory.path("chat_template.json"));
  const std::vector<ChatMessage> messages{user({said("Hi")})};
  CHECK(ChatTemplate::open(directory.path()).render(messages) == "<|image_pad|><|im_end|>");
  directory.write("chat_template.json", "{");
  CHECK_THROWS_AS(ChatTemplate::open(directory.path()), Error);
}
