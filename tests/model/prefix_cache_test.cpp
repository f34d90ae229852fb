// Prompts that begin alike: what is reused, that answers stay the same, and that nothing else is taken for the same.
#include "octavo/prefix_cache.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "bundled.hpp"
#include "golden.hpp"
#include "prompt_reuse.hpp"
#include "threads.hpp"

using golden::ask;
using golden::Values;
using octavo::GenerateOptions;
using octavo::GenerateResult;
using octavo::Model;
using octavo::ModelInput;
using octavo::PrefixCache;
using octavo::Tensor;
using Ids = std::vector<std::int32_t>;

namespace {

constexpr std::array<const char*, 3> kQuestions{"Where is the purple circle?", "What colour is the small triangle?",
                                                "What shape is the purple object?"};

GenerateOptions with(std::shared_ptr<PrefixCache> cache, std::int64_t tokens = 24) {
  GenerateOptions options = golden::greedy(tokens);
  options.prefix_cache = std::move(cache);
  return options;
}

std::int64_t common(const Ids& a, const Ids& b) {
  return std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first - a.begin();
}

std::int64_t count(const ModelInput& input) { return static_cast<std::int64_t>(input.ids.size()); }

/// The model as the library holds it, so that its logits are at hand.
octavo::Model::Impl opened() {
  const octavo::Checkpoint checkpoint = octavo::Checkpoint::open(golden::bundled());
  const octavo::ModelOptions options;
  return {checkpoint, options,
          octavo::model::RuntimeModel::open(checkpoint, octavo::model::find_architecture(checkpoint), options, {}),
          octavo::GenerationConfig::read(checkpoint.files(), checkpoint.config())};
}

}  // namespace

TEST_CASE("the same system prompt and picture are read once") {
  const Model original = Model::open(golden::bundled());
  for (const Model& model : {original, golden::in_w8a8(original)}) {
    for (const octavo::DType dtype : {octavo::DType::f32, octavo::DType::bf16, octavo::DType::s8}) {
      INFO(octavo::dtype_name(dtype));
      const auto cache = std::make_shared<PrefixCache>();
      GenerateOptions options = with(cache);
      options.cache_dtype = dtype;
      GenerateOptions plain = options;
      plain.prefix_cache = nullptr;
      ModelInput before;
      for (const char* question : kQuestions) {
        const ModelInput input = ask(model, question, "000");
        const GenerateResult result = model.generate(input, options);
        CHECK(result.tokens == model.generate(input, plain).tokens);
        CHECK(result.reused_tokens >= common(before.ids, input.ids));
        CHECK(result.prompt_tokens == count(input));
        before = input;
      }
      const ModelInput again = ask(model, kQuestions[0], "000");
      const GenerateResult result = model.generate(again, options);
      CHECK(result.tokens == model.generate(again, plain).tokens);
      CHECK(result.reused_tokens == count(again) - 1);  // the last one's logits are needed
      CHECK(cache->stats().encoded_images == 1);
    }
  }
}

TEST_CASE("the logits behind a reused beginning are those of a whole run") {
  const octavo::Model::Impl impl = opened();
  const Model model = Model::open(golden::bundled());
  const PrefixCache kept;
  const auto run = [&](octavo::SequenceState& state, octavo::KvCache& cache, const ModelInput& input,
                       const Tensor& vision, std::size_t images) {
    std::vector<octavo::Grid> grids;
    for (std::size_t i = images; i < input.images.size(); ++i) grids.push_back(input.images[i].grid);
    octavo::model::SequenceCall sequence;
    sequence.state = &state;
    sequence.cache = &cache;
    sequence.ids = octavo::model::ids_over(std::span(input.ids).subspan(static_cast<std::size_t>(state.past())));
    sequence.grids = grids;
    sequence.vision = vision;
    octavo::model::LanguageCall call;
    call.sequences = {&sequence, 1};
    return impl.runtime->run(call);
  };
  double worst = 0;
  std::int64_t reused = 0;
  for (const char* question : kQuestions) {
    const ModelInput input = ask(model, question, "001");
    octavo::SequenceState state = impl.runtime->new_state();
    octavo::KvCache cache = impl.runtime->new_cache(count(input));
    octavo::model::PromptReuse reuse(kept, impl, input, octavo::DType::f32);
    reused += reuse.restore(state, cache);
    const Tensor vision = reuse.image_rows(octavo::model::CancelToken());
    const Tensor logits = run(state, cache, input, vision, reuse.restored_images());
    reuse.keep(input.ids, state, cache);
    octavo::SequenceState fresh = impl.runtime->new_state();
    octavo::KvCache empty = impl.runtime->new_cache(count(input));
    const Tensor expected =
        run(fresh, empty, input, impl.runtime->encode_images(input, octavo::model::CancelToken()), 0);
    double largest = 0;
    for (const float value : expected.values<float>())
      largest = std::max(largest, std::abs(static_cast<double>(value)));
    for (std::size_t i = 0; i < expected.values<float>().size(); ++i)
      worst = std::max(worst, std::abs(static_cast<double>(logits.values<float>()[i]) -
                                       static_cast<double>(expected.values<float>()[i])) /
                                  largest);
  }
  INFO("relative " << worst);
  CHECK(worst < 1e-5);
  CHECK(reused > 2 * 25);  // the picture's tokens, twice
}

TEST_CASE("a conversation goes on from the answer before") {
  const std::string name = GENERATE("nested", "flat", "bf16");
  INFO(name);
  const Values values(name);
  const Model model = Model::open(golden::directory(name));
  const auto cache = std::make_shared<PrefixCache>();
  ModelInput input = values.input("two");
  const GenerateResult first = model.generate(input, with(cache, 12));
  REQUIRE(first.reused_tokens == 0);
  input.ids.insert(input.ids.end(), first.tokens.begin(), first.tokens.end());
  const std::int32_t pad = 120;
  const bool spelled = std::count(first.tokens.begin(), first.tokens.end(), pad) > 0;
  REQUIRE_FALSE(spelled);  // else this prompt would need another picture
  input.ids.insert(input.ids.end(), {5, 6, 7});
  const GenerateResult second = model.generate(input, with(cache, 12));
  // All but the answer's last token, which nothing was computed for.
  REQUIRE(second.reused_tokens == count(input) - 4);
  REQUIRE(second.tokens == model.generate(input, golden::greedy(12)).tokens);
}

TEST_CASE("nothing is reused of another picture, model, cache type or beginning") {
  const Model model = Model::open(golden::bundled());
  const auto cache = std::make_shared<PrefixCache>();
  const ModelInput input = ask(model, kQuestions[0], "000");
  const auto first_pad = std::find(input.ids.begin(), input.ids.end(), 414) - input.ids.begin();
  model.generate(input, with(cache));

  SECTION("one pixel apart: only what stands before the picture") {
    ModelInput other = input;
    other.images[0].pixel_values = other.images[0].pixel_values.clone();
    other.images[0].pixel_values.mutable_values<float>().back() += 0.01F;
    const GenerateResult result = model.generate(other, with(cache));
    CHECK(result.reused_tokens == first_pad);
    CHECK(result.tokens == model.generate(other, golden::greedy(24)).tokens);
    CHECK(cache->stats().encoded_images == 2);
  }
  SECTION("the same pixels in another grid") {
    ModelInput other = input;
    REQUIRE(input.images[0].grid.h * input.images[0].grid.w == 100);
    other.images[0].grid = {1, 2, 50};
    const GenerateResult result = model.generate(other, with(cache));
    CHECK(result.reused_tokens == first_pad);
    CHECK(result.tokens == model.generate(other, golden::greedy(24)).tokens);
    CHECK(cache->stats().encoded_images == 2);
  }
  SECTION("another model, though of the same directory") {
    const Model other = Model::open(golden::bundled());
    CHECK(other.generate(input, with(cache)).reused_tokens == 0);
    CHECK(golden::in_w8a8(model).generate(input, with(cache)).reused_tokens == 0);
    CHECK(cache->stats().encoded_images == 3);
    const Model copy = model;
    CHECK(copy.generate(input, with(cache)).reused_tokens == count(input) - 1);
  }
  SECTION("another type of cache, but the picture's rows") {
    GenerateOptions options = with(cache);
    options.cache_dtype = octavo::DType::s8;
    CHECK(model.generate(input, options).reused_tokens == 0);
    CHECK(cache->stats().encoded_images == 1);
    CHECK(cache->stats().reused_images == 1);
  }
  SECTION("another beginning, but the picture's rows") {
    ModelInput other = input;
    other.ids.front() = 7;
    const GenerateResult result = model.generate(other, with(cache));
    CHECK(result.reused_tokens == 0);
    CHECK(result.tokens == model.generate(other, golden::greedy(24)).tokens);
    CHECK(cache->stats().encoded_images == 1);
  }
  SECTION("without a cache of keys and values, the picture's rows alone") {
    GenerateOptions options = with(cache, 4);
    options.use_cache = false;
    const GenerateResult result = model.generate(input, options);
    CHECK(result.reused_tokens == 0);
    CHECK(result.tokens == model.generate(input, golden::greedy(4)).tokens);
    CHECK(cache->stats().encoded_images == 1);
  }
  SECTION("after everything was forgotten") {
    cache->clear();
    CHECK((cache->stats().prompts == 0 && cache->stats().kv_bytes == 0));
    CHECK((cache->stats().images == 0 && cache->stats().image_bytes == 0));
    CHECK(model.generate(input, with(cache)).reused_tokens == 0);
    CHECK(cache->stats().encoded_images == 2);
  }
}

TEST_CASE("a prefix cache holds no more bytes than it may, and forgets the longest unused first") {
  const Model model = Model::open(golden::bundled());
  // Of equal size, and with nothing in common.
  std::vector<ModelInput> inputs(4, ask(model, kQuestions[0], "000"));
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    inputs[i].ids.front() = static_cast<std::int32_t>(7 + i);
    Tensor& pixels = inputs[i].images[0].pixel_values;
    pixels = pixels.clone();
    pixels.mutable_values<float>().front() += 0.01F * static_cast<float>(i);
  }
  const auto measured = std::make_shared<PrefixCache>();
  model.generate(inputs[0], with(measured));
  const PrefixCache::Stats one = measured->stats();
  REQUIRE((one.prompts == 1 && one.images == 1 && one.kv_bytes > 0 && one.image_bytes > 0));

  const auto cache = std::make_shared<PrefixCache>(
      PrefixCache::Limits{.kv_bytes = one.kv_bytes * 5 / 2, .image_bytes = one.image_bytes * 5 / 2});
  const auto reused = [&](std::size_t i) {
    const GenerateResult result = model.generate(inputs[i], with(cache));
    CHECK(cache->stats().kv_bytes <= one.kv_bytes * 5 / 2);
    CHECK(cache->stats().image_bytes <= one.image_bytes * 5 / 2);
    return result.reused_tokens == count(inputs[i]) - 1;
  };
  CHECK_FALSE(reused(0));
  CHECK_FALSE(reused(1));
  CHECK(reused(0));
  CHECK_FALSE(reused(2));  // in the place of 1
  CHECK(reused(0));
  CHECK_FALSE(reused(1));  // in the place of 2
  CHECK(reused(0));
  CHECK_FALSE(reused(3));
  CHECK(reused(0));
  CHECK(cache->stats().images <= 2);

  SECTION("no bytes at all") {
    const auto none = std::make_shared<PrefixCache>(PrefixCache::Limits{.kv_bytes = 0, .image_bytes = 0});
    for (int i = 0; i < 2; ++i) CHECK(model.generate(inputs[0], with(none)).reused_tokens == 0);
    CHECK((none->stats().prompts == 0 && none->stats().images == 0 && none->stats().encoded_images == 2));
  }
  SECTION("room for the beginning of one prompt alone") {
    const auto small =
        std::make_shared<PrefixCache>(PrefixCache::Limits{.kv_bytes = one.kv_bytes / 2, .image_bytes = 0});
    model.generate(inputs[0], with(small));
    const GenerateResult result = model.generate(inputs[0], with(small));
    CHECK(result.reused_tokens > 0);
    CHECK(result.reused_tokens < count(inputs[0]) - 1);
    CHECK(result.tokens == model.generate(inputs[0], golden::greedy(24)).tokens);
    CHECK(small->stats().kv_bytes <= one.kv_bytes / 2);
  }
}

TEST_CASE("prompts that begin alike share their memory") {
  const Model model = Model::open(golden::bundled());
  const auto alone = std::make_shared<PrefixCache>();
  model.generate(ask(model, kQuestions[0], "000"), with(alone));
  const auto cache = std::make_shared<PrefixCache>();
  for (const char* question : kQuestions) model.generate(ask(model, question, "000"), with(cache));
  CHECK(cache->stats().prompts == 3);
  CHECK(cache->stats().kv_bytes < 2 * alone->stats().kv_bytes);
  CHECK(cache->stats().images == 1);
}

TEST_CASE("a batch reuses what is kept, and keeps what it read") {
  const Model model = Model::open(golden::bundled());
  const auto cache = std::make_shared<PrefixCache>();
  std::vector<ModelInput> inputs;
  for (const char* question : kQuestions) inputs.push_back(ask(model, question, "000"));
  std::vector<Ids> expected;
  for (const ModelInput& input : inputs) expected.push_back(model.generate(input, golden::greedy(24)).tokens);
  GenerateOptions options = with(cache);
  options.lookup = octavo::PromptLookup{};
  for (int round = 0; round < 2; ++round) {
    const std::vector<GenerateResult> results = model.generate(inputs, options);
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      CHECK(results[i].tokens == expected[i]);
      CHECK(results[i].reused_tokens == (round == 0 ? 0 : count(inputs[i]) - 1));
    }
  }
}

TEST_CASE("a prefix cache is shared by threads, and every answer is the one without") {
  const Model original = Model::open(golden::bundled());
  const std::vector<Model> models{original, golden::in_w8a8(original)};
  std::vector<ModelInput> inputs;
  for (const char* picture : {"000", "001"})
    for (const char* question : kQuestions) inputs.push_back(ask(original, question, picture));
  std::vector<std::vector<Ids>> expected(models.size());
  for (std::size_t m = 0; m < models.size(); ++m)
    for (const ModelInput& input : inputs) expected[m].push_back(models[m].generate(input, golden::greedy(10)).tokens);
  const auto measured = std::make_shared<PrefixCache>();
  original.generate(inputs[0], with(measured, 10));
  // So small that threads forget what others read.
  const std::size_t kv_bytes = measured->stats().kv_bytes * 3;
  const auto cache = std::make_shared<PrefixCache>(
      PrefixCache::Limits{.kv_bytes = kv_bytes, .image_bytes = measured->stats().image_bytes * 3 / 2});
  std::atomic<int> wrong{0};
  test::at_once(4, [&](int thread) {
    for (int round = 0; round < 12; ++round) {
      const std::size_t m = static_cast<std::size_t>(thread + round) % models.size();
      const std::size_t i = static_cast<std::size_t>(thread * 5 + round * 7) % inputs.size();
      if (models[m].generate(inputs[i], with(cache, 10)).tokens != expected[m][i]) ++wrong;
      if (cache->stats().kv_bytes > kv_bytes) ++wrong;
      if (thread == 3 && round == 6) cache->clear();
    }
  });
  CHECK(wrong == 0);
  CHECK(cache->stats().reused_tokens > 0);
  CHECK(cache->stats().reused_images > 0);
}
