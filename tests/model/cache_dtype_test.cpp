// Keys and values in fewer bytes: what a session's cache of bf16 or int8 moves logits by, and that nothing else
// changes.
#include <algorithm>

#include "golden.hpp"
#include "octavo/metrics.hpp"
#include "octavo/session.hpp"

using golden::greedy;
using golden::Values;

namespace {

/// Logits of the last token of `input`, fed one by one behind its first half.
octavo::Tensor decoded(const octavo::Model& model, const octavo::ModelInput& input, octavo::DType dtype) {
  const std::size_t half = input.ids.size() / 2;
  octavo::Session session(model, static_cast<std::int64_t>(input.ids.size()), dtype);
  octavo::Tensor logits = session.feed(
      {std::vector<std::int32_t>(input.ids.begin(), input.ids.begin() + static_cast<std::ptrdiff_t>(half)), {}});
  for (std::size_t i = half; i < input.ids.size(); ++i) logits = session.feed({{input.ids[i]}, {}});
  return logits;
}

}  // namespace

TEST_CASE("a cache of bf16 or int8 moves logits by what it rounds") {
  const std::string name = GENERATE("nested", "flat");
  const Values values(name);
  const octavo::Model model = octavo::Model::open(golden::directory(name));
  const octavo::ModelInput input = values.input("text");
  const octavo::Tensor all = model.forward(input);
  const octavo::Tensor last = all.select(0, all.dim(0) - 1).contiguous();
  const double exact = octavo::relative_error(last, decoded(model, input, octavo::DType::f32));
  const double bf16 = octavo::relative_error(last, decoded(model, input, octavo::DType::bf16));
  const double s8 = octavo::relative_error(last, decoded(model, input, octavo::DType::s8));
  WARN(name << ": logits off by " << exact << " (f32), " << bf16 << " (bf16), " << s8 << " (int8)");
  CHECK(exact < 1e-5);
  CHECK(bf16 > exact);  // it is in use
  CHECK(bf16 < 0.01);
  CHECK(s8 > bf16);
  CHECK(s8 < 0.04);
}

TEST_CASE("a cache of another type than f32, bf16 and s8 is refused") {
  const octavo::Model model = octavo::Model::open(golden::directory("nested"));
  for (const octavo::DType dtype : {octavo::DType::f16, octavo::DType::u8, octavo::DType::i64}) {
    CHECK_THROWS_AS(octavo::Session(model, 8, dtype), octavo::Error);
    octavo::GenerateOptions options = greedy(2);
    options.cache_dtype = dtype;
    CHECK_THROWS_AS(model.generate(Values("nested").input("text"), options), octavo::Error);
  }
}

TEST_CASE("generate takes the cache's type, and without a cache it changes nothing") {
  const Values values("nested");
  const octavo::Model model = octavo::Model::open(golden::directory("nested"));
  const octavo::ModelInput input = values.input("text");
  octavo::GenerateOptions options = greedy(16);
  options.cache_dtype = octavo::DType::bf16;
  CHECK(model.generate(input, options).tokens.size() == 16);
  options.use_cache = false;
  const std::vector<std::int32_t> expected = values.integers<std::int32_t>("text.greedy");
  CHECK(model.generate(input, options).tokens == std::vector<std::int32_t>(expected.begin(), expected.begin() + 16));
}
