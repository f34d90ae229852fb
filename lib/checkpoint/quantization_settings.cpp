// What is done with each key of quantization_config. Source of the keys: QuantizationConfig, QuantizationScheme and
// QuantizationArgs of compressed-tensors 0.9 to 0.20, CompressedTensorsConfig of transformers 4.49 to 5.17.
#include <array>

#include "octavo/checkpoint.hpp"

namespace octavo {
namespace {

using enum SettingEffect;

constexpr std::array kConfig{
    Setting{"quant_method", required, R"(["compressed-tensors"])", R"("awq")", "The library whose form this is."},
    Setting{"format", required, R"(["int-quantized", "pack-quantized", "mixed-precision"])", R"("naive-quantized")",
            "How weights are stored; \"mixed-precision\" leaves it to each group."},
    Setting{"quantization_status", required, R"(["compressed", null])", R"("frozen")",
            "Whether the weights are stored as integers; in every other state they are float."},
    Setting{"config_groups", honoured, "", R"({"g": {"targets": ["lm_head"]}})", "Which linears are stored how."},
    Setting{"ignore", honoured, "", R"(["re:.*"])", "Linears that stay float."},
    Setting{"kv_cache_scheme", required, "[null]", R"({"num_bits": 8})", "Quantizes keys and values in the cache."},
    Setting{"sparsity_config", required, R"([null, {}])", R"({"format": "sparse-24-bitmask"})",
            "Stores weights without their zeros, unless its format is \"dense\"."},
    Setting{"transform_config", required, R"([null, {}, {"config_groups": {}}])",
            R"({"config_groups": {"v": {"type": "hadamard"}}})",
            "Rotates activations around the linears, whose weights were rotated to match."},
    Setting{"moe_sparsity_config", required, "[null]", R"({"method": "prune"})", "Leaves experts out."},
    Setting{"global_compression_ratio", no_matter, "", "2.0", "How much smaller the weights became."},
    Setting{"version", no_matter, "", R"("0.20.0")", "Of compressed-tensors."},
    Setting{"run_compressed", no_matter, "", "false", "Whether transformers keeps the integers in memory."},
    Setting{"dequantize", no_matter, "", "true", "Whether transformers keeps the integers in memory."},
    Setting{"use_optimized_inference", no_matter, "", "true", "Kernels of transformers for 8-bit floats."},
};

constexpr std::array kGroup{
    Setting{"targets", honoured, "", R"(["lm_head"])", "The modules of the group: names, classes, re:expressions."},
    Setting{"weights", honoured, "", R"({"num_bits": 4})", "How their weights are stored; it has a table of its own."},
    Setting{"input_activations", honoured, "", R"({"num_bits": 4})",
            "How their inputs are quantized, null for W8A16; it has a table of its own."},
    Setting{"output_activations", required, "[null]", R"({"num_bits": 8})", "Quantizes what the linears give."},
    Setting{"format", required, R"(["int-quantized", "pack-quantized", null])", R"("marlin-24")",
            "How the group's weights are stored: plain, or four to a 32-bit integer."},
};

constexpr std::array kWeights{
    Setting{"num_bits", required, "[8]", "4", "Bits of a weight."},
    Setting{"type", required, R"(["int"])", R"("float")", "Integers or floats."},
    Setting{"symmetric", required, "[true]", "false", "False adds zero points."},
    Setting{"strategy", required, R"(["channel"])", R"("group")", "Which weights share a scale: a row."},
    Setting{"group_size", required, "[null, -1]", "128", "Weights that share a scale, where it is less than a row."},
    Setting{"block_structure", required, "[null]", "[128, 128]", "Tiles that share a scale."},
    Setting{"dynamic", required, "[false, null]", "true", "Whether scales are computed at run time."},
    Setting{"actorder", required, R"([null, false, "weight", "static"])", R"("group")",
            "\"group\" stores columns in another order; the others concern calibration alone."},
    Setting{"scale_dtype", no_matter, "", R"("torch.float32")", "The scales are stored: their own type counts."},
    Setting{"zp_dtype", no_matter, "", R"("torch.int8")", "Of zero points, which there are none of."},
    Setting{"observer", no_matter, "", R"("mse")", "How scales were found."},
    Setting{"observer_kwargs", no_matter, "", R"({"norm": 2.4})", "How scales were found."},
};

constexpr std::array kActivations{
    Setting{"num_bits", required, "[8]", "4", "Bits of an activation."},
    Setting{"type", required, R"(["int"])", R"("float")", "Integers or floats."},
    Setting{"symmetric", required, "[true]", "false", "False adds zero points."},
    Setting{"strategy", required, R"(["token"])", R"("tensor")", "Which activations share a scale: a token's."},
    Setting{"group_size", required, "[null]", "128",
            "Activations that share a scale, where it is less than a token's."},
    Setting{"block_structure", required, "[null]", "[128, 128]", "Tiles that share a scale."},
    Setting{"dynamic", required, "[true]", "false", "Whether scales are computed at run time; else they are stored."},
    Setting{"actorder", required, "[null, false]", R"("group")", "Activations have none."},
    Setting{"scale_dtype", named, "[null]", R"("torch.bfloat16")",
            "Rounds the scales; Octavo's are float32, as vLLM's."},
    Setting{"zp_dtype", no_matter, "", R"("torch.int8")", "Of zero points, which there are none of."},
    Setting{"observer", no_matter, "", R"("minmax")", "Of dynamic scales there is one: the largest magnitude."},
    Setting{"observer_kwargs", no_matter, "", R"({"averaging_constant": 0.1})", "As observer."},
};

void add_noteworthy(const Json& object, const SettingsTable& table, std::vector<SettingFinding>& notes) {
  for (SettingFinding& finding : examine_settings(object, table))
    if (finding.kind != SettingFinding::Kind::refused) notes.push_back(std::move(finding));
}

std::optional<Json> object_in(const Json& object, std::string_view key) {
  std::optional<Json> value = object.find(key);
  return value && value->is_object() ? value : std::nullopt;
}

}  // namespace

std::span<const SettingsTable, 4> quantization_settings() noexcept {
  static constexpr std::array<SettingsTable, 4> kTables{{
      {"config.json: quantization_config", kConfig},
      {"config.json: quantization_config.config_groups.*", kGroup},
      {"config.json: quantization_config.config_groups.*.weights", kWeights},
      {"config.json: quantization_config.config_groups.*.input_activations", kActivations},
  }};
  return kTables;
}

std::vector<SettingFinding> quantization_notes(const Json& config) {
  std::vector<SettingFinding> notes;
  const auto quantization = config.is_object() ? object_in(config, "quantization_config") : std::nullopt;
  if (!quantization || quantization->get_string("quant_method", "") != "compressed-tensors") return notes;
  const auto tables = quantization_settings();
  add_noteworthy(*quantization, tables[0], notes);
  const auto groups = object_in(*quantization, "config_groups");
  if (!groups) return notes;
  groups->for_each_member([&](std::string_view, const Json& group) {
    if (!group.is_object()) return;
    add_noteworthy(group, tables[1], notes);
    if (const auto weights = object_in(group, "weights")) add_noteworthy(*weights, tables[2], notes);
    if (const auto inputs = object_in(group, "input_activations")) add_noteworthy(*inputs, tables[3], notes);
  });
  return notes;
}

}  // namespace octavo
