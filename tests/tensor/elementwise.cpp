// The loops behind the activations, against the same in double.
#include "octavo/detail/elementwise.hpp"

#include <cmath>
#include <limits>
#include <vector>

#include "catch.hpp"

namespace {

double silu(double x) { return x / (1 + std::exp(-x)); }

/// The distance of neighbouring floats at `value`.
double ulp(double value) {
  const auto near = static_cast<float>(std::abs(value));
  return static_cast<double>(std::nextafter(near, std::numeric_limits<float>::infinity())) - static_cast<double>(near);
}

}  // namespace

TEST_CASE("silu stays within 4 ulp over its whole range") {
  std::vector<float> gate;
  for (float x = 1e-30F; x < 86; x *= 1.0009F) {
    gate.push_back(x);
    gate.push_back(-x);
  }
  gate.insert(gate.end(), {0.0F, -0.0F, 1e30F, 87.0F, 88.5F, 200.0F});
  const std::vector<float> asked = gate;
  const std::vector<float> up(gate.size(), 1.0F);
  octavo::detail::silu_multiply(gate.data(), up.data(), static_cast<std::int64_t>(gate.size()));
  double worst = 0;
  for (std::size_t i = 0; i < gate.size(); ++i) {
    const double right = silu(static_cast<double>(asked[i]));
    const double off = std::abs(static_cast<double>(gate[i]) - right) / ulp(right);
    if (off > worst) worst = off;
    CAPTURE(asked[i], gate[i], right);
    REQUIRE(off <= 4);
  }
  WARN("silu: at most " << worst << " ulp");
}

TEST_CASE("silu far below zero vanishes and is never NaN") {
  for (const float x : {-90.0F, -1000.0F, -std::numeric_limits<float>::max()}) {
    float gate = x;
    const float up = 1;
    octavo::detail::silu_multiply(&gate, &up, 1);
    CAPTURE(x, gate);
    CHECK(std::isfinite(gate));
    CHECK(gate <= 0);
    if (x > -2000) CHECK(gate > -1e-30F);
  }
}

TEST_CASE("silu multiplies by up, and passes NaN on, wherever it stands") {
  for (std::int64_t count = 1; count < 40; ++count) {
    for (std::int64_t bad = 0; bad < count; ++bad) {
      std::vector<float> gate(static_cast<std::size_t>(count), 1.5F);
      std::vector<float> up(static_cast<std::size_t>(count), -2.0F);
      (bad % 2 == 0 ? gate : up)[static_cast<std::size_t>(bad)] = std::numeric_limits<float>::quiet_NaN();
      octavo::detail::silu_multiply(gate.data(), up.data(), count);
      for (std::int64_t i = 0; i < count; ++i) {
        const float value = gate[static_cast<std::size_t>(i)];
        if (i == bad)
          REQUIRE(std::isnan(value));
        else
          REQUIRE(static_cast<double>(value) == Approx(-2 * silu(1.5)).epsilon(1e-6));
      }
    }
  }
}

TEST_CASE("erf stays within 1.2 ulp of erf in long double") {
  std::vector<float> x{0.0F, -0.0F, 1e-42F, 0.92F, std::nextafter(0.92F, 0.0F), 3.92F, std::nextafter(3.92F, 4.0F),
                       1e30F};
  for (float value = 1e-38F; value < 1e-3F; value *= 1.001F) x.push_back(value);
  for (float value = 1e-3F; value < 6; value = std::nextafter(value * 1.000003F, 7.0F)) x.push_back(value);
  for (std::size_t i = 0, count = x.size(); i < count; ++i) x.push_back(-x[i]);
  std::vector<float> y(x.size());
  octavo::detail::erf(x.data(), static_cast<std::int64_t>(x.size()), y.data());
  double worst = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const auto right = static_cast<double>(std::erf(static_cast<long double>(x[i])));
    const double off = std::abs(static_cast<double>(y[i]) - right) / ulp(right);
    if (off > worst) worst = off;
    CAPTURE(x[i], y[i], right);
    REQUIRE(off <= 1.2);
  }
  WARN("erf: at most " << worst << " ulp at " << x.size() << " numbers");
}

TEST_CASE("gelu is x Phi(x), and passes NaN on alone") {
  for (std::int64_t count = 1; count < 40; ++count) {
    std::vector<float> x;
    for (std::int64_t i = 0; i < count; ++i) x.push_back(static_cast<float>(i) * 0.31F - 6);
    x.back() = std::numeric_limits<float>::quiet_NaN();
    std::vector<float> y = x;
    octavo::detail::gelu(y.data(), count);
    for (std::size_t i = 0; i + 1 < x.size(); ++i) {
      const auto at = static_cast<double>(x[i]);
      REQUIRE(static_cast<double>(y[i]) == Approx(0.5 * at * (1 + std::erf(at / std::sqrt(2.0)))).margin(4e-7));
    }
    REQUIRE(std::isnan(y.back()));
  }
}
