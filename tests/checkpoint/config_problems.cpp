// parse_all: every problem, in parse's order, and no field blamed for another's mistake.
#include <string>

#include "catch.hpp"
#include "octavo/config.hpp"

namespace octavo {
namespace {

std::string text(const std::string& heads, const std::string& sections, const std::string& vision_heads,
                 const std::string& window, const std::string& more = "") {
  return R"({"model_type": "qwen2_5_vl", "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": )" + heads +
         R"(, "num_key_value_heads": 2, "intermediate_size": 96, "vocab_size": 300, "rms_norm_eps": 1e-6,
    "max_position_embeddings": 512, "rope_scaling": {"type": "mrope", "mrope_section": )" +
         sections + R"(}, "image_token_id": 290, "video_token_id": 291, "vision_start_token_id": 292,
    "vision_end_token_id": 293)" +
         more + R"(, "vision_config": {"depth": 2, "hidden_size": 32, "num_heads": )" + vision_heads +
         R"(, "intermediate_size": 48, "out_hidden_size": 64, "patch_size": 14, "temporal_patch_size": 2,
    "spatial_merge_size": 2, "window_size": )" +
         window + R"(, "fullatt_block_indexes": [1], "tokens_per_second": 2}})";
}

struct Found {
  std::vector<ConfigProblem> problems;
  bool tensors_known = false;
  std::string first;  // what parse throws
};

Found find(const std::string& config) {
  Found found;
  const Json json = Json::parse(config, "config.json");
  static_cast<void>(Qwen25VlConfig::parse_all(json, found.problems, found.tensors_known));
  try {
    static_cast<void>(Qwen25VlConfig::parse(json));
  } catch (const Error& error) {
    found.first = error.what();
  }
  return found;
}

TEST_CASE("A good config has no problem") {
  const Found found = find(text("4", "[2, 3, 3]", "4", "112"));
  CHECK(found.problems.empty());
  CHECK(found.tensors_known);
  CHECK(found.first.empty());
}

TEST_CASE("Every problem is told, the first one as parse throws it") {
  const Found found =
      find(text("4", "[2, 3, 4]", "3", "20", R"(, "use_sliding_window": true, "max_window_layers": 1)"));
  REQUIRE(found.problems.size() == 4);
  CHECK(found.first == found.problems[0].what);
  CHECK(found.problems[0].where == "config.json: use_sliding_window");
  CHECK(found.problems[0].code == ErrorCode::unsupported);
  CHECK(found.problems[1].what == "config.json: mrope_section sums to 9, but must sum to half of head_dim 16");
  CHECK(found.problems[2].what ==
        "config.json: vision_config.num_heads is 3, which does not divide vision_config.hidden_size 32");
  CHECK(found.problems[3].where == "config.json: vision_config.window_size");
  for (const ConfigProblem& problem : found.problems) CHECK_FALSE(problem.remedy.empty());
  CHECK(found.tensors_known);  // every extent is there all the same
}

TEST_CASE("A field that cannot be read is not blamed for what depends on it") {
  // Without heads there is no head_dim, and nothing to say about sections or key/value heads.
  const Found heads = find(text("\"four\"", "[2, 3, 4]", "4", "112"));
  REQUIRE(heads.problems.size() == 1);
  CHECK(heads.problems[0].where == "config.json: num_attention_heads");
  CHECK_FALSE(heads.tensors_known);
  const Found undivided = find(text("5", "[2, 3, 4]", "4", "112"));
  REQUIRE(undivided.problems.size() == 1);
  CHECK(undivided.problems[0].what == "config.json: num_attention_heads is 5, which does not divide hidden_size 64");
  const Found vision = find(text("4", "[2, 3, 3]", "0", "112"));
  REQUIRE(vision.problems.size() == 1);
  CHECK(vision.problems[0].where == "config.json: vision_config.num_heads");
}

TEST_CASE("What is no object, or another model, is one problem") {
  CHECK(find("[]").problems.size() == 1);
  CHECK(find(R"({"model_type": "llava"})").problems.size() == 1);
  CHECK(find(R"({"model_type": "qwen2_5_vl", "text_config": 3})").problems.size() == 1);
  // Nothing but the type: all else has a class default but the vision tower as a whole.
  const Found bare = find(R"({"model_type": "qwen2_5_vl"})");
  CHECK(bare.problems.size() == 1);
}

}  // namespace
}  // namespace octavo
