// The mistake of docs/shape_errors.md that the int8 linear sees.
#include "catch.hpp"
#include "support.hpp"

using namespace gemm_test;

TEST_CASE("mistake 11: scales per tensor where per channel is expected") {
  const Tensor w = random_s8(8, 4, 1);
  const auto message = [&](const octavo::Shape& shape) {
    Tensor scale = Tensor::zeros(DType::f32, shape);
    try {
      octavo::Linear::w8a8("model.layers.0.mlp.up_proj", w, scale, {});
    } catch (const octavo::Error& error) {
      return std::string(error.what());
    }
    return std::string("nothing was thrown");
  };
  const std::string remedy =
      " A per-channel scale has one value per output channel (row of the weight); one value is a per-tensor scale: "
      "repeat it for every row, or quantize anew per channel.";
  const std::string one =
      "linear_w8a8 (model.layers.0.mlp.up_proj): w_scale [1] dim 0 (N, out_features) is 1, but w [8, 4] dim 0 set "
      "out_features to 8." +
      remedy;
  CHECK(message({1}) == one);
  CHECK(message({1, 1}) == one);
  CHECK(message({}) == "linear_w8a8 (model.layers.0.mlp.up_proj): w_scale [] has 0 dimensions, the contract has 1: " +
                           std::string(octavo::kLinearW8A8Contract.text()) + "." + remedy);
  CHECK(message({8}) == "nothing was thrown");
  CHECK(message({8, 1}) == "nothing was thrown");
}
