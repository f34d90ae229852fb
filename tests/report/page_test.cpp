// The page of a report: what it holds, what it makes of foreign text, of what is missing and of what is not finite.
#include <cmath>
#include <cstddef>
#include <cstdlib>
#include <limits>
#include <set>

#include "catch.hpp"
#include "octavo/checkpoint.hpp"
#include "octavo/compare.hpp"
#include "octavo/image.hpp"
#include "octavo/quantize.hpp"
#include "octavo/report.hpp"
#include "octavo/verify.hpp"
#include "report_support.hpp"

using namespace octavo;
using namespace test;

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
                           "a note of the step",
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
                           "2031-02-03T04:05:06+07:00",
                           "octavo verify original 'small w8a8'",
                           "7.6.5, using avx9_core",
                           "avx9 amx_int9",
                           "17, 13 threads used",
                           "34.00 GB",
                           "faster: a reason of its own",
                           "A change of -33.3 points",
                           "1 answer lost, 0 gained (p = 1)",
                           "cannot tell it from no difference",
                           "Failed: KL divergence is 0.77, expected at most 0.05 (step text; and 1 more)",
                           "Kullback-Leibler divergence: how far",
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

TEST_CASE("a page says which bound broke and never that a model just differs") {
  for (const StepFailure& failure : {StepFailure{Expectation::bound, "accuracy drop", "at most 0.02", "0.075"},
                                     StepFailure{Expectation::runs, "a call that failed", "none", "out of paper"}}) {
    Report report;
    StepResult step;
    step.name = "evaluation";
    step.status = StepStatus::failed;
    step.failures = {failure};
    report.verify.steps = {step};
    report.verify.failures = {"evaluation: " + failure.line()};
    const Markup page = page_of(report);
    CHECK(contains(page.text, "Failed: " + failure.line() + " (step evaluation)"));
    CHECK_FALSE(contains(page.text, "does not answer like"));
  }
}

TEST_CASE("every metric that a step or a tile shows is explained where it stands") {
  Report report = full_report();
  StepMetrics& metrics = report.verify.steps[0].metrics;
  metrics.identical_prefix = 3;
  metrics.tokens = 4;
  metrics.token_agreement = metrics.top1_agreement = metrics.top5_agreement = 0.5;
  metrics.original_perplexity = metrics.quantized_perplexity = 2;
  metrics.original_accuracy = metrics.quantized_accuracy = 1;
  metrics.original_cache_difference = metrics.quantized_cache_difference = 0;
  for (const char* what : {"vision rows' relative error", "KL in the first half", "KL in the second half",
                           "logits in a batch against alone"})
    metrics.further.push_back({what, "original", 0.5});
  int explained = 0;
  for (const Element& element : page_of(report).elements) {
    const auto look = element.attributes.find("class");
    if (look == element.attributes.end() || !look->second.starts_with("metric") || look->second == "metrics") continue;
    CHECK(element.name == "details");  // a span has nothing to say
    ++explained;
  }
  CHECK(explained > 18);
}

TEST_CASE("speeds that were not compared are not shown") {
  Report report = full_report();
  report.verify.speed.compared = false;
  report.verify.speed.why = "other programs were busy";
  report.verify.speed.original_tokens_per_second = 123456;
  const Markup page = page_of(report);
  CHECK(contains(page.text, "not compared"));
  CHECK(contains(page.text, "because other programs were busy"));
  CHECK_FALSE(contains(page.text, "1.235e+05"));
  CHECK_FALSE(contains(page.text, "tokens/s4"));
}

TEST_CASE("two reports of the same data are the same page") {
  CHECK(full_report().to_html() == full_report().to_html());
  CHECK(full_report().to_json().dump() == full_report().to_json().dump());
}

TEST_CASE("foreign text stays text, in every field") {
  Report report = full_report();
  for (std::string* text :
       {&report.original_dir, &report.quantized_dir, &report.model_type, &report.octavo_version, &report.date,
        &report.command, &report.machine.processor, &report.machine.int8_backend, &report.machine.onednn,
        &report.machine.onednn_isa, &report.machine.instruction_sets[0], &report.verify.speed.why, &report.notes[0]})
    *text = kHostile;
  VerifyResult& verify = report.verify;
  for (std::string& failure : verify.failures) failure = kHostile;
  StepResult& step = verify.steps[0];
  step.name = step.title = step.note = kHostile;
  step.failures[0] = {Expectation::bound, kHostile, kHostile, kHostile};
  step.metrics.further = {{kHostile, kHostile, 1}};
  Diagnosis& diagnosis = *verify.diagnosis;
  diagnosis.step = diagnosis.expected = diagnosis.seen = diagnosis.module = kHostile;
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
  for (GroupSensitivity& entry : attribution.groups) entry.input_group = entry.block = kHostile;
  attribution.variants[0].name = kHostile;
  attribution.suggestion.groups = attribution.suggestion.linears = attribution.suggestion.missed = {kHostile};
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
    report.verify.speed.original_tokens_per_second = report.verify.speed.quantized_tokens_per_second = value;
    report.verify.layers[2].relative_error = value;
    report.verify.steps[0].metrics.kl = report.verify.steps[0].metrics.logit_cosine = value;
    report.verify.seconds = report.seconds = value;
    for (SampleResult& answer : report.verify.answers) {
      answer.kl = answer.quantized_iou = value;
      answer.quantized_box = Box{value, 1, 2, 3};
    }
    for (GroupSensitivity& entry : report.attribution->groups) {
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

TEST_CASE("pictures are shown as the model saw them whatever a browser makes of their files") {
  const auto bytes_of_base64 = [](std::string_view digits) {
    const std::string alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::vector<std::byte> bytes;
    std::size_t group = 0, count = 0;
    for (const char digit : digits) {
      if (digit == '=') break;
      group = group << 6 | alphabet.find(digit);
      if (++count % 4 != 1) bytes.push_back(static_cast<std::byte>(group >> (2 * (3 - (count - 1) % 4))));
    }
    return bytes;
  };
  const std::string cases = std::string(OCTAVO_SOURCE_DIR) + "/tests/golden/pictures/cases/";
  for (const char* name : {"phone.jpg", "phone.png", "red_circle_hidden_red.png", "transparent.gif"}) {
    INFO(name);
    SampleResult one = sample("one", 0.2, true);
    one.images = {cases + name};
    const Markup page = page_of(with_samples({one}));
    REQUIRE(page.named("image").size() == 1);
    const std::string href = page.named("image")[0].attributes.at("href");
    const std::string prefix = "data:image/jpeg;base64,";
    REQUIRE(href.rfind(prefix, 0) == 0);
    const Image shown = decode_image(bytes_of_base64(href.substr(prefix.size())), "the page");
    const Image seen = load_image(one.images.front());
    REQUIRE(shown.rgb.size() == seen.rgb.size());
    REQUIRE(shown.width == seen.width);
    double difference = 0;
    for (std::size_t i = 0; i < seen.rgb.size(); ++i) difference += std::abs(int{shown.rgb[i]} - int{seen.rgb[i]});
    CHECK(difference / static_cast<double>(seen.rgb.size()) <
          6);  // what JPEG costs; a turned picture differs by far more
  }
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

TEST_CASE("charts of eighty layers and three hundred groups stay charts") {
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
      report.attribution->groups.push_back(group("model.layers." + std::to_string(i), kind, 0.04, 0.01));
  const std::string html = report.to_html();
  const Markup page = page_of(report);
  // A bar per layer; per group a solid and a hollow one, one of outliers, one of what is rounded to 0.
  CHECK(rectangles(page, "solid").size() == 80 + 3 * 320 + 1);  // and one in the legend
  CHECK(rectangles(page, "hollow").size() == 320 + 1);
  CHECK(rectangles(page, "heat").size() == 320 * 12);
  CHECK(html.size() < 2'000'000);
  // 0.079 of an axis that ends at 0.08, on a plot of 104 pixels.
  bool seen = false;
  for (const Element& bar : rectangles(page, "solid")) seen = seen || bar.attributes.at("height") == "102.7";
  CHECK(seen);
}
