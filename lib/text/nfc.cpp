// Canonical composition: UAX #15, over the tables of Hugging Face's tokenizers.
#include <algorithm>
#include <iterator>
#include <unordered_map>
#include <vector>

#include "unicode.hpp"

namespace octavo::text {
namespace {

struct ClassRange {
  std::uint32_t first, last, combining_class;
};
struct Decomposition {
  std::uint32_t from, first, second;  // one step; a singleton has no second
  bool composes;                      // back from first and second
};
#include "unicode_composition.inc"

// Hangul syllables: Unicode Standard 3.12. A syllable is L V or L V T; kT0 is no trailing consonant, but the place
// before the first one.
constexpr std::uint32_t kL0 = 0x1100, kV0 = 0x1161, kT0 = 0x11A7, kS0 = 0xAC00;
constexpr std::uint32_t kLCount = 19, kVCount = 21, kTCount = 28, kSCount = kLCount * kVCount * kTCount;

constexpr bool within(std::uint32_t code_point, std::uint32_t first, std::uint32_t count) {
  return code_point - first < count;  // unsigned: what is below `first` is far above
}

struct Character {
  std::uint32_t code_point, combining_class;
};

std::uint32_t combining_class_of(std::uint32_t code_point) {
  const auto* after = std::upper_bound(std::begin(kCombiningClasses), std::end(kCombiningClasses), code_point,
                                       [](std::uint32_t c, const ClassRange& range) { return c < range.first; });
  if (after == std::begin(kCombiningClasses) || code_point > std::prev(after)->last) return 0;
  return std::prev(after)->combining_class;
}

void decompose(std::uint32_t c, std::vector<Character>& out) {
  if (c < 0x80) {
    out.push_back({c, 0});
  } else if (within(c, kS0, kSCount)) {
    const std::uint32_t index = c - kS0;
    out.push_back({kL0 + index / (kVCount * kTCount), 0});
    out.push_back({kV0 + index / kTCount % kVCount, 0});
    if (index % kTCount != 0) out.push_back({kT0 + index % kTCount, 0});
  } else {
    const auto* step = std::lower_bound(std::begin(kDecompositions), std::end(kDecompositions), c,
                                        [](const Decomposition& row, std::uint32_t key) { return row.from < key; });
    if (step == std::end(kDecompositions) || step->from != c) {
      out.push_back({c, combining_class_of(c)});
      return;
    }
    decompose(step->first, out);
    if (step->second != 0) decompose(step->second, out);
  }
}

constexpr std::uint64_t pair_key(std::uint32_t first, std::uint32_t second) {
  return (std::uint64_t{first} << 32) | second;
}

/// 0: the two do not compose.
std::uint32_t composed(std::uint32_t first, std::uint32_t second) {
  if (within(first, kL0, kLCount) && within(second, kV0, kVCount))
    return kS0 + ((first - kL0) * kVCount + (second - kV0)) * kTCount;
  if (within(first, kS0, kSCount) && (first - kS0) % kTCount == 0 && within(second, kT0 + 1, kTCount - 1))
    return first + (second - kT0);
  static const std::unordered_map<std::uint64_t, std::uint32_t> pairs = [] {
    std::unordered_map<std::uint64_t, std::uint32_t> made;
    for (const Decomposition& row : kDecompositions)
      if (row.composes) made.emplace(pair_key(row.first, row.second), row.from);
    return made;
  }();
  const auto found = pairs.find(pair_key(first, second));
  return found == pairs.end() ? 0 : found->second;
}

/// Marks between two starters, by class; equal classes keep their order.
void order_marks(std::vector<Character>& characters) {
  for (auto at = characters.begin(); at != characters.end();) {
    const auto marks = std::find_if(at, characters.end(), [](const Character& c) { return c.combining_class != 0; });
    at = std::find_if(marks, characters.end(), [](const Character& c) { return c.combining_class == 0; });
    std::stable_sort(marks, at,
                     [](const Character& a, const Character& b) { return a.combining_class < b.combining_class; });
  }
}

/// Each character joins the last starter if they compose and nothing between the two blocks it.
void compose(std::vector<Character>& characters) {
  std::size_t kept = 0;
  std::size_t starter = characters.size();  // none yet
  for (const Character c : characters) {
    if (starter < kept) {
      const bool adjacent = starter + 1 == kept;
      const bool blocked = !adjacent && characters[kept - 1].combining_class >= c.combining_class;
      if (const std::uint32_t joined = blocked ? 0 : composed(characters[starter].code_point, c.code_point)) {
        characters[starter].code_point = joined;
        continue;
      }
    }
    if (c.combining_class == 0) starter = kept;
    characters[kept++] = c;
  }
  characters.resize(kept);
}

}  // namespace

std::string nfc(std::string_view text) {
  const bool ascii = std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
  if (ascii) return std::string(text);
  std::vector<Character> characters;
  characters.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) decompose(next_code_point(text, at), characters);
  order_marks(characters);
  compose(characters);
  std::string result;
  result.reserve(text.size());
  for (const Character& c : characters) append_utf8(c.code_point, result);
  return result;
}

}  // namespace octavo::text
