#include "kept_images.hpp"

#include <algorithm>
#include <array>
#include <iterator>
#include <string>
#include <string_view>
#include <utility>

#include "octavo/detail/amounts.hpp"
#include "octavo/detail/sha256.hpp"
#include "octavo/log.hpp"
#include "octavo/memory_pool.hpp"

namespace octavo::model {

std::string digest_of(const PixelPatches& image) {
  const std::array<std::int64_t, 3> grid{image.grid.t, image.grid.h, image.grid.w};
  const Tensor pixels = image.pixel_values.contiguous();
  detail::Sha256 hash;
  hash.update({reinterpret_cast<const char*>(grid.data()), sizeof(grid)});
  hash.update({static_cast<const char*>(pixels.raw()), pixels.size_bytes()});
  return hash.finish();
}

std::list<KeptImages::Kept>::iterator KeptImages::find_kept(std::uint64_t model, const std::string& digest) {
  return std::find_if(images_.begin(), images_.end(),
                      [&](const Kept& kept) { return kept.model == model && kept.digest == digest; });
}

Tensor KeptImages::find(std::uint64_t model, const std::string& digest) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto found = find_kept(model, digest);
  if (found == images_.end()) return {};
  images_.splice(images_.begin(), images_, found);
  return found->rows;
}

void KeptImages::keep(std::uint64_t model, const std::string& digest, const Tensor& rows) {
  if (rows.size_bytes() > limit_) return;
  const MemoryPool own;  // not that of the generation, which goes before
  const MemoryPoolScope scope(own);
  Kept kept{model, digest, rows.clone()};
  const std::lock_guard<std::mutex> lock(mutex_);
  if (find_kept(model, digest) != images_.end()) return;  // another thread was faster
  bytes_ += kept.rows.size_bytes();
  images_.push_front(std::move(kept));
  while (bytes_ > limit_) {
    log_line(LogLevel::debug, "model", [&] {
      return "prefix cache: a picture of " + std::to_string(images_.back().rows.dim(0)) +
             " tokens is let go: it holds " + detail::megabytes(bytes_) + ", of at most " + detail::megabytes(limit_);
    });
    bytes_ -= images_.back().rows.size_bytes();
    images_.pop_back();
  }
}

void KeptImages::clear() {
  const std::lock_guard<std::mutex> lock(mutex_);
  images_.clear();
  bytes_ = 0;
}

std::size_t KeptImages::count() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return images_.size();
}

std::size_t KeptImages::bytes() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return bytes_;
}

}  // namespace octavo::model
