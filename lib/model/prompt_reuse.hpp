// What one sequence takes from a PrefixCache and leaves in it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "kept_images.hpp"
#include "kept_prompts.hpp"
#include "model_impl.hpp"
#include "octavo/prefix_cache.hpp"

namespace octavo {

struct PrefixCache::Impl {
  explicit Impl(Limits limits) : prompts(limits.kv_bytes), images(limits.image_bytes) {}
  model::KeptPrompts prompts;
  model::KeptImages images;
  std::atomic<std::uint64_t> reused_tokens{0}, reused_images{0}, encoded_images{0};
};

namespace model {

class PromptReuse {
 public:
  /// Reads all pixels once, for their digests. All of these must outlive it.
  PromptReuse(const PrefixCache& cache, const Model::Impl& model, const ModelInput& input, DType cache_dtype);
  /// Fills an empty state and cache with as much of the prompt's beginning as is kept, but its last token, whose logits
  /// are to be computed. Returns the tokens.
  std::int64_t restore(SequenceState& state, KvCache& cache);
  std::size_t restored_images() const noexcept { return restored_images_; }
  /// f32 [image tokens, hidden] of the images that were not restored; undefined without any. Runs the vision tower for
  /// those that are not kept.
  Tensor image_rows(const CancelToken& cancel) const;
  /// Keeps what `state` has committed of `ids`, prompt and answer.
  void keep(std::span<const std::int32_t> ids, const SequenceState& state, const KvCache& cache);

 private:
  PrefixCache::Impl& kept_;
  const Model::Impl& model_;
  const ModelInput& input_;
  PromptKey key_;                         // of the prompt
  std::vector<KeptPrompts::Part> parts_;  // that were restored
  std::int64_t restored_ = 0;             // their tokens
  std::size_t restored_images_ = 0;
};

}  // namespace model
}  // namespace octavo
