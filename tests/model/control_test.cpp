// What a caller may do to an answer as it grows: bias, the hook of the logits, stop texts.
#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "bundled.hpp"
#include "golden.hpp"
#include "octavo/session.hpp"
#include "stop_text.hpp"

using golden::greedy;
using golden::message_of;
using golden::Values;
using octavo::FinishReason;
using octavo::GenerateOptions;
using octavo::GenerateResult;
using octavo::Model;
using octavo::ModelInput;
using Ids = std::vector<std::int32_t>;

namespace {

constexpr double kNever = -std::numeric_limits<double>::infinity();

/// The best of a session's logits plus `bias`, token by token.
Ids best_of_session(const Model& model, const ModelInput& prompt, const std::vector<octavo::TokenBias>& bias,
                    std::size_t tokens) {
  octavo::Session session(model, 256);
  octavo::Tensor logits = session.feed(prompt);
  Ids ids;
  while (ids.size() < tokens) {
    const std::span<const float> row = logits.values<float>();
    std::vector<float> scores(row.begin(), row.end());
    for (const octavo::TokenBias& one : bias) scores[static_cast<std::size_t>(one.id)] += static_cast<float>(one.bias);
    ids.push_back(static_cast<std::int32_t>(std::max_element(scores.begin(), scores.end()) - scores.begin()));
    logits = session.feed({{ids.back()}, {}, 0});
  }
  return ids;
}

}  // namespace

TEST_CASE("a bias is added to the logits, whether tokens are sampled or not") {
  const Values values("nested");
  const Model model = Model::open(golden::directory("nested"));
  const ModelInput prompt = values.input("one");
  const Ids plain = values.integers<std::int32_t>("one.greedy");
  GenerateOptions options = greedy(24);

  options.logit_bias = {{plain[0], kNever}, {plain[2], -1.5}, {plain[2], -1.5}};
  const Ids biased = model.generate(prompt, options).tokens;
  REQUIRE(biased == best_of_session(model, prompt, options.logit_bias, 24));
  REQUIRE(std::find(biased.begin(), biased.end(), plain[0]) == biased.end());

  options.sampling->do_sample = true;
  options.logit_bias = {{17, 1e6}};
  REQUIRE(model.generate(prompt, options).tokens == Ids(24, 17));
}

TEST_CASE("a bias that is none is refused") {
  const Values values("nested");
  const Model model = Model::open(golden::directory("nested"));
  GenerateOptions options = greedy(4);
  const auto refused = [&] { return message_of([&] { model.generate(values.input("text"), options); }); };
  options.logit_bias = {{272, 1.0}};
  REQUIRE(refused() == "generate: logit_bias has the token id 272, outside the vocabulary of 272");
  options.logit_bias = {{3, std::nan("")}};
  REQUIRE(refused().find("logit_bias of token 3 is") != std::string::npos);
  options.logit_bias = {{3, -kNever}};
  REQUIRE(refused().find("it must lie in the range of float32 or be -infinity") != std::string::npos);
  options.logit_bias = {{3, 1e300}};
  REQUIRE(refused() ==
          "generate: logit_bias of token 3 is 1e+300, it must lie in the range of float32 or be -infinity");
  options.logit_bias.clear();
  for (std::int32_t id = 0; id < 272; ++id) options.logit_bias.push_back({id, kNever});
  REQUIRE(refused().find("leave no token to choose") != std::string::npos);
}

TEST_CASE("the hook sees the model's logits and what was said, and changes the choice") {
  const Values values("nested");
  const Model model = Model::open(golden::directory("nested"));
  const ModelInput prompt = values.input("one");
  const Ids plain = values.integers<std::int32_t>("one.greedy");
  GenerateOptions options = greedy(16, GENERATE(true, false));
  octavo::Session session(model, 256);
  std::vector<Ids> histories;
  options.on_logits = [&](std::size_t sequence, std::span<const std::int32_t> history, std::span<float> logits) {
    REQUIRE(sequence == 0);
    REQUIRE(static_cast<std::int64_t>(logits.size()) == model.vocab_size());
    histories.emplace_back(history.begin(), history.end());
    logits[static_cast<std::size_t>(plain[0])] = -INFINITY;
    return true;
  };
  const GenerateResult result = model.generate(prompt, options);
  REQUIRE(result.tokens == best_of_session(model, prompt, {{plain[0], kNever}}, 16));
  REQUIRE(histories.size() == 16);
  for (std::size_t i = 0; i < 16; ++i) {
    Ids said = prompt.ids;
    said.insert(said.end(), result.tokens.begin(), result.tokens.begin() + static_cast<std::ptrdiff_t>(i));
    REQUIRE(histories[i] == said);
  }
}

TEST_CASE("the hook ends one sequence, before another token") {
  const Values values("nested");
  const Model model = Model::open(golden::directory("nested"));
  const std::vector<ModelInput> inputs{values.input("one"), values.input("text")};
  GenerateOptions options = greedy(8);
  options.on_logits = [&](std::size_t sequence, std::span<const std::int32_t> history, std::span<float>) {
    return sequence == 0 || history.size() < inputs[1].ids.size() + 3;
  };
  const std::vector<GenerateResult> results = model.generate(inputs, options);
  REQUIRE(results[0].tokens.size() == 8);
  const Ids whole = values.integers<std::int32_t>("text.greedy");
  REQUIRE(results[1].tokens == Ids(whole.begin(), whole.begin() + 3));
  REQUIRE(results[1].finish_reason == FinishReason::cancelled);
  REQUIRE(results[1].text == model.tokenizer().decode(results[1].tokens, true));

  options.on_logits = [](std::size_t, std::span<const std::int32_t>, std::span<float>) { return false; };
  REQUIRE(model.generate(inputs[0], options).tokens.empty());
}

TEST_CASE("the hook is called for the same tokens with prompt lookup") {
  const Model model = Model::open(golden::bundled());
  const ModelInput prompt = golden::ask(model, "Where is the purple circle?", "000");
  GenerateOptions options;
  options.max_new_tokens = 32;
  std::vector<std::size_t> lengths;
  options.on_logits = [&](std::size_t, std::span<const std::int32_t> history, std::span<float> logits) {
    lengths.push_back(history.size());
    logits[history.size() % logits.size()] += 0.5F;
    return true;
  };
  const GenerateResult plain = model.generate(prompt, options);
  const std::vector<std::size_t> expected = lengths;
  REQUIRE(expected.size() == plain.tokens.size());
  lengths.clear();
  options.lookup = octavo::PromptLookup{};
  const GenerateResult looked_up = model.generate(prompt, options);
  REQUIRE(looked_up.accepted_tokens > 0);
  REQUIRE(looked_up.tokens == plain.tokens);
  REQUIRE(lengths == expected);
}

TEST_CASE("what the hook leaves must be numbers") {
  const Values values("nested");
  const Model model = Model::open(golden::directory("nested"));
  GenerateOptions options = greedy(4);
  const float wrong = GENERATE(NAN, INFINITY);
  options.on_logits = [&](std::size_t, std::span<const std::int32_t>, std::span<float> logits) {
    logits[7] = wrong;
    return true;
  };
  const std::string message = message_of([&] { model.generate(values.input("text"), options); });
  REQUIRE(message.find("generate: on_logits left ") == 0);
  REQUIRE(message.find(" at token 7: ") != std::string::npos);
}

TEST_CASE("a stop text ends the answer and is left out of it") {
  const Model model = Model::open(golden::bundled());
  const ModelInput prompt = golden::ask(model, "Where is the purple circle?", "000");
  GenerateOptions options;
  options.max_new_tokens = 48;
  const GenerateResult whole = model.generate(prompt, options);
  REQUIRE(whole.text.size() > 12);
  std::string streamed;
  options.on_event = [&](const octavo::TokenEvent& event) {
    REQUIRE(event.sequence == 0);
    REQUIRE(event.log_probs == nullptr);
    streamed += event.text;
    return true;
  };
  // Every part of the answer, of every length up to 8: what stands before it is told, and no more.
  for (std::size_t begin = 0; begin + 1 < whole.text.size(); begin += 5)
    for (std::size_t length = 1; length <= 8 && begin + length <= whole.text.size(); length += 3) {
      options.stop_strings = {whole.text.substr(begin, length), "never said"};
      streamed.clear();
      const GenerateResult result = model.generate(prompt, options);
      INFO('"' << options.stop_strings[0] << '"');
      REQUIRE(result.text == whole.text.substr(0, whole.text.find(options.stop_strings[0])));
      REQUIRE(streamed == result.text);
      REQUIRE(result.finish_reason == FinishReason::stop);
      REQUIRE(result.tokens.size() <= whole.tokens.size());
    }
  options.stop_strings = {"never said", whole.text + "x"};  // held back to the end, and told then
  streamed.clear();
  REQUIRE(model.generate(prompt, options).text == whole.text);
  REQUIRE(streamed == whole.text);
}

TEST_CASE("a stop text in the prompt ends nothing, and an empty one is refused") {
  const Model model = Model::open(golden::bundled());
  const ModelInput prompt = golden::ask(model, "Where is the purple circle?", "000");
  GenerateOptions options;
  const GenerateResult whole = model.generate(prompt, options);
  options.stop_strings = {"Where is the"};
  REQUIRE(model.generate(prompt, options).text == whole.text);
  options.stop_strings = {""};
  REQUIRE(message_of([&] { model.generate(prompt, options); }) == "generate: one of stop_strings is empty");
}

TEST_CASE("stop texts do not depend on the pieces a text comes in") {
  std::mt19937 random(11);
  const auto word = [&](std::size_t most) {
    std::string text;
    for (std::size_t i = 1 + random() % most; i > 0; --i) text += random() % 2 == 0 ? 'a' : 'b';
    return text;
  };
  for (int round = 0; round < 3000; ++round) {
    std::vector<std::string> stops;
    for (std::size_t i = random() % 3 + 1; i > 0; --i) stops.push_back(word(5));
    const std::string text = word(24);
    // Letter by letter: the first end, and of the strings that end there the longest.
    std::string expected = text;
    bool found = false;
    for (std::size_t end = 1; end <= text.size() && !found; ++end)
      for (const std::string& stop : stops)
        if (end >= stop.size() && text.compare(end - stop.size(), stop.size(), stop) == 0) {
          found = true;
          expected = text.substr(0, std::min(expected.size(), end - stop.size()));
        }
    octavo::model::StopText filter(stops);
    std::string told;
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t piece = random() % 6;
      told += filter.push(text.substr(at, piece));
      at += piece;
      REQUIRE(expected.compare(0, told.size(), told) == 0);
    }
    told += filter.finish();
    REQUIRE(told == expected);
    REQUIRE(filter.found() == found);
  }
}

TEST_CASE("numbers of a draw are refused where nothing is drawn") {
  const Values values("nested");
  const Model model = Model::open(golden::directory("nested"));
  GenerateOptions options = greedy(2);
  const auto refused = [&] { return message_of([&] { model.generate(values.input("text"), options); }); };
  options.sampling->temperature = 0.7;
  REQUIRE(refused().find("sampling: temperature is 0.7") == 0);
  options.sampling = octavo::SamplingOptions{};
  options.sampling->top_k = 3;
  REQUIRE(refused().find("sampling: top_k is 3") == 0);
  options.sampling = octavo::SamplingOptions{};
  options.sampling->min_p = 0.1;
  REQUIRE(refused().find("sampling: min_p is 0.1") == 0);
  options.sampling = octavo::SamplingOptions{};
  options.sampling->temperature = 0;
  options.sampling->top_k = 0;
  REQUIRE(refused() == "nothing was thrown");
}
