#include "cost.hpp"

#include <algorithm>
#include <cmath>
#include <set>

#include "calibration.hpp"
#include "octavo/gemm.hpp"

namespace octavo::detail {
namespace {

constexpr double kUnit = 1e6;
// Measured on one thread of a Sapphire Rapids, as passes over a value in memory:
constexpr double kFreshValue = 2.5;       ///< a value of memory that the system gives anew, cleared
constexpr double kPreparedPatch = 12000;  ///< a patch of a picture that is read, resized and normalized
constexpr double kPreparedToken = 6000;   ///< a token of a sample, and its row of the embedding
constexpr double kMergedPatch = 36000;    ///< a patch's share of the merger's products
constexpr double kCopiedByte = 0.4;       ///< a byte looked at for NaN
constexpr double kWrittenByte = 5;        ///< a byte written to a file
constexpr double kFactorValue = 17;       ///< a value of a Hessian that is damped, ordered, factored and inverted
constexpr double kSweptWeight = 43;       ///< a weight that is scaled, rounded, compared and written

/// At least 1, but for no work at all.
std::int64_t units(double cost) { return cost > 0 ? std::max<std::int64_t>(1, std::llround(cost / kUnit)) : 0; }

double weights_of(const LinearInfo& linear) {
  return static_cast<double>(linear.in_features) * static_cast<double>(linear.out_features);
}

double values_of(const LinearInfo& linear) { return static_cast<double>(linear.in_features + linear.out_features); }

/// Of a row through the block, its linears in float.
double float_row(const BlockPlan& block, const Rates& rates) {
  double cost = 0;
  const auto add = [&](const LinearInfo& linear) {
    cost += rates.forward * weights_of(linear) + rates.value * values_of(linear);
  };
  std::for_each(block.in_float.begin(), block.in_float.end(), add);
  for (const LinearPlan& linear : block.quantized) add(linear.info);
  return cost;
}

}  // namespace

Rates rates_here(FloatMath math) {
  const std::vector<BackendInfo> backends = float_backends();
  const auto best = std::find_if(backends.begin(), backends.end(), [](const auto& one) { return one.available; });
  if (best->name == "amx_bf16") {
    return math == FloatMath::bf16 ? Rates{1, 0.45, 0.9, 2.5, 5, 250} : Rates{1, 0.2, 2, 1.1, 2.2, 110};
  }
  if (best->name == "avx512_bf16" && math == FloatMath::bf16) return {1, 0.5, 1, 1.1, 2.2, 60};
  return {1, best->name == "portable" ? 1 : 0.4, 1.1, 0.6, 1.1, 30};
}

std::int64_t StepCosts::rows(const BlockPlan& block, std::size_t sample) const {
  return block.tower == Tower::vision ? samples_[sample].patches : samples_[sample].tokens;
}

std::int64_t StepCosts::preprocess(std::size_t sample) const {
  return units(rates_.value * (kPreparedPatch * static_cast<double>(samples_[sample].patches) +
                               kPreparedToken * static_cast<double>(samples_[sample].tokens)));
}

std::int64_t StepCosts::embed(std::size_t sample) const {
  return units(rates_.value * (kMergedPatch * static_cast<double>(samples_[sample].patches) +
                               kPreparedToken * static_cast<double>(samples_[sample].tokens)));
}

std::int64_t StepCosts::begin(const BlockPlan& block) const {
  double values = 0;
  std::set<std::string> hessians;
  for (const LinearPlan& linear : block.quantized) {
    if (linear.rule.options.method != QuantMethod::gptq) continue;
    if (!hessians.insert(InputCollector::shared_key(linear)).second) continue;
    values += static_cast<double>(linear.info.in_features) * static_cast<double>(linear.info.in_features);
  }
  return units(rates_.value * kFreshValue * values);
}

std::int64_t StepCosts::collect(const BlockPlan& block, std::size_t sample) const {
  double row = float_row(block, rates_);
  std::set<std::string> hessians;
  for (const LinearPlan& linear : block.quantized) {
    if (linear.rule.options.method != QuantMethod::gptq) continue;
    if (!hessians.insert(InputCollector::shared_key(linear)).second) continue;
    const auto k = static_cast<double>(linear.info.in_features);
    row += rates_.hessian * k * k / 2 + rates_.value * k;
  }
  return units(row * static_cast<double>(rows(block, sample)));
}

std::int64_t StepCosts::run(const BlockPlan& block, std::size_t sample) const {
  double row = float_row(block, rates_);
  for (const LinearPlan& linear : block.quantized) {
    if (linear.rule.scheme == Scheme::w8a8) row -= (rates_.forward - rates_.int8) * weights_of(linear.info);
  }
  return units(row * static_cast<double>(rows(block, sample)));
}

std::int64_t StepCosts::prepare(const LinearPlan& linear) const {
  const auto k = static_cast<double>(linear.info.in_features);
  return units(rates_.factor * k * k * k / 3 + rates_.value * kFactorValue * k * k);
}

std::int64_t StepCosts::quantize(const LinearPlan& linear) const {
  const auto k = static_cast<double>(linear.info.in_features);
  const double pass = rates_.value * weights_of(linear.info);
  if (linear.rule.options.method == QuantMethod::rtn) return units(pass);
  const double channels = static_cast<double>(std::min(linear.info.out_features, kLossChannels));
  return units(kSweptWeight * pass +
               rates_.sweep * k * k * (static_cast<double>(linear.info.out_features) / 2 + channels));
}

std::int64_t StepCosts::copy(std::uint64_t bytes) const {
  return units(rates_.value * kCopiedByte * static_cast<double>(bytes));
}

std::int64_t StepCosts::write(std::uint64_t bytes) const {
  return units(rates_.value * kWrittenByte * static_cast<double>(bytes));
}

void StepCosts::expect_steps(const Plan& plan, StepTimes& times) const {
  for (std::size_t i = 0; i < samples_.size(); ++i) {
    times.expect(kPreprocess, preprocess(i));
    times.expect(kEmbed, embed(i));
  }
  for (const auto* blocks : {&plan.vision, &plan.language}) {
    for (const BlockPlan& block : *blocks) {
      if (!samples_.empty() && !block.quantized.empty()) times.expect(kind_of(block, "begin"), begin(block));
      for (std::size_t i = 0; i < samples_.size(); ++i) {
        if (!block.quantized.empty()) times.expect(kind_of(block, "calibrate"), collect(block, i));
        if (&block != &plan.language.back()) times.expect(kind_of(block, "run"), run(block, i));
      }
      std::set<std::string> prepared;
      for (const LinearPlan& linear : block.quantized) {
        if (linear.rule.options.method == QuantMethod::gptq &&
            prepared.insert(InputCollector::shared_key(linear)).second)
          times.expect(kind_of(block, linear, "prepare"), prepare(linear));
        times.expect(kind_of(block, linear, "quantize"), quantize(linear));
      }
    }
  }
  if (plan.lm_head) times.expect(kQuantizeHead, quantize(*plan.lm_head));
}

std::string kind_of(const BlockPlan& block, const std::string& what) {
  return what + (block.tower == Tower::vision ? " vision" : " language");
}

std::string kind_of(const BlockPlan& block, const LinearPlan& linear, const std::string& what) {
  return kind_of(block, what) + linear.info.module_path.substr(block.module_path.size());
}

}  // namespace octavo::detail
