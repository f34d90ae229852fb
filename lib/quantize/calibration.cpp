#include "calibration.hpp"

#include <algorithm>
#include <utility>

namespace octavo::detail {
namespace {

/// Rows kept per input to measure each layer's error: enough for two digits, 11 MB at K = 11008.
constexpr std::int64_t kKeptRows = 256;

}  // namespace

InputCollector::InputCollector(const BlockPlan& block, std::int64_t samples, FloatMath math)
    : kept_per_sample_(std::max<std::int64_t>(1, kKeptRows / std::max<std::int64_t>(1, samples))) {
  for (const LinearPlan& linear : block.quantized) {
    Input& input = inputs_[linear.info.input_group];
    input.in_features = linear.info.in_features;
    if (linear.rule.options.method == QuantMethod::gptq) {
      input.hessians.try_emplace(hessian_key(linear), linear.info.in_features, linear.info.input_group, math);
    }
  }
}

std::string InputCollector::hessian_key(const LinearPlan& linear) {
  return std::to_string(linear.rule.options.damp_percent) + (linear.rule.options.act_order ? "|ordered" : "|stored");
}

std::string InputCollector::shared_key(const LinearPlan& linear) {
  return linear.info.input_group + "|" + hessian_key(linear);
}

void InputCollector::on_input(const LinearInfo& linear, const Tensor& x) {
  const auto entry = inputs_.find(linear.input_group);
  if (entry == inputs_.end()) {
    return;
  }
  Input& input = entry->second;
  for (auto& [key, hessian] : input.hessians) {
    hessian.add(x);
  }
  const std::int64_t rows = x.dim(0);
  input.seen += rows;
  const std::int64_t room = kKeptRows - static_cast<std::int64_t>(input.kept.size()) / input.in_features;
  const std::int64_t keep = std::min({rows, kept_per_sample_, room});
  const auto values = x.values<float>();
  for (std::int64_t i = 0; i < keep; ++i) {
    const std::int64_t row = (2 * i + 1) * rows / (2 * keep);  // spread over the sample: image and text rows alike
    const auto begin = values.begin() + row * input.in_features;
    input.kept.insert(input.kept.end(), begin, begin + input.in_features);
  }
}

PreparedHessian InputCollector::take_hessian(const LinearPlan& linear) {
  Input& input = inputs_.at(linear.info.input_group);
  auto hessian = input.hessians.extract(hessian_key(linear));
  return PreparedHessian(hessian.mapped().take(), linear.rule.options, linear.info.input_group);
}

std::int64_t InputCollector::rows(const LinearPlan& linear) const { return inputs_.at(linear.info.input_group).seen; }

Tensor InputCollector::kept_rows(const LinearPlan& linear) const {
  const Input& input = inputs_.at(linear.info.input_group);
  if (input.kept.empty()) {
    return {};
  }
  const auto rows = static_cast<std::int64_t>(input.kept.size()) / input.in_features;
  return Tensor::borrow(static_cast<const void*>(input.kept.data()), DType::f32, {rows, input.in_features});
}

void CalibrationStates::run(const ModelBlock& block, InputCollector* collector,
                            const std::function<void(std::size_t)>& after) {
  std::size_t number = first;
  for (BlockState& state : states) {
    if (state.hidden.defined()) {
      if (collector != nullptr) {
        BlockState scratch{state.hidden.clone(), state.context};
        block.forward(scratch, collector);
      } else {
        block.forward(state, nullptr);
      }
    }
    after(number++);
  }
}

ModelInput prepare_sample(const Model& model, const Sample& sample) {
  ModelInput input = prepare_question(model, sample);
  return in_context(sample.name(), [&] {
    if (!sample.answer.empty()) {
      const auto answer = model.tokenizer().encode(sample.answer);
      input.ids.insert(input.ids.end(), answer.begin(), answer.end());
      if (const auto end = model.tokenizer().token_to_id("<|im_end|>")) {
        input.ids.push_back(*end);
      }
    }
    if (static_cast<std::int64_t>(input.ids.size()) > model.max_position_embeddings()) {
      throw Error(ErrorCode::invalid_argument,
                  "the prompt has " + std::to_string(input.ids.size()) + " tokens, more than the model's context of " +
                      std::to_string(model.max_position_embeddings()) + "; shorten it or use smaller images");
    }
    return input;
  });
}

}  // namespace octavo::detail
