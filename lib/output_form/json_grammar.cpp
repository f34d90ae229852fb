#include "json_grammar.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>

#include "characters.hpp"
#include "free_keys.hpp"
#include "numbers.hpp"

namespace octavo::output_form {
namespace {

constexpr int kMostIndent = 32;  // spaces or tabs after a line break

class JsonGrammar {
 public:
  JsonGrammar(const Values& values, const FormOptions& options) : options_(options) {
    for (std::size_t i = 0; i < values.size(); ++i) rules_.push_back(grammar_.new_rule());
    for (ValueId id = 0; id < values.size(); ++id) {
      const StateId start = grammar_.start_of(rules_[id]);
      grammar_.end_rule(std::visit([&](const auto& value) { return write(start, value); }, values[id]));
    }
    const RuleId root = grammar_.new_rule();
    StateId at = grammar_.start_of(root);
    if (options.fence) at = grammar_.literal(at, "```json\n");
    at = grammar_.call(at, rules_.front());
    if (options.fence) at = grammar_.literal(at, "\n```");
    grammar_.end_rule(at);
    grammar_.finish(root);
  }

  Grammar grammar() && { return std::move(grammar_); }

 private:
  StateId write(StateId from, const AnyValue&) { return grammar_.call(from, any()); }

  StateId write(StateId from, const LiteralValue& literal) { return write_literal(from, literal.value); }

  StateId write(StateId from, const IntegerValue& integer) {
    const auto [known, added] = integers_.try_emplace({integer.least, integer.most});
    if (added) {
      known->second = grammar_.new_rule();
      grammar_.end_rule(write_integer(grammar_, grammar_.start_of(known->second), integer.least, integer.most));
    }
    return grammar_.call(from, known->second);
  }

  StateId write(StateId from, const NumberValue& number) {
    if (number.least || number.most) return write_number_between(grammar_, from, number.least, number.most);
    if (!number_) {
      number_ = grammar_.new_rule();
      grammar_.end_rule(write_number(grammar_, grammar_.start_of(*number_)));
    }
    return grammar_.call(from, *number_);
  }

  StateId write(StateId from, const StringValue& string) {
    StateId at = grammar_.literal(from, "\"");
    if (string.pattern) return grammar_.literal(string.pattern->write(grammar_, at, json_edges), "\"");
    for (std::uint64_t i = 0; i < string.least; ++i) at = character(at);
    const StateId end = grammar_.new_state();
    if (string.most) {
      for (std::uint64_t i = string.least; i < *string.most; ++i) {
        grammar_.free_edge(at, end);
        at = character(at);
      }
    } else {
      const StateId loop = grammar_.new_state();
      grammar_.free_edge(at, loop);
      usual_json_edges(grammar_, loop, loop);
      grammar_.call_edge(loop, unusual_character(), loop);
      at = loop;
    }
    grammar_.free_edge(at, end);
    return grammar_.literal(end, "\"");
  }

  StateId write(StateId from, const ArrayValue& array) {
    const StateId end = grammar_.new_state();
    StateId at = opened(from, "[");
    const std::uint64_t known = array.first.size();
    const std::uint64_t most = std::min(array.most.value_or(kUnlimited), array.rest ? kUnlimited : known);
    std::uint64_t count = 0;
    const auto element = [&](StateId before) {
      if (count > 0) before = comma(before);
      const ValueId value = count < known ? array.first[count] : *array.rest;
      ++count;
      return grammar_.call(before, rules_[value]);
    };
    while (count < most && (count < array.least || count < known || count == 0 || most != kUnlimited)) {
      if (count >= array.least) grammar_.free_edge(at, end);
      at = element(at);
    }
    if (count >= array.least) grammar_.free_edge(at, end);
    if (most == kUnlimited) grammar_.free_edge(element(at), at);
    return closed(end, "]");
  }

  StateId write(StateId from, const ObjectValue& object) {
    StateId nothing = opened(from, "{");  // no member yet: the next stands behind no comma
    StateId some = grammar_.new_state();
    bool all_optional = true;
    for (const Member& member : object.members) {
      const StateId key = grammar_.new_state();
      if (all_optional) grammar_.free_edge(nothing, key);
      grammar_.free_edge(comma(some), key);
      const StateId after = value_of_key(grammar_.literal(key, quoted(member.key)), member.value);
      if (member.required)
        all_optional = false;
      else
        grammar_.free_edge(some, after);
      some = after;
      if (!all_optional) nothing = grammar_.new_state();  // not to be reached
    }
    if (object.rest) {
      const StateId key = grammar_.new_state();
      grammar_.free_edge(nothing, key);
      grammar_.free_edge(comma(some), key);
      grammar_.free_edge(value_of_key(write_free_key(grammar_, key, object.members), *object.rest), some);
    }
    const StateId end = grammar_.new_state();
    grammar_.free_edge(nothing, end);
    grammar_.free_edge(some, end);
    return closed(end, "}");
  }

  StateId write(StateId from, const OneOf& choice) {
    const StateId to = grammar_.new_state();
    for (const ValueId value : choice.values) grammar_.call_edge(from, rules_[value], to);
    return to;
  }

  StateId write_literal(StateId from, const Json& value) {
    if (value.is_array()) {
      StateId at = opened(from, "[");
      for (std::size_t i = 0; i < value.size(); ++i) at = write_literal(i == 0 ? at : comma(at), value.at(i));
      return closed(at, "]");
    }
    if (value.is_object()) {
      StateId at = opened(from, "{");
      bool first = true;
      value.for_each_member([&](std::string_view key, const Json& member) {
        at = spaced(grammar_.literal(first ? at : comma(at), quoted(key) + ":"));
        at = write_literal(at, member);
        first = false;
      });
      return closed(at, "}");
    }
    return grammar_.literal(from, value.dump());
  }

  static std::string quoted(std::string_view text) { return JsonBuilder(text).dump(); }

  StateId value_of_key(StateId key, ValueId value) {
    return grammar_.call(spaced(grammar_.literal(key, ":")), rules_[value]);
  }

  StateId spaced(StateId from) {
    const StateId to = grammar_.byte(from, ' ', ' ');
    grammar_.free_edge(from, to);
    return to;
  }
  StateId comma(StateId from) { return broken(spaced(grammar_.literal(from, ","))); }
  StateId opened(StateId from, std::string_view bracket) { return broken(grammar_.literal(from, bracket)); }
  StateId closed(StateId from, std::string_view bracket) { return grammar_.literal(broken(from), bracket); }

  /// A line break or none, where the form allows one.
  StateId broken(StateId from) {
    if (options_.spacing == FormSpacing::one_space) return from;
    if (!line_break_) {
      line_break_ = grammar_.new_rule();
      StateId at = grammar_.literal(grammar_.start_of(*line_break_), "\n");
      const StateId end = grammar_.new_state();
      for (int i = 0; i < kMostIndent; ++i) {
        grammar_.free_edge(at, end);
        const StateId next = grammar_.byte(at, ' ', ' ');
        grammar_.byte_edge(at, '\t', '\t', next);
        at = next;
      }
      grammar_.free_edge(at, end);
      grammar_.end_rule(end);
    }
    const StateId to = grammar_.call(from, *line_break_);
    grammar_.free_edge(from, to);
    return to;
  }

  StateId character(StateId from) {
    const StateId to = grammar_.call(from, unusual_character());
    usual_json_edges(grammar_, from, to);
    return to;
  }

  RuleId unusual_character() {
    if (!unusual_) {
      unusual_ = grammar_.new_rule();
      const StateId end = grammar_.new_state();
      unusual_json_edges(grammar_, grammar_.start_of(*unusual_), end);
      grammar_.end_rule(end);
    }
    return *unusual_;
  }

  /// null, booleans, numbers, strings, and arrays and objects of any value.
  RuleId any() {
    if (any_) return *any_;
    any_ = grammar_.new_rule();
    const StateId start = grammar_.start_of(*any_);
    const StateId end = grammar_.new_state();
    for (const char* word : {"null", "true", "false"}) grammar_.free_edge(grammar_.literal(start, word), end);
    grammar_.free_edge(write(start, NumberValue{}), end);
    grammar_.free_edge(write(start, StringValue{}), end);
    for (const auto& [open, close, keys] : {std::tuple("[", "]", false), std::tuple("{", "}", true)}) {
      const StateId first = opened(start, open);
      const StateId more = grammar_.new_state();
      const StateId element = grammar_.new_state();
      grammar_.free_edge(first, element);
      grammar_.free_edge(comma(more), element);
      const StateId value = keys ? spaced(grammar_.literal(write_free_key(grammar_, element, {}), ":")) : element;
      grammar_.call_edge(value, *any_, more);
      const StateId last = grammar_.new_state();
      grammar_.free_edge(first, last);
      grammar_.free_edge(more, last);
      grammar_.free_edge(closed(last, close), end);
    }
    grammar_.end_rule(end);
    return *any_;
  }

  static constexpr std::uint64_t kUnlimited = ~std::uint64_t{0};

  const FormOptions& options_;
  Grammar grammar_;
  std::vector<RuleId> rules_;  // of the values
  std::map<std::pair<std::int64_t, std::int64_t>, RuleId> integers_;
  std::optional<RuleId> any_, number_, unusual_, line_break_;
};

}  // namespace

Grammar json_grammar(const Values& values, const FormOptions& options) {
  refuse_empty_circles(values);
  return JsonGrammar(values, options).grammar();
}

}  // namespace octavo::output_form
