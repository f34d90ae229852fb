#include "example.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "octavo/error.hpp"

namespace octavo::output_form {
namespace {

constexpr int kMostOpen = 64;  // brackets in each other

//   form    = item {"|" item}
//   item    = object | array | word | literal
//   object  = "{" [key ["?"] ":" form {"," key ["?"] ":" form}] "}"
//   array   = "[" [counted {"," counted} ["," "..."]] "]"
//   counted = form ["*" count]                count = N | N ".." [N]
//   word    = "int" ["(" least "," most ")"] | "number" [...] | "string" [...] | "bool" | "null" | "any"
class ExampleReader {
 public:
  explicit ExampleReader(std::string_view text) : text_(text) {
    values_.emplace_back(OneOf{});
    const ValueId all = form();
    if (peek() != '\0' || at_ < text_.size()) fail("nothing more is expected");
    values_.front() = OneOf{{all}};
  }

  Values values() && { return std::move(values_); }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw Error(ErrorCode::format,
                "output form: the template, byte " + std::to_string(at_) + ": " + what +
                    "; a template looks like {\"bbox_2d\": [int, int, int, int], \"label\": string}");
  }

  void skip_spaces() {
    while (at_ < text_.size() && std::string_view(" \t\n\r").find(text_[at_]) != std::string_view::npos) ++at_;
  }
  char peek() {
    skip_spaces();
    return at_ < text_.size() ? text_[at_] : '\0';
  }
  bool take(std::string_view what) {
    skip_spaces();
    if (text_.substr(at_, what.size()) != what) return false;
    at_ += what.size();
    return true;
  }
  void need(std::string_view what) {
    if (!take(what)) fail("`" + std::string(what) + "` is missing");
  }

  ValueId add(Value value) {
    values_.push_back(std::move(value));
    return static_cast<ValueId>(values_.size() - 1);
  }

  ValueId form() {
    OneOf choice{{item()}};
    while (take("|")) choice.values.push_back(item());
    return choice.values.size() == 1 ? choice.values.front() : add(std::move(choice));
  }

  ValueId item() {
    const char c = peek();
    if (c == '{' || c == '[') {
      if (++open_ > kMostOpen) fail("more than " + std::to_string(kMostOpen) + " brackets are open");
      const ValueId value = c == '{' ? object() : array();
      --open_;
      return value;
    }
    if (c == '"' || c == '-' || (c >= '0' && c <= '9')) return add(LiteralValue{literal()});
    return word();
  }

  /// A string or a number, as JSON writes them.
  Json literal() {
    skip_spaces();
    std::size_t end = at_;
    if (text_[at_] == '"') {
      for (++end; end < text_.size() && text_[end] != '"'; ++end)
        if (text_[end] == '\\') ++end;
      ++end;
    } else {
      while (end < text_.size() && std::string_view("+-.0123456789eE").find(text_[end]) != std::string_view::npos &&
             text_.substr(end, 2) != "..")
        ++end;
    }
    if (end > text_.size()) fail("the string is not closed");
    const std::string_view token = text_.substr(at_, end - at_);
    try {
      const Json value = Json::parse(token, "template");
      at_ = end;
      return value;
    } catch (const Error& error) {
      fail("`" + std::string(token) + "` is no JSON (" + error.what() + ")");
    }
  }

  ValueId object() {
    need("{");
    ObjectValue object;
    std::set<std::string> keys;
    if (take("}")) return add(std::move(object));
    do {
      if (peek() != '"') fail("a key in quotes is missing");
      Member member{literal().as_string(), 0, !take("?")};
      if (!keys.insert(member.key).second) fail("the key \"" + member.key + "\" stands here twice");
      need(":");
      member.value = form();
      object.members.push_back(std::move(member));
    } while (take(","));
    need("}");
    return add(std::move(object));
  }

  ValueId array() {
    need("[");
    ArrayValue array;
    if (take("]")) return add(std::move(array));
    do {
      if (!array.first.empty() && take("...")) {
        array.least = array.first.size();
        array.rest = array.first.back();
        need("]");
        return add(std::move(array));
      }
      const ValueId value = form();
      if (take("*")) {
        std::optional<std::uint64_t> most;
        const std::uint64_t least = count();
        if (!take(".."))
          most = least;
        else if (peek() >= '0' && peek() <= '9')
          most = count();
        if (most && *most < least) fail("a count whose first number is the larger");
        if (most == least) {
          if (array.first.size() + least > kMostStates)
            fail("a list of more than " + std::to_string(kMostStates) + " elements");
          array.first.insert(array.first.end(), least, value);
          continue;
        }
        array.least = array.first.size() + least;
        if (most) array.most = array.first.size() + *most;
        array.rest = value;
        need("]");
        return add(std::move(array));
      }
      array.first.push_back(value);
    } while (take(","));
    need("]");
    array.least = array.first.size();
    return add(std::move(array));
  }

  std::uint64_t count() {
    if (peek() < '0' || peek() > '9') fail("a count is missing");
    std::uint64_t value = 0;
    for (; at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9'; ++at_) {
      value = value * 10 + static_cast<std::uint64_t>(text_[at_] - '0');
      if (value > kMostStates) fail("a count of more than " + std::to_string(kMostStates));
    }
    return value;
  }

  ValueId word() {
    const std::size_t begin = at_;
    while (at_ < text_.size() && ((text_[at_] >= 'a' && text_[at_] <= 'z') || text_[at_] == '_')) ++at_;
    const std::string_view name = text_.substr(begin, at_ - begin);
    if (name == "any") return add(AnyValue{});
    if (name == "null" || name == "true" || name == "false") return add(LiteralValue{Json::parse(name, "template")});
    if (name == "bool" || name == "boolean")
      return add(OneOf{
          {add(LiteralValue{Json::parse("true", "template")}), add(LiteralValue{Json::parse("false", "template")})}});
    const bool integer = name == "int" || name == "integer", number = name == "number" || name == "float";
    if (!integer && !number && name != "string") {
      at_ = begin;
      fail("a value is missing: int, number, string, bool, null, any, a text in quotes, an object or a list");
    }
    std::optional<std::pair<Json, Json>> range;
    if (take("(")) {
      const Json least = literal();
      need(",");
      range.emplace(least, literal());
      need(")");
    }
    if (number) {
      if (!range) return add(NumberValue{});
      if (range->first.as_number() > range->second.as_number()) fail("a range whose first number is the larger");
      return add(NumberValue{NumberBound{range->first.as_number()}, NumberBound{range->second.as_number()}});
    }
    if (!range) return integer ? add(IntegerValue{}) : add(StringValue{});
    const std::int64_t least = range->first.as_int(), most = range->second.as_int();
    if (least > most) fail("a range whose first number is the larger");
    if (least < (integer ? -kLargestInteger : 0) || most > kLargestInteger)
      fail(integer ? "integers have at most 18 digits" : "a length is not negative");
    if (integer) return add(IntegerValue{least, most});
    return add(StringValue{static_cast<std::uint64_t>(least), static_cast<std::uint64_t>(most), std::nullopt});
  }

  std::string_view text_;
  std::size_t at_ = 0;
  int open_ = 0;
  Values values_;
};

}  // namespace

Values read_example(std::string_view text) { return ExampleReader(text).values(); }

}  // namespace octavo::output_form
