#include "octavo/settings.hpp"

#include <array>

#include "catch.hpp"
#include "octavo/error.hpp"

using namespace octavo;

namespace {

constexpr std::array<Setting, 5> kRows{{
    {"read", SettingEffect::honoured, "", "7", "Is read."},
    {"wanted", SettingEffect::required, "[true, 1, null]", "false", "Turns it on."},
    {"size.height", SettingEffect::required, "[null]", "3", "Resizes to one size."},
    {"said", SettingEffect::named, R"(["a|b"])", R"("c")", "Chooses a|b."},
    {"notes", SettingEffect::no_matter, "", R"({"any": 1})", "Is never read."},
}};
constexpr SettingsTable kTable{"file.json", kRows};

std::vector<SettingFinding> findings(const std::string& text) {
  return examine_settings(Json::parse(text, "d/file.json"), kTable);
}

}  // namespace

TEST_CASE("a settings table lets pass what it accepts, by value") {
  CHECK(findings(R"({"read": 9, "wanted": true, "said": "a|b", "notes": {"any": {"depth": 1}}})").empty());
  CHECK(findings(R"({"wanted": 1.0, "size": {"height": null}})").empty());
  CHECK(findings(R"({"wanted": null, "size": null})").empty());
  CHECK(findings("[1, 2]").empty());
  CHECK(findings("3").empty());
}

TEST_CASE("a settings table refuses, names and does not know") {
  const auto found = findings(R"({"wanted": 0, "size": {"height": 3, "hight": 4}, "said": "c", "wnated": 1})");
  REQUIRE(found.size() == 5);
  CHECK(found[0].kind == SettingFinding::Kind::refused);
  CHECK(found[0].where == "d/file.json: wanted");
  CHECK(found[0].what == "d/file.json: wanted is 0, Octavo has one of true, 1: Turns it on.");
  CHECK(found[1].kind == SettingFinding::Kind::refused);
  CHECK(found[1].what == "d/file.json: size.height is 3, Octavo has null: Resizes to one size.");
  CHECK(found[2].kind == SettingFinding::Kind::unknown);
  CHECK(found[2].where == "d/file.json: size.hight");
  CHECK(found[3].kind == SettingFinding::Kind::named);
  CHECK(found[3].what == "d/file.json: said is \"c\", which is not acted upon; Chooses a|b.");
  CHECK(found[4].kind == SettingFinding::Kind::unknown);
  CHECK(found[4].what == "d/file.json: wnated is no key that Octavo knows");
}

TEST_CASE("a reader throws the first refusal alone and long values are cut") {
  const auto read = [](const std::string& text) { require_settings(Json::parse(text, "file.json"), kTable); };
  CHECK_NOTHROW(read(R"({"said": "c", "unknown": 1})"));
  CHECK_THROWS_WITH(read(R"({"said": "c", "size": {"height": 3}, "wanted": 0})"),
                    "file.json: size.height is 3, Octavo has null: Resizes to one size.");
  const auto found = findings(R"({"wanted": ")" + std::string(5000, 'x') + "\"}");
  REQUIRE(found.size() == 1);
  CHECK(found[0].what.size() < 300);
}

TEST_CASE("a settings table as Markdown keeps its columns") {
  const std::string page = settings_markdown(kTable);
  CHECK(page.find("| `wanted` | must equal | `[true, 1, null]` | Turns it on. |\n") != std::string::npos);
  CHECK(page.find("| `said` | named | `[\"a\\|b\"]` | Chooses a\\|b. |\n") != std::string::npos);
  CHECK(page.find("| `read` | honoured |  | Is read. |\n") != std::string::npos);
}
