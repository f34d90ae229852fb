#include "kernels.hpp"

#if defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512VL__) && defined(__AVX512DQ__)
#include "avx512.hpp"
#include "loops.hpp"

namespace octavo::attention_kernels {

namespace {

constexpr Kernels kTable = table<Avx512>("avx512");

}  // namespace

const Kernels* avx512_kernels() noexcept { return &kTable; }

}  // namespace octavo::attention_kernels

#else

namespace octavo::attention_kernels {
const Kernels* avx512_kernels() noexcept { return nullptr; }
}  // namespace octavo::attention_kernels

#endif
