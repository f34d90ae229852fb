#include "octavo/pattern.hpp"

#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "catch.hpp"
#include "octavo/error.hpp"
#include "octavo/json.hpp"

using namespace octavo;

namespace {

std::string refusal(const std::string& text) {
  try {
    static_cast<void>(Pattern(text, "f.json: ignore[3]"));
  } catch (const Error& error) {
    CHECK(error.code() == ErrorCode::format);
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("Patterns answer as Python's re.match on every name") {
  // Made by tests/interop/python_patterns.py.
  const Json file = Json::read_file(std::string(OCTAVO_SOURCE_DIR) + "/tests/pattern/python_patterns.json");
  std::vector<std::string> names;
  for (std::size_t i = 0; i < file.at("names").size(); ++i) names.push_back(file.at("names").at(i).as_string());
  const Json patterns = file.at("patterns");
  // Python takes these and Octavo refuses them: letters beyond ASCII in a group's name, a character by its name,
  // PCRE2's limits on what a look-behind holds.
  std::size_t refused_here_alone = 0;
  std::size_t compared = 0;
  for (std::size_t i = 0; i < patterns.size(); ++i) {
    const std::string text = patterns.at(i).at(0).as_string();
    const Json said = patterns.at(i).at(1);
    CAPTURE(i, text);
    const std::string why = refusal(text);
    if (said.is_null()) {
      CHECK(!why.empty());
      continue;
    }
    if (!why.empty()) {
      ++refused_here_alone;
      continue;
    }
    const Pattern pattern(text);
    for (std::size_t k = 0; k < names.size(); ++k) {
      CAPTURE(names[k]);
      CHECK(pattern.matches(names[k]) == (said.as_string()[k] == '1'));
    }
    ++compared;
  }
  CHECK(refused_here_alone <= 4);
  CHECK(compared > 4000);
}

TEST_CASE("What PCRE2 alone knows is refused") {
  for (const char* text : {"(*ACCEPT)", "(*UTF)a", "a(*SKIP)b", "(?R)", "(?1)", "(?&a)", "(?C1)", "(?|a|b)", "\\Qa\\E",
                           "\\K", "\\R", "\\X", "\\h", "\\p{L}", "\\g{1}", "\\z"}) {
    CAPTURE(text);
    CHECK_FALSE(refusal(text).empty());
  }
}

TEST_CASE("A refusal says where the expression stands and what is wrong with it") {
  CHECK(refusal("a(b") ==
        "f.json: ignore[3]: \"a(b\" is not a regular expression: missing ), unterminated subpattern (at character 3)");
  CHECK(refusal("(?<=a+)b").find("look-behind requires fixed-width pattern") != std::string::npos);
  CHECK(refusal("\\N{DOT}").find("\\N{...}, a character by its name, is not supported") != std::string::npos);
  CHECK(refusal("(?a)\\w").find("the flag a is not supported") != std::string::npos);
  CHECK(refusal(std::string(300, '(')).find("more than 200 parentheses within each other") != std::string::npos);
  CHECK(refusal(std::string(1025, 'a')).find("has 1025 characters, at most 1024 are read") != std::string::npos);
  CHECK(refusal(std::string(1025, 'a')).size() < 400);
  CHECK(refusal("a\xff").find("it is not UTF-8") != std::string::npos);
}

TEST_CASE("An expression that would take for ever is an error within a second and a small stack") {
  const auto start = std::chrono::steady_clock::now();
  CHECK(refusal("((a*){100}){90}x").find("too large") != std::string::npos);
  CHECK(refusal("(a?){15000}.*").find("too large") != std::string::npos);
  const std::string name = std::string(60, 'a') + "c";
  for (const char* text : {"(a+)+$", "(a|a)*$", "(a*)*b?$", "(a|aa)+$", "((a*)*)*$", "(?:.*.*.*.*)*\\d$"}) {
    CAPTURE(text);
    std::string error;
    try {
      static_cast<void>(Pattern(text, "f.json: ignore[3]").matches(name));
    } catch (const Error& caught) {
      error = caught.what();
    }
    CHECK(error.find("f.json: ignore[3]: the expression \"") == 0);
    CHECK(error.find("is too complex: on the name \"aaaa") != std::string::npos);
  }
  const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - start;
  CHECK(passed.count() < 5);  // some 0.05 s; under a sanitizer more
}

TEST_CASE("A pattern serves many threads and its copies outlive it") {
  std::vector<std::thread> threads;
  std::vector<int> right(8, 0);
  {
    const Pattern original("^(?!.*visual).*_proj$");
    for (int& count : right)
      threads.emplace_back([pattern = original, &count] {
        for (int i = 0; i < 500; ++i)
          count += static_cast<int>(pattern.matches("model.layers.0.mlp.up_proj")) +
                   static_cast<int>(!pattern.matches("visual.blocks.0.mlp.up_proj"));
      });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(right == std::vector<int>(8, 1000));
}

TEST_CASE("A pattern set from a string is refused when it is asked") {
  const Pattern wrong = "a(";
  CHECK(wrong.text() == "a(");
  CHECK_THROWS_AS(wrong.matches("a"), Error);
}

TEST_CASE("An unset pattern matches nothing") {
  CHECK_FALSE(Pattern().matches(""));
  CHECK(Pattern().text().empty());
  CHECK(Pattern("").matches("anything"));  // as Python's empty expression
}
