// Reports as JSON and as files, and one of the bundled model.
#include "octavo/report.hpp"

#include <sys/stat.h>

#include <cmath>
#include <limits>
#include <set>

#include "catch.hpp"
#include "octavo/checkpoint.hpp"
#include "octavo/image.hpp"
#include "octavo/quantize.hpp"
#include "report_support.hpp"

using namespace octavo;
using namespace test;

TEST_CASE("the JSON holds the report, and its schema is documented") {
  const Report report = full_report();
  const Json json = Json::parse(report.to_json().dump(2), "report");
  CHECK(json.at("quantized").as_string() == "/models/small-w8a8");
  CHECK(json.at("date").as_string() == "2031-02-03T04:05:06+07:00");
  CHECK(json.at("machine").at("processor").as_string() == "A Processor");
  CHECK(json.at("machine").at("threads").as_int() == 13);
  CHECK(json.at("verify").at("accuracy").at("original_only").as_int() == 1);
  CHECK(json.at("verify").at("speed").at("compared").as_bool());
  CHECK(json.at("verify").at("kl").as_number() == 0.0625);
  CHECK(json.at("verify").at("answers").size() == 3);
  CHECK(json.at("compare").at("counts").at("wrong").as_int() == 1);
  CHECK(json.at("attribution").at("groups").size() == 6);
  CHECK(json.at("memory").at("quantized_prefill").as_int() == 6'200'000);
  CHECK(json.at("quantization").at("calibration_tokens").as_int() == 3210);

  const std::string docs = std::string(OCTAVO_SOURCE_DIR) + "/docs/";
  const std::string page = test::read_file(docs + "report.md");
  json.for_each_member([&](std::string_view key, const Json&) {
    CAPTURE(std::string(key));
    CHECK(contains(page, "\"" + std::string(key) + "\""));
  });
  std::set<std::string> keys;
  for (const char* part : {"machine", "memory", "quantization", "compare"}) collect_keys(json.at(part), keys);
  for (const std::string& key : keys) {
    CAPTURE(key);
    if (key != "rules") CHECK(contains(page, "\"" + key + "\""));  // a recipe's: docs/quantization.md
  }
  const std::string attribution = test::read_file(docs + "attribution.md");
  keys.clear();
  collect_keys(json.at("attribution"), keys);
  collect_keys(Recipe::preset("rtn").to_json().build(), keys);
  std::set<std::string>
      elsewhere;  // a recipe's keys: docs/quantization.md; a step's metrics and bounds: docs/verify.md
  for (const char* page_name : {"quantization.md", "verify.md"}) {
    const std::string other = test::read_file(docs + page_name);
    for (const std::string& key : keys)
      if (contains(other, key)) elsewhere.insert(key);
  }
  for (const std::string& key : keys) {
    CAPTURE(key);
    CHECK((elsewhere.count(key) == 1 || contains(attribution, "\"" + key + "\"")));
  }
}

TEST_CASE("a report without readable octavo_report.json says so and stands") {
  Report report = full_report();
  report.quantization = "{\"layers\": [";
  CHECK(contains(page_of(report).text, "It cannot be shown: octavo_report.json"));
  CHECK_FALSE(report.to_json().build().find("quantization"));
  for (const char* odd : {"[]", "3", "{\"layers\": 7}", "{\"layers\": [1, null]}", "{\"warnings\": [3], \"recipe\": 4}",
                          "{\"layers\": [{\"module\": 5}]}", "{\"bytes_before\": -5}"}) {
    CAPTURE(odd);
    report.quantization = odd;
    page_of(report);
  }
}

TEST_CASE("a report is written whole, and what would prevent it is told before") {
  const test::Scratch scratch;
  Report report;
  report.quantized_dir = "q";
  const std::string path = scratch.path("r.html");
  check_report_path(path);
  CHECK(scratch.is_empty());
  write_report(report, path);
  CHECK(test::read_file(path) == report.to_html());
  CHECK(Json::read_file(scratch.path("r.json")).at("quantized").as_string() == "q");
  std::ofstream(path) << "<!doctype html>old";
  write_report(report, path);
  CHECK(test::read_file(path) == report.to_html());
  std::size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(scratch.path("")))
    files += entry.is_regular_file() ? 1 : 0;
  CHECK(files == 2);  // nothing left of the writing

  CHECK(contains(test::message_of([&] { check_report_path(scratch.path("r.htm")); }), "does not end in .html"));
  CHECK(contains(test::message_of([&] { check_report_path(".html"); }), "does not end in .html"));
  CHECK(contains(test::message_of([&] { check_report_path(scratch.path("none/r.html")); }), "does not exist"));
  std::filesystem::create_directory(scratch.path("d.html"));
  CHECK(contains(test::message_of([&] { check_report_path(scratch.path("d.html")); }), "is not a file"));
  std::filesystem::create_directory(scratch.path("e.json"));
  CHECK(contains(test::message_of([&] { check_report_path(scratch.path("e.html")); }), "is not a file"));
  CHECK(contains(test::message_of([&] { write_report(report, scratch.path("e.html")); }), "is not a file"));
  CHECK_FALSE(std::filesystem::exists(scratch.path("e.html")));
}

TEST_CASE("files that belong together appear together") {
  const test::Scratch scratch;
  std::ofstream(scratch.path("a")) << "old";
  const std::vector<NewFile> files{{scratch.path("a"), "new", "old"}, {scratch.path("missing/b"), "x", "x"}};
  CHECK(contains(test::message_of([&] { write_files(files); }), "does not exist"));
  CHECK(test::read_file(scratch.path("a")) == "old");
  std::filesystem::create_symlink("a", scratch.path("link"));
  const std::vector<NewFile> linked{{scratch.path("link"), "through", "old"}};
  write_files(linked);
  CHECK(test::read_file(scratch.path("a")) == "through");
  CHECK(std::filesystem::is_symlink(scratch.path("link")));
  CHECK(test::message_of([&] { check_new_file("/dev/null", "x"); }) != "");
  CHECK(test::message_of([&] { check_new_file("", "x"); }) != "");
}

TEST_CASE("no file is replaced that octavo did not write") {
  const test::Scratch scratch;
  const std::string config = R"({"model_type": "qwen2_5_vl"})";
  std::ofstream(scratch.path("config.json")) << config;
  std::ofstream(scratch.path("notes.html")) << "<p>mine";
  std::ofstream(scratch.path("empty.json")).close();
  const auto refused = [&](const std::string& name, std::string_view mark) {
    return contains(test::message_of([&] { check_new_file(scratch.path(name), mark); }),
                    "is not one that octavo wrote");
  };
  CHECK(refused("config.json", kResultMark));
  CHECK(refused("config.json", kRecipeMark));
  CHECK(refused("notes.html", kPageMark));
  CHECK_FALSE(refused("empty.json", kResultMark));
  CHECK_FALSE(refused("absent.json", kResultMark));
  // The JSON of a page would be the model's configuration.
  Report report;
  CHECK(contains(test::message_of([&] { write_report(report, scratch.path("config.html")); }), "config.json: exists"));
  CHECK(test::read_file(scratch.path("config.json")) == config);
  CHECK_FALSE(std::filesystem::exists(scratch.path("config.html")));
  // Its own are replaced.
  write_report(report, scratch.path("r.html"));
  write_report(report, scratch.path("r.html"));
}

TEST_CASE("a report of the bundled model, made and failed") {
  const test::Scratch scratch;
  QuantizeOptions quantize_options;
  quantize_options.recipe = "rtn";
  const QuantizeResult quantized = quantize(test::kModel, scratch.path("q"), quantize_options);
  CHECK(test::read_markup(quantized.to_html()).problem == "");
  CHECK(test::read_markup(test::read_file(scratch.path("q/octavo_report.html"))).problem == "");

  ReportOptions options;
  options.verify.samples = test::kSamples;
  options.verify.max_samples = 6;
  options.attribution_samples = 2;
  std::int64_t last = -1, total = 0;
  bool fell = false;
  std::set<std::string> parts;
  options.verify.progress = [&](const Progress& progress) {
    fell = fell || progress.done < last || progress.done > progress.total;
    last = progress.done;
    total = progress.total;
    parts.insert(progress.stage.substr(0, progress.stage.find(':')));
    return true;
  };
  const Report report = make_report(test::kModel, scratch.path("q"), options);
  CHECK_FALSE(fell);
  CHECK(last == total);
  CHECK(parts == std::set<std::string>{"verify", "compare", "attribution"});
  CHECK(report.verify.passed);
  REQUIRE(report.compare);
  CHECK(report.compare->ok());
  REQUIRE(report.attribution);
  REQUIRE(report.memory);
  CHECK(report.memory->quantized_weights < report.memory->original_weights);
  CHECK(report.memory->original_decode > report.memory->original_weights);
  CHECK(report.notes.empty());
  CHECK(report.model_type == "qwen2_5_vl");
  CHECK(report.machine.threads >= 1);
  CHECK(report.machine.memory_bytes > 0);
  CHECK(report.date.size() == 25);  // 2026-11-26T11:00:00+01:00
  CHECK(report.command.empty());
  CHECK_FALSE(report.verify.speed.why.empty());
  REQUIRE(report.verify.accuracy);
  CHECK(report.verify.accuracy->counts.total() == 6);
  CHECK(report.quantization == test::read_file(scratch.path("q/octavo_report.json")));
  page_of(report);
  const auto added = std::find_if(report.compare->files.begin(), report.compare->files.end(),
                                  [](const FileComparison& file) { return file.name == "octavo_report.html"; });
  REQUIRE(added != report.compare->files.end());
  CHECK(added->verdict == Verdict::harmless);

  ReportOptions strict;
  strict.verify.samples = test::kSamples;
  strict.verify.max_samples = 2;
  strict.verify.thresholds.max_kl = 0;
  strict.date = "2031-02-03T04:05:06Z";
  strict.machine = ReportMachine{};
  const Report failed = make_report(test::kModel, scratch.path("q"), strict);
  CHECK_FALSE(failed.verify.passed);
  CHECK(failed.attribution);  // nothing but a threshold failed: where it loses can be told
  const Markup page = page_of(failed);
  CHECK(contains(page.text, "Failed: KL divergence is "));
  CHECK(contains(page.text, "this one was rounded to nearest"));  // as octavo_report.json says
  CHECK(failed.date == "2031-02-03T04:05:06Z");
  CHECK(failed.machine.threads == 0);
  CHECK(contains(page.text, "a step before it failed"));

  std::filesystem::resize_file(scratch.path("q/model.safetensors"), 1000);
  const Report damaged = make_report(test::kModel, scratch.path("q"), strict);
  CHECK_FALSE(damaged.verify.passed);
  CHECK_FALSE(damaged.attribution);
  CHECK_FALSE(damaged.compare);
  CHECK_FALSE(damaged.memory);
  CHECK(damaged.notes.size() == 3);  // one for each
  CHECK(contains(page_of(damaged).text, "attribution: left out"));

  std::atomic<bool> cancel{true};
  options.verify.cancel = &cancel;
  options.verify.progress = {};
  CHECK(contains(test::message_of([&] { make_report(test::kModel, scratch.path("q"), options); }), "cancelled"));
}
