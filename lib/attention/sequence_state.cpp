#include <algorithm>

#include "octavo/attention.hpp"

namespace octavo {

namespace {

/// Which side keeps a grid from being one frame of whole groups of at most `most` patches a side.
ShapeDetail wrong_side(const Grid& grid, std::int64_t merge, std::int64_t most) {
  const auto whole = [&](std::int64_t side) {
    return std::clamp<std::int64_t>(side / merge * merge, merge, std::max(merge, most));
  };
  if (grid.t != 1) return {"sequence", "", "grids", 0, "grid.t", 1, grid.t};
  if (grid.h != whole(grid.h)) return {"sequence", "", "grids", 1, "grid.h", whole(grid.h), grid.h};
  return {"sequence", "", "grids", 2, "grid.w", whole(grid.w), grid.w};
}

}  // namespace

SequenceState::SequenceState(Tokens tokens) : tokens_(tokens) {
  if (tokens_.spatial_merge_size <= 0)
    throw Error(ErrorCode::invalid_argument, "SequenceState: spatial_merge_size is " +
                                                 std::to_string(tokens_.spatial_merge_size) + ", it must be positive");
}

std::int64_t SequenceState::past() const noexcept { return past_; }

std::int64_t SequenceState::next_position() const noexcept {
  // Text advances by one per token, and all that is not text is an image.
  return images_.empty() ? past_ : images_.back().next + std::max<std::int64_t>(0, past_ - images_.back().end);
}

void SequenceState::reset() noexcept {
  past_ = 0;
  images_.clear();
}

std::int64_t SequenceState::boundary(std::int64_t past) const noexcept {
  for (const PlacedImage& image : images_)
    if (image.begin < past && past < image.end) return image.begin;
  return past;
}

void SequenceState::truncate(std::int64_t past) {
  if (past < 0 || past > past_)
    throw Error(ErrorCode::invalid_argument, "sequence: it holds " + std::to_string(past_) +
                                                 " tokens, it cannot be truncated to " + std::to_string(past));
  for (const PlacedImage& image : images_)
    if (image.begin < past && past < image.end)
      throw Error(ErrorCode::invalid_argument, "sequence: token " + std::to_string(past) +
                                                   " is inside an image, which stands at [" +
                                                   std::to_string(image.begin) + ", " + std::to_string(image.end) +
                                                   "): truncate to one of its ends");
  while (!images_.empty() && images_.back().begin >= past) images_.pop_back();
  past_ = past;
}

CallPlan CallPlan::slice(std::int64_t begin, std::int64_t end) const {
  if (begin < 0 || begin >= end || end > q_len)
    throw Error(ErrorCode::invalid_argument, "sequence: [" + std::to_string(begin) + ", " + std::to_string(end) +
                                                 ") is no part of a call of " + std::to_string(q_len) + " tokens");
  CallPlan part{past + begin,
                end - begin,
                past + end,
                positions.slice(1, begin, end).contiguous(),
                Mask::causal(past + begin),
                {}};
  for (const PlacedImage& image : images)
    if (image.begin < part.kv_len && image.end > part.past) part.images.push_back(image);
  return part;
}

CallPlan SequenceState::plan(std::span<const std::int32_t> new_ids, std::span<const Grid> grids) const {
  if (new_ids.empty()) throw Error(ErrorCode::invalid_argument, "sequence: no new tokens were given");
  if (!images_.empty() && past_ < images_.back().end)
    throw Error(ErrorCode::invalid_argument, "sequence: its " + std::to_string(past_) +
                                                 " tokens end inside an image: feed the rest of the plan that began "
                                                 "it, or truncate to " +
                                                 std::to_string(images_.back().begin));
  const auto q_len = static_cast<std::int64_t>(new_ids.size());
  const std::int64_t merge = tokens_.spatial_merge_size;
  CallPlan plan;
  plan.past = past_;
  plan.q_len = q_len;
  plan.kv_len = past_ + q_len;
  plan.mask = Mask::causal(past_);
  plan.positions = Tensor::empty(DType::i64, {3, q_len});
  std::int64_t* rows = plan.positions.mutable_data<std::int64_t>();

  std::int64_t next = next_position();
  std::size_t image = 0;
  for (std::int64_t i = 0; i < q_len;) {
    const std::int32_t id = new_ids[static_cast<std::size_t>(i)];
    if (id == tokens_.video_token_id)
      throw Error(ErrorCode::unsupported,
                  "sequence: token " + std::to_string(past_ + i) + " is a video pad; videos are not supported");
    if (id != tokens_.image_token_id) {
      rows[i] = rows[q_len + i] = rows[2 * q_len + i] = next++;
      ++i;
      continue;
    }
    if (image == grids.size())
      throw Error(ErrorCode::shape_mismatch,
                  "sequence: token " + std::to_string(past_ + i) + " is an image pad, but all " +
                      std::to_string(grids.size()) + " images given are already placed: images and pads must match",
                  ShapeDetail{"sequence", "", "images", 0, "images", static_cast<std::int64_t>(grids.size()) + 1,
                              static_cast<std::int64_t>(grids.size())});
    const Grid& grid = grids[image];
    constexpr std::int64_t kMost = std::int64_t{1} << 20;  // keeps gh * gw far from overflow
    const std::int64_t gh = grid.h / merge;
    const std::int64_t gw = grid.w / merge;
    if (grid.t != 1 || gh <= 0 || gw <= 0 || grid.h % merge != 0 || grid.w % merge != 0 || grid.h > kMost ||
        grid.w > kMost)
      throw Error(ErrorCode::shape_mismatch,
                  "sequence: image " + std::to_string(image) + " has the grid " + std::to_string(grid.t) + " x " +
                      std::to_string(grid.h) + " x " + std::to_string(grid.w) +
                      " patches; an image is one frame of whole " + std::to_string(merge) + " x " +
                      std::to_string(merge) + " groups",
                  wrong_side(grid, merge, kMost));
    const std::int64_t wanted = gh * gw;
    std::int64_t found = 0;
    while (found < wanted && i + found < q_len &&
           new_ids[static_cast<std::size_t>(i + found)] == tokens_.image_token_id)
      ++found;
    if (found != wanted)
      throw Error(ErrorCode::shape_mismatch,
                  "sequence: image " + std::to_string(image) + " has " + std::to_string(found) +
                      " pad tokens from token " + std::to_string(past_ + i) + " on, but its grid " +
                      std::to_string(grid.t) + " x " + std::to_string(grid.h) + " x " + std::to_string(grid.w) +
                      " makes " + std::to_string(wanted) +
                      ": expand each pad to t*h*w/merge^2 copies, and keep an image whole within one call",
                  ShapeDetail{"sequence", "", "ids", 0, "image tokens", wanted, found});
    plan.images.push_back({past_ + i, past_ + i + wanted, next + std::max(gh, gw)});
    for (std::int64_t a = 0; a < gh; ++a)
      for (std::int64_t b = 0; b < gw; ++b, ++i) {
        rows[i] = next;
        rows[q_len + i] = next + a;
        rows[2 * q_len + i] = next + b;
      }
    next = plan.images.back().next;
    ++image;
  }
  if (image != grids.size())
    throw Error(ErrorCode::shape_mismatch,
                "sequence: " + std::to_string(grids.size()) + " images were given, but the tokens have pads for " +
                    std::to_string(image),
                ShapeDetail{"sequence", "", "images", 0, "images", static_cast<std::int64_t>(image),
                            static_cast<std::int64_t>(grids.size())});
  return plan;
}

CallPlan SequenceState::plan(std::int64_t q_len) const {
  if (q_len <= 0) throw Error(ErrorCode::invalid_argument, "sequence: no new tokens were given");
  return {past_, q_len, past_ + q_len, Tensor::meta(DType::i64, {3, q_len}), Mask::causal(past_), {}};
}

void SequenceState::skip(std::int64_t tokens) noexcept { past_ += tokens; }

void SequenceState::commit(const CallPlan& plan) {
  if (plan.past != past_ || plan.q_len <= 0 || plan.kv_len != plan.past + plan.q_len)
    throw Error(ErrorCode::invalid_argument, "sequence: the plan was made at " + std::to_string(plan.past) +
                                                 " positions, " + std::to_string(past_) +
                                                 " are committed: plan each call anew");
  if (!plan.positions.defined() || plan.positions.shape() != Shape{3, plan.q_len})
    throw Error(
        ErrorCode::shape_mismatch,
        "sequence: the plan's positions must be [3, " + std::to_string(plan.q_len) + "], commit what plan() made",
        ShapeDetail{"sequence", "", "positions", 1, "q_len", plan.q_len,
                    plan.positions.defined() && plan.positions.rank() == 2 ? plan.positions.dim(1) : 0});
  for (const PlacedImage& image : plan.images)
    if (image.begin >= past_) images_.push_back(image);
  past_ = plan.kv_len;
}

}  // namespace octavo
