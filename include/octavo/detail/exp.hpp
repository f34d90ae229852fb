/// exp of a vector of numbers that are not positive, in float32. Not for direct use.
//
// x = n ln 2 + r with a whole n and |r| <= ln 2 / 2, so exp(x) = 2^n exp(r) (J.-M. Muller, Elementary Functions, ch.
// 11: additive range reduction). ln 2 is subtracted in two parts, of which n times the first is exact. exp(r) is 1 + r
// + r^2 p(r), p of degree 4, fitted to the least largest relative error over the range (Lawson's iteration); that error
// is 0.03 ulp, the rest is rounding.
//
// Largest error over every float from -0 to -126 ln 2: 1.01 ulp with AVX2 and AVX-512, 0.99 ulp with the portable
// loops; tests/attention/exp.cpp holds it to 1.02 ulp.
//
// S is an instruction set as lib/attention/kernels/loops.hpp describes it, or single floats (activations.hpp). All here
// has a copy in each file that includes it: some are compiled for instructions that others must not use.
//
// Below -126 ln 2, where results would be subnormal, 0; so -infinity gives 0. NaN gives NaN. exp(0) is 1 exactly.
#pragma once

namespace octavo::detail {

namespace {

inline constexpr float kExpSmallest = -87.33654F;  // -126 ln 2

template <class S>
inline typename S::Vector exponential(typename S::Vector x) {
  const auto constant = [](float value) { return S::broadcast(value); };
  const typename S::Vector shift = constant(12582912.0F);  // 1.5 * 2^23: adding it rounds to whole numbers
  const typename S::Vector shifted = S::multiply_add(x, constant(1.44269504F), shift);
  const typename S::Vector n = S::subtract(shifted, shift);
  typename S::Vector r = S::multiply_add(n, constant(-0.693359375F), x);  // 355 / 512
  r = S::multiply_add(n, constant(2.12194440e-4F), r);                    // 355 / 512 - ln 2
  typename S::Vector p = constant(0x1.6a241ap-10F);
  p = S::multiply_add(p, r, constant(0x1.1239f2p-7F));
  p = S::multiply_add(p, r, constant(0x1.5558f2p-5F));
  p = S::multiply_add(p, r, constant(0x1.555492p-3F));
  p = S::multiply_add(p, r, constant(0x1.fffffcp-2F));
  p = S::multiply_add(S::multiply(r, r), p, r);
  p = S::add(p, constant(1.0F));
  return S::zero_below(S::multiply(p, S::power_of_two(shifted)), x, constant(kExpSmallest));
}

}  // namespace

}  // namespace octavo::detail
