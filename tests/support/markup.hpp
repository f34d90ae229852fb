// A strict little reader of the pages that Octavo writes: every element closed in order, every attribute quoted, no
// stray < or &. Much less than HTML allows, which is the point.
#pragma once

#include <algorithm>
#include <cctype>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace test {

struct Element {
  std::string name;
  std::map<std::string, std::string> attributes;  // entities as written
};

struct Markup {
  std::vector<Element> elements;  // in document order
  std::string text;               // all of it, entities resolved, style left out
  std::string problem;            // "" when well-formed

  std::vector<Element> named(const std::string& name) const {
    std::vector<Element> found;
    for (const Element& element : elements)
      if (element.name == name) found.push_back(element);
    return found;
  }
};

class MarkupReader {
 public:
  explicit MarkupReader(std::string_view page) : page_(page) {}

  Markup read() {
    if (page_.substr(0, 15) != "<!doctype html>") return fail("no doctype");
    at_ = 15;
    while (at_ < page_.size() && result_.problem.empty()) page_[at_] == '<' ? tag() : character();
    if (result_.problem.empty() && !open_.empty()) fail("<" + open_.back() + "> is not closed");
    return result_;
  }

 private:
  Markup fail(const std::string& what) {
    if (result_.problem.empty())
      result_.problem = what + " at " + std::to_string(at_) + ": " + std::string(page_.substr(at_, 60));
    return result_;
  }

  void character() {
    if (page_[at_] == '>') {
      fail("stray >");
    } else if (page_[at_] == '&') {
      const std::string entity = take_entity();
      if (!entity.empty()) result_.text += entity;
    } else {
      result_.text += page_[at_++];
    }
  }

  std::string take_entity() {
    static const std::map<std::string, std::string> kKnown{
        {"amp", "&"}, {"lt", "<"},  {"gt", ">"},     {"quot", "\""},   {"#39", "'"},   {"rarr", "->"},
        {"le", "<="}, {"ge", ">="}, {"middot", "."}, {"#10003", "ok"}, {"#10007", "x"}};
    const std::size_t end = page_.find(';', at_);
    const std::string name(end == std::string_view::npos ? "" : page_.substr(at_ + 1, end - at_ - 1));
    const auto known = kKnown.find(name);
    if (known == kKnown.end()) {
      fail("unknown entity");
      return "";
    }
    at_ = end + 1;
    return known->second;
  }

  std::string name() {
    std::string taken;
    while (at_ < page_.size() && (std::isalnum(static_cast<unsigned char>(page_[at_])) != 0 || page_[at_] == '-'))
      taken += page_[at_++];
    return taken;
  }

  void tag() {
    ++at_;
    if (page_.substr(at_, 1) == "/") {
      ++at_;
      const std::string closed = name();
      if (page_.substr(at_, 1) != ">") return void(fail("unfinished end tag"));
      if (open_.empty() || open_.back() != closed) return void(fail("</" + closed + "> closes nothing"));
      open_.pop_back();
      ++at_;
      return;
    }
    Element element;
    element.name = name();
    if (element.name.empty()) return void(fail("stray <"));
    while (page_.substr(at_, 1) == " ") {
      ++at_;
      const std::string key = name();
      if (key.empty()) return void(fail("an attribute without a name"));
      std::string value;
      if (page_.substr(at_, 2) == "=\"") {
        at_ += 2;
        while (at_ < page_.size() && page_[at_] != '"') {
          if (page_[at_] == '<' || page_[at_] == '>') return void(fail("raw angle bracket in an attribute"));
          if (page_[at_] == '&')
            value += take_entity();
          else
            value += page_[at_++];
          if (!result_.problem.empty()) return;
        }
        ++at_;
      } else if (key != "open") {
        return void(fail("attribute " + key + " is not quoted"));
      }
      if (!element.attributes.emplace(key, value).second) return void(fail("attribute " + key + " twice"));
    }
    const bool closed = page_.substr(at_, 2) == "/>";
    if (!closed && page_.substr(at_, 1) != ">") return void(fail("unfinished tag"));
    at_ += closed ? 2 : 1;
    static const std::set<std::string> kVoid{"meta", "br", "img"};
    if (!closed && kVoid.count(element.name) == 0) open_.push_back(element.name);
    if (element.name == "style") {  // raw text
      const std::size_t end = page_.find("</style>", at_);
      if (end == std::string_view::npos) return void(fail("<style> is not closed"));
      at_ = end;
    }
    result_.elements.push_back(std::move(element));
  }

  std::string_view page_;
  std::size_t at_ = 0;
  std::vector<std::string> open_;
  Markup result_;
};

inline Markup read_markup(const std::string& page) { return MarkupReader(page).read(); }

}  // namespace test
