// One layer against llm-compressor (tests/golden/quant/make.py). The module knows no safetensors reader, so this reads
// the few tensors by their header's offsets.
#include <algorithm>
#include <cstring>
#include <fstream>
#include <iterator>

#include "catch.hpp"
#include "octavo/json.hpp"
#include "support.hpp"

using namespace octavo;
using namespace quant_test;

namespace {

class Golden {
 public:
  Golden() {
    std::ifstream file(OCTAVO_SOURCE_DIR "/tests/golden/quant/golden.safetensors", std::ios::binary);
    bytes_.assign(std::istreambuf_iterator<char>(file), {});
    REQUIRE(bytes_.size() > 8);
    std::uint64_t length = 0;
    std::memcpy(&length, bytes_.data(), 8);
    header_ = Json::parse(std::string_view(bytes_.data() + 8, length), "golden.safetensors");
    data_ = bytes_.data() + 8 + length;
  }
  template <class T>
  Tensor get(const char* name) const {
    const Json entry = header_.at(name);
    std::vector<std::int64_t> dims;
    for (std::size_t i = 0; i < entry.at("shape").size(); ++i) dims.push_back(entry.at("shape").at(i).as_int());
    Tensor tensor = Tensor::empty(dtype_of<T>, Shape(dims));
    std::memcpy(tensor.mutable_raw(), data_ + entry.at("data_offsets").at(std::size_t{0}).as_int(),
                tensor.size_bytes());
    return tensor;
  }
  std::vector<std::int8_t> levels(const char* name) const {
    const Tensor t = get<std::int8_t>(name);
    return {t.values<std::int8_t>().begin(), t.values<std::int8_t>().end()};
  }
  std::vector<float> floats(const char* name) const {
    const Tensor t = get<float>(name);
    return {t.values<float>().begin(), t.values<float>().end()};
  }

 private:
  std::vector<char> bytes_;
  Json header_;
  const char* data_ = nullptr;
};

std::vector<float> scales_of(const QuantizedLayer& layer) {
  return {layer.scales.values<float>().begin(), layer.scales.values<float>().end()};
}

/// ||X W^T - X Q^T||^2 / ||X W^T||^2 in float64.
double output_error(const Tensor& x, const Tensor& w, const std::vector<std::int8_t>& q,
                    const std::vector<float>& scales) {
  const std::int64_t k = w.dim(1);
  double error = 0;
  double power = 0;
  for (std::int64_t t = 0; t < x.dim(0); ++t) {
    for (std::int64_t n = 0; n < w.dim(0); ++n) {
      double y = 0;
      double yq = 0;
      for (std::int64_t i = 0; i < k; ++i) {
        const double v = x.data<float>()[t * k + i];
        y += v * double{w.data<float>()[n * k + i]};
        yq += v * static_cast<double>(q[static_cast<std::size_t>(n * k + i)]) *
              double{scales[static_cast<std::size_t>(n)]};
      }
      error += (y - yq) * (y - yq);
      power += y * y;
    }
  }
  return error / power;
}

}  // namespace

TEST_CASE("Scales and integers are llm-compressor's") {
  const Golden golden;
  const Tensor w = golden.get<float>("w");
  const Tensor x = golden.get<float>("x");
  GptqOptions options;
  options.scale_dtype = DType::f32;

  SECTION("round-to-nearest, exactly") {
    const QuantizedLayer layer = quantize_layer_rtn(w, options, "layer");
    CHECK(scales_of(layer) == golden.floats("scale_minmax"));
    CHECK(integers(layer) == golden.levels("q_rtn"));
  }
  SECTION("the mse observer's scales") {
    options.observer = ScaleObserver::mse;
    const std::vector<float> ours = scales_of(quantize_layer_rtn(w, options, "layer"));
    const std::vector<float> theirs = golden.floats("scale_mse");
    REQUIRE(ours.size() == theirs.size());
    // The sums of |error|^2.4 differ by rounding, so two candidates that tie may swap.
    std::size_t equal = 0;
    for (std::size_t i = 0; i < ours.size(); ++i) {
      equal += std::abs(ours[i] - theirs[i]) <= 1e-6F * theirs[i] ? 1U : 0U;
      CHECK(ours[i] == Approx(theirs[i]).epsilon(0.03));
    }
    CHECK(equal >= ours.size() - 1);
  }
  SECTION("GPTQ") {
    const bool act_order = GENERATE(false, true);
    options.act_order = act_order;
    HessianAccumulator collected(w.dim(1), "layer");
    collected.add(x);
    const QuantizedLayer layer =
        quantize_layer(w, PreparedHessian(collected.take(), options, "layer"), options, "layer");
    const std::vector<std::int8_t> theirs = golden.levels(act_order ? "q_gptq_ordered" : "q_gptq");
    const std::vector<float> scales = golden.floats("scale_minmax");
    const double share = share_equal(integers(layer), theirs);
    const double ours = output_error(x, w, integers(layer), scales_of(layer));
    const double reference = output_error(x, w, theirs, scales);
    INFO("act_order " << act_order << ": identical " << share << ", output error " << ours << ", llm-compressor's "
                      << reference);
    CHECK(scales_of(layer) == scales);
    CHECK(share > 0.999);
    CHECK(ours <= reference * (1 + 1e-3));  // equal but for rows in which a tie flipped
    CHECK(ours < 0.5 * output_error(x, w, golden.levels("q_rtn"), scales));
  }
}

TEST_CASE("Scales are rounded to the dtype they are stored in before quantizing") {
  const Tensor w = random(30, 50, 3);
  for (const DType dtype : {DType::bf16, DType::f16}) {
    GptqOptions options;
    options.scale_dtype = dtype;
    const QuantizedLayer layer = quantize_layer_rtn(w, options, "layer");
    CHECK(scales_of(layer) == std::vector<float>([&] {
            const Tensor again = layer.scales.to(dtype).to(DType::f32);
            return std::vector<float>(again.values<float>().begin(), again.values<float>().end());
          }()));
    for (std::int64_t i = 0; i < w.numel(); ++i) {
      const double level =
          std::clamp(std::nearbyint(double{w.data<float>()[i] / layer.scales.data<float>()[i / 50]}), -128.0, 127.0);
      REQUIRE(static_cast<double>(layer.weight.data<std::int8_t>()[i]) == level);
    }
  }
  Tensor huge = random(1, 4, 1, 1e20F);
  GptqOptions options;
  options.scale_dtype = DType::f16;
  CHECK(message_of([&] { quantize_layer_rtn(huge, options, "q"); }) ==
        "quantize_layer_rtn (q): the scale of row 0 does not fit in f16; save the model as f32 or bf16");
}

TEST_CASE("Ties round to even and the ends of the range clamp") {
  // absmax 127.5 makes the scale 1, so that the values are the levels.
  Tensor w = Tensor::from<float>(std::vector<float>{127.5F, 0.5F, 1.5F, 2.5F, -0.5F, -1.5F, -127.5F, 126.5F}, {1, 8});
  GptqOptions options;
  options.scale_dtype = DType::f32;
  CHECK(integers(quantize_layer_rtn(w, options, "q")) == std::vector<std::int8_t>{127, 0, 2, 2, 0, -2, -128, 126});
}
