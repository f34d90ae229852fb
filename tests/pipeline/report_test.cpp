#include "octavo/report.hpp"

#include <sys/stat.h>

#include <cmath>
#include <limits>
#include <set>

#include "catch.hpp"
#include "markup.hpp"
#include "octavo/checkpoint.hpp"
#include "octavo/image.hpp"
#include "octavo/pipeline.hpp"
#include "support.hpp"

using namespace octavo;
using test::contains;
using test::Element;
using test::Markup;

namespace {

const std::string kHostile = "</script><img src=x onerror=1>\"'&amp;<b>]]>\xC0\xAF\xFF\x01";
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

UnitSensitivity unit(const std::string& block, const std::string& kind, double quantized, double weights) {
  UnitSensitivity made;
  made.block = block;
  made.input_group = block + "." + kind + "_input";
  made.linears = {block + "." + kind + "_proj"};
  made.quantized_error = quantized;
  made.weight_error = weights;
  made.activations.rows = 7;
  made.activations.min = -3.25;
  made.activations.max = 9.5;
  made.activations.outlier_ratio = 0.0125;
  made.activations.zeroed_ratio = 0.3125;
  made.activations.largest_channel = 41;
  made.activations.channel_ratio = 17;
  made.activations.histogram.fill(1.0 / 12);
  return made;
}

SampleResult sample(const std::string& id, double kl, bool right) {
  SampleResult made;
  made.id = id;
  made.task = "grounding";
  made.prompt = "Where is " + id + "?";
  made.images = {test::kModel + "/eval/000.png"};
  made.image_sizes = {{84, 112}};
  made.expected = "[10, 20, 30, 60]";
  made.original = "[11, 20, 30, 60]";
  made.quantized = "[12, 24, 32, 64]";
  made.expected_box = Box{10, 20, 30, 60};
  made.original_box = Box{11, 20, 30, 60};
  made.quantized_box = Box{12, 24, 32, 64};
  made.original_right = true;
  made.quantized_right = right;
  made.original_iou = 0.95;
  made.quantized_iou = 0.625;
  made.token_agreement = 0.75;
  made.kl = kl;
  return made;
}

/// Something in every field; the figures are chosen to be found on the page.
Report full_report() {
  Report report;
  report.original_dir = "/models/original";
  report.quantized_dir = "/models/small-w8a8";
  report.model_type = "qwen2_5_vl";
  report.octavo_version = "9.8.7";
  report.processor = "A Processor";
  report.int8_backend = "portable";
  report.threads = 13;
  report.seconds = 12.5;
  report.notes = {"compare: something was in the way"};
  VerifyResult& verify = report.verify;
  verify.profile = VerifyProfile::preset("default");
  verify.thresholds = verify.profile.for_rung("evaluation");
  verify.failures = {"text: KL divergence is 0.77, expected at most 0.05", "evaluation: another"};
  RungResult text;
  text.name = "text";
  text.title = "one forward of text";
  text.status = RungStatus::failed;
  text.failures = {{Expectation::bound, "KL divergence", "at most 0.05", "0.77"}};
  text.metrics.kl = 0.77;
  text.metrics.logit_cosine = 0.9999625;
  text.thresholds.max_kl = 0.05;
  RungResult evaluation;
  evaluation.name = "evaluation";
  evaluation.title = "the samples";
  evaluation.status = RungStatus::passed;
  evaluation.note = "a note of the rung";
  verify.rungs = {text, evaluation};
  Diagnosis diagnosis;
  diagnosis.kind = DiagnosisKind::module;
  diagnosis.rung = "text";
  diagnosis.expected = "at most 0.05";
  diagnosis.seen = "0.77";
  diagnosis.module = "model.layers.3.mlp.down_proj";
  diagnosis.causes = {"the first cause", "the second cause"};
  diagnosis.next = {"the first remedy"};
  diagnosis.measurements = {{"local error", "model.layers.3", 0.4375}};
  verify.diagnosis = diagnosis;
  verify.samples = 3;
  verify.tasks = {{"grounding", 3, 3, 2}};
  verify.original_accuracy = 1;
  verify.quantized_accuracy = 2.0 / 3;
  verify.kl = 0.0625;
  verify.token_agreement = 0.8125;
  verify.original_tokens_per_second = 40;
  verify.quantized_tokens_per_second = 55;
  verify.original_bytes = 8'000'000;
  verify.quantized_bytes = 5'000'000;
  for (int i = 0; i < 4; ++i) {
    LayerReport layer;
    layer.module_path = "model.layers." + std::to_string(i);
    layer.method = "output";
    layer.relative_error = 0.01 * (i + 1);
    layer.rows = 99;
    verify.layers.push_back(layer);
  }
  verify.answers = {sample("calm", 0.001, true), sample("bad", 0.5, false), sample("fine", 0.002, true)};
  CompareResult compare;
  compare.original_dir = report.original_dir;
  compare.quantized_dir = report.quantized_dir;
  compare.differences = {{Verdict::wrong, "model.norm.weight", "the norm changed", "a", "b", "copy it"}};
  TensorComparison tensor;
  tensor.name = "model.layers.0.mlp.up_proj.weight";
  tensor.verdict = Verdict::expected;
  tensor.original = {"BF16", {16, 24}};
  tensor.quantized = {"I8", {16, 24}};
  tensor.values_read = tensor.has_fit = true;
  tensor.fit.relative_error = 0.0123;
  compare.tensors = {tensor};
  compare.config = {{"text_config.hidden_size", "64", "64", Verdict::same}};
  FileComparison file;
  file.name = "vocab.json";
  file.in_original = file.in_quantized = true;
  file.original_sha256 = file.quantized_sha256 = std::string(64, 'a');
  compare.files = {file};
  report.compare = compare;
  Attribution attribution;
  for (const char* block : {"visual.blocks.0", "model.layers.0", "model.layers.1"})
    for (const char* kind : {"attn.qkv", "mlp.down"}) attribution.units.push_back(unit(block, kind, 0.04, 0.01));
  attribution.units[3].quantized_error = 0.0876;
  attribution.units[3].alone_kl = 0.0375;
  attribution.proxy_samples = 5;
  VariantMetrics variant;
  variant.name = "vision alone";
  variant.int8_linears = 21;
  variant.metrics.kl = 0.03125;
  attribution.variants = {variant};
  attribution.suggestion.status = SuggestionStatus::found;
  attribution.suggestion.units = {"model.layers.0.mlp.down_input"};
  attribution.suggestion.linears = {"model.layers.0.mlp.down_proj"};
  attribution.suggestion.share_of_multiplies = 0.05;
  attribution.suggestion.missed = {"KL divergence is 0.0625, expected at most 0.05"};
  attribution.suggestion.recipe = Recipe::preset("rtn");
  attribution.suggestion.before.kl = 0.0625;
  attribution.suggestion.after.kl = 0.046875;
  attribution.suggestion.variants = 6;
  report.attribution = attribution;
  ReportMemory memory;
  memory.original_weights = 7'000'000;
  memory.quantized_weights = 4'000'000;
  memory.kv_cache_per_position = 2560;
  memory.prompt_tokens = 322;
  memory.max_new_tokens = 256;
  memory.original_prefill = 9'100'000;
  memory.quantized_prefill = 6'200'000;
  memory.original_decode = 8'300'000;
  memory.quantized_decode = 5'400'000;
  report.memory = memory;
  report.quantization =
      R"({"octavo_version": "0.0.9", "recipe": {"rules": []}, "calibration_samples": 64, "calibration_tokens": 3210,
          "bytes_before": 8000000, "bytes_after": 5000000, "seconds": 2.5, "peak_rss_bytes": 70000000,
          "warnings": ["few calibration rows"],
          "layers": [{"module": "model.layers.0.mlp.up_proj", "method": "gptq", "loss": 2.0, "rtn_loss": 8.0,
                      "damp_used": 0.01, "dead_columns": 0, "fell_back_to_rtn": false, "relative_error": 0.0175,
                      "rows": 640}]})";
  return report;
}

Markup page_of(const Report& report) {
  const std::string html = report.to_html();
  const Markup page = test::read_markup(html);
  CHECK(page.problem == "");
  // Self-contained: nothing is fetched, nothing runs.
  CHECK_FALSE(contains(html, "<script"));
  CHECK_FALSE(contains(html, "url("));
  CHECK_FALSE(contains(html, "@import"));
  for (const Element& element : page.elements) {
    CHECK(element.name != "script");
    CHECK(element.name != "link");
    for (const auto& [key, value] : element.attributes) {
      CAPTURE(element.name, key, value.substr(0, 80));
      if (key == "href" || key == "src") CHECK((value.rfind("data:image/", 0) == 0 || value.rfind('#', 0) == 0));
      CHECK(key.rfind("on", 0) != 0);
    }
  }
  return page;
}

/// Rectangles of one class, in order.
std::vector<Element> rectangles(const Markup& page, const std::string& look) {
  std::vector<Element> found;
  for (const Element& element : page.named("rect"))
    if (element.attributes.count("class") != 0 && element.attributes.at("class") == look) found.push_back(element);
  return found;
}

Report with_samples(std::vector<SampleResult> answers) {
  Report report;
  report.quantized_dir = "q";
  report.verify.samples = static_cast<std::int64_t>(answers.size());
  report.verify.answers = std::move(answers);
  return report;
}

void collect_keys(const Json& json, std::set<std::string>& keys) {
  if (json.is_object())
    json.for_each_member([&](std::string_view key, const Json& value) {
      keys.insert(std::string(key));
      collect_keys(value, keys);
    });
  for (std::size_t i = 0; json.is_array() && i < json.size(); ++i) collect_keys(json.at(i), keys);
}

}  // namespace

TEST_CASE("the page holds what the report holds") {
  const Markup page = page_of(full_report());
  for (const char* part : {"small-w8a8",
                           "/models/original",
                           "Failed",
                           "KL divergence is 0.77, expected at most 0.05",
                           "1 further failure",
                           "model.layers.3.mlp.down_proj",
                           "the first cause",
                           "the second cause",
                           "the first remedy",
                           "local error",
                           "0.4375",
                           "0.9999625",
                           "a note of the rung",
                           "8.00 MB",
                           "5.00 MB",
                           "62.5",
                           "0.0625",
                           "81.2",
                           "Where is bad?",
                           "0.625",
                           "[12, 24, 32, 64]",
                           "the norm changed",
                           "model.layers.0",
                           "BF16 [16, 24]",
                           "I8 [16, 24]",
                           "1.23",
                           "vision alone",
                           "0.03125",
                           "8.76",
                           "31.2",
                           "17 times",
                           "0.0375",
                           "model.layers.0.mlp.down_input",
                           "0.04688",
                           "2.56 kB",
                           "322 prompt tokens",
                           "9.10 MB",
                           "6.20 MB",
                           "8.30 MB",
                           "5.40 MB",
                           "0.0.9",
                           "64 samples",
                           "3210 tokens",
                           "few calibration rows",
                           "1.75",
                           "9.8.7",
                           "A Processor",
                           "portable",
                           "compare: something was in the way"}) {
    CAPTURE(part);
    if (std::string(part) == "2.56 kB")
      CHECK(contains(page.text, "2560 B"));
    else
      CHECK(contains(page.text, part));
  }
  // Every section that the contents name is there.
  std::set<std::string> ids;
  for (const Element& section : page.named("section")) ids.insert(section.attributes.at("id"));
  CHECK(ids.size() == 11);
  for (const Element& link : page.named("a")) CHECK(ids.count(link.attributes.at("href").substr(1)) == 1);
}

TEST_CASE("foreign text stays text, in every field") {
  Report report = full_report();
  for (std::string* text : {&report.original_dir, &report.quantized_dir, &report.model_type, &report.octavo_version,
                            &report.processor, &report.int8_backend, &report.notes[0]})
    *text = kHostile;
  VerifyResult& verify = report.verify;
  for (std::string& failure : verify.failures) failure = kHostile;
  RungResult& rung = verify.rungs[0];
  rung.name = rung.title = rung.note = kHostile;
  rung.failures[0] = {Expectation::bound, kHostile, kHostile, kHostile};
  rung.metrics.further = {{kHostile, kHostile, 1}};
  Diagnosis& diagnosis = *verify.diagnosis;
  diagnosis.rung = diagnosis.expected = diagnosis.seen = diagnosis.module = kHostile;
  diagnosis.causes = diagnosis.next = {kHostile};
  diagnosis.measurements = {{kHostile, kHostile, 1}};
  verify.profile.name = kHostile;
  verify.tasks[0].task = kHostile;
  for (LayerReport& layer : verify.layers) layer.module_path = kHostile;
  for (SampleResult& answer : verify.answers) {
    answer.id = answer.task = answer.prompt = answer.expected = answer.original = answer.quantized = kHostile;
    answer.images = {kHostile};
  }
  CompareResult& compare = *report.compare;
  compare.differences = {{Verdict::wrong, kHostile, kHostile, kHostile, kHostile, kHostile},
                         {Verdict::harmless, kHostile, kHostile, kHostile, kHostile, ""}};
  compare.tensors[0].name = kHostile + "." + kHostile;
  compare.tensors[0].original.dtype = kHostile;
  compare.config[0] = {kHostile, kHostile, kHostile, Verdict::wrong};
  compare.files[0].name = compare.files[0].original_sha256 = kHostile;
  Attribution& attribution = *report.attribution;
  for (UnitSensitivity& entry : attribution.units) entry.input_group = entry.block = kHostile;
  attribution.variants[0].name = kHostile;
  attribution.suggestion.units = attribution.suggestion.linears = attribution.suggestion.missed = {kHostile};
  attribution.suggestion.recipe.rules[0].match = kHostile;
  report.quantization =
      JsonBuilder::object()
          .set("octavo_version", kHostile)
          .set("warnings", JsonBuilder::array().push(kHostile))
          .set("recipe", JsonBuilder::object().set(kHostile, kHostile))
          .set("layers",
               JsonBuilder::array().push(JsonBuilder::object().set("module", kHostile).set("method", kHostile)))
          .dump();
  const std::string html = report.to_html();
  const Markup page = page_of(report);
  CHECK_FALSE(contains(html, "<img"));
  CHECK_FALSE(contains(html, "<b>]"));
  CHECK(html.find('\x01') == std::string::npos);
  CHECK(html.find('\xFF') == std::string::npos);
  // What is shown is what was said, but for the three bytes that are no UTF-8 and the control character.
  CHECK(contains(page.text,
                 "</script><img src=x onerror=1>\"'&amp;<b>]]>\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"));
  CHECK(Json::parse(report.to_json().dump(), "report").at("notes").size() == 1);
}

TEST_CASE("an empty report is a page with a word for what is missing") {
  const Markup page = page_of(Report{});
  CHECK(contains(page.text, "no samples were given"));
  CHECK(contains(page.text, "The two were not compared."));
  CHECK(contains(page.text, "holds no octavo_report.json"));
  CHECK(page.named("svg").empty());
  const Json json = Report{}.to_json().build();
  for (const char* absent : {"compare", "attribution", "memory", "quantization"}) CHECK_FALSE(json.find(absent));
  CHECK_FALSE(json.at("passed").as_bool());
}

TEST_CASE("values that are not finite are said, not drawn") {
  Report report = full_report();
  for (const double value : {kNaN, kInfinity, -kInfinity}) {
    report.verify.kl = report.verify.token_agreement = report.verify.quantized_accuracy = value;
    report.verify.original_tokens_per_second = report.verify.quantized_tokens_per_second = value;
    report.verify.layers[2].relative_error = value;
    report.verify.rungs[0].metrics.kl = report.verify.rungs[0].metrics.logit_cosine = value;
    report.verify.seconds = report.seconds = value;
    for (SampleResult& answer : report.verify.answers) {
      answer.kl = answer.quantized_iou = value;
      answer.quantized_box = Box{value, 1, 2, 3};
    }
    for (UnitSensitivity& entry : report.attribution->units) {
      entry.quantized_error = entry.weight_error = value;
      entry.activations.histogram.fill(value);
      entry.activations.outlier_ratio = entry.activations.channel_ratio = value;
    }
    report.attribution->variants[0].metrics.kl = value;
    report.compare->tensors[0].fit.relative_error = value;
    const Markup page = page_of(report);
    CHECK(contains(page.text, std::isnan(value) ? "NaN" : "infinite"));
    for (const Element& element : page.elements)
      for (const char* key :
           {"x", "y", "x1", "y1", "x2", "y2", "width", "height", "viewBox", "fill-opacity", "style"}) {
        if (element.attributes.count(key) == 0) continue;
        CHECK_FALSE(contains(element.attributes.at(key), "nan"));
        CHECK_FALSE(contains(element.attributes.at(key), "inf"));
      }
    CHECK(rectangles(page, "box quantized").empty());
    const Json json = Json::parse(report.to_json().dump(), "report");
    CHECK(json.at("verify").at("kl").is_null());
  }
}

TEST_CASE("boxes lie where they should, in pixels of the picture as the model saw it") {
  // Hand-computed: corners (10,20) and (30,60) are a rectangle at (10,20), 20 wide and 40 high.
  SampleResult turned = sample("turned", 0.2, false);
  turned.expected_box = Box{30, 60, 10, 20};      // the same, corners swapped
  turned.original_box = Box{100, 70, 140, 90.5};  // over the right and lower edge of 112 x 84
  turned.quantized_box = Box{200, 10, 220, 20};   // outside
  const Markup page = page_of(with_samples({sample("a", 0.3, true), turned}));
  std::vector<Element> pictures;
  for (const Element& element : page.named("svg"))
    if (element.attributes.count("class") != 0 && element.attributes.at("class") == "picture")
      pictures.push_back(element);
  REQUIRE(pictures.size() == 2);
  for (const Element& picture : pictures) CHECK(picture.attributes.at("viewBox") == "0 0 112 84");
  REQUIRE(page.named("image").size() == 2);
  CHECK(page.named("image")[0].attributes.at("width") == "112");
  CHECK(page.named("image")[0].attributes.at("height") == "84");
  CHECK(page.named("image")[0].attributes.at("href").rfind("data:image/png;base64,iVBORw0KGgo", 0) == 0);

  using Corners = std::vector<std::string>;
  const auto corners = [&](const char* look, std::size_t index) {
    const std::vector<Element> found = rectangles(page, look);
    REQUIRE(found.size() == 2);
    const auto& at = found[index].attributes;
    return Corners{at.at("x"), at.at("y"), at.at("width"), at.at("height")};
  };
  // "turned" comes first: its answer is lost.
  CHECK(corners("box expected", 0) == Corners{"10", "20", "20", "40"});
  CHECK(corners("box original", 0) == Corners{"100", "70", "40", "20.5"});
  CHECK(corners("box quantized", 0) == Corners{"200", "10", "20", "10"});
  CHECK(corners("box expected", 1) == Corners{"10", "20", "20", "40"});
  CHECK(corners("box original", 1) == Corners{"11", "20", "19", "40"});
  CHECK(corners("box quantized", 1) == Corners{"12", "24", "20", "40"});
  CHECK(contains(page.text, "corners swapped"));
  CHECK(contains(page.text, "leaves the picture"));
  CHECK(contains(page.text, "outside the picture"));
  // Three looks, so that colour is not the only difference.
  for (const char* rule : {".box.expected{", ".box.original{", ".box.quantized{"})
    CHECK(contains(with_samples({}).to_html(), rule));
}

TEST_CASE("boxes far outside are drawn with numbers that a browser can take") {
  SampleResult far = sample("far", 0.2, true);
  far.quantized_box = Box{-1e300, -1e300, 1e300, 1e300};
  const std::vector<Element> drawn = rectangles(page_of(with_samples({far})), "box quantized");
  REQUIRE(drawn.size() == 1);
  CHECK(drawn[0].attributes.at("x") == "-224");  // twice the width before the picture, to three times: five widths
  CHECK(drawn[0].attributes.at("width") == "560");
}

TEST_CASE("the worst samples come first, some that are right stay, and the page is bounded") {
  std::vector<SampleResult> answers;
  for (int i = 0; i < 300; ++i) answers.push_back(sample("s" + std::to_string(i) + ".", 0.001 * i, true));
  answers[7].quantized_right = false;  // lost, though its KL is small
  answers[9].kl = kNaN;
  answers[11].quantized = std::string(100'000, 'x');
  answers[299].images.assign(40, test::kModel + "/eval/000.png");
  const std::string html = with_samples(answers).to_html();
  const Markup page = page_of(with_samples(answers));
  std::vector<std::string> order;
  for (std::size_t at = page.text.find("Where is s"); at != std::string::npos;
       at = page.text.find("Where is s", at + 1))
    order.push_back(page.text.substr(at + 9, page.text.find('.', at) - at - 9));
  REQUIRE(order.size() == 12);
  CHECK(std::vector<std::string>(order.begin(), order.begin() + 4) ==
        std::vector<std::string>{"s7", "s9", "s299", "s298"});
  CHECK(order[8] == "s0");  // the best of those that are right
  CHECK(contains(page.text, "and 36 pictures more"));
  CHECK(html.size() < 4'000'000);
}

TEST_CASE("pictures: as they are when small, smaller when large, a word when they cannot be read") {
  const test::Scratch scratch;
  Image large;
  large.height = 600;
  large.width = 1200;
  large.rgb.resize(600 * 1200 * 3);
  for (std::size_t i = 0; i < large.rgb.size(); ++i) large.rgb[i] = static_cast<std::uint8_t>((i * 2654435761U) >> 13U);
  const std::vector<std::byte> jpeg = encode_jpeg(large, 95);
  REQUIRE(jpeg.size() > 200'000);
  std::ofstream(scratch.path("large.jpg"), std::ios::binary)
      .write(reinterpret_cast<const char*>(jpeg.data()), static_cast<std::streamsize>(jpeg.size()));
  std::ofstream(scratch.path("broken.png"), std::ios::binary) << "\x89PNG\r\n\x1a\nnothing more";
  const std::string golden = std::string(OCTAVO_SOURCE_DIR) + "/tests/golden/image/";
  const auto first_picture = [&](const std::string& path) {
    SampleResult one = sample("one", 0.1, true);
    one.images = {path};
    const Markup page = page_of(with_samples({one}));
    const std::vector<Element> images = page.named("image");
    return images.empty() ? page.text : images[0].attributes.at("href");
  };
  CHECK(first_picture(golden + "palette.gif").rfind("data:image/gif;base64,R0lGOD", 0) == 0);
  CHECK(first_picture(golden + "444_q95.jpg").rfind("data:image/jpeg;base64,/9j/", 0) == 0);
  CHECK(first_picture(golden + "rgb.bmp").rfind("data:image/jpeg;base64,/9j/", 0) == 0);  // browsers need not know it
  const std::string shrunk = first_picture(scratch.path("large.jpg"));
  CHECK(shrunk.rfind("data:image/jpeg;base64,/9j/", 0) == 0);
  CHECK(shrunk.size() < 200'000);
  CHECK(contains(first_picture(scratch.path("broken.png")), "The picture cannot be shown"));
  CHECK(contains(first_picture(scratch.path("missing.png")), "missing.png"));
  CHECK(contains(first_picture(scratch.path("")), "The picture cannot be shown"));
}

TEST_CASE("a picture embedded as it is decodes to the file's bytes") {
  const std::string file = test::read_file(test::kModel + "/eval/000.png");
  const std::string data = page_of(with_samples({sample("a", 0.1, true)})).named("image")[0].attributes.at("href");
  const std::string digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string decoded;
  std::uint32_t bits = 0;
  int held = 0;
  for (const char c : data.substr(data.find(',') + 1)) {
    if (c == '=') break;
    const std::size_t value = digits.find(c);
    REQUIRE(value != std::string::npos);
    bits = bits << 6U | static_cast<std::uint32_t>(value);
    held += 6;
    if (held < 8) continue;
    held -= 8;
    decoded += static_cast<char>(bits >> static_cast<unsigned>(held) & 0xFFU);
  }
  CHECK(decoded == file);
}

TEST_CASE("charts of eighty layers and three hundred units stay charts") {
  Report report;
  for (int i = 0; i < 80; ++i) {
    LayerReport layer;
    layer.module_path = "model.layers." + std::to_string(i);
    layer.relative_error = 0.001 * i;
    report.verify.layers.push_back(layer);
  }
  report.attribution.emplace();
  for (int i = 0; i < 80; ++i)
    for (const char* kind : {"self_attn.qkv", "self_attn.o", "mlp.gate_up", "mlp.down"})
      report.attribution->units.push_back(unit("model.layers." + std::to_string(i), kind, 0.04, 0.01));
  const std::string html = report.to_html();
  const Markup page = page_of(report);
  // A bar per layer; per unit a solid and a hollow one, one of outliers, one of what is rounded to 0.
  CHECK(rectangles(page, "solid").size() == 80 + 3 * 320 + 1);  // and one in the legend
  CHECK(rectangles(page, "hollow").size() == 320 + 1);
  CHECK(rectangles(page, "heat").size() == 320 * 12);
  CHECK(html.size() < 2'000'000);
  // 0.079 of an axis that ends at 0.08, on a plot of 104 pixels.
  bool seen = false;
  for (const Element& bar : rectangles(page, "solid")) seen = seen || bar.attributes.at("height") == "102.7";
  CHECK(seen);
}

TEST_CASE("the JSON holds the report, and its schema is documented") {
  const Report report = full_report();
  const Json json = Json::parse(report.to_json().dump(2), "report");
  CHECK(json.at("quantized").as_string() == "/models/small-w8a8");
  CHECK(json.at("processor").as_string() == "A Processor");
  CHECK(json.at("threads").as_int() == 13);
  CHECK(json.at("verify").at("kl").as_number() == 0.0625);
  CHECK(json.at("verify").at("answers").size() == 3);
  CHECK(json.at("compare").at("counts").at("wrong").as_int() == 1);
  CHECK(json.at("attribution").at("units").size() == 6);
  CHECK(json.at("memory").at("quantized_prefill").as_int() == 6'200'000);
  CHECK(json.at("quantization").at("calibration_tokens").as_int() == 3210);

  const std::string docs = std::string(OCTAVO_SOURCE_DIR) + "/docs/";
  const std::string page = test::read_file(docs + "report.md");
  json.for_each_member([&](std::string_view key, const Json&) {
    CAPTURE(std::string(key));
    CHECK(contains(page, "\"" + std::string(key) + "\""));
  });
  std::set<std::string> keys;
  for (const char* part : {"memory", "quantization", "compare"}) collect_keys(json.at(part), keys);
  for (const std::string& key : keys) {
    CAPTURE(key);
    if (key != "rules") CHECK(contains(page, "\"" + key + "\""));  // a recipe's: docs/quantization.md
  }
  const std::string attribution = test::read_file(docs + "attribution.md");
  keys.clear();
  collect_keys(json.at("attribution"), keys);
  collect_keys(Recipe::preset("rtn").to_json().build(), keys);
  std::set<std::string>
      elsewhere;  // a recipe's keys: docs/quantization.md; a rung's metrics and bounds: docs/verify.md
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
  std::ofstream(path) << "old";
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
  const std::vector<NewFile> files{{scratch.path("a"), "new"}, {scratch.path("missing/b"), "x"}};
  CHECK(contains(test::message_of([&] { write_files(files); }), "does not exist"));
  CHECK(test::read_file(scratch.path("a")) == "old");
  std::filesystem::create_symlink("a", scratch.path("link"));
  const std::vector<NewFile> linked{{scratch.path("link"), "through"}};
  write_files(linked);
  CHECK(test::read_file(scratch.path("a")) == "through");
  CHECK(std::filesystem::is_symlink(scratch.path("link")));
  CHECK(test::message_of([&] { check_new_file("/dev/null"); }) != "");
  CHECK(test::message_of([&] { check_new_file(""); }) != "");
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
  CHECK(report.threads >= 1);
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
  const Report failed = make_report(test::kModel, scratch.path("q"), strict);
  CHECK_FALSE(failed.verify.passed);
  CHECK(failed.attribution);  // nothing but a threshold failed: where it loses can be told
  const Markup page = page_of(failed);
  CHECK(contains(page.text, "Failed"));
  CHECK(contains(page.text, "a rung below it failed"));

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
