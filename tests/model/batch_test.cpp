// A batch: every sequence gets the tokens that transformers computed for it alone, whatever else is in the batch.
#include <algorithm>
#include <atomic>

#include "golden.hpp"
#include "octavo/session.hpp"

using golden::message_of;
using golden::Values;
using octavo::FinishReason;
using octavo::GenerateResult;
using octavo::ModelInput;
using octavo::Session;
using octavo::Tensor;
using Ids = std::vector<std::int32_t>;

using golden::greedy;

namespace {

/// The golden prompts by name: without a picture, with one, with two; each of another length.
struct Sequences {
  Sequences(const std::string& model, std::vector<std::string> prompts) : values(model), names(std::move(prompts)) {
    for (const std::string& name : names) inputs.push_back(values.input(name));
  }
  Ids expected(std::size_t i, const char* how = ".greedy") const {
    return values.integers<std::int32_t>(names[i] + how);
  }
  Values values;
  std::vector<std::string> names;
  std::vector<ModelInput> inputs;
};

Ids until(const Ids& ids, std::int32_t stop) {
  const auto found = std::find(ids.begin(), ids.end(), stop);
  return {ids.begin(), found == ids.end() ? found : found + 1};
}

ModelInput of(Ids ids) {
  ModelInput input;
  input.ids = std::move(ids);
  return input;
}

}  // namespace

TEST_CASE("a batch of unequal prompts gives each the tokens of transformers, with and without cache") {
  const std::string name = GENERATE("nested", "flat", "bf16");
  const bool use_cache = GENERATE(true, false);
  const std::vector<std::string> prompts = GENERATE(std::vector<std::string>{"text", "one", "two"},
                                                    std::vector<std::string>{"two", "text", "one", "text", "two"});
  INFO(name << ", use_cache " << use_cache << ", " << prompts.size() << " sequences");
  const Sequences sequences(name, prompts);
  const octavo::Model model = octavo::Model::open(golden::directory(name));
  octavo::GenerateOptions options = greedy(64, use_cache);
  const std::vector<GenerateResult> results = model.generate(sequences.inputs, options);
  REQUIRE(results.size() == prompts.size());
  for (std::size_t i = 0; i < results.size(); ++i) {
    INFO("sequence " << i);
    REQUIRE(results[i].tokens == sequences.expected(i));
    REQUIRE(results[i].finish_reason == FinishReason::length);
    REQUIRE(results[i].prompt_tokens == static_cast<std::int64_t>(sequences.inputs[i].ids.size()));
  }
  options.sampling->repetition_penalty = 1.3;
  const std::vector<GenerateResult> penalised = model.generate(sequences.inputs, options);
  for (std::size_t i = 0; i < results.size(); ++i) REQUIRE(penalised[i].tokens == sequences.expected(i, ".penalised"));
}

TEST_CASE("a sequence leaves the batch at its own stop token, the others go on") {
  const std::string name = GENERATE("nested", "flat", "bf16");
  const bool use_cache = GENERATE(true, false);
  INFO(name << ", use_cache " << use_cache);
  const Sequences sequences(name, {"one", "text", "two"});
  const octavo::Model model = octavo::Model::open(golden::directory(name));
  octavo::GenerateOptions options = greedy(64, use_cache);
  const std::int32_t stop = sequences.expected(0)[5];
  options.stop_ids = {stop};
  const std::vector<GenerateResult> results = model.generate(sequences.inputs, options);
  for (std::size_t i = 0; i < results.size(); ++i) {
    INFO("sequence " << i);
    const Ids all = sequences.expected(i);
    REQUIRE(results[i].tokens == until(all, stop));
    const bool stopped = std::find(all.begin(), all.end(), stop) != all.end();
    REQUIRE(results[i].finish_reason == (stopped ? FinishReason::stop : FinishReason::length));
  }
  REQUIRE(results[0].tokens.size() <= 6);
}

TEST_CASE("a prompt that fills the context ends early, alone") {
  const Sequences sequences("flat", {"one", "text"});
  const octavo::Model model = octavo::Model::open(golden::directory("flat"));  // 256 positions
  std::vector<ModelInput> inputs = sequences.inputs;
  inputs.insert(inputs.begin(), {of(Ids(256, 1)), of(Ids(254, 1))});
  const std::vector<GenerateResult> results = model.generate(inputs, greedy(64));
  REQUIRE(results[0].tokens.empty());
  REQUIRE(results[1].tokens.size() == 2);
  REQUIRE(results[2].tokens == sequences.expected(0));
  REQUIRE(results[3].tokens == sequences.expected(1));
}

TEST_CASE("sampling draws for each sequence what it would draw alone, in any order") {
  const std::string name = GENERATE("nested", "flat", "bf16");
  INFO(name);
  const Sequences sequences(name, {"text", "one", "two", "one"});
  const octavo::Model model = octavo::Model::open(golden::directory(name));
  octavo::GenerateOptions options = greedy(32);
  options.sampling->do_sample = true;
  options.sampling->temperature = 1.5;
  options.sampling->top_k = 0;
  options.sampling->seed = 7;
  std::vector<Ids> alone;
  for (const ModelInput& input : sequences.inputs) alone.push_back(model.generate(input, options).tokens);
  REQUIRE(alone[0] != sequences.expected(0));  // it does sample
  const std::vector<GenerateResult> together = model.generate(sequences.inputs, options);
  for (std::size_t i = 0; i < alone.size(); ++i) REQUIRE(together[i].tokens == alone[i]);
  std::vector<ModelInput> reversed(sequences.inputs.rbegin(), sequences.inputs.rend());
  options.use_cache = false;
  const std::vector<GenerateResult> backwards = model.generate(reversed, options);
  for (std::size_t i = 0; i < alone.size(); ++i) REQUIRE(backwards[alone.size() - 1 - i].tokens == alone[i]);
}

TEST_CASE("a batch streams by sequence, and stops one or all") {
  const Sequences sequences("nested", {"two", "text", "one"});
  const octavo::Model model = octavo::Model::open(golden::directory("nested"));
  std::vector<Ids> ids(3);
  std::vector<std::string> texts(3);
  std::atomic<bool> cancel{false};
  octavo::GenerateOptions options = greedy(64);
  options.cancel = &cancel;
  const auto heard = [&](const octavo::TokenEvent& event) {
    ids.at(event.sequence).push_back(event.id);
    texts.at(event.sequence) += event.text;
  };

  SECTION("to the end") {
    options.on_event = [&](const octavo::TokenEvent& event) {
      heard(event);
      return true;
    };
    const std::vector<GenerateResult> results = model.generate(sequences.inputs, options);
    for (std::size_t i = 0; i < 3; ++i) {
      REQUIRE(ids[i] == sequences.expected(i));
      REQUIRE(texts[i] == results[i].text);
      REQUIRE(results[i].text == model.tokenizer().decode(results[i].tokens, true));
    }
  }
  SECTION("false stops that sequence alone") {
    options.on_event = [&](const octavo::TokenEvent& event) {
      heard(event);
      return event.sequence != 1 || ids[1].size() < 4;
    };
    const std::vector<GenerateResult> results = model.generate(sequences.inputs, options);
    const Ids whole = sequences.expected(1);
    REQUIRE(results[1].tokens == Ids(whole.begin(), whole.begin() + 4));
    REQUIRE(results[1].finish_reason == FinishReason::cancelled);
    for (const std::size_t i : {std::size_t{0}, std::size_t{2}}) {
      REQUIRE(results[i].tokens == sequences.expected(i));
      REQUIRE(results[i].finish_reason == FinishReason::length);
    }
  }
  SECTION("the flag stops all, and what was made is returned") {
    options.on_event = [&](const octavo::TokenEvent& event) {
      heard(event);
      cancel = ids[2].size() == 3;
      return true;
    };
    const std::vector<GenerateResult> results = model.generate(sequences.inputs, options);
    for (std::size_t i = 0; i < 3; ++i) {
      const Ids whole = sequences.expected(i);
      REQUIRE(results[i].tokens == Ids(whole.begin(), whole.begin() + 3));
      REQUIRE(results[i].finish_reason == FinishReason::cancelled);
    }
  }
}

TEST_CASE("what is wrong with a batch is said with the sequence's index") {
  const Sequences sequences("flat", {"one", "text"});
  const octavo::Model model = octavo::Model::open(golden::directory("flat"));
  octavo::GenerateOptions options = greedy(4);
  std::vector<ModelInput> inputs = sequences.inputs;

  REQUIRE(message_of([&] { model.generate(std::vector<ModelInput>{}, options); }) ==
          "generate: the batch is empty: give at least one prompt");
  inputs[1].ids[2] = 144;
  REQUIRE(message_of([&] { model.generate(inputs, options); }) ==
          "sequence 1: model input: token 2 is 144, outside the vocabulary of 144");
  inputs[1] = of(Ids(257, 1));
  REQUIRE(message_of([&] { model.generate(inputs, options); }) ==
          "sequence 1: generate: the prompt has 257 tokens, the model takes max_position_embeddings = 256: shorten it "
          "or use smaller images");
  options.on_token = [](std::int32_t, std::string_view) { return true; };
  REQUIRE(message_of([&] { model.generate(sequences.inputs, options); }) ==
          "generate: on_token does not tell the sequences of a batch apart: set on_event instead");
  options.on_event = [](const octavo::TokenEvent&) { return true; };
  REQUIRE(message_of([&] { model.generate(sequences.inputs[0], options); }) ==
          "generate: on_token and on_event are the same call: set one of them");
}

TEST_CASE("sessions are fed together in whatever state they are") {
  // One reads its whole prompt, one its second turn, one decodes; transformers' logits of each conversation decide.
  const std::string name = GENERATE("nested", "flat", "bf16");
  INFO(name);
  const Values values(name);
  const octavo::Model model = octavo::Model::open(golden::directory(name));
  const ModelInput text = values.input("text");
  const ModelInput one = values.input("one");
  const ModelInput two = values.input("two");
  constexpr std::ptrdiff_t kTurn = 22;  // behind the first picture of "two"
  const ModelInput first{{two.ids.begin(), two.ids.begin() + kTurn}, {two.images[0]}};
  const ModelInput second{{two.ids.begin() + kTurn, two.ids.end()}, {two.images[1]}};
  const ModelInput start = of({text.ids.begin(), text.ids.end() - 1});
  const auto last = [&](const char* logits) {
    const Tensor all = values.tensor(logits);
    return all.select(0, all.dim(0) - 1);
  };
  Session reading(model, 100);
  Session turning(model, 100);
  Session decoding(model, 100);
  turning.feed(first);
  decoding.feed(start);
  const std::vector<Session*> sessions{&reading, &turning, &decoding};
  const std::vector<ModelInput> inputs{one, second, of({text.ids.back()})};
  const Tensor logits = Session::feed(sessions, inputs);
  REQUIRE(logits.shape() == octavo::Shape{3, model.vocab_size()});
  golden::require_close(logits.select(0, 0), last("one.logits"), 1e-4);
  golden::require_close(logits.select(0, 1), last("two.logits"), 1e-4);
  golden::require_close(logits.select(0, 2), last("text.logits"), 1e-4);
  REQUIRE(turning.past() == static_cast<std::int64_t>(two.ids.size()));

  SECTION("what is refused leaves every session as it was") {
    Session small(model, 2);
    Session copy = turning;
    const octavo::Model other = octavo::Model::open(golden::directory(name));
    Session foreign(other, 10);
    const auto feed = [&](std::vector<Session*> given, std::size_t count) {
      return message_of([&] { Session::feed(given, std::vector<ModelInput>(count, of({1, 2, 3}))); });
    };
    REQUIRE(feed({&reading, &small}, 2) == "session 1: session: 3 tokens after 0 exceed its capacity of 2");
    REQUIRE(feed({&turning, &reading, &copy}, 3) == "session 2 is session 0 again: fork() it to go on in two ways");
    REQUIRE(feed({&reading, &foreign}, 2) == "session 1 belongs to another model than session 0");
    REQUIRE(feed({&reading, nullptr}, 2) == "session 1 is null");
    REQUIRE(feed({&reading}, 2) ==
            "session: 1 sessions and 2 inputs were given: give one input for each of at least one session");
    REQUIRE(feed({}, 0) ==
            "session: 0 sessions and 0 inputs were given: give one input for each of at least one session");
    REQUIRE(reading.past() == static_cast<std::int64_t>(one.ids.size()));
    REQUIRE(turning.past() == static_cast<std::int64_t>(two.ids.size()));
    reading.reset();
    golden::require_close(reading.feed(one), last("one.logits"), 1e-4);
  }
}
