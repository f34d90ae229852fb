// Pending sums row by row, while a kernel multiplies: straight code for each ending, since a branch or a call in every
// step takes longer than what it ends. The file that includes this defines OCTAVO_TARGET, with AVX-512, and
// OCTAVO_TILE_SUM, the type of a sum.
#pragma once

#include <algorithm>
#include <cstdint>
#include <type_traits>

#include "cpu.hpp"
#include "panels.hpp"
#include "pending_sums.hpp"

#ifdef OCTAVO_X86
#include <immintrin.h>

namespace octavo::gemm {

namespace {

constexpr std::int64_t kPendingColumns = 2 * kPanelColumns;

// What changes no bit: of a product, and of a sum, where -0 + -0 must stay -0.
template <int value>
struct Neutral {
  alignas(64) float values[kPendingColumns];
  constexpr Neutral() : values() {
    for (float& v : values) v = value == 1 ? 1.0F : -0.0F;
  }
};
constexpr Neutral<1> kNoScale;
constexpr Neutral<0> kNoBias;

struct NoRows {
  explicit NoRows(const PendingSums* /*pending*/) {}
  void end_some(std::int64_t /*count*/) {}
  void leave() {}
};

template <Ending ending, bool past_caches>
class PendingRows {
 public:
  explicit PendingRows(PendingSums* pending)
      : pending_(pending),
        sums_(reinterpret_cast<const OCTAVO_TILE_SUM*>(pending->sums) + pending->ended * kPendingColumns),
        stop_(sums_ + (pending->rows - pending->ended) * kPendingColumns),
        token_(pending->ending.tokens == nullptr ? nullptr : pending->ending.tokens + pending->ended),
        channel_(results().channel == nullptr ? kNoScale.values : results().channel),
        bias_(results().bias == nullptr ? kNoBias.values : results().bias),
        y_(results().y + pending->ended * results().stride),
        stride_(results().stride),
        gate_(ending == Ending::gate ? results().gate + pending->ended * results().gate_stride : nullptr),
        gate_stride_(results().gate_stride) {}

  [[gnu::always_inline]] OCTAVO_TARGET inline void end_some(std::int64_t count) {
    for (std::int64_t i = 0; i < count && sums_ != stop_; ++i) {
      if constexpr (!past_caches) {
        constexpr std::int64_t kRowsAhead = 8;
        __builtin_prefetch(y_ + kRowsAhead * stride_, 1);
        __builtin_prefetch(y_ + kRowsAhead * stride_ + 16, 1);
      }
      end_half(0);
      end_half(kPanelColumns);
      sums_ += kPendingColumns;
      y_ += stride_;
      if constexpr (ending == Ending::gate) gate_ += gate_stride_;
      if constexpr (kTokens) ++token_;
    }
  }

  // Tells the others how far this has come.
  void leave() { pending_->ended = pending_->rows - (stop_ - sums_) / kPendingColumns; }

 private:
  static constexpr bool kTokens = std::is_same_v<OCTAVO_TILE_SUM, std::int32_t>;

  const Results& results() const { return pending_->ending.results; }

  [[gnu::always_inline]] OCTAVO_TARGET inline void end_half(std::int64_t first) {
    alignas(64) float scaled[kPanelColumns];
    scale_all(sums_ + first, kTokens ? *token_ : 1.0F, channel_ + first, bias_ + first, kPanelColumns, scaled);
    // In an array of its own, which nothing else can be: else loops are not made vectors.
    alignas(64) float line[kPanelColumns];
    if constexpr (ending == Ending::add) std::copy_n(y_ + first, kPanelColumns, line);
    end_row(ending, scaled, kPanelColumns, line, ending == Ending::gate ? gate_ + first : nullptr);
    if constexpr (past_caches)
      _mm512_stream_ps(y_ + first, _mm512_load_ps(line));
    else
      _mm512_storeu_ps(y_ + first, _mm512_load_ps(line));
  }

  PendingSums* pending_;
  const OCTAVO_TILE_SUM* sums_;
  const OCTAVO_TILE_SUM* stop_;
  const float* token_;
  const float* channel_;
  const float* bias_;
  float* y_;
  std::int64_t stride_;
  const float* gate_;
  std::int64_t gate_stride_;
};

// call<Rows>() for the rows that the sums' ending takes; NoRows where none are left.
template <class Call>
void with_pending_rows(const PendingSums* pending, const Call& call) {
  if (pending == nullptr || pending->ended == pending->rows) return call.template operator()<NoRows>();
  const bool past_caches = pending->ending.past_caches;
  switch (pending->ending.results.ending) {
    case Ending::store:
      return past_caches ? call.template operator()<PendingRows<Ending::store, true>>()
                         : call.template operator()<PendingRows<Ending::store, false>>();
    case Ending::add:
      return call.template operator()<PendingRows<Ending::add, false>>();
    case Ending::gate:
      return past_caches ? call.template operator()<PendingRows<Ending::gate, true>>()
                         : call.template operator()<PendingRows<Ending::gate, false>>();
    case Ending::gelu:
      return past_caches ? call.template operator()<PendingRows<Ending::gelu, true>>()
                         : call.template operator()<PendingRows<Ending::gelu, false>>();
  }
}

template <class Rows>
OCTAVO_TARGET void end_rows(PendingSums* pending) {
  Rows rows(pending);
  rows.end_some(pending->rows);
  rows.leave();
}

void end_pending(PendingSums& pending) {
  with_pending_rows(&pending, [&]<class Rows>() { end_rows<Rows>(&pending); });
}

}  // namespace

}  // namespace octavo::gemm
#endif
