// What config.json promises, and what is said of a checkpoint that does not keep it.
#include "golden.hpp"
#include "octavo/blockwise.hpp"

using golden::message_of;

TEST_CASE("the golden models hold what their config promises") {
  const std::string name = GENERATE("nested", "flat", "bf16");
  const octavo::Checkpoint checkpoint = octavo::Checkpoint::open(golden::directory(name));
  REQUIRE(octavo::structure_problems(checkpoint).empty());
  std::size_t required = 0;
  for (const octavo::ExpectedTensor& tensor : octavo::expected_tensors(checkpoint)) required += tensor.optional ? 0 : 1;
  REQUIRE(required == checkpoint.names().size());
}

TEST_CASE("every problem is listed with both shapes and the field behind them") {
  const golden::TemporaryDirectory copy;
  copy.copy_model("bf16");
  copy.write("config.json",
             golden::replaced(copy.read("config.json"), "\"num_key_value_heads\": 3", "\"num_key_value_heads\": 2"));
  const octavo::Checkpoint checkpoint = octavo::Checkpoint::open(copy.path());
  const std::vector<std::string> problems = octavo::structure_problems(checkpoint);
  REQUIRE(problems.size() == 8);  // k and v, weight and bias, two layers
  REQUIRE(
      problems[0] ==
      "model.layers.0.self_attn.k_proj.weight: is [24, 48], expected [16, 48] (num_key_value_heads * head_dim = 16, "
      "hidden_size = 48)");
  REQUIRE(problems[1] ==
          "model.layers.0.self_attn.k_proj.bias: is [24], expected [16] (num_key_value_heads * head_dim = 16)");
  std::string all;
  for (const std::string& problem : problems) all += (all.empty() ? "" : "; ") + problem;
  const std::string expected = copy.path() + ": 8 tensors do not fit config.json: " + all;
  REQUIRE(message_of([&] { octavo::Model::open(copy.path()); }) == expected);
  REQUIRE(message_of([&] { octavo::BlockwiseModel::open(checkpoint); }) == expected);
}

TEST_CASE("missing and unexpected tensors are named") {
  const golden::TemporaryDirectory copy;
  copy.copy_model("bf16");
  SECTION("one layer more in the config") {
    copy.write("config.json",
               golden::replaced(copy.read("config.json"), "\"num_hidden_layers\": 2", "\"num_hidden_layers\": 3"));
    const auto problems = octavo::structure_problems(octavo::Checkpoint::open(copy.path()));
    REQUIRE(problems.size() == 12);
    REQUIRE(problems[0] == "model.layers.2.input_layernorm.weight: missing, expected [48] (hidden_size = 48)");
  }
  SECTION("one layer less in the config") {
    copy.write("config.json",
               golden::replaced(copy.read("config.json"), "\"num_hidden_layers\": 2", "\"num_hidden_layers\": 1"));
    const auto problems = octavo::structure_problems(octavo::Checkpoint::open(copy.path()));
    REQUIRE(problems.size() == 12);
    REQUIRE(problems[0] == "model.layers.1.input_layernorm.weight: unexpected, nothing in config.json calls for it");
  }
}

TEST_CASE("another architecture is refused by name") {
  const golden::TemporaryDirectory copy;
  copy.copy_model("flat");
  copy.write("config.json", golden::replaced(copy.read("config.json"), "\"model_type\": \"qwen2_5_vl\",\n \"image",
                                             "\"model_type\": \"llava\",\n \"image"));
  REQUIRE(message_of([&] { octavo::Model::open(copy.path()); }) ==
          copy.path() + "/config.json: model_type is \"llava\"; this build runs qwen2_5_vl");
}

TEST_CASE("resident bytes are the weights' bytes, norms widened") {
  // Weights are counted from the file: what a float model keeps is what is stored, except that norms become f32.
  const octavo::Checkpoint checkpoint = octavo::Checkpoint::open(golden::directory("flat"));
  const octavo::Model model = octavo::Model::open(golden::directory("flat"));
  REQUIRE(model.resident_bytes() > checkpoint.total_bytes() * 8 / 10);
  REQUIRE(model.resident_bytes() <= checkpoint.total_bytes());
  REQUIRE(model.vocab_size() == 144);
  REQUIRE(model.max_position_embeddings() == 256);
}
