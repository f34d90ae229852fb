// Without memory for its screen an lm_head is read as a whole: no answer ends for what was meant to save time.
#include <cstdint>

#include "catch.hpp"
#include "counters.hpp"
#include "head_screen.hpp"
#include "octavo/gemm.hpp"

using octavo::DType;
using octavo::Tensor;
using octavo::model::LazyHeadScreen;

namespace {

Tensor filled(std::int64_t rows, float value) {
  Tensor made = Tensor::empty(DType::f32, {rows, 32});
  for (float& element : made.mutable_values<float>()) element = value;
  return made;
}

}  // namespace

TEST_CASE("a screen whose memory there is not is left out and never tried again") {
  constexpr std::int64_t kVocab = 4001;
  const Tensor weight = filled(kVocab, 0.5F);
  const octavo::Linear head = octavo::Linear::floating("lm_head", weight, {});
  const Tensor x = filled(1, 1.0F);
  const int tokens = octavo::model::ScreenPolicy{}.asked_before + 2;
  const LazyHeadScreen screen(head, weight);
  {
    const test::Refusal refusal(kVocab * sizeof(float));  // what a row's copy is off by
    for (int i = 0; i < tokens; ++i) CHECK_FALSE(screen.logits(x, {}).defined());
    CHECK(refusal.count() == 1);
  }
  CHECK(screen.ready() == nullptr);
  const LazyHeadScreen other(head, weight);
  for (int i = 0; i < tokens; ++i) (void)other.logits(x, {});
  CHECK(other.ready() != nullptr);
}
