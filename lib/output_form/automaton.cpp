#include "automaton.hpp"

#include <algorithm>

namespace octavo::output_form {
namespace {

constexpr std::uint32_t kWholeText = 0;  // the frame of what is called by nobody

std::uint64_t mixed(std::uint64_t hash, std::uint64_t value) {  // FNV-1a over 64 bits at a time, and a shift more
  hash = (hash ^ value) * 0x100000001b3ULL;
  return hash ^ (hash >> 29U);
}

template <class Readings>
std::uint64_t hash_of(const Readings& readings, bool complete) {
  std::uint64_t hash = mixed(0xcbf29ce484222325ULL, complete ? 1 : 0);
  for (const auto& reading : readings) hash = mixed(hash, (std::uint64_t{reading.state} << 32U) | reading.frame);
  return hash;
}

template <class Readings>
void sort_unique(Readings& readings) {
  std::sort(readings.begin(), readings.end());
  readings.erase(std::unique(readings.begin(), readings.end()), readings.end());
}

}  // namespace

Automaton::Automaton(std::shared_ptr<const Grammar> grammar) : grammar_(std::move(grammar)) { clear(); }

void Automaton::clear() {
  positions_.clear();
  next_.clear();
  readings_ = 0;
  frames_.clear();
  known_positions_.clear();
  known_frames_.clear();
  frames_.emplace_back();
  begin_ = position_of({{grammar_->start_of(grammar_->root()), kWholeText}});
}

PositionId Automaton::find_next(PositionId from, std::uint8_t byte) {
  std::vector<Reading> read;
  for (const Reading& reading : positions_[from].readings)
    for (const ByteEdge& edge : grammar_->state(reading.state).bytes)
      if (edge.first <= byte && byte <= edge.last) read.push_back({edge.to, reading.frame});
  const PositionId to = read.empty() ? kNowhere : position_of(std::move(read));
  next_[std::size_t{from} * grammar_->classes() + grammar_->class_of(byte)] = to;
  return to;
}

/// Where these readings lead without a byte.
PositionId Automaton::position_of(std::vector<Reading> waiting) {
  seen_.clear();
  Position position;
  Callers callers;
  follow(waiting, position, callers);
  // A rule's callers are all known when its turn comes: whoever begins with it stood before it.
  while (!callers.empty()) {
    auto first = callers.extract(callers.begin());
    waiting.push_back({grammar_->start_of(first.key().second), frame_of(std::move(first.mapped()))});
    follow(waiting, position, callers);
  }
  if (position.readings.empty() && !position.complete) return kNowhere;
  return known_or_new(std::move(position));
}

PositionId Automaton::known_or_new(Position position) {
  sort_unique(position.readings);
  const std::uint64_t hash = hash_of(position.readings, position.complete);
  const auto [begin, end] = known_positions_.equal_range(hash);
  for (auto known = begin; known != end; ++known) {
    const Position& other = positions_[known->second];
    if (other.complete == position.complete && other.readings == position.readings) return known->second;
  }
  const auto id = static_cast<PositionId>(positions_.size());
  readings_ += position.readings.size();
  positions_.push_back(std::move(position));
  next_.resize(next_.size() + grammar_->classes(), kUnknown);
  known_positions_.emplace(hash, id);
  return id;
}

void Automaton::follow(std::vector<Reading>& waiting, Position& position, Callers& callers) {
  const auto fits = [](std::uint32_t depth, std::uint32_t nesting) {
    return nesting <= kMostNesting && depth + nesting <= kMostNesting;
  };
  while (!waiting.empty()) {
    const Reading reading = waiting.back();
    waiting.pop_back();
    if (!seen_.insert((std::uint64_t{reading.state} << 32U) | reading.frame).second) continue;
    ++work_;
    const State& state = grammar_->state(reading.state);
    const std::uint32_t depth = frames_[reading.frame].depth;
    if (!fits(depth, state.nesting)) continue;
    if (state.accepts) {
      if (reading.frame == kWholeText) position.complete = true;
      const std::vector<Reading>& returns = frames_[reading.frame].returns;
      waiting.insert(waiting.end(), returns.begin(), returns.end());
    }
    for (const StateId to : state.free) waiting.push_back({to, reading.frame});
    for (const CallEdge& edge : state.calls) {
      const std::uint32_t inside = grammar_->state(grammar_->start_of(edge.rule)).nesting;
      if (fits(depth + 1, inside) && fits(depth, grammar_->state(edge.to).nesting))
        callers[{grammar_->rank(edge.rule), edge.rule}].push_back({edge.to, reading.frame});
    }
    if (!state.bytes.empty()) position.readings.push_back(reading);
  }
}

Automaton::FrameId Automaton::frame_of(std::vector<Reading> returns) {
  sort_unique(returns);
  const std::uint64_t hash = hash_of(returns, false);
  const auto [begin, end] = known_frames_.equal_range(hash);
  for (auto known = begin; known != end; ++known)
    if (frames_[known->second].returns == returns) return known->second;
  Frame frame;
  for (const Reading& back : returns) frame.depth = std::max(frame.depth, frames_[back.frame].depth + 1);
  frame.returns = std::move(returns);
  const auto id = static_cast<FrameId>(frames_.size());
  frames_.push_back(std::move(frame));
  known_frames_.emplace(hash, id);
  return id;
}

Automaton::FrameId Automaton::copy_frame(const Automaton& other, FrameId frame,
                                         std::unordered_map<FrameId, FrameId>& copied) {
  if (frame == kWholeText) return kWholeText;
  if (const auto known = copied.find(frame); known != copied.end()) return known->second;
  std::vector<Reading> returns;
  for (const Reading& back : other.frames_[frame].returns)  // at most kMostNesting deep
    returns.push_back({back.state, copy_frame(other, back.frame, copied)});
  const FrameId copy = frame_of(std::move(returns));
  copied.emplace(frame, copy);
  return copy;
}

void Automaton::forget(std::span<PositionId> keep) {
  const Automaton before = std::move(*this);
  grammar_ = before.grammar_;
  work_ = before.work_;
  clear();
  std::unordered_map<FrameId, FrameId> copied;
  for (PositionId& id : keep) {
    const Position& kept = before.positions_[id];
    Position position;
    position.complete = kept.complete;
    work_ += kept.readings.size();
    for (const Reading& reading : kept.readings)
      position.readings.push_back({reading.state, copy_frame(before, reading.frame, copied)});
    id = known_or_new(std::move(position));
  }
}

}  // namespace octavo::output_form
