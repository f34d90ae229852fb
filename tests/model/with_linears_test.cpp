// Models that differ from another in a few linears: held to a checkpoint that was written with those weights.
#include <algorithm>
#include <set>

#include "golden.hpp"

using golden::Values;

namespace {

constexpr const char* kLanguage = "model.layers.1.mlp.up_proj";
constexpr const char* kVision = "visual.blocks.0.attn.qkv";

/// A copy of the golden model "nested" with some weights negated.
void write_negated(const std::string& target, const std::set<std::string>& modules) {
  const octavo::Checkpoint original = octavo::Checkpoint::open(golden::directory("nested"));
  octavo::AtomicDirectory out(target);
  octavo::ShardWriter writer(out);
  std::vector<octavo::Tensor> kept;
  for (const std::string& name : original.names()) {
    octavo::Tensor tensor = original.tensor(name);
    if (modules.count(name.substr(0, name.rfind('.'))) != 0 && name.ends_with(".weight")) {
      tensor = tensor.clone();
      for (float& value : tensor.mutable_values<float>()) value = -value;
      kept.push_back(tensor);
    }
    writer.add(original.stored_name(name), tensor);
  }
  writer.finish();
  out.copy_file(golden::directory("nested") + "/config.json", "config.json");
  out.commit();
}

octavo::Linear negated(const octavo::Model& model, const std::string& path) {
  const octavo::Checkpoint& checkpoint = model.checkpoint();
  const octavo::Tensor weight = checkpoint.tensor(path + ".weight").clone();
  octavo::Tensor turned = weight;
  for (float& value : turned.mutable_values<float>()) value = -value;
  const bool has_bias = checkpoint.find(path + ".bias") != nullptr;
  return octavo::Linear::floating(path, turned, has_bias ? checkpoint.tensor(path + ".bias") : octavo::Tensor());
}

}  // namespace

TEST_CASE("a model with other linears is the checkpoint that holds their weights") {
  const golden::TemporaryDirectory place;
  const std::string target = place.path() + "/negated";
  write_negated(target, {kLanguage, kVision});
  const octavo::Model expected = octavo::Model::open(target);
  const octavo::Model original = octavo::Model::open(golden::directory("nested"));
  const Values values("nested");
  for (const char* prompt : {"text", "two"}) {
    const octavo::Tensor before = original.forward(values.input(prompt));
    const octavo::Linear changes[] = {negated(original, kVision), negated(original, kLanguage)};
    const octavo::Model changed = original.with_linears(changes);
    golden::require_close(changed.forward(values.input(prompt)), expected.forward(values.input(prompt)), 0);
    golden::require_close(original.forward(values.input(prompt)), before, 0);  // it stays as it is
    // And back: what was replaced can be replaced again.
    const octavo::Linear back[] = {original.linear(kLanguage), original.linear(kVision)};
    golden::require_close(changed.with_linears(back).forward(values.input(prompt)), before, 0);
  }
}

TEST_CASE("a model lists its linears in the order they run") {
  const octavo::Model model = octavo::Model::open(golden::directory("nested"));
  std::vector<std::string> paths;
  for (const octavo::LinearInfo& info : model.linears()) {
    paths.push_back(info.module_path);
    CHECK(model.linear(info.module_path).in_features() == info.in_features);
    CHECK(model.linear(info.module_path).out_features() == info.out_features);
  }
  CHECK(paths.size() == 3 * 5 + 2 * 7);
  CHECK(paths.front() == "visual.blocks.0.attn.qkv");
  CHECK(paths.back() == "model.layers.1.mlp.down_proj");
}

TEST_CASE("linears that do not belong are refused by name") {
  const octavo::Model model = octavo::Model::open(golden::directory("nested"));
  const auto refused = [&](std::vector<octavo::Linear> linears) {
    return golden::message_of([&] { static_cast<void>(model.with_linears(linears)); });
  };
  CHECK(refused({octavo::Linear()}) == "with_linears: one of the linears is undefined");
  const octavo::Linear up = model.linear(kLanguage);
  CHECK(refused({up, up}) == "with_linears: model.layers.1.mlp.up_proj is given twice");
  const octavo::Tensor square = octavo::Tensor::zeros(octavo::DType::f32, octavo::Shape{4, 4});
  CHECK(refused({octavo::Linear::floating("lm_head", square, {})}) ==
        "the blocks hold no linear \"lm_head\"; Model::linears lists them");
  CHECK(refused({octavo::Linear::floating(kLanguage, square, {})}) ==
        "model.layers.1.mlp.up_proj: replaced by a linear of [4, 4], expected [56, 32]");
}
