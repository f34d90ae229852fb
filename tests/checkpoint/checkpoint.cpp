#include "octavo/checkpoint.hpp"

#include "catch.hpp"
#include "helpers.hpp"

namespace octavo {
namespace {

using test::error_of;
using test::TempDir;
using Names = std::vector<std::string>;

/// One byte per tensor.
std::string shard_of(const Names& names) {
  std::string header = "{";
  for (std::size_t i = 0; i < names.size(); ++i) {
    header += (i == 0 ? "\"" : ",\"") + names[i] + R"(":{"dtype":"U8","shape":[1],"data_offsets":[)" +
              std::to_string(i) + "," + std::to_string(i + 1) + "]}";
  }
  return test::safetensors_bytes(header + "}", names.size());
}

void write_single(const TempDir& directory, const Names& names) {
  test::write_bytes(directory / "config.json", "{}");
  test::write_bytes(directory / "model.safetensors", shard_of(names));
}

std::string complaint(const TempDir& directory) {
  return error_of([&] { Checkpoint::open(directory.str()); });
}

TEST_CASE("Names are normalised to the published layout") {
  const std::vector<std::pair<std::string, std::string>> names{
      {"visual.blocks.0.attn.qkv.weight", "visual.blocks.0.attn.qkv.weight"},
      {"model.layers.0.mlp.up_proj.weight", "model.layers.0.mlp.up_proj.weight"},
      {"lm_head.weight", "lm_head.weight"},
      {"model.visual.merger.mlp.0.bias", "visual.merger.mlp.0.bias"},
      {"model.language_model.norm.weight", "model.norm.weight"},
      {"language_model.model.norm.weight", "model.norm.weight"},
      {"language_model.lm_head.weight", "lm_head.weight"},
      {"vision_tower.blocks.0.norm1.weight", "visual.blocks.0.norm1.weight"},
      {"model.visual", "visual"},
      {"model.visualiser.weight", "model.visualiser.weight"},
      {"", ""},
  };
  for (const auto& [stored, published] : names) CHECK(normalise_name(stored) == published);
}

TEST_CASE("Both key layouts open under the same names, and keep their spelling") {
  struct Layout {
    Names stored;       // of the three tensors below
    std::string head;   // how this layout spells lm_head.weight_scale, which is not there
    std::string block;  // and a module of the vision tower
  };
  const Layout layout = GENERATE(values<Layout>({
      {{"lm_head.weight", "model.norm.weight", "visual.merger.ln_q.weight"},
       "lm_head.weight_scale",
       "visual.blocks.3.attn"},
      {{"lm_head.weight", "model.language_model.norm.weight", "model.visual.merger.ln_q.weight"},
       "lm_head.weight_scale",
       "model.visual.blocks.3.attn"},
      {{"language_model.lm_head.weight", "language_model.model.norm.weight", "vision_tower.merger.ln_q.weight"},
       "language_model.lm_head.weight_scale",
       "vision_tower.blocks.3.attn"},
  }));
  const TempDir directory;
  write_single(directory, layout.stored);
  const Checkpoint checkpoint = Checkpoint::open(directory.str());
  const Names published{"lm_head.weight", "model.norm.weight", "visual.merger.ln_q.weight"};
  CHECK(checkpoint.names() == published);
  CHECK(checkpoint.total_bytes() == 3);
  for (std::size_t i = 0; i < 3; ++i) {
    CHECK(checkpoint.info(published[i]).name == layout.stored[i]);
    CHECK(checkpoint.stored_name(published[i]) == layout.stored[i]);
    CHECK(checkpoint.tensor(published[i]).numel() == 1);
  }
  CHECK(checkpoint.stored_name("lm_head.weight_scale") == layout.head);
  CHECK(checkpoint.stored_name("visual.blocks.3.attn") == layout.block);
  CHECK(checkpoint.stored_name("other.weight") == "other.weight");
  CHECK_FALSE(checkpoint.is_quantized());
  CHECK(checkpoint.scheme_of("lm_head") == StoredScheme::none);
}

TEST_CASE("A tied checkpoint of a nested language model spells a new head as its layout would") {
  const TempDir directory;
  write_single(directory, {"language_model.model.norm.weight"});
  CHECK(Checkpoint::open(directory.str()).stored_name("lm_head.weight") == "language_model.lm_head.weight");
}

TEST_CASE("Shards are found through the index") {
  const TempDir directory;
  test::write_bytes(directory / "config.json", "{}");
  test::write_bytes(directory / "m-1.safetensors", shard_of({"a", "unlisted"}));
  test::write_bytes(directory / "m-2.safetensors", shard_of({"b", "c"}));
  test::write_bytes(directory / "model.safetensors.index.json", R"({"metadata": {"total_size": 3},
      "weight_map": {"c": "m-2.safetensors", "a": "m-1.safetensors", "b": "m-2.safetensors"}})");
  const Checkpoint checkpoint = Checkpoint::open(directory.str());
  CHECK(checkpoint.names() == Names{"a", "b", "c"});
  CHECK(checkpoint.shard_files() == Names{directory / "m-1.safetensors", directory / "m-2.safetensors"});
  CHECK(checkpoint.info("c").file == directory / "m-2.safetensors");
  CHECK(checkpoint.total_bytes() == 3);
}

TEST_CASE("An index that does not fit its shards is refused") {
  const TempDir directory;
  const std::string index = directory / "model.safetensors.index.json";
  test::write_bytes(directory / "config.json", "{}");
  test::write_bytes(directory / "m-1.safetensors", shard_of({"a"}));
  test::write_bytes(index,
                    R"({"weight_map": {"a": "m-1.safetensors", "b": "m-2.safetensors", "c": "m-3.safetensors"}})");
  CHECK(complaint(directory) == "not_found: " + index + ": 2 of 3 shards are missing in " + directory.str() +
                                    ": \"m-2.safetensors\", \"m-3.safetensors\"");
  test::write_bytes(index, R"({"weight_map": {"a": "m-1.safetensors", "b": "m-1.safetensors"}})");
  CHECK(complaint(directory) == "format: " + index + ": " + (directory / "m-1.safetensors") +
                                    " does not hold 1 of the 2 tensors that weight_map places there: \"b\"");
  test::write_bytes(index, R"({"metadata": {}})");
  CHECK(complaint(directory) == "not_found: " + index + ": the key \"weight_map\" is missing");
  test::write_bytes(index, R"({"weight_map": ["a"]})");
  CHECK(complaint(directory) == "format: " + index + ": weight_map must be an object");
  test::write_bytes(index, R"({"weight_map": {"a": 1}})");
  CHECK(complaint(directory) == "format: " + index + ": weight_map.a is a number, a string is needed");
  for (const char* shard : {"../m-1.safetensors", "/etc/passwd", "sub/m.safetensors", "..", "", "a\\\\b"}) {
    test::write_bytes(index, R"({"weight_map": {"a": ")" + std::string(shard) + "\"}}");
    CHECK_THAT(complaint(directory),
               Catch::Matchers::StartsWith("format: " + index + ": weight_map.a: shard \"") &&
                   Catch::Matchers::EndsWith(
                       "\" of tensor \"a\" must be a file name in the checkpoint's directory, without a path"));
  }
}

TEST_CASE("A cut shard is named") {
  const TempDir directory;
  write_single(directory, {"a", "b"});
  const std::string path = directory / "model.safetensors";
  const std::string whole = test::read_bytes(path);
  test::write_bytes(path, whole.substr(0, whole.size() - 1));
  const std::string size = std::to_string(whole.size());
  const std::string cut = std::to_string(whole.size() - 1);
  CHECK(complaint(directory) == "format: " + path + ": tensor \"b\": data_offsets [1, 2] end at byte " + size +
                                    " of the file, which has " + cut +
                                    " bytes; it is cut short or the header is wrong");
}

TEST_CASE("Directories that are no checkpoint are named in one line") {
  const TempDir directory;
  CHECK(error_of([&] { Checkpoint::open(directory / "none"); }) ==
        "not_found: \"" + (directory / "none") + "\": no such directory");
  CHECK(error_of([&] { Checkpoint::open(""); }) == "not_found: \"\": no such directory");
  test::write_bytes(directory / "file", "x");
  CHECK(error_of([&] { Checkpoint::open(directory / "file"); }) ==
        "invalid_argument: " + (directory / "file") +
            ": is a file; a checkpoint is the directory that holds config.json and the weights");
  CHECK(complaint(directory) ==
        "not_found: " + directory.str() + ": has no config.json, so it is not a Hugging Face checkpoint");
  test::write_bytes(directory / "config.json", "[]");
  CHECK(complaint(directory) == "format: " + (directory / "config.json") + ": must be a JSON object");
  test::write_bytes(directory / "config.json", "{}");
  const std::string neither =
      "not_found: " + directory.str() + ": has neither model.safetensors nor model.safetensors.index.json";
  CHECK(complaint(directory) == neither);
  test::write_bytes(directory / "pytorch_model.bin", "");
  CHECK(complaint(directory) == neither + "; \"pytorch_model.bin\" is not read: save the checkpoint as safetensors");
}

TEST_CASE("One tensor in two layouts is refused, a missing one comes with the nearest names") {
  const TempDir directory;
  write_single(directory, {"model.norm.weight", "model.language_model.norm.weight"});
  CHECK(complaint(directory) == "format: " + (directory / "model.safetensors") +
                                    ": tensors \"model.norm.weight\" and \"model.language_model.norm.weight\" are the "
                                    "same one in two key layouts");
  write_single(directory, {"model.layers.0.mlp.up_proj.weight", "model.layers.1.mlp.up_proj.weight", "x", "y"});
  const Checkpoint checkpoint = Checkpoint::open(directory.str());
  CHECK(error_of([&] { checkpoint.tensor("model.layers.2.mlp.up_proj.weight"); }) ==
        "not_found: " + directory.str() +
            ": has no tensor \"model.layers.2.mlp.up_proj.weight\"; the nearest are "
            "\"model.layers.0.mlp.up_proj.weight\", "
            "\"model.layers.1.mlp.up_proj.weight\"");
}

TEST_CASE("The checkpoints that transformers wrote open in every layout") {
  const std::string golden = std::string(OCTAVO_SOURCE_DIR) + "/tests/golden/model/";
  const Checkpoint sharded = Checkpoint::open(golden + "flat");
  CHECK(sharded.shard_files().size() == 2);
  CHECK(sharded.info("model.embed_tokens.weight").shape == Shape{144, 36});
  const Checkpoint single = Checkpoint::open(golden + "bf16");
  CHECK(single.info("visual.patch_embed.proj.weight").stored_dtype == "BF16");
}

}  // namespace
}  // namespace octavo
