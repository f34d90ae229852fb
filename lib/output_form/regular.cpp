#include "regular.hpp"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "octavo/error.hpp"
#include "utf8.hpp"

namespace octavo::output_form {
namespace {

constexpr int kMostGroups = 100;  // in each other
constexpr std::uint32_t kMostRepeats = 100'000;

using Node = Regular::Node;
using Kind = Node::Kind;

CharacterSet digits() { return CharacterSet('0', '9'); }
CharacterSet word_characters() { return CharacterSet({{'0', '9'}, {'A', 'Z'}, {'a', 'z'}, {'_', '_'}}); }
CharacterSet spaces() { return CharacterSet::of(" \t\n\v\f\r"); }
CharacterSet ascii_but(const CharacterSet& set) { return CharacterSet(0, 0x7F).without(set); }
CharacterSet line_ends() { return CharacterSet::of("\n\r").with(CharacterSet(0x2028, 0x2029)); }

Node sequence_of(std::vector<Node> parts) {
  Node node;
  node.parts = std::move(parts);
  return node;
}

Node one_of(CharacterSet characters) {
  Node node;
  node.kind = Kind::characters;
  node.characters = std::move(characters);
  return node;
}

Node anything() {
  Node node;
  node.kind = Kind::repeat;
  node.most = Regular::kUnlimited;
  node.parts.push_back(one_of(CharacterSet::all()));
  return node;
}

class Parser {
 public:
  Parser(std::string_view text, bool whole) : text_(text), whole_(whole) {}

  Node parse() {
    Node all = choice(true);
    if (at_ < text_.size()) fail(ErrorCode::format, "a `)` that closes nothing");
    return all;
  }

 private:
  [[noreturn]] void fail(PlainCode code, const std::string& what) const {
    throw Error(
        code, "output form: the pattern `" + std::string(text_) + "` has " + what + " at byte " + std::to_string(at_));
  }

  bool done() const { return at_ == text_.size(); }
  char peek() const { return done() ? '\0' : text_[at_]; }
  bool next_is(std::string_view what) const { return text_.substr(at_, what.size()) == what; }
  bool take(std::string_view what) {
    if (!next_is(what)) return false;
    at_ += what.size();
    return true;
  }
  char32_t character() {
    if (done()) fail(ErrorCode::format, "an end where a character is missing");
    const std::optional<char32_t> read = read_utf8(text_, at_);
    if (!read) fail(ErrorCode::format, "bytes that are not UTF-8");
    return *read;
  }

  Node choice(bool outermost) {
    std::vector<Node> alternatives;
    do alternatives.push_back(alternative(outermost));
    while (take("|"));
    if (alternatives.size() == 1) return std::move(alternatives.front());
    Node node;
    node.kind = Kind::choice;
    node.parts = std::move(alternatives);
    return node;
  }

  Node alternative(bool outermost) {
    std::vector<Node> parts;
    bool anchored_begin = whole_, anchored_end = whole_;
    if (outermost && take("^")) anchored_begin = true;
    while (!done() && peek() != '|' && peek() != ')') {
      if (outermost && peek() == '$' && (at_ + 1 == text_.size() || text_[at_ + 1] == '|')) {
        ++at_;
        anchored_end = true;
        break;
      }
      parts.push_back(repeated());
    }
    if (outermost && !anchored_begin) parts.insert(parts.begin(), anything());
    if (outermost && !anchored_end) parts.push_back(anything());
    return sequence_of(std::move(parts));
  }

  Node repeated() {
    Node item = atom();
    std::uint32_t least = 0, most = 0;
    if (take("*"))
      most = Regular::kUnlimited;
    else if (take("+"))
      least = 1, most = Regular::kUnlimited;
    else if (take("?"))
      most = 1;
    else if (peek() == '{')
      counts(least, most);
    else
      return item;
    take("?");  // lazy ones match the same texts
    if (peek() == '*' || peek() == '+' || peek() == '?' || peek() == '{')
      fail(ErrorCode::format, "a repeat of a repeat");
    Node node;
    node.kind = Kind::repeat;
    node.least = least;
    node.most = most;
    node.parts.push_back(std::move(item));
    return node;
  }

  void counts(std::uint32_t& least, std::uint32_t& most) {
    take("{");
    least = number();
    most = least;
    if (take(",")) most = peek() == '}' ? Regular::kUnlimited : number();
    if (!take("}")) fail(ErrorCode::format, "a `{` that is no count; write `\\{` for the character");
    if (least > most) fail(ErrorCode::format, "a count whose first number is the larger");
  }

  std::uint32_t number() {
    std::uint32_t value = 0;
    if (peek() < '0' || peek() > '9') fail(ErrorCode::format, "a `{` that is no count; write `\\{` for the character");
    while (peek() >= '0' && peek() <= '9') {
      value = value * 10 + static_cast<std::uint32_t>(text_[at_++] - '0');
      if (value > kMostRepeats) fail(ErrorCode::unsupported, "a count over " + std::to_string(kMostRepeats));
    }
    return value;
  }

  Node atom() {
    if (take("(")) return group();
    if (take("[")) return one_of(bracketed());
    if (take(".")) return one_of(CharacterSet::all().without(line_ends()));
    if (take("\\")) return one_of(escape(false));
    const char c = peek();
    if (c == '^' || c == '$')
      fail(ErrorCode::unsupported, std::string("`") + c + "` inside, which Octavo does not read");
    if (c == '*' || c == '+' || c == '?') fail(ErrorCode::format, "a repeat of nothing");
    if (c == '{' || c == '}' || c == ']')
      fail(ErrorCode::format, std::string("a bare `") + c + "`: write `\\" + c + "`");
    const char32_t one = character();
    return one_of(CharacterSet(one, one));
  }

  Node group() {
    if (++groups_ > kMostGroups) fail(ErrorCode::unsupported, "more than 100 groups in each other");
    if (take("?") && !take(":")) {
      if (!next_is("<") || next_is("<=") || next_is("<!"))
        fail(ErrorCode::unsupported, "a look-around or another group that is not regular");
      while (!done() && peek() != '>') ++at_;
      take(">");
    }
    Node inside = choice(false);
    if (!take(")")) fail(ErrorCode::format, "a `(` that is not closed");
    --groups_;
    return inside;
  }

  CharacterSet bracketed() {
    const bool negated = take("^");
    std::vector<CharacterSet::Range> ranges;
    while (!take("]")) {
      const std::size_t begin = at_;
      CharacterSet first = member();
      if (peek() != '-' || next_is("-]")) {
        ranges.insert(ranges.end(), first.ranges().begin(), first.ranges().end());
        continue;
      }
      ++at_;
      const CharacterSet last = member();
      const auto single = [](const CharacterSet& one) {
        return one.ranges().size() == 1 && one.ranges()[0].first == one.ranges()[0].last;
      };
      if (!single(first) || !single(last) || first.ranges()[0].first > last.ranges()[0].first) {
        at_ = begin;
        fail(ErrorCode::format, "a range whose ends are not in order");
      }
      ranges.push_back({first.ranges()[0].first, last.ranges()[0].first});
    }
    // Surrogates inside a range are no characters.
    const CharacterSet outside = CharacterSet::all().without(CharacterSet(std::move(ranges)));
    return negated ? outside : CharacterSet::all().without(outside);
  }

  CharacterSet member() {
    if (take("\\")) return escape(true);
    const char32_t one = character();
    return CharacterSet(one, one);
  }

  CharacterSet escape(bool in_brackets) {
    const char32_t c = character();
    const auto one = [](char32_t code) { return CharacterSet(code, code); };
    switch (c) {
      case 'd':
        return digits();
      case 'D':
        return ascii_but(digits());
      case 'w':
        return word_characters();
      case 'W':
        return ascii_but(word_characters());
      case 's':
        return spaces();
      case 'S':
        return ascii_but(spaces().with(CharacterSet(0x1C, 0x1F)));
      case 'n':
        return one('\n');
      case 'r':
        return one('\r');
      case 't':
        return one('\t');
      case 'f':
        return one('\f');
      case 'v':
        return one('\v');
      case 'x':
        return one(hex(2));
      case 'u':
        return one(take("{") ? braced_hex() : hex(4));
      case 'b':
        if (in_brackets) return one('\b');
        break;
      default:
        break;
    }
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (letter) {
      --at_;
      fail(ErrorCode::unsupported, std::string("`\\") + static_cast<char>(c) + "`, which Octavo does not read,");
    }
    return one(c);
  }

  char32_t hex_digit() {
    const char c = peek();
    const char* digits = "0123456789abcdef";
    const char lower = c >= 'A' && c <= 'F' ? static_cast<char>(c - 'A' + 'a') : c;
    const auto found = std::string_view(digits).find(lower);
    if (done() || found == std::string_view::npos) fail(ErrorCode::format, "a missing hexadecimal digit");
    ++at_;
    return static_cast<char32_t>(found);
  }
  char32_t hex(int count) {
    char32_t value = 0;
    for (int i = 0; i < count; ++i) value = value * 16 + hex_digit();
    return checked(value);
  }
  char32_t braced_hex() {
    char32_t value = 0;
    while (!take("}")) value = std::min<char32_t>(value * 16 + hex_digit(), 0x110000);
    return checked(value);
  }
  char32_t checked(char32_t value) const {
    if (value > 0x10FFFF || (value >= 0xD800 && value <= 0xDFFF))
      fail(ErrorCode::unsupported, "an escape that is no character");
    return value;
  }

  std::string_view text_;
  bool whole_;
  std::size_t at_ = 0;
  int groups_ = 0;
};

StateId write_node(Grammar& grammar, StateId from, const Node& node, Regular::Edges edges) {
  if (node.kind == Kind::sequence) {
    for (const Node& part : node.parts) from = write_node(grammar, from, part, edges);
    return from;
  }
  const StateId to = grammar.new_state();
  if (node.kind == Kind::characters) {
    edges(grammar, from, to, node.characters);
    return to;
  }
  if (node.kind == Kind::choice) {
    for (const Node& part : node.parts) grammar.free_edge(write_node(grammar, from, part, edges), to);
    return to;
  }
  const Node& item = node.parts.front();
  const auto again = [&] {
    // A state of its own each time, so that repeats of nothing count against the limit, too.
    const StateId begin = grammar.new_state();
    grammar.free_edge(from, begin);
    from = write_node(grammar, begin, item, edges);
  };
  for (std::uint32_t i = 0; i < node.least; ++i) again();
  if (node.most == Regular::kUnlimited) {
    const StateId loop = grammar.new_state();
    grammar.free_edge(from, loop);
    grammar.free_edge(write_node(grammar, loop, item, edges), loop);
    from = loop;
  } else {
    for (std::uint32_t i = node.least; i < node.most; ++i) {
      grammar.free_edge(from, to);
      again();
    }
  }
  grammar.free_edge(from, to);
  return to;
}

}  // namespace

Regular Regular::parse(std::string_view expression, bool whole) {
  Regular regular;
  regular.root_ = std::make_shared<const Node>(Parser(expression, whole).parse());
  return regular;
}

StateId Regular::write(Grammar& grammar, StateId from, Edges edges) const {
  return write_node(grammar, from, *root_, edges);
}

}  // namespace octavo::output_form
