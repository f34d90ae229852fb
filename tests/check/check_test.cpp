// check on directories that are wrong in one way, and in several: what it says, where, and whether that is fatal.
#include "octavo/check.hpp"

#include <algorithm>

#include "catch.hpp"
#include "jobs.hpp"
#include "octavo/quantize.hpp"
#include "sparse_checkpoint.hpp"

using octavo::check;
using octavo::CheckOptions;
using octavo::CheckProblem;
using octavo::CheckResult;
using test::contains;
using test::Scratch;

namespace {

const std::string kNested = std::string(OCTAVO_SOURCE_DIR) + "/tests/golden/model/nested";

/// The golden model with a tokenizer, to damage.
std::string copy_of_nested(const Scratch& scratch) {
  const std::string directory = scratch.path("model");
  test::fs::create_directory(directory);
  for (const auto& entry : test::fs::directory_iterator(kNested))
    if (entry.path().filename() != "golden.safetensors")
      test::fs::copy(entry.path(), test::fs::path(directory) / entry.path().filename());
  return directory;
}

void edit(const std::string& path, const std::string& from, const std::string& to) {
  std::string text = test::read_file(path);
  const std::size_t at = text.find(from);
  INFO(path << ": " << from);
  REQUIRE(at != std::string::npos);
  std::ofstream(path, std::ios::binary) << text.replace(at, from.size(), to);
}

const CheckProblem* find(const CheckResult& result, const std::string& part) {
  for (const CheckProblem& problem : result.problems)
    if (contains(problem.what, part)) return &problem;
  return nullptr;
}

std::string listed(const CheckResult& result) {
  std::string all;
  for (const CheckProblem& problem : result.problems) all += (problem.fatal ? "! " : "- ") + problem.what + "\n";
  return all;
}

std::int64_t fatal_count(const CheckResult& result) {
  return std::count_if(result.problems.begin(), result.problems.end(), [](const CheckProblem& p) { return p.fatal; });
}

/// nested in W8A8 by round-to-nearest.
std::string quantized(const Scratch& scratch) {
  octavo::QuantizeOptions options;
  options.recipe = "rtn";
  octavo::quantize(kNested, scratch.path("w8a8"), options);
  return scratch.path("w8a8");
}

}  // namespace

TEST_CASE("a good model has no fatal problem") {
  const CheckResult result = check(kNested);
  INFO(listed(result));
  REQUIRE(result.ok());
  REQUIRE(result.problems.empty());
  REQUIRE(result.tensors > 0);
}

TEST_CASE("one mistake in one file: what is said, and where") {
  struct Case {
    const char *file, *from, *to, *what, *where;
    bool fatal;
  };
  const Case example = GENERATE(
      Case{"config.json", "\"num_key_value_heads\": 2", "\"num_key_value_heads\": 3",
           "num_key_value_heads is 3, which does not divide num_attention_heads 4", "num_key_value_heads", true},
      Case{"config.json", "   1,\n    1,\n    2", "   1,\n    1,\n    1", "mrope_section sums to 3", "mrope_section",
           true},
      Case{"config.json", "\"vocab_size\": 272", "\"vocab_size\": 261", "smaller than the 263 ids of", "vocab_size",
           true},
      Case{"config.json", "\"image_token_id\": 256", "\"image_token_id\": 255", "gives <|image_pad|> the id 256",
           "image_token_id", true},
      Case{"config.json", "\"window_size\": 16", "\"window_size\": 7", "smaller than one merge group", "window_size",
           true},
      Case{"config.json", "\"window_size\": 16", "\"window_size\": 19", "windows are 2 groups wide", "window_size",
           false},
      Case{"config.json", "\"use_cache\": true", "\"use_cache\": false", "use_cache is false", "use_cache", false},
      Case{"config.json", "\"use_cache\": true", "\"tie_word_embeddings\": true", "true counts, as for transformers 5",
           "tie_word_embeddings", false},
      Case{"config.json", "\"tie_word_embeddings\": false", "\"tie_word_embeddings\": true",
           "lm_head.weight: holds other values than the embedding", "lm_head.weight", false},
      Case{"config.json", "\"use_cache\": true", "\"rope_parameters\": {\"mrope_section\": [2, 1, 1]}",
           "the file contradicts itself", "rope_parameters", true},
      Case{"config.json", "\"use_cache\": true", "\"layer_types\": [\"full_attention\"]", "names 1 layers",
           "layer_types", true},
      Case{"preprocessor_config.json", "\"patch_size\": 4", "\"patch_size\": 14",
           "patch_size is 14, but vision_config.patch_size is 4", "preprocessor_config.json: patch_size", true},
      Case{"preprocessor_config.json", "\"merge_size\": 2", "\"merge_size\": 1",
           "vision_config.spatial_merge_size is 2", "merge_size", true},
      Case{"preprocessor_config.json", "\"temporal_patch_size\": 2", "\"temporal_patch_size\": 1",
           "vision_config.temporal_patch_size is 2", "temporal_patch_size", true},
      Case{"generation_config.json", "260", "300", "outside the vocabulary of 272", "eos_token_id", true},
      Case{"tokenizer.json", "<|image_pad|>", "<|picture|>", "<|image_pad|> is not among the added tokens",
           "tokenizer.json", true},
      Case{"model.safetensors", "language_model.norm.weight\"", "language_model.nurm.weight\"",
           "model.norm.weight: missing", "model.norm.weight", true},
      Case{"model.safetensors", "language_model.norm.weight\"", "language_model.nurm.weight\"",
           "model.nurm.weight: unexpected", "model.nurm.weight", true});
  const Scratch scratch;
  const std::string model = copy_of_nested(scratch);
  edit(model + "/" + example.file, example.from, example.to);
  const CheckResult result = check(model);
  INFO(example.what << "\n" << listed(result));
  const CheckProblem* problem = find(result, example.what);
  REQUIRE(problem != nullptr);
  REQUIRE(contains(problem->where, example.where));
  REQUIRE(problem->fatal == example.fatal);
  REQUIRE_FALSE(problem->remedy.empty());
  REQUIRE(result.ok() != example.fatal);
}

TEST_CASE("every problem is told, not only the first") {
  const Scratch scratch;
  const std::string model = copy_of_nested(scratch);
  edit(model + "/config.json", "   1,\n    1,\n    2", "   1,\n    1,\n    1");
  edit(model + "/config.json", "\"fullatt_block_indexes\": [\n   1", "\"fullatt_block_indexes\": [\n   3");
  edit(model + "/config.json", "\"intermediate_size\": 56", "\"intermediate_size\": 55");
  edit(model + "/config.json", "\"use_cache\": true", "\"use_cache\": false");
  edit(model + "/preprocessor_config.json", "\"patch_size\": 4", "\"patch_size\": 14");
  edit(model + "/tokenizer.json", "<|im_end|>", "<|im_stop|>");
  const CheckResult result = check(model);
  INFO(listed(result));
  for (const char* part : {"mrope_section", "fullatt_block_indexes",
                           "intermediate_size is 55, but by the shapes of model.layers.*.mlp.gate_proj.weight it is 56",
                           "use_cache", "patch_size is 14", "<|im_end|>"})
    REQUIRE(find(result, part) != nullptr);
  // Sections, blocks, the width of 6 linears, patch size, token; and use_cache is a note.
  REQUIRE(fatal_count(result) == 5);
  REQUIRE(result.problems.size() == 6);
}

TEST_CASE("a layer too many is one problem and so are sixty thousand") {
  const Scratch scratch;
  const std::string model = copy_of_nested(scratch);
  edit(model + "/config.json", "\"num_hidden_layers\": 2", "\"num_hidden_layers\": 3");
  REQUIRE(fatal_count(check(model)) == 1);
  edit(model + "/config.json", "\"num_hidden_layers\": 3", "\"num_hidden_layers\": 65000");
  const CheckResult result = check(model);
  REQUIRE(fatal_count(result) == 1);
  REQUIRE(find(result, "num_hidden_layers is 65000, but by the shapes of model.layers.* it is 2") != nullptr);
}

TEST_CASE("broken files do not hide each other") {
  const Scratch scratch;
  const std::string model = copy_of_nested(scratch);
  edit(model + "/model.safetensors", "language_model.norm.weight\":{\"dtype\":\"F32\"",
       "language_model.norm.weight\":{\"dtype\":\"F16\"");
  edit(model + "/config.json", "\"num_key_value_heads\": 2", "\"num_key_value_heads\": 3");
  edit(model + "/preprocessor_config.json", "\"patch_size\": 4", "\"patch_size\": \"four\"");
  const CheckResult result = check(model);
  INFO(listed(result));
  REQUIRE(find(result, "model.norm.weight") != nullptr);
  REQUIRE(find(result, "num_key_value_heads is 3") != nullptr);
  REQUIRE(find(result, "patch_size") != nullptr);
  REQUIRE(fatal_count(result) == 3);
  REQUIRE(check(scratch.path("nowhere")).problems.size() == 1);
  REQUIRE(check(scratch.write("file", "")).problems.size() == 1);
}

TEST_CASE("quantization_config is held against modules and tensors") {
  const Scratch scratch;
  const std::string model = quantized(scratch);
  INFO(listed(check(model)));
  REQUIRE(check(model).ok());
  const std::string config = model + "/config.json";
  SECTION("a name that is no module") {
    edit(config, "\"lm_head\"", "\"lm_haed\", \"re:visual\\\\.block\\\\..*\", \"lm_head\"");
    const CheckResult result = check(model);
    INFO(listed(result));
    REQUIRE(find(result, "\"lm_haed\", which names no module") != nullptr);
    REQUIRE(find(result, "\"re:visual\\.block\\..*\", which names no module") != nullptr);
    REQUIRE(fatal_count(result) == 2);
  }
  SECTION("an ignored module that is int8") {
    edit(config, "\"lm_head\"", "\"model.layers.0.mlp.up_proj\", \"lm_head\"");
    const CheckResult result = check(model);
    INFO(listed(result));
    const CheckProblem* problem = find(result, "model.layers.0.mlp.up_proj.weight: is stored as I8");
    REQUIRE(problem != nullptr);
    REQUIRE(contains(problem->remedy, "ignore"));
    REQUIRE_FALSE(result.ok());
  }
  SECTION("int8 weights without quantization_config") {
    edit(config, "\"quantization_config\"", "\"left_out\"");
    const CheckResult result = check(model);
    INFO(listed(result));
    const CheckProblem* problem = find(result, "model.layers.0.mlp.up_proj.weight: is stored as I8");
    REQUIRE(problem != nullptr);
    REQUIRE(contains(problem->remedy, "has no quantization_config"));
  }
  SECTION("one scale for a whole weight") {
    std::string shard = test::read_file(model + "/model.safetensors");
    const std::string key = "model.layers.0.mlp.up_proj.weight_scale\":{\"dtype\":\"F32\",\"shape\":[56,1]";
    REQUIRE(contains(shard, key));
    edit(model + "/model.safetensors", key,
         "model.layers.0.mlp.up_proj.weight_scale\":{\"dtype\":\"F32\",\"shape\":[1,56]");
    const CheckResult result = check(model);
    INFO(listed(result));
    const CheckProblem* problem = find(result, "up_proj.weight_scale: is [1, 56], expected [56, 1]");
    REQUIRE(problem != nullptr);
    REQUIRE(contains(problem->remedy, "one scale per output channel"));
    // What the runtime would have said of it is not told again.
    REQUIRE(fatal_count(result) == 1);
  }
  SECTION("a scheme that is not run") {
    edit(config, "\"num_bits\": 8", "\"num_bits\": 4");
    const CheckResult result = check(model);
    INFO(listed(result));
    REQUIRE(find(result, "num_bits is 4") != nullptr);
    REQUIRE_FALSE(result.ok());
  }
}

TEST_CASE("the planned prompt must fit the model") {
  CheckOptions options;
  options.images = {{64, 64}, {10, 4000}};
  const CheckResult extreme = check(kNested, options);
  INFO(listed(extreme));
  REQUIRE(fatal_count(extreme) == 1);
  REQUIRE(extreme.problems[0].where == "image of 10 x 4000 pixels");
  options.images = {{64, 64}};
  options.prompt_tokens = 10;
  const CheckResult small = check(kNested, options);
  REQUIRE(find(small, "prompt_tokens is 10, its 1 images alone take") != nullptr);
  options.prompt_tokens = 100;
  options.keep_plan = true;
  const CheckResult good = check(kNested, options);
  INFO(listed(good));
  REQUIRE(good.ok());
  REQUIRE(good.plan.has_value());
  // 64 x 64 pixels are at most 4096: 16 x 16 patches of 4 pixels, 8 x 8 tokens.
  REQUIRE(good.plan->find(octavo::CallKind::prefill)->image_tokens == 64);
  REQUIRE(good.to_json().build().at("plan").at("prompt_tokens").as_int() == 100);
}

octavo::ParallelDim dimension(const CheckResult& result, const std::string& field) {
  for (const octavo::ParallelDim& found : result.tensor_parallel)
    if (found.field == field) return found;
  FAIL("no dimension " << field);
  return octavo::ParallelDim{};
}

TEST_CASE("a 72B whose weights are holes is checked, planned and divided") {
  const Scratch scratch;
  test::SparseModel model;
  model.int8 = true;
  const test::SparseCheckpoint written(scratch.path("72b"), model);
  REQUIRE(written.data_bytes() > std::uint64_t{70} << 30);  // nobody reads that much, or has the room
  CheckOptions options;
  options.tensor_parallel = 8;
  options.keep_plan = true;
  const CheckResult result = check(scratch.path("72b"), options);
  INFO(listed(result));
  REQUIRE(result.ok());
  REQUIRE(static_cast<std::size_t>(result.tensors) == written.tensor_count());
  // 80 layers, keys and values of 8 heads of 128, 4 bytes.
  REQUIRE(result.plan->kv_cache_bytes_per_position == std::uint64_t{80} * 2 * 8 * 128 * 4);
  const auto dim = [&](const char* field) { return dimension(result, field); };
  REQUIRE(dim("intermediate_size").per_rank == 3696);  // 29568 / 8 = 231 * 16
  REQUIRE(dim("intermediate_size").alignment == 16);
  REQUIRE(dim("intermediate_size").w8a8 == 80 * 3);
  REQUIRE(dim("intermediate_size").w8a16 == 0);
  REQUIRE(contains(dim("intermediate_size").effect, "W8A8 per channel and float run"));
  REQUIRE(contains(dim("intermediate_size").remedy, "29696"));  // 29 * 8 * 128
  REQUIRE(dim("num_key_value_heads").per_rank == 1);
  REQUIRE(dim("vocab_size").per_rank == 19008);
  REQUIRE(dim("vision_config.intermediate_size").per_rank == 432);
  REQUIRE_FALSE(dim("vision_config.intermediate_size").is_int8());
  REQUIRE(dim("vision_config.num_heads").alignment == 32);  // 2 heads of 80: 160, with keys and values 480
  REQUIRE(dim("num_attention_heads").effect.empty());
}

TEST_CASE("3420 cannot be cut, nor can 16 heads among 3 ranks") {
  const Scratch scratch;
  const test::SparseModel small{2048, 2, 16, 2, 11008, 151936, 1280, 2, 16, 3420, true};
  const test::SparseCheckpoint written(scratch.path("3b"), small);
  CheckOptions options;
  options.tensor_parallel = 8;
  const CheckResult eight = check(scratch.path("3b"), options);
  INFO(listed(eight));
  REQUIRE(fatal_count(eight) == 1);  // two key/value heads are repeated on the ranks
  const CheckProblem* problem = find(eight, "vision_config.intermediate_size is 3420, which cannot be cut for 8 ranks");
  REQUIRE(problem != nullptr);
  REQUIRE(contains(problem->remedy, "3456"));
  options.tensor_parallel = 4;
  const CheckResult four = check(scratch.path("3b"), options);
  REQUIRE(find(four, "855 per rank") != nullptr);
  REQUIRE(four.ok());  // float there: only int8 kernels mind
  options.tensor_parallel = 3;
  const CheckResult three = check(scratch.path("3b"), options);
  REQUIRE(find(three, "num_attention_heads is 16, which cannot be cut for 3 ranks") != nullptr);
  options.tensor_parallel = -1;
  const CheckResult none = check(scratch.path("3b"), options);
  REQUIRE(find(none, "it must be 1 to 1024") != nullptr);
}

TEST_CASE("int8 products that CUTLASS does not take run in Triton") {
  const Scratch scratch;
  test::SparseModel model{2048, 2, 16, 2, 11008, 151936, 1280, 2, 16, 3420, true, true};
  model.vision_int8 = true;
  const test::SparseCheckpoint written(scratch.path("3b"), model);
  CheckOptions options;
  for (const std::int64_t ranks : {1, 4}) {  // 3420 = 213 * 16 + 12 is no multiple of 16, cut or whole
    options.tensor_parallel = ranks;
    const CheckResult result = check(scratch.path("3b"), options);
    INFO(ranks << " ranks\n" << listed(result));
    REQUIRE(result.ok());
    const octavo::ParallelDim dim = dimension(result, "vision_config.intermediate_size");
    REQUIRE(dim.w8a8 == 2 * 3);
    REQUIRE(contains(dim.effect, "Triton"));
    REQUIRE(contains(dim.remedy, ranks == 1 ? "3424" : "3456"));  // 214 * 16, 54 * 4 * 16
    REQUIRE(find(result, "3420: " + std::to_string(3420 / ranks) + " per rank") != nullptr);
    REQUIRE(dimension(result, "intermediate_size").effect.empty() == (ranks == 1));  // 86 * 128; 11008 / 4 = 43 * 64
  }
}

TEST_CASE("vLLM does not load W8A16 linears that are stored as plain int8, in whatever block they are") {
  const Scratch scratch;
  test::SparseModel model;
  model.layers = 2;
  model.int8 = true;
  model.w8a16 = {"model.layers.1.mlp.down_proj"};
  const test::SparseCheckpoint written(scratch.path("72b"), model);
  CheckOptions options;
  REQUIRE(check(scratch.path("72b"), options).ok());
  for (const std::int64_t ranks : {1, 8}) {
    options.tensor_parallel = ranks;
    const CheckResult result = check(scratch.path("72b"), options);
    INFO(ranks << " ranks\n" << listed(result));
    REQUIRE(result.ok());  // Octavo and transformers run it
    REQUIRE(find(result, "1 linear is stored W8A16 as plain int8, which vLLM does not load") != nullptr);
    const octavo::ParallelDim dim = dimension(result, "intermediate_size");
    REQUIRE(dim.w8a16 == 1);
    REQUIRE(dim.w8a8 == 2 * 3 - 1);
    // 29568 = 231 * 128, 29568 / 8 = 28 * 128 + 112.
    REQUIRE(contains(dim.effect, "Marlin") == (ranks == 8));
    REQUIRE_FALSE(contains(dim.effect, "Triton"));  // 3696 = 231 * 16
  }
}

TEST_CASE("inspect counts the same parameters before and after quantization: scales are none") {
  const Scratch scratch;
  const octavo::Json original = octavo::inspect(kNested).build();
  const octavo::Json int8 = octavo::inspect(quantized(scratch)).build();
  CHECK(int8.at("int8_linears").as_int() > 0);
  CHECK(int8.at("tensors").size() > original.at("tensors").size());
  CHECK(int8.at("parameters").as_int() == original.at("parameters").as_int());
  std::int64_t values = 0;  // of the original, straight from its headers
  const octavo::Checkpoint checkpoint = octavo::Checkpoint::open(kNested);
  for (const std::string& name : checkpoint.names()) values += checkpoint.info(name).shape.numel();
  CHECK(original.at("parameters").as_int() == values);
}
