// Against transformers in float32: vision rows, per-layer hidden states, logits; three models, three prompts each.
#include "golden.hpp"
#include "octavo/blockwise.hpp"

using golden::Values;

namespace {

// Issue: <= 1e-4. Both sides are float32 and differ by the order of summation alone.
constexpr double kTolerance = 1e-4;

}  // namespace

TEST_CASE("forward equals transformers") {
  const std::string name = GENERATE("nested", "flat", "bf16");
  const std::string prompt = GENERATE("text", "one", "two");
  INFO(name << ", " << prompt);
  const Values values(name);
  const octavo::Model model = octavo::Model::open(golden::directory(name));
  const octavo::ModelInput input = values.input(prompt);

  const octavo::Tensor vision = model.encode_images(input);
  REQUIRE(vision.defined() == values.has(prompt + ".vision"));
  if (vision.defined()) golden::require_close(vision, values.tensor(prompt + ".vision"), kTolerance);

  std::vector<octavo::Tensor> hidden;
  const octavo::Tensor logits = model.forward(input, &hidden);
  for (std::size_t layer = 0; layer < hidden.size(); ++layer) {
    INFO("layer " << layer);
    golden::require_close(hidden[layer], values.tensor(prompt + ".layer_" + std::to_string(layer)), kTolerance);
  }
  REQUIRE_FALSE(values.has(prompt + ".layer_" + std::to_string(hidden.size())));
  golden::require_close(logits, values.tensor(prompt + ".logits"), kTolerance);
}

TEST_CASE("vision blocks equal transformers, one by one") {
  const std::string name = GENERATE("nested", "flat", "bf16");
  const std::string prompt = GENERATE("one", "two");
  INFO(name << ", " << prompt);
  const Values values(name);
  const auto model = octavo::BlockwiseModel::open(octavo::Checkpoint::open(golden::directory(name)));
  octavo::BlockState state = model->begin_vision(values.input(prompt));
  for (std::int64_t i = 0; i < model->num_blocks(octavo::Tower::vision); ++i) {
    INFO("block " << i);
    model->load_block(octavo::Tower::vision, i)->forward(state, nullptr);
    golden::require_close(state.hidden, values.tensor(prompt + ".vision_block_" + std::to_string(i)), kTolerance);
  }
  golden::require_close(model->finish_vision(state), values.tensor(prompt + ".vision"), kTolerance);
}

TEST_CASE("window index and positions equal transformers") {
  const std::string name = GENERATE("nested", "flat", "bf16");
  const std::string prompt = GENERATE("text", "one", "two");
  INFO(name << ", " << prompt);
  const Values values(name);
  const auto config = octavo::Qwen25VlConfig::parse(octavo::Checkpoint::open(golden::directory(name)).config());
  const std::vector<octavo::Grid> grids = values.grids(prompt + ".grids");
  if (!grids.empty()) {
    const octavo::WindowIndex windows = octavo::window_index(grids, config.vision.window_size, config.vision.patch_size,
                                                             config.vision.spatial_merge_size);
    REQUIRE(windows.window_index == values.integers<std::int64_t>(prompt + ".window_index"));
    REQUIRE(windows.cu_window_seqlens == values.integers<std::int32_t>(prompt + ".cu_window_seqlens"));
  }
  octavo::SequenceState state({static_cast<std::int32_t>(config.image_token_id),
                               static_cast<std::int32_t>(config.video_token_id), config.vision.spatial_merge_size,
                               config.vision.tokens_per_second});
  const octavo::CallPlan plan = state.plan(values.input(prompt).ids, grids);
  const octavo::Tensor expected = values.tensor(prompt + ".position_ids");
  REQUIRE(plan.positions.shape().to_string() == expected.shape().to_string());
  const auto positions = plan.positions.values<std::int64_t>();
  REQUIRE(std::vector<std::int64_t>(positions.begin(), positions.end()) ==
          values.integers<std::int64_t>(prompt + ".position_ids"));
  state.commit(plan);
  REQUIRE(state.next_position() == values.integers<std::int64_t>(prompt + ".next_position").front());
}

TEST_CASE("each image of a prompt is encoded by itself") {
  const Values values("nested");
  const octavo::Model model = octavo::Model::open(golden::directory("nested"));
  octavo::ModelInput input = values.input("two");
  const octavo::Tensor both = model.encode_images(input);
  std::swap(input.images[0], input.images[1]);
  const octavo::Tensor swapped = model.encode_images(input);
  // 15 rows of the first image, 4 of the second.
  golden::require_close(swapped.slice(0, 4, 19), both.slice(0, 0, 15), 1e-5);
  golden::require_close(swapped.slice(0, 0, 4), both.slice(0, 15, 19), 1e-5);
}

TEST_CASE("prepare equals tokenizer and image processor of transformers") {
  const Values values("nested");
  const octavo::Model model = octavo::Model::open(golden::directory("nested"));
  octavo::Image picture{37, 53, {}};
  for (int y = 0; y < 37; ++y) {
    for (int x = 0; x < 53; ++x) {
      for (const int value : {7 * x + 3 * y, x * y, 200 - 2 * x + 5 * y}) {
        picture.rgb.push_back(static_cast<std::uint8_t>(((value % 256) + 256) % 256));
      }
    }
  }
  const octavo::ModelInput input = model.prepare("What is this?", {&picture, 1});
  REQUIRE(input.ids == values.integers<std::int32_t>("prepared.ids"));
  REQUIRE(input.images.size() == 1);
  golden::require_close(input.images[0].pixel_values, values.tensor("prepared.pixel_values"), 1e-5);
  octavo::GenerateOptions options;
  options.max_new_tokens = 64;
  options.ignore_eos = true;
  const octavo::GenerateResult result = model.generate(input, options);
  REQUIRE(result.tokens == values.integers<std::int32_t>("prepared.greedy"));
  REQUIRE(result.text == model.tokenizer().decode(result.tokens, true));
}
