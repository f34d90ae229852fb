// A form as states over bytes, with rules that call each other as JSON values nest: a recursive transition network.
// Source: Woods 1970, "Transition network grammars for natural language analysis".
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string_view>
#include <vector>

namespace octavo::output_form {

using StateId = std::uint32_t;
using RuleId = std::uint32_t;

constexpr std::size_t kMostStates = 100'000;
constexpr std::uint32_t kMostNesting = 192;  // calls in each other; JSON's own reader takes 200 levels
constexpr std::uint32_t kNever = std::numeric_limits<std::uint32_t>::max();

struct ByteEdge {
  std::uint8_t first, last;
  StateId to;
};
struct CallEdge {
  RuleId rule;
  StateId to;  // once the rule is through
};
struct State {
  std::vector<ByteEdge> bytes;
  std::vector<StateId> free;  // without a byte
  std::vector<CallEdge> calls;
  std::uint32_t nesting = kNever;  // calls in each other that the rule's shortest way to its end takes
  bool accepts = false;
};

/// Built with the functions of the first half, which return where they end; then finish() makes it ready to run.
class Grammar {
 public:
  StateId new_state();
  RuleId new_rule();  ///< with a start and no end
  StateId start_of(RuleId rule) const { return rules_[rule].start; }
  void end_rule(StateId at) { states_[at].accepts = true; }

  void free_edge(StateId from, StateId to) { states_[from].free.push_back(to); }
  void byte_edge(StateId from, std::uint8_t first, std::uint8_t last, StateId to);
  StateId byte(StateId from, std::uint8_t first, std::uint8_t last);
  StateId literal(StateId from, std::string_view bytes);
  StateId call(StateId from, RuleId rule);
  void call_edge(StateId from, RuleId rule, StateId to) { states_[from].calls.push_back({rule, to}); }

  /// `root` is the whole text. Every other rule must take at least one byte, and none may call itself before it took
  /// one. @throws Error  invalid_argument where no text is complete.
  void finish(RuleId root);

  const State& state(StateId id) const { return states_[id]; }
  RuleId root() const { return root_; }
  std::size_t states() const { return states_.size(); }
  std::uint32_t rank(RuleId rule) const { return rules_[rule].rank; }  ///< callers before those they begin with
  std::size_t rules() const { return rules_.size(); }
  /// Bytes that no edge tells apart have one class.
  std::uint8_t class_of(std::uint8_t byte) const { return classes_[byte]; }
  std::size_t classes() const { return class_count_; }

 private:
  struct Rule {
    StateId start = 0;
    std::uint32_t rank = 0;
  };
  void find_nesting();
  void rank_rules();
  void find_classes();

  std::vector<State> states_;
  std::vector<Rule> rules_;
  RuleId root_ = 0;
  std::array<std::uint8_t, 256> classes_{};
  std::size_t class_count_ = 0;
};

}  // namespace octavo::output_form
