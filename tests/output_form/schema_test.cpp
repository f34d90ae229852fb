// What texts a schema lets through, keyword by keyword, by hand.
#include <string>
#include <vector>

#include "catch.hpp"
#include "octavo/output_form.hpp"

using octavo::Error;
using octavo::ErrorCode;
using octavo::FormOptions;
using octavo::FormSpacing;
using octavo::OutputForm;

namespace {

struct Case {
  std::string schema;
  std::vector<std::string> yes, no;
};

void check(const Case& a, const FormOptions& options = {}) {
  INFO(a.schema);
  const OutputForm form = OutputForm::json_schema(a.schema, options);
  for (const std::string& text : a.yes) {
    INFO(text);
    CHECK(form.matches(text));
  }
  for (const std::string& text : a.no) {
    INFO(text);
    CHECK_FALSE(form.matches(text));
  }
}

ErrorCode code_of(const std::string& schema, std::string* message = nullptr) {
  INFO(schema);
  try {
    OutputForm::json_schema(schema);
  } catch (const Error& error) {
    if (message != nullptr) *message = error.what();
    return error.code();
  }
  FAIL("not refused");
  return ErrorCode::internal;
}

}  // namespace

TEST_CASE("types of JSON Schema") {
  check({R"({"type": "null"})", {"null"}, {"", "0", "nul", "null "}});
  check({R"({"type": "boolean"})", {"true", "false"}, {"True", "1"}});
  check({R"({"type": "integer"})", {"0", "-1", "12", "999999999999999999"}, {"01", "1.0", "-", "-0", "1e3", "+1"}});
  check({R"({"type": "number"})",
         {"0", "-0", "1.5", "-1.25e-7", "1E+9", "0.000000000000000001"},
         {".5", "1.", "01.5", "1e", "1e400", "NaN", "Infinity"}});
  check({R"({"type": "string"})",
         {R"("")", R"("a b")", "\"caf\xC3\xA9\"", R"("\n\"\\\/\u00e9")", R"("\ud83d\ude00")", "\"\xF0\x9F\x98\x80\"",
          "\"\x7F\""},
         {"a", R"(")", R"("\x")", "\"\n\"", R"("\ud83d")", R"("\ude00")", "\"\xC3\"", "\"\xED\xA0\x80\"",
          R"("\u00g0")"}});
  check({R"({"type": "array"})", {"[]", "[1, null, [2]]"}, {"[1,]", "[,1]", "[1 2]", "{}"}});
  check({R"({"type": "object"})", {"{}", R"({"a": 1, "b": {"c": []}})"}, {R"({"a"})", R"({a: 1})", R"({"a": 1,})"}});
  check({R"({"type": ["integer", "null"]})", {"1", "null"}, {"true"}});
  for (const char* any : {"{}", "true", R"({"title": "x", "description": "y"})"})
    check({any, {"1", "\"a\"", "null", R"([{"a": [true]}])"}, {"", "]", "[1"}});
}

TEST_CASE("objects have the properties in the order of the schema") {
  check({R"({"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "null"}}, "required": ["a"]})",
         {R"({"a": 1})", R"({"a": 1, "b": null})", R"({"a":1,"b":null})"},
         {"{}", R"({"b": null, "a": 1})", R"({"b": null})", R"({"a": 1, "c": 2})", R"({"a": null})",
          R"({"a": 1 , "b": null})", R"({"a": 1,  "b": null})", R"({ "a": 1})"}});
  check({R"({"properties": {"a": {}, "b": {}, "c": {}}})",
         {"{}", R"({"b": 1})", R"({"a": 1, "c": 2})", R"({"a": 1, "b": 2, "c": 3})"},
         {R"({"c": 1, "a": 2})", R"({, "b": 1})"}});
  // Keys that JSON escapes.
  check({R"({"properties": {"a\"\n\u0001é": {"const": 1}}})", {"{\"a\\\"\\n\\u0001\xC3\xA9\": 1}"}, {}});
}

TEST_CASE("additional properties have other keys than the properties") {
  const std::string schema =
      R"({"properties": {"ab": {"const": 1}, "a\n": {"const": 2}}, "additionalProperties": {"type": "null"}})";
  check({schema,
         {"{}", R"({"ab": 1, "x": null, "a": null, "abc": null})", R"({"x": null})", R"({"": null})",
          R"({"a\r": null, "b\"": null})", "{\"\xC3\xA9\": null}"},
         {R"({"ab": null})", R"({"x": null, "ab": null})", R"({"a\u0062": null})", R"({"a\n": null})", R"({"x": 1})",
          R"({"x": null, "ab": 1})"}});
  check({R"({"additionalProperties": {"type": "integer"}})", {"{}", R"({"x": 1, "y": 2})"}, {R"({"x": "1"})"}});
  check({R"({"properties": {"a": {}}, "additionalProperties": true})", {R"({"a": 1, "b": 2})"}, {}});
  check({R"({"type": "object", "additionalProperties": false})", {"{}"}, {R"({"a": 1})"}});
}

TEST_CASE("arrays have as many elements as a schema says") {
  check({R"({"items": {"type": "integer"}, "minItems": 2, "maxItems": 3})",
         {"[1, 2]", "[1,2,3]"},
         {"[]", "[1]", "[1, 2, 3, 4]", "[1, true]"}});
  check({R"({"items": {"type": "integer"}, "minItems": 1})", {"[1]", "[1, 2, 3, 4, 5]"}, {"[]"}});
  check({R"({"items": {"type": "integer"}, "maxItems": 1})", {"[]", "[1]"}, {"[1, 2]"}});
  check({R"({"prefixItems": [{"const": "a"}, {"type": "integer"}], "items": {"type": "null"}})",
         {"[]", R"(["a"])", R"(["a", 1])", R"(["a", 1, null, null])"},
         {"[1]", R"(["a", null])", R"(["a", 1, 2])"}});
  check({R"({"prefixItems": [{}, {}], "minItems": 2})", {"[1, 2]"}, {"[1]", "[1, 2, 3]"}});
  check({R"({"items": false})", {"[]"}, {"[1]"}});
  check({R"({"type": "array", "maxItems": 0})", {"[]"}, {"[1]"}});
}

TEST_CASE("enum and const have their values as json.dumps writes them") {
  check({R"({"enum": ["a", 1, 2.5, null, true, {"x": [1, 2]}, "é\n"]})",
         {R"("a")", "1", "2.5", "null", "true", R"({"x": [1, 2]})", R"({"x":[1,2]})", "\"\xC3\xA9\\n\""},
         {"a", "2", "false", R"({"x": [1]})"}});
  check({R"({"const": "x"})", {R"("x")"}, {R"("y")"}});
  check({R"({"type": "string", "enum": ["a", 1]})", {R"("a")"}, {"1"}});
  check({R"({"type": "integer", "enum": [1, 1.5]})", {"1"}, {"1.5"}});
}

TEST_CASE("choices and references of a schema") {
  check({R"({"anyOf": [{"type": "integer"}, {"type": "string"}]})", {"1", R"("1")"}, {"null"}});
  check({R"({"oneOf": [{"const": "a"}, {"const": "ab"}]})", {R"("a")", R"("ab")"}, {R"("b")"}});
  check({R"({"allOf": [{"type": "integer"}]})", {"1"}, {"null"}});
  check({R"({"anyOf": [{"properties": {"k": {"const": 1}, "x": {}}, "required": ["k", "x"]},
                       {"properties": {"k": {"const": 1}, "y": {}}, "required": ["k", "y"]}]})",
         {R"({"k": 1, "x": 0})", R"({"k": 1, "y": 0})"},
         {R"({"k": 1})", R"({"k": 1, "x": 0, "y": 0})"}});
  check({R"({"$ref": "#/$defs/a~1b%20c", "$defs": {"a/b c": {"type": "null"}}})", {"null"}, {"1"}});
  check({R"({"items": {"$ref": "#"}, "type": "array"})", {"[]", "[[], [[]]]"}, {"[1]", "[[]"}});
  check({R"({"$ref": "#/$defs/tree", "$defs": {"tree": {"type": "object", "properties": {"v": {"type": "integer"},
             "c": {"type": "array", "items": {"$ref": "#/$defs/tree"}}}, "required": ["v"]}}})",
         {R"({"v": 1})", R"({"v": 1, "c": [{"v": 2, "c": []}, {"v": 3}]})"},
         {R"({"c": []})", R"({"v": 1, "c": [{}]})"}});
}

TEST_CASE("lengths of strings count characters") {
  check({R"({"type": "string", "minLength": 2, "maxLength": 3})",
         {R"("ab")", R"("abc")", "\"\xC3\xA9\xF0\x9F\x98\x80\"", R"("\n\u0041")", R"("\ud83d\ude00a")"},
         {R"("")", R"("a")", R"("abcd")", R"("\ud83d\ude00")"}});
  check({R"({"minLength": 1})", {R"("a")", R"("abcdefghijklm")"}, {R"("")"}});
}

TEST_CASE("bounds of integers are exact") {
  for (const auto& [least, most] : std::vector<std::pair<int, int>>{{0, 0},
                                                                    {0, 9},
                                                                    {0, 10},
                                                                    {1, 100},
                                                                    {7, 123},
                                                                    {-5, 5},
                                                                    {-120, -7},
                                                                    {-1, 0},
                                                                    {-9, 1000},
                                                                    {99, 101},
                                                                    {-3, -3}}) {
    const std::string schema =
        R"({"type": "integer", "minimum": )" + std::to_string(least) + R"(, "maximum": )" + std::to_string(most) + "}";
    INFO(schema);
    const OutputForm form = OutputForm::json_schema(schema);
    for (int i = -1300; i <= 1300; ++i) CHECK(form.matches(std::to_string(i)) == (least <= i && i <= most));
  }
  check({R"({"type": "integer", "minimum": 5})", {"5", "6", "10", "123456789012345678"}, {"4", "0", "-5"}});
  check({R"({"type": "integer", "maximum": -5})", {"-5", "-123456789012345678"}, {"-4", "0", "5"}});
  check({R"({"type": "integer", "exclusiveMinimum": 5, "exclusiveMaximum": 7})", {"6"}, {"5", "7"}});
  check({R"({"type": "integer", "minimum": 0.5, "maximum": 2.5})", {"1", "2"}, {"0", "3"}});
}

TEST_CASE("bounds of numbers are exact") {
  check({R"({"type": "number", "minimum": 0, "maximum": 1})",
         {"0", "0.0", "0.5", "0.999", "1", "1.0", "1.000"},
         {"-0.1", "1.1", "1.0001", "2", "1e-1", "-0"}});
  check({R"({"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1})",
         {"0.001", "0.99"},
         {"0", "0.0", "1", "1.0", "0.000"}});
  check({R"({"type": "number", "minimum": -1.25, "maximum": 12.5})",
         {"-1.25", "-1.2", "-0.5", "0", "7.123", "12.5", "12.49", "12.500"},
         {"-1.26", "-2", "12.51", "13"}});
  check(
      {R"({"type": "number", "minimum": 2.5, "maximum": 2.75})", {"2.5", "2.6", "2.75", "2.50"}, {"2.4", "2.76", "2"}});
  check({R"({"minimum": 10.5})", {"10.5", "11", "12345678901.5"}, {"10.4", "9", "-11"}});
  check({R"({"type": "number", "maximum": -10})", {"-10", "-10.5", "-123"}, {"-9.9", "0", "10"}});
}

TEST_CASE("a pattern stands anywhere in a string unless it is anchored") {
  check({R"({"pattern": "b+"})", {R"("b")", R"("abbc")", R"("\"b")"}, {R"("ac")", "b"}});
  check({R"({"type": "string", "pattern": "^[A-Z]{2}-\\d{3}$"})", {R"("AB-123")"}, {R"("AB-12")", R"("xAB-123")"}});
  check({R"({"pattern": "^a\"\\n$"})", {R"("a\"\n")"}, {R"("a\"\u000a")"}});
}

TEST_CASE("white space is what the form says") {
  FormOptions lines;
  lines.spacing = FormSpacing::lines;
  const std::string schema = R"({"properties": {"a": {"items": {"type": "integer"}}, "b": {}}})";
  check({schema,
         {R"({"a": [1, 2], "b": 3})", "{\n  \"a\": [\n    1,\n    2\n  ],\n  \"b\": null\n}", "{\n\t\"a\": []\n}"},
         {"{  \"a\": []}", "{\n\n\"a\": []}", "{\"a\" : []}", "{\"a\": [1\n,2]}"}},
        lines);
  FormOptions fenced;
  fenced.fence = true;
  check({R"({"type": "integer"})", {"```json\n12\n```"}, {"12", "```json\n12", "```json\n12\n```\n"}}, fenced);
}

TEST_CASE("what is not honoured is refused by name") {
  std::string message;
  for (const char* keyword : {"not", "if", "patternProperties", "propertyNames", "uniqueItems", "contains",
                              "multipleOf", "format", "minProperties", "dependentRequired", "unevaluatedProperties",
                              "$anchor", "additionalItems", "nullable", "tpye"}) {
    const std::string schema = R"({"properties": {"p": {"type": "string", ")" + std::string(keyword) + R"(": {}}}})";
    CHECK(code_of(schema, &message) == ErrorCode::unsupported);
    CHECK(message.find("properties.p." + std::string(keyword)) != std::string::npos);
  }
  CHECK(code_of(R"({"anyOf": [{}], "type": "object"})") == ErrorCode::unsupported);
  CHECK(code_of(R"({"allOf": [{}, {}]})") == ErrorCode::unsupported);
  CHECK(code_of(R"({"$ref": "other.json"})") == ErrorCode::unsupported);
  CHECK(code_of(R"({"$ref": "#/$defs/a"})") == ErrorCode::not_found);
  CHECK(code_of(R"({"items": [{}]})") == ErrorCode::unsupported);
  CHECK(code_of(R"({"pattern": "a", "minLength": 2})") == ErrorCode::unsupported);
  CHECK(code_of(R"({"properties": {"a": {"$id": "x"}}})") == ErrorCode::unsupported);
  CHECK(code_of(R"({"properties": {}, "required": ["a"]})") == ErrorCode::unsupported);
  CHECK(code_of(R"({"type": "int"})") == ErrorCode::format);
  CHECK(code_of(R"({"type": "integer")") == ErrorCode::format);
  CHECK(code_of(R"([])") == ErrorCode::format);
}

TEST_CASE("a schema that no text has is refused") {
  CHECK(code_of("false") == ErrorCode::invalid_argument);
  CHECK(code_of(R"({"$ref": "#"})") == ErrorCode::invalid_argument);
  CHECK(code_of(R"({"anyOf": [{"$ref": "#/$defs/b"}, {"type": "null"}], "$defs": {"b": {"$ref": "#"}}})") ==
        ErrorCode::invalid_argument);
  CHECK(code_of(R"({"properties": {"a": {"$ref": "#"}}, "required": ["a"]})") == ErrorCode::invalid_argument);
  CHECK(code_of(R"({"type": "integer", "minimum": 3, "maximum": 2})") == ErrorCode::invalid_argument);
  CHECK(code_of(R"({"type": "string", "enum": [1]})") == ErrorCode::invalid_argument);
  CHECK(code_of(R"({"minItems": 3, "maxItems": 2})") == ErrorCode::invalid_argument);
  CHECK(code_of(R"({"minItems": 1, "items": false})") == ErrorCode::invalid_argument);
  // Elsewhere it is only not chosen.
  check({R"({"properties": {"a": false, "b": {}}})", {"{}", R"({"b": 1})"}, {R"({"a": 1})"}});
}

TEST_CASE("schemas are bounded") {
  CHECK(code_of(R"({"type": "string", "maxLength": 1000000000})") == ErrorCode::invalid_argument);
  CHECK(code_of(R"({"minItems": 9000000000000000000})") == ErrorCode::invalid_argument);
  CHECK(code_of(R"({"pattern": "((((a{0,999}){0,999}){0,999}){0,999}){0,999}"})") == ErrorCode::invalid_argument);
  CHECK(code_of(R"({"pattern": "((((){999}){999}){999}){999}"})") == ErrorCode::invalid_argument);
  CHECK(code_of("{\"description\": \"" + std::string(2 << 20, 'a') + "\"}") == ErrorCode::invalid_argument);
  std::string deep;
  for (int i = 0; i < 150; ++i) deep += R"({"items":)";
  CHECK(OutputForm::json_schema(deep + "{}" + std::string(150, '}')).matches("[[[]]]"));
  // A chain of references is followed without a stack.
  std::string chain = R"({"$ref": "#/$defs/d0", "$defs": {)";
  for (int i = 0; i < 20000; ++i)
    chain += "\"d" + std::to_string(i) + R"(": {"$ref": "#/$defs/d)" + std::to_string(i + 1) + "\"}, ";
  chain += R"("d20000": {"type": "null"}}})";
  CHECK(code_of(chain) == ErrorCode::invalid_argument);  // calls in each other
}

TEST_CASE("a text that nests without end stays in what is known to be completed") {
  const OutputForm form = OutputForm::json_schema("{}");
  std::string text;
  while (form.begins(text + "[")) text += "[";
  CHECK(text.size() >= 63);
  CHECK(text.size() < 200);  // Json's own limit
  CHECK(form.matches(text + std::string(text.size(), ']')));
}

TEST_CASE("readings of a text do not multiply with its depth") {
  // Each level can be read in two ways.
  const OutputForm form = OutputForm::json_schema(R"({"$ref": "#/$defs/a", "$defs": {"a": {"anyOf": [
      {"type": "null"}, {"type": "array", "items": {"$ref": "#/$defs/a"}},
      {"type": "array", "items": {"$ref": "#/$defs/a"}, "minItems": 1}]}}})");
  const std::string deep = std::string(40, '[') + "null" + std::string(40, ']');
  CHECK(form.matches(deep));
  CHECK_FALSE(form.matches(deep + "]"));
}
