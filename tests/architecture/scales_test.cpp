// What an architecture says of the model's two ends, by plain formulas over what it computes without.
#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "qwen3.hpp"
#include "scratch.hpp"

using octavo::FinalNorm, octavo::Json, octavo::LanguageScales, octavo::Tensor, octavo::WeightSource;

namespace {

/// The tiny Qwen3 with other ends.
struct Ends final : octavo::Architecture {
  Ends(const Json& config, const LanguageScales& scales, std::function<FinalNorm(WeightSource&)> norm)
      : inner(qwen3::read(config)), own_scales(scales), own_norm(std::move(norm)) {}
  const octavo::TextConfig& text() const noexcept override { return inner->text(); }
  std::unique_ptr<octavo::LanguageLayer> layer(WeightSource& weights, std::int64_t index,
                                               octavo::FloatMath math) const override {
    return inner->layer(weights, index, math);
  }
  LanguageScales scales() const noexcept override { return own_scales; }
  FinalNorm final_norm(WeightSource& weights) const override {
    return own_norm ? own_norm(weights) : inner->final_norm(weights);
  }
  std::shared_ptr<const octavo::Architecture> inner;
  LanguageScales own_scales;
  std::function<FinalNorm(WeightSource&)> own_norm;
};

/// A directory of the tiny model, of a model_type of its own.
struct Directory : test::ScratchDirectory {
  Directory(const std::string& type, const LanguageScales& scales,
            const std::function<FinalNorm(WeightSource&)>& norm = {}) {
    for (const auto& entry : std::filesystem::directory_iterator(qwen3::directory()))
      std::filesystem::copy(entry.path(), path(entry.path().filename().string()));
    octavo::JsonBuilder config(Json::read_file(qwen3::directory() + "/config.json"));
    write("config.json", config.set("model_type", type).dump());
    octavo::register_architecture(
        type, {.read = [=](const Json& json) { return std::make_shared<Ends>(json, scales, norm); }});
  }
  octavo::Model open() const { return octavo::Model::open(path()); }
};

octavo::ModelInput question(const octavo::Model& model) { return model.prepare("What comes after seven?", {}); }

}  // namespace

TEST_CASE("logits are scaled and then capped") {
  const octavo::Model plain = qwen3::open();
  const Tensor before = plain.forward(question(plain));
  const Directory scaled_place("scaled_logits", {.logits = 0.25});
  const octavo::Model scaled = scaled_place.open();
  const Tensor quarter = scaled.forward(question(scaled));
  const Directory capped_place("capped_logits", {.logits = 0.25, .logit_cap = 3});
  const octavo::Model capped = capped_place.open();
  const Tensor cap = capped.forward(question(capped));
  REQUIRE(quarter.numel() == before.numel());
  REQUIRE(cap.numel() == before.numel());
  double furthest = 0, largest = 0;
  for (std::int64_t i = 0; i < before.numel(); ++i) {
    const double logit = double{before.data<float>()[i]};
    REQUIRE(double{quarter.data<float>()[i]} == logit / 4);  // a power of 2: exact
    furthest = std::max(furthest, std::abs(double{cap.data<float>()[i]} - 3 * std::tanh(logit / 12)));
    largest = std::max(largest, std::abs(logit));
  }
  CHECK(furthest <= 1e-6);
  CHECK(largest > 3);  // so that the cap matters
  CHECK(capped.generate(question(capped)).text == "eight");
}

TEST_CASE("rows of tokens are scaled and lm_head's table is not") {
  const Directory place("scaled_embedding", {.embedding = 8});
  const octavo::Model model = place.open();
  const octavo::ModelInput input = question(model);
  const Tensor rows = octavo::BlockwiseModel::open(model.checkpoint())->begin_language(input, {}).hidden;
  const Tensor table = model.checkpoint().tensor("model.embed_tokens.weight").to(octavo::DType::f32);
  const std::int64_t width = table.dim(1);
  REQUIRE(rows.dim(0) == static_cast<std::int64_t>(input.ids.size()));
  for (std::int64_t i = 0; i < rows.numel(); ++i)
    REQUIRE(rows.data<float>()[i] == 8 * table.data<float>()[input.ids[i / width] * width + i % width]);
}

TEST_CASE("a final norm of another kind stands before lm_head") {
  // A LayerNorm without bias (Ba, Kiros, Hinton 2016) over the weight that the RMSNorm had.
  constexpr double kEps = 1e-5;
  const auto layer_norm = [](WeightSource& weights) -> FinalNorm {
    const Tensor weight = weights.vector("model.norm.weight", {64, "hidden_size"});
    const Tensor wide = weight.is_meta() ? weight : weight.to(octavo::DType::f32);
    return {[wide](const Tensor& hidden) {
              Tensor y = Tensor::empty_like(hidden, octavo::DType::f32, hidden.shape());
              for (std::int64_t r = 0; r < hidden.dim(0) && !y.is_meta(); ++r) {
                const float* x = hidden.data<float>() + r * 64;
                double mean = 0, variance = 0;
                for (int i = 0; i < 64; ++i) mean += double{x[i]} / 64;
                for (int i = 0; i < 64; ++i) variance += std::pow(double{x[i]} - mean, 2) / 64;
                for (int i = 0; i < 64; ++i)
                  y.mutable_data<float>()[r * 64 + i] = static_cast<float>(
                      (double{x[i]} - mean) / std::sqrt(variance + kEps) * double{wide.data<float>()[i]});
              }
              return y;
            },
            weight.size_bytes()};
  };
  const Directory place("layer_norm", {}, layer_norm);
  const octavo::Model model = place.open();
  std::vector<Tensor> hidden;
  const Tensor logits = model.forward(question(model), &hidden);
  const Tensor table = model.checkpoint().tensor("model.embed_tokens.weight").to(octavo::DType::f32);
  const Tensor weight = model.checkpoint().tensor("model.norm.weight").to(octavo::DType::f32);
  const float* x = hidden.back().data<float>() + (hidden.back().dim(0) - 1) * 64;
  double mean = 0, variance = 0;
  for (int i = 0; i < 64; ++i) mean += double{x[i]} / 64;
  for (int i = 0; i < 64; ++i) variance += std::pow(double{x[i]} - mean, 2) / 64;
  const Tensor last = logits.select(0, logits.dim(0) - 1);
  for (std::int64_t token = 0; token < table.dim(0); ++token) {
    double logit = 0;
    for (int i = 0; i < 64; ++i)
      logit += (double{x[i]} - mean) / std::sqrt(variance + kEps) * double{weight.data<float>()[i]} *
               double{table.data<float>()[token * 64 + i]};
    REQUIRE(std::abs(double{last.data<float>()[token]} - logit) <= 1e-4);
  }
  CHECK(octavo::check(place.path()).ok());
}

TEST_CASE("a plan and a trace tell of scaled logits") {
  const Directory place("told", {.embedding = 2, .logit_cap = 30});
  const octavo::Model model = place.open();
  octavo::Trace trace;
  {
    const octavo::TraceScope scope(trace);
    (void)model.forward(question(model));
  }
  const octavo::TraceRecord& last = trace.records().back();
  CHECK((last.operation == "scale_logits" && last.module_path == "lm_head"));
  const auto embedding =
      std::find_if(trace.records().begin(), trace.records().end(),
                   [](const octavo::TraceRecord& record) { return record.operation == "embedding"; });
  REQUIRE(embedding != trace.records().end());
  CHECK(embedding->note.find("times 2") != std::string::npos);
  const octavo::ModelPlan plan = octavo::plan_model(model.checkpoint(), {});
  CHECK(plan.find(octavo::CallKind::prefill)->steps.back().operation == "scale_logits");
  CHECK(plan.weight_bytes == model.resident_bytes());
}

TEST_CASE("scales that cannot be are refused by name") {
  const double nan = std::numeric_limits<double>::quiet_NaN(), infinity = std::numeric_limits<double>::infinity();
  const struct {
    std::string type, field;
    LanguageScales scales;
  } cases[]{{"bad_1", "embedding", {.embedding = 0}},  {"bad_2", "embedding", {.embedding = nan}},
            {"bad_3", "logits", {.logits = 0}},        {"bad_4", "logits", {.logits = -1}},
            {"bad_5", "logits", {.logits = infinity}}, {"bad_6", "logit_cap", {.logit_cap = -30}},
            {"bad_7", "logit_cap", {.logit_cap = nan}}};
  for (const auto& each : cases) {
    const Directory place(each.type, each.scales);
    CAPTURE(each.type);
    CHECK(qwen3::message_of([&] { place.open(); }).find("as the architecture reads it, the scale `" + each.field) !=
          std::string::npos);
  }
  const Directory nothing("no_norm", {}, [](WeightSource&) { return FinalNorm(); });
  CHECK(qwen3::message_of([&] { nothing.open(); }).find("final_norm") != std::string::npos);
}
