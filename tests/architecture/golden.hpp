// What transformers has computed for a model of tests/golden, beside what Octavo computes.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>

#include "catch.hpp"
#include "octavo/checkpoint.hpp"
#include "octavo/model.hpp"

namespace golden {

inline octavo::Tensor tensor(const std::string& directory, const std::string& name) {
  return octavo::SafetensorsFile::open(directory + "/golden.safetensors").tensor(name);
}

/// A prompt of text alone. `ids`: i64 [tokens].
inline octavo::ModelInput input(const octavo::Tensor& ids) {
  octavo::ModelInput input;
  for (const std::int64_t id : ids.values<std::int64_t>()) input.ids.push_back(static_cast<std::int32_t>(id));
  return input;
}

/// NaN where one of the two has it.
inline double furthest(const octavo::Tensor& a, const octavo::Tensor& b) {
  REQUIRE(a.shape().to_string() == b.shape().to_string());
  double most = 0;
  for (std::int64_t i = 0; i < a.numel(); ++i) {
    const double apart = std::abs(double{a.data<float>()[i]} - double{b.data<float>()[i]});
    if (std::isnan(apart)) return apart;
    most = std::max(most, apart);
  }
  return most;
}

}  // namespace golden
