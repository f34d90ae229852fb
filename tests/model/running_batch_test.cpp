// Sequences that join and leave a running batch: each gets the tokens that transformers, or generate, gives it alone.
#include "octavo/running_batch.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <limits>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "bundled.hpp"
#include "changed_model.hpp"
#include "golden.hpp"
#include "octavo/prefix_cache.hpp"
#include "threads.hpp"

using golden::greedy;
using golden::message_of;
using golden::Values;
using octavo::DType;
using octavo::ErrorCode;
using octavo::FinishReason;
using octavo::GenerateOptions;
using octavo::Model;
using octavo::ModelInput;
using octavo::RunningBatch;
using Ids = std::vector<std::int32_t>;

namespace {

using ById = std::map<RunningBatch::Id, RunningBatch::Finished>;

// Threads call these, too, and Catch's macros are for one thread: what is wrong is thrown.
void step(RunningBatch& batch, ById& finished) {
  for (RunningBatch::Finished& one : batch.step()) {
    const RunningBatch::Id id = one.id;
    if (!finished.emplace(id, std::move(one)).second)
      throw std::runtime_error("sequence " + std::to_string(id) + " finished twice");
  }
}

ById run_out(RunningBatch& batch, ById finished = {}) {
  for (int steps = 0; batch.size() > 0; ++steps) {
    if (steps == 1000) throw std::runtime_error("the batch does not end");
    step(batch, finished);
  }
  return finished;
}

/// `options` with an on_token that keeps the ids in `heard`.
GenerateOptions heard_by(GenerateOptions options, Ids& heard) {
  options.on_token = [&heard](std::int32_t id, std::string_view) {
    heard.push_back(id);
    return true;
  };
  return options;
}

}  // namespace

TEST_CASE("sequences that join a running batch get the tokens of transformers") {
  const std::string name = GENERATE("nested", "flat", "bf16");
  const std::int64_t prompt_tokens = GENERATE(1, 5, 256);  // 5: parts begin and end inside pictures
  const std::int64_t max_sequences = GENERATE(1, 2, 8);
  INFO(name << ", " << prompt_tokens << " prompt tokens per step, at most " << max_sequences << " sequences");
  const Values values(name);
  const Model model = Model::open(golden::directory(name));
  RunningBatch batch(model, {max_sequences, prompt_tokens});
  std::map<RunningBatch::Id, std::string> names;
  ById finished;
  const auto join = [&](const char* prompt) {
    names[batch.join(values.input(prompt), greedy(64))] = prompt;
    for (int i = 0; i < 7; ++i) step(batch, finished);
  };
  for (const char* prompt : {"text", "two", "one", "text", "two"}) join(prompt);
  finished = run_out(batch, std::move(finished));
  REQUIRE(finished.size() == names.size());
  for (const auto& [id, one] : finished) {
    INFO("sequence " << id << ", " << names[id]);
    REQUIRE_FALSE(one.error);
    REQUIRE(one.result.tokens == values.integers<std::int32_t>(names[id] + ".greedy"));
    REQUIRE(one.result.finish_reason == FinishReason::length);
    REQUIRE(one.result.prompt_tokens == static_cast<std::int64_t>(values.input(names[id]).ids.size()));
    REQUIRE(one.result.prefill_seconds > 0);
    REQUIRE(one.result.decode_seconds > 0);
  }
}

TEST_CASE("those that decode get a token in every step while another reads its prompt") {
  const Values values("nested");
  const Model model = Model::open(golden::directory("nested"));
  RunningBatch batch(model, {8, 4});
  Ids first, second;
  batch.join(values.input("text"), heard_by(greedy(64), first));
  while (first.empty()) batch.step();
  const ModelInput two = values.input("two");
  const std::size_t reading_steps = (two.ids.size() + 3) / 4;
  REQUIRE(reading_steps > 5);
  batch.join(two, heard_by(greedy(64), second));
  for (std::size_t i = 1; i <= reading_steps; ++i) {
    batch.step();
    REQUIRE(first.size() == 1 + i);
    REQUIRE(second.size() == (i < reading_steps ? 0U : 1U));
  }
  batch.step();
  REQUIRE(second.size() == 2);
}

TEST_CASE("a sequence that leaves a running batch takes nothing from the others") {
  const Values values("nested");
  const Model model = Model::open(golden::directory("nested"));
  RunningBatch batch(model, {2, 6});
  Ids gone;
  const RunningBatch::Id first = batch.join(values.input("one"), greedy(64));
  const RunningBatch::Id leaver = batch.join(values.input("two"), heard_by(greedy(64), gone));
  const RunningBatch::Id reader = batch.join(values.input("two"), greedy(64));
  const RunningBatch::Id last = batch.join(values.input("text"), greedy(64));
  REQUIRE(batch.size() == 4);
  REQUIRE(batch.waiting() == 4);
  while (gone.size() < 5) batch.step();
  REQUIRE(batch.waiting() == 2);
  batch.leave(leaver);
  batch.step();
  batch.leave(reader);  // in the middle of its prompt
  REQUIRE(batch.size() == 2);
  const ById finished = run_out(batch);
  REQUIRE(gone.size() == 5);
  REQUIRE(finished.size() == 2);
  REQUIRE(finished.at(first).result.tokens == values.integers<std::int32_t>("one.greedy"));
  REQUIRE(finished.at(last).result.tokens == values.integers<std::int32_t>("text.greedy"));
  REQUIRE(message_of([&] { batch.leave(leaver); }) ==
          "running batch: sequence 2 is not in it: it has finished or left, or never joined");
}

TEST_CASE("a running batch gives what generate gives with the same options") {
  const Model original = Model::open(golden::bundled());
  for (const Model& model : {original, golden::in_w8a8(original)}) {
    std::vector<ModelInput> inputs;
    for (const char* picture : {"000", "001", "002"})
      inputs.push_back(golden::ask(model, "Where is the purple circle?", picture));
    inputs.push_back(model.prepare("What is red?", {}));
    std::vector<GenerateOptions> options;
    for (const DType dtype : {DType::f32, DType::bf16, DType::s8})
      for (const bool sampled : {false, true})
        for (const bool lookup : {false, true}) {
          GenerateOptions one;
          one.max_new_tokens = 20;
          one.cache_dtype = dtype;
          one.sampling = octavo::SamplingOptions{};
          one.sampling->do_sample = sampled;
          if (sampled) one.sampling->temperature = 1.2;
          one.sampling->seed = 40 + options.size();
          if (lookup) one.lookup = octavo::PromptLookup{};
          options.push_back(one);
        }
    options.push_back(greedy(12, false));  // without a cache, among others that have one
    RunningBatch batch(model, {4, 32});
    ById finished;
    std::map<RunningBatch::Id, std::size_t> places;
    for (std::size_t i = 0; i < options.size(); ++i) {
      places[batch.join(inputs[i % inputs.size()], options[i])] = i;
      step(batch, finished);
      step(batch, finished);
    }
    finished = run_out(batch, std::move(finished));
    REQUIRE(finished.size() == options.size());
    for (const auto& [id, one] : finished) {
      const std::size_t i = places[id];
      INFO("options " << i);
      REQUIRE_FALSE(one.error);
      const octavo::GenerateResult alone = model.generate(inputs[i % inputs.size()], options[i]);
      REQUIRE(one.result.tokens == alone.tokens);
      REQUIRE(one.result.text == alone.text);
      REQUIRE(one.result.finish_reason == alone.finish_reason);
      REQUIRE(one.result.pictures.size() == alone.pictures.size());
      REQUIRE(one.result.boxes.size() == alone.boxes.size());
    }
  }
}

TEST_CASE("a running batch takes from the prefix cache and leaves in it") {
  const Model model = Model::open(golden::bundled());
  const auto cache = std::make_shared<octavo::PrefixCache>();
  const ModelInput where = golden::ask(model, "Where is the purple circle?", "000");
  const ModelInput what = golden::ask(model, "What colour is the small triangle?", "000");
  const octavo::GenerateResult alone = model.generate(what, greedy(16));
  GenerateOptions options = greedy(16);
  options.prefix_cache = cache;
  RunningBatch batch(model, {8, 16});
  batch.join(where, options);
  run_out(batch);
  REQUIRE(cache->stats().encoded_images == 1);
  const RunningBatch::Id second = batch.join(what, options);
  const ById finished = run_out(batch);
  REQUIRE(finished.at(second).result.tokens == alone.tokens);
  REQUIRE(finished.at(second).result.reused_tokens > static_cast<std::int64_t>(what.ids.size()) / 2);
  REQUIRE(cache->stats().encoded_images == 1);

  cache->clear();  // what leaves half-read is kept as far as it was read
  const RunningBatch::Id leaver = batch.join(where, options);
  batch.step();
  batch.step();
  batch.leave(leaver);
  REQUIRE(cache->stats().prompts <= 1);
  const RunningBatch::Id third = batch.join(what, options);
  REQUIRE(run_out(batch).at(third).result.tokens == alone.tokens);
}

TEST_CASE("what is wrong with one sequence ends that sequence alone") {
  const Values values("nested");
  const golden::TemporaryDirectory place;
  // A token that no other prompt and no answer holds.
  Ids used;
  for (const char* name : {"text", "one", "two"})
    for (const char* part : {".ids", ".greedy"}) {
      const Ids ids = values.integers<std::int32_t>(std::string(name) + part);
      used.insert(used.end(), ids.begin(), ids.end());
    }
  std::int32_t unused = 20;
  while (std::find(used.begin(), used.end(), unused) != used.end()) ++unused;
  golden::write_with(place.path() + "/m", "model.embed_tokens.weight", std::numeric_limits<float>::quiet_NaN(), unused);
  const Model model = Model::open(place.path() + "/m");
  RunningBatch batch(model, {8, 16});
  const ModelInput text = values.input("text");

  const RunningBatch::Id good = batch.join(text, greedy(64));
  const RunningBatch::Id other = batch.join(values.input("two"), greedy(64));
  for (int i = 0; i < 4; ++i) batch.step();
  ModelInput with_nan = text;
  with_nan.ids[1] = unused;
  const RunningBatch::Id bad = batch.join(with_nan, greedy(64));  // fails in a call of all
  GenerateOptions throwing = greedy(64);
  throwing.on_token = [](std::int32_t, std::string_view) -> bool { throw std::runtime_error("disk full"); };
  const RunningBatch::Id thrower = batch.join(text, throwing);
  GenerateOptions nothing_left = greedy(64);
  nothing_left.rules = octavo::GenerationRules{};
  for (std::int64_t id = 0; id < model.vocab_size(); ++id)
    nothing_left.rules->suppress_tokens.push_back(static_cast<std::int32_t>(id));
  const RunningBatch::Id silent = batch.join(text, nothing_left);
  ModelInput bad_picture = values.input("one");
  bad_picture.images[0].pixel_values = bad_picture.images[0].pixel_values.clone();
  bad_picture.images[0].pixel_values.mutable_values<float>()[0] = std::numeric_limits<float>::infinity();
  const RunningBatch::Id blind = batch.join(bad_picture, greedy(64));
  const ById finished = run_out(batch);
  REQUIRE(finished.size() == 6);
  const auto error = [&](RunningBatch::Id id) { return finished.at(id).error.value(); };
  CHECK(error(bad).code() == ErrorCode::not_finite);
  CHECK(std::string(error(bad).what()).find("model.embed_tokens") == 0);
  CHECK(error(thrower).code() == ErrorCode::cancelled);
  CHECK(std::string(error(thrower).what()) == "a callback threw: disk full");
  CHECK(finished.at(thrower).result.tokens.size() == 1);
  CHECK(error(silent).code() == ErrorCode::invalid_argument);
  CHECK(error(blind).code() == ErrorCode::not_finite);
  REQUIRE_FALSE(finished.at(good).error);
  REQUIRE(finished.at(good).result.tokens == values.integers<std::int32_t>("text.greedy"));
  REQUIRE(finished.at(other).result.tokens == values.integers<std::int32_t>("two.greedy"));
}

TEST_CASE("a sequence of a running batch is cancelled alone") {
  const Values values("nested");
  const Model model = Model::open(golden::directory("nested"));
  RunningBatch batch(model, {2, 16});
  std::atomic<bool> cancel{false};
  std::atomic<bool> cancel_waiting{true};
  std::vector<std::size_t> told;
  GenerateOptions flagged = greedy(64);
  flagged.cancel = &cancel;
  flagged.on_event = [&](const octavo::TokenEvent& event) {
    told.push_back(event.sequence);
    cancel = told.size() == 3;
    return true;
  };
  GenerateOptions stopping = greedy(64);
  int left = 6;
  stopping.on_token = [&](std::int32_t, std::string_view) { return --left > 0; };
  GenerateOptions never = greedy(64);
  never.cancel = &cancel_waiting;
  const RunningBatch::Id one = batch.join(values.input("one"), flagged);
  const RunningBatch::Id two = batch.join(values.input("two"), stopping);
  const RunningBatch::Id three = batch.join(values.input("text"), never);
  const RunningBatch::Id four = batch.join(values.input("text"), greedy(64));
  const ById finished = run_out(batch);
  const auto check = [&](RunningBatch::Id id, const char* expected, std::ptrdiff_t count) {
    INFO("sequence " << id);
    const Ids whole = values.integers<std::int32_t>(expected);
    REQUIRE_FALSE(finished.at(id).error);
    REQUIRE(finished.at(id).result.tokens == Ids(whole.begin(), whole.begin() + count));
    REQUIRE(finished.at(id).result.finish_reason == (count < 64 ? FinishReason::cancelled : FinishReason::length));
  };
  check(one, "one.greedy", 3);
  check(two, "two.greedy", 6);
  check(three, "text.greedy", 0);
  check(four, "text.greedy", 64);
  REQUIRE(told == std::vector<std::size_t>(3, static_cast<std::size_t>(one)));
}

TEST_CASE("what a running batch refuses") {
  const Values values("flat");
  const Model model = Model::open(golden::directory("flat"));
  CHECK(message_of([&] { RunningBatch(model, {0, 1}); }) == "running batch: max_sequences is 0, it must be at least 1");
  CHECK(message_of([&] { RunningBatch(model, {1, 0}); }) == "running batch: prompt_tokens is 0, it must be at least 1");
  RunningBatch batch(model);
  CHECK(batch.step().empty());
  CHECK(message_of([&] { batch.join({}, greedy(4)); }) == message_of([&] { model.generate(ModelInput{}, greedy(4)); }));
  GenerateOptions options = greedy(4, false);
  options.lookup = octavo::PromptLookup{};
  CHECK(message_of([&] { batch.join(values.input("text"), options); }) ==
        "generate: lookup checks tokens on a cache, and use_cache is off: leave one of them out");
  CHECK(batch.size() == 0);

  std::vector<std::string> messages;
  options = greedy(1);
  options.on_token = [&](std::int32_t, std::string_view) {
    messages.push_back(message_of([&] { batch.step(); }));
    messages.push_back(message_of([&] { batch.join(values.input("text")); }));
    messages.push_back(message_of([&] { batch.leave(1); }));
    return true;
  };
  batch.join(values.input("text"), options);
  REQUIRE(run_out(batch).at(1).result.tokens.size() == 1);
  REQUIRE(messages.size() == 3);
  CHECK(messages[1] ==
        "running batch: join was called by a callback of step(): call it between two steps; a callback ends its own "
        "sequence by returning false");
  batch.join(values.input("text"), greedy(0));  // nothing is asked for
  REQUIRE(run_out(batch).at(2).result.tokens.empty());
}

TEST_CASE("distinct running batches of one model run side by side") {
  const Values values("nested");
  const Model model = Model::open(golden::directory("nested"));
  const std::array<const char*, 3> prompts{"text", "one", "two"};
  test::at_once(4, [&](int) {
    RunningBatch batch(model, {2, 7});
    for (const char* prompt : prompts) batch.join(values.input(prompt), greedy(24));
    for (const auto& [id, one] : run_out(batch)) {
      const Ids whole = values.integers<std::int32_t>(std::string(prompts[id - 1]) + ".greedy");
      if (one.result.tokens != Ids(whole.begin(), whole.begin() + 24)) throw std::runtime_error("other tokens");
    }
  });
}
