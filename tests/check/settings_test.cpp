// Every row of the tables of config.json and of the picture processor's files, set to a value out of the ordinary: what
// the row says must happen.
#include <cstring>
#include <optional>
#include <set>

#include "catch.hpp"
#include "octavo/check.hpp"
#include "octavo/checkpoint.hpp"
#include "octavo/config.hpp"
#include "octavo/image.hpp"
#include "octavo/model.hpp"
#include "saved_model.hpp"

using namespace octavo;
using test::contains;
using test::kModel;
using test::Scratch;

namespace {

const std::string kSaved = std::string(OCTAVO_SOURCE_DIR) + "/tests/golden/checkpoint/saved/";

/// `object` with the value at a path of keys.
JsonBuilder with(const Json& object, const std::string& key, const Json& value) {
  JsonBuilder changed = object.is_object() ? JsonBuilder(object) : JsonBuilder::object();
  const std::size_t dot = key.find('.');
  if (dot == std::string::npos) {
    changed.set(key, JsonBuilder(value));
  } else {
    const std::string head = key.substr(0, dot);
    changed.set(head, with(object.find(head).value_or(Json()), key.substr(dot + 1), value));
  }
  return changed;
}

bool is_in_missing_object(const Json& object, const std::string& key) {
  const std::size_t dot = key.find('.');
  if (dot == std::string::npos) return !object.is_object();
  const std::optional<Json> next = object.find(key.substr(0, dot));
  return !next || is_in_missing_object(*next, key.substr(dot + 1));
}

struct Outcome {
  std::set<std::string> fatal, notes;
  std::vector<float> logits;
  std::string error;  // of opening or answering
  std::string size;   // what a large picture of odd sides is resized to
};

Outcome outcome_of(const std::string& directory) {
  Outcome outcome;
  for (const CheckProblem& problem : check(directory).problems)
    (problem.fatal ? outcome.fatal : outcome.notes).insert(problem.what);
  try {
    const Model model = Model::open(directory);
    const Image image = load_image(kModel + "/eval/000.png");
    const Tensor logits = model.forward(model.prepare("Where is the purple circle?", {&image, 1}));
    outcome.logits.assign(logits.values<float>().begin(), logits.values<float>().end());
  } catch (const Error& error) {
    outcome.error = error.what();
  }
  try {
    const Grid grid = grid_of({1001, 1111}, ImageProcessorConfig::open(directory));
    outcome.size = std::to_string(grid.h) + " x " + std::to_string(grid.w);
  } catch (const Error& error) {
    outcome.size = error.what();
  }
  return outcome;
}

bool any_names(const std::set<std::string>& lines, const std::string& key) {
  const std::string last = key.substr(key.rfind('.') + 1);
  for (const std::string& line : lines)
    if (contains(line, last)) return true;
  return false;
}

void demand(const Setting& setting, const Outcome& before, const Outcome& after) {
  std::set<std::string> told = after.notes;
  for (const std::string& line : before.notes) told.erase(line);
  std::string all;
  for (const std::string& line : after.fatal) all += "! " + line + "\n";
  for (const std::string& line : told) all += "- " + line + "\n";
  INFO(all << after.error);
  const std::string key(setting.key);
  switch (setting.effect) {
    case SettingEffect::honoured:
      CHECK((!after.fatal.empty() || !told.empty() || !after.error.empty() || after.logits != before.logits ||
             after.size != before.size));
      break;
    case SettingEffect::required:
      CHECK(any_names(after.fatal, key));
      // Opening stops at the first thing that is wrong: an object that appears may have told of another key.
      CHECK((any_names({after.error}, key) || (after.fatal.size() > 1 && !after.error.empty())));
      break;
    case SettingEffect::named:
      CHECK(any_names(told, key));
      CHECK(after.fatal.empty());
      CHECK((after.logits == before.logits));
      break;
    case SettingEffect::no_matter:
      CHECK(after.fatal.empty());
      CHECK(after.error.empty());
      CHECK((after.logits == before.logits));
      CHECK(after.size == before.size);
      break;
  }
}

/// The bundled model with a release's files, opened once as it is and then once per row.
class Walk {
 public:
  explicit Walk(const std::string& release) : directory_(scratch_.path("model")) {
    test::fs::create_directory(directory_);
    for (const auto& entry : test::fs::directory_iterator(kModel))
      if (entry.is_regular_file()) test::fs::copy(entry.path(), directory_ + "/" + entry.path().filename().string());
    if (!release.empty()) {
      test::fs::remove(directory_ + "/preprocessor_config.json");
      for (const auto& entry : test::fs::directory_iterator(kSaved + release + "/asis"))
        test::fs::copy(entry.path(), directory_ + "/" + entry.path().filename().string(),
                       test::fs::copy_options::overwrite_existing);
    }
    before_ = outcome_of(directory_);
    REQUIRE(before_.fatal.empty());
    REQUIRE(before_.error.empty());
  }

  /// Sets each row's key below `place` of a file ("" for the top) and holds the outcome against the row.
  void walk(const SettingsTable& table, const std::string& file, const std::string& place) {
    const std::string path = directory_ + "/" + file;
    const std::string original = test::read_file(path);
    const Json json = Json::parse(original, file);
    for (const Setting& setting : table.settings) {
      const std::string key(setting.key);
      if (key == "quantization_config") continue;  // a table of its own
      if (place.empty() && table.file != "config.json" && config_settings()[0].find(key) != nullptr) continue;
      // An object that is not there would change what is read by being there.
      if (setting.effect == SettingEffect::no_matter && is_in_missing_object(json, place + key)) continue;
      CAPTURE(file, place, key);
      const Json value = Json::parse(setting.unusual, "unusual");
      Json changed = with(json, place + key, value).build(file);
      if (key == "use_sliding_window") {  // nothing slides unless the window begins before the last layer
        changed = with(changed, place + "max_window_layers", Json::parse("3", "3")).build(file);
        changed = with(changed, place + "layer_types", Json()).build(file);
        changed = with(changed, place + "sliding_window", Json::parse("8", "8")).build(file);
      }
      test::write_text(path, changed.dump(2));
      demand(setting, before_, outcome_of(directory_));
      ++rows;
    }
    test::write_text(path, original);
  }
  int rows = 0;

 private:
  Scratch scratch_;
  std::string directory_;
  Outcome before_;
};

}  // namespace

TEST_CASE("each key of config.json has the stated effect: the flat layout") {
  Walk walk("");
  walk.walk(config_settings()[0], "config.json", "");
  walk.walk(config_settings()[1], "config.json", "");
  walk.walk(config_settings()[2], "config.json", "vision_config.");
  CHECK(walk.rows > 150);
}

TEST_CASE("each key of config.json has the stated effect: text_config of transformers 4.57 and 5.17") {
  const std::string release = GENERATE("4.57", "5.17");
  CAPTURE(release);
  Walk walk(release);
  walk.walk(config_settings()[0], "config.json", "");
  walk.walk(config_settings()[1], "config.json", "text_config.");
  walk.walk(config_settings()[2], "config.json", "vision_config.");
  CHECK(walk.rows > 200);
}

TEST_CASE("each key of the picture processor's files has the stated effect") {
  Walk older("4.57");
  older.walk(image_settings()[0], "preprocessor_config.json", "");
  CHECK(older.rows > 40);
  Walk newer("5.17");
  newer.walk(image_settings()[0], "processor_config.json", "image_processor.");
  newer.walk(image_settings()[1], "processor_config.json", "");
  CHECK(newer.rows > 45);
}

TEST_CASE("no table has a key twice and each limited row accepts something and refuses its example") {
  std::vector<SettingsTable> tables(config_settings().begin(), config_settings().end());
  tables.insert(tables.end(), image_settings().begin(), image_settings().end());
  tables.insert(tables.end(), quantization_settings().begin(), quantization_settings().end());
  for (const SettingsTable& table : tables) {
    std::set<std::string_view> keys;
    for (const Setting& setting : table.settings) {
      CAPTURE(table.file, setting.key);
      CHECK(keys.insert(setting.key).second);
      CHECK_FALSE(setting.sentence.empty());
      const Json unusual = Json::parse(setting.unusual, "unusual");
      const bool limited = setting.effect == SettingEffect::required || setting.effect == SettingEffect::named;
      CHECK(limited != setting.accepted.empty());
      const Json document = with(Json::parse("{}", "file"), std::string(setting.key), unusual).build("file");
      CHECK(examine_settings(document, table).size() == (limited ? 1U : 0U));
    }
  }
}

TEST_CASE("keys that no table knows are told in one line") {
  const Scratch scratch;
  const std::string directory = test::write_model(scratch, "model", test::bundled_tensors());
  REQUIRE(test::edit_file(directory + "/config.json", R"("rope_theta": 100.0,)",
                          R"("rope_theta": 100.0, "rope_tetha": 5, "logit_softcap": 30.0,)"));
  REQUIRE(
      test::edit_file(directory + "/preprocessor_config.json", R"("merge_size")", R"("max_pixel": 7, "merge_size")"));
  const CheckResult result = check(directory);
  CHECK(result.ok());
  std::string all;
  for (const CheckProblem& problem : result.problems) all += problem.what + "\n";
  CHECK(contains(all, "config.json: 2 keys that Octavo does not know: rope_tetha, logit_softcap"));
  CHECK(contains(all, "preprocessor_config.json: 1 key that Octavo does not know: max_pixel"));
}
