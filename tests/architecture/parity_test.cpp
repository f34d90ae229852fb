// An architecture that a program registers computes what transformers computes, by every way of running it.
#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "golden.hpp"
#include "qwen3.hpp"

using octavo::ModelInput, octavo::Tensor;
using Ids = std::vector<std::int32_t>;

namespace {

Tensor golden_tensor(const std::string& name) { return golden::tensor(qwen3::directory(), name); }

ModelInput golden_input(const std::string& name) { return golden::input(golden_tensor(name + ".ids")); }

}  // namespace

TEST_CASE("logits and layers are those of transformers within 1e-4") {
  const octavo::Model model = qwen3::open();
  for (const std::string name : {"prompt", "random"}) {
    CAPTURE(name);
    std::vector<Tensor> hidden;
    const Tensor logits = model.forward(golden_input(name), &hidden);
    CHECK(golden::furthest(logits, golden_tensor(name + ".logits")) <= 1e-4);
    REQUIRE(hidden.size() == 2);
    CHECK(golden::furthest(hidden[0], golden_tensor(name + ".layer0")) <= 1e-4);
  }
}

TEST_CASE("it answers as it was trained to, by every way of running it") {
  const octavo::Model model = qwen3::open();
  const octavo::SampleSet set = octavo::read_samples(qwen3::samples());
  REQUIRE(set.samples.size() == 40);
  std::vector<ModelInput> inputs;
  std::vector<Ids> alone;
  for (const octavo::Sample& sample : set.samples) {
    inputs.push_back(octavo::prepare_question(model, sample));
    const octavo::GenerateResult cached = model.generate(inputs.back());
    CHECK(cached.text == sample.answer);
    octavo::GenerateOptions uncached;
    uncached.use_cache = false;
    CHECK(model.generate(inputs.back(), uncached).tokens == cached.tokens);
    octavo::GenerateOptions in_chunks;
    in_chunks.prefill_chunk = 5;
    in_chunks.lookup.emplace();
    CHECK(model.generate(inputs.back(), in_chunks).tokens == cached.tokens);
    alone.push_back(cached.tokens);
  }
  const std::vector<octavo::GenerateResult> together = model.generate(std::span<const ModelInput>(inputs));
  for (std::size_t i = 0; i < together.size(); ++i) CHECK(together[i].tokens == alone[i]);
  // On a session, the logits behind a prompt are the last row of a forward.
  octavo::Session session(model, model.max_position_embeddings());
  const Tensor whole = model.forward(inputs[3]);
  CHECK(golden::furthest(session.feed(inputs[3]), whole.select(0, whole.dim(0) - 1)) <= 1e-4);
  CHECK(session.generate().tokens == alone[3]);
}

TEST_CASE("the prompt is laid out as transformers lays it out") {
  const octavo::Model model = qwen3::open();
  CHECK(model.prepare("What comes after seven?", {}).ids == golden_input("prompt").ids);
}

TEST_CASE("linears can be replaced and the first model stays as it is") {
  const octavo::Model model = qwen3::open();
  REQUIRE(model.linears().size() == 14);
  const ModelInput input = golden_input("prompt");
  const Tensor before = model.forward(input);
  const octavo::LinearInfo info = model.linears()[4];
  CHECK(info.module_path == "model.layers.0.mlp.gate_proj");
  CHECK(info.input_group == "model.layers.0.mlp.gate_up_input");
  const Tensor zeros = Tensor::zeros(octavo::DType::f32, {info.out_features, info.in_features});
  const std::vector<octavo::Linear> replaced{octavo::Linear::floating(info.module_path, zeros, {})};
  CHECK(golden::furthest(model.with_linears(replaced).forward(input), before) > 0.1);
  const Tensor after = model.forward(input);
  CHECK(std::memcmp(after.raw(), before.raw(), before.size_bytes()) == 0);
}
