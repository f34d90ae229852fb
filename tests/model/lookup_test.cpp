// Speculation by prompt lookup: the answer is the one without, whatever ends it and whatever chooses its tokens.
#include <atomic>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "bundled.hpp"
#include "golden.hpp"
#include "prompt_lookup.hpp"
#include "runtime_model.hpp"

using golden::message_of;
using golden::Values;
using octavo::GenerateOptions;
using octavo::GenerateResult;
using octavo::Model;
using octavo::ModelInput;
using octavo::PromptLookup;
using octavo::Tensor;
using Ids = std::vector<std::int32_t>;

namespace {

constexpr std::int32_t kPad = 99;

Ids looked_up(const Ids& history, std::int64_t ngram, std::size_t most) {
  Ids draft{7, 7, 7};  // of a call before
  octavo::model::look_up(history, ngram, most, kPad, draft);
  return draft;
}

/// The answer with lookup; what is not the answer itself is compared, too.
GenerateResult same_with_lookup(const Model& model, const ModelInput& input, GenerateOptions options,
                                PromptLookup lookup = {}) {
  options.lookup.reset();
  const GenerateResult plain = model.generate(input, options);
  options.lookup = lookup;
  GenerateResult result = model.generate(input, options);
  REQUIRE(result.tokens == plain.tokens);
  REQUIRE(result.text == plain.text);
  REQUIRE(result.finish_reason == plain.finish_reason);
  REQUIRE(plain.drafted_tokens == 0);
  REQUIRE(result.accepted_tokens <= result.drafted_tokens);
  return result;
}

struct Counts {
  std::int64_t drafted = 0, accepted = 0;
  void add(const GenerateResult& result) {
    drafted += result.drafted_tokens;
    accepted += result.accepted_tokens;
  }
};

/// A prompt that makes the bundled model repeat: its own format of boxes.
ModelInput boxes_prompt(const Model& model) { return golden::ask(model, "Where is the purple circle?", "000"); }

}  // namespace

TEST_CASE("a lookup finds what followed the longest run of last ids where it stood last") {
  CHECK(looked_up({1, 2, 3, 4, 5, 1, 2, 3}, 3, 2) == Ids{4, 5});
  CHECK(looked_up({1, 2, 3, 4, 1, 2, 3, 5, 1, 2, 3}, 3, 3) == Ids{5, 1, 2});  // the later one
  CHECK(looked_up({1, 2, 3, 4, 9, 3, 8, 1, 2, 3}, 3, 1) == Ids{4});           // the longer one
  CHECK(looked_up({1, 2, 3, 4, 9, 3, 8, 1, 2, 3}, 1, 1) == Ids{8});           // no longer than asked for
  CHECK(looked_up({5, 6, 5, 6}, 3, 5) == Ids{5, 6, 5, 6, 5});                 // goes on repeating
  CHECK(looked_up({4, 4}, 3, 3) == Ids{4, 4, 4});
  CHECK(looked_up({1, 2, 3}, 3, 4).empty());
  CHECK(looked_up({1}, 3, 4).empty());
  CHECK(looked_up({1, 2, 1}, 3, 0).empty());
  CHECK(looked_up({1, 2, kPad, 3, 1}, 3, 4) == Ids{2});  // not into a picture
}

TEST_CASE("a row has the same logits alone and among up to seven others, bit for bit") {
  const octavo::Checkpoint checkpoint = octavo::Checkpoint::open(golden::bundled());
  octavo::ModelOptions options;
  options.language_math = GENERATE(octavo::FloatMath::f32, octavo::FloatMath::bf16);
  const std::unique_ptr<octavo::model::RuntimeModel> in_float =
      octavo::model::RuntimeModel::open(checkpoint, octavo::model::find_architecture(checkpoint), options, {});
  const std::unique_ptr<octavo::model::RuntimeModel> in_int8 =
      in_float->with_linears(golden::linears_in_w8a8(checkpoint, in_float->linears()));
  const Ids answer{4, 6, 2, 6, 4, 3, 3, 8};
  std::int64_t compared = 0;
  const auto compare = [&](const octavo::model::RuntimeModel& model, std::size_t prompt, octavo::DType dtype) {
    octavo::SequenceState state = model.new_state();
    octavo::KvCache cache = model.new_cache(static_cast<std::int64_t>(prompt + answer.size()), dtype);
    const auto run = [&](const Ids& ids) {
      octavo::model::SequenceCall sequence;
      sequence.state = &state;
      sequence.cache = &cache;
      sequence.ids = octavo::model::ids_over(ids);
      sequence.logit_rows = static_cast<std::int64_t>(ids.size());
      octavo::model::LanguageCall call;
      call.sequences = {&sequence, 1};
      return model.run(call);
    };
    Ids ids;
    for (std::size_t i = 0; i < prompt; ++i) ids.push_back(static_cast<std::int32_t>(2 + (i * 37) % 300));
    run(ids);
    const std::int64_t past = state.past();
    std::vector<Tensor> alone;
    for (const std::int32_t id : answer) alone.push_back(run({id}));
    for (std::size_t rows = 2; rows <= answer.size(); ++rows) {
      state.truncate(past);
      cache.truncate(past);
      const Tensor together = run({answer.begin(), answer.begin() + static_cast<std::ptrdiff_t>(rows)});
      for (std::size_t i = 0; i < rows; ++i, ++compared) {
        INFO("row " << i << " of " << rows);
        const Tensor row = together.select(0, static_cast<std::int64_t>(i));
        CHECK(std::memcmp(row.raw(), alone[i].raw(), row.size_bytes()) == 0);
      }
    }
  };
  for (const octavo::BackendInfo& backend : octavo::float_backends()) {
    if (!backend.available) continue;
    octavo::force_float_backend(backend.name);
    for (const auto* model : {in_float.get(), in_int8.get()})
      for (const octavo::DType dtype : {octavo::DType::f32, octavo::DType::bf16, octavo::DType::s8})
        for (const std::size_t prompt : {19U, 508U}) {  // the keys of the second are divided among threads on the way
          INFO((options.language_math == octavo::FloatMath::bf16 ? "math in bf16, " : "")
               << backend.name << (model == in_int8.get() ? ", W8A8, " : ", float, ") << octavo::dtype_name(dtype)
               << ", behind " << prompt << " tokens");
          compare(*model, prompt, dtype);
        }
  }
  octavo::force_float_backend("");
  CHECK(compared > 0);
}

TEST_CASE("64 greedy tokens with lookup equal transformers") {
  const std::string name = GENERATE("nested", "flat", "bf16");
  const std::string prompt = GENERATE("text", "one", "two");
  const std::int64_t ngram = GENERATE(1, 3);
  const std::int64_t draft = GENERATE(1, 4, 7);
  INFO(name << ", " << prompt << ", ngram " << ngram << ", draft " << draft);
  const Values values(name);
  const Model model = Model::open(golden::directory(name));
  GenerateOptions options = golden::greedy(64);
  options.lookup = PromptLookup{ngram, draft};
  REQUIRE(model.generate(values.input(prompt), options).tokens == values.integers<std::int32_t>(prompt + ".greedy"));
  options.sampling->repetition_penalty = 1.3;
  REQUIRE(model.generate(values.input(prompt), options).tokens == values.integers<std::int32_t>(prompt + ".penalised"));
}

TEST_CASE("answers of the bundled model are the same with lookup in float and in W8A8 on every cache") {
  const Model original = Model::open(golden::bundled());
  for (const Model& model : {original, golden::in_w8a8(original)}) {
    for (const octavo::DType dtype : {octavo::DType::f32, octavo::DType::bf16, octavo::DType::s8}) {
      Counts counts;
      GenerateOptions options = golden::greedy(96);
      options.cache_dtype = dtype;
      for (const char* question : {"Where is the purple circle?", "What colour is the small triangle?"}) {
        const ModelInput input = golden::ask(model, question, "000");
        counts.add(same_with_lookup(model, input, options));
        options.ignore_eos = false;
        counts.add(same_with_lookup(model, input, options));
        options.ignore_eos = true;
      }
      INFO(counts.accepted << " of " << counts.drafted << " drafts accepted");
      CHECK(counts.accepted > 0);
      CHECK(counts.accepted < counts.drafted);  // both ways were taken
    }
  }
}

TEST_CASE("an answer with lookup ends where it would without, at every limit, stop token and stop string") {
  const Model model = Model::open(golden::bundled());
  const ModelInput input = boxes_prompt(model);
  const GenerateResult whole = same_with_lookup(model, input, golden::greedy(40), {1, 7});
  CHECK(whole.accepted_tokens > 0);
  for (std::int64_t limit = 0; limit <= 40; ++limit) {
    INFO("limit " << limit);
    const GenerateResult result = same_with_lookup(model, input, golden::greedy(limit), {1, 7});
    CHECK(result.tokens == Ids(whole.tokens.begin(), whole.tokens.begin() + limit));
  }
  for (const std::int32_t id : whole.tokens) {
    GenerateOptions options = golden::greedy(40);
    options.stop_ids = {id};
    INFO("stop id " << id);
    CHECK(same_with_lookup(model, input, options, {1, 7}).tokens.back() == id);
    octavo::GenerationRules rules;
    rules.stop_strings = {model.tokenizer().token_bytes(id)};
    options.stop_ids.clear();
    options.rules = rules;
    same_with_lookup(model, input, options, {1, 7});
  }
}

TEST_CASE("penalties, suppressed tokens and draws act with lookup as without") {
  const Model model = Model::open(golden::bundled());
  const ModelInput input = boxes_prompt(model);
  const GenerateResult whole = model.generate(input, golden::greedy(24));
  Counts counts;
  for (const double penalty : {0.8, 1.05, 1.5}) {
    GenerateOptions options = golden::greedy(48);
    options.sampling->repetition_penalty = penalty;
    counts.add(same_with_lookup(model, input, options, {1, 7}));
  }
  for (std::size_t i = 0; i < 6; ++i) {
    GenerateOptions options = golden::greedy(48);
    octavo::GenerationRules rules;
    rules.suppress_tokens = {whole.tokens[i]};
    rules.no_repeat_ngram_size = static_cast<std::int64_t>(i);
    rules.min_new_tokens = 30;
    options.rules = rules;
    options.ignore_eos = false;
    counts.add(same_with_lookup(model, input, options, {1, 7}));
  }
  CHECK(counts.accepted > 0);
  Counts drawn;
  for (std::uint64_t seed = 0; seed < 8; ++seed) {
    GenerateOptions options = golden::greedy(48);
    options.sampling->do_sample = true;
    options.sampling->temperature = 0.7;
    options.sampling->seed = seed;
    drawn.add(same_with_lookup(model, input, options, {1, 7}));
  }
  CHECK(drawn.accepted > 0);
}

TEST_CASE("tokens are told one by one with lookup, and whoever stops gets no more") {
  const Model model = Model::open(golden::bundled());
  const ModelInput input = boxes_prompt(model);
  GenerateOptions options = golden::greedy(30);
  const Ids whole = model.generate(input, options).tokens;
  options.lookup = PromptLookup{1, 7};
  const bool by_flag = GENERATE(false, true);
  for (std::size_t stop = 1; stop <= whole.size(); ++stop) {
    std::atomic<bool> cancel{false};
    Ids told;
    options.cancel = &cancel;
    options.on_token = [&](std::int32_t id, std::string_view) {
      told.push_back(id);
      if (by_flag) cancel = told.size() == stop;
      return by_flag || told.size() < stop;
    };
    const GenerateResult result = model.generate(input, options);
    REQUIRE(result.tokens == Ids(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(stop)));
    REQUIRE(told == result.tokens);
  }
}

TEST_CASE("a batch with lookup gives each sequence its tokens") {
  const std::string name = GENERATE("nested", "flat", "bf16");
  const Values values(name);
  const Model model = Model::open(golden::directory(name));
  GenerateOptions options = golden::greedy(64);
  options.lookup = PromptLookup{1, 7};
  for (const std::size_t count : {2U, 3U, 4U, 5U, 9U}) {
    std::vector<ModelInput> inputs;
    std::vector<Ids> expected;
    for (std::size_t i = 0; i < count; ++i) {
      const std::string prompt = i % 3 == 0 ? "text" : i % 3 == 1 ? "one" : "two";
      inputs.push_back(values.input(prompt));
      expected.push_back(values.integers<std::int32_t>(prompt + ".greedy"));
    }
    Counts counts;
    const std::vector<GenerateResult> results = model.generate(inputs, options);
    for (std::size_t i = 0; i < count; ++i) {
      REQUIRE(results[i].tokens == expected[i]);
      counts.add(results[i]);
    }
    CHECK((counts.drafted > 0) == (count <= 4));  // eight rows are divided among them
  }
}

TEST_CASE("a lookup out of its domain is refused in whole sentences") {
  const Model model = Model::open(golden::directory("nested"));
  const ModelInput input = Values("nested").input("text");
  const auto refused = [&](PromptLookup lookup, bool use_cache = true) {
    GenerateOptions options = golden::greedy(4, use_cache);
    options.lookup = lookup;
    return message_of([&] { model.generate(input, options); });
  };
  CHECK(refused({0, 3}) == "generate: lookup's ngram is 0, it must be positive");
  CHECK(refused({3, 0}) ==
        "generate: lookup's draft is 0, it must be 1 to 7, so that rows have the bits that they have alone");
  CHECK(refused({3, 8}) ==
        "generate: lookup's draft is 8, it must be 1 to 7, so that rows have the bits that they have alone");
  CHECK(refused({}, false) == "generate: lookup checks tokens on a cache, and use_cache is off: leave one of them out");
}
