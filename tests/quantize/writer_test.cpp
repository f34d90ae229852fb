// A quantization by hand, written: what quantize() writes of the same linears.
#include <cstring>
#include <filesystem>
#include <string>
#include <vector>

#include "catch.hpp"
#include "jobs.hpp"
#include "octavo/blockwise.hpp"
#include "octavo/compare.hpp"
#include "octavo/quantize.hpp"
#include "octavo/quantized_writer.hpp"
#include "octavo/structure.hpp"

using namespace octavo;

namespace {

constexpr const char* kRoundToNearest = R"({"rules": [
    {"match": "model\\.layers\\.0\\..*", "scheme": "w8a8", "method": "rtn"},
    {"match": "visual\\.blocks\\.1\\.mlp\\..*", "scheme": "w8a16", "method": "rtn"},
    {"match": "lm_head", "scheme": "w8a8", "method": "rtn"}]})";

bool is_ours(const std::string& module) {
  return module.starts_with("model.layers.0.") || module.starts_with("visual.blocks.1.mlp.");
}

void write_by_hand(const std::string& target, const QuantizedWriterOptions& options = {}) {
  const Checkpoint checkpoint = Checkpoint::open(test::kModel);
  GptqOptions rtn;
  rtn.method = QuantMethod::rtn;
  rtn.scale_dtype = running_dtype(checkpoint);
  QuantizedWriter writer(test::kModel, target, options);
  const std::unique_ptr<BlockwiseModel> model = BlockwiseModel::open(checkpoint);
  for (const Tower tower : {Tower::vision, Tower::language})
    for (std::int64_t i = 0; i < model->num_blocks(tower); ++i)
      for (const LinearInfo& linear : model->load_block(tower, i)->linears()) {
        if (!is_ours(linear.module_path)) continue;
        const QuantizedLayer layer =
            quantize_layer_rtn(checkpoint.tensor(linear.module_path + ".weight"), rtn, linear.module_path);
        writer.add(linear.module_path, tower == Tower::vision ? Scheme::w8a16 : Scheme::w8a8, layer.weight,
                   layer.scales);
      }
  const QuantizedLayer head = quantize_layer_rtn(checkpoint.tensor("model.embed_tokens.weight"), rtn, "lm_head");
  writer.add("lm_head", Scheme::w8a8, head.weight, head.scales);
  CHECK(std::filesystem::exists(target) == options.overwrite);  // an old one stays until the new one is complete
  writer.finish();
}

}  // namespace

TEST_CASE("a directory written by hand holds what quantize writes of the same linears") {
  const test::ScratchDirectory scratch;
  write_by_hand(scratch.path("hand"));
  QuantizeOptions options;
  options.recipe = kRoundToNearest;  // as text
  quantize(test::kModel, scratch.path("quantized"), options);
  const Checkpoint hand = Checkpoint::open(scratch.path("hand")),
                   expected = Checkpoint::open(scratch.path("quantized"));
  CHECK(hand.config().dump() == expected.config().dump());
  REQUIRE(hand.names() == expected.names());
  for (const std::string& name : hand.names()) {
    INFO(name);
    const Tensor a = hand.tensor(name), b = expected.tensor(name);
    REQUIRE(a.size_bytes() == b.size_bytes());
    CHECK(std::memcmp(a.raw(), b.raw(), a.size_bytes()) == 0);
  }
  CHECK(compare(test::kModel, scratch.path("hand")).ok());
  QuantizedWriterOptions again;
  again.overwrite = true;  // it counts as an output of ours
  write_by_hand(scratch.path("hand"), again);
}

TEST_CASE("a writer refuses what would not load and leaves nothing") {
  const test::ScratchDirectory scratch;
  const std::string target = scratch.path("out"), module = "model.layers.0.mlp.down_proj";
  const Checkpoint checkpoint = Checkpoint::open(test::kModel);
  const Tensor stored = checkpoint.tensor(module + ".weight");
  QuantizedLayer rounded = quantize_layer_rtn(stored, GptqOptions{.scale_dtype = DType::bf16}, module);
  const QuantizedLayer exact = quantize_layer_rtn(stored, GptqOptions{.scale_dtype = DType::f32}, module);
  {
    QuantizedWriter writer(test::kModel, target);
    CHECK_THROWS_AS(writer.add("model.layers.0.mlp.none", Scheme::w8a8, rounded.weight, rounded.scales), Error);
    CHECK_THROWS_AS(writer.add(module, Scheme::skip, rounded.weight, rounded.scales), Error);
    CHECK_THROWS_AS(writer.add(module, Scheme::w8a8, rounded.weight.slice(0, 0, 1), rounded.scales), Error);
    CHECK_THROWS_AS(writer.add(module, Scheme::w8a8, exact.weight, exact.scales), Error);  // bf16 cannot hold them
    writer.add(module, Scheme::w8a8, rounded.weight, rounded.scales);
    CHECK_THROWS_AS(writer.add(module, Scheme::w8a8, rounded.weight, rounded.scales), Error);
  }
  CHECK_FALSE(std::filesystem::exists(target));
  {  // gate and up see the same input: one of them alone
    QuantizedWriter writer(test::kModel, target);
    const std::string gate = "model.layers.0.mlp.gate_proj";
    const QuantizedLayer layer =
        quantize_layer_rtn(checkpoint.tensor(gate + ".weight"), GptqOptions{.scale_dtype = DType::bf16}, gate);
    writer.add(gate, Scheme::w8a8, layer.weight, layer.scales);
    CHECK_THROWS_AS(writer.finish(), Error);
    CHECK_THROWS_AS(writer.finish(), Error);
  }
  CHECK_FALSE(std::filesystem::exists(target));
  {
    QuantizedWriter writer(test::kModel, target);
    CHECK_THROWS_AS(writer.finish(), Error);
  }
  CHECK_FALSE(std::filesystem::exists(target));
}
