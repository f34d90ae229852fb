#include "octavo/compare.hpp"

#include <cmath>

#include "catch.hpp"
#include "compare_support.hpp"
#include "octavo/model.hpp"
#include "octavo/quantize.hpp"

using namespace octavo;
using test::wrong;

namespace {

using Names = std::vector<std::string>;

/// The bundled model in int8 by round-to-nearest, made once.
const std::string& quantized_model() {
  static const test::Scratch scratch;
  static const std::string directory = [] {
    QuantizeOptions options;
    options.recipe = "rtn";
    quantize(test::kModel, scratch.path("w8a8"), options);
    return scratch.path("w8a8");
  }();
  return directory;
}

/// Damages a copy of the quantized model and compares it with the original.
CompareResult compare_damaged(const std::function<void(test::Editable&)>& damage, bool values = true) {
  const test::Scratch scratch;
  test::Editable copy(quantized_model());
  damage(copy);
  CompareOptions options;
  options.values = values;
  return compare(test::kModel, copy.save(scratch.path("damaged")), options);
}

const std::string kLayer1 = "model.layers.1.";
const std::string kLayer2 = "model.layers.2.";

/// The golden nested model with a kv head per query head, which answers the same: q and k then have one shape.
void without_groups(test::Editable& model) {
  const Json text = Json::parse(model.files.at("config.json"), "config.json").at("text_config");
  const std::int64_t heads = text.at("num_attention_heads").as_int();
  const std::int64_t kv_heads = text.at("num_key_value_heads").as_int();
  for (auto& [name, tensor] : model.tensors) {
    if (!test::contains(name, "k_proj") && !test::contains(name, "v_proj")) continue;
    const std::int64_t head_rows = tensor.dim(0) / kv_heads;
    const std::int64_t columns = tensor.rank() == 2 ? tensor.dim(1) : 1;
    const std::size_t head_bytes = static_cast<std::size_t>(head_rows * columns) * size_of(tensor.dtype());
    Tensor repeated = Tensor::empty(tensor.dtype(),
                                    tensor.rank() == 2 ? Shape{heads * head_rows, columns} : Shape{heads * head_rows});
    for (std::int64_t head = 0; head < heads; ++head) {
      std::memcpy(
          static_cast<char*>(repeated.mutable_raw()) + static_cast<std::size_t>(head) * head_bytes,
          static_cast<const char*>(tensor.raw()) + static_cast<std::size_t>(head * kv_heads / heads) * head_bytes,
          head_bytes);
    }
    tensor = repeated;
  }
  model.edit_file("config.json", "\"num_key_value_heads\": " + std::to_string(kv_heads),
                  "\"num_key_value_heads\": " + std::to_string(heads));
}

}  // namespace

TEST_CASE("compare finds nothing wrong with an intact pair, and says how near each linear is") {
  const CompareResult result = compare(test::kModel, quantized_model());
  CHECK(wrong(result).empty());
  CHECK(result.ok());
  const Checkpoint original = Checkpoint::open(test::kModel);
  const Checkpoint quantized = Checkpoint::open(quantized_model());
  CHECK(result.quantized_linears == 7 * original.config().at("num_hidden_layers").as_int());
  CHECK(result.original_bytes == original.total_bytes());
  std::int64_t fits = 0;
  for (const TensorComparison& tensor : result.tensors) {
    CAPTURE(tensor.name);
    CHECK(tensor.values_read == !tensor.original.dtype.empty());
    if (!tensor.has_fit) {
      CHECK(tensor.verdict == (tensor.original.dtype.empty() ? Verdict::expected : Verdict::same));
      continue;
    }
    ++fits;
    REQUIRE(tensor.verdict == Verdict::expected);
    // The statistics again, in the most direct way.
    const std::string module = tensor.name.substr(0, tensor.name.rfind('.'));
    const Tensor w = original.tensor(tensor.name).to(DType::f32);
    const Tensor q = quantized.tensor(tensor.name);
    const Tensor scales = quantized.tensor(module + ".weight_scale").to(DType::f32);
    double error = 0;
    double size = 0;
    double worst_scale = 0;
    for (std::int64_t n = 0; n < w.dim(0); ++n) {
      const double s = scales.values<float>()[static_cast<std::size_t>(n)];
      double wq = 0;
      double qq = 0;
      for (std::int64_t k = 0; k < w.dim(1); ++k) {
        const auto at = static_cast<std::size_t>(n * w.dim(1) + k);
        const double v = w.values<float>()[at];
        const double code = q.values<std::int8_t>()[at];
        error += (v - s * code) * (v - s * code);
        size += v * v;
        wq += v * code;
        qq += code * code;
      }
      worst_scale = std::max(worst_scale, std::abs(s / (wq / qq) - 1));
    }
    CHECK(tensor.fit.relative_error == Approx(std::sqrt(error / size)).epsilon(1e-6));
    CHECK(tensor.fit.scale_error_max == Approx(worst_scale).margin(1e-9));
    CHECK(tensor.fit.zero_columns == 0);
  }
  CHECK(fits == result.quantized_linears);
}

TEST_CASE("compare finds nothing wrong with what GPTQ makes by default, nor with clipping scales") {
  const test::Scratch scratch;
  QuantizeOptions options;
  options.calibration = test::kCalibration;
  options.max_samples = 3;
  quantize(test::kModel, scratch.path("gptq"), options);
  CHECK(wrong(compare(test::kModel, scratch.path("gptq"))).empty());
  options.recipe = scratch.write(
      "mse.json",
      R"({"rules": [{"match": "model\\.layers\\..*", "scheme": "w8a8", "method": "gptq", "observer": "mse"},
                    {"match": ".*", "scheme": "skip"}]})");
  quantize(test::kModel, scratch.path("mse"), options);
  CHECK(wrong(compare(test::kModel, scratch.path("mse"))).empty());
}

TEST_CASE("a flat and a nested checkpoint of one model are the same model") {
  const test::Scratch scratch;
  test::Editable nested(test::kModel);
  std::map<std::string, Tensor> renamed;
  for (const auto& [name, tensor] : nested.tensors) {
    const bool text = name.rfind("model.", 0) == 0;
    renamed[text ? "model.language_model." + name.substr(6) : "model." + name] = tensor;
  }
  nested.tensors = renamed;
  const Json flat = Json::parse(nested.files.at("config.json"), "config.json");
  JsonBuilder text = JsonBuilder::object();
  nested.edit_config([&](JsonBuilder& config) {
    for (const char* key :
         {"hidden_act", "hidden_size", "intermediate_size", "max_position_embeddings", "num_attention_heads",
          "num_hidden_layers", "num_key_value_heads", "rms_norm_eps", "use_sliding_window", "vocab_size", "rope_theta",
          "attention_dropout", "eos_token_id", "bos_token_id"}) {
      text.set(key, JsonBuilder(flat.at(key)));
      config.erase(key);
    }
    text.set("rope_parameters", JsonBuilder(flat.at("rope_scaling")));
    config.set("text_config", text).erase("rope_scaling").erase("torch_dtype").set("dtype", "bfloat16");
  });
  nested.save(scratch.path("nested"));
  for (const CompareResult& result :
       {compare(test::kModel, scratch.path("nested")), compare(scratch.path("nested"), test::kModel)}) {
    CHECK(wrong(result).empty());
    for (const TensorComparison& tensor : result.tensors) CHECK(tensor.verdict == Verdict::same);
    for (const ConfigComparison& field : result.config) {
      CAPTURE(field.key, field.original, field.quantized);
      CHECK(field.verdict == Verdict::same);
    }
  }
  QuantizeOptions rtn;
  rtn.recipe = "rtn";
  quantize(scratch.path("nested"), scratch.path("nested-w8a8"), rtn);
  const CompareResult across = compare(test::kModel, scratch.path("nested-w8a8"));
  CHECK(wrong(across).empty());
  CHECK(across.quantized_linears == 7 * flat.at("num_hidden_layers").as_int());
}

TEST_CASE("compare names what the headers show: swapped dimensions, missing layers, a dropped bias") {
  CompareResult result = compare_damaged([](test::Editable& model) {
    Tensor& weight = model.tensors.at(kLayer1 + "mlp.down_proj.weight");
    weight = test::transposed(weight);
  });
  CHECK(wrong(result).at(kLayer1 + "mlp.down_proj.weight") == "two dimensions are swapped");

  result = compare_damaged([](test::Editable& model) {
    std::erase_if(model.tensors, [](const auto& entry) { return entry.first.rfind(kLayer2, 0) == 0; });
  });
  CHECK(wrong(result) == std::map<std::string, std::string>{{"model.layers.2", "a whole layer is missing"}});

  result = compare_damaged([](test::Editable& model) { model.tensors.erase(kLayer1 + "self_attn.q_proj.bias"); });
  CHECK(wrong(result) == std::map<std::string, std::string>{{kLayer1 + "self_attn.q_proj.bias", "missing"}});

  result = compare_damaged([](test::Editable& model) {
    model.tensors["model.layers.99.mlp.up_proj.weight"] = model.tensors.at("model.norm.weight");
    model.tensors["model.layers.99.input_layernorm.weight"] = model.tensors.at("model.norm.weight");
  });
  CHECK(wrong(result) == std::map<std::string, std::string>{
                             {"model.layers.99", "a whole layer is there that the original does not have"}});

  result = compare_damaged(
      [](test::Editable& model) { model.tensors["model.other.weight"] = model.tensors.at("model.norm.weight"); });
  CHECK(wrong(result) == std::map<std::string, std::string>{{"model.other.weight", "the original has no such tensor"}});

  result = compare_damaged([](test::Editable& model) {
    Tensor& norm = model.tensors.at("model.norm.weight");
    norm = norm.slice(0, 0, norm.dim(0) - 1).clone();
  });
  CHECK(test::wheres(result) == Names{"model.norm.weight"});
}

TEST_CASE("compare holds what is stored against quantization_config") {
  const std::string module = kLayer1 + "mlp.up_proj";
  CompareResult result = compare_damaged([&](test::Editable& model) { model.tensors.erase(module + ".weight_scale"); });
  CHECK(wrong(result) ==
        std::map<std::string, std::string>{{module + ".weight", "int8 without weight_scale: its values mean nothing"}});

  result = compare_damaged([&](test::Editable& model) {
    model.tensors.at(module + ".weight") = Checkpoint::open(test::kModel).tensor(module + ".weight").clone();
  });
  CHECK(test::contains(wrong(result).at(module + ".weight"), "quantization_config says int8"));

  result = compare_damaged([&](test::Editable& model) {  // one scale for the whole matrix
    Tensor& scale = model.tensors.at(module + ".weight_scale");
    scale = scale.slice(0, 0, 1).clone();
  });
  CHECK(test::contains(wrong(result).at(module + ".weight_scale"), "do not fit their weight"));

  result = compare_damaged([&](test::Editable& model) {  // listed as ignored, yet int8
    model.edit_file("config.json", "\"ignore\": [", "\"ignore\": [\"" + module + "\",");
  });
  CHECK(test::contains(wrong(result).at(module + ".weight"), "quantization_config does not quantize it"));

  result = compare_damaged([](test::Editable& model) {
    model.tensors.at("model.norm.weight") = model.tensors.at("model.norm.weight").to(DType::f32);
    model.tensors.at("visual.merger.ln_q.weight") =
        model.tensors.at("visual.merger.ln_q.weight").to(DType::f32).to(DType::f16);
  });
  CHECK(test::wheres(result) == Names{"visual.merger.ln_q.weight"});
  CHECK(test::contains(test::found(result, Verdict::harmless).at("model.norm.weight"), "wider type"));
}

TEST_CASE("a tied model may carry a copy of its embedding, or not") {
  const auto copy_head = [](test::Editable& model) {
    model.tensors["lm_head.weight"] = model.tensors.at("model.embed_tokens.weight");
  };
  CompareResult result = compare_damaged(copy_head);
  CHECK(wrong(result).empty());
  CHECK(test::contains(test::found(result, Verdict::harmless).at("lm_head.weight"), "a copy of the embedding"));
  result = compare_damaged([&](test::Editable& model) {
    copy_head(model);
    model.edit_config([](JsonBuilder& config) { config.set("tie_word_embeddings", false); });
  });
  CHECK(test::wheres(result) == Names{"config.json: tie_word_embeddings"});
}

TEST_CASE("a q/k swap of the same shape is caught by the values and named") {
  const test::Scratch scratch;
  test::Editable plain(std::string(OCTAVO_SOURCE_DIR) + "/tests/golden/model/nested");
  without_groups(plain);
  const std::string original = plain.save(scratch.path("original"));
  QuantizeOptions rtn;
  rtn.recipe = "rtn";
  quantize(original, scratch.path("w8a8"), rtn);
  REQUIRE(wrong(compare(original, scratch.path("w8a8"))).empty());

  test::Editable swapped(scratch.path("w8a8"));
  const Checkpoint layout = Checkpoint::open(original);
  const std::string q = "model.layers.0.self_attn.q_proj";
  const std::string k = "model.layers.0.self_attn.k_proj";
  swapped.swap_modules(layout.stored_name(q), layout.stored_name(k));
  const CompareResult result = compare(original, swapped.save(scratch.path("swapped")));
  CHECK(test::wheres(result) == Names{k, k + ".bias", q, q + ".bias"});
  CHECK(test::contains(wrong(result).at(q), "holds the values of " + k));
  CHECK(test::contains(wrong(result).at(k), "holds the values of " + q));
  CHECK(wrong(result).at(q + ".bias") == "holds the values of " + k + ".bias");

  CompareOptions headers;
  headers.values = false;
  CHECK(compare(original, scratch.path("swapped"), headers).ok());  // no shape can show it
}

TEST_CASE("every linear and norm that sits in another layer is named") {
  for (const char* module : {"self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj",
                             "mlp.gate_proj", "mlp.up_proj", "mlp.down_proj"}) {
    CAPTURE(module);
    const std::string one = kLayer1 + module;
    const std::string two = kLayer2 + module;
    const CompareResult result = compare_damaged([&](test::Editable& model) { model.swap_modules(one, two); });
    CHECK(test::contains(wrong(result).at(one), "holds the values of " + two));
    CHECK(test::contains(wrong(result).at(two), "holds the values of " + one));
    for (const std::string& where : test::wheres(result))
      CHECK((test::contains(where, one) || test::contains(where, two)));
  }
  for (const char* norm : {"input_layernorm.weight", "post_attention_layernorm.weight"}) {
    const CompareResult result =
        compare_damaged([&](test::Editable& model) { model.swap(kLayer1 + norm, kLayer2 + norm); });
    CHECK(wrong(result) ==
          std::map<std::string, std::string>{{kLayer1 + norm, "holds the values of " + kLayer2 + norm},
                                             {kLayer2 + norm, "holds the values of " + kLayer1 + norm}});
  }
  const std::string one = "visual.blocks.0.attn.proj.weight";
  const std::string two = "visual.blocks.1.attn.proj.weight";
  const CompareResult result = compare_damaged([&](test::Editable& model) { model.swap(one, two); });
  CHECK(wrong(result) ==
        std::map<std::string, std::string>{{one, "holds the values of " + two}, {two, "holds the values of " + one}});
}

TEST_CASE("scales of another layer, and a single bad one, are caught and named") {
  const std::string one = kLayer1 + "self_attn.o_proj";
  const std::string two = kLayer2 + "self_attn.o_proj";
  CompareResult result =
      compare_damaged([&](test::Editable& model) { model.swap(one + ".weight_scale", two + ".weight_scale"); });
  CHECK(test::wheres(result) == Names{one, two});
  CHECK(test::contains(wrong(result).at(one), "weight_scale does not fit the int8 weight"));
  CHECK(test::contains(wrong(result).at(one), "these are the scales of " + two));
  CHECK(test::contains(wrong(result).at(two), "these are the scales of " + one));

  result = compare_damaged([&](test::Editable& model) {
    BFloat16& scale = model.tensors.at(one + ".weight_scale").mutable_values<BFloat16>()[7];
    scale = to_bfloat16(to_float(scale) * 1.5F);
  });
  CHECK(test::wheres(result) == Names{one});
  CHECK(test::contains(wrong(result).at(one), "by 50 % in row 7"));

  result = compare_damaged([&](test::Editable& model) {
    model.tensors.at(one + ".weight_scale").mutable_values<BFloat16>()[0] = to_bfloat16(-1.0F);
  });
  CHECK(test::wheres(result) == Names{one});
}

TEST_CASE("a transposed square matrix is called by its name") {
  const std::string module = kLayer1 + "self_attn.o_proj";
  CompareResult result = compare_damaged([&](test::Editable& model) {
    Tensor& weight = model.tensors.at(module + ".weight");
    REQUIRE(weight.dim(0) == weight.dim(1));
    weight = test::transposed(weight);
  });
  CHECK(wrong(result) == std::map<std::string, std::string>{{module, "the int8 weight is the original's, transposed"}});
  const std::string vision = "visual.blocks.0.attn.proj.weight";
  result = compare_damaged([&](test::Editable& model) {
    Tensor& weight = model.tensors.at(vision);
    weight = test::transposed(weight);
  });
  CHECK(wrong(result) == std::map<std::string, std::string>{{vision, "is transposed"}});
}

TEST_CASE("a norm that moved must have moved into its linears") {
  // Powers of two, so that folding is exact in bf16.
  const std::string norm = kLayer1 + "input_layernorm.weight";
  const Names linears{kLayer1 + "self_attn.q_proj", kLayer1 + "self_attn.k_proj", kLayer1 + "self_attn.v_proj"};
  const auto factor = [](std::int64_t k) { return k % 3 == 0 ? 4.0F : k % 3 == 1 ? 0.5F : 1.0F; };
  const auto divide_norm = [&](test::Editable& model) {
    const auto values = model.tensors.at(norm).mutable_values<BFloat16>();
    for (std::size_t k = 0; k < values.size(); ++k)
      values[k] = to_bfloat16(to_float(values[k]) / factor(static_cast<std::int64_t>(k)));
  };
  const auto multiply_linears = [&](test::Editable& model) {
    for (const std::string& linear : linears) {
      Tensor& weight = model.tensors.at(linear + ".weight");
      const auto values = weight.mutable_values<BFloat16>();
      for (std::size_t i = 0; i < values.size(); ++i)
        values[i] = to_bfloat16(to_float(values[i]) * factor(static_cast<std::int64_t>(i) % weight.dim(1)));
    }
  };
  const auto compare_edited = [](const std::function<void(test::Editable&)>& edit, const char* recipe) {
    const test::Scratch scratch;
    test::Editable model(test::kModel);
    edit(model);
    model.save(scratch.path("edited"));
    if (recipe == nullptr) return compare(test::kModel, scratch.path("edited"));
    QuantizeOptions options;
    options.recipe = recipe;
    quantize(scratch.path("edited"), scratch.path("w8a8"), options);
    return compare(test::kModel, scratch.path("w8a8"));
  };

  for (const char* recipe : {static_cast<const char*>(nullptr), "rtn"}) {
    CAPTURE(recipe == nullptr ? "float" : recipe);
    CompareResult result = compare_edited([&](test::Editable& m) { divide_norm(m), multiply_linears(m); }, recipe);
    CHECK(wrong(result).empty());
    CHECK(test::contains(test::found(result, Verdict::harmless).at(norm), "moved into the 3 linears"));

    result = compare_edited(divide_norm, recipe);
    CHECK(test::wheres(result) == Names{norm});
    CHECK(test::contains(wrong(result).at(norm), "not folded into"));
    for (const std::string& linear : linears) CHECK(test::contains(wrong(result).at(norm), linear));
  }
  const CompareResult result = compare_edited(multiply_linears, "rtn");
  CHECK(wrong(result).size() == linears.size());
  for (const std::string& linear : linears)
    CHECK(test::contains(wrong(result).at(linear), norm + " does not make up for it"));
}

TEST_CASE("one changed value of a tensor that is not quantized is wrong") {
  const std::string name = "visual.patch_embed.proj.weight";
  const CompareResult result = compare_damaged([&](test::Editable& model) {
    BFloat16& value = model.tensors.at(name).mutable_values<BFloat16>()[1234];
    value = to_bfloat16(to_float(value) + 0.5F);
  });
  CHECK(test::wheres(result) == Names{name});
  for (const TensorComparison& tensor : result.tensors) {
    if (tensor.name == name) CHECK(tensor.max_abs_difference == Approx(0.5).epsilon(0.01));
  }
  const CompareResult unread = compare_damaged(
      [&](test::Editable& model) { model.tensors.at(name).mutable_values<BFloat16>()[1234] = to_bfloat16(9); }, false);
  CHECK(unread.ok());
  CHECK_FALSE(unread.values_read);
}

TEST_CASE("columns that GPTQ emptied are told, more than half of them are wrong") {
  const std::string module = kLayer1 + "mlp.down_proj";
  const auto empty = [&](std::int64_t count) {
    return [&module, count](test::Editable& model) {
      Tensor& weight = model.tensors.at(module + ".weight");
      for (std::int64_t n = 0; n < weight.dim(0); ++n)
        for (std::int64_t k = 0; k < count; ++k)
          weight.mutable_values<std::int8_t>()[static_cast<std::size_t>(n * weight.dim(1) + k)] = 0;
    };
  };
  CompareResult result = compare_damaged(empty(5));
  CHECK(wrong(result).empty());
  CHECK(test::contains(test::found(result, Verdict::expected).at(module), "; 5 of "));
  for (const TensorComparison& tensor : result.tensors) {
    if (tensor.has_fit) CHECK(tensor.fit.zero_columns == (tensor.name == module + ".weight" ? 5 : 0));
  }
  const std::int64_t columns = Checkpoint::open(test::kModel).tensor(module + ".weight").dim(1);
  result = compare_damaged(empty(columns - 10));
  CHECK(test::wheres(result) == Names{module});
}

TEST_CASE("weights of another model do not resemble the original") {
  const std::string module = kLayer1 + "mlp.gate_proj";
  const CompareResult result = compare_damaged([&](test::Editable& model) {
    std::uint32_t state = 1;
    for (std::int8_t& code : model.tensors.at(module + ".weight").mutable_values<std::int8_t>()) {
      state = state * 1664525U + 1013904223U;
      code = static_cast<std::int8_t>(state >> 24);
    }
  });
  CHECK(test::wheres(result) == Names{module});
  CHECK(test::contains(wrong(result).at(module), "does not resemble its original"));
}
