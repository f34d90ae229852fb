// Tensors over memory that somebody else owns.
#include <array>
#include <limits>
#include <memory>
#include <vector>

#include "catch.hpp"
#include "octavo/tensor.hpp"

using namespace octavo;

TEST_CASE("an adopted tensor keeps its keeper as long as it or a view lives") {
  std::array<float, 6> values{1, 2, 3, 4, 5, 6};
  auto keeper = std::make_shared<int>(0);
  const std::weak_ptr<int> watched = keeper;
  Tensor tensor = Tensor::adopt(std::move(keeper), values.data(), DType::f32, {2, 3});
  CHECK(tensor.raw() == values.data());
  CHECK_FALSE(tensor.is_read_only());
  Tensor view = tensor.select(0, 1);
  tensor = Tensor();
  CHECK_FALSE(watched.expired());
  CHECK(view.values<float>()[0] == 4);
  view = Tensor();
  CHECK(watched.expired());
}

TEST_CASE("adopted strides are those of the owner") {
  std::array<float, 6> values{1, 2, 3, 4, 5, 6};
  const std::vector<std::int64_t> transposed{1, 3};
  const Tensor tensor = Tensor::adopt(nullptr, values.data(), DType::f32, {3, 2}, transposed, true);
  CHECK(tensor.is_read_only());
  CHECK_FALSE(tensor.is_contiguous());
  const Tensor copy = tensor.contiguous();
  const std::vector<float> expected{1, 4, 2, 5, 3, 6};
  CHECK(std::vector<float>(copy.values<float>().begin(), copy.values<float>().end()) == expected);
  const std::vector<std::int64_t> repeated{0, 1};
  const Tensor rows = Tensor::adopt(nullptr, values.data(), DType::f32, {4, 2}, repeated).contiguous();
  CHECK(rows.values<float>()[6] == 1);
  CHECK(rows.values<float>()[7] == 2);
}

TEST_CASE("memory that a tensor cannot lie over is refused") {
  std::array<float, 6> values{};
  const std::vector<std::int64_t> one{1}, negative{-1, 1}, far{std::numeric_limits<std::int64_t>::max(), 1};
  CHECK_THROWS_AS(Tensor::adopt(nullptr, values.data(), DType::f32, {2, 3}, one), Error);
  CHECK_THROWS_AS(Tensor::adopt(nullptr, values.data(), DType::f32, {2, 3}, negative), Error);
  CHECK_THROWS_AS(Tensor::adopt(nullptr, values.data(), DType::f32, {3, 2}, far), Error);
  CHECK_THROWS_AS(Tensor::adopt(nullptr, nullptr, DType::f32, {1}), Error);
  CHECK_THROWS_AS(Tensor::adopt(nullptr, reinterpret_cast<char*>(values.data()) + 1, DType::f32, {1}), Error);
  CHECK(Tensor::adopt(nullptr, nullptr, DType::f32, {0}).numel() == 0);
}
