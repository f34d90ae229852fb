// Rows of past pictures, bounded in bytes; the inside of a PrefixCache.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <mutex>
#include <string>

#include "octavo/image.hpp"
#include "octavo/tensor.hpp"

namespace octavo::model {

/// SHA-256 of a picture's grid and pixels: what its rows depend on, besides the weights.
std::string digest_of(const PixelPatches& image);

/// Thread-safe.
class KeptImages {
 public:
  explicit KeptImages(std::size_t limit) : limit_(limit) {}
  Tensor find(std::uint64_t model, const std::string& digest);  ///< undefined: not kept
  /// Keeps a copy of rows [image tokens, hidden] f32; the longest unused goes when there are too many.
  void keep(std::uint64_t model, const std::string& digest, const Tensor& rows);
  void clear();
  std::size_t count() const;
  std::size_t bytes() const;

 private:
  struct Kept {
    std::uint64_t model;
    std::string digest;
    Tensor rows;
  };
  std::list<Kept>::iterator find_kept(std::uint64_t model, const std::string& digest);

  const std::size_t limit_;
  mutable std::mutex mutex_;
  std::list<Kept> images_;  // the last used first
  std::size_t bytes_ = 0;
};

}  // namespace octavo::model
