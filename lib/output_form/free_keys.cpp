#include "free_keys.hpp"

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "characters.hpp"
#include "utf8.hpp"

namespace octavo::output_form {
namespace {

/// Keys as a tree of characters; branches by index, the first is the root.
struct Branch {
  std::map<char32_t, std::size_t> next;
  bool ends_a_key = false;
};

const CharacterSet& key_characters() {
  static const CharacterSet all = plain_in_json().with(CharacterSet::of("\"\\\b\f\n\r\t"));
  return all;
}

}  // namespace

StateId write_free_key(Grammar& grammar, StateId from, const std::vector<Member>& members) {
  std::vector<Branch> branches(1);
  for (const Member& member : members) {  // in UTF-8, which JSON's parser saw to
    std::size_t branch = 0;
    for (std::size_t at = 0; at < member.key.size();) {
      const auto [next, added] = branches[branch].next.try_emplace(*read_utf8(member.key, at), branches.size());
      branch = next->second;
      if (added) branches.emplace_back();
    }
    branches[branch].ends_a_key = true;
  }
  const StateId end = grammar.new_state();
  const StateId any = grammar.new_state();
  json_edges(grammar, any, any, key_characters());
  grammar.byte_edge(any, '"', '"', end);
  std::vector<std::pair<std::size_t, StateId>> waiting{{0, grammar.literal(from, "\"")}};
  while (!waiting.empty()) {
    const auto [branch, at] = waiting.back();
    waiting.pop_back();
    CharacterSet others = key_characters();
    for (const auto& [character, next] : branches[branch].next) {
      const CharacterSet one(character, character);
      others = others.without(one);
      if (!key_characters().has(character)) continue;  // in no free key
      const StateId to = grammar.new_state();
      json_edges(grammar, at, to, one);
      waiting.emplace_back(next, to);
    }
    json_edges(grammar, at, any, others);
    if (!branches[branch].ends_a_key) grammar.byte_edge(at, '"', '"', end);
  }
  return end;
}

}  // namespace octavo::output_form
