/// What is kept of the rows that enter a group.
#pragma once

#include <vector>

#include "octavo/attribution.hpp"

namespace octavo::detail {

class ActivationCollector {
 public:
  void add(const Tensor& x);  ///< x[M,K] f32, the same K each time
  ActivationSummary summary() const;

 private:
  std::int64_t rows_ = 0, columns_ = 0, outliers_ = 0, zeroed_ = 0, not_zero_ = 0;
  double min_ = 0, max_ = 0, squares_ = 0;
  std::vector<float> column_max_;  // |x|
  std::array<std::int64_t, std::tuple_size_v<decltype(ActivationSummary::histogram)>> bins_{};
};

}  // namespace octavo::detail
