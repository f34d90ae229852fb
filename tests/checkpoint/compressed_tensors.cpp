#include <filesystem>
#include <limits>

#include "catch.hpp"
#include "helpers.hpp"
#include "octavo/checkpoint.hpp"

namespace octavo {
namespace {

using test::error_of;
using test::TempDir;

const std::string kGolden = std::string(OCTAVO_SOURCE_DIR) + "/tests/golden/checkpoint/";

const char* name_of(StoredScheme scheme) {
  switch (scheme) {
    case StoredScheme::none:
      return "none";
    case StoredScheme::w8a8_dynamic:
      return "w8a8_dynamic";
    case StoredScheme::w8a16:
      return "w8a16";
  }
  return "";
}

/// A checkpoint of 1 x 1 matrices under these module names.
Checkpoint toy(const TempDir& parent, const std::string& config, const std::vector<std::string>& modules) {
  std::filesystem::remove_all(parent / "toy");
  AtomicDirectory directory(parent / "toy");
  ShardWriter writer(directory);
  for (const std::string& module : modules) writer.add(module + ".weight", Tensor::zeros(DType::f32, {1, 1}));
  writer.finish();
  directory.write_file("config.json", config);
  directory.commit();
  return Checkpoint::open(parent / "toy");
}

/// int8 under the names in `integers`, float32 under the others.
Checkpoint stored_as(const TempDir& parent, const std::string& config, const std::vector<std::string>& integers,
                     const std::vector<std::string>& floats) {
  std::filesystem::remove_all(parent / "stored");
  AtomicDirectory directory(parent / "stored");
  ShardWriter writer(directory);
  for (const std::string& module : integers) writer.add(module + ".weight", Tensor::zeros(DType::s8, {1, 1}));
  for (const std::string& module : floats) writer.add(module + ".weight", Tensor::zeros(DType::f32, {1, 1}));
  writer.finish();
  directory.write_file("config.json", config);
  directory.commit();
  return Checkpoint::open(parent / "stored");
}

std::string with_groups(const std::string& groups, const std::string& more = "") {
  return R"({"quantization_config": {"quant_method": "compressed-tensors", "format": "int-quantized", )" + more +
         R"("config_groups": {)" + groups + "}}}";
}
const std::string kWeights = R"("weights": {"num_bits": 8, "type": "int", "symmetric": true, "strategy": "channel"})";
const std::string kTokens =
    R"("input_activations": {"num_bits": 8, "symmetric": true, "strategy": "token", "dynamic": true})";

TEST_CASE("Every module gets the scheme that the compressed-tensors library gives it") {
  const Json cases = Json::read_file(kGolden + "schemes.json");
  REQUIRE(cases.size() == 10);
  const TempDir parent;
  for (std::size_t i = 0; i < cases.size(); ++i) {
    const Json expected = cases.at(i).at("modules");
    std::vector<std::string> integers;
    std::vector<std::string> floats;
    expected.for_each_member([&](std::string_view module, const Json& scheme) {
      (scheme.as_string() == "none" ? floats : integers).emplace_back(module);
    });
    JsonBuilder config = JsonBuilder::object();
    config.set("quantization_config", JsonBuilder(cases.at(i).at("quantization_config")));
    const Checkpoint checkpoint = stored_as(parent, config.dump(), integers, floats);
    CHECK(checkpoint.is_quantized());
    expected.for_each_member([&](std::string_view module, const Json& scheme) {
      CAPTURE(cases.at(i).at("name").as_string(), std::string(module));
      CHECK(name_of(checkpoint.scheme_of(module)) == scheme.as_string());
    });
  }
}

TEST_CASE("Names match across key layouts, in ignore and in targets") {
  const TempDir parent;
  const std::string groups = R"("g": {"targets": ["Linear"], )" + kWeights + "," + kTokens + "}";
  // Tensors in published names, ignore list in the names of the program that quantized, and the reverse.
  const Checkpoint published =
      toy(parent, with_groups(groups, R"("ignore": ["model.visual.a", "re:model.language_model.*up_proj"],)"),
          {"visual.a", "visual.b", "model.layers.0.mlp.up_proj"});
  CHECK(published.scheme_of("visual.a") == StoredScheme::none);
  CHECK(published.scheme_of("model.visual.a") == StoredScheme::none);
  CHECK(published.scheme_of("visual.b") == StoredScheme::w8a8_dynamic);
  CHECK(published.scheme_of("model.layers.0.mlp.up_proj") == StoredScheme::none);
  const Checkpoint newer = toy(parent, with_groups(groups, R"("ignore": ["re:visual.*", "lm_head"],)"),
                               {"model.visual.a", "model.language_model.layers.0.mlp.up_proj", "lm_head"});
  CHECK(newer.scheme_of("visual.a") == StoredScheme::none);
  CHECK(newer.scheme_of("lm_head") == StoredScheme::none);
  CHECK(newer.scheme_of("model.layers.0.mlp.up_proj") == StoredScheme::w8a8_dynamic);
}

TEST_CASE("A class target spares what is no matrix") {
  const TempDir parent;
  AtomicDirectory directory(parent / "out");
  ShardWriter writer(directory);
  writer.add("visual.patch_embed.proj.weight", Tensor::zeros(DType::f32, {1, 1, 1, 1, 1}));
  writer.add("model.norm.weight", Tensor::zeros(DType::f32, {1}));
  writer.finish();
  directory.write_file("config.json", with_groups(R"("g": {"targets": ["Linear"], )" + kWeights + "," + kTokens + "}"));
  directory.commit();
  const Checkpoint checkpoint = Checkpoint::open(parent / "out");
  CHECK(checkpoint.scheme_of("visual.patch_embed.proj") == StoredScheme::none);
  CHECK(checkpoint.scheme_of("model.norm") == StoredScheme::none);
}

TEST_CASE("Schemes that Octavo does not run can be opened but not asked for") {
  struct Case {
    std::string config;
    std::string message;  // after "unsupported: CONFIG: "
  };
  const auto group = [](const std::string& weights, const std::string& activations) {
    return with_groups(R"("g": {"targets": ["Linear"], "weights": {)" + weights + R"(}, "input_activations": )" +
                       activations + "}");
  };
  const std::string g = "quantization_config.config_groups.g.";
  const Case wrong = GENERATE_COPY(values<Case>({
      {R"({"quantization_config": {"quant_method": "awq", "bits": 4}})",
       "quantization_config.quant_method is \"awq\", Octavo has \"compressed-tensors\""},
      {R"({"quantization_config": {"quant_method": "compressed-tensors", "format": "marlin-24"}})",
       "quantization_config.format is \"marlin-24\", Octavo has one of \"int-quantized\", \"pack-quantized\", "
       "\"mixed-precision\": How weights are stored; \"mixed-precision\" leaves it to each group."},
      {with_groups("", R"("kv_cache_scheme": {"num_bits": 8},)"),
       "quantization_config.kv_cache_scheme is {\"num_bits\":8}, Octavo has null: Quantizes keys and values in the "
       "cache."},
      {group(R"("num_bits": 4)", "null"), g + "weights.num_bits is 4, Octavo has 8: Bits of a weight."},
      {group(R"("num_bits": 8)", "null"),
       g + "weights.strategy is absent, which means \"tensor\"; Octavo has \"channel\""},
      {group(R"("strategy": "channel")", R"({"dynamic": true})"),
       g + "input_activations.strategy is absent, which means \"tensor\"; Octavo has \"token\""},
      {group(R"("strategy": "channel")", R"({"strategy": "token"})"),
       g + "input_activations.dynamic is absent, which means false; Octavo has true"},
  }));
  const TempDir parent;
  const Checkpoint checkpoint = toy(parent, wrong.config, {"a"});
  const std::string complaint = error_of([&] { static_cast<void>(checkpoint.scheme_of("a")); });
  CHECK(complaint == "unsupported: " + (parent / "toy/config.json") + ": " + wrong.message);
}

TEST_CASE("Every row of the tables of quantization_config does what it says") {
  struct Place {
    SettingsTable table;
    const char* object;  // where the key goes: "" is quantization_config itself
  };
  const Place place = GENERATE(values<Place>({{quantization_settings()[0], ""},
                                              {quantization_settings()[1], "group"},
                                              {quantization_settings()[2], "weights"},
                                              {quantization_settings()[3], "input_activations"}}));
  const TempDir parent;
  for (const Setting& setting : place.table.settings) {
    CAPTURE(place.object, setting.key, setting.unusual);
    const auto object = [&](const std::string& name, JsonBuilder fields) {
      if (name == place.object)
        fields.set(std::string(setting.key), JsonBuilder(Json::parse(setting.unusual, "unusual")));
      return fields;
    };
    JsonBuilder group = JsonBuilder::object();
    JsonBuilder targets = JsonBuilder::array();
    targets.push("Linear");
    group.set("targets", targets);
    group.set("weights", object("weights", JsonBuilder(Json::parse(R"({"num_bits": 8, "strategy": "channel"})", "w"))));
    group.set("input_activations",
              object("input_activations",
                     JsonBuilder(Json::parse(R"({"num_bits": 8, "strategy": "token", "dynamic": true})", "a"))));
    JsonBuilder groups = JsonBuilder::object();
    groups.set("g", object("group", group));
    JsonBuilder quantization = JsonBuilder::object();
    quantization.set("quant_method", "compressed-tensors").set("format", "int-quantized").set("config_groups", groups);
    JsonBuilder config = JsonBuilder::object();
    config.set("quantization_config", object("", quantization));
    std::string said = "opened";
    StoredScheme scheme = StoredScheme::none;
    bool noted = false;
    try {
      const Checkpoint checkpoint = toy(parent, config.dump(), {"a"});
      noted = !quantization_notes(checkpoint.config()).empty();
      scheme = checkpoint.scheme_of("a");
    } catch (const Error& error) {
      said = error.what();
    }
    if (setting.effect == SettingEffect::required) {
      CHECK(said.find(std::string(setting.key) + " is ") != std::string::npos);
    } else if (setting.effect == SettingEffect::honoured) {
      CHECK((scheme != StoredScheme::w8a8_dynamic || said != "opened"));  // it does something
    } else {
      CHECK(said == "opened");
      CHECK(scheme == StoredScheme::w8a8_dynamic);
      CHECK(noted == (setting.effect == SettingEffect::named));
    }
  }
}

TEST_CASE("Zero sparsity and empty transforms are no obstacle and unknown keys are told") {
  const TempDir parent;
  const std::string groups = R"("g": {"targets": ["Linear"], )" + kWeights + "," + kTokens + "}";
  const Checkpoint dense = toy(
      parent, with_groups(groups, R"("sparsity_config": {"format": "dense", "targets": []}, "transform_config": {},)"),
      {"a"});
  CHECK(dense.scheme_of("a") == StoredScheme::w8a8_dynamic);
  CHECK(quantization_notes(dense.config()).empty());
  const Checkpoint other = toy(parent, with_groups(groups, R"("kv_cache_sheme": {"num_bits": 8},)"), {"a"});
  REQUIRE(quantization_notes(other.config()).size() == 1);
  CHECK(quantization_notes(other.config())[0].what ==
        (parent / "toy/config.json") + ": quantization_config.kv_cache_sheme is no key that Octavo knows");
}

TEST_CASE("Expressions are given the names that transformers gives its modules") {
  const TempDir parent;
  const std::string g = R"("g": {"targets": ["re:^(?!.*visual).*_proj$"], )" + kWeights + "," + kTokens + "}";
  for (const std::vector<std::string>& modules :
       {std::vector<std::string>{"visual.blocks.0.mlp.up_proj", "model.layers.0.mlp.up_proj"},
        std::vector<std::string>{"model.visual.blocks.0.mlp.up_proj", "model.language_model.layers.0.mlp.up_proj"}}) {
    const Checkpoint checkpoint = toy(parent, with_groups(g), modules);
    CHECK(checkpoint.scheme_of("visual.blocks.0.mlp.up_proj") == StoredScheme::none);
    CHECK(checkpoint.scheme_of("model.layers.0.mlp.up_proj") == StoredScheme::w8a8_dynamic);
    CHECK(checkpoint.other_naming().empty());
  }
}

TEST_CASE("Expressions written for another program's names are read by those when the stored weights say so") {
  const TempDir parent;
  const std::string vision = "visual.blocks.0.mlp.up_proj";
  const std::string language = "model.layers.0.mlp.up_proj";
  const auto program = [&](const std::string& target) {
    const Checkpoint checkpoint =
        stored_as(parent, with_groups(R"("g": {"targets": [")" + target + R"("], )" + kWeights + "," + kTokens + "}"),
                  {language}, {vision, "lm_head"});
    CHECK(checkpoint.scheme_of(vision) == StoredScheme::none);
    CHECK(checkpoint.scheme_of(language) == StoredScheme::w8a8_dynamic);
    return checkpoint.other_naming();
  };
  CHECK(program("re:model\\\\.(?!visual).*_proj") == "");
  CHECK(program("re:(?!visual|lm_head)") == "transformers before 4.52");
  CHECK(program("re:model\\\\.layers\\\\..*") == "transformers before 4.52");
  CHECK(program("re:language_model\\\\.model\\\\..*_proj") == "vLLM");
}

TEST_CASE("Packed weights are those of compressed-tensors and come back as they were") {
  // pack_to_int32(torch.tensor(...), 8) of compressed-tensors 0.20.
  const std::vector<std::int8_t> values{-128, 127, 0, 1, -1, 5, -7, 100, -100, 3, 0, 0, 0, 0, -128};
  const Tensor weight = Tensor::from<std::int8_t>(values, {3, 5});
  const Tensor scale = Tensor::zeros(DType::bf16, {3, 1});
  const auto tensors = stored_tensors(StoredScheme::w8a16, weight, scale);
  REQUIRE(tensors.size() == 3);
  CHECK(tensors[0].first == "weight_packed");
  REQUIRE(tensors[0].second.shape() == Shape{3, 2});
  const std::vector<std::int32_t> expected{-2122252544, 127, 484735365, 131, -2139062144, 0};
  CHECK(std::equal(expected.begin(), expected.end(), tensors[0].second.values<std::int32_t>().begin()));
  CHECK(tensors[2].first == "weight_shape");
  CHECK(tensors[2].second.values<std::int64_t>()[1] == 5);

  const TempDir parent;
  const auto open = [&](const QuantizedModules& modules, const char* left_out = "") {
    std::filesystem::remove_all(parent / "packed");
    AtomicDirectory directory(parent / "packed");
    ShardWriter writer(directory);
    for (const auto& [leaf, tensor] : tensors)
      if (leaf != left_out) writer.add("model.language_model.layers.0.mlp.up_proj." + leaf, tensor);
    writer.finish();
    directory.write_file("config.json", with_quantization_config(Json::parse("{}", "config.json"), modules));
    directory.commit();
    return Checkpoint::open(parent / "packed");
  };
  const std::string module = "model.layers.0.mlp.up_proj";
  const Checkpoint checkpoint = open({StoredScheme::w8a16, {}, {"lm_head"}});
  CHECK(checkpoint.names() == std::vector<std::string>{module + ".weight", module + ".weight_scale"});
  CHECK(checkpoint.info(module + ".weight").name == "model.language_model.layers.0.mlp.up_proj.weight_packed");
  CHECK(checkpoint.info(module + ".weight").stored_dtype == "I8");
  CHECK(checkpoint.stored_tensors().size() == 3);
  const StoredLinear linear = checkpoint.linear(module);
  CHECK(linear.scheme == StoredScheme::w8a16);
  REQUIRE(linear.weight.shape() == Shape{3, 5});
  CHECK(std::equal(values.begin(), values.end(), linear.weight.values<std::int8_t>().begin()));

  // Loaders look for the tensors that the format names.
  const Checkpoint mislabelled = open({StoredScheme::w8a8_dynamic, {"model.layers.1.mlp.up_proj", "lm_head"}, {}});
  CHECK(error_of([&] { static_cast<void>(mislabelled.scheme_of(module)); }).find("the format is wrong") !=
        std::string::npos);
  // Without its shape a packed weight is no weight.
  CHECK(open({StoredScheme::w8a16, {}, {}}, "weight_shape").find(module + ".weight") == nullptr);
}

TEST_CASE("A malformed quantization_config is refused when opening") {
  const TempDir parent;
  const auto complaint = [&](const std::string& config) {
    std::string text = error_of([&] { toy(parent, config, {"a"}); });
    const std::string path = parent / "toy/config.json";
    const std::size_t at = text.find(path);
    return at == std::string::npos ? text : text.replace(at, path.size(), "FILE");
  };
  CHECK(complaint(R"({"quantization_config": 8})") == "format: FILE: quantization_config must be an object");
  CHECK(complaint(R"({"quantization_config": {}})") ==
        "not_found: FILE: quantization_config: the key \"quant_method\" is missing");
  CHECK(complaint(R"({"quantization_config": {"quant_method": "compressed-tensors", "format": "int-quantized"}})") ==
        "not_found: FILE: quantization_config: the key \"config_groups\" is missing");
  CHECK(complaint(with_groups(R"("g": {"targets": "Linear"})")) ==
        "format: FILE: quantization_config.config_groups.g.targets must be an array of module names");
  CHECK(complaint(with_groups("", R"("ignore": [3],)")) ==
        "format: FILE: quantization_config.ignore[0] is a number, a string is needed");
  CHECK_THAT(
      complaint(with_groups("", R"("ignore": ["lm_head", "re:(["],)")),
      Catch::Matchers::StartsWith("format: FILE: quantization_config.ignore[1]: \"([\" is not a regular expression: "));
  CHECK(complaint(with_groups("", R"("ignore": ["re:)" + std::string(1025, 'a') + "\"],")) ==
        "format: FILE: quantization_config.ignore[0]: the expression \"" + std::string(200, 'a') +
            "... (1025 characters)\" has 1025 characters, at most 1024 are read");
}

TEST_CASE("Two groups that claim one module are refused, and no expression can stall") {
  const TempDir parent;
  const std::string path = parent / "toy/config.json";
  const Checkpoint twice = toy(parent,
                               with_groups(R"("g": {"targets": ["re:a"], )" + kWeights + "," + kTokens +
                                           R"(}, "h": {"targets": ["re:.*"], )" + kWeights + "}"),
                               {"a"});
  CHECK(error_of([&] { static_cast<void>(twice.scheme_of("a")); }) ==
        "format: module a matches both " + path + ": quantization_config.config_groups.g and " + path +
            ": quantization_config.config_groups.h, which store it differently");
  const Checkpoint slow = toy(parent, with_groups(R"("g": {"targets": ["re:(a+)+$"], )" + kWeights + "}"), {"a"});
  CHECK_THAT(error_of([&] { static_cast<void>(slow.scheme_of(std::string(200, 'a') + "!")); }),
             Catch::Matchers::StartsWith("format: " + path +
                                         ": quantization_config.config_groups.g.targets[0]: the expression \"(a+)+$\" "
                                         "is too complex: on the name \"aaaa"));
}

struct Linear {
  Tensor weight = Tensor::zeros(DType::s8, {3, 2});
  Tensor scale = Tensor::zeros(DType::f32, {3, 1});
  Tensor bias;
  Tensor zero_point;
};

Checkpoint with_linear(const TempDir& parent, const Linear& linear, const std::string& name = "model.a") {
  std::filesystem::remove_all(parent / "out");
  AtomicDirectory directory(parent / "out");
  ShardWriter writer(directory);
  writer.add(name + ".weight", linear.weight);
  if (linear.scale.defined()) writer.add(name + ".weight_scale", linear.scale);
  if (linear.bias.defined()) writer.add(name + ".bias", linear.bias);
  if (linear.zero_point.defined()) writer.add(name + ".weight_zero_point", linear.zero_point);
  writer.finish();
  directory.write_file("config.json", with_w8a8_quantization_config(Json::parse("{}", "config.json"), {"model.b"}));
  directory.commit();
  return Checkpoint::open(parent / "out");
}

TEST_CASE("A quantized linear comes back as it was written") {
  const TempDir parent;
  Linear stored;
  const std::vector<std::int8_t> weight{-128, 127, 0, 1, -1, 5};
  const std::vector<BFloat16> scale{to_bfloat16(0.5F), to_bfloat16(2.0F), to_bfloat16(0.0F)};
  const std::vector<float> bias{1, 2, 3};
  stored.weight = Tensor::from<std::int8_t>(weight, {3, 2});
  stored.scale = Tensor::from<BFloat16>(scale, {3, 1});
  stored.bias = Tensor::from<float>(bias, {3});
  const StoredLinear linear =
      with_linear(parent, stored, GENERATE(as<std::string>(), "model.a", "model.language_model.a")).linear("model.a");
  CHECK(linear.scheme == StoredScheme::w8a8_dynamic);
  CHECK(std::equal(weight.begin(), weight.end(), linear.weight.values<std::int8_t>().begin()));
  CHECK(linear.weight_scale.shape() == Shape{3});
  CHECK(linear.weight_scale.values<float>()[0] == 0.5F);
  CHECK(linear.weight_scale.values<float>()[1] == 2.0F);
  CHECK(linear.bias.values<float>()[2] == 3.0F);
}

TEST_CASE("A linear that is ignored is read as it is") {
  const TempDir parent;
  Linear stored;
  stored.weight = Tensor::zeros(DType::bf16, {3, 2});
  stored.scale = Tensor();
  const StoredLinear linear = with_linear(parent, stored, "model.b").linear("model.b");
  CHECK(linear.scheme == StoredScheme::none);
  CHECK(linear.weight.dtype() == DType::bf16);
  CHECK_FALSE(linear.weight_scale.defined());
  CHECK_FALSE(linear.bias.defined());
}

TEST_CASE("A quantized linear whose tensors do not agree is refused") {
  const TempDir parent;
  const auto complaint = [&](const Linear& stored) {
    std::string text = error_of([&] { static_cast<void>(with_linear(parent, stored).linear("model.a")); });
    const std::string path = parent / "out/model.safetensors";
    const std::size_t at = text.find(path);
    return at == std::string::npos ? text : text.replace(at, path.size(), "FILE");
  };
  Linear stored;
  CHECK(complaint(stored) == "no error");
  stored.weight = Tensor::zeros(DType::bf16, {3, 2});
  CHECK(complaint(stored) ==
        "format: FILE: tensor \"model.a.weight\" (BF16 [3, 2]) must be I8: quantization_config says it is quantized");
  stored = Linear();
  stored.scale = Tensor::zeros(DType::f32, {2, 1});
  CHECK(complaint(stored) ==
        "format: FILE: tensor \"model.a.weight_scale\" (F32 [2, 1]) must have one value for each of "
        "the weight's 3 rows");
  stored.scale = Tensor::zeros(DType::s32, {3, 1});
  CHECK(complaint(stored) == "format: FILE: tensor \"model.a.weight_scale\" (I32 [3, 1]) must be F32, BF16 or F16");
  const std::vector<float> bad{1.0F, -0.5F, 1.0F};
  stored.scale = Tensor::from<float>(bad, {3});
  CHECK(complaint(stored) ==
        "format: FILE: tensor \"model.a.weight_scale\" (F32 [3]) has -0.500000 in row 1, a scale "
        "must be finite and not negative");
  const std::vector<float> infinite{1.0F, 1.0F, std::numeric_limits<float>::infinity()};
  stored.scale = Tensor::from<float>(infinite, {3});
  CHECK(complaint(stored) ==
        "format: FILE: tensor \"model.a.weight_scale\" (F32 [3]) has inf in row 2, a scale must be "
        "finite and not negative");
  stored = Linear();
  stored.bias = Tensor::zeros(DType::f32, {2});
  CHECK(complaint(stored) ==
        "format: FILE: tensor \"model.a.bias\" (F32 [2]) must have one value for each of the weight's 3 rows");
  stored = Linear();
  const std::vector<std::int8_t> shifted{0, 0, 1};
  stored.zero_point = Tensor::from<std::int8_t>(shifted, {3, 1});
  CHECK(complaint(stored) ==
        "format: FILE: tensor \"model.a.weight_zero_point\" (I8 [3, 1]) is not 0 throughout: the "
        "weight is quantized symmetrically");
  stored.zero_point = Tensor::zeros(DType::s8, {3, 1});  // as old versions of compressed-tensors save it
  CHECK(complaint(stored) == "no error");
  stored = Linear();
  stored.scale = Tensor();
  CHECK(complaint(stored) == "not_found: " + (parent / "out") +
                                 ": has no tensor \"model.a.weight_scale\"; the nearest are \"model.a.weight\"");
}

TEST_CASE("The written config keeps everything and states the scheme") {
  const Json source = Json::parse(
      R"({"model_type": "qwen2_5_vl", "use_cache": false, "rms_norm_eps": 1e-06, "quantization_config": {"old": 1}})",
      "config.json");
  const std::string text = with_w8a8_quantization_config(source, {"lm_head", "visual.a"});
  CHECK(text == R"({
  "model_type": "qwen2_5_vl",
  "use_cache": false,
  "rms_norm_eps": 1e-06,
  "quantization_config": {
    "quant_method": "compressed-tensors",
    "format": "int-quantized",
    "quantization_status": "compressed",
    "global_compression_ratio": null,
    "kv_cache_scheme": null,
    "ignore": [
      "lm_head",
      "visual.a"
    ],
    "config_groups": {
      "group_0": {
        "targets": [
          "Linear"
        ],
        "weights": {
          "num_bits": 8,
          "type": "int",
          "symmetric": true,
          "strategy": "channel",
          "dynamic": false,
          "group_size": null,
          "block_structure": null,
          "actorder": null,
          "observer": "minmax",
          "observer_kwargs": {}
        },
        "input_activations": {
          "num_bits": 8,
          "type": "int",
          "symmetric": true,
          "strategy": "token",
          "dynamic": true,
          "group_size": null,
          "block_structure": null,
          "actorder": null,
          "observer": null,
          "observer_kwargs": {}
        },
        "output_activations": null
      }
    }
  }
}
)");
  CHECK(error_of([] { with_w8a8_quantization_config(Json::parse("[]", "config.json"), {}); }) ==
        "format: config.json must be an object");
}

TEST_CASE("W8A16 modules are a group of their own, by name, and read back as such") {
  const TempDir parent;
  const Json source = Json::parse(R"({"model_type": "m"})", "config.json");
  const QuantizedModules modules{
      StoredScheme::w8a8_dynamic, {"model.b", "model.language_model.b", "visual.c"}, {"lm_head"}};
  const std::string text = with_quantization_config(source, modules);
  const Json groups = Json::parse(text, "config.json").at("quantization_config").at("config_groups");
  CHECK(groups.at("group_0").at("targets").at(0).as_string() == "Linear");
  CHECK(groups.at("group_0").at("input_activations").at("dynamic").as_bool());
  const Json named = groups.at("group_1");
  CHECK(named.at("targets").size() == 3);
  CHECK(named.at("input_activations").is_null());
  CHECK(named.at("format").as_string() == "pack-quantized");
  CHECK(groups.at("group_0").at("format").as_string() == "int-quantized");
  CHECK(Json::parse(text, "config.json").at("quantization_config").at("format").as_string() == "mixed-precision");
  CHECK(named.at("weights").dump() == groups.at("group_0").at("weights").dump());

  const std::vector<std::string> names{"model.a", "model.b", "visual.c", "lm_head"};
  const Checkpoint mixed = toy(parent, text, names);
  CHECK(mixed.scheme_of("model.a") == StoredScheme::w8a8_dynamic);
  CHECK(mixed.scheme_of("model.b") == StoredScheme::w8a16);
  CHECK(mixed.scheme_of("visual.c") == StoredScheme::w8a16);
  CHECK(mixed.scheme_of("lm_head") == StoredScheme::none);
  CHECK(mixed.unmatched_patterns(names).empty());

  const Checkpoint all = toy(parent, with_quantization_config(source, {StoredScheme::w8a16, {}, {"lm_head"}}), names);
  CHECK(all.scheme_of("model.a") == StoredScheme::w8a16);
  CHECK(all.scheme_of("lm_head") == StoredScheme::none);
  CHECK(all.config().at("quantization_config").at("config_groups").size() == 1);
  CHECK(all.config().at("quantization_config").at("format").as_string() == "pack-quantized");

  CHECK(error_of([&] {
          with_quantization_config(source, {StoredScheme::none, {}, {}});
        }) == "invalid_argument: quantization_config: the scheme of the rest is none; name W8A8 or W8A16");
  CHECK(error_of([&] {
          with_quantization_config(source, {StoredScheme::w8a16, {"a"}, {}});
        }) ==
        "invalid_argument: quantization_config: every linear is W8A16, a need not be named; leave the list empty");
}

}  // namespace
}  // namespace octavo
