/// @file
/// Prompts that begin alike are read once: keys and values of past prompts and answers, and the rows of past pictures.
///
///     GenerateOptions options;
///     options.prefix_cache = std::make_shared<PrefixCache>();
///     model.generate(model.prepare("What is this?", {&image, 1}), options);
///     // The same system prompt and picture: only the question is run, and the picture not looked at again.
///     GenerateResult second = model.generate(model.prepare("What colour is it?", {&image, 1}), options);
///     second.reused_tokens;
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

namespace octavo {

namespace model {
class PromptReuse;
}

/// What generate() keeps of its prompts, answers and pictures, and finds again. A prompt is known by the model that ran
/// it, the type of its cache, its token ids, and the SHA-256 of each picture's pixels and grid, a picture's rows by
/// model and SHA-256; what differs in any of these is never taken for the same. Logits are the same as without but for
/// float rounding: products of fewer rows may sum in another order.
///
/// Bounded in bytes, keys and values apart from pictures; what was not used for longest goes first. Prompts that begin
/// with the same tokens share their memory as far as one was read after the other was kept.
///
/// Threads: may be shared by any number of threads, generations and models. What a running generation reads stays in
/// memory until it has read it, beyond the bound if need be.
class PrefixCache {
 public:
  struct Limits {
    std::size_t kv_bytes = std::size_t{1} << 30;     ///< keys and values; 0: none are kept
    std::size_t image_bytes = std::size_t{1} << 28;  ///< rows of pictures; 0: none are kept
  };
  PrefixCache() : PrefixCache(Limits{}) {}
  explicit PrefixCache(Limits limits);
  ~PrefixCache();
  PrefixCache(const PrefixCache&) = delete;
  PrefixCache& operator=(const PrefixCache&) = delete;

  struct Stats {
    std::size_t prompts = 0, kv_bytes = 0;    ///< kept now
    std::size_t images = 0, image_bytes = 0;  ///< kept now
    std::uint64_t reused_tokens = 0;          ///< of all generations
    std::uint64_t reused_images = 0;          ///< whose rows were found
    std::uint64_t encoded_images = 0;         ///< whose rows were not, and were needed
  };
  Stats stats() const;
  void clear();  ///< forgets everything that is kept; the counts go on

 private:
  struct Impl;
  friend class model::PromptReuse;
  std::unique_ptr<Impl> impl_;
};

}  // namespace octavo
