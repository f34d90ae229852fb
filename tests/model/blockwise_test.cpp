// The block-by-block view: same numbers as the whole model, one observation per input group, replacement by int8.
#include "octavo/blockwise.hpp"

#include <map>

#include "golden.hpp"

using golden::Values;

namespace {

/// Keeps the input of every group.
class Recorder final : public octavo::LinearObserver {
 public:
  void on_input(const octavo::LinearInfo& linear, const octavo::Tensor& x) override {
    REQUIRE(x.dim(1) == linear.in_features);
    groups.push_back(linear.input_group);
    inputs[linear.input_group] = x.clone();
  }
  std::vector<std::string> groups;
  std::map<std::string, octavo::Tensor> inputs;
};

struct Rounded {
  octavo::Tensor weight, scale;
};

/// Round to nearest per row, by the definition.
Rounded round_rows(const octavo::Tensor& stored) {
  const octavo::Tensor w = stored.to(octavo::DType::f32);
  Rounded out{octavo::Tensor::empty(octavo::DType::s8, w.shape()),
              octavo::Tensor::empty(octavo::DType::f32, octavo::Shape{w.dim(0), 1})};
  for (std::int64_t n = 0; n < w.dim(0); ++n) {
    const float* row = w.data<float>() + n * w.dim(1);
    float largest = 0;
    for (std::int64_t k = 0; k < w.dim(1); ++k) largest = std::max(largest, std::abs(row[k]));
    const float scale = largest / 127.0F;
    out.scale.mutable_data<float>()[n] = scale;
    for (std::int64_t k = 0; k < w.dim(1); ++k) {
      out.weight.mutable_data<std::int8_t>()[n * w.dim(1) + k] = static_cast<std::int8_t>(std::lround(row[k] / scale));
    }
  }
  return out;
}

octavo::Tensor run_language(const octavo::BlockwiseModel& model, const octavo::ModelInput& input, bool int8,
                            octavo::LinearObserver* observer) {
  octavo::BlockState vision = model.begin_vision(input);
  for (std::int64_t i = 0; i < model.num_blocks(octavo::Tower::vision); ++i) {
    model.load_block(octavo::Tower::vision, i)->forward(vision, observer);
  }
  octavo::BlockState state = model.begin_language(input, model.finish_vision(vision));
  for (std::int64_t i = 0; i < model.num_blocks(octavo::Tower::language); ++i) {
    const auto block = model.load_block(octavo::Tower::language, i);
    for (const octavo::LinearInfo& linear : block->linears()) {
      if (!int8) continue;
      const Rounded rounded = round_rows(block->weight(linear.module_path));
      block->replace(linear.module_path, octavo::Linear::w8a8(linear.module_path, rounded.weight, rounded.scale,
                                                              block->bias(linear.module_path)));
      REQUIRE(block->linear(linear.module_path).is_w8a8());
      REQUIRE_FALSE(block->weight(linear.module_path).defined());
    }
    block->forward(state, observer);
  }
  return state.hidden;
}

}  // namespace

TEST_CASE("block by block equals transformers' last layer") {
  const std::string name = GENERATE("nested", "flat", "bf16");
  const std::string prompt = GENERATE("text", "one", "two");
  INFO(name << ", " << prompt);
  const Values values(name);
  const auto model = octavo::BlockwiseModel::open(octavo::Checkpoint::open(golden::directory(name)));
  const std::int64_t last = model->num_blocks(octavo::Tower::language) - 1;
  golden::require_close(run_language(*model, values.input(prompt), false, nullptr),
                        values.tensor(prompt + ".layer_" + std::to_string(last)), 1e-4);
}

TEST_CASE("linears and their input groups") {
  const auto model = octavo::BlockwiseModel::open(octavo::Checkpoint::open(golden::directory("nested")));
  const auto block = model->load_block(octavo::Tower::language, 1);
  REQUIRE(block->module_path() == "model.layers.1");
  std::vector<std::string> paths;
  for (const octavo::LinearInfo& linear : block->linears()) {
    paths.push_back(linear.module_path + " < " + linear.input_group + (linear.has_bias ? " +b " : " ") +
                    std::to_string(linear.out_features) + "x" + std::to_string(linear.in_features));
    REQUIRE(block->bias(linear.module_path).defined() == linear.has_bias);
  }
  const std::string p = "model.layers.1.";
  REQUIRE(paths == std::vector<std::string>{p + "self_attn.q_proj < " + p + "self_attn.qkv_input +b 32x32",
                                            p + "self_attn.k_proj < " + p + "self_attn.qkv_input +b 16x32",
                                            p + "self_attn.v_proj < " + p + "self_attn.qkv_input +b 16x32",
                                            p + "self_attn.o_proj < " + p + "self_attn.o_input 32x32",
                                            p + "mlp.gate_proj < " + p + "mlp.gate_up_input 56x32",
                                            p + "mlp.up_proj < " + p + "mlp.gate_up_input 56x32",
                                            p + "mlp.down_proj < " + p + "mlp.down_input 32x56"});
  std::vector<std::string> others;
  for (const octavo::LinearInfo& linear : model->other_linears()) others.push_back(linear.module_path);
  REQUIRE(others == std::vector<std::string>{"visual.merger.mlp.0", "visual.merger.mlp.2", "lm_head"});
  REQUIRE(golden::message_of([&] { model->load_block(octavo::Tower::language, 2); }) ==
          "model.layers: no block 2, there are 2");
  REQUIRE(golden::message_of([&] { static_cast<void>(block->weight("model.layers.0.mlp.up_proj")); })
              .find("model.layers.1: no linear named \"model.layers.0.mlp.up_proj\"; it has "
                    "model.layers.1.self_attn.q_proj") == 0);
  REQUIRE(golden::message_of([&] { block->replace(p + "mlp.up_proj", block->linear(p + "mlp.down_proj")); }) ==
          "model.layers.1.mlp.up_proj: replaced by a linear of [32, 56], expected [56, 32]");
}

TEST_CASE("the observer sees each group once per block") {
  const Values values("nested");
  const auto model = octavo::BlockwiseModel::open(octavo::Checkpoint::open(golden::directory("nested")));
  Recorder recorder;
  run_language(*model, values.input("two"), false, &recorder);
  REQUIRE(recorder.groups.size() == 4 * (3 + 2));
  REQUIRE(recorder.inputs.size() == recorder.groups.size());
  REQUIRE(recorder.inputs.at("model.layers.0.mlp.down_input").dim(0) ==
          static_cast<std::int64_t>(values.input("two").ids.size()));
  REQUIRE(recorder.inputs.at("visual.blocks.2.attn.qkv_input").dim(0) == 76);
}

TEST_CASE("a W8A8 checkpoint runs as its blocks with replaced linears do") {
  const Values values("nested");
  const octavo::Checkpoint original = octavo::Checkpoint::open(golden::directory("nested"));
  const auto model = octavo::BlockwiseModel::open(original);
  const octavo::Tensor expected = run_language(*model, values.input("two"), true, nullptr);

  const golden::TemporaryDirectory place;
  const std::string target = place.path() + "/w8a8";
  octavo::AtomicDirectory out(target);
  octavo::ShardWriter writer(out);
  std::vector<std::string> ignored{original.stored_name("lm_head")};
  for (const std::string& name : original.names()) {
    const bool linear = name.starts_with("model.layers.") && name.ends_with("_proj.weight");
    if (linear) {
      const Rounded rounded = round_rows(original.tensor(name));
      writer.add(original.stored_name(name), rounded.weight);
      writer.add(original.stored_name(name + "_scale"), rounded.scale);
    } else {
      writer.add(original.stored_name(name), original.tensor(name));
      if (name.starts_with("visual.") && name.ends_with(".weight") && name.find("norm") == std::string::npos) {
        ignored.push_back(original.stored_name(name.substr(0, name.size() - 7)));
      }
    }
  }
  writer.finish();
  out.write_file("config.json", octavo::with_w8a8_quantization_config(original.config(), ignored));
  out.commit();

  const octavo::Checkpoint quantized = octavo::Checkpoint::open(target);
  REQUIRE(octavo::structure_problems(quantized).empty());
  std::vector<octavo::Tensor> hidden;
  const octavo::Model opened = octavo::Model::open(target);
  const octavo::Tensor logits = opened.forward(values.input("two"), &hidden);
  golden::require_close(hidden.back(), expected, 0);  // the same code on the same integers
  // int8 costs something, but not the meaning: far below the spread of the logits, which is about 1.
  golden::require_close(logits, values.tensor("two.logits"), 0.35);
  octavo::GenerateOptions options;
  options.max_new_tokens = 24;
  options.ignore_eos = true;
  const auto cached = opened.generate(values.input("two"), options).tokens;
  options.use_cache = false;
  REQUIRE(opened.generate(values.input("two"), options).tokens == cached);
}
