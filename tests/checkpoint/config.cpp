#include "octavo/config.hpp"

#include <algorithm>

#include "catch.hpp"
#include "helpers.hpp"

namespace octavo {
namespace {

using test::error_of;
using test::TempDir;

const std::string kVision = R"("vision_config": {"depth": 32, "hidden_act": "silu", "hidden_size": 1280,
  "intermediate_size": 3420, "num_heads": 16, "in_chans": 3, "out_hidden_size": 2048, "patch_size": 14,
  "spatial_merge_size": 2, "spatial_patch_size": 14, "window_size": 112, "fullatt_block_indexes": [7, 15, 23, 31],
  "tokens_per_second": 2, "temporal_patch_size": 2})";
const std::string kTop = R"("architectures": ["Qwen2_5_VLForConditionalGeneration"], "model_type": "qwen2_5_vl",
  "image_token_id": 151655, "video_token_id": 151656, "vision_start_token_id": 151652, "vision_end_token_id": 151653)";
const std::string kText = R"("hidden_size": 2048, "num_hidden_layers": 36, "num_attention_heads": 16,
  "num_key_value_heads": 2, "intermediate_size": 11008, "hidden_act": "silu", "vocab_size": 151936,
  "rms_norm_eps": 1e-06, "max_position_embeddings": 128000, "use_sliding_window": false, "sliding_window": 32768,
  "max_window_layers": 70)";
const std::string kOldRope =
    R"("rope_theta": 1000000.0, "rope_scaling": {"type": "mrope", "mrope_section": [16, 24, 24]})";
const std::string kNewRope =
    R"("rope_parameters": {"rope_type": "default", "rope_theta": 1000000.0, "mrope_section": [16, 24, 24]})";

/// The 3B as published: everything at the top.
std::string flat() {
  return "{" + kTop + "," + kText + "," + kOldRope + R"(,"tie_word_embeddings": true, "torch_dtype": "bfloat16",
    "use_cache": true,)" +
         kVision + "}";
}
/// The 3B as a 4.5x saver writes it: text fields in text_config, and left at the top as well.
std::string both() {
  return "{" + kTop + "," + kText + "," + kOldRope + R"(,"tie_word_embeddings": true,"torch_dtype": "bfloat16",
    "text_config": {"model_type": "qwen2_5_vl_text",)" +
         kText + "," + kOldRope + R"(, "use_cache": false, "tie_word_embeddings": false},)" + kVision + "}";
}
/// The 3B as a 5.x saver writes it.
std::string nested() {
  return "{" + kTop + R"(,"dtype": "bfloat16", "text_config": {"model_type": "qwen2_5_vl_text",)" + kText + "," +
         kNewRope + R"(,"layer_types": ["full_attention", "full_attention"], "tie_word_embeddings": true},)" + kVision +
         "}";
}

Qwen25VlConfig parsed(const std::string& text) { return Qwen25VlConfig::parse(Json::parse(text, "config.json")); }
std::string complaint(const std::string& text) {
  return error_of([&] { parsed(text); });
}
std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const std::size_t at = text.find(from);
  REQUIRE(at != std::string::npos);
  return text.replace(at, from.size(), to);
}

TEST_CASE("The published 3B reads alike in all three layouts") {
  const Qwen25VlConfig config = parsed(GENERATE(as<std::string>(), flat(), both(), nested()));
  CHECK(config.model_type == "qwen2_5_vl");
  CHECK(config.text.hidden_size == 2048);
  CHECK(config.text.num_hidden_layers == 36);
  CHECK(config.text.num_attention_heads == 16);
  CHECK(config.text.num_key_value_heads == 2);
  CHECK(config.text.head_dim == 128);
  CHECK(config.text.intermediate_size == 11008);
  CHECK(config.text.hidden_act == "silu");
  CHECK(config.text.vocab_size == 151936);
  CHECK(config.text.rms_norm_eps == 1e-6);
  CHECK(config.text.rope_theta == 1e6);
  CHECK(config.text.mrope_section == std::array<std::int64_t, 3>{16, 24, 24});
  CHECK(config.text.max_position_embeddings == 128000);
  CHECK(config.vision.depth == 32);
  CHECK(config.vision.hidden_size == 1280);
  CHECK(config.vision.num_heads == 16);
  CHECK(config.vision.head_dim() == 80);
  CHECK(config.vision.intermediate_size == 3420);
  CHECK(config.vision.in_channels == 3);
  CHECK(config.vision.patch_size == 14);
  CHECK(config.vision.temporal_patch_size == 2);
  CHECK(config.vision.spatial_merge_size == 2);
  CHECK(config.vision.window_size == 112);
  CHECK(config.vision.fullatt_block_indexes == std::vector<std::int64_t>{7, 15, 23, 31});
  CHECK(config.vision.is_full_attention(15));
  CHECK_FALSE(config.vision.is_full_attention(16));
  CHECK(config.vision.out_hidden_size == 2048);
  CHECK(config.vision.tokens_per_second == 2.0);
  CHECK(config.vision.patch_elements() == 1176);
  CHECK(config.vision.merged_size() == 5120);
  CHECK(config.image_token_id == 151655);
  CHECK(config.video_token_id == 151656);
  CHECK(config.vision_start_token_id == 151652);
  CHECK(config.vision_end_token_id == 151653);
  CHECK(config.tie_word_embeddings == true);
  CHECK(config.dtype == DType::bf16);
}

TEST_CASE("use_cache is only reported, and what no level states stays open") {
  CHECK(parsed(flat()).use_cache_stated == true);
  CHECK(parsed(both()).use_cache_stated == false);
  CHECK(parsed(nested()).use_cache_stated == std::nullopt);
  const std::string open =
      replaced(replaced(flat(), R"("tie_word_embeddings": true,)", ""), R"("bfloat16")", R"("auto")");
  CHECK(parsed(open).tie_word_embeddings == std::nullopt);
  CHECK(parsed(open).dtype == std::nullopt);
}

TEST_CASE("A stated head_dim need not be hidden_size / heads, rope_theta has its default") {
  const std::string wide = replaced(replaced(flat(), "[16, 24, 24]", "[32, 48, 48]"), R"("hidden_size": 2048)",
                                    R"("head_dim": 256, "hidden_size": 2048)");
  CHECK(parsed(wide).text.head_dim == 256);
  CHECK(parsed(replaced(flat(), R"("rope_theta": 1000000.0,)", "")).text.rope_theta == 1e6);
  CHECK(parsed(replaced(flat(), R"("in_chans": 3)", R"("in_channels": 4)")).vision.in_channels == 4);
  CHECK(parsed(replaced(flat(), R"("in_chans": 3,)", "")).vision.in_channels == 3);
}

TEST_CASE("What a file leaves out has the class default of transformers") {
  // configuration_qwen2_5_vl.py, Qwen2_5_VLTextConfig and Qwen2_5_VLVisionConfig: the same in 4.49 to 5.17.
  const std::string none = R"({"model_type": "qwen2_5_vl", "vision_config": {"out_hidden_size": 8192}})";
  const int form = GENERATE(0, 1, 2);  // nothing stated; a null; a text_config that leaves all out
  const Qwen25VlConfig config = parsed(
      form == 0   ? none
      : form == 1 ? replaced(none, "{\"out", "{\"depth\": null, \"out")
                  : replaced(none, R"("vision_config")", R"("hidden_size": 64, "text_config": {}, "vision_config")"));
  CHECK(config.text.hidden_size == 8192);
  CHECK(config.text.num_hidden_layers == 80);
  CHECK(config.text.num_attention_heads == 64);
  CHECK(config.text.num_key_value_heads == 8);
  CHECK(config.text.head_dim == 128);
  CHECK(config.text.intermediate_size == 29568);
  CHECK(config.text.hidden_act == "silu");
  CHECK(config.text.vocab_size == 152064);
  CHECK(config.text.rms_norm_eps == 1e-5);
  CHECK(config.text.rope_theta == 1e6);
  CHECK(config.text.mrope_section == std::array<std::int64_t, 3>{16, 24, 24});
  CHECK(config.text.max_position_embeddings == 32768);
  CHECK(config.vision.depth == 32);
  CHECK(config.vision.hidden_size == 3584);
  CHECK(config.vision.num_heads == 16);
  CHECK(config.vision.intermediate_size == 3420);
  CHECK(config.vision.hidden_act == "silu");
  CHECK(config.vision.in_channels == 3);
  CHECK(config.vision.patch_size == 14);
  CHECK(config.vision.temporal_patch_size == 2);
  CHECK(config.vision.spatial_merge_size == 2);
  CHECK(config.vision.window_size == 112);
  CHECK(config.vision.fullatt_block_indexes == std::vector<std::int64_t>{7, 15, 23, 31});
  CHECK(config.vision.tokens_per_second == 4.0);
  CHECK(config.image_token_id == 151655);
  CHECK(config.video_token_id == 151656);
  CHECK(config.vision_start_token_id == 151652);
  CHECK(config.vision_end_token_id == 151653);
  CHECK(config.tie_word_embeddings == std::nullopt);
  const auto left_out = [&](const char* key) {
    return std::find(config.left_out.begin(), config.left_out.end(), key) != config.left_out.end();
  };
  CHECK(left_out("vision_config.depth"));
  CHECK(left_out("hidden_size"));
  CHECK_FALSE(left_out("vision_config.out_hidden_size"));
}

TEST_CASE("The 3B as transformers 4.49 writes it reads as published") {
  // Of vision_config it keeps what differs from the class: tests/golden/checkpoint/saved/4.49/3B.json is its own
  // output.
  const Qwen25VlConfig saved = Qwen25VlConfig::parse(
      Json::read_file(std::string(OCTAVO_SOURCE_DIR) + "/tests/golden/checkpoint/saved/4.49/3B.json"));
  const Qwen25VlConfig published = parsed(flat());
  CHECK(saved.vision.depth == published.vision.depth);
  CHECK(saved.vision.hidden_size == published.vision.hidden_size);
  CHECK(saved.vision.num_heads == published.vision.num_heads);
  CHECK(saved.vision.intermediate_size == published.vision.intermediate_size);
  CHECK(saved.vision.patch_size == published.vision.patch_size);
  CHECK(saved.vision.window_size == published.vision.window_size);
  CHECK(saved.vision.fullatt_block_indexes == published.vision.fullatt_block_indexes);
  CHECK(saved.vision.out_hidden_size == published.vision.out_hidden_size);
  CHECK(saved.vision.tokens_per_second == published.vision.tokens_per_second);
  CHECK(saved.text.hidden_size == published.text.hidden_size);
}

TEST_CASE("model_type and vision_config are named when they are missing") {
  const char* name = GENERATE("model_type", "vision_config");
  const std::string key = name;
  CHECK(complaint(replaced(flat(), "\"" + key + "\":", "\"unused\":")) ==
        "not_found: config.json: the key \"" + key + "\" is missing");
}

struct Wrong {
  const char* from;
  const char* to;
  const char* message;
};

TEST_CASE("Impossible values are named with file and key") {
  const Wrong wrong = GENERATE(values<Wrong>({
      {"\"qwen2_5_vl\"", "\"llava\"", "unsupported: config.json: model_type is \"llava\", expected \"qwen2_5_vl\""},
      {"\"hidden_size\": 2048", "\"hidden_size\": \"2048\"",
       "format: config.json: hidden_size is a string, an integer is needed"},
      {"\"num_attention_heads\": 16", "\"num_attention_heads\": 15",
       "format: config.json: num_attention_heads is 15, which does not divide hidden_size 2048"},
      {"\"num_attention_heads\": 16", "\"num_attention_heads\": 0",
       "format: config.json: num_attention_heads is 0, which does not divide hidden_size 2048"},
      {"\"num_key_value_heads\": 2", "\"num_key_value_heads\": 3",
       "format: config.json: num_key_value_heads is 3, which does not divide num_attention_heads 16"},
      {"\"num_hidden_layers\": 36", "\"num_hidden_layers\": -1",
       "format: config.json: num_hidden_layers must be 1 to 65536, but is -1"},
      {"\"vocab_size\": 151936", "\"vocab_size\": 99999999999",
       "format: config.json: vocab_size must be 1 to 16777216, but is 99999999999"},
      {"\"rms_norm_eps\": 1e-06", "\"rms_norm_eps\": 0",
       "format: config.json: rms_norm_eps must be a positive number, but is 0.000000"},
      {"\"hidden_act\": \"silu\"", "\"hidden_act\": \"gelu\"",
       "unsupported: config.json: hidden_act is \"gelu\", Octavo has \"silu\""},
      {"[16, 24, 24]", "[16, 24, 25]",
       "format: config.json: mrope_section sums to 65, but must sum to half of head_dim 128"},
      {"[16, 24, 24]", "[16, 48]",
       "format: config.json: rope_scaling.mrope_section must be three numbers (t, h, w), but is [16,48]"},
      {"\"type\": \"mrope\"", "\"type\": \"yarn\"",
       "unsupported: config.json: rope_scaling.type is \"yarn\", Octavo has \"mrope\" and \"default\" (the same)"},
      {"\"num_heads\": 16", "\"num_heads\": 7",
       "format: config.json: vision_config.num_heads is 7, which does not divide vision_config.hidden_size 1280"},
      {"\"num_heads\": 16", "\"num_heads\": 640",
       "format: config.json: vision_config.hidden_size / num_heads is 2, but the two-dimensional rotation needs a "
       "multiple of 4"},
      {"\"window_size\": 112", "\"window_size\": 27",
       "format: config.json: vision_config.window_size is 27 pixels, smaller than one merge group of patch_size * "
       "spatial_merge_size = 28"},
      {"\"patch_size\": 14", "\"patch_size\": 0",
       "format: config.json: vision_config.patch_size must be 1 to 1024, but is 0"},
      {"23, 31]", "23, 32]", "format: config.json: vision_config.fullatt_block_indexes has block 32, but depth is 32"},
      {"23, 31]", "23, 23]",
       "format: config.json: vision_config.fullatt_block_indexes must be distinct and ascending, but has 23 after 23"},
      {"\"out_hidden_size\": 2048", "\"out_hidden_size\": 3584",
       "format: config.json: vision_config.out_hidden_size is 3584, but the text model's hidden_size is 2048"},
      {"\"image_token_id\": 151655", "\"image_token_id\": 151936",
       "format: config.json: image_token_id must be below vocab_size 151936, but is 151936"},
      {"\"video_token_id\": 151656", "\"video_token_id\": 151655",
       "format: config.json: image_token_id and video_token_id are both 151655"},
      {"\"num_heads\": 16", "\"num_heads\": 16, \"num_attention_heads\": 8",
       "format: config.json: vision_config.num_heads is 16, but config.json: vision_config.num_attention_heads is 8: "
       "the "
       "file contradicts itself"},
  }));
  CAPTURE(wrong.from, wrong.to);
  CHECK(complaint(replaced(flat(), wrong.from, wrong.to)) == wrong.message);
}

TEST_CASE("text_config wins over what is left at the top") {
  // The first match is at the top, text_config keeps 2048.
  CHECK(parsed(replaced(both(), "\"hidden_size\": 2048", "\"hidden_size\": 3584")).text.hidden_size == 2048);
  CHECK(parsed(replaced(both(), "\"vocab_size\": 151936", "\"vocab_size\": 151665")).text.vocab_size == 151936);
  CHECK(parsed(replaced(both(), "\"rope_theta\": 1000000.0", "\"rope_theta\": 7.0")).text.rope_theta == 1e6);
  CHECK(parsed(replaced(both(), "[16, 24, 24]", "[24, 24, 16]")).text.mrope_section ==
        std::array<std::int64_t, 3>{16, 24, 24});
  // A key that text_config leaves out has the class default, not what the top level says.
  const std::string partial = replaced(flat(), "\"vision_config\"",
                                       R"("text_config": {"hidden_size": 2048, "num_attention_heads": 16},
                                          "vision_config")");
  CHECK(parsed(partial).text.hidden_size == 2048);
  CHECK(parsed(partial).text.rms_norm_eps == 1e-5);
}

TEST_CASE("Either level ties the embeddings") {
  const auto tied = [](const char* top, const char* nested) {
    const std::string at_top = std::string(top).empty() ? "" : R"("tie_word_embeddings": )" + std::string(top) + ",";
    const std::string in_text =
        std::string(nested).empty() ? "" : R"("tie_word_embeddings": )" + std::string(nested) + ",";
    std::string text = replaced(both(), R"("tie_word_embeddings": true,)", at_top);
    text = replaced(text, R"(, "tie_word_embeddings": false})", "}");
    return parsed(replaced(text, R"("text_config": {)", R"("text_config": {)" + in_text)).tie_word_embeddings;
  };
  // Qwen2_5_VLConfig.__post_init__ of transformers 5.17; 4.57 writes the nested key alone.
  CHECK(tied("true", "") == true);
  CHECK(tied("", "true") == true);
  CHECK(tied("true", "false") == true);
  CHECK(tied("false", "true") == true);
  CHECK(tied("false", "false") == false);
  CHECK(tied("", "false") == false);
  CHECK(tied("false", "") == false);
  CHECK(tied("", "") == std::nullopt);
}

TEST_CASE("Sliding windows are refused where a layer would see one") {
  CHECK(complaint(replaced(nested(), "\"full_attention\"]", "\"sliding_attention\"]")) ==
        "unsupported: config.json: text_config.layer_types[1] is \"sliding_attention\", Octavo has \"full_attention\" "
        "alone");
  const std::string sliding = replaced(flat(), R"("use_sliding_window": false)", R"("use_sliding_window": true)");
  CHECK(parsed(sliding).text.num_hidden_layers == 36);  // max_window_layers is 70: none of 36 slides
  CHECK(complaint(replaced(sliding, R"("max_window_layers": 70)", R"("max_window_layers": 35)")) ==
        "unsupported: config.json: use_sliding_window is true; Octavo has no sliding-window attention for text");
}

TEST_CASE("A config.json that is no object is refused") {
  CHECK(complaint("[]") == "format: config.json must be an object");
}

TEST_CASE("generation_config.json has Hugging Face's defaults") {
  const auto parse = [](const std::string& text) {
    return GenerationConfig::parse(Json::parse(text, "generation_config.json"));
  };
  const GenerationConfig none = parse("{}");
  CHECK(none.eos_token_ids.empty());
  CHECK_FALSE(none.do_sample);
  CHECK(none.temperature == 1.0);
  CHECK(none.top_k == 50);
  CHECK(none.top_p == 1.0);
  CHECK(none.repetition_penalty == 1.0);
  const GenerationConfig published =
      parse(R"({"bos_token_id": 151643, "pad_token_id": 151643, "do_sample": true, "eos_token_id": [151645, 151643],
                "repetition_penalty": 1.05, "temperature": 0.000001})");
  CHECK(published.eos_token_ids == std::vector<std::int64_t>{151645, 151643});
  CHECK(published.bos_token_id == 151643);
  CHECK(published.pad_token_id == 151643);
  CHECK(published.do_sample);
  CHECK(published.repetition_penalty == 1.05);
  CHECK(published.temperature == 1e-6);
  CHECK(parse(R"({"eos_token_id": 7})").eos_token_ids == std::vector<std::int64_t>{7});
  CHECK(error_of([&] { parse(R"({"top_p": 1.5})"); }) ==
        "format: generation_config.json: top_p must be 0 to 1, but is 1.5");
  CHECK(error_of([&] { parse(R"({"eos_token_id": [1, -2]})"); }) ==
        "format: generation_config.json: eos_token_id must be of token ids (0 to 2147483647), but is [1,-2]");
  CHECK(error_of([&] { parse(R"({"repetition_penalty": 0})"); }) ==
        "format: generation_config.json: repetition_penalty must be positive, but is 0");
}

TEST_CASE("Without generation_config.json the keys of config.json count") {
  const TempDir directory;
  const Json config =
      Json::parse(R"({"eos_token_id": 5, "text_config": {"eos_token_id": 6, "bos_token_id": 4}})", "config.json");
  const GenerationConfig derived = GenerationConfig::read(directory.str(), config);
  CHECK(derived.eos_token_ids == std::vector<std::int64_t>{5});
  CHECK(derived.bos_token_id == 4);
  test::write_bytes(directory / "generation_config.json", R"({"eos_token_id": [9]})");
  CHECK(GenerationConfig::read(directory.str(), config).eos_token_ids == std::vector<std::int64_t>{9});
}

}  // namespace
}  // namespace octavo
