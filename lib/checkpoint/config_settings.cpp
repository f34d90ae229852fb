// What is done with each key of config.json. Source of the keys: configuration_utils.py (PretrainedConfig) and
// models/qwen2_5_vl/configuration_qwen2_5_vl.py of transformers 4.49 to 5.17, and the published files.
#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "octavo/config.hpp"
#include "text_fields.hpp"

namespace octavo {
namespace {

using checkpoint_detail::TextFields;
using enum SettingEffect;

constexpr std::array kTop{
    Setting{"architectures", named, R"([["Qwen2_5_VLForConditionalGeneration"], null])",
            R"(["Qwen2_5_VLForTokenClassification"])",
            "The class that was saved; another one has another head, Octavo computes the language model's logits."},
    Setting{"model_type", required, R"(["qwen2_5_vl"])", R"("qwen2_vl")", "Chooses the architecture."},
    Setting{"text_config", honoured, "", "{}", "The text model; where it is an object, it alone counts."},
    Setting{"vision_config", honoured, "", "{}", "The vision tower."},
    Setting{"quantization_config", honoured, "", "{}", "How the linears are stored; it has a table of its own."},
    Setting{"compression_config", required, "[null]", "{}",
            "An older name of quantization_config, which transformers no longer reads."},
    Setting{"image_token_id", honoured, "", "3", "The pad that a picture's rows replace."},
    Setting{"video_token_id", honoured, "", "3", "The pad of videos, which a prompt must not hold."},
    Setting{"vision_start_token_id", honoured, "", "100000000", "Opens a picture: positions are counted from it."},
    Setting{"vision_end_token_id", honoured, "", "100000000", "Closes a picture."},
    Setting{"tie_word_embeddings", honoured, "", "false", "Whether the embedding serves as lm_head, too."},
    Setting{"vision_token_id", no_matter, "", "3", "Nothing reads it."},
    Setting{"auto_map", named, "[null]", R"({"AutoModel": "modeling.Other"})",
            "Code beside the model, which transformers runs with trust_remote_code; Octavo runs its own."},
};

constexpr std::array kText{
    Setting{"vocab_size", honoured, "", "430", "Rows of the embedding."},
    Setting{"hidden_size", honoured, "", "64", "Width of the text model."},
    Setting{"intermediate_size", honoured, "", "64", "Width inside the MLPs."},
    Setting{"num_hidden_layers", honoured, "", "3", "Decoder layers."},
    Setting{"num_attention_heads", honoured, "", "3", "Query heads."},
    Setting{"num_key_value_heads", honoured, "", "6", "Key and value heads; null means as many as query heads."},
    Setting{"head_dim", honoured, "", "64", "Width of a head; hidden_size / num_attention_heads without it."},
    Setting{"hidden_act", required, R"(["silu", "swish", null])", R"("gelu")", "The function between an MLP's halves."},
    Setting{"max_position_embeddings", honoured, "", "0", "The longest sequence that is accepted."},
    Setting{"rms_norm_eps", honoured, "", "0.5", "Added below the norms' roots."},
    Setting{"rope_theta", honoured, "", "7.0", "Base of the rotation's frequencies."},
    Setting{"rope_scaling.type", required, R"(["mrope", "default", null])", R"("yarn")",
            "How the frequencies are scaled; both names mean not at all."},
    Setting{"rope_scaling.rope_type", required, R"(["mrope", "default", null])", R"("linear")",
            "How the frequencies are scaled; both names mean not at all."},
    Setting{"rope_scaling.mrope_section", honoured, "", "[8, 6, 2]", "Channel pairs per axis of M-RoPE."},
    Setting{"rope_scaling.rope_theta", honoured, "", "7.0", "As rope_theta."},
    Setting{"rope_scaling.partial_rotary_factor", required, "[1, null]", "0.5", "Rotates a part of each head alone."},
    Setting{"rope_scaling.mrope_interleaved", required, "[false, null]", "true",
            "Interleaves the axes of M-RoPE, as Qwen3-VL does."},
    Setting{"rope_parameters.type", required, R"(["mrope", "default", null])", R"("yarn")",
            "How the frequencies are scaled; both names mean not at all."},
    Setting{"rope_parameters.rope_type", required, R"(["mrope", "default", null])", R"("dynamic")",
            "How the frequencies are scaled; both names mean not at all."},
    Setting{"rope_parameters.mrope_section", honoured, "", "[8, 6, 2]", "Channel pairs per axis of M-RoPE."},
    Setting{"rope_parameters.rope_theta", honoured, "", "7.0", "As rope_theta."},
    Setting{"rope_parameters.partial_rotary_factor", required, "[1, null]", "0.5",
            "Rotates a part of each head alone."},
    Setting{"rope_parameters.mrope_interleaved", required, "[false, null]", "true",
            "Interleaves the axes of M-RoPE, as Qwen3-VL does."},
    Setting{"partial_rotary_factor", required, "[1, null]", "0.5", "Rotates a part of each head alone."},
    Setting{"use_sliding_window", honoured, "", "true",
            "Lets layers from max_window_layers on see a window alone: refused, unless no layer is that far."},
    Setting{"sliding_window", no_matter, "", "8", "The window's length; counts with use_sliding_window alone."},
    Setting{"max_window_layers", no_matter, "", "3", "Counts with use_sliding_window alone."},
    Setting{"layer_types", honoured, "",
            R"(["full_attention", "full_attention", "full_attention", "full_attention", "sliding_attention"])",
            "Each layer's attention; all must be \"full_attention\"."},
    Setting{"attention_bias", named, "[true, null]", "false",
            "transformers does not read it for this model: q, k and v have a bias, o has none."},
    Setting{"qkv_bias", named, "[true, null]", "false",
            "transformers does not read it for this model: q, k and v have a bias, o has none."},
    Setting{"mlp_bias", named, "[false, null]", "true",
            "transformers does not read it for this model: the text MLPs have no bias."},
    Setting{"attention_dropout", no_matter, "", "0.5", "Training alone."},
    Setting{"initializer_range", no_matter, "", "0.5", "Training alone."},
    Setting{"use_cache", no_matter, "", "false", "Caching is a property of a call; `check` mentions false."},
};

/// Parameters of scalings that are refused by their type; without one they are not read (modeling_rope_utils.py).
constexpr std::array kOfScaledRopes{"factor",           "original_max_position_embeddings",
                                    "attention_factor", "beta_fast",
                                    "beta_slow",        "short_factor",
                                    "long_factor",      "low_freq_factor",
                                    "high_freq_factor", "mscale",
                                    "mscale_all_dim",   "truncate"};

constexpr std::array kVision{
    Setting{"depth", honoured, "", "3", "Blocks of the tower."},
    Setting{"hidden_size", honoured, "", "64", "Width of the tower."},
    Setting{"intermediate_size", honoured, "", "64", "Width inside the tower's MLPs."},
    Setting{"num_heads", honoured, "", "2", "Heads of the tower."},
    Setting{"num_attention_heads", honoured, "", "2", "transformers 5 takes it for num_heads: both must agree."},
    Setting{"hidden_act", required, R"(["silu", "swish", null])", R"("quick_gelu")",
            "The function between an MLP's halves."},
    Setting{"in_channels", honoured, "", "1", "Colours of a picture."},
    Setting{"in_chans", honoured, "", "1", "Read where in_channels is missing; no release of transformers reads it."},
    Setting{"patch_size", honoured, "", "28", "Pixels of a patch's side."},
    Setting{"temporal_patch_size", honoured, "", "1", "Frames of a patch."},
    Setting{"spatial_merge_size", honoured, "", "4", "Patches of a merged group's side."},
    Setting{"window_size", honoured, "", "112", "Pixels of an attention window's side."},
    Setting{"fullatt_block_indexes", honoured, "", "[0]", "Blocks that attend to the whole picture."},
    Setting{"out_hidden_size", honoured, "", "64", "Width that the merger writes; the text model's."},
    Setting{"tokens_per_second", honoured, "", "0", "Temporal positions of videos; pictures have one frame."},
    Setting{"rope_parameters.rope_theta", required, "[10000, null]", "100.0", "Base of the tower's rotation."},
    Setting{"rope_parameters.rope_type", required, R"(["axial", "default", null])", R"("linear")",
            "The tower rotates by row and column, unscaled."},
    Setting{"rope_theta", named, "[10000, null]", "100.0",
            "transformers reads rope_parameters.rope_theta alone; the tower's base is 10000."},
    Setting{"spatial_patch_size", no_matter, "", "28", "Nothing reads it; `check` mentions one unlike patch_size."},
    Setting{"initializer_range", no_matter, "", "0.5", "Training alone."},
};

/// Keys that any configuration of transformers may carry and this model's code does not read.
constexpr std::array kCommon{"torch_dtype",
                             "dtype",
                             "transformers_version",
                             "_name_or_path",
                             "_commit_hash",
                             "_attn_implementation",
                             "_attn_implementation_autoset",
                             "_attn_implementation_internal",
                             "attn_implementation",
                             "_experts_implementation",
                             "experts_implementation",
                             "return_dict",
                             "use_return_dict",
                             "output_hidden_states",
                             "output_attentions",
                             "torchscript",
                             "use_bfloat16",
                             "tf_legacy_loss",
                             "chunk_size_feed_forward",
                             "is_encoder_decoder",
                             "is_decoder",
                             "cross_attention_hidden_size",
                             "add_cross_attention",
                             "tie_encoder_decoder",
                             "finetuning_task",
                             "id2label",
                             "label2id",
                             "num_labels",
                             "problem_type",
                             "tokenizer_class",
                             "processor_class",
                             "prefix",
                             "bos_token_id",
                             "pad_token_id",
                             "eos_token_id",
                             "sep_token_id",
                             "decoder_start_token_id",
                             "task_specific_params",
                             "gradient_checkpointing",
                             "keys_to_ignore_at_inference",
                             "base_config_key",
                             "unsloth_version",
                             "unsloth_fixed",
                             "pretraining_tp",
                             "ignore_index"};
constexpr std::string_view kNotRead = "This model's code does not read it.";
constexpr std::string_view kNotReadUnscaled = "Read by other types of scaling alone, which are refused.";

template <std::size_t N>
std::vector<Setting> with_common(const std::array<Setting, N>& own) {
  std::vector<Setting> rows(own.begin(), own.end());
  for (const char* key : kCommon) {
    const bool is_there = std::any_of(own.begin(), own.end(), [&](const Setting& row) { return row.key == key; });
    if (!is_there) rows.push_back({key, no_matter, "", "\"other\"", kNotRead});
  }
  return rows;
}

const std::vector<Setting>& top_rows() {
  static const std::vector<Setting> rows = [] {
    std::vector<Setting> all = with_common(kTop);
    for (Setting& row : all) {
      if (row.key == "eos_token_id" || row.key == "bos_token_id" || row.key == "pad_token_id")
        row.sentence = "Counts for generation where there is no generation_config.json.";
    }
    return all;
  }();
  return rows;
}

const std::vector<Setting>& text_rows() {
  static const std::vector<std::string> ropes = [] {
    std::vector<std::string> keys;
    for (const char* object : {"rope_scaling.", "rope_parameters."})
      for (const char* key : kOfScaledRopes) keys.push_back(std::string(object) + key);
    return keys;
  }();
  static const std::vector<Setting> rows = [] {
    std::vector<Setting> all = with_common(kText);
    for (const std::string& key : ropes) all.push_back({key, no_matter, "", "4.0", kNotReadUnscaled});
    all.push_back({"model_type", named, R"(["qwen2_5_vl_text", "qwen2_5_vl", null])", R"("qwen3")",
                   "The text model's class; this one is Qwen2.5-VL's."});
    all.push_back({"architectures", no_matter, "", R"(["Other"])", kNotRead});
    all.push_back({"tie_word_embeddings", honoured, "", "false", "Ties, as the top level's does."});
    for (const char* key : {"image_token_id", "video_token_id", "vision_start_token_id", "vision_end_token_id"})
      all.push_back({key, honoured, "", "3", "Must equal the top level's."});
    all.push_back({"vision_token_id", no_matter, "", "3", "Nothing reads it."});
    return all;
  }();
  return rows;
}

const std::vector<Setting>& vision_rows() {
  static const std::vector<Setting> rows = [] {
    std::vector<Setting> all = with_common(kVision);
    all.push_back({"model_type", named, R"(["qwen2_5_vl", "qwen2_5_vl_vision", null])", R"("clip_vision_model")",
                   "The tower's class; this one is Qwen2.5-VL's."});
    all.push_back({"architectures", no_matter, "", R"(["Other"])", kNotRead});
    return all;
  }();
  return rows;
}

/// Without text_config the top level holds the text model's keys.
const std::vector<Setting>& flat_rows() {
  static const std::vector<Setting> rows = [] {
    std::vector<Setting> all = top_rows();
    const SettingsTable top{"", top_rows()};
    for (const Setting& row : text_rows())
      if (top.find(row.key) == nullptr) all.push_back(row);
    return all;
  }();
  return rows;
}

/// Of generation, for releases that kept it here; GenerationConfig reads what counts, and refuses the rest.
constexpr std::array kOfGeneration{"do_sample", "temperature", "top_k", "top_p", "repetition_penalty"};

}  // namespace

std::span<const SettingsTable> config_settings() {
  static const std::array<SettingsTable, 3> tables{SettingsTable{"config.json", top_rows()},
                                                   SettingsTable{"config.json: text_config", text_rows()},
                                                   SettingsTable{"config.json: vision_config", vision_rows()}};
  return tables;
}

std::vector<SettingFinding> config_findings(const Json& config) {
  std::vector<SettingFinding> findings;
  if (!config.is_object()) return findings;
  const auto add = [&](const Json& object, const SettingsTable& table) {
    for (SettingFinding& finding : examine_settings(object, table)) findings.push_back(std::move(finding));
  };
  const std::optional<Json> text = config.find("text_config");
  const SettingsTable flat{"config.json", flat_rows()};
  if (text && text->is_object()) {
    // What the top level still says of the text model is not read.
    for (SettingFinding& finding : examine_settings(config, flat)) {
      const std::string key = finding.where.substr(finding.where.rfind(": ") + 2);
      if (SettingsTable{"", text_rows()}.find(key) == nullptr || SettingsTable{"", top_rows()}.find(key) != nullptr)
        findings.push_back(std::move(finding));
    }
    add(*text, {"config.json: text_config", text_rows()});
  } else {
    add(config, flat);
  }
  if (const std::optional<Json> vision = config.find("vision_config"))
    add(*vision, {"config.json: vision_config", vision_rows()});
  std::erase_if(findings, [](const SettingFinding& finding) {
    return finding.kind == SettingFinding::Kind::unknown &&
           std::any_of(kOfGeneration.begin(), kOfGeneration.end(),
                       [&](const char* key) { return finding.where.ends_with(std::string(": ") + key); });
  });
  return findings;
}

}  // namespace octavo
