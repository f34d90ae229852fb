/// Tensors and messages for the tests of attention.
#pragma once

#include <cmath>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "octavo/attention.hpp"
#include "octavo/parallel.hpp"

namespace attention_test {

using octavo::DType;
using octavo::Shape;
using octavo::Tensor;

inline Tensor random(const Shape& shape, unsigned seed) {
  std::mt19937 engine(seed);
  std::normal_distribution<float> normal;
  Tensor t = Tensor::empty(DType::f32, shape);
  for (float& value : t.mutable_values<float>()) value = normal(engine);
  return t;
}

template <class T>
std::vector<T> list(const Tensor& t) {
  const Tensor flat = t.contiguous();
  const auto values = flat.values<T>();
  return {values.begin(), values.end()};
}

/// Element of a tensor by its strides.
inline float at(const Tensor& t, std::int64_t a, std::int64_t b, std::int64_t c, std::int64_t d) {
  const auto s = t.strides();
  return t.data<float>()[a * s[0] + b * s[1] + c * s[2] + d * s[3]];
}

template <class Job>
std::string message_of(Job&& job) {
  try {
    job();
  } catch (const octavo::Error& error) {
    return error.what();
  }
  return "nothing was thrown";
}

}  // namespace attention_test
