// NaN and infinity among the weights end every kind of run, and the error names the module that holds them.
#include <array>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "changed_model.hpp"
#include "golden.hpp"
#include "octavo/blockwise.hpp"
#include "octavo/session.hpp"
#include "octavo/trace.hpp"

using golden::Values;
using golden::write_with;
using octavo::Error;
using octavo::ErrorCode;
using octavo::Model;

namespace {

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

struct Failure {
  ErrorCode code = ErrorCode::internal;
  std::string message = "no error";
};

template <class Job>
Failure failure_of(Job&& job) {
  try {
    job();
  } catch (const Error& error) {
    return {error.code(), error.what()};
  }
  return {};
}

void check_named(const Failure& failure, const std::string& module) {
  INFO(failure.message);
  CHECK(failure.code == ErrorCode::not_finite);
  CHECK(failure.message.substr(0, module.size() + 2) == module + " (");
}

std::string module_of(const std::string& tensor) { return tensor.substr(0, tensor.rfind('.')); }

}  // namespace

TEST_CASE("a weight that is NaN or infinite ends a run and is named by its module") {
  const Values values("nested");
  const octavo::ModelInput input = values.input("two");  // two pictures
  const octavo::Checkpoint original = octavo::Checkpoint::open(golden::directory("nested"));
  int tried = 0;
  for (const std::string& name : original.names()) {
    // Of the embedding only the rows of the prompt are read.
    const std::int64_t row = name == "model.embed_tokens.weight" ? input.ids.front() : 0;
    const float bad = std::array{kNaN, kInfinity, -kInfinity}[static_cast<std::size_t>(tried++ % 3)];
    INFO(name << " holds " << bad);
    const golden::TemporaryDirectory place;
    const std::string target = place.path() + "/m";
    write_with(target, name, bad, row);
    const Model model = Model::open(target);
    octavo::GenerateOptions options;
    options.max_new_tokens = 2;
    check_named(failure_of([&] { model.generate(input, options); }), module_of(name));
  }
  CHECK(tried > 40);
}

TEST_CASE("queries and keys that are not finite do not hide in the softmax") {
  const Values values("nested");
  const golden::TemporaryDirectory place;
  int at = 0;
  for (const char* name : {"visual.blocks.0.attn.qkv.weight", "visual.blocks.1.attn.qkv.bias",
                           "model.layers.0.self_attn.q_proj.weight", "model.layers.1.self_attn.k_proj.bias"})
    for (const float bad : {kNaN, kInfinity, -kInfinity}) {
      INFO(name << " holds " << bad);
      const std::string target = place.path() + "/m" + std::to_string(at++);
      write_with(target, name, bad);
      const Model model = Model::open(target);
      check_named(failure_of([&] { model.forward(values.input("two")); }), module_of(name));
    }
}

TEST_CASE("every way to run a model tells of NaN and leaves its state as it was") {
  const Values values("nested");
  const golden::TemporaryDirectory place;
  const std::string target = place.path() + "/m";
  const std::string module = "model.layers.1.mlp.up_proj";
  write_with(target, module + ".weight", kNaN);
  const Model model = Model::open(target);
  const octavo::ModelInput text = values.input("text");

  octavo::Session session(model, 64);
  check_named(failure_of([&] { session.feed(text); }), module);
  CHECK(session.past() == 0);
  octavo::GenerateOptions options;
  options.use_cache = false;
  check_named(failure_of([&] { model.generate(text, options); }), module);
  const std::vector<octavo::ModelInput> batch{text, values.input("two")};
  check_named(failure_of([&] { model.generate(batch, octavo::GenerateOptions()); }), module);

  const auto blocks = octavo::BlockwiseModel::open(octavo::Checkpoint::open(target));
  octavo::BlockState state = blocks->begin_language(text, {});
  blocks->load_block(octavo::Tower::language, 0)->forward(state, nullptr);
  check_named(failure_of([&] { blocks->load_block(octavo::Tower::language, 1)->forward(state, nullptr); }), module);
}

TEST_CASE("a trace of a run that met NaN holds what came before and is not told twice") {
  const Values values("nested");
  const golden::TemporaryDirectory place;
  const std::string target = place.path() + "/m";
  write_with(target, "model.layers.1.mlp.up_proj.weight", kNaN);
  const Model model = Model::open(target);
  octavo::Trace trace;
  {
    const octavo::TraceScope scope(trace);
    check_named(failure_of([&] { model.forward(values.input("text")); }), "model.layers.1.mlp.up_proj");
  }
  int embeddings = 0;
  for (const octavo::TraceRecord& record : trace.records()) embeddings += record.operation == "embedding" ? 1 : 0;
  CHECK(embeddings == 1);
}

TEST_CASE("a weight that no run reads changes none") {
  const Values values("nested");
  const golden::TemporaryDirectory place;
  const std::string target = place.path() + "/m";
  write_with(target, "visual.blocks.0.attn.qkv.weight", kNaN);
  const Model model = Model::open(target);
  const Model original = Model::open(golden::directory("nested"));
  golden::require_close(model.forward(values.input("text")), original.forward(values.input("text")), 0);
  CHECK(octavo::not_finite(model.checkpoint(), "visual.blocks.0.attn.qkv.weight") ==
        target + "/model.safetensors: tensor \"" + model.checkpoint().info("visual.blocks.0.attn.qkv.weight").name +
            "\" holds NaN or infinity, first at [0, 0]");
  CHECK(octavo::not_finite(model.checkpoint(), "visual.blocks.1.attn.qkv.weight").empty());
}
