// Where a text of a form stands after each byte, every reading of it at once. Positions are numbered and remembered, so
// that a byte that was seen there before is one look-up: a grammar made deterministic as far as texts go.
//
// A reading is a state and a frame: where its rule returns to. Readings that call a rule at the same byte share one
// frame with several places to return to, so that readings do not multiply with depth. Source: Tomita 1985; Scott and
// Johnstone 2010, "GLL parsing".
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "grammar.hpp"

namespace octavo::output_form {

using PositionId = std::uint32_t;
constexpr PositionId kNowhere = kNever;

class Automaton {
 public:
  explicit Automaton(std::shared_ptr<const Grammar> grammar);

  PositionId begin() const { return begin_; }
  /// kNowhere: no text goes on like that. Positions are valid until forget().
  PositionId next(PositionId from, std::uint8_t byte) {
    PositionId& known = next_[std::size_t{from} * grammar_->classes() + grammar_->class_of(byte)];
    return known != kUnknown ? known : find_next(from, byte);
  }
  bool complete(PositionId at) const { return positions_[at].complete; }
  bool exhausted(PositionId at) const { return positions_[at].complete && positions_[at].readings.empty(); }

  /// Whether it is time to forget what is not needed.
  bool full() const { return next_.size() + 2 * readings_ > kMostRemembered; }
  /// Forgets every position but these, and gives them their new numbers.
  void forget(std::span<PositionId> keep);
  /// Readings that were followed so far: what ambiguity costs.
  std::uint64_t work() const { return work_; }

 private:
  static constexpr PositionId kUnknown = kNever - 1;
  static constexpr std::size_t kMostRemembered = std::size_t{1} << 22;  // some 16 MiB
  using FrameId = std::uint32_t;
  struct Reading {
    StateId state;
    FrameId frame;
    friend auto operator<=>(const Reading&, const Reading&) = default;
  };
  struct Frame {
    std::vector<Reading> returns;  // none: the whole text's
    std::uint32_t depth = 0;
  };
  struct Position {
    std::vector<Reading> readings;  // those that wait for a byte
    bool complete = false;
  };
  using Callers = std::map<std::pair<std::uint32_t, RuleId>, std::vector<Reading>>;  // by rank

  PositionId find_next(PositionId from, std::uint8_t byte);
  PositionId position_of(std::vector<Reading> waiting);
  PositionId known_or_new(Position position);
  void follow(std::vector<Reading>& waiting, Position& position, Callers& callers);
  FrameId frame_of(std::vector<Reading> returns);
  FrameId copy_frame(const Automaton& other, FrameId frame, std::unordered_map<FrameId, FrameId>& copied);
  void clear();

  std::shared_ptr<const Grammar> grammar_;
  PositionId begin_ = 0;
  std::vector<Position> positions_;
  std::vector<PositionId> next_;  // by position and class of byte
  std::size_t readings_ = 0;      // of all positions
  std::uint64_t work_ = 0;
  std::vector<Frame> frames_;
  std::unordered_multimap<std::uint64_t, PositionId> known_positions_;  // by hash
  std::unordered_multimap<std::uint64_t, FrameId> known_frames_;
  std::unordered_set<std::uint64_t> seen_;  // while a position is made
};

}  // namespace octavo::output_form
