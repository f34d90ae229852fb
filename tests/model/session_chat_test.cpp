// Several turns on one session: answers that go on from it, and prompts that are rendered anew with each turn.
#include <algorithm>
#include <atomic>
#include <stdexcept>
#include <string>
#include <vector>

#include "bundled.hpp"
#include "golden.hpp"
#include "octavo/sampling.hpp"
#include "octavo/session.hpp"
#include "threads.hpp"

using golden::greedy;
using golden::message_of;
using golden::Values;
using octavo::ChatMessage;
using octavo::ChatPart;
using octavo::DType;
using octavo::FinishReason;
using octavo::GenerateOptions;
using octavo::GenerateResult;
using octavo::Model;
using octavo::ModelInput;
using octavo::Session;
using octavo::Tensor;
using Ids = std::vector<std::int32_t>;

namespace {

Ids ids_of(const Session& session) { return {session.tokens().begin(), session.tokens().end()}; }

Ids joined(Ids ids, const Ids& more) {
  ids.insert(ids.end(), more.begin(), more.end());
  return ids;
}

void require_same_bits(const Tensor& a, const Tensor& b) {
  REQUIRE(a.shape() == b.shape());
  REQUIRE(std::equal(a.values<float>().begin(), a.values<float>().end(), b.values<float>().begin()));
}

ChatPart text_part(std::string text) { return {ChatPart::Kind::text, std::move(text)}; }
ChatPart image_part() { return {ChatPart::Kind::image, {}}; }

/// What a session that was only fed has to say behind `ids`.
Tensor logits_behind(const Model& model, const ModelInput& whole) {
  Session fresh(model, 256);
  return fresh.feed(whole);
}

}  // namespace

TEST_CASE("an answer on a session is that of transformers and becomes part of it") {
  const std::string name = GENERATE("nested", "flat", "bf16");
  const std::string prompt = GENERATE("text", "one", "two");
  INFO(name << ", " << prompt);
  const Values values(name);
  const Model model = Model::open(golden::directory(name));
  const ModelInput input = values.input(prompt);
  const Ids expected = values.integers<std::int32_t>(prompt + ".greedy");
  Session session(model, 200);
  session.feed(input);
  const GenerateResult first = session.generate(greedy(20));
  REQUIRE(first.tokens == Ids(expected.begin(), expected.begin() + 20));
  REQUIRE(first.finish_reason == FinishReason::length);
  REQUIRE(first.prompt_tokens == static_cast<std::int64_t>(input.ids.size()));
  REQUIRE(ids_of(session) == joined(input.ids, first.tokens));
  REQUIRE(session.past() == static_cast<std::int64_t>(input.ids.size()) + 20);

  SECTION("which goes on where it ended") {
    const GenerateResult second = session.generate(greedy(44));
    REQUIRE(joined(first.tokens, second.tokens) == expected);
    REQUIRE(second.prompt_tokens == static_cast<std::int64_t>(input.ids.size()) + 20);
  }
  SECTION("whose logits are known") {
    ModelInput whole = input;
    whole.ids = joined(whole.ids, first.tokens);
    golden::require_close(session.logits(), logits_behind(model, whole), 1e-4);
    require_same_bits(session.logits(), session.logits());
    REQUIRE(joined(first.tokens, session.generate(greedy(44)).tokens) == expected);
  }
  SECTION("to which more is fed") {
    const Ids more{5, 6, 7};
    ModelInput whole = input;
    whole.ids = joined(joined(whole.ids, first.tokens), more);
    golden::require_close(session.feed({more, {}}), logits_behind(model, whole), 1e-4);
    REQUIRE(ids_of(session) == whole.ids);
  }
  SECTION("from which it is truncated and forked") {
    Session copy = session.fork();
    session.truncate(static_cast<std::int64_t>(input.ids.size()) + 7);
    REQUIRE(session.generate(greedy(13)).tokens == Ids(expected.begin() + 7, expected.begin() + 20));
    copy.truncate(copy.past() - 1);  // the token that was not run yet
    REQUIRE(copy.generate(greedy(45)).tokens == Ids(expected.begin() + 19, expected.end()));
  }
}

TEST_CASE("an answer on a session draws as generate does") {
  const Model original = Model::open(golden::bundled());
  for (const Model& model : {original, golden::in_w8a8(original)})
    for (const DType dtype : {DType::f32, DType::bf16, DType::s8})
      for (const bool lookup : {false, true}) {
        INFO(octavo::dtype_name(dtype) << (lookup ? ", lookup" : ""));
        const ModelInput input = golden::ask(model, "Where is the purple circle?", "000");
        GenerateOptions options;
        options.max_new_tokens = 24;
        options.sampling = octavo::SamplingOptions{};
        options.sampling->do_sample = true;
        options.sampling->temperature = 1.2;
        options.sampling->repetition_penalty = 1.1;
        options.sampling->seed = 11;
        options.cache_dtype = dtype;
        if (lookup) options.lookup = octavo::PromptLookup{};
        const GenerateResult alone = model.generate(input, options);
        Session session(model, 300, dtype);
        session.feed(input);
        std::string heard;
        options.on_token = [&](std::int32_t, std::string_view text) {
          heard += text;
          return true;
        };
        const GenerateResult answer = session.generate(options);
        REQUIRE(answer.tokens == alone.tokens);
        REQUIRE(answer.text == alone.text);
        REQUIRE(heard == alone.text);
        REQUIRE(answer.finish_reason == alone.finish_reason);
        REQUIRE(answer.pictures.size() == 1);
        REQUIRE(answer.pictures[0].original.width == alone.pictures[0].original.width);
      }
}

TEST_CASE("tokens chosen by hand are those of generate") {
  const Values values("nested");
  const Model model = Model::open(golden::directory("nested"));
  GenerateOptions options = greedy(30);
  options.sampling->do_sample = true;
  options.sampling->temperature = 1.5;
  options.sampling->top_k = 0;
  options.sampling->repetition_penalty = 1.2;
  options.sampling->seed = 7;
  options.rules = octavo::GenerationRules{};
  const ModelInput input = values.input("one");
  const Ids expected = model.generate(input, options).tokens;
  Session session(model, 100);
  Tensor logits = session.feed(input);
  octavo::TokenSampler sampler(*options.sampling);
  Ids tokens;
  while (tokens.size() < expected.size()) {
    tokens.push_back(sampler.next(logits.values<float>(), session.tokens()));
    logits = session.feed({{tokens.back()}, {}});
  }
  REQUIRE(tokens == expected);
  octavo::SamplingOptions wrong;
  wrong.top_p = 2;
  REQUIRE(message_of([&] { octavo::TokenSampler refused(wrong); }).find("top_p") != std::string::npos);
}

TEST_CASE("a conversation that is rendered anew is read once") {
  const Model model = Model::open(golden::bundled());
  std::vector<octavo::Image> images{golden::bundled_picture("000")};
  std::vector<ChatMessage> messages{{"user", {image_part(), text_part("Where is it?")}}};
  Session session(model, 1024);
  const GenerateOptions options = greedy(12);
  std::int64_t held = 0;
  for (int turn = 0; turn < 4; ++turn) {
    INFO("turn " << turn);
    const ModelInput whole = model.prepare(messages, images);
    const Session::Continued continued = session.continue_with(whole);
    REQUIRE(continued.reused_tokens >= held);  // nothing that stays is read twice
    REQUIRE(ids_of(session) == whole.ids);
    golden::require_close(continued.logits, logits_behind(model, whole), 1e-3);
    const Tensor known = session.logits();
    require_same_bits(continued.logits, known);
    const std::string answer = session.generate(options).text;
    REQUIRE(answer == model.generate(whole, options).text);
    held = static_cast<std::int64_t>(whole.ids.size());
    messages.push_back({"assistant", {text_part(answer)}});
    messages.push_back({"user", {text_part("And now?")}});
    if (turn == 1) {
      images.push_back(golden::bundled_picture("001"));
      messages.back().parts.insert(messages.back().parts.begin(), image_part());
    }
  }
}

TEST_CASE("continue_with keeps the longest common beginning and no more") {
  const Values values("nested");
  const Model model = Model::open(golden::directory("nested"));
  const ModelInput two = values.input("two");
  const ModelInput one = values.input("one");
  Session session(model, 200);
  const auto count = static_cast<std::int64_t>(two.ids.size());
  REQUIRE(session.continue_with(two).reused_tokens == 0);
  const Tensor logits = session.logits();

  SECTION("the same again runs nothing") {
    const Session::Continued again = session.continue_with(two);
    REQUIRE(again.reused_tokens == count);
    require_same_bits(again.logits, logits);
  }
  SECTION("a beginning of it runs its last token") {
    session.feed({{1, 2, 3}, {}});
    const Session::Continued again = session.continue_with(two);
    REQUIRE(again.reused_tokens == count - 1);
    golden::require_close(again.logits, logits, 1e-4);
  }
  SECTION("another picture is read, what stood before it is not") {
    ModelInput changed = two;
    changed.images[1].pixel_values = changed.images[1].pixel_values.clone();
    changed.images[1].pixel_values.mutable_values<float>()[3] += 1.0F;
    const Session::Continued other = session.continue_with(changed);
    REQUIRE(other.reused_tokens > 0);
    REQUIRE(other.reused_tokens < count);
    golden::require_close(other.logits, logits_behind(model, changed), 1e-4);
    changed.images[0].pixel_values = changed.images[0].pixel_values.clone();
    changed.images[0].pixel_values.mutable_values<float>()[3] += 1.0F;
    const Session::Continued first = session.continue_with(changed);
    REQUIRE(first.reused_tokens < other.reused_tokens);
    golden::require_close(first.logits, logits_behind(model, changed), 1e-4);
  }
  SECTION("what is refused leaves the session as it was") {
    ModelInput bad = two;
    bad.ids[0] = -1;
    REQUIRE(message_of([&] { session.continue_with(bad); }).find("model input: token 0") == 0);
    bad.ids = Ids(201, 1);
    bad.images.clear();
    REQUIRE(message_of([&] { session.continue_with(bad); }) ==
            "session: 201 tokens after 0 exceed its capacity of 200");
    require_same_bits(session.logits(), logits);
  }
}

TEST_CASE("what generate on a session refuses, and how it is ended early") {
  const Values values("nested");
  const Model model = Model::open(golden::directory("nested"));
  const ModelInput text = values.input("text");
  const Ids expected = values.integers<std::int32_t>("text.greedy");
  Session session(model, static_cast<std::int64_t>(text.ids.size()) + 9);
  REQUIRE(message_of([&] { session.generate(greedy(4)); }) == "session: it holds no token yet: feed it a prompt");
  REQUIRE(message_of([&] { session.logits(); }) == "session: it holds no token yet: feed it a prompt");
  session.feed(text);
  REQUIRE(message_of([&] { session.generate(greedy(4, false)); }) ==
          "session: generate works on the session's cache, and use_cache is off");
  GenerateOptions options = greedy(60);

  SECTION("by the capacity") {
    REQUIRE(session.generate(options).tokens == Ids(expected.begin(), expected.begin() + 9));
    REQUIRE(session.past() == session.capacity());
    REQUIRE(session.generate(options).tokens.empty());
    REQUIRE(message_of([&] { session.feed({{1}, {}}); }).find("exceed its capacity") != std::string::npos);
  }
  SECTION("by the flag, and it goes on from there") {
    std::atomic<bool> cancel{false};
    options.cancel = &cancel;
    int told = 0;
    options.on_token = [&](std::int32_t, std::string_view) {
      cancel = ++told == 3;
      return true;
    };
    const GenerateResult result = session.generate(options);
    REQUIRE(result.finish_reason == FinishReason::cancelled);
    REQUIRE(result.tokens == Ids(expected.begin(), expected.begin() + 3));
    REQUIRE(session.generate(greedy(4)).tokens == Ids(expected.begin() + 3, expected.begin() + 7));
  }
  SECTION("by a callback that throws, and it is as before") {
    int told = 0;
    options.on_token = [&](std::int32_t, std::string_view) -> bool {
      if (++told == 5) throw std::runtime_error("disk full");
      return true;
    };
    REQUIRE_THROWS_AS(session.generate(options), std::runtime_error);
    REQUIRE(ids_of(session) == text.ids);
    REQUIRE(session.generate(greedy(6)).tokens == Ids(expected.begin(), expected.begin() + 6));
  }
  SECTION("truncated behind a picture it has no logits") {
    const ModelInput one = values.input("one");
    Session looking(model, 100);
    looking.feed(one);
    std::int64_t end = 0;  // of the picture
    for (std::int64_t i = 1; i < static_cast<std::int64_t>(one.ids.size()); ++i)
      if (one.ids[static_cast<std::size_t>(i - 1)] == one.ids[static_cast<std::size_t>(i)]) end = i + 1;
    looking.truncate(end);
    REQUIRE(message_of([&] { looking.logits(); }).find("session: it ends behind an image") == 0);
    REQUIRE(looking.past() == end);
    const ModelInput rest{{one.ids.begin() + end, one.ids.end()}, {}};
    golden::require_close(looking.feed(rest), logits_behind(model, one), 1e-4);
  }
}

TEST_CASE("distinct sessions of one model go on side by side") {
  const Values values("nested");
  const Model model = Model::open(golden::directory("nested"));
  test::at_once(4, [&](int thread) {
    const std::string prompt = thread % 2 == 0 ? "one" : "two";
    const ModelInput input = values.input(prompt);
    const Ids expected = values.integers<std::int32_t>(prompt + ".greedy");
    Session session(model, 200);
    for (int round = 0; round < 3; ++round) {
      session.continue_with(input);
      Session restored = Session::from_bytes(model, session.to_bytes());
      for (Session* each : {&session, &restored})
        if (each->generate(greedy(64)).tokens != expected) throw std::runtime_error("other tokens");
    }
  });
}
