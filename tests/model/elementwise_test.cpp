// The loops behind the activations, against the same in double.
#include "../../lib/model/elementwise.hpp"

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
  octavo::model::silu_multiply(gate.data(), up.data(), static_cast<std::int64_t>(gate.size()));
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
    octavo::model::silu_multiply(&gate, &up, 1);
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
      octavo::model::silu_multiply(gate.data(), up.data(), count);
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
