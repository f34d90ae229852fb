// ModelOptions: each tower's math alone, and an lm_head in int8 beside an embedding that stays as it is stored.
#include <algorithm>

#include "golden.hpp"
#include "octavo/gemm.hpp"
#include "octavo/metrics.hpp"
#include "octavo/observer.hpp"
#include "octavo/quant.hpp"

using golden::Values;
using octavo::FloatMath;
using octavo::HeadWeights;
using octavo::Model;
using octavo::ModelOptions;
using octavo::Tensor;

namespace {

const std::string kBundled = std::string(OCTAVO_SOURCE_DIR) + "/examples/models/octavo-tiny-vl";

bool multiplies_bf16() {
  const std::vector<octavo::BackendInfo> engines = octavo::float_backends();
  return std::any_of(engines.begin(), engines.end(), [](const octavo::BackendInfo& engine) {
    return engine.available && engine.name.find("bf16") != std::string::npos;
  });
}

octavo::Image picture(std::int64_t side = 112) {
  octavo::Image image{side, side, {}};
  for (std::int64_t y = 0; y < image.height; ++y)
    for (std::int64_t x = 0; x < image.width; ++x)
      for (const std::int64_t value : {x * x, y * 3, x + y})
        image.rgb.push_back(static_cast<std::uint8_t>(value & 0xFF));
  return image;
}

bool same_bits(const Tensor& a, const Tensor& b) {
  const auto x = a.values<float>();
  const auto y = b.values<float>();
  return std::equal(x.begin(), x.end(), y.begin(), y.end());
}

/// Hears of every operation, so that each takes all rows at once.
class Listener : public octavo::OperationObserver {
 public:
  void on_call(std::string_view) override {}
  void on_operation(const octavo::ObservedOperation& operation) override {
    for (const octavo::ObservedDim& dim : operation.dims) longest = std::max(longest, dim.value);
  }
  std::string recent() const override { return ""; }
  std::int64_t longest = 0;
};

}  // namespace

TEST_CASE("a picture that the vision tower takes in parts has the rows of one that it takes whole") {
  const octavo::Image image = picture(644);
  constexpr std::int64_t kPatches = 46 * 46;  // three parts, of unequal length
  const Model model = Model::open(kBundled);
  const octavo::ModelInput seeing = model.prepare("Where is the red square?", {&image, 1});
  const Tensor in_parts = model.encode_images(seeing);
  Listener listener;
  const octavo::ObserverScope scope(&listener);
  const Tensor whole = model.encode_images(seeing);
  CHECK(listener.longest == kPatches);
  CHECK(octavo::relative_error(whole, in_parts) < 1e-6);
}

TEST_CASE("bf16 math is each tower's own and moves it by what bf16 rounds") {
  const Model exact = Model::open(kBundled);
  ModelOptions options;
  options.vision_math = FloatMath::bf16;
  const Model vision = Model::open(kBundled, options);
  options.vision_math = FloatMath::f32;
  options.language_math = FloatMath::bf16;
  const Model language = Model::open(kBundled, options);
  CHECK(exact.options().vision_math == FloatMath::f32);
  CHECK(language.options().language_math == FloatMath::bf16);

  const octavo::Image image = picture();
  const octavo::ModelInput seeing = exact.prepare("Where is the red square? Where is the blue circle?", {&image, 1});
  const octavo::ModelInput reading = exact.prepare("Where is the red square? Where is the blue circle?", {});
  const Tensor rows = exact.encode_images(seeing);
  const Tensor logits = exact.forward(reading);
  CHECK(same_bits(language.encode_images(seeing), rows));
  CHECK(same_bits(vision.forward(reading), logits));
  const double vision_error = octavo::relative_error(rows, vision.encode_images(seeing));
  const double language_error = octavo::relative_error(logits, language.forward(reading));
  WARN("vision rows off by " << vision_error << ", logits by " << language_error);
  CHECK((vision_error > 0) == multiplies_bf16());
  CHECK((language_error > 0) == multiplies_bf16());
  CHECK(vision_error < 0.02);
  CHECK(language_error < 0.02);
}

TEST_CASE("an lm_head in int8 is the stored one rounded to nearest and the embedding stays as it is") {
  const std::string name = GENERATE("nested", "flat", "bf16");  // flat is tied
  INFO(name);
  const Model stored = Model::open(golden::directory(name));
  const octavo::ModelInput input = Values(name).input("one");
  ModelOptions options;
  options.lm_head = HeadWeights::int8;
  const Model int8 = Model::open(golden::directory(name), options);

  std::vector<Tensor> stored_hidden;
  std::vector<Tensor> int8_hidden;
  const Tensor expected = stored.forward(input, &stored_hidden);
  const Tensor logits = int8.forward(input, &int8_hidden);
  REQUIRE(stored_hidden.size() == int8_hidden.size());
  for (std::size_t i = 0; i < stored_hidden.size(); ++i) CHECK(same_bits(stored_hidden[i], int8_hidden[i]));
  const double error = octavo::relative_error(expected, logits);
  CHECK(error > 0);
  CHECK(error < 0.01);

  // What the logits are made of: the last hidden row, normed, times the weight as rounded.
  const octavo::Checkpoint& checkpoint = stored.checkpoint();
  const char* weight_name =
      checkpoint.find("lm_head.weight") == nullptr ? "model.embed_tokens.weight" : "lm_head.weight";
  const Tensor weight = checkpoint.tensor(weight_name).to(octavo::DType::f32).contiguous();
  const Tensor norm = checkpoint.tensor("model.norm.weight").to(octavo::DType::f32).contiguous();
  const double eps = octavo::Qwen25VlConfig::parse(checkpoint.config()).text.rms_norm_eps;
  const Tensor last = stored_hidden.back();
  const std::int64_t width = last.dim(1);
  const float* x = last.data<float>() + (last.dim(0) - 1) * width;
  double square = 0;
  for (std::int64_t i = 0; i < width; ++i) square += static_cast<double>(x[i]) * x[i];
  const double root = std::sqrt(square / static_cast<double>(width) + eps);
  for (std::int64_t token = 0; token < weight.dim(0); ++token) {
    const float* w = weight.data<float>() + token * width;
    float most = 0;
    for (std::int64_t i = 0; i < width; ++i) most = std::max(most, std::abs(w[i]));
    const float scale = most / 127.5F;
    double sum = 0;
    for (std::int64_t i = 0; i < width; ++i) {
      const float q = std::clamp(std::nearbyint(w[i] / scale), -128.0F, 127.0F);
      sum += static_cast<double>(x[i]) / root * static_cast<double>(norm.data<float>()[i]) *
             static_cast<double>(q * scale);
    }
    const float logit = logits.data<float>()[(logits.dim(0) - 1) * weight.dim(0) + token];
    INFO("token " << token);
    CHECK(std::abs(static_cast<double>(logit) - sum) < 1e-4 * (1 + std::abs(sum)));
  }
}

TEST_CASE("an lm_head in int8 costs the bundled model's answers little") {
  const octavo::Image image = picture();
  const Model stored = Model::open(kBundled);
  ModelOptions options;
  options.lm_head = HeadWeights::int8;
  const Model int8 = Model::open(kBundled, options);
  const octavo::ModelInput input = stored.prepare("Where is the red square?", {&image, 1});
  const Tensor a = stored.forward(input);
  const Tensor b = int8.forward(input);
  octavo::LogitComparison compared;
  const std::int64_t vocab = a.dim(1);
  for (std::int64_t row = 0; row < a.dim(0); ++row)
    compared.add({a.data<float>() + row * vocab, static_cast<std::size_t>(vocab)},
                 {b.data<float>() + row * vocab, static_cast<std::size_t>(vocab)});
  WARN("cosine " << compared.mean_cosine() << ", KL " << compared.mean_kl() << " nats, same first token "
                 << compared.top1_agreement());
  CHECK(compared.mean_cosine() > 0.9999);
  CHECK(compared.mean_kl() < 1e-3);
  // A copy beside the embedding, which a tied model reads for itself.
  CHECK(int8.resident_bytes() > stored.resident_bytes());
  CHECK(int8.resident_bytes() - stored.resident_bytes() < static_cast<std::size_t>(vocab) * (192 + sizeof(float)) + 1);
}
