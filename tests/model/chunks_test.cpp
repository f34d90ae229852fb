// Prompts that are read in parts: the same logits, the same positions, all or nothing, and memory that a long prompt
// does not need more of.
#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "bundled.hpp"
#include "golden.hpp"
#include "octavo/observer.hpp"
#include "octavo/session.hpp"

using golden::message_of;
using golden::Values;
using octavo::Model;
using octavo::ModelInput;
using octavo::Session;
using octavo::Tensor;

namespace {

/// Notes where calls begin, and ends the run at an operation of the caller's choice.
class Watcher final : public octavo::OperationObserver {
 public:
  explicit Watcher(std::int64_t fail_at = -1) : fail_at_(fail_at) {}
  void on_call(std::string_view phase) override { phases.emplace_back(phase); }
  void on_operation(const octavo::ObservedOperation& /*operation*/) override {
    if (operations++ == fail_at_) throw octavo::Error(octavo::ErrorCode::io, "the disk is full");
  }
  std::string recent() const override { return {}; }

  std::vector<std::string> phases;
  std::int64_t operations = 0;

 private:
  std::int64_t fail_at_;
};

double relative(const Tensor& actual, const Tensor& expected) {
  double worst = 0;
  double largest = 0;
  for (std::size_t i = 0; i < expected.values<float>().size(); ++i) {
    const double wanted = static_cast<double>(expected.values<float>()[i]);
    worst = std::max(worst, std::abs(static_cast<double>(actual.values<float>()[i]) - wanted));
    largest = std::max(largest, std::abs(wanted));
  }
  return worst / largest;
}

ModelInput long_text(std::size_t tokens) {
  ModelInput input;
  for (std::size_t i = 0; i < tokens; ++i) input.ids.push_back(static_cast<std::int32_t>(2 + (i * 37) % 300));
  return input;
}

}  // namespace

TEST_CASE("a prompt in chunks of any size gives the logits of transformers and of one call") {
  const std::string name = GENERATE("nested", "flat", "bf16");
  const std::string prompt = GENERATE("text", "one", "two");  // without a picture, with one, with two
  INFO(name << ", " << prompt);
  const Values values(name);
  const Model model = Model::open(golden::directory(name));
  const ModelInput input = values.input(prompt);
  const auto tokens = static_cast<std::int64_t>(input.ids.size());
  const Tensor all = values.tensor(prompt + ".logits");
  const std::vector<std::int32_t> next = values.integers<std::int32_t>(prompt + ".greedy");
  Session whole(model, tokens + 1, octavo::DType::f32, 0);
  const Tensor expected = whole.feed(input);
  const Tensor after = whole.feed({{next[0]}, {}});
  for (std::int64_t chunk = 1; chunk <= tokens; ++chunk) {
    INFO("chunks of " << chunk);
    Session session(model, tokens + 1, octavo::DType::f32, chunk);
    Watcher watcher;
    Tensor logits;
    {
      const octavo::ObserverScope scope(&watcher);
      logits = session.feed(input);
    }
    golden::require_close(logits, all.select(0, tokens - 1), 1e-4);
    REQUIRE(relative(logits, expected) < 1e-5);
    REQUIRE(relative(session.feed({{next[0]}, {}}), after) < 1e-5);  // positions go on where those of one call do
    std::erase(watcher.phases, "vision");
    REQUIRE(static_cast<std::int64_t>(watcher.phases.size()) == (tokens + chunk - 1) / chunk);
    REQUIRE(watcher.phases.front() == "prefill");
    REQUIRE(std::count(watcher.phases.begin(), watcher.phases.end(), "prefill") == 1);
  }
}

TEST_CASE("chunks give the logits of one call for every cache in float and in W8A8") {
  const Model original = Model::open(golden::bundled());
  for (const Model& model : {original, golden::in_w8a8(original)}) {
    const ModelInput input = golden::ask(model, "Where is the purple circle?", "000");
    const auto tokens = static_cast<std::int64_t>(input.ids.size());
    for (const octavo::DType dtype : {octavo::DType::f32, octavo::DType::bf16, octavo::DType::s8}) {
      const Tensor expected = Session(model, tokens, dtype, 0).feed(input);
      for (const std::int64_t chunk : {7, 16, 40}) {
        INFO(octavo::dtype_name(dtype) << ", chunks of " << chunk << " of " << tokens);
        const double apart = relative(Session(model, tokens, dtype, chunk).feed(input), expected);
        CHECK(apart < 1e-5);
      }
    }
  }
}

TEST_CASE("generate gives transformers' tokens in chunks of any size, alone and in a batch") {
  const std::string name = GENERATE("nested", "flat", "bf16");
  const std::int64_t chunk = GENERATE(1, 3, 8, 20, 0);
  INFO(name << ", chunks of " << chunk);
  const Values values(name);
  const Model model = Model::open(golden::directory(name));
  octavo::GenerateOptions options = golden::greedy(32);
  options.prefill_chunk = chunk;
  std::vector<ModelInput> inputs;
  std::vector<std::vector<std::int32_t>> expected;
  for (const char* prompt : {"two", "text", "one", "two"}) {
    inputs.push_back(values.input(prompt));
    expected.push_back(values.integers<std::int32_t>(std::string(prompt) + ".greedy"));
    expected.back().resize(32);
    REQUIRE(model.generate(inputs.back(), options).tokens == expected.back());
  }
  const std::vector<octavo::GenerateResult> results = model.generate(inputs, options);
  for (std::size_t i = 0; i < results.size(); ++i) REQUIRE(results[i].tokens == expected[i]);
}

TEST_CASE("a feed that fails in any chunk leaves the session as it was") {
  const Values values("nested");
  const Model model = Model::open(golden::directory("nested"));
  const ModelInput first = values.input("one");
  const ModelInput second = values.input("two");
  Session session(model, 100, octavo::DType::f32, 10);
  session.feed(first);
  Session untouched = session.fork();
  const Tensor expected = untouched.feed(second);
  Watcher counting;
  {
    const octavo::ObserverScope scope(&counting);
    session.fork().feed(second);
  }
  const auto past = static_cast<std::int64_t>(first.ids.size());
  for (std::int64_t at = 0; at < counting.operations; at += 5) {
    INFO("operation " << at << " of " << counting.operations);
    Watcher watcher(at);
    {
      const octavo::ObserverScope scope(&watcher);
      REQUIRE(message_of([&] { session.feed(second); }) == "the disk is full");
    }
    REQUIRE(session.past() == past);
    REQUIRE(session.tokens().size() == first.ids.size());
  }
  golden::require_close(session.feed(second), expected, 0);
}

TEST_CASE("what a prompt in chunks holds does not grow with it") {
  const Model model = Model::open(golden::bundled());
  const auto held = [&](std::size_t tokens, std::int64_t chunk) {
    Session session(model, static_cast<std::int64_t>(tokens), octavo::DType::f32, chunk);
    session.feed(long_text(tokens));
    return session.activation_bytes();
  };
  constexpr std::size_t kShort = 256;
  constexpr std::size_t kLong = 2048;
  // Positions are planned for the whole prompt, three numbers of 8 bytes a token, in blocks an eighth too large at
  // most.
  const std::size_t positions = (kLong - kShort) * 3 * 8 * 9 / 8 + 4096;
  const std::size_t grown = held(kLong, 64) - held(kShort, 64);
  const std::size_t whole = held(kLong, 0) - held(kShort, 0);
  INFO(grown << " bytes in chunks, " << whole << " in one call");
  CHECK(grown <= positions);
  CHECK(whole > 100 * positions);
}

TEST_CASE("a chunk of less than no tokens is refused") {
  const Model model = Model::open(golden::directory("nested"));
  CHECK(message_of([&] { Session(model, 8, octavo::DType::f32, -1); }) ==
        "prefill_chunk is -1, it must be 0 (a prompt runs whole) or a number of tokens");
  octavo::GenerateOptions options = golden::greedy(1);
  options.prefill_chunk = -5;
  CHECK(message_of([&] { model.generate(long_text(4), options); }) ==
        "prefill_chunk is -5, it must be 0 (a prompt runs whole) or a number of tokens");
}

TEST_CASE("a truncated session goes on from there as one that was fed no more") {
  const std::string name = GENERATE("nested", "flat", "bf16");
  INFO(name);
  const Values values(name);
  const Model model = Model::open(golden::directory(name));
  const ModelInput all = values.input("two");
  const Tensor logits = values.tensor("two.logits");
  const auto tokens = static_cast<std::int64_t>(all.ids.size());
  Session session(model, tokens + 4);
  session.feed(all);
  session.feed({{1, 2, 3}, {}});
  session.truncate(tokens);
  REQUIRE(std::equal(all.ids.begin(), all.ids.end(), session.tokens().begin(), session.tokens().end()));
  session.truncate(22);  // behind the first image: text (5), start, 15 pads, end
  const ModelInput second{{all.ids.begin() + 22, all.ids.end()}, {all.images[1]}};
  golden::require_close(session.feed(second), logits.select(0, tokens - 1), 1e-4);
  // Text before the first image, and the image itself again.
  session.truncate(5);
  const ModelInput rest{{all.ids.begin() + 5, all.ids.end()}, all.images};
  golden::require_close(session.feed(rest), logits.select(0, tokens - 1), 1e-4);

  REQUIRE(message_of([&] { session.truncate(10); }) ==
          "sequence: token 10 is inside an image, which stands at [6, 21): truncate to one of its ends");
  REQUIRE(message_of([&] { session.truncate(tokens + 1); }) ==
          "sequence: it holds 34 tokens, it cannot be truncated to 35");
  REQUIRE(message_of([&] { session.truncate(-1); }) == "sequence: it holds 34 tokens, it cannot be truncated to -1");
  REQUIRE(session.past() == tokens);
  session.truncate(0);
  REQUIRE(session.tokens().empty());
  golden::require_close(session.feed(all), logits.select(0, tokens - 1), 1e-4);
}
