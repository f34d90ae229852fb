// The int8 product against 64-bit integer arithmetic, on every backend this machine has.
#include <array>
#include <cstdlib>

#include "catch.hpp"
#include "support.hpp"

using namespace gemm_test;
using octavo::gemm_s8;

namespace {

std::vector<std::string> available() {
  std::vector<std::string> names;
  for (const octavo::BackendInfo& info : octavo::int8_backends())
    if (info.available) names.push_back(info.name);
  return names;
}

}  // namespace

TEST_CASE("the table of backends ends with portable, which is always available") {
  const std::vector<octavo::BackendInfo> table = octavo::int8_backends();
  REQUIRE(table.size() == 7);
  CHECK(table[0].name == "amx_int8");
  CHECK(table[1].name == "avx512_vnni");
  CHECK(table[2].name == "avx_vnni");
  CHECK(table[3].name == "avx512");
  CHECK(table[4].name == "onednn");
  CHECK(table[5].name == "avx2");
  CHECK(table[6].name == "portable");
  CHECK(table.back().available);
}

TEST_CASE("gemm_s8 is exact for every backend and odd sizes") {
  for (const std::string& backend : available())
    for (const std::int64_t m : {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 17, 33})
      for (const std::int64_t n : {1, 7, 16, 31, 65, 130})
        for (const std::int64_t k : {1, 3, 7, 63, 64, 65, 129, 515}) {
          const Tensor a = random_s8(m, k, static_cast<unsigned>(m * 1000 + k));
          const Tensor w = random_s8(n, k, static_cast<unsigned>(n * 1000 + k));
          INFO(backend << " m " << m << " n " << n << " k " << k);
          REQUIRE(integers<std::int32_t>(gemm_s8(a, w, backend)) == exact(a, w));
        }
}

TEST_CASE("gemm_s8 is exact for more rows and columns than a block of any backend holds") {
  for (const std::string& backend : available())
    for (const auto& [m, n, k] :
         {std::array<std::int64_t, 3>{1037, 70, 70}, {133, 1037, 200}, {530, 1300, 66}, {70, 300, 7000}}) {
      const Tensor a = random_s8(m, k, 1);
      const Tensor w = random_s8(n, k, 2);
      INFO(backend << " m " << m << " n " << n << " k " << k);
      CHECK(integers<std::int32_t>(gemm_s8(a, w, backend)) == exact(a, w));
    }
}

TEST_CASE("gemm_s8 is exact at the widths of the published models") {
  for (const std::string& backend : available())
    for (const std::int64_t k : {3420, 5120, 29568}) {
      const Tensor a = random_s8(3, k, 1);
      const Tensor w = random_s8(9, k, 2);
      INFO(backend << " k " << k);
      CHECK(integers<std::int32_t>(gemm_s8(a, w, backend)) == exact(a, w));
    }
}

TEST_CASE("gemm_s8 does not saturate at the extremes, up to the largest K") {
  for (const std::string& backend : available())
    for (const std::int64_t k : {2, 64, 131071})
      for (const std::int8_t left : {std::int8_t{127}, std::int8_t{-127}, std::int8_t{-128}})
        for (const std::int8_t right : {std::int8_t{127}, std::int8_t{-128}}) {
          INFO(backend << " k " << k << " " << int{left} << " x " << int{right});
          const std::vector<std::int64_t> product =
              integers<std::int32_t>(gemm_s8(filled_s8(2, k, left), filled_s8(5, k, right), backend));
          CHECK(product == std::vector<std::int64_t>(10, k * left * right));
        }
}

TEST_CASE("gemm_s8 of nothing is zeros") {
  for (const std::string& backend : available()) {
    CHECK(gemm_s8(random_s8(0, 5, 1), random_s8(3, 5, 1), backend).shape() == octavo::Shape{0, 3});
    CHECK(gemm_s8(random_s8(2, 5, 1), random_s8(0, 5, 1), backend).shape() == octavo::Shape{2, 0});
    CHECK(integers<std::int32_t>(gemm_s8(random_s8(2, 0, 1), random_s8(1, 0, 1), backend)) ==
          std::vector<std::int64_t>{0, 0});
  }
}

TEST_CASE("gemm_s8 takes strided operands") {
  const Tensor a = random_s8(6, 20, 3);
  const Tensor w = random_s8(20, 4, 4);
  const Tensor part = a.slice(1, 3, 13);
  const Tensor turned = w.permute({1, 0}).slice(1, 0, 10);
  CHECK(integers<std::int32_t>(gemm_s8(part, turned)) == exact(part.contiguous(), turned.contiguous()));
}

TEST_CASE("gemm_s8 gives the same sums for every thread count") {
  const Tensor a = random_s8(5, 333, 5);
  const Tensor w = random_s8(257, 333, 6);
  for (const std::string& backend : available())
    CHECK(with_threads(1, [&] { return integers<std::int32_t>(gemm_s8(a, w, backend)); }) ==
          with_threads(3, [&] { return integers<std::int32_t>(gemm_s8(a, w, backend)); }));
}

TEST_CASE("gemm_s8 refuses what could overflow, and operands that do not fit") {
  CHECK(message_of([] { gemm_s8(random_s8(1, 131072, 1), random_s8(1, 131072, 1)); }) ==
        "gemm_s8: in_features is 131072, at most 131071 cannot overflow int32");
  CHECK(message_of([] { gemm_s8(random_s8(2, 5, 1), random_s8(3, 6, 1)); }) ==
        "gemm_s8: w [3, 6] dim 1 (K, in_features) is 6, but a [2, 5] dim 1 set in_features to 5.");
}

TEST_CASE("forcing a backend is strict") {
  CHECK(message_of([] { octavo::force_int8_backend("avx9"); }) ==
        "there is no int8 backend \"avx9\"; known are amx_int8, avx512_vnni, avx_vnni, avx512, onednn, avx2, portable");
  CHECK(message_of([] { gemm_s8(random_s8(1, 1, 1), random_s8(1, 1, 1), "Portable"); }) ==
        "there is no int8 backend \"Portable\"; known are amx_int8, avx512_vnni, avx_vnni, avx512, onednn, avx2, "
        "portable");
  ::setenv("OCTAVO_INT8_BACKEND", "fastest", 1);
  const std::string message = message_of([] { gemm_s8(random_s8(1, 1, 1), random_s8(1, 1, 1)); });
  octavo::force_int8_backend("portable");  // a name given in the program overrides the environment
  const std::string forced = message_of([] { gemm_s8(random_s8(1, 1, 1), random_s8(1, 1, 1)); });
  octavo::force_int8_backend("");
  ::unsetenv("OCTAVO_INT8_BACKEND");
  CHECK(message ==
        "there is no int8 backend \"fastest\"; known are amx_int8, avx512_vnni, avx_vnni, avx512, onednn, avx2, "
        "portable");
  CHECK(forced == "nothing was thrown");
}
