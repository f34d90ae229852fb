// After the rules of https://docs.python.org/3.11/library/re.html; where those leave something open, after what
// `re.compile` of Python 3.11 accepts (tests/pattern holds both sides against each other).
#include "python_syntax.hpp"

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "characters.hpp"

namespace octavo::pattern_detail {
namespace {

constexpr int kMaxNesting = 200;
constexpr std::int64_t kMaxCount = 65535;      // PCRE2's
constexpr std::int64_t kAnyWidth = INT32_MAX;  // no upper bound
constexpr std::string_view kFlagLetters = "imsxauL";
constexpr std::u32string_view kVerboseSpace = U" \t\n\r\v\f";

struct Flags {
  bool multiline = false, dot_all = false, verbose = false;
};

class Translator : private CharacterReader {
 public:
  explicit Translator(std::string_view pattern) : CharacterReader(pattern) {}

  std::string translate() {
    alternatives({}, true);
    if (more()) fail("unbalanced parenthesis");
    for (const std::size_t group : conditions_)
      if (group >= groups_.size()) fail("invalid group reference " + std::to_string(group));
    return out_;
  }

 private:
  struct Group {
    bool open = true;
    Width width;
  };
  /// What a quantifier after it would repeat.
  struct Item {
    enum class Kind { none, anchor, repeat, atom } kind = Kind::none;
    Width width;
  };
  Width alternatives(Flags flags, bool outermost) {
    std::optional<Width> width;
    for (bool first = outermost;; first = false) {
      const Width branch = sequence(flags, first);
      width = width ? width->either(branch) : branch;
      if (!skip('|')) return *width;
      out_ += '|';
    }
  }

  /// Up to the next `|` or `)` of this level. `flags_allowed`: (?i) may stand at the very start of the expression only.
  Width sequence(Flags& flags, bool flags_allowed) {
    Width width;
    Item last;
    const auto append = [&](Item item) {
      width = width + last.width;
      last = item;
      flags_allowed = false;
    };
    while (more() && peek() != '|' && peek() != ')') {
      const char32_t c = in_[at_++];
      if (flags.verbose && kVerboseSpace.find(c) != std::u32string_view::npos) continue;
      if (flags.verbose && c == '#') {
        while (more() && in_[at_++] != '\n') {
        }
        continue;
      }
      switch (c) {
        case '\\': {
          const Escape escape = escaped();
          if (escape.literal) write_literal(*escape.literal);
          out_ += escape.written;
          append({escape.anchor ? Item::Kind::anchor : Item::Kind::atom, escape.width});
          break;
        }
        case '[':
          character_class();
          append({Item::Kind::atom, kOne});
          break;
        case '.':
          out_ += flags.dot_all ? "(?s:.)" : "[^\\n]";
          append({Item::Kind::atom, kOne});
          break;
        case '^':
          out_ += flags.multiline ? "(?:\\A|(?<=\\n))" : "\\A";
          append({Item::Kind::anchor, kNothing});
          break;
        case '$':  // before a newline at the end, too
          out_ += flags.multiline ? "(?=\\n|\\z)" : "(?=\\n?\\z)";
          append({Item::Kind::anchor, kNothing});
          break;
        case '(': {
          const std::optional<Item> item = group(flags, flags_allowed);
          if (item) append(*item);
          break;
        }
        case '*':
        case '+':
        case '?':
          quantify(last, c == '+' ? 1 : 0, c == '?' ? 1 : kAnyWidth);
          break;
        case '{':
          if (!counted(last)) {
            write_literal(c);
            append({Item::Kind::atom, kOne});
          }
          break;
        default:
          write_literal(c);
          append({Item::Kind::atom, kOne});
      }
    }
    return width + last.width;
  }

  /// `{m}`, `{m,}`, `{,n}`, `{m,n}`; anything else is a brace as it stands.
  bool counted(Item& last) {
    const std::size_t start = at_;
    const auto decimal = [](char32_t c) { return c >= '0' && c <= '9'; };
    if (more() && peek() == '}') return false;
    const std::string from = digits(in_.size(), decimal);
    const bool range = skip(',');
    const std::string to = range ? digits(in_.size(), decimal) : from;
    if (!skip('}')) {
      at_ = start;
      return false;
    }
    const auto number = [&](const std::string& text) {
      const std::int64_t value = text.size() > 9 ? kMaxCount + 1 : std::stoll(text);
      if (value > kMaxCount) fail("a count above " + std::to_string(kMaxCount) + " is not supported");
      return value;
    };
    const std::int64_t least = from.empty() ? 0 : number(from);
    const std::int64_t most = to.empty() ? kAnyWidth : number(to);
    if (most < least) fail("min repeat greater than max repeat");
    quantify(last, least, most);
    return true;
  }

  void quantify(Item& last, std::int64_t least, std::int64_t most) {
    if (last.kind == Item::Kind::none || last.kind == Item::Kind::anchor) fail("nothing to repeat");
    if (last.kind == Item::Kind::repeat) fail("multiple repeat");
    out_ += '{' + std::to_string(least) + ',' + (most == kAnyWidth ? "" : std::to_string(most)) + '}';
    if (skip('?')) {
      out_ += '?';
    } else if (skip('+')) {
      out_ += '+';
    }
    last = {Item::Kind::repeat, last.width.times(least, most)};
  }

  Escape escaped() {
    const char32_t c = take("bad escape (end of pattern)");
    if (const auto known = common_escape(c)) return *known;
    if (c == 'A') return {{}, "\\A", true, kNothing};
    if (c == 'Z') return {{}, "\\z", true, kNothing};
    if (c == 'b' || c == 'B') return {{}, c == 'b' ? "\\b" : "\\B", true, kNothing};
    if (c == '0') return {static_cast<char32_t>(std::stoul("0" + digits(2, octal), nullptr, 8)), "", false, kOne};
    if (c >= '1' && c <= '9') return reference_by_number(c);
    if (letter(c)) fail("bad escape");
    return {c, "", false, kOne};
  }

  /// \1 to \99, or three octal digits.
  Escape reference_by_number(char32_t first) {
    std::string number(1, static_cast<char>(first));
    number += digits(1, [](char32_t c) { return c >= '0' && c <= '9'; });
    if (number.size() == 2 && octal(first) && octal(static_cast<char32_t>(number[1])) && more() && octal(peek())) {
      number += static_cast<char>(in_[at_++]);
      const unsigned long value = std::stoul(number, nullptr, 8);
      if (value > 0377) fail("octal escape value outside of range 0-0o377");
      return {static_cast<char32_t>(value), "", false, kOne};
    }
    const std::size_t group = std::stoul(number);
    if (group > groups_.size()) fail("invalid group reference " + number);
    return reference(group);
  }

  Escape reference(std::size_t group) {
    if (groups_[group - 1].open) fail("cannot refer to an open group");
    return {{}, "\\g{" + std::to_string(group) + "}", false, groups_[group - 1].width};
  }

  std::u32string name_until(char32_t end) {
    std::u32string name;
    while (true) {
      const char32_t c = take("missing group name or its end");
      if (c == end) break;
      name += c;
    }
    const auto inside = [](char32_t c) { return letter(c) || c == '_' || (c >= '0' && c <= '9'); };
    // Python takes other letters than ASCII's, too.
    if (name.empty() || (name[0] >= '0' && name[0] <= '9') || !std::all_of(name.begin(), name.end(), inside))
      fail("bad character in group name");
    return name;
  }

  std::size_t group_named(const std::u32string& name) const {
    const auto found = names_.find(name);
    if (found == names_.end()) fail("unknown group name");
    return found->second;
  }

  /// After `(`. Nothing for a comment and for flags of the whole expression, which are no items.
  std::optional<Item> group(Flags& flags, bool flags_allowed) {
    if (++nesting_ > kMaxNesting) fail("more than " + std::to_string(kMaxNesting) + " parentheses within each other");
    std::optional<Item> item;
    if (!skip('?')) {
      item = Item{Item::Kind::atom, captured(flags)};
    } else {
      item = extension(flags, flags_allowed);
    }
    --nesting_;
    return item;
  }

  Width inside(Flags flags) {
    const Width width = alternatives(flags, false);
    close();
    return width;
  }
  void close() {
    if (!skip(')')) fail("missing ), unterminated subpattern");
    out_ += ')';
  }

  Width captured(Flags flags) {
    const std::size_t index = groups_.size();
    groups_.emplace_back();
    out_ += '(';
    const Width width = inside(flags);
    groups_[index] = {false, width};
    return width;
  }

  /// After `(?`.
  std::optional<Item> extension(Flags& flags, bool flags_allowed) {
    const char32_t c = take("unexpected end of pattern");
    const auto opened = [&](const char* opening) {
      out_ += opening;
      return Item{Item::Kind::atom, inside(flags)};
    };
    switch (c) {
      case ':':
        return opened("(?:");
      case '>':
        return opened("(?>");
      case '#':
        while (take("missing ), unterminated comment") != ')') {
        }
        return {};
      case '=':
      case '!':
        out_ += c == '=' ? "(?=" : "(?!";
        inside(flags);
        return Item{Item::Kind::atom, kNothing};
      case '<':
        return look_behind(flags);
      case 'P':
        return named(flags);
      case '(':
        return conditional(flags);
      default:
        return flag_group(c, flags, flags_allowed);
    }
  }

  Item look_behind(Flags flags) {
    const char32_t kind = take("unexpected end of pattern");
    if (kind != '=' && kind != '!') fail("unknown extension ?<");
    out_ += kind == '=' ? "(?<=" : "(?<!";
    const Width width = inside(flags);
    if (width.least != width.most) fail("look-behind requires fixed-width pattern");
    return {Item::Kind::atom, kNothing};
  }

  Item named(Flags flags) {
    const char32_t kind = take("unexpected end of pattern");
    if (kind == '<') {
      const std::u32string name = name_until('>');
      if (!names_.emplace(name, groups_.size() + 1).second) fail("redefinition of a group name");
      return {Item::Kind::atom, captured(flags)};
    }
    if (kind != '=') fail("unknown extension ?P");
    const Escape known = reference(group_named(name_until(')')));
    out_ += known.written;
    return {Item::Kind::atom, known.width};
  }

  /// (?(1)yes|no)
  Item conditional(Flags flags) {
    std::size_t condition = 0;
    if (more() && peek() >= '0' && peek() <= '9') {
      const std::string number = digits(9, [](char32_t c) { return c >= '0' && c <= '9'; });
      if (!skip(')')) fail("bad group number");
      condition = std::stoul(number);
      if (condition == 0) fail("bad group number");
      conditions_.push_back(condition - 1);
    } else {
      condition = group_named(name_until(')'));
    }
    out_ += "(?(" + std::to_string(condition) + ")";
    Width width = sequence(flags, false);
    if (skip('|')) {
      out_ += '|';
      width = width.either(sequence(flags, false));
      if (more() && peek() == '|') fail("conditional backref with more than two branches");
    } else {
      width = width.either(kNothing);
    }
    close();
    return {Item::Kind::atom, width};
  }

  /// (?i) of the whole expression, or (?i-s:...) of a part.
  std::optional<Item> flag_group(char32_t c, Flags& flags, bool flags_allowed) {
    std::string on, off;
    bool turning_off = false;
    while (c != ':' && c != ')') {
      if (c == '-' && !turning_off) {
        turning_off = true;
      } else if (c < 0x80 && kFlagLetters.find(static_cast<char>(c)) != std::string_view::npos) {
        (turning_off ? off : on) += static_cast<char>(c);
      } else {
        fail(on.empty() && off.empty() ? "unknown extension" : "unknown flag");
      }
      c = take("missing -, : or )");
    }
    if (turning_off && (off.empty() || c == ')')) fail("missing flag or :");
    if (off.find('u') != std::string::npos) fail("cannot turn off flags 'a', 'u' and 'L'");
    for (const char* other : {"a", "L"})
      if ((on + off).find(other) != std::string::npos) fail(std::string("the flag ") + other + " is not supported");
    for (const char flag : on)
      if (off.find(flag) != std::string::npos) fail("flag turned on and off");
    Flags changed = flags;
    const auto set = [&](const std::string& letters, bool value) {
      for (const char letter : letters) {
        if (letter == 'm') changed.multiline = value;
        if (letter == 's') changed.dot_all = value;
        if (letter == 'x') changed.verbose = value;
      }
    };
    set(on, true);
    set(off, false);
    const bool caseless = on.find('i') != std::string::npos;
    if (c == ')') {
      if (!flags_allowed) fail("global flags not at the start of the expression");
      flags = changed;
      if (caseless) out_ += "(?i)";
      return {};
    }
    out_ += caseless ? "(?i:" : off.find('i') != std::string::npos ? "(?-i:" : "(?:";
    return Item{Item::Kind::atom, inside(changed)};
  }

  int nesting_ = 0;
  std::vector<Group> groups_;
  std::map<std::u32string, std::size_t> names_;  // to the number of the group, from 1
  std::vector<std::size_t> conditions_;          // groups that a condition names, from 0; they may open later
};

}  // namespace

std::string to_pcre2(std::string_view python) { return Translator(python).translate(); }

}  // namespace octavo::pattern_detail
