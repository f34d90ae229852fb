#include "prompt_reuse.hpp"

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>

#include "octavo/memory_pool.hpp"

namespace octavo {

PrefixCache::PrefixCache(Limits limits) : impl_(std::make_unique<Impl>(limits)) {}
PrefixCache::~PrefixCache() = default;

PrefixCache::Stats PrefixCache::stats() const {
  Stats stats;
  stats.prompts = impl_->prompts.count();
  stats.kv_bytes = impl_->prompts.bytes();
  stats.images = impl_->images.count();
  stats.image_bytes = impl_->images.bytes();
  stats.reused_tokens = impl_->reused_tokens;
  stats.reused_images = impl_->reused_images;
  stats.encoded_images = impl_->encoded_images;
  return stats;
}

void PrefixCache::clear() {
  impl_->prompts.clear();
  impl_->images.clear();
}

namespace model {

PromptReuse::PromptReuse(const PrefixCache& cache, const Model::Impl& model, const ModelInput& input, DType cache_dtype)
    : kept_(*cache.impl_), model_(model), input_(input) {
  std::vector<Grid> grids;
  for (const PixelPatches& image : input.images) grids.push_back(image.grid);
  SequenceState state = model.runtime->new_state();
  key_.model = model.id;
  key_.dtype = cache_dtype;
  key_.ids = input.ids;
  const CallPlan plan = state.plan(input.ids, grids);
  for (std::size_t i = 0; i < plan.images.size(); ++i)
    key_.images.push_back({plan.images[i].begin, plan.images[i].end, digest_of(input.images[i])});
}

std::int64_t PromptReuse::restore(SequenceState& state, KvCache& cache) {
  parts_ = kept_.prompts.find(key_, static_cast<std::int64_t>(key_.ids.size()) - 1);
  for (const KeptPrompts::Part& part : parts_) {
    cache.append_copy(part.piece->rows, 0, part.length);
    restored_ += part.length;
  }
  if (restored_ == 0) return 0;
  std::vector<Grid> grids;
  while (restored_images_ < key_.images.size() && key_.images[restored_images_].end <= restored_)
    grids.push_back(input_.images[restored_images_++].grid);
  state.commit(state.plan(std::span(key_.ids).first(static_cast<std::size_t>(restored_)), grids));
  kept_.reused_tokens += static_cast<std::uint64_t>(restored_);
  return restored_;
}

Tensor PromptReuse::image_rows(const CancelToken& cancel) const {
  const std::size_t count = input_.images.size() - restored_images_;
  if (count == 0) return {};
  std::vector<Tensor> rows(count);
  ModelInput unknown;
  for (std::size_t i = 0; i < count; ++i) {
    rows[i] = kept_.images.find(key_.model, key_.images[restored_images_ + i].digest);
    if (!rows[i].defined()) unknown.images.push_back(input_.images[restored_images_ + i]);
  }
  kept_.reused_images += count - unknown.images.size();
  kept_.encoded_images += unknown.images.size();
  const Tensor encoded = model_.runtime->encode_images(unknown, cancel);
  std::int64_t first = 0;
  std::int64_t total = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const PromptKey::Image& image = key_.images[restored_images_ + i];
    if (!rows[i].defined()) {
      rows[i] = encoded.slice(0, first, first + image.end - image.begin);
      first += image.end - image.begin;
      kept_.images.keep(key_.model, image.digest, rows[i]);
    }
    total += image.end - image.begin;
  }
  if (count == 1) return rows.front();
  Tensor joined = Tensor::empty(DType::f32, {total, rows.front().dim(1)});
  auto* out = static_cast<std::byte*>(joined.mutable_raw());
  for (const Tensor& one : rows) {
    std::memcpy(out, one.raw(), one.size_bytes());
    out += one.size_bytes();
  }
  return joined;
}

void PromptReuse::keep(std::span<const std::int32_t> ids, const SequenceState& state, const KvCache& cache) {
  // A pad that the model uttered is text, and would be taken for a picture's.
  const auto answer = ids.begin() + static_cast<std::ptrdiff_t>(key_.ids.size());
  const auto spelled = std::find(answer, ids.end(), model_.runtime->image_token_id());
  const std::size_t position = cache.size_bytes() / static_cast<std::size_t>(cache.capacity());
  const auto room = static_cast<std::int64_t>(kept_.prompts.limit() / position);
  const std::int64_t end =
      state.boundary(std::min({state.past(), static_cast<std::int64_t>(spelled - ids.begin()), room}));
  if (end <= restored_) return;
  PromptKey key = key_;
  key.ids.assign(ids.begin(), ids.begin() + end);
  std::erase_if(key.images, [&](const PromptKey::Image& image) { return image.end > end; });
  if (kept_.prompts.holds(key)) return;
  const MemoryPool own;  // not that of the generation, which goes before
  const MemoryPoolScope scope(own);
  KvCache rows = model_.runtime->new_cache(end - restored_, key.dtype);
  rows.append_copy(cache, restored_, end);
  std::vector<KeptPrompts::Part> parts = parts_;
  parts.push_back({std::make_shared<KeptPrompts::Piece>(KeptPrompts::Piece{rows, rows.size_bytes()}), end - restored_});
  kept_.prompts.keep(std::move(key), std::move(parts));
}

}  // namespace model
}  // namespace octavo
