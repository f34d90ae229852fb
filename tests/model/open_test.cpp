// Ways to open a model: from a directory, from memory, from descriptors; watched, and cancelled.
#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <map>
#include <string>
#include <vector>

#include "bundled.hpp"
#include "golden.hpp"
#include "octavo/files.hpp"
#include "octavo/model_info.hpp"

using namespace octavo;

namespace {

/// A directory's files, read by the test.
std::map<std::string, std::string> contents_of(const std::string& directory) {
  std::map<std::string, std::string> contents;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    if (!entry.is_regular_file()) continue;
    std::ifstream file(entry.path(), std::ios::binary);
    contents[entry.path().filename().string()] = std::string(std::istreambuf_iterator<char>(file), {});
  }
  return contents;
}

FileSource in_memory(const std::map<std::string, std::string>& contents) {
  std::vector<FileSource::MemoryFile> files;
  for (const auto& [name, content] : contents) files.push_back({name, std::as_bytes(std::span(content))});
  return FileSource::in_memory("the bundle", files);
}

FileSource behind_descriptors(const std::string& directory) {
  std::vector<FileSource::OpenFile> files;
  for (const auto& entry : std::filesystem::directory_iterator(directory))
    if (entry.is_regular_file())
      files.push_back({entry.path().filename().string(), ::open(entry.path().c_str(), O_RDONLY | O_CLOEXEC)});
  const FileSource source = FileSource::descriptors("descriptors", files);
  for (const FileSource::OpenFile& file : files) ::close(file.descriptor);
  return source;
}

}  // namespace

TEST_CASE("a model from memory or descriptors answers as its directory does") {
  const std::map<std::string, std::string> contents = contents_of(golden::bundled());
  const Model expected = Model::open(golden::bundled());
  const Model memory = Model::open(in_memory(contents)),
              descriptors = Model::open(behind_descriptors(golden::bundled()));
  const std::string question = "What colour is the circle?";
  GenerateOptions options;
  options.sampling = SamplingOptions{};
  options.sampling->do_sample = false;
  const GenerateResult answer = expected.generate(golden::ask(expected, question, "000"), options);
  REQUIRE_FALSE(answer.text.empty());
  for (const Model* model : {&memory, &descriptors}) {
    CHECK(model->generate(golden::ask(*model, question, "000"), options).tokens == answer.tokens);
    CHECK(model->notes() == expected.notes());
    CHECK(model_info(*model).num_parameters == model_info(expected).num_parameters);
  }
  CHECK(memory.checkpoint().directory() == "the bundle");
}

TEST_CASE("what is missing in memory is told as of a directory") {
  std::map<std::string, std::string> contents = contents_of(golden::directory("flat"));
  REQUIRE(contents.erase("config.json") == 1);
  const auto told = [](const std::map<std::string, std::string>& files) {
    return golden::message_of([&] { Model::open(in_memory(files)); });
  };
  CHECK(told(contents) == "the bundle: has no config.json, so it is not a Hugging Face checkpoint");
  CHECK(told({{"config.json", "{"}}).starts_with("the bundle/config.json: not valid JSON"));
  const std::string pickled = told({{"config.json", "{}"}, {"pytorch_model.bin", ""}});
  CHECK(pickled.starts_with("the bundle: has neither model.safetensors"));
  CHECK(pickled.find("\"pytorch_model.bin\" is not read") != std::string::npos);
}

TEST_CASE("opening tells its steps and ends when it is asked to") {
  std::vector<std::string> stages;
  std::int64_t last = -1, of = 0;
  OpenWatch watch;
  watch.progress = [&](std::string_view stage, std::int64_t done, std::int64_t total) {
    stages.emplace_back(stage);
    CHECK(done > last);
    last = done;
    of = total;
    return true;
  };
  const Model model = Model::open(golden::directory("flat"), {}, watch);
  CHECK(stages.back() == "ready");
  CHECK(last == of);
  CHECK(static_cast<std::int64_t>(stages.size()) ==
        2 + model_info(model).num_layers + model_info(model).vision_num_blocks);

  watch.progress = [](std::string_view stage, std::int64_t, std::int64_t) { return stage != "model.layers.1"; };
  CHECK_THROWS_WITH(Model::open(golden::directory("flat"), {}, watch), "opening the model was cancelled by the caller");
  const std::atomic<bool> cancelled{true};
  CHECK_THROWS_AS(Model::open(golden::directory("flat"), {}, OpenWatch{{}, &cancelled}), Error);
}

TEST_CASE("hidden states of chosen layers are those of transformers") {
  const golden::Values values("nested");
  const Model model = Model::open(golden::directory("nested"));
  const ModelInput input = values.input("one");
  const std::int64_t layers = model_info(model).num_layers;
  const std::vector<std::int64_t> asked{-1, 0, layers - 1};
  const std::vector<Tensor> states = model.hidden_states(input, asked);
  REQUIRE(states.size() == 3);
  golden::require_close(states[0], values.tensor("one.layer_" + std::to_string(layers - 1)), 1e-4);
  golden::require_close(states[1], values.tensor("one.layer_0"), 1e-4);
  golden::require_close(states[2], states[0], 0);
  const std::vector<std::int64_t> beyond{layers};
  CHECK_THROWS_AS(model.hidden_states(input, beyond), Error);
}

TEST_CASE("the last hidden state times the head gives the logits of transformers") {
  const golden::Values values("flat");
  const Model model = Model::open(golden::directory("flat"));
  const Tensor rows = model.last_hidden_state(values.input("text"));
  const Checkpoint& checkpoint = model.checkpoint();
  const Tensor head =
      checkpoint.tensor(checkpoint.find("lm_head.weight") != nullptr ? "lm_head.weight" : "model.embed_tokens.weight")
          .to(DType::f32);
  Tensor logits = Tensor::empty(DType::f32, {rows.dim(0), head.dim(0)});
  const std::span<const float> x = rows.values<float>(), w = head.values<float>();
  const auto width = static_cast<std::size_t>(rows.dim(1)), vocab = static_cast<std::size_t>(head.dim(0));
  for (std::size_t i = 0; i < static_cast<std::size_t>(rows.dim(0)); ++i)
    for (std::size_t j = 0; j < vocab; ++j) {
      double sum = 0;
      for (std::size_t k = 0; k < width; ++k) sum += static_cast<double>(x[i * width + k]) * w[j * width + k];
      logits.mutable_values<float>()[i * vocab + j] = static_cast<float>(sum);
    }
  golden::require_close(logits, values.tensor("text.logits"), 1e-4);
}

TEST_CASE("a model says what it is") {
  const Model model = Model::open(golden::bundled());
  const ModelInfo info = model_info(model);
  const Json config = Json::read_file(golden::bundled() + "/config.json");
  CHECK(info.hidden_size == config.at("hidden_size").as_int());
  CHECK(info.num_layers == config.at("num_hidden_layers").as_int());
  CHECK(info.vocab_size == config.at("vocab_size").as_int());
  CHECK_FALSE(info.is_quantized);
  CHECK(info.num_float == static_cast<std::int64_t>(model.linears().size()));
  const Json said = describe(model).build("said");
  CHECK(said.at("linears").size() == model.linears().size());
  CHECK(said.at("linears").at(std::size_t{0}).at("scheme").as_string() == "float");
  bool has_end = false;
  for (const SpecialToken& token : info.special_tokens) has_end = has_end || token.text == "<|im_end|>";
  CHECK(has_end);
}
