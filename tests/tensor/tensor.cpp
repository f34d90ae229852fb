#include "octavo/tensor.hpp"

#include <array>
#include <cstdio>
#include <fstream>
#include <numeric>

#include "catch.hpp"
#include "octavo/ledger.hpp"
#include "octavo/parallel.hpp"
#include "scratch.hpp"

using namespace octavo;

namespace {

Tensor counting(const Shape& shape) {
  std::vector<std::int32_t> values(static_cast<std::size_t>(shape.numel()));
  std::iota(values.begin(), values.end(), 0);
  return Tensor::from<std::int32_t>(values, shape);
}

std::vector<std::int32_t> list(const Tensor& tensor) {
  const Tensor dense = tensor.contiguous();
  return {dense.values<std::int32_t>().begin(), dense.values<std::int32_t>().end()};
}

}  // namespace

TEST_CASE("a shape is bounded: rank, sign, and a product that fits") {
  CHECK(Shape{}.numel() == 1);
  CHECK(Shape({2, 0, 3}).numel() == 0);
  CHECK(Shape({1, 16, 228, 128}).to_string() == "[1, 16, 228, 128]");
  CHECK(Shape({2, 3}) == Shape({2, 3}));
  CHECK_FALSE(Shape({2, 3}) == Shape({2, 3, 1}));
  CHECK_THROWS_WITH(Shape({2, -1}), "shape [2, -1]: dimension 1 is negative");
  CHECK_THROWS_WITH(Shape({1, 1, 1, 1, 1, 1, 1, 1, 1}),
                    "shape [1, 1, 1, 1, 1, 1, 1, 1, 1] has 9 dimensions, at most 8 are possible");
  const std::int64_t huge = std::int64_t{1} << 31;
  CHECK_THROWS_WITH(Shape({huge, huge}),
                    "shape [2147483648, 2147483648] has more elements than fit in 64 bits (at dimension 1)");
  CHECK_THROWS_AS(Shape({0, huge, huge}), Error);  // strides would overflow all the same
}

TEST_CASE("views share storage and have the strides of their definition") {
  const Tensor t = counting({2, 3, 4});  // element [i,j,k] is 12 i + 4 j + k
  CHECK(list(t.select(1, 2)) == std::vector<std::int32_t>{8, 9, 10, 11, 20, 21, 22, 23});
  CHECK(list(t.slice(-1, 1, 3).select(0, 1)) == std::vector<std::int32_t>{13, 14, 17, 18, 21, 22});
  const Tensor turned = t.permute({2, 0, 1});
  CHECK(turned.shape() == Shape({4, 2, 3}));
  CHECK_FALSE(turned.is_contiguous());
  std::vector<std::int32_t> expected;
  for (int k = 0; k < 4; ++k)
    for (int i = 0; i < 2; ++i)
      for (int j = 0; j < 3; ++j) expected.push_back(12 * i + 4 * j + k);
  CHECK(list(turned) == expected);
  CHECK(turned.raw() == t.raw());
  CHECK(turned.clone().raw() != t.raw());
  CHECK(list(t.reshape({4, 6}).select(0, 3)) == std::vector<std::int32_t>{18, 19, 20, 21, 22, 23});
  Tensor writable = counting({2, 2});
  Tensor row = writable.select(0, 1);
  row.mutable_data<std::int32_t>()[0] = 70;
  CHECK(list(writable) == std::vector<std::int32_t>{0, 1, 70, 3});
  CHECK(t.slice(1, 3, 3).numel() == 0);
}

TEST_CASE("copies of large views are their elements in order, whatever the number of threads") {
  Tensor x = Tensor::empty(DType::f32, {7, 130, 3, 50});
  std::iota(x.mutable_values<float>().begin(), x.mutable_values<float>().end(), 0.0F);
  for (const int threads : {1, 3}) {
    octavo::set_num_threads(threads);
    for (const std::array<int, 4>& order : {std::array{0, 1, 2, 3}, std::array{2, 0, 1, 3}, std::array{1, 0, 2, 3},
                                            std::array{3, 2, 1, 0}, std::array{0, 3, 1, 2}}) {
      const Tensor copy = x.permute({order[0], order[1], order[2], order[3]}).clone();
      REQUIRE(copy.is_contiguous());
      std::int64_t at[4] = {}, wrong = 0;
      for (const float value : copy.values<float>()) {
        std::int64_t index[4];
        for (std::size_t d = 0; d < 4; ++d) index[static_cast<std::size_t>(order[d])] = at[d];
        const std::int64_t flat = ((index[0] * 130 + index[1]) * 3 + index[2]) * 50 + index[3];
        if (value != static_cast<float>(flat)) ++wrong;
        for (int d = 3; d >= 0 && ++at[d] == copy.dim(d); --d) at[d] = 0;
      }
      REQUIRE(wrong == 0);
    }
    REQUIRE(x.slice(1, 5, 6).clone().values<float>().back() == static_cast<float>(((6 * 130 + 5) * 3 + 2) * 50 + 49));
    REQUIRE(x.slice(1, 5, 5).permute({1, 0, 2, 3}).clone().numel() == 0);
  }
  octavo::set_num_threads(0);
}

TEST_CASE("wrong views and reads are refused, saying why") {
  const Tensor t = counting({2, 3});
  CHECK_THROWS_WITH(t.slice(1, 2, 4), "slice [2, 4) of dimension 1 of [2, 3]");
  CHECK_THROWS_WITH(t.select(0, 2), "index 2 of dimension 0 of [2, 3]");
  CHECK_THROWS_WITH(t.dim(2), "dimension 2 of a tensor of shape [2, 3]");
  CHECK_THROWS_WITH(t.reshape({4}), "cannot reshape [2, 3] (6 elements) to [4] (4)");
  CHECK_THROWS_WITH(t.permute({0, 0}), "permute: the order must name each dimension of [2, 3] once");
  CHECK_THROWS_WITH(t.values<float>(), "the tensor [2, 3] holds s32, f32 was asked for");
  CHECK_THROWS_WITH(t.permute({1, 0}).values<std::int32_t>(),
                    "the tensor [3, 2] is a strided view: make it contiguous() first");
  CHECK_THROWS_WITH(Tensor().raw(), "the tensor is undefined: it has no storage");
  CHECK_THROWS_WITH(Tensor::from<float>(std::vector<float>{1, 2}, {3}),
                    "Tensor::from: 2 values do not fill the shape [3]");
}

TEST_CASE("borrowed memory is used in place, a const one is read-only, misalignment is refused") {
  std::array<float, 4> values{1, 2, 3, 4};
  Tensor t = Tensor::borrow(values.data(), DType::f32, {4});
  t.mutable_data<float>()[2] = 30;
  CHECK(values[2] == 30);
  Tensor fixed = Tensor::borrow(static_cast<const void*>(values.data()), DType::f32, {4});
  CHECK(fixed.is_read_only());
  CHECK_THROWS_WITH(fixed.mutable_data<float>(), "the tensor [4] is read-only: clone() it to write");
  CHECK_NOTHROW(fixed.clone().mutable_data<float>());
  CHECK_THROWS_WITH(Tensor::borrow(reinterpret_cast<char*>(values.data()) + 1, DType::f32, {1}),
                    "Tensor::borrow: data is not aligned to an element of f32 (4 bytes)");
  CHECK_THROWS_WITH(Tensor::borrow(static_cast<void*>(nullptr), DType::f32, {1}),
                    "Tensor::borrow: data is null for shape [1]");
}

TEST_CASE("owned memory is aligned for vectors") {
  for (const std::int64_t n : {1, 3, 64, 1000})
    CHECK(reinterpret_cast<std::uintptr_t>(Tensor::empty(DType::u8, {n}).raw()) % 64 == 0);
}

TEST_CASE("a mapped file outlives its name, ranges are checked, unaligned ones are copied") {
  const test::ScratchDirectory scratch;
  const std::string path = scratch.path("bytes");
  {
    std::ofstream file(path, std::ios::binary);
    const float two[] = {1.5F, -2.5F};
    file.put('x').write(reinterpret_cast<const char*>(two), sizeof two).put('y');
  }
  Tensor unaligned;
  Tensor bytes;
  {
    const std::shared_ptr<Storage> storage = map_file(path);
    unaligned = Tensor::over(storage, 1, DType::f32, {2});
    bytes = Tensor::over(storage, 0, DType::u8, {10});
    CHECK_THROWS_WITH(Tensor::over(storage, 4, DType::f32, {2}),
                      "Tensor::over: shape [2] of f32 needs 8 bytes at offset 4, but the storage holds 10");
    CHECK_THROWS_AS(Tensor::over(storage, 11, DType::u8, {0}), Error);
  }
  std::remove(path.c_str());
  CHECK(unaligned.values<float>()[1] == -2.5F);
  CHECK(bytes.values<std::uint8_t>()[9] == 'y');
  CHECK(bytes.is_read_only());
  CHECK_THROWS_AS(bytes.mutable_raw(), Error);
  CHECK_THROWS_WITH(map_file(path), path + ": cannot open: No such file or directory");
  CHECK_THROWS_WITH(map_file("/"), "/: is a directory, a file is needed");
}

TEST_CASE("a tensor without data has a shape, views and copies, and nothing to read") {
  const Tensor x = Tensor::meta(DType::bf16, {4, 6});
  CHECK(x.defined());
  CHECK(x.is_meta());
  CHECK(x.is_contiguous());
  CHECK(x.size_bytes() == 48);
  CHECK_THROWS_WITH(x.raw(), "the tensor bf16[4, 6] has no data: only its type and shape are known (Tensor::meta)");
  CHECK_THROWS_AS(x.data<octavo::BFloat16>(), octavo::Error);
  CHECK_THROWS_AS(Tensor(x).mutable_raw(), octavo::Error);
  CHECK_THROWS_AS(x.values<octavo::BFloat16>(), octavo::Error);

  const Tensor part = x.slice(1, 1, 4).permute({1, 0});
  CHECK(part.is_meta());
  CHECK(part.shape() == Shape{3, 4});
  CHECK(!part.is_contiguous());
  for (const Tensor& made : {part.contiguous(), part.clone(), part.to(DType::f32), x.reshape({24}), x.select(0, 3)}) {
    CHECK(made.is_meta());
  }
  CHECK(part.contiguous().is_contiguous());
  CHECK(part.to(DType::f32).dtype() == DType::f32);
  CHECK_THROWS_AS(x.to(DType::s8), octavo::Error);  // as with data
  CHECK_THROWS_AS(x.reshape({5, 5}), octavo::Error);

  const Tensor like = Tensor::empty_like(x, DType::f32, {2});
  CHECK(like.is_meta());
  const Tensor real = Tensor::empty_like(Tensor::zeros(DType::f32, {1}), DType::s32, {2});
  CHECK(!real.is_meta());
  CHECK(real.dtype() == DType::s32);
  CHECK(!Tensor().is_meta());
  CHECK(Tensor::meta(DType::f32, {0, 3}).is_meta());
  CHECK(Tensor::meta(DType::f32, {std::int64_t{1} << 40, 1024}).size_bytes() == std::size_t{1} << 52);  // of no memory
}

TEST_CASE("a ledger counts storages while they live, once each, in the innermost scope") {
  const octavo::Ledger outer;
  const octavo::Ledger inner;
  Tensor outlives;
  const Tensor before = Tensor::meta(DType::f32, {100});
  {
    const octavo::LedgerScope scope(outer);
    const Tensor x = Tensor::meta(DType::f32, {8});
    const Tensor view = x.slice(0, 2, 4);
    CHECK(outer.live_bytes() == 32);
    CHECK(octavo::Ledger::counts(view));
    CHECK(!octavo::Ledger::counts(before));
    CHECK(!octavo::Ledger::counts(Tensor()));
    {
      const octavo::LedgerScope nested(inner);
      outlives = Tensor::meta(DType::s8, {3});
      CHECK(!octavo::Ledger::counts(Tensor::zeros(DType::f32, {5})));  // memory of its own
    }
    {
      const Tensor copy = x.clone();
      CHECK(outer.live_bytes() == 64);
    }
    CHECK(outer.live_bytes() == 32);
    CHECK(inner.live_bytes() == 3);
  }
  CHECK(outer.live_bytes() == 0);
  CHECK(inner.live_bytes() == 3);
  outlives = Tensor();
  CHECK(inner.live_bytes() == 0);
  CHECK(!octavo::Ledger::counts(Tensor::meta(DType::f32, {1})));  // no scope is left
  {
    const octavo::Ledger gone;
    const octavo::LedgerScope scope(gone);
    outlives = Tensor::meta(DType::f32, {4});
  }
  outlives = Tensor();  // a storage may outlive its ledger
}

TEST_CASE("an error keeps code and fields as context is added in front") {
  const Error inner(ErrorCode::shape_mismatch, "mask is wrong",
                    ShapeDetail{"attention", "layers.0", "mask", 3, "Lk", 455, 228});
  try {
    in_context("while running block 0", [&]() -> int { throw inner; });
    FAIL("no exception");
  } catch (const Error& error) {
    CHECK(std::string(error.what()) == "while running block 0: mask is wrong");
    CHECK(error.code() == ErrorCode::shape_mismatch);
    REQUIRE(error.shape() != nullptr);
    CHECK(error.shape()->expected == 455);
  }
}
