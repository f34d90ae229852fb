// A strided tensor as runs of elements that lie side by side.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>

#include "octavo/parallel.hpp"
#include "octavo/tensor.hpp"

namespace octavo {

// Run i holds elements [i * length, (i + 1) * length) in row-major order. A contiguous tensor is one run. Not for
// longer than the tensor.
class Runs {
 public:
  explicit Runs(const Tensor& x) : shape_(x.shape()), strides_(x.strides()), outer_(x.rank()) {
    for (; outer_ > 0; --outer_) {
      const std::int64_t size = shape_[outer_ - 1];
      if (size != 1 && strides_[static_cast<std::size_t>(outer_ - 1)] != length_) break;
      length_ *= size;
    }
    for (int d = 0; d < outer_; ++d) count_ *= shape_[d];
    if (length_ == 0) count_ = 0;
  }

  // body(index in row-major order of the first element, its offset, how many) for all elements in pieces of at most
  // `most`, by several threads where they are worth it.
  template <class Body>
  void for_pieces(std::int64_t most, const Body& body) const {
    constexpr std::int64_t kWorthAThread = 65536;                                        // elements, some 10 us
    const std::int64_t pieces = std::max<std::int64_t>(1, (length_ + most - 1) / most);  // of a run
    const std::int64_t size = std::clamp<std::int64_t>(length_, 1, most);
    parallel_for(count_ * pieces, std::max<std::int64_t>(1, kWorthAThread / size),
                 [&](std::int64_t begin, std::int64_t end) {
                   Place place = place_of(begin / pieces);
                   std::int64_t piece = begin % pieces;
                   for (std::int64_t i = begin; i < end; ++i) {
                     const std::int64_t from = piece * most;
                     body(i / pieces * length_ + from, place.offset + from, std::min(most, length_ - from));
                     if (++piece < pieces) continue;
                     piece = 0;
                     step(place);
                   }
                 });
  }

 private:
  struct Place {  // of a run
    std::array<std::int64_t, Shape::kMaxRank> index{};
    std::int64_t offset = 0;
  };

  Place place_of(std::int64_t run) const {
    Place place;
    for (int d = outer_ - 1; d >= 0; --d) {
      const auto i = static_cast<std::size_t>(d);
      place.index[i] = run % shape_[d];
      run /= shape_[d];
      place.offset += place.index[i] * strides_[i];
    }
    return place;
  }

  void step(Place& place) const {
    for (int d = outer_ - 1; d >= 0; --d) {
      const auto i = static_cast<std::size_t>(d);
      place.offset += strides_[i];
      if (++place.index[i] < shape_[d]) return;
      place.offset -= strides_[i] * shape_[d];
      place.index[i] = 0;
    }
  }

  Shape shape_;
  std::span<const std::int64_t> strides_;
  int outer_;  // dimensions that are not part of a run
  std::int64_t count_ = 1, length_ = 1;
};

}  // namespace octavo
