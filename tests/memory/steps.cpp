// A step of a warm session takes nothing from the system: no allocation on any thread, no mapping, no page fault.
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "catch.hpp"
#include "counters.hpp"
#include "octavo/attention.hpp"
#include "octavo/checkpoint.hpp"
#include "octavo/config.hpp"
#include "octavo/gemm.hpp"
#include "octavo/model.hpp"
#include "octavo/quant.hpp"
#include "octavo/session.hpp"

using octavo::DType;
using octavo::Model;
using octavo::ModelInput;
using octavo::Session;
using test::Taken;
using test::taken_by;

namespace {

const std::string kModel = std::string(OCTAVO_SOURCE_DIR) + "/examples/models/octavo-tiny-vl";
constexpr std::int64_t kSteps = 40;

Model quantized(const Model& model) {
  const octavo::Checkpoint checkpoint = octavo::Checkpoint::open(kModel);
  std::vector<octavo::Linear> linears;
  for (const octavo::LinearInfo& info : model.linears()) {
    const std::string& path = info.module_path;
    const octavo::QuantizedLayer layer = octavo::quantize_layer_rtn(checkpoint.tensor(path + ".weight"), {}, path);
    const octavo::Tensor bias = info.has_bias ? checkpoint.tensor(path + ".bias") : octavo::Tensor();
    linears.push_back(octavo::Linear::w8a8(path, layer.weight, layer.scales, bias));
  }
  return model.with_linears(linears);
}

Model opened(bool w8a8) {
  const Model model = Model::open(kModel);
  return w8a8 ? quantized(model) : model;
}

ModelInput tokens(int count) {
  ModelInput input;
  for (int i = 0; i < count; ++i) input.ids.push_back(10 + i % 50);
  return input;
}

// What a cache costs once, as its positions are first written: every page, and one more where a tensor begins.
std::int64_t pages_of_cache(std::int64_t capacity, DType dtype) {
  const auto config = octavo::Qwen25VlConfig::parse(octavo::Checkpoint::open(kModel).config());
  const octavo::TextConfig& text = config.text;
  const octavo::KvCache cache(text.num_hidden_layers, text.num_key_value_heads, text.head_dim, capacity, dtype);
  return static_cast<std::int64_t>(cache.size_bytes()) / 4096 + 4 * text.num_hidden_layers;
}

void decode(Session& session, const ModelInput& one) {
  for (std::int64_t i = 0; i < kSteps; ++i) session.feed(one);
}

// What `job` takes once every thread that helps has its working memory, which it gets when it first takes a part: that
// may be in a later round, but what a step takes each time never goes away.
Taken settled(const std::function<void()>& prepare, const std::function<void()>& job) {
  Taken taken;
  for (int round = 0; round < 20; ++round) {
    prepare();
    taken = taken_by(job);
    if (taken.allocations == 0 && taken.page_faults == 0) break;
  }
  return taken;
}

}  // namespace

TEST_CASE("this program sees what is allocated") {
  const Taken taken = taken_by([] {
    const std::vector<int> list(1000);
    const octavo::Tensor tensor = octavo::Tensor::zeros(DType::f32, {1 << 22});
  });
  CHECK(taken.allocations >= 2);
  CHECK(taken.page_faults >= (1 << 24) / 4096 / 512);  // at least one per huge page
}

TEST_CASE("a decode step of a warm session takes nothing from the system") {
  const bool w8a8 = GENERATE(false, true);
  const DType cache = GENERATE(DType::f32, DType::bf16, DType::s8);
  INFO((w8a8 ? "w8a8, cache " : "as stored, cache ") << octavo::dtype_name(cache));
  const Model model = opened(w8a8);
  const ModelInput prompt = tokens(32);
  const ModelInput one = tokens(1);
  Session session(model, 32 + 1 + kSteps, cache);
  session.feed(prompt);
  session.feed(one);
  const Taken first = taken_by([&] { decode(session, one); });
  CHECK(first.allocations < kSteps);  // threads' working memory at most
  CHECK(first.mappings == 0);
  CHECK(first.page_faults <= pages_of_cache(32 + 1 + kSteps, cache) + kSteps);
  const Taken again = settled(
      [&] {
        session.reset();
        session.feed(prompt);
        session.feed(one);
      },
      [&] { decode(session, one); });
  CHECK(again.allocations == 0);
  CHECK(again.mappings == 0);
  CHECK(again.page_faults == 0);
}

TEST_CASE("a second prefill of the same length takes nothing from the system") {
  const bool w8a8 = GENERATE(false, true);
  INFO((w8a8 ? "w8a8" : "as stored"));
  const Model model = opened(w8a8);
  const ModelInput prompt = tokens(200);
  Session session(model, 200);
  session.feed(prompt);
  const Taken taken = settled([&] { session.reset(); }, [&] { session.feed(prompt); });
  CHECK(taken.allocations == 0);
  CHECK(taken.mappings == 0);
  CHECK(taken.page_faults == 0);
}

TEST_CASE("a step of generate allocates nothing after the first") {
  const bool w8a8 = GENERATE(false, true);
  const bool sampled = GENERATE(false, true);
  INFO((w8a8 ? "w8a8" : "as stored") << (sampled ? ", sampled" : ", greedy"));
  const Model model = opened(w8a8);
  octavo::GenerateOptions options;
  options.max_new_tokens = kSteps;
  options.ignore_eos = true;
  options.sampling = octavo::SamplingOptions{};
  options.sampling->do_sample = sampled;
  if (sampled) {
    options.sampling->top_k = 20;
    options.sampling->top_p = 0.9;
  }
  options.sampling->repetition_penalty = 1.1;
  std::vector<Taken> at;
  at.reserve(kSteps);
  options.on_token = [&](std::int32_t, std::string_view) {
    at.push_back(test::taken());
    return true;
  };
  const ModelInput prompt = tokens(32);
  std::int64_t steps_that_allocate = 0;
  for (int round = 0; round < 20; ++round) {  // as settled()
    at.clear();
    model.generate(prompt, options);
    REQUIRE(static_cast<std::int64_t>(at.size()) == kSteps);
    steps_that_allocate = 0;
    for (std::size_t i = 2; i < at.size(); ++i)
      if (at[i].allocations != at[i - 1].allocations || at[i].mappings != at[i - 1].mappings) ++steps_that_allocate;
    if (steps_that_allocate == 0) break;
  }
  CHECK(steps_that_allocate == 0);
}
