#include "octavo/json.hpp"

#include "catch.hpp"
#include "octavo/error.hpp"

using namespace octavo;

TEST_CASE("values are read by key and index, and errors name file and path") {
  const Json json = Json::parse(R"({"a": {"b": [1, 2.5, "x", true, null]}, "big": 9007199254740993})", "c.json");
  CHECK(json.at("a").at("b").at(std::size_t{0}).as_int() == 1);
  CHECK(json.at("a").at("b").at(std::size_t{1}).as_number() == 2.5);
  CHECK(json.at("a").at("b").at(std::size_t{2}).as_string() == "x");
  CHECK(json.at("a").at("b").at(std::size_t{3}).as_bool());
  CHECK(json.at("big").as_int() == 9007199254740993);  // no detour through a double
  CHECK_FALSE(json.find("none").has_value());
  CHECK(json.get_int("none", 7) == 7);
  CHECK_THROWS_WITH(json.at("a").at("c"), "c.json: a: the key \"c\" is missing");
  CHECK_THROWS_WITH(json.at("a").at("b").at(std::size_t{5}), "c.json: a.b: element 5 is missing, there are 5");
  CHECK_THROWS_WITH(json.at("a").at("b").at(std::size_t{1}).as_int(), "c.json: a.b[1] is 2.5, an integer is needed");
  CHECK_THROWS_WITH(json.at("a").as_string(), "c.json: a is an object, a string is needed");
  CHECK_THROWS_WITH(json.at("big").at("x"), "c.json: big is a number, an object with the key \"x\" is needed");
}

TEST_CASE("what is not JSON, or says a thing twice, or nests without end, is refused") {
  CHECK_THROWS_AS(Json::parse("", "e.json"), Error);
  CHECK_THROWS_AS(Json::parse("{\"a\": 1,}", "e.json"), Error);
  CHECK_THROWS_AS(Json::parse("{\"a\": 1} x", "e.json"), Error);
  CHECK_THROWS_WITH(Json::parse(R"({"a": 1, "b": {"k": 1, "k": 2}})", "e.json"),
                    "e.json: not valid JSON: the key \"k\" appears twice in one object");
  CHECK_THROWS_WITH(Json::parse(std::string(100000, '['), "e.json"),
                    "e.json: not valid JSON: nested more than 200 levels deep");
  CHECK_THROWS_WITH(
      Json::parse("\x89PNG\r\n", "picture.png"),
      Catch::Matchers::ContainsSubstring("last read: '\\x89' (byte 1)"));  // a terminal is sent no such byte
  CHECK_THROWS_WITH(Json::read_file("."), ".: is a directory, a file is needed");
}

TEST_CASE("what is built reads back, keys in their order") {
  const JsonBuilder built = JsonBuilder::object()
                                .set("z", 1)
                                .set("a", JsonBuilder::array().push(true).push(nullptr).push("q\"\n\xC3\xA9"))
                                .set("z", 2.5);
  CHECK(built.dump() == "{\"z\":2.5,\"a\":[true,null,\"q\\\"\\n\xC3\xA9\"]}");
  const Json read = Json::parse(built.dump(2), "built");
  CHECK(read.at("a").at(std::size_t{2}).as_string() == "q\"\n\xC3\xA9");
  CHECK(read.dump() == built.dump());
  CHECK(JsonBuilder(std::nan("")).dump() == "null");  // JSON has no other word for it
}
