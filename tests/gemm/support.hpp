/// Operands and independent arithmetic for the tests of matrix products.
#pragma once

#include <cmath>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "message_of.hpp"
#include "octavo/gemm.hpp"
#include "octavo/parallel.hpp"

namespace gemm_test {

using octavo::DType;
using octavo::Tensor;

inline Tensor random(std::int64_t rows, std::int64_t columns, unsigned seed, float spread = 1.0F) {
  std::mt19937 engine(seed);
  std::normal_distribution<float> normal(0.0F, spread);
  Tensor t = Tensor::empty(DType::f32, {rows, columns});
  for (float& value : t.mutable_values<float>()) value = normal(engine);
  return t;
}

inline Tensor random_s8(std::int64_t rows, std::int64_t columns, unsigned seed) {
  std::mt19937 engine(seed);
  Tensor t = Tensor::empty(DType::s8, {rows, columns});
  for (std::int8_t& value : t.mutable_values<std::int8_t>())
    value = static_cast<std::int8_t>(static_cast<int>(engine() % 256U) - 128);
  return t;
}

inline Tensor filled_s8(std::int64_t rows, std::int64_t columns, std::int8_t with) {
  Tensor t = Tensor::empty(DType::s8, {rows, columns});
  for (std::int8_t& value : t.mutable_values<std::int8_t>()) value = with;
  return t;
}

inline Tensor vector_of(std::vector<float> values) {
  return Tensor::from<float>(values, {static_cast<std::int64_t>(values.size())});
}

/// sum_k a[i,k] w[j,k] in 64-bit integers.
inline std::vector<std::int64_t> exact(const Tensor& a, const Tensor& w) {
  std::vector<std::int64_t> out;
  for (std::int64_t i = 0; i < a.dim(0); ++i)
    for (std::int64_t j = 0; j < w.dim(0); ++j) {
      std::int64_t sum = 0;
      for (std::int64_t k = 0; k < a.dim(1); ++k)
        sum += std::int64_t{a.data<std::int8_t>()[i * a.dim(1) + k]} * w.data<std::int8_t>()[j * a.dim(1) + k];
      out.push_back(sum);
    }
  return out;
}

template <class T>
std::vector<std::int64_t> integers(const Tensor& t) {
  const auto values = t.values<T>();
  return {values.begin(), values.end()};
}

inline std::vector<float> floats(const Tensor& t) {
  const auto values = t.values<float>();
  return {values.begin(), values.end()};
}

/// Runs a job with a thread count and restores the default.
template <class Job>
auto with_threads(int count, Job&& job) {
  octavo::set_num_threads(count);
  auto result = job();
  octavo::set_num_threads(0);
  return result;
}

using test::message_of;

}  // namespace gemm_test
