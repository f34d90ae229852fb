#include "head_screen.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <new>
#include <string>

#include "int8_copy.hpp"
#include "octavo/detail/clones.hpp"
#include "octavo/detail/memory_left.hpp"
#include "octavo/detail/pooled.hpp"
#include "octavo/error.hpp"
#include "octavo/log.hpp"
#include "octavo/observer.hpp"

namespace octavo::model {

namespace {

constexpr float kNever = -std::numeric_limits<float>::infinity();
constexpr std::int64_t kLanes = 16;     // maxima that are found side by side
constexpr std::size_t kMostShare = 16;  // of the vocabulary: more rows, read one by one, cost as much as all

/// |x|, rounded up; not finite where x is not.
float length_of(const float* x, std::int64_t count) {
  double sum = 0;
  for (std::int64_t i = 0; i < count; ++i) sum += static_cast<double>(x[i]) * static_cast<double>(x[i]);
  return static_cast<float>(std::sqrt(sum) * (1 + 1e-6));
}

/// The largest that is sure: of logit - bound * length. NaN and infinity among the logits make it so.
OCTAVO_CLONES float sure_of(const float* logits, const float* bounds, float length, std::int64_t count) {
  float best[kLanes];
  float sum[kLanes] = {};  // of zeros, unless there are NaN or infinities
  std::fill(best, best + kLanes, kNever);
  std::int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes)
    for (std::int64_t j = 0; j < kLanes; ++j) {
      const float sure = logits[i + j] - bounds[i + j] * length;
      best[j] = sure > best[j] ? sure : best[j];
      sum[j] += sure * 0.0F;
    }
  for (; i < count; ++i) {
    best[0] = std::max(best[0], logits[i] - bounds[i] * length);
    sum[0] += (logits[i] - bounds[i] * length) * 0.0F;
  }
  for (std::int64_t j = 1; j < kLanes; ++j) {
    best[0] = std::max(best[0], best[j]);
    sum[0] += sum[j];
  }
  return best[0] + sum[0];
}

/// possible[i / kLanes] |= whether one of kLanes logits may reach `sure`.
OCTAVO_CLONES void mark_possible(const float* logits, const float* bounds, float length, float sure, std::int64_t count,
                                 std::uint8_t* possible) {
  for (std::int64_t i = 0; i < count; i += kLanes) {
    const std::int64_t some = std::min(kLanes, count - i);
    int reached = 0;
    for (std::int64_t j = 0; j < some; ++j) reached |= static_cast<int>(logits[i + j] + bounds[i + j] * length >= sure);
    possible[i / kLanes] = static_cast<std::uint8_t>(possible[i / kLanes] | reached);
  }
}

}  // namespace

HeadScreen::HeadScreen(const Linear& head, const Tensor& weight) : head_(head) {
  std::vector<float> errors, lengths;
  copy_ = int8_copy(head.module_path(), weight, FloatMath::f32, {&errors, &lengths});
  const auto k = static_cast<float>(weight.dim(1));
  // Two sums of K terms, whose x was rounded by 2^-30 for one of them, and a few roundings of results.
  const float rounding = (2 * k + 64) * 0x1p-24F;
  bounds_.resize(errors.size());
  for (std::size_t j = 0; j < bounds_.size(); ++j)
    bounds_[j] = (errors[j] + rounding * (lengths[j] + errors[j])) * 1.001F;
}

Tensor HeadScreen::logits(const Tensor& x, std::span<const std::int32_t> exact) const {
  const std::int64_t rows = x.dim(0), vocab = head_.out_features(), width = head_.in_features();
  const std::size_t most = std::max<std::size_t>(1, static_cast<std::size_t>(vocab) / kMostShare);
  detail::PooledVector<std::uint8_t> possible(static_cast<std::size_t>((vocab + kLanes - 1) / kLanes));
  detail::PooledVector<bool> wanted(static_cast<std::size_t>(vocab));
  detail::PooledVector<std::int32_t> columns;
  const auto want = [&](std::int32_t id) {
    if (wanted[static_cast<std::size_t>(id)]) return;
    wanted[static_cast<std::size_t>(id)] = true;
    columns.push_back(id);
  };
  for (const std::int32_t id : exact)
    if (id >= 0 && id < vocab) want(id);
  const std::size_t given = columns.size();
  if (given > most) return {};
  Tensor near = copy_.forward(x);
  auto* values = near.mutable_data<float>();
  for (std::int64_t r = 0; r < rows; ++r) {
    float* row = values + r * vocab;
    const float length = length_of(x.data<float>() + r * width, width);
    // Those that are exact in any case do not count: a penalty may make less of them.
    for (std::size_t i = 0; i < given; ++i) row[columns[i]] = std::numeric_limits<float>::lowest();
    const float sure = sure_of(row, bounds_.data(), length, vocab);
    if (!std::isfinite(sure)) return {};
    std::fill(possible.begin(), possible.end(), 0);
    mark_possible(row, bounds_.data(), length, sure, vocab, possible.data());
    for (std::int64_t first = 0; first < vocab; first += kLanes) {
      if (possible[static_cast<std::size_t>(first / kLanes)] == 0) continue;
      for (std::int64_t id = first; id < std::min(vocab, first + kLanes); ++id)
        if (row[id] + bounds_[static_cast<std::size_t>(id)] * length >= sure) want(static_cast<std::int32_t>(id));
    }
    if (columns.size() > given + most) return {};
  }
  const Tensor found = head_.forward_columns(x, columns);
  const float* from = found.data<float>();
  if (!std::all_of(from, from + found.numel(), [](float logit) { return std::isfinite(logit); })) return {};
  std::fill(values, values + rows * vocab, kNever);
  for (std::int64_t r = 0; r < rows; ++r)
    for (const std::int32_t id : columns) values[r * vocab + id] = *from++;
  return near;
}

ScreenPolicy& screen_policy() noexcept {
  static ScreenPolicy policy;
  return policy;
}

std::shared_ptr<const LazyHeadScreen> LazyHeadScreen::of(const Linear& head, const Tensor& weight) {
  // A weight in memory of the caller's own would be there one and a half times.
  if (head.kind() != LinearKind::floating || !weight.defined() || weight.is_meta() || !weight.is_mapped() ||
      weight.size_bytes() < screen_policy().least_bytes)
    return nullptr;
  const std::vector<BackendInfo> backends = int8_backends();
  const bool fast = std::any_of(backends.begin(), backends.end(),
                                [](const BackendInfo& backend) { return backend.name == "avx2" && backend.available; });
  return fast ? std::make_shared<const LazyHeadScreen>(head, weight) : nullptr;
}

Tensor LazyHeadScreen::logits(const Tensor& x, std::span<const std::int32_t> exact) const {
  const HeadScreen* screen = get();
  if (screen == nullptr) return {};
  // Of a model whose logits are all alike, few tokens are found so; then more and more go by without a try.
  if (const int left = left_out_.load(); left > 0) {
    left_out_.store(left - 1);
    return {};
  }
  Tensor found = screen->logits(x, exact);
  next_left_out_.store(found.defined() ? 1 : std::min(64, 2 * next_left_out_.load()));
  if (!found.defined()) left_out_.store(next_left_out_.load());
  return found;
}

std::nullptr_t LazyHeadScreen::give_up(const std::string& reason) const {
  given_up_ = true;
  log_line(LogLevel::info, "model", [&] { return "greedy tokens read all of lm_head: " + reason; });
  return nullptr;
}

const HeadScreen* LazyHeadScreen::get() const {
  if (const HeadScreen* screen = ready()) return screen;
  if (asked_.load() < policy_.asked_before && asked_.fetch_add(1) < policy_.asked_before) return nullptr;
  const std::unique_lock lock(mutex_, std::try_to_lock);
  if (!lock || given_up_) return nullptr;
  if (screen_) return screen_.get();
  try {
    if (!detail::leaves_enough(detail::memory_left(), weight_.size_bytes() / 2))
      return give_up("a copy would leave too little of the memory available");
    screen_ = std::make_unique<const HeadScreen>(head_, weight_);
  } catch (const Error& error) {
    if (error.code() == ErrorCode::cancelled) throw;
    return give_up(error.what());
  } catch (const std::bad_alloc&) {
    return give_up("there is not enough memory for a copy");
  }
  ready_.store(screen_.get(), std::memory_order_release);
  log_line(LogLevel::info, "model",
           [] { return std::string("greedy tokens read the copy of lm_head, and the rows that may be the largest"); });
  return screen_.get();
}

}  // namespace octavo::model
