// Templates, expressions and choices, by hand.
#include <string>
#include <vector>

#include "catch.hpp"
#include "octavo/output_form.hpp"

using octavo::Error;
using octavo::ErrorCode;
using octavo::OutputForm;

namespace {

void check(const OutputForm& form, const std::vector<std::string>& yes, const std::vector<std::string>& no) {
  for (const std::string& text : yes) {
    INFO(text);
    CHECK(form.matches(text));
  }
  for (const std::string& text : no) {
    INFO(text);
    CHECK_FALSE(form.matches(text));
  }
}

template <class Job>
ErrorCode code_of(const Job& job) {
  try {
    job();
  } catch (const Error& error) {
    return error.code();
  }
  FAIL("not refused");
  return ErrorCode::internal;
}

}  // namespace

TEST_CASE("a template of a box") {
  const OutputForm form = OutputForm::example(R"({"bbox_2d": [int, int, int, int], "label": string})");
  check(form, {R"({"bbox_2d": [10, 20, 30, 40], "label": "cat"})", R"({"bbox_2d":[1,2,3,4],"label":""})"},
        {R"({"bbox_2d": [10, 20, 30], "label": "cat"})", R"({"bbox_2d": [10, 20, 30, 40]})",
         R"({"bbox_2d": [1.5, 20, 30, 40], "label": "cat"})", R"({"label": "cat", "bbox_2d": [10, 20, 30, 40]})"});
  CHECK(form.begins(R"({"bbox_2d": [10, 20)"));
  CHECK_FALSE(form.begins(R"({"bbox_2d": [10, 20]"));
  CHECK(OutputForm::example("{\"bbox_2d\":[int*4],\n \"label\" : string }")
            .matches(R"({"bbox_2d": [10, 20, 30, 40], "label": "cat"})"));
}

TEST_CASE("words and signs of templates") {
  check(OutputForm::example("number"), {"1.5", "-2e3"}, {"a"});
  check(OutputForm::example("number(0, 1)"), {"0.5", "1"}, {"1.5"});
  check(OutputForm::example("int(-5, 999)"), {"-5", "999"}, {"-6", "1000"});
  check(OutputForm::example("string(1, 3)"), {R"("a")", R"("abc")"}, {R"("")", R"("abcd")"});
  check(OutputForm::example("bool | null"), {"true", "false", "null"}, {"0"});
  check(OutputForm::example(R"("yes" | "no" | -1.5)"), {R"("yes")", R"("no")", "-1.5"}, {"yes", "1.5"});
  check(OutputForm::example("any"), {R"([{"a": null}])"}, {"x"});
  check(OutputForm::example(R"({"a"?: int, "b": int, "c"?: int})"),
        {R"({"b": 1})", R"({"a": 1, "b": 2})", R"({"a": 1, "b": 2, "c": 3})"}, {"{}", R"({"a": 1})"});
  check(OutputForm::example("{}"), {"{}"}, {R"({"a": 1})"});
  check(OutputForm::example("[]"), {"[]"}, {"[1]"});
  check(OutputForm::example("[int, ...]"), {"[1]", "[1, 2, 3]"}, {"[]"});
  check(OutputForm::example("[string, int, ...]"), {R"(["a", 1])", R"(["a", 1, 2])"}, {R"(["a"])", R"(["a", 1, "b"])"});
  check(OutputForm::example("[int * 0..2]"), {"[]", "[1]", "[1, 2]"}, {"[1, 2, 3]"});
  check(OutputForm::example("[null, int * 2..]"), {"[null, 1, 2]", "[null, 1, 2, 3]"}, {"[null, 1]"});
  check(OutputForm::example("[int * 2, null]"), {"[1, 2, null]"}, {"[1, null]"});
  check(OutputForm::example(R"([{"p": [int * 2]}, ...])"), {R"([{"p": [1, 2]}, {"p": [3, 4]}])"}, {"[]"});
}

TEST_CASE("a template that cannot be read names the byte") {
  for (const char* bad : {"", "{", "[int", "foo", R"({"a" int})", R"({"a": int,})", R"({"a": int, "a": int})",
                          "int int", "[int * ]", "[int * 3..2]", "int(5, 1)", "int(1)", "\"open", "[...]", "int |",
                          "01", "[int * 2..3, int]", "[int * 99999, int * 2]", "int(0, 1234567890123456789)"}) {
    INFO(bad);
    CHECK(code_of([&] { OutputForm::example(bad); }) == ErrorCode::format);
  }
  CHECK(code_of([] { OutputForm::example(std::string(1000, '[')); }) == ErrorCode::format);
  CHECK(code_of([] { OutputForm::example("[int * 100000]"); }) == ErrorCode::invalid_argument);
  try {
    OutputForm::example(R"({"a": flaot})");
    FAIL("not refused");
  } catch (const Error& error) {
    CHECK(std::string(error.what()).find("byte 6") != std::string::npos);
  }
}

TEST_CASE("regular expressions match the whole text") {
  check(OutputForm::pattern("(yes|no)( really){0,2}"), {"yes", "no really", "no really really"},
        {"yes ", "no really really really", ""});
  check(OutputForm::pattern(R"(\d{2}:\d{2})"), {"12:34"}, {"1:34", "12:345"});
  check(OutputForm::pattern("[^a-c\\]]+"), {"xyz", "\xC3\xA9\xF0\x9F\x98\x80", "["}, {"", "a", "x]"});
  check(OutputForm::pattern("[\\u00e0-\\u00ff]?.*"), {"", "\xC3\xA9", "abc"}, {"a\nb", "\xC3"});
  check(OutputForm::pattern("^a+?b*$"), {"a", "aab"}, {"b", ""});
  check(OutputForm::pattern("(?:a|)(?<n>b)"), {"ab", "b"}, {"a"});
  check(OutputForm::pattern("\\u{1F600}|\\x41|\\."), {"\xF0\x9F\x98\x80", "A", "."}, {"x"});
  check(OutputForm::pattern("\\S\\w\\s\\W\\D"), {"aa  a", "._\t-x"},
        {"aa  1",
         "\xC3\xA9"
         "a  a"});
  check(OutputForm::pattern("[a-]"), {"a", "-"}, {"b"});
}

TEST_CASE("expressions that are not regular or not well formed are refused") {
  for (const char* bad : {"(a)\\1", "a(?=b)", "(?<!a)b", "\\bword", "a^b", "(a$)", "\\p{L}"}) {
    INFO(bad);
    CHECK(code_of([&] { OutputForm::pattern(bad); }) == ErrorCode::unsupported);
  }
  for (const char* bad : {"(a", "a)", "[a", "*a", "a**", "a{3,2}", "a{", "a]", "[b-a]", "\\xZZ", "\xFF", "a\\"}) {
    INFO(bad);
    CHECK(code_of([&] { OutputForm::pattern(bad); }) == ErrorCode::format);
  }
  CHECK(code_of([] { OutputForm::pattern(std::string(100000, '(')); }) == ErrorCode::unsupported);
  CHECK(code_of([] { OutputForm::pattern("[^\\u0000-\\u{10FFFF}]"); }) == ErrorCode::invalid_argument);
}

TEST_CASE("choices are texts as they stand") {
  const std::vector<std::string> texts{"red", "red wine", "caf\xC3\xA9"};
  check(OutputForm::choices(texts), texts, {"re", "red ", "cafe", ""});
  CHECK(code_of([] { OutputForm::choices({}); }) == ErrorCode::invalid_argument);
  CHECK(code_of([] { OutputForm::choices(std::vector<std::string>{""}); }) == ErrorCode::invalid_argument);
  CHECK(code_of([] { OutputForm::choices(std::vector<std::string>{"\xFF"}); }) == ErrorCode::invalid_argument);
}
