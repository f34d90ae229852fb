#include <array>
#include <limits>

#include "octavo/detail/checked.hpp"
#include "octavo/tensor.hpp"

namespace octavo {

namespace {

std::string list(std::span<const std::int64_t> dims) {
  std::string text = "[";
  for (std::size_t i = 0; i < dims.size(); ++i) text += (i == 0 ? "" : ", ") + std::to_string(dims[i]);
  return text + "]";
}

}  // namespace

Shape::Shape(std::initializer_list<std::int64_t> dims)
    : Shape(std::span<const std::int64_t>(dims.begin(), dims.size())) {}

Shape::Shape(std::span<const std::int64_t> dims) {
  if (dims.size() > static_cast<std::size_t>(kMaxRank))
    throw Error(ErrorCode::invalid_argument, "shape " + list(dims) + " has " + std::to_string(dims.size()) +
                                                 " dimensions, at most " + std::to_string(kMaxRank) + " are possible");
  std::int64_t product = 1;
  for (std::size_t i = 0; i < dims.size(); ++i) {
    if (dims[i] < 0)
      throw Error(ErrorCode::invalid_argument,
                  "shape " + list(dims) + ": dimension " + std::to_string(i) + " is negative");
    dims_[i] = dims[i];
    // A zero anywhere makes numel 0, but the strides of the other dimensions must not overflow either.
    const std::int64_t factor = dims[i] == 0 ? 1 : dims[i];
    if (!detail::checked_multiply({8, product, factor}))
      throw Error(
          ErrorCode::invalid_argument,
          "shape " + list(dims) + " has more elements than fit in 64 bits (at dimension " + std::to_string(i) + ")");
    product *= factor;
  }
  rank_ = static_cast<int>(dims.size());
}

std::int64_t Shape::numel() const noexcept {
  std::int64_t product = 1;
  for (const std::int64_t extent : dims()) product *= extent;
  return product;
}

std::string Shape::to_string() const { return list(dims()); }

std::string Shape::indices(std::int64_t flat) const {
  std::array<std::int64_t, kMaxRank> at{};
  for (int d = rank_ - 1; d >= 0; --d) {
    at[static_cast<std::size_t>(d)] = flat % (*this)[d];
    flat /= (*this)[d];
  }
  return list({at.data(), static_cast<std::size_t>(rank_)});
}

bool operator==(const Shape& a, const Shape& b) noexcept { return a.rank_ == b.rank_ && a.dims_ == b.dims_; }

}  // namespace octavo
