// Models as releases of transformers save them: what check says, and that they answer as the bundled model does. The
// JSON files are those releases' own output (tests/interop/matrix/matrix.py --fixtures).
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <string>

#include "catch.hpp"
#include "octavo/check.hpp"
#include "octavo/image.hpp"
#include "octavo/model.hpp"
#include "octavo/quantize.hpp"
#include "saved_model.hpp"

using namespace octavo;
using test::contains;
using test::kModel;
using test::Scratch;
using test::Tensors;

namespace {

const std::string kSaved = std::string(OCTAVO_SOURCE_DIR) + "/tests/golden/checkpoint/saved/";

std::string told(const CheckResult& result) {
  std::string all;
  for (const CheckProblem& problem : result.problems) all += (problem.fatal ? "! " : "- ") + problem.what + "\n";
  return all;
}

std::int64_t count(const CheckResult& result, const std::string& part, bool fatal) {
  return std::count_if(result.problems.begin(), result.problems.end(), [&](const CheckProblem& problem) {
    return problem.fatal == fatal && contains(problem.what, part);
  });
}

std::vector<float> last_logits(const std::string& directory) {
  const Model model = Model::open(directory);
  const Image image = load_image(kModel + "/eval/000.png");
  const Tensor logits = model.forward(model.prepare("Where is the purple circle?", {&image, 1}));
  const Tensor last = logits.select(0, logits.dim(0) - 1).contiguous();
  return {last.values<float>().begin(), last.values<float>().end()};
}

void take_files(const std::string& release, const std::string& form, const std::string& directory) {
  using test::fs::copy_options;
  for (const char* name : {"config.json", "generation_config.json", "preprocessor_config.json"})
    test::fs::remove(directory + "/" + name);
  for (const auto& entry : test::fs::directory_iterator(kSaved + release + "/asis"))
    test::fs::copy(entry.path(), directory + "/" + entry.path().filename().string());
  test::fs::copy(kSaved + release + "/" + form + "/config.json", directory + "/config.json",
                 copy_options::overwrite_existing);
}

}  // namespace

TEST_CASE("every release's saved form checks and answers as the original") {
  const std::string release = GENERATE("4.49", "4.51", "4.52", "4.55", "4.57", "5.17");
  const std::string form = GENERATE("asis", "resized", "untied");
  CAPTURE(release, form);
  const Scratch scratch;
  Tensors tensors = test::bundled_tensors();
  const Tensor table = test::tensor_of(tensors, "model.embed_tokens.weight").clone();
  if (form == "resized") test::tensor_of(tensors, "model.embed_tokens.weight") = test::with_rows(table, 8);
  if (form == "untied") tensors.emplace_back("lm_head.weight", table);
  const std::string directory = test::write_model(scratch, "model", tensors);
  take_files(release, form, directory);
  const CheckResult result = check(directory);
  INFO(told(result));
  CHECK(result.ok());
  CHECK(count(result, "does not know", false) == 0);
  const std::vector<float> expected = last_logits(kModel);
  std::vector<float> logits = last_logits(directory);
  if (form == "resized") {
    REQUIRE(logits.size() == expected.size() + 8);
    logits.resize(expected.size());
    // 4.52 to 4.57 leave the old vocab_size at the top.
    CHECK(count(result, "vocab_size (432, 440)", false) == (release > "4.51" && release < "5" ? 1 : 0));
  }
  CHECK((logits == expected));
}

TEST_CASE("names of the new layout and shards of any element type read alike") {
  const Scratch scratch;
  Tensors renamed;
  for (auto& [name, tensor] : test::bundled_tensors()) {
    std::string newer = "model." + name;
    if (name.starts_with("model.")) newer = "model.language_model." + name.substr(6);
    renamed.emplace_back(newer, tensor.to(DType::f32));
  }
  const std::string directory = test::write_model(scratch, "model", renamed, 1 << 20);
  CHECK(check(directory).ok());
  Tensors plain = test::bundled_tensors();
  for (auto& [name, tensor] : plain) tensor = tensor.to(DType::f32);
  const std::vector<float> logits = last_logits(directory);
  CHECK((logits == last_logits(test::write_model(scratch, "plain", plain))));
  // The products of bf16 weights and of the same values in f32 differ in the order of their sums alone.
  const std::vector<float> stored = last_logits(kModel);
  float largest = 0;
  for (std::size_t i = 0; i < stored.size(); ++i) largest = std::max(largest, std::abs(stored[i] - logits[i]));
  CHECK(largest < 1e-4F);
}

TEST_CASE("a field that is left out and speaks against the tensors is one problem") {
  const Scratch scratch;
  const std::string directory = test::write_model(scratch, "model", test::bundled_tensors());
  test::fs::copy(kSaved + "4.49/asis/config.json", directory + "/config.json",
                 test::fs::copy_options::overwrite_existing);
  REQUIRE(test::edit_file(directory + "/config.json", R"("depth": 4,)", ""));
  const CheckResult result = check(directory);
  INFO(told(result));
  CHECK_FALSE(result.ok());
  CHECK(count(result, "", true) == 1);
  CHECK(count(result,
              "vision_config.depth is left out, which means 32 (the class default of transformers), but by the shapes "
              "of visual.blocks.* it is 4",
              true) == 1);
}

TEST_CASE("the config.json of another model is told by its fields and not by every tensor") {
  const Scratch scratch;
  const std::string directory = test::write_model(scratch, "model", test::bundled_tensors());
  test::fs::copy(kSaved + "4.49/3B.json", directory + "/config.json", test::fs::copy_options::overwrite_existing);
  const CheckResult result = check(directory);
  INFO(told(result));
  CHECK(count(result, "hidden_size is 2048, but by the shapes of model.embed_tokens.weight it is 192", true) == 1);
  CHECK(count(result, "expected [", true) == 0);
  CHECK(count(result, "", true) < 15);
}

TEST_CASE("a nested vocab_size that the embedding does not have is told") {
  const Scratch scratch;
  const std::string directory = test::write_model(scratch, "model", test::bundled_tensors());
  take_files("4.57", "resized", directory);
  const CheckResult result = check(directory);
  INFO(told(result));
  CHECK(count(result, "model.embed_tokens.weight: is [432, 192], expected [440, 192]", true) == 1);
}

TEST_CASE("a tied model's stored head: an equal copy is harmless and another one is used") {
  const Scratch scratch;
  const bool equal = GENERATE(true, false);
  const bool nested = GENERATE(true, false);
  CAPTURE(equal, nested);
  Tensors tensors = test::bundled_tensors();
  const Tensor table = test::tensor_of(tensors, "model.embed_tokens.weight").clone();
  tensors.emplace_back("lm_head.weight", equal ? table : test::reversed_rows(table));
  const std::string directory = test::write_model(scratch, "model", tensors);
  if (nested) take_files("4.57", "asis", directory);
  const CheckResult result = check(directory);
  INFO(told(result));
  CHECK(result.ok());
  CHECK(count(result, "a copy equal to the embedding", false) == (equal ? 1 : 0));
  CHECK(count(result, "holds other values than the embedding", false) == (equal ? 0 : 1));
  std::vector<float> expected = last_logits(kModel);
  if (!equal) std::reverse(expected.begin(), expected.end());
  CHECK((last_logits(directory) == expected));

  QuantizeOptions options;
  options.recipe = "rtn";
  quantize(directory, scratch.path("w8a8"), options);
  const CheckResult quantized = check(scratch.path("w8a8"));
  INFO(told(quantized));
  CHECK(quantized.ok());
  // transformers 4 would take the embedding of a tied model: OUT says what it is.
  const Json config = Json::read_file(scratch.path("w8a8/config.json"));
  const Json home = nested ? config.at("text_config") : config;
  CHECK(home.get_bool("tie_word_embeddings", true) == equal);
  if (nested && !equal) CHECK_FALSE(config.at("tie_word_embeddings").as_bool());
  // The head itself stays in float, so a quantized model's answers are near the original's.
  const std::vector<float> answer = last_logits(scratch.path("w8a8"));
  const auto top = [](const std::vector<float>& logits) {
    return std::distance(logits.begin(), std::max_element(logits.begin(), logits.end()));
  };
  CHECK(top(answer) == top(expected));
}

TEST_CASE("a tied model may store its one matrix as the head") {
  const Scratch scratch;
  Tensors tensors;
  for (auto& [name, tensor] : test::bundled_tensors())
    tensors.emplace_back(name == "model.embed_tokens.weight" ? "lm_head.weight" : name, tensor);
  const std::string directory = test::write_model(scratch, "model", tensors);
  const CheckResult result = check(directory);
  INFO(told(result));
  CHECK(result.ok());
  CHECK(count(result, "is stored as lm_head.weight alone", false) == 1);
  CHECK((last_logits(directory) == last_logits(kModel)));
  QuantizeOptions options;
  options.recipe = "rtn";
  quantize(directory, scratch.path("w8a8"), options);
  CHECK(check(scratch.path("w8a8")).ok());
  quantize(kModel, scratch.path("plain"), options);
  CHECK((last_logits(scratch.path("w8a8")) == last_logits(scratch.path("plain"))));
}

TEST_CASE("names that a wrapper changed are one problem that names it") {
  struct Case {
    const char *prefix, *shown;
  };
  const Case wrapped = GENERATE(Case{"_orig_mod.", "_orig_mod."}, Case{"module.", "module."},
                                Case{"base_model.model.", "base_model.model."}, Case{"policy.actor.", "policy.actor."},
                                Case{"module._orig_mod.", "module."});
  CAPTURE(wrapped.prefix);
  const Scratch scratch;
  Tensors tensors;
  for (auto& [name, tensor] : test::bundled_tensors()) tensors.emplace_back(wrapped.prefix + name, tensor);
  const std::string directory = test::write_model(scratch, "model", tensors);
  const CheckResult result = check(directory);
  INFO(told(result));
  CHECK(count(result, "", true) == 1);
  const std::string line = " tensors have \"" + std::string(wrapped.shown) + "\" in their names";
  CHECK(count(result, "116 of 116" + line, true) == 1);
  CHECK(contains(test::message_of([&] { Model::open(directory); }), line));
  QuantizeOptions options;
  options.recipe = "rtn";
  CHECK(contains(test::message_of([&] { quantize(directory, scratch.path("out"), options); }), line));
  CHECK_FALSE(test::fs::exists(scratch.path("out")));
}

TEST_CASE("an adapter that was not merged is told in one line") {
  const Scratch scratch;
  Tensors tensors = test::bundled_tensors();
  for (const char* part : {"lora_A.default.weight", "lora_B.default.weight"})
    tensors.emplace_back("model.layers.0.self_attn.q_proj." + std::string(part), Tensor::zeros(DType::f32, {4, 4}));
  const std::string directory = test::write_model(scratch, "model", tensors);
  const CheckResult result = check(directory);
  INFO(told(result));
  CHECK(count(result, "", true) == 1);
  CHECK(count(result, "2 of 118 tensors are of an adapter that was not merged", true) == 1);
  CHECK(contains(test::message_of([&] { Model::open(directory); }), "merge the adapter first"));
}

TEST_CASE("an adapter's directory says to merge it first") {
  const Scratch scratch;
  test::fs::create_directory(scratch.path("adapter"));
  scratch.write("adapter/adapter_config.json", R"({"base_model_name_or_path": "Qwen/Qwen2.5-VL-3B-Instruct"})");
  scratch.write("adapter/adapter_model.safetensors", "");
  const bool with_config = GENERATE(true, false);  // some trainers save the base's config beside it
  if (with_config) test::fs::copy(kModel + "/config.json", scratch.path("adapter/config.json"));
  const std::string told_by_open = test::message_of([&] { Model::open(scratch.path("adapter")); });
  CHECK(contains(told_by_open, "holds an adapter of \"Qwen/Qwen2.5-VL-3B-Instruct\", not a model: merge it first"));
  const CheckResult result = check(scratch.path("adapter"));
  INFO(told(result));
  CHECK_FALSE(result.ok());
  CHECK(count(result, "merge it first", true) == 1);
}

TEST_CASE("what training left beside merged weights stays behind") {
  const Scratch scratch;
  const std::string directory = test::write_model(scratch, "model", test::bundled_tensors());
  const auto leftovers = {"adapter_config.json",
                          "adapter_model.safetensors",
                          "adapter_model.bin",
                          "optimizer.pt",
                          "scheduler.pt",
                          "rng_state.pth",
                          "rng_state_0.pth",
                          "trainer_state.json",
                          "training_args.bin",
                          "pytorch_model.bin",
                          "scaler.pt",
                          "zero_to_fp32.py",
                          "latest",
                          "events.out.tfevents.1.host",
                          "all_results.json"};
  for (const char* name : leftovers) scratch.write("model/" + std::string(name), "{}");
  for (const char* name :
       {"LICENSE", "chat_template.jinja", "added_tokens.json", "special_tokens_map.json", "processor_config.json"})
    scratch.write("model/" + std::string(name), "{}");
  QuantizeOptions options;
  options.recipe = "rtn";
  quantize(directory, scratch.path("out"), options);
  for (const char* name : leftovers) CHECK_FALSE(test::fs::exists(scratch.path("out/" + std::string(name))));
  for (const char* name :
       {"LICENSE", "chat_template.jinja", "added_tokens.json", "special_tokens_map.json", "processor_config.json",
        "tokenizer.json", "preprocessor_config.json", "generation_config.json"})
    CHECK(test::fs::exists(scratch.path("out/" + std::string(name))));
  const CheckResult result = check(directory);
  INFO(told(result));
  CHECK(count(result, "adapter_config.json", false) == 1);
}
