// The inside of Session, shared by session.cpp, session_generate.cpp and session_file.cpp.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "kept_prompts.hpp"
#include "model_impl.hpp"
#include "octavo/memory_pool.hpp"
#include "octavo/session.hpp"

namespace octavo {

namespace model {

/// A picture that a session holds.
struct HeldPicture {
  PromptKey::Image place;  ///< among the tokens
  Grid grid;
  PictureSize size;
};

}  // namespace model

struct Session::Impl {
  /// @throws Error  invalid_argument, as Session.
  Impl(std::shared_ptr<const Model::Impl> opened, std::int64_t capacity, DType cache_dtype, std::int64_t chunk);

  std::shared_ptr<const Model::Impl> model;
  SequenceState state;
  KvCache cache;
  std::int64_t prefill_chunk;
  std::vector<std::int32_t> tokens;  // the cache holds the first state.past() of them; the others are still to be run
  std::vector<model::HeldPicture> pictures;  // in order
  std::vector<float> logits;                 // of the last position, [vocab]; empty: not known
  MemoryPool pool;                           // of its calls' tensors

  std::int64_t past() const noexcept { return static_cast<std::int64_t>(tokens.size()); }
  std::int64_t unread() const noexcept { return past() - state.past(); }
  const model::RuntimeModel& runtime() const noexcept { return *model->runtime; }

  /// A call that feeds an input, and what it refers to.
  struct Feeding {
    std::vector<std::int32_t> ids;  // where there are others to be run before the input's
    std::vector<Grid> grids;
    std::vector<model::HeldPicture> pictures;
    model::SequenceCall call{};
  };
  /// Checks the input and encodes its images, which `input` must outlive.
  Feeding begin_feed(const ModelInput& input);
  /// After the call.
  void fed(const ModelInput& input, Feeding& feeding, std::span<const float> last_logits);

  void truncate(std::int64_t past);
  /// Where the logits are not known, and all tokens were run: makes the last one to be run again.
  void unread_last();
  /// Runs what is to be run, so that the logits are known.
  void read();
};

namespace model {

/// The pictures of an input that was checked, behind `past` tokens. Reads their pixels once, for the digests.
std::vector<HeldPicture> pictures_of(const RuntimeModel& runtime, const ModelInput& input, std::int64_t past);

}  // namespace model
}  // namespace octavo
