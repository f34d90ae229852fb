// The vector exp against std::exp in float64.
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "catch.hpp"
#include "instruction_sets.hpp"

using namespace attention_test;
using octavo::attention_kernels::kernels;

namespace {

constexpr std::uint32_t kMinusZero = 0x80000000U;
const float kSmallest = -87.33654F;  // -126 ln 2; below, results would be subnormal

constexpr double kStatedUlps = 1.02;  // include/octavo/detail/exp.hpp

/// Units in the last place of the float nearest to `exact`, a normal number.
double ulp(double exact) { return std::ldexp(1.0, std::ilogb(exact) - 23); }

/// The largest error of exp over every step-th float from -0 down to kSmallest, in ulps.
double worst_error(std::uint32_t step) {
  const std::uint32_t last = std::bit_cast<std::uint32_t>(kSmallest);
  std::vector<float> x, y;
  double worst = 0;
  for (std::uint64_t bits = kMinusZero; bits <= last;) {
    x.clear();
    for (; bits <= last && x.size() < 65536; bits += step)
      x.push_back(std::bit_cast<float>(static_cast<std::uint32_t>(bits)));
    y.resize(x.size());
    kernels().exponential(x.data(), static_cast<std::int64_t>(x.size()), y.data());
    for (std::size_t i = 0; i < x.size(); ++i) {
      const double exact = std::exp(double{x[i]});
      const double error = std::fabs(double{y[i]} - exact) / ulp(exact);
      if (!(error <= worst)) worst = error;
    }
  }
  return worst;
}

std::vector<float> exp_of(const std::vector<float>& x) {
  std::vector<float> y(x.size());
  kernels().exponential(x.data(), static_cast<std::int64_t>(x.size()), y.data());
  return y;
}

}  // namespace

TEST_CASE("exp is within its stated error of float64") {
  for_each_instruction_set([](const char*) { CHECK(worst_error(211) < kStatedUlps); });  // 5 million numbers
}

TEST_CASE("exp is within its stated error at every float of its range", "[.exhaustive]") {
  for_each_instruction_set([](const char* name) {
    const double worst = worst_error(1);
    WARN(name << ": largest error " << worst << " ulp");
    CHECK(worst < kStatedUlps);
  });
}

TEST_CASE("exp of the ends of its range") {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const float nan = std::numeric_limits<float>::quiet_NaN();
  for_each_instruction_set([&](const char*) {
    const std::vector<float> y =
        exp_of({0.0F, -0.0F, -kInfinity, nan, -nan, -88.0F, -1e30F, std::numeric_limits<float>::lowest(), kSmallest});
    CHECK(y[0] == 1);
    CHECK(y[1] == 1);
    CHECK(y[2] == 0);
    CHECK(std::isnan(y[3]));
    CHECK(std::isnan(y[4]));
    CHECK(y[5] == 0);
    CHECK(y[6] == 0);
    CHECK(y[7] == 0);
    CHECK((y[8] > 1.17e-38F && y[8] < 1.18e-38F));
  });
}
