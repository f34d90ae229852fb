// Models with W8A16 linears: what quantize writes, and that they run as their dequantised weights do.
#include <cmath>
#include <map>
#include <set>

#include "catch.hpp"
#include "jobs.hpp"
#include "octavo/check.hpp"
#include "octavo/compare.hpp"
#include "octavo/observer.hpp"
#include "octavo/quantize.hpp"

using namespace octavo;

namespace {

/// q, k, v of layer 1, every down_proj and a vision block in W8A16, one o_proj in float, the rest in W8A8.
constexpr const char* kMixed = R"({"rules": [
    {"match": "model\\.layers\\..*\\.down_proj", "scheme": "w8a16"},
    {"match": "model\\.layers\\.1\\.self_attn\\.[qkv]_proj", "scheme": "w8a16", "method": "rtn", "observer": "mse"},
    {"match": "visual\\.blocks\\.0\\..*", "scheme": "w8a16"},
    {"match": "model\\.layers\\.0\\.self_attn\\.o_proj", "scheme": "skip"},
    {"match": "model\\.layers\\..*", "scheme": "w8a8"}]})";

StoredScheme mixed_scheme(const std::string& module) {
  if (module.starts_with("visual.blocks.0.")) return StoredScheme::w8a16;
  if (!module.starts_with("model.layers.") || module == "model.layers.0.self_attn.o_proj") return StoredScheme::none;
  const bool qkv = module.starts_with("model.layers.1.self_attn.") && !module.ends_with("o_proj");
  return qkv || module.ends_with(".down_proj") ? StoredScheme::w8a16 : StoredScheme::w8a8_dynamic;
}

QuantizeOptions few_samples(const std::string& recipe) {
  QuantizeOptions options;
  options.calibration = test::kCalibration;
  options.max_samples = 4;
  options.recipe = recipe;
  return options;
}

/// A float32 copy of a model whose int8 linears are all W8A16: each weight is its integers times its row's scale.
void write_dequantised(const std::string& from, const std::string& target) {
  const Checkpoint source = Checkpoint::open(from);
  AtomicDirectory out(target);
  ShardWriter writer(out);
  for (const std::string& name : source.names()) {
    if (name.ends_with(".weight_scale")) continue;
    Tensor tensor = source.tensor(name).to(DType::f32);
    if (source.info(name).stored_dtype == "I8") {
      const Tensor scale = source.tensor(name + "_scale").to(DType::f32);
      const std::int64_t columns = tensor.dim(1);
      for (std::int64_t i = 0; i < tensor.numel(); ++i)
        tensor.mutable_data<float>()[i] *= scale.data<float>()[i / columns];
    }
    writer.add(name, tensor);
  }
  writer.finish();
  JsonBuilder config(source.config());
  config.set("quantization_config", nullptr);
  out.write_file("config.json", config.dump(2));
  for (const char* file : {"tokenizer.json", "tokenizer_config.json", "preprocessor_config.json"})
    if (test::fs::exists(from + "/" + file)) out.copy_file(from + "/" + file, file);
  out.commit();
}

/// Which operation each linear ran as.
class LinearsThatRan : public OperationObserver {
 public:
  void on_call(std::string_view) override {}
  void on_operation(const ObservedOperation& operation) override {
    if (operation.operation.starts_with("linear"))
      operations[std::string(operation.module_path)] = std::string(operation.operation);
  }
  std::string recent() const override { return ""; }
  std::map<std::string, std::string> operations;
};

Tensor first_logits(const std::string& directory) {
  const Model model = Model::open(directory);
  const Sample sample = read_samples(test::kSamples, 1).samples.front();
  return model.forward(prepare_question(model, sample));
}

void replace_once(const std::string& file, const std::string& from, const std::string& to) {
  std::string text = test::read_file(file);
  const std::size_t at = text.find(from);
  REQUIRE(at != std::string::npos);
  std::ofstream(file, std::ios::binary) << text.replace(at, from.size(), to);
}

}  // namespace

TEST_CASE("a mixed recipe is stored, checked, compared and run module by module") {
  const test::Scratch scratch;
  const std::string out = scratch.path("out");
  const QuantizeResult result = quantize(test::kModel, out, few_samples(scratch.write("mixed.json", kMixed)));
  const Checkpoint stored = Checkpoint::open(out);
  std::map<std::string, std::string> reported;
  for (const LayerReport& layer : result.layers) reported[layer.module_path] = layer.scheme;
  std::map<StoredScheme, int> counts;
  for (const std::string& name : stored.names()) {
    if (!name.ends_with(".weight") || stored.info(name).shape.rank() != 2) continue;
    const std::string module = name.substr(0, name.rfind('.'));
    CAPTURE(module);
    const StoredScheme scheme = mixed_scheme(module);
    ++counts[scheme];
    REQUIRE(stored.scheme_of(module) == scheme);
    REQUIRE((stored.info(name).stored_dtype == "I8") == (scheme != StoredScheme::none));
    CHECK(reported[module] == (scheme == StoredScheme::w8a16          ? "w8a16"
                               : scheme == StoredScheme::w8a8_dynamic ? "w8a8"
                                                                      : ""));
  }
  CHECK((counts[StoredScheme::w8a16] > 5 && counts[StoredScheme::w8a8_dynamic] > 5));
  CHECK(stored.info("model.layers.1.self_attn.q_proj.weight_scale").dtype == DType::bf16);  // the model's
  CHECK(stored.info("model.layers.1.self_attn.q_proj.weight").name.ends_with("q_proj.weight_packed"));
  CHECK(stored.info("model.layers.1.self_attn.o_proj.weight").name.ends_with("o_proj.weight"));
  CHECK(Json::read_file(out + "/octavo_report.json").at("layers").at(0).at("scheme").as_string() ==
        result.layers.front().scheme);

  // Both names that loaders know a module of the language model by.
  const Json written = stored.config().at("quantization_config");
  std::set<std::string> targets;
  std::set<std::string> ignored;
  const Json named = written.at("config_groups").at("group_1").at("targets");
  for (std::size_t i = 0; i < named.size(); ++i) targets.insert(named.at(i).as_string());
  for (std::size_t i = 0; i < written.at("ignore").size(); ++i) ignored.insert(written.at("ignore").at(i).as_string());
  CHECK(targets.size() == 2 * static_cast<std::size_t>(counts[StoredScheme::w8a16]));
  for (const std::string prefix : {"model.layers.", "model.language_model.layers."}) {
    CHECK(targets.count(prefix + "1.self_attn.k_proj") == 1);
    CHECK(ignored.count(prefix + "0.self_attn.o_proj") == 1);
  }

  CHECK(check(out).ok());
  const CompareResult compared = compare(test::kModel, out);
  CHECK(compared.ok());
  std::set<std::string> weight_only;
  for (const Difference& difference : compared.differences)
    if (difference.verdict == Verdict::expected && test::contains(difference.what, "(W8A16)"))
      weight_only.insert(difference.where);
  CHECK(weight_only.size() == static_cast<std::size_t>(counts[StoredScheme::w8a16]));
  CHECK(weight_only.count("model.layers.1.self_attn.q_proj") == 1);

  LinearsThatRan observer;
  {
    const ObserverScope scope(&observer);
    first_logits(out);
  }
  const std::map<std::string, std::string>& ran = observer.operations;
  CHECK(ran.at("model.layers.1.self_attn.q_proj") == "linear_w8a16");
  CHECK(ran.at("visual.blocks.0.attn.qkv") == "linear_w8a16");
  CHECK(ran.at("model.layers.1.self_attn.o_proj") == "linear_w8a8");
  CHECK(ran.at("model.layers.0.self_attn.o_proj") == "linear");
}

TEST_CASE("a W8A16 model runs as the float model of its dequantised weights") {
  const test::Scratch scratch;
  const std::string recipe = scratch.write(
      "all.json", R"({"rules": [{"match": "(model\\.layers|visual\\.blocks)\\..*", "scheme": "w8a16"}]})");
  const QuantizeResult result = quantize(test::kModel, scratch.path("q"), few_samples(recipe));
  REQUIRE(Checkpoint::open(scratch.path("q")).config().at("quantization_config").at("config_groups").size() == 1);
  for (const LayerReport& layer : result.layers) CHECK(layer.scheme == "w8a16");
  write_dequantised(scratch.path("q"), scratch.path("f"));
  const Tensor got = first_logits(scratch.path("q"));
  const Tensor want = first_logits(scratch.path("f"));
  double apart = 0;
  double size = 0;
  for (std::int64_t i = 0; i < want.numel(); ++i) {
    apart = std::max(apart, std::fabs(double{got.data<float>()[i]} - double{want.data<float>()[i]}));
    size = std::max(size, std::fabs(double{want.data<float>()[i]}));
  }
  CHECK(apart <= 1e-4 * size);  // float32 in another order of multiplications: the golden tests' bound
  CHECK(apart > 0);             // two computations, not one
}

TEST_CASE("float activations leave less error than int8 ones over the same weights") {
  const test::Scratch scratch;
  const auto errors = [&](const std::string& scheme) {
    const std::string recipe =
        scratch.write(scheme + ".json",
                      R"({"rules": [{"match": "model\\.layers\\..*", "method": "rtn", "scheme": ")" + scheme + "\"}]}");
    return quantize(test::kModel, scratch.path(scheme), few_samples(recipe)).layers;
  };
  const std::vector<LayerReport> both = errors("w8a8");
  const std::vector<LayerReport> weights = errors("w8a16");
  REQUIRE(both.size() == weights.size());
  for (std::size_t i = 0; i < both.size(); ++i) {
    CAPTURE(both[i].module_path);
    CHECK(weights[i].relative_error > 0);
    CHECK(weights[i].relative_error < both[i].relative_error);
  }
}

TEST_CASE("check holds a W8A16 group against modules and tensors") {
  const test::Scratch scratch;
  const std::string out = scratch.path("out");
  QuantizeOptions rtn;
  rtn.recipe = scratch.write("rtn.json", R"({"rules": [
      {"match": ".*\\.down_proj", "scheme": "skip"},
      {"match": "model\\.layers\\.0\\.self_attn\\.o_proj", "scheme": "w8a16", "method": "rtn"},
      {"match": "model\\.layers\\..*", "scheme": "w8a8", "method": "rtn"}]})");
  quantize(test::kModel, out, rtn);
  REQUIRE(check(out).ok());
  const auto told = [&](const std::string& text) {
    for (const CheckProblem& problem : check(out).problems)
      if (test::contains(problem.what, text)) return true;
    return false;
  };
  const std::string config = out + "/config.json";
  SECTION("a target that names no module") {
    replace_once(config, "\"model.layers.0.self_attn.o_proj\"", "\"model.layers.0.self_attn.out_proj\"");
    CHECK(told("model.layers.0.self_attn.out_proj"));
  }
  SECTION("a module that is float") {
    replace_once(config, "\"model.layers.0.mlp.down_proj\",", "");
    replace_once(config, "\"model.language_model.layers.0.mlp.down_proj\",", "");
    replace_once(config, "\"model.layers.0.self_attn.o_proj\"",
                 "\"model.layers.0.self_attn.o_proj\", \"model.layers.0.mlp.down_proj\"");
    CHECK(told("model.layers.0.mlp.down_proj.weight: is stored as BF16, expected I8, as quantization_config says"));
    CHECK(told("model.layers.0.mlp.down_proj.weight_scale: missing"));
  }
}
