// The registry: what it refuses, what it says, and what holds while others register.
#include <algorithm>
#include <atomic>
#include <thread>

#include "qwen3.hpp"
#include "scratch.hpp"

using octavo::ArchitectureEntry, octavo::Json, octavo::Tensor;

namespace {

/// config.json of the tiny model with another model_type, and `head_dim` as given.
Json config_of(const std::string& model_type, std::int64_t head_dim = 24) {
  octavo::JsonBuilder config(Json::read_file(qwen3::directory() + "/config.json"));
  return config.set("model_type", model_type).set("head_dim", head_dim).build("config.json");
}

ArchitectureEntry entry() { return {.read = &qwen3::read}; }

}  // namespace

TEST_CASE("a model_type is registered once") {
  qwen3::require_registered();
  for (const char* taken : {"qwen3", "qwen2_5_vl"}) {
    try {
      octavo::register_architecture(taken, entry());
      FAIL("registered twice");
    } catch (const octavo::Error& error) {
      CHECK(error.code() == octavo::ErrorCode::exists);
      CHECK(std::string(error.what()).find('"' + std::string(taken) + "\" is registered already; there are ") !=
            std::string::npos);
    }
  }
  CHECK(qwen3::message_of([] { octavo::register_architecture("", entry()); }) ==
        "register_architecture: the model_type is empty");
  CHECK(qwen3::message_of([] { octavo::register_architecture("without_read", {}); }) ==
        "register_architecture: \"without_read\" has no function `read`");
  const std::vector<std::string> types = octavo::registered_architectures();
  CHECK(std::is_sorted(types.begin(), types.end()));
  CHECK(std::count(types.begin(), types.end(), "qwen3") == 1);
  CHECK(std::count(types.begin(), types.end(), "without_read") == 0);
}

TEST_CASE("an unknown model_type is named with what there is") {
  qwen3::require_registered();
  const std::string message = qwen3::message_of([] { octavo::read_architecture(config_of("llava")); });
  CHECK(message.find("config.json: model_type is \"llava\"; this build runs ") == 0);
  CHECK(message.find("qwen2_5_vl") != std::string::npos);
  CHECK(message.find("qwen3") != std::string::npos);
}

TEST_CASE("what an architecture's code does wrong is an error that names it") {
  octavo::register_architecture("throws", {.read = [](const Json&) -> std::shared_ptr<const octavo::Architecture> {
                                  throw std::runtime_error("of its own");
                                }});
  octavo::register_architecture("null",
                                {.read = [](const Json&) { return std::shared_ptr<const octavo::Architecture>(); }});
  octavo::register_architecture("zero", entry());
  CHECK(qwen3::message_of([] { octavo::read_architecture(config_of("throws")); }) ==
        "config.json: the architecture \"throws\" cannot read it: of its own");
  CHECK(qwen3::message_of([] { octavo::read_architecture(config_of("null")); }) ==
        "config.json: `read` of the architecture \"null\" gave null");
  CHECK(qwen3::message_of([] { octavo::read_architecture(config_of("zero", 0)); }) ==
        "config.json: as the architecture reads it, head_dim is 0, it must be 1 to 16777216");
  for (const char* type : {"throws", "null"}) CHECK_FALSE(octavo::config_problems(config_of(type)).empty());
  CHECK(octavo::config_problems(config_of("zero")).empty());
}

TEST_CASE("others may register and open while models run") {
  const octavo::Model model = qwen3::open();
  const octavo::ModelInput input = model.prepare("What comes after nine?", {});
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 20; ++i) {
        const std::string type = "thread_" + std::to_string(t) + "_" + std::to_string(i);
        octavo::register_architecture(type, entry());
        if (octavo::read_architecture(config_of(type))->text().hidden_size != 64) ++wrong;
        if (octavo::registered_architectures().size() < 2) ++wrong;
        if (i % 10 == 0 && octavo::Model::open(qwen3::directory()).generate(input).text != "ten") ++wrong;
      }
    });
  }
  for (int i = 0; i < 8; ++i) CHECK(model.generate(input).text == "ten");  // opened before
  for (std::thread& thread : threads) thread.join();
  CHECK(wrong == 0);
}

namespace {

/// Qwen2.5-VL under another name: a tower, too, goes through the public interface alone.
class Renamed final : public octavo::Architecture {
 public:
  explicit Renamed(const Json& config)
      : inner_(octavo::read_architecture(
            octavo::JsonBuilder(config).set("model_type", "qwen2_5_vl").build(config.where()))) {}
  const octavo::TextConfig& text() const noexcept override { return inner_->text(); }
  const octavo::VisionTower* vision() const noexcept override { return inner_->vision(); }
  std::unique_ptr<octavo::LanguageLayer> layer(octavo::WeightSource& weights, std::int64_t index,
                                               octavo::FloatMath math) const override {
    return inner_->layer(weights, index, math);
  }

 private:
  std::shared_ptr<const octavo::Architecture> inner_;
};

}  // namespace

TEST_CASE("an architecture with a tower of its own answers about pictures") {
  octavo::register_architecture("renamed_vl",
                                {.read = [](const Json& config) { return std::make_shared<Renamed>(config); }});
  const std::string bundled = std::string(OCTAVO_SOURCE_DIR) + "/examples/models/octavo-tiny-vl";
  const test::ScratchDirectory copy;
  for (const auto& file : std::filesystem::directory_iterator(bundled))
    if (file.is_regular_file()) std::filesystem::copy(file.path(), copy.path(file.path().filename().string()));
  octavo::JsonBuilder config(Json::read_file(bundled + "/config.json"));
  copy.write("config.json", config.set("model_type", "renamed_vl").dump());
  const octavo::Image picture = octavo::load_image(bundled + "/eval/000.png");
  const char* question = "What colour is the small triangle?";
  const octavo::Model model = octavo::Model::open(copy.path());
  const octavo::Model built_in = octavo::Model::open(bundled);
  CHECK(model.takes_pictures());
  const Tensor logits = model.forward(model.prepare(question, {&picture, 1}));
  const Tensor expected = built_in.forward(built_in.prepare(question, {&picture, 1}));
  CHECK(std::equal(logits.values<float>().begin(), logits.values<float>().end(), expected.values<float>().begin()));
  CHECK(model.generate(model.prepare(question, {&picture, 1})).text == "blue");
  const octavo::CheckResult checked = octavo::check(copy.path());
  for (const octavo::CheckProblem& problem : checked.problems) CHECK(problem.what == "");
  CHECK(checked.ok());
}
