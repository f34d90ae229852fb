// Generation: transformers' tokens with and without cache, stopping, streaming, cancel, refusals.
#include <atomic>
#include <numeric>

#include "golden.hpp"
#include "octavo/session.hpp"

using golden::message_of;
using golden::Values;

using golden::greedy;

namespace {}  // namespace

TEST_CASE("64 greedy tokens equal transformers, with and without cache") {
  const std::string name = GENERATE("nested", "flat", "bf16");  // flat says use_cache: false
  const std::string prompt = GENERATE("text", "one", "two");
  const bool use_cache = GENERATE(true, false);
  INFO(name << ", " << prompt << ", use_cache " << use_cache);
  const Values values(name);
  const octavo::Model model = octavo::Model::open(golden::directory(name));
  const octavo::ModelInput input = values.input(prompt);
  octavo::GenerateOptions options = greedy(64, use_cache);
  const octavo::GenerateResult result = model.generate(input, options);
  REQUIRE(result.tokens == values.integers<std::int32_t>(prompt + ".greedy"));
  REQUIRE(result.finish_reason == octavo::FinishReason::length);
  REQUIRE(result.prompt_tokens == static_cast<std::int64_t>(input.ids.size()));

  options.sampling->repetition_penalty = 1.3;
  REQUIRE(model.generate(input, options).tokens == values.integers<std::int32_t>(prompt + ".penalised"));
}

TEST_CASE("what config.json says of use_cache changes nothing") {
  const std::string said = GENERATE("\"use_cache\": true", "\"use_cache\": null", "\"use_cache\": false");
  const golden::TemporaryDirectory copy;
  copy.copy_model("flat");
  copy.write("config.json", golden::replaced(copy.read("config.json"), "\"use_cache\": false", said));
  copy.write("generation_config.json", "{\"use_cache\": false}");
  const Values values("flat");
  const octavo::Model model = octavo::Model::open(copy.path());
  const bool use_cache = GENERATE(true, false);
  REQUIRE(model.generate(values.input("two"), greedy(64, use_cache)).tokens ==
          values.integers<std::int32_t>("two.greedy"));
}

TEST_CASE("a stop token ends the generation and is returned") {
  const Values values("nested");
  const octavo::Model model = octavo::Model::open(golden::directory("nested"));
  const std::vector<std::int32_t> expected = values.integers<std::int32_t>("one.greedy");
  octavo::GenerateOptions options = greedy(64);
  options.stop_ids = {expected[5]};
  const octavo::GenerateResult result = model.generate(values.input("one"), options);
  const auto first = std::find(expected.begin(), expected.end(), expected[5]);
  REQUIRE(result.tokens == std::vector<std::int32_t>(expected.begin(), first + 1));
  REQUIRE(result.finish_reason == octavo::FinishReason::stop);
}

TEST_CASE("generation_config.json gives eos ids, penalty and sampling, the call overrides") {
  const golden::TemporaryDirectory copy;
  copy.copy_model("nested");
  const Values values("nested");
  const std::vector<std::int32_t> expected = values.integers<std::int32_t>("two.penalised");
  copy.write("generation_config.json",
             "{\"eos_token_id\": [" + std::to_string(expected[7]) + "], \"repetition_penalty\": 1.3}");
  const octavo::Model model = octavo::Model::open(copy.path());
  octavo::GenerateOptions options;
  options.max_new_tokens = 64;
  const auto first = std::find(expected.begin(), expected.end(), expected[7]);
  const octavo::GenerateResult result = model.generate(values.input("two"), options);
  REQUIRE(result.tokens == std::vector<std::int32_t>(expected.begin(), first + 1));
  REQUIRE(result.finish_reason == octavo::FinishReason::stop);
  REQUIRE(model.generate(values.input("two"), greedy(64)).tokens == values.integers<std::int32_t>("two.greedy"));
}

TEST_CASE("sampling repeats by seed and differs between seeds") {
  const Values values("nested");
  const octavo::Model model = octavo::Model::open(golden::directory("nested"));
  octavo::GenerateOptions options = greedy(32);
  options.sampling->do_sample = true;
  options.sampling->temperature = 2.0;
  options.sampling->top_k = 0;
  options.sampling->seed = 7;
  const std::vector<std::int32_t> first = model.generate(values.input("one"), options).tokens;
  REQUIRE(model.generate(values.input("one"), options).tokens == first);
  options.use_cache = false;
  REQUIRE(model.generate(values.input("one"), options).tokens == first);
  options.sampling->seed = 8;
  REQUIRE(model.generate(values.input("one"), options).tokens != first);
}

TEST_CASE("streamed pieces are the text") {
  const Values values("nested");
  const octavo::Model model = octavo::Model::open(golden::directory("nested"));
  std::string streamed;
  std::vector<std::int32_t> ids;
  octavo::GenerateOptions options = greedy(64);
  options.on_token = [&](std::int32_t id, std::string_view text) {
    ids.push_back(id);
    streamed += text;
    return true;
  };
  const octavo::GenerateResult result = model.generate(values.input("two"), options);
  REQUIRE(ids == result.tokens);
  REQUIRE(streamed == result.text);
  REQUIRE(result.text == model.tokenizer().decode(result.tokens, true));
}

TEST_CASE("a callback or a flag stops the generation, what was made is returned") {
  const Values values("flat");
  const octavo::Model model = octavo::Model::open(golden::directory("flat"));
  const std::vector<std::int32_t> expected = values.integers<std::int32_t>("one.greedy");
  const std::vector<std::int32_t> three(expected.begin(), expected.begin() + 3);
  std::atomic<bool> cancel{false};
  int seen = 0;
  octavo::GenerateOptions options = greedy(64);

  SECTION("the callback returns false") {
    options.on_token = [&](std::int32_t, std::string_view) { return ++seen < 3; };
    const octavo::GenerateResult result = model.generate(values.input("one"), options);
    REQUIRE(result.tokens == three);
    REQUIRE(result.finish_reason == octavo::FinishReason::cancelled);
  }
  SECTION("the flag is raised meanwhile") {
    options.cancel = &cancel;
    options.on_token = [&](std::int32_t, std::string_view) {
      cancel = ++seen == 3;
      return true;
    };
    const octavo::GenerateResult result = model.generate(values.input("one"), options);
    REQUIRE(result.tokens == three);
    REQUIRE(result.finish_reason == octavo::FinishReason::cancelled);
  }
  SECTION("the flag is up from the start") {
    cancel = true;
    options.cancel = &cancel;
    const octavo::GenerateResult result = model.generate(values.input("one"), options);
    REQUIRE(result.tokens.empty());
    REQUIRE(result.finish_reason == octavo::FinishReason::cancelled);
  }
}

TEST_CASE("prompts and options out of their domain are refused in whole sentences") {
  const Values values("flat");
  const octavo::Model model = octavo::Model::open(golden::directory("flat"));
  octavo::ModelInput input = values.input("one");
  octavo::GenerateOptions options = greedy(4);

  SECTION("empty prompt") {
    input.ids.clear();
    input.images.clear();
    REQUIRE(message_of([&] { model.generate(input, options); }) ==
            "model input: the prompt is empty, it must hold at least one token");
  }
  SECTION("pads without image") {
    input.images.clear();
    REQUIRE(message_of([&] { model.generate(input, options); }) ==
            "model input: the prompt holds 15 image pads, its 0 images need 0 (t * h * w / spatial_merge_size^2 each): "
            "expand each image's pad to that many, and keep an image whole within one call");
  }
  SECTION("an image too many") {
    input.images.push_back(input.images.front());
    REQUIRE(
        message_of([&] { model.generate(input, options); }) ==
        "model input: the prompt holds 15 image pads, its 2 images need 30 (t * h * w / spatial_merge_size^2 each): "
        "expand each image's pad to that many, and keep an image whole within one call");
  }
  SECTION("an id outside the vocabulary") {
    input.ids[2] = 144;
    REQUIRE(message_of([&] { model.generate(input, options); }) ==
            "model input: token 2 is 144, outside the vocabulary of 144");
  }
  SECTION("a video pad") {
    input.ids[1] = 121;
    REQUIRE(message_of([&] { model.generate(input, options); }) ==
            "model input: token 1 is a video pad; videos are given as images");
  }
  SECTION("a grid that does not merge") {
    input.images[0].grid.w = 9;
    REQUIRE(
        message_of([&] { model.generate(input, options); }) ==
        "model input: image 0: grid 1 x 6 x 9, rows and columns must be positive multiples of spatial_merge_size 2");
  }
  SECTION("pixels that do not fit the grid") {
    input.images[0].grid.w = 12;
    REQUIRE(
        message_of([&] { model.generate(input, options); }) ==
        "model input: image 0: pixel_values are f32[60, 96], grid 1 x 6 x 12 needs f32[72, 96] (patches; in_channels * "
        "temporal_patch_size * patch_size^2)");
  }
  SECTION("a prompt longer than the model") {
    input.images.clear();
    input.ids.assign(257, 1);
    REQUIRE(
        message_of([&] { model.generate(input, options); }) ==
        "generate: the prompt has 257 tokens, the model takes max_position_embeddings = 256: shorten it or use smaller "
        "images");
  }
  SECTION("a prompt that leaves little room is clamped") {
    input.images.clear();
    input.ids.assign(254, 1);
    REQUIRE(model.generate(input, options).tokens.size() == 2);
    input.ids.assign(256, 1);
    REQUIRE(model.generate(input, options).tokens.empty());
  }
  SECTION("negative length") {
    options.max_new_tokens = -1;
    REQUIRE(message_of([&] { model.generate(input, options); }) ==
            "generate: max_new_tokens is -1, it must not be negative");
  }
  SECTION("no tokens") {
    options.max_new_tokens = 0;
    const octavo::GenerateResult result = model.generate(input, options);
    REQUIRE(result.tokens.empty());
    REQUIRE(result.finish_reason == octavo::FinishReason::length);
  }
  SECTION("no tokenizer") {
    REQUIRE(
        message_of([&] { model.prepare("Hello", {}); }) ==
        golden::directory("flat") +
            ": no tokenizer.json and no vocab.json: copy the tokenizer files of the original model here, or work with "
            "token ids");
    REQUIRE(model.generate(input, options).text.empty());
  }
}

TEST_CASE("a session in two turns equals one uncached run") {
  const std::string name = GENERATE("nested", "flat", "bf16");
  INFO(name);
  const Values values(name);
  const octavo::Model model = octavo::Model::open(golden::directory(name));
  const octavo::ModelInput all = values.input("two");
  // The first turn ends behind the first image: text (5), start, 15 pads, end.
  constexpr std::ptrdiff_t kTurn = 22;
  octavo::ModelInput first{{all.ids.begin(), all.ids.begin() + kTurn}, {all.images[0]}};
  octavo::ModelInput second{{all.ids.begin() + kTurn, all.ids.end()}, {all.images[1]}};
  const octavo::Tensor expected = values.tensor("two.logits");
  const auto row = [&](std::int64_t index) { return expected.select(0, index); };

  octavo::Session session(model, static_cast<std::int64_t>(all.ids.size()));
  golden::require_close(session.feed(first), row(kTurn - 1), 1e-4);
  REQUIRE(session.past() == kTurn);
  golden::require_close(session.feed(second), row(expected.dim(0) - 1), 1e-4);
  REQUIRE(message_of([&] { session.feed({{1}, {}}); }) == "session: 1 tokens after 34 exceed its capacity of 34");
  REQUIRE(session.past() == 34);
  session.reset();
  REQUIRE(session.past() == 0);
  golden::require_close(session.feed(all), row(expected.dim(0) - 1), 1e-4);
  REQUIRE(message_of([&] { octavo::Session(model, 0); }) ==
          "session: capacity is 0, it must lie in 1 .. max_position_embeddings = " +
              std::to_string(model.max_position_embeddings()));
}
