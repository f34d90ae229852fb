// What lies beside the weights, the forms of the result, and refusals.
#include <algorithm>
#include <atomic>

#include "catch.hpp"
#include "compare_support.hpp"
#include "octavo/compare.hpp"
#include "octavo/quantize.hpp"
#include "octavo/report.hpp"

using namespace octavo;
using test::found;
using test::wrong;

namespace {

using Findings = std::map<std::string, std::string>;

/// The bundled model against a copy of it whose files were edited; weights are the same bytes.
CompareResult compare_edited(const std::function<void(test::Editable&)>& edit,
                             const std::function<void(test::Editable&)>& edit_original = {}) {
  const test::Scratch scratch;
  test::Editable copy(test::kModel);
  edit(copy);
  std::string original = test::kModel;
  if (edit_original) {
    test::Editable other(test::kModel);
    edit_original(other);
    original = other.save(scratch.path("original"));
  }
  CompareOptions options;
  options.values = false;
  return compare(original, copy.save(scratch.path("copy")), options);
}

}  // namespace

TEST_CASE("config fields that the arithmetic reads are wrong when they change") {
  const Json config = Json::read_file(test::kModel + "/config.json");
  const auto changed = [](const std::function<void(JsonBuilder&)>& change) {
    return wrong(compare_edited([&](test::Editable& model) { model.edit_config(change); }));
  };
  CHECK(changed([](JsonBuilder& c) { c.set("rope_theta", 12345.0); }) ==
        Findings{{"config.json: text_config.rope_theta", "the arithmetic reads it, and it changed"}});
  CHECK(changed([](JsonBuilder& c) { c.set("rms_norm_eps", 1e-5); }).count("config.json: text_config.rms_norm_eps") ==
        1);
  CHECK(changed([](JsonBuilder& c) {
          c.set("tie_word_embeddings", false);
        }).count("config.json: tie_word_embeddings") == 1);
  CHECK(changed([&](JsonBuilder& c) {
          c.set("vision_config", JsonBuilder(config.at("vision_config")).set("window_size", 112));
        }) == Findings{{"config.json: vision_config.window_size", "the arithmetic reads it, and it changed"}});
  CHECK(changed([](JsonBuilder& c) {
          c.erase("intermediate_size");
        }).count("config.json: text_config.intermediate_size") == 1);
  // Does not parse at all: said once, and the field that differs is named all the same.
  const Findings heads = changed([](JsonBuilder& c) { c.set("num_attention_heads", 7); });
  CHECK(heads.count("config.json") == 1);
  CHECK(heads.count("config.json: text_config.num_attention_heads") == 1);
}

TEST_CASE("config fields that nothing reads, their order and spelling are harmless") {
  const CompareResult result = compare_edited([](test::Editable& model) {
    model.edit_config([](JsonBuilder& config) {
      config.erase("use_cache").set("use_cache", false).set("transformers_version", "4.99.0");
      config.erase("hidden_size").set("hidden_size", 192.0);
      config.erase("torch_dtype").set("dtype", "bfloat16").set("a_field_of_the_future", 1);
    });
  });
  CHECK(wrong(result).empty());
  const Findings harmless = found(result, Verdict::harmless);
  CHECK(harmless.count("config.json: use_cache") == 1);
  CHECK(harmless.count("config.json: transformers_version") == 1);
  CHECK(harmless.count("config.json: text_config.a_field_of_the_future") == 1);
  CHECK(harmless.size() == 3);
}

TEST_CASE("a tokenizer with other tokens is wrong, the same one in other words is harmless") {
  CompareResult result =
      compare_edited([](test::Editable& model) { model.edit_file("tokenizer.json", "<|im_end|>", "<|im_End|>"); });
  REQUIRE(wrong(result).size() == 1);
  CHECK(test::contains(wrong(result).at("tokenizer.json"), "the tokenizer differs at added_tokens["));

  result = compare_edited([](test::Editable& model) {
    const Json tokenizer = Json::parse(model.files.at("tokenizer.json"), "tokenizer.json");
    JsonBuilder merges = JsonBuilder::array();  // as newer savers write them
    for (std::size_t i = 0; i < tokenizer.at("model").at("merges").size(); ++i) {
      const Json merge = tokenizer.at("model").at("merges").at(i);
      if (!merge.is_string()) {
        merges.push(JsonBuilder(merge));
        continue;
      }
      const std::string text = merge.as_string();
      merges.push(JsonBuilder::array().push(text.substr(0, text.find(' '))).push(text.substr(text.find(' ') + 1)));
    }
    JsonBuilder changed = JsonBuilder(tokenizer);
    changed.erase("version").set("version", "2.0");
    changed.set("model", JsonBuilder(tokenizer.at("model")).set("merges", std::move(merges)));
    model.files["tokenizer.json"] = changed.dump();
  });
  CHECK(wrong(result).empty());
  CHECK(found(result, Verdict::harmless) == Findings{{"tokenizer.json", "says the same in other words"}});

  result =
      compare_edited([](test::Editable& model) { model.files.erase("vocab.json"), model.files.erase("merges.txt"); });
  CHECK(wrong(result).empty());
  result = compare_edited(
      [](test::Editable& model) { model.files.erase("vocab.json"), model.files.erase("tokenizer.json"); });
  CHECK(wrong(result).count("tokenizer.json") == 1);
  result = compare_edited([](test::Editable& model) { model.files["merges.txt"] += "q q\n"; });
  CHECK(wrong(result).count("merges.txt") == 1);
  result = compare_edited([](test::Editable& model) { model.files["tokenizer.json"] = "{"; });
  CHECK(wrong(result).count("tokenizer.json") == 1);
}

TEST_CASE("picture settings, generation defaults and the chat template are held to their meaning") {
  CompareResult result = compare_edited([](test::Editable& model) {
    model.edit_file("preprocessor_config.json", "\"merge_size\": 2", "\"merge_size\": 4");
  });
  CHECK(wrong(result) ==
        Findings{{"preprocessor_config.json", "pictures are prepared differently: merge_size changed"}});
  result = compare_edited([](test::Editable& model) {
    const Json config = Json::parse(model.files.at("preprocessor_config.json"), "p");
    model.files["preprocessor_config.json"] = JsonBuilder(config).set("processor_class", "Another").dump();
  });
  CHECK(wrong(result).empty());
  result = compare_edited([](test::Editable& model) { model.files.erase("preprocessor_config.json"); });
  CHECK(wrong(result).count("preprocessor_config.json") == 1);

  result = compare_edited([](test::Editable& model) {
    const Json config = Json::parse(model.files.at("generation_config.json"), "g");
    model.files["generation_config.json"] = JsonBuilder(config).set("eos_token_id", 7).dump();
  });
  CHECK(wrong(result) == Findings{{"generation: eos_token_id", "answers end or are drawn differently"}});

  const std::string chat = Json::read_file(test::kModel + "/chat_template.json").at("chat_template").as_string();
  result = compare_edited([&](test::Editable& model) {
    model.files.erase("chat_template.json");
    model.files["chat_template.jinja"] = chat + "\n";
  });
  CHECK(wrong(result).empty());
  result = compare_edited([&](test::Editable& model) {
    model.files.erase("chat_template.json");  // which comes first
    model.files["chat_template.jinja"] = "{{ messages }}";
  });
  CHECK(test::contains(wrong(result).at("chat template"), "prompts are laid out differently, from byte "));
  result = compare_edited([](test::Editable& model) { model.files["README.md"] = "other words"; });
  CHECK(wrong(result).empty());
  CHECK(found(result, Verdict::harmless).count("README.md") == 1);
}

TEST_CASE("files are told by SHA-256") {
  // FIPS 180-4 and its examples; the last is a million times the letter a.
  const std::map<std::string, std::pair<std::string, std::string>> vectors{
      {"a", {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"}},
      {"b", {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"}},
      {"c",
       {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"}},
      {"d",
       {"abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrs"
        "tu",
        "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1"}},
      {"e", {std::string(1000000, 'a'), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"}}};
  const CompareResult result = compare_edited([&](test::Editable& model) {
    for (const auto& [name, vector] : vectors) model.files[name] = vector.first;
  });
  std::size_t seen = 0;
  for (const FileComparison& file : result.files) {
    const auto vector = vectors.find(file.name);
    if (vector == vectors.end()) continue;
    ++seen;
    CHECK(file.quantized_sha256 == vector->second.second);
    CHECK(file.quantized_bytes == vector->second.first.size());
    CHECK(file.original_sha256.empty());
    CHECK(file.verdict == Verdict::harmless);
  }
  CHECK(seen == vectors.size());
}

TEST_CASE("a comparison prints as text, JSON and one self-contained page") {
  const test::Scratch scratch;
  test::Editable copy(test::kModel);
  copy.tensors.erase("model.norm.weight");
  copy.files["<script>alert(1)</script>"] = "x";  // a file's name is foreign text
  copy.edit_config([](JsonBuilder& config) { config.set("a<b>&\"'c", "</td><img src=x>"); });
  const CompareResult result = compare(test::kModel, [&] {
    // The slash of "</script>" cannot be in a file name.
    copy.files["<script>alert(1)<script>"] = "x";
    copy.files.erase("<script>alert(1)</script>");
    return copy.save(scratch.path("a<b>&"));
  }());
  const std::string html = compare_page(result);
  CHECK_FALSE(test::contains(html, "<script"));
  CHECK_FALSE(test::contains(html, "<img"));
  CHECK_FALSE(test::contains(html, "http"));
  CHECK_FALSE(test::contains(html, "a<b>"));
  CHECK(test::contains(html, "&lt;script&gt;alert(1)&lt;script&gt;"));
  CHECK(test::contains(html, "prefers-color-scheme:dark"));
  const auto count = [&](const std::string& part) {
    std::size_t n = 0;
    for (std::size_t at = html.find(part); at != std::string::npos; at = html.find(part, at + 1)) ++n;
    return n;
  };
  for (const char* element : {"div", "details", "summary", "table", "tr", "td", "span", "code"}) {
    CAPTURE(element);
    CHECK(count(std::string("<") + element + ">") + count(std::string("<") + element + " ") ==
          count(std::string("</") + element + ">"));
  }

  const Json json = result.to_json().build();
  CHECK_FALSE(json.at("ok").as_bool());
  CHECK(json.at("counts").at("wrong").as_int() == 1);
  const Json first = json.at("differences").at(std::size_t{0});
  CHECK(first.at("class").as_string() == "wrong");
  CHECK(first.at("where").as_string() == "model.norm.weight");
  CHECK(first.at("quantized").is_null());
  CHECK_FALSE(first.at("remedy").as_string().empty());
  CHECK(json.at("tensors").size() == Checkpoint::open(test::kModel).names().size());
  CHECK(json.at("files").size() == result.files.size());

  const std::string text = result.to_text();
  CHECK(test::contains(text, "model.norm.weight: missing"));
  const std::int64_t last_layer = Checkpoint::open(test::kModel).config().at("num_hidden_layers").as_int() - 1;
  CHECK(test::contains(text, "model.layers.{0-" + std::to_string(last_layer) + "}.mlp.up_proj.weight"));
  CHECK(test::contains(text, "1 wrong, "));
}

TEST_CASE("compare refuses what it cannot compare, and can be stopped") {
  const test::Scratch scratch;
  CHECK(test::contains(test::message_of([&] { compare(scratch.path("gone"), test::kModel); }), "compare: original"));
  CHECK(test::contains(test::message_of([&] { compare(test::kModel, scratch.path("gone")); }), "compare: quantized"));
  QuantizeOptions rtn;
  rtn.recipe = "rtn";
  quantize(test::kModel, scratch.path("w8a8"), rtn);
  CHECK(test::contains(test::message_of([&] { compare(scratch.path("w8a8"), test::kModel); }), "is quantized itself"));

  CompareOptions options;
  std::atomic<bool> cancel{true};
  options.cancel = &cancel;
  CHECK(test::contains(test::message_of([&] { compare(test::kModel, scratch.path("w8a8"), options); }), "cancelled"));
  options.cancel = nullptr;
  std::int64_t last = 0;
  std::int64_t total = 0;
  options.progress = [&](const Progress& progress) {
    last = progress.done;
    total = progress.total;
    return true;
  };
  const CompareResult result = compare(test::kModel, scratch.path("w8a8"), options);
  CHECK(last == total);
  CHECK(total == static_cast<std::int64_t>(result.tensors.size()));
  options.progress = [](const Progress& progress) { return progress.done < 3; };
  CHECK(test::contains(test::message_of([&] { compare(test::kModel, scratch.path("w8a8"), options); }), "cancelled"));
}
