/// What is inside a PreparedHessian.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "octavo/quant.hpp"

namespace octavo {

struct PreparedHessian::Impl {
  std::string name;
  GptqOptions options;
  Tensor hessian;  // [K,K] as handed in
  Tensor factor;   // [K,K] F in sweep order, H = F F^T; undefined by round-to-nearest or when none was found
  std::vector<std::int64_t> order;  // sweep position -> column
  std::vector<bool> dead;           // by column
  std::int64_t dead_columns = 0;
  double damp_used = 0;
};

}  // namespace octavo
