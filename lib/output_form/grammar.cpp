#include "grammar.hpp"

#include <algorithm>
#include <string>
#include <utility>

#include "octavo/error.hpp"

namespace octavo::output_form {

StateId Grammar::new_state() {
  if (states_.size() == kMostStates)
    throw Error(ErrorCode::invalid_argument, "output form: it takes more than " + std::to_string(kMostStates) +
                                                 " states: allow fewer elements, shorter strings or fewer choices");
  states_.emplace_back();
  return static_cast<StateId>(states_.size() - 1);
}

RuleId Grammar::new_rule() {
  rules_.push_back({new_state(), 0});
  return static_cast<RuleId>(rules_.size() - 1);
}

void Grammar::byte_edge(StateId from, std::uint8_t first, std::uint8_t last, StateId to) {
  states_[from].bytes.push_back({first, last, to});
}

StateId Grammar::byte(StateId from, std::uint8_t first, std::uint8_t last) {
  const StateId to = new_state();
  byte_edge(from, first, last, to);
  return to;
}

StateId Grammar::literal(StateId from, std::string_view bytes) {
  for (const char c : bytes) from = byte(from, static_cast<std::uint8_t>(c), static_cast<std::uint8_t>(c));
  return from;
}

StateId Grammar::call(StateId from, RuleId rule) {
  const StateId to = new_state();
  call_edge(from, rule, to);
  return to;
}

void Grammar::finish(RuleId root) {
  root_ = root;
  find_nesting();
  if (states_[start_of(root)].nesting > kMostNesting)
    throw Error(ErrorCode::invalid_argument,
                "output form: no text has it: what it asks for contains itself, without end or more than 192 deep");
  rank_rules();
  find_classes();
}

/// The fewest calls in each other on a way from each state to the end of its rule: so that a limited depth never leads
/// to where nothing can be completed. Backwards from the ends, one depth after the other.
void Grammar::find_nesting() {
  struct Call {
    StateId from;
    RuleId rule;
  };
  struct Back {
    std::vector<StateId> steps;
    std::vector<Call> calls;  // that come back here
  };
  std::vector<Back> back(states_.size());
  std::vector<std::vector<std::pair<StateId, StateId>>> callers(rules_.size());  // from, to
  std::vector<StateId> reached;                                                  // with `depth`
  for (StateId id = 0; id < states_.size(); ++id) {
    const State& state = states_[id];
    for (const ByteEdge& edge : state.bytes) back[edge.to].steps.push_back(id);
    for (const StateId to : state.free) back[to].steps.push_back(id);
    for (const CallEdge& edge : state.calls) {
      back[edge.to].calls.push_back({id, edge.rule});
      callers[edge.rule].emplace_back(id, edge.to);
    }
    if (state.accepts) reached.push_back(id);
  }
  std::vector<std::vector<RuleId>> begins(states_.size());  // rules, by start
  for (RuleId rule = 0; rule < rules_.size(); ++rule) begins[start_of(rule)].push_back(rule);
  for (const StateId id : reached) states_[id].nesting = 0;
  for (std::uint32_t depth = 0; depth <= kMostNesting && !reached.empty(); ++depth) {
    const auto reach = [&](StateId id) {
      if (states_[id].nesting <= depth) return;
      states_[id].nesting = depth;
      reached.push_back(id);
    };
    for (std::size_t i = 0; i < reached.size(); ++i) {
      for (const StateId from : back[reached[i]].steps) reach(from);
      for (const Call& call : back[reached[i]].calls)
        if (states_[start_of(call.rule)].nesting < depth) reach(call.from);
    }
    std::vector<StateId> next;  // one deeper: callers of what is through at this depth
    for (const StateId id : reached)
      for (const RuleId rule : begins[id])
        for (const auto& [from, to] : callers[rule])
          if (states_[to].nesting <= depth + 1 && states_[from].nesting > depth + 1) {
            states_[from].nesting = depth + 1;
            next.push_back(from);
          }
    reached = std::move(next);
  }
}

/// Which rules a rule may begin with, in an order in which callers stand first. There is one, since no rule calls
/// itself before a byte. Without recursion, since rules may be many.
void Grammar::rank_rules() {
  std::vector<std::vector<RuleId>> begins_with(rules_.size());
  std::vector<bool> seen(states_.size(), false);
  for (std::size_t rule = 0; rule < rules_.size(); ++rule) {
    std::vector<StateId> reached{rules_[rule].start};
    seen[rules_[rule].start] = true;
    for (std::size_t i = 0; i < reached.size(); ++i) {
      for (const CallEdge& edge : states_[reached[i]].calls) begins_with[rule].push_back(edge.rule);
      for (const StateId to : states_[reached[i]].free)
        if (!seen[to]) {
          seen[to] = true;
          reached.push_back(to);
        }
    }
    for (const StateId state : reached) seen[state] = false;
  }
  std::vector<std::size_t> callers(rules_.size(), 0);
  for (const auto& called : begins_with)
    for (const RuleId rule : called) ++callers[rule];
  std::vector<RuleId> order;
  for (RuleId rule = 0; rule < rules_.size(); ++rule)
    if (callers[rule] == 0) order.push_back(rule);
  for (std::size_t i = 0; i < order.size(); ++i) {
    rules_[order[i]].rank = static_cast<std::uint32_t>(i);
    for (const RuleId rule : begins_with[order[i]])
      if (--callers[rule] == 0) order.push_back(rule);
  }
  if (order.size() != rules_.size()) throw Error(ErrorCode::internal, "output form: a rule begins with itself");
}

void Grammar::find_classes() {
  std::array<bool, 257> begins{};
  begins[0] = true;
  for (const State& state : states_)
    for (const ByteEdge& edge : state.bytes) {
      begins[edge.first] = true;
      begins[std::size_t{edge.last} + 1] = true;
    }
  std::size_t count = 0;
  for (std::size_t byte = 0; byte < 256; ++byte) {
    if (begins[byte]) ++count;
    classes_[byte] = static_cast<std::uint8_t>(count - 1);
  }
  class_count_ = count;
}

}  // namespace octavo::output_form
