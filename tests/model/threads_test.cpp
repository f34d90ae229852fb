// Models used from many threads at once: every answer and every logit has the bits that a lone thread gets.
#include "threads.hpp"

#include <array>
#include <atomic>
#include <cstring>
#include <string>
#include <vector>

#include "bundled.hpp"
#include "golden.hpp"
#include "octavo/session.hpp"

using golden::greedy;
using golden::in_w8a8;
using golden::Values;
using octavo::Model;
using octavo::ModelInput;
using octavo::Tensor;

namespace {

constexpr int kThreads = 4;

bool same_bits(const Tensor& a, const Tensor& b) {
  return a.shape().to_string() == b.shape().to_string() && std::memcmp(a.raw(), b.raw(), a.size_bytes()) == 0;
}

/// Everything that a caller can ask of a model about one prompt.
struct Answers {
  std::vector<Tensor> logits;  ///< of a whole prompt, then of a session that decodes, forks and goes on
  std::vector<std::vector<std::int32_t>> tokens;
};

Answers answers(const Model& model, const ModelInput& input) {
  Answers out;
  out.logits.push_back(model.forward(input));
  out.tokens.push_back(model.generate(input, greedy(8)).tokens);
  const std::array<ModelInput, 2> batch{input, ModelInput{{3, 1, 4, 1, 5}, {}}};
  for (const octavo::GenerateResult& result : model.generate(batch, greedy(6))) out.tokens.push_back(result.tokens);
  for (const octavo::DType dtype : {octavo::DType::f32, octavo::DType::bf16, octavo::DType::s8}) {
    octavo::Session session(model, static_cast<std::int64_t>(input.ids.size()) + 4, dtype);
    out.logits.push_back(session.feed(input));
    octavo::Session other = session.fork();
    out.logits.push_back(session.feed({{7}, {}}));
    out.logits.push_back(other.feed({{9}, {}}));
  }
  return out;
}

int differing(const Answers& a, const Answers& b) {
  int count = a.tokens == b.tokens ? 0 : 1;
  for (std::size_t i = 0; i < a.logits.size(); ++i) count += same_bits(a.logits.at(i), b.logits.at(i)) ? 0 : 1;
  return count;
}

/// Answers of `models` under kThreads threads that differ from those of one thread.
int differing_under_threads(const std::vector<Model>& models, const Values& values, int rounds) {
  const std::array<ModelInput, 2> prompts{values.input("two"), values.input("text")};
  std::vector<std::array<Answers, 2>> alone;
  for (const Model& model : models) alone.push_back({answers(model, prompts[0]), answers(model, prompts[1])});
  std::atomic<int> count{0};
  test::at_once(kThreads, [&](int thread) {
    for (int round = 0; round < rounds; ++round) {
      const std::size_t model = static_cast<std::size_t>(thread + round) % models.size();
      const std::size_t prompt = static_cast<std::size_t>(thread / 2 + round) % 2;
      count += differing(answers(models[model], prompts[prompt]), alone[model][prompt]);
    }
  });
  return count;
}

}  // namespace

TEST_CASE("float models shared by threads answer bit for bit as for one thread") {
  const Values values("nested");
  const Model model = Model::open(golden::directory("nested"));
  for (const octavo::BackendInfo& backend : octavo::float_backends()) {
    if (!backend.available) continue;
    octavo::force_float_backend(backend.name);
    INFO(backend.name);
    CHECK(differing_under_threads({model}, values, 2) == 0);
    CHECK(differing_under_threads({model, Model::open(golden::directory("nested"))}, values, 2) == 0);
  }
  octavo::force_float_backend("");
}

TEST_CASE("w8a8 models shared by threads answer bit for bit as for one thread on every backend") {
  const Values values("nested");
  const Model original = Model::open(golden::directory("nested"));
  std::vector<Model> all{original};
  for (const octavo::BackendInfo& backend : octavo::int8_backends()) {
    if (!backend.available) continue;
    octavo::force_int8_backend(backend.name);
    const Model model = in_w8a8(original);
    octavo::force_int8_backend("");
    INFO(backend.name);
    CHECK(differing_under_threads({model}, values, 10) == 0);
    all.push_back(model);
  }
  CHECK(differing_under_threads(all, values, 12) == 0);  // each engine beside the others
}

TEST_CASE("a model whose tokenizer and image processor are first needed by many threads opens them once and whole") {
  const std::string directory = std::string(OCTAVO_SOURCE_DIR) + "/examples/models/octavo-tiny-vl";
  const octavo::Image picture = octavo::load_image(directory + "/eval/000.png");
  const std::string question = "Where is the purple circle?";
  const ModelInput expected = Model::open(directory).prepare(question, {&picture, 1});
  for (int round = 0; round < 5; ++round) {
    const Model model = Model::open(directory);
    std::atomic<int> wrong{0};
    test::at_once(kThreads, [&](int) {
      const ModelInput input = model.prepare(question, {&picture, 1});
      if (input.ids != expected.ids || !same_bits(input.images[0].pixel_values, expected.images[0].pixel_values))
        ++wrong;
      if (model.tokenizer().size() != model.tokenizer().size() || model.image_processor().patch_size <= 0) ++wrong;
    });
    CHECK(wrong == 0);
  }
}

TEST_CASE("models are opened and dropped on many threads, and copies outlive the first") {
  const Values values("nested");
  const ModelInput input = values.input("text");
  const Tensor expected = Model::open(golden::directory("nested")).forward(input);
  std::atomic<int> wrong{0};
  test::at_once(kThreads, [&](int) {
    for (int round = 0; round < 3; ++round) {
      const Model copy = [] {
        const Model first = Model::open(golden::directory("nested"));
        return first;
      }();
      if (!same_bits(copy.forward(input), expected)) ++wrong;
    }
  });
  CHECK(wrong == 0);
}
