// What a prompt becomes on its way through the model: rows of pictures, hidden states.
#include <algorithm>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "guard.hpp"
#include "handles.hpp"

using namespace octavo::capi;  // NOLINT(google-build-using-namespace): this file is the namespace's C face

namespace {

/// rows[L,H] f32, L >= 1 -> [H].
octavo::Tensor pooled(const octavo::Tensor& rows, int32_t pooling) {
  const std::int64_t count = rows.dim(0), width = rows.dim(1);
  if (pooling == OCTAVO_POOLING_LAST) return rows.select(0, count - 1).clone();
  octavo::Tensor mean = octavo::Tensor::zeros(octavo::DType::f32, {width});
  const std::span<const float> values = rows.values<float>();
  const std::span<float> out = mean.mutable_values<float>();
  for (std::int64_t i = 0; i < width; ++i) {
    double sum = 0;
    for (std::int64_t row = 0; row < count; ++row) sum += values[static_cast<std::size_t>(row * width + i)];
    out[static_cast<std::size_t>(i)] = static_cast<float>(sum / static_cast<double>(count));
  }
  return mean;
}

}  // namespace

extern "C" {

octavo_status octavo_model_encode_images(const octavo_model* model, const octavo_prompt* prompt, octavo_tensor** out) {
  return guarded([&] {
    require(model, "model");
    require(prompt, "prompt");
    require(out, "out");
    octavo::Tensor rows = model->value.encode_images(prompt->value);
    if (!rows.defined()) throw octavo::Error(octavo::ErrorCode::invalid_argument, "the prompt has no picture");
    *out = new octavo_tensor{std::move(rows)};
  });
}

octavo_status octavo_model_hidden_states(const octavo_model* model, const octavo_prompt* prompt, const int64_t* layers,
                                         size_t count, octavo_tensor** out) {
  return guarded([&] {
    require(model, "model");
    require(prompt, "prompt");
    if (count > 0) {
      require(layers, "layers");
      require(out, "out");
    }
    std::vector<std::unique_ptr<octavo_tensor>> made;
    for (octavo::Tensor& rows : model->value.hidden_states(prompt->value, {layers, count}))
      made.push_back(std::make_unique<octavo_tensor>(octavo_tensor{std::move(rows)}));
    for (size_t i = 0; i < count; ++i) out[i] = made[i].release();
  });
}

octavo_status octavo_model_last_hidden_state(const octavo_model* model, const octavo_prompt* prompt, int32_t pooling,
                                             octavo_tensor** out) {
  return guarded([&] {
    require(model, "model");
    require(prompt, "prompt");
    require(out, "out");
    if (pooling < OCTAVO_POOLING_NONE || pooling > OCTAVO_POOLING_LAST)
      throw octavo::Error(octavo::ErrorCode::invalid_argument,
                          "pooling is " + std::to_string(pooling) + ", known are 0 (none), 1 (mean) and 2 (last)");
    octavo::Tensor rows = model->value.last_hidden_state(prompt->value);
    if (pooling != OCTAVO_POOLING_NONE) rows = pooled(rows, pooling);
    *out = new octavo_tensor{std::move(rows)};
  });
}

octavo_status octavo_model_logits_prompt(const octavo_model* model, const octavo_prompt* prompt, octavo_tensor** out) {
  return guarded([&] {
    require(model, "model");
    require(prompt, "prompt");
    require(out, "out");
    *out = new octavo_tensor{model->value.forward(prompt->value)};
  });
}

}  // extern "C"
