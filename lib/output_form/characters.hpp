// Sets of characters, and the bytes in which a text or a JSON string writes them.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "grammar.hpp"

namespace octavo::output_form {

/// Unicode characters as sorted ranges; surrogates are none.
class CharacterSet {
 public:
  struct Range {
    char32_t first, last;
  };
  CharacterSet() = default;
  CharacterSet(char32_t first, char32_t last) : CharacterSet(std::vector<Range>{{first, last}}) {}
  explicit CharacterSet(std::vector<Range> ranges);  ///< in any order
  static CharacterSet all();
  static CharacterSet of(std::string_view ascii);

  CharacterSet with(const CharacterSet& other) const;
  CharacterSet without(const CharacterSet& other) const;
  bool has(char32_t character) const;
  bool empty() const { return ranges_.empty(); }
  const std::vector<Range>& ranges() const { return ranges_; }

 private:
  std::vector<Range> ranges_;
};

/// The strings from `first` to `last`, both of one length, whose bytes after the first run from `least` to `most`:
/// UTF-8 of one length, numbers of one length.
void between(Grammar& grammar, StateId from, StateId to, std::string_view first, std::string_view last,
             std::uint8_t least, std::uint8_t most);

/// One of the characters, in UTF-8.
void utf8_edges(Grammar& grammar, StateId from, StateId to, const CharacterSet& characters);

/// What stands in a JSON string as it is: everything but `"`, `\` and controls.
const CharacterSet& plain_in_json();
/// One of the characters as json.dumps writes it with ensure_ascii off: as it is, else its short escape, else \u00XX.
void json_edges(Grammar& grammar, StateId from, StateId to, const CharacterSet& characters);
/// What any character may be besides plain ASCII: other UTF-8, and every escape that JSON has, surrogates in pairs.
void unusual_json_edges(Grammar& grammar, StateId from, StateId to);
/// Plain ASCII.
void usual_json_edges(Grammar& grammar, StateId from, StateId to);

}  // namespace octavo::output_form
