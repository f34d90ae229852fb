// Traces of whole runs: what is recorded follows from config.json in closed form; runs are compared; a wrong scale is
// found.
#include "octavo/trace.hpp"

#include <map>
#include <tuple>

#include "golden.hpp"
#include "octavo/blockwise.hpp"
#include "octavo/session.hpp"

using golden::message_of;
using golden::Values;
using octavo::TraceRecord;

namespace {

octavo::Qwen25VlConfig config_of(const std::string& directory) {
  return octavo::Qwen25VlConfig::parse(octavo::Json::read_file(directory + "/config.json"));
}

std::vector<TraceRecord> traced_generation(const octavo::Model& model, const octavo::ModelInput& input,
                                           std::int64_t tokens, bool use_cache, bool values = true) {
  octavo::GenerateOptions options;
  options.max_new_tokens = tokens;
  options.use_cache = use_cache;
  options.sampling = octavo::SamplingOptions{};
  options.ignore_eos = true;
  octavo::TraceOptions wanted;
  wanted.values = values;
  octavo::Trace trace(wanted);
  const octavo::TraceScope scope(trace);
  model.generate(input, options);
  return trace.records();
}

/// "model.norm rms_norm M=1 K=32", what a record must say.
std::string spelled(const std::string& module, const std::string& operation,
                    const std::vector<std::pair<std::string, std::int64_t>>& dims) {
  std::string line = module + " " + operation;
  for (const auto& [letter, value] : dims) line += " " + letter + "=" + std::to_string(value);
  return line;
}
std::string spelled(const TraceRecord& record) {
  std::vector<std::pair<std::string, std::int64_t>> dims;
  for (const octavo::TraceDim& dim : record.dims) dims.emplace_back(dim.letter, dim.value);
  return spelled(record.module_path, record.operation, dims);
}

/// The vision tower over grids, from the architecture's definition.
std::vector<std::string> expected_vision(const octavo::VisionConfig& c, const std::vector<octavo::Grid>& grids) {
  std::int64_t p = 0;
  for (const octavo::Grid& grid : grids) p += grid.t * grid.h * grid.w;
  const std::int64_t merge = c.spatial_merge_size;
  const std::int64_t g = p / (merge * merge);
  const std::int64_t h = c.hidden_size;
  const std::int64_t i = c.intermediate_size;
  const std::int64_t heads = c.num_heads;
  const std::int64_t d = h / heads;
  std::vector<std::string> out{
      spelled("visual", "vision_rotary", {{"images", static_cast<std::int64_t>(grids.size())}, {"P", p}, {"D", d}}),
      spelled("visual.patch_embed.proj", "patch_embed",
              {{"P", p},
               {"C", c.in_channels * c.temporal_patch_size * c.patch_size * c.patch_size},
               {"H", h},
               {"Ci", c.in_channels},
               {"Ft", c.temporal_patch_size},
               {"Ps", c.patch_size}}),
      spelled("visual", "window_order", {{"P", p}, {"H", h}, {"G", g}, {"merge", merge}})};
  for (std::int64_t b = 0; b < c.depth; ++b) {
    const std::string block = "visual.blocks." + std::to_string(b);
    out.push_back(spelled(block + ".norm1", "rms_norm", {{"M", p}, {"K", h}}));
    out.push_back(spelled(block + ".attn.qkv", "linear", {{"M", p}, {"K", h}, {"N", 3 * h}}));
    out.push_back(spelled(block + ".attn", "split_qkv", {{"P", p}, {"heads", heads}, {"D", d}}));
    for (int i2 = 0; i2 < 2; ++i2)
      out.push_back(spelled(block + ".attn", "rotary", {{"L", p}, {"Hq", heads}, {"D", d}}));
    out.push_back(
        spelled(block, "attention", {{"B", 1}, {"Hq", heads}, {"Lq", p}, {"D", d}, {"Hkv", heads}, {"Lk", p}}));
    out.push_back(spelled(block + ".attn", "join_heads", {{"B", 1}, {"heads", heads}, {"L", p}, {"D", d}}));
    out.push_back(spelled(block + ".attn.proj", "linear", {{"M", p}, {"K", h}, {"N", h}}));
    out.push_back(spelled(block, "residual", {{"M", p}, {"H", h}}));
    out.push_back(spelled(block + ".norm2", "rms_norm", {{"M", p}, {"K", h}}));
    out.push_back(spelled(block + ".mlp.gate_proj", "linear", {{"M", p}, {"K", h}, {"N", i}}));
    out.push_back(spelled(block + ".mlp.up_proj", "linear", {{"M", p}, {"K", h}, {"N", i}}));
    out.push_back(spelled(block + ".mlp", "swiglu", {{"M", p}, {"I", i}}));
    out.push_back(spelled(block + ".mlp.down_proj", "linear", {{"M", p}, {"K", i}, {"N", h}}));
    out.push_back(spelled(block, "residual", {{"M", p}, {"H", h}}));
  }
  const std::int64_t wide = merge * merge * h;
  out.push_back(spelled("visual.merger.ln_q", "rms_norm", {{"M", p}, {"K", h}}));
  out.push_back(spelled("visual.merger", "merge_groups", {{"P", p}, {"H", h}, {"G", g}, {"merge", merge}}));
  out.push_back(spelled("visual.merger.mlp.0", "linear", {{"M", g}, {"K", wide}, {"N", wide}}));
  out.push_back(spelled("visual.merger.mlp.1", "gelu", {{"M", g}, {"I", wide}}));
  out.push_back(spelled("visual.merger.mlp.2", "linear", {{"M", g}, {"K", wide}, {"N", c.out_hidden_size}}));
  out.push_back(spelled("visual.merger", "window_restore", {{"G", g}, {"H", c.out_hidden_size}}));
  return out;
}

/// One call of the language model; `vision` rows, or -1 without images.
std::vector<std::string> expected_language(const octavo::TextConfig& c, std::int64_t past, std::int64_t q_len,
                                           std::int64_t vision, bool cached) {
  const std::int64_t d = c.head_dim;
  const std::int64_t h = c.hidden_size;
  const std::int64_t i = c.intermediate_size;
  const std::int64_t hq = c.num_attention_heads;
  const std::int64_t hkv = c.num_key_value_heads;
  const std::int64_t l = q_len;
  std::vector<std::string> out{spelled("model", "mrope", {{"L", l}, {"D", d}})};
  out.push_back(vision < 0 ? spelled("model.embed_tokens", "embedding", {{"L", l}, {"V", c.vocab_size}, {"H", h}})
                           : spelled("model.embed_tokens", "embedding",
                                     {{"L", l}, {"V", c.vocab_size}, {"H", h}, {"G", vision}}));
  for (std::int64_t n = 0; n < c.num_hidden_layers; ++n) {
    const std::string layer = "model.layers." + std::to_string(n);
    const std::string attn = layer + ".self_attn";
    out.push_back(spelled(layer + ".input_layernorm", "rms_norm", {{"M", l}, {"K", h}}));
    for (const auto& [name, heads] : {std::pair{".q_proj", hq}, {".k_proj", hkv}, {".v_proj", hkv}}) {
      out.push_back(spelled(attn + name, "linear", {{"M", l}, {"K", h}, {"N", heads * d}}));
      out.push_back(spelled(attn + name, "split_heads", {{"L", l}, {"heads", heads}, {"D", d}}));
    }
    out.push_back(spelled(attn, "rotary", {{"L", l}, {"Hq", hq}, {"D", d}}));
    out.push_back(spelled(attn, "rotary", {{"L", l}, {"Hq", hkv}, {"D", d}}));
    if (cached) out.push_back(spelled(attn, "kv_append", {{"Hkv", hkv}, {"Lq", l}, {"D", d}, {"Lk", past + l}}));
    out.push_back(spelled(attn, "attention",
                          {{"B", 1}, {"Hq", hq}, {"Lq", l}, {"D", d}, {"Hkv", hkv}, {"Lk", past + l}, {"past", past}}));
    out.push_back(spelled(attn, "join_heads", {{"B", 1}, {"heads", hq}, {"L", l}, {"D", d}}));
    out.push_back(spelled(attn + ".o_proj", "linear", {{"M", l}, {"K", hq * d}, {"N", h}}));
    out.push_back(spelled(layer, "residual", {{"M", l}, {"H", h}}));
    out.push_back(spelled(layer + ".post_attention_layernorm", "rms_norm", {{"M", l}, {"K", h}}));
    out.push_back(spelled(layer + ".mlp.gate_proj", "linear", {{"M", l}, {"K", h}, {"N", i}}));
    out.push_back(spelled(layer + ".mlp.up_proj", "linear", {{"M", l}, {"K", h}, {"N", i}}));
    out.push_back(spelled(layer + ".mlp", "swiglu", {{"M", l}, {"I", i}}));
    out.push_back(spelled(layer + ".mlp.down_proj", "linear", {{"M", l}, {"K", i}, {"N", h}}));
    out.push_back(spelled(layer, "residual", {{"M", l}, {"H", h}}));
  }
  out.push_back(spelled("model.norm", "rms_norm", {{"M", 1}, {"K", h}}));
  out.push_back(spelled("lm_head", "linear", {{"M", 1}, {"K", h}, {"N", c.vocab_size}}));
  return out;
}

void append(std::vector<std::string>& to, const std::vector<std::string>& more) {
  to.insert(to.end(), more.begin(), more.end());
}

}  // namespace

TEST_CASE("every operation of a run is recorded, with the dims that config.json implies") {
  const std::string name = GENERATE("nested", "flat", "bf16");
  const std::string prompt = GENERATE("text", "one", "two");
  const bool use_cache = GENERATE(true, false);
  INFO(name << ", " << prompt << ", use_cache " << use_cache);
  const octavo::Qwen25VlConfig config = config_of(golden::directory(name));
  const octavo::ModelInput input = Values(name).input(prompt);
  std::vector<octavo::Grid> grids;
  std::int64_t vision = grids.empty() && input.images.empty() ? -1 : 0;
  for (const octavo::PixelPatches& image : input.images) {
    grids.push_back(image.grid);
    vision += image.grid.t * image.grid.h * image.grid.w / 4;
  }
  constexpr std::int64_t kTokens = 3;
  const auto length = static_cast<std::int64_t>(input.ids.size());
  std::vector<std::string> expected;
  if (!grids.empty()) append(expected, expected_vision(config.vision, grids));
  for (std::int64_t step = 0; step < kTokens; ++step) {
    const bool decode = use_cache && step > 0;
    append(expected, expected_language(config.text, decode ? length + step - 1 : 0, decode ? 1 : length + step,
                                       decode ? -1 : vision, use_cache));
  }
  const std::vector<TraceRecord> records =
      traced_generation(octavo::Model::open(golden::directory(name)), input, kTokens, use_cache, false);
  std::vector<std::string> actual;
  for (const TraceRecord& record : records) actual.push_back(spelled(record));
  REQUIRE(actual.size() == expected.size());
  for (std::size_t i = 0; i < actual.size(); ++i) REQUIRE(actual[i] == expected[i]);
  REQUIRE(records.front().phase == (grids.empty() ? "prefill" : "vision"));
  REQUIRE(records.back().phase == (use_cache ? "decode" : "prefill"));
  REQUIRE(records.back().call == kTokens - (grids.empty() ? 1 : 0));
}

TEST_CASE("recording changes no token, and ends with its scope") {
  const Values values("nested");
  const octavo::Model model = octavo::Model::open(golden::directory("nested"));
  octavo::GenerateOptions options;
  options.max_new_tokens = 16;
  options.sampling = octavo::SamplingOptions{};
  options.ignore_eos = true;
  octavo::TraceOptions with_values;
  with_values.values = true;
  octavo::Trace trace(with_values);
  std::vector<std::int32_t> expected = values.integers<std::int32_t>("two.greedy");
  expected.resize(16);
  {
    const octavo::TraceScope scope(trace);
    REQUIRE(model.generate(values.input("two"), options).tokens == expected);
  }
  const std::int64_t count = trace.count();
  REQUIRE(count > 0);
  REQUIRE(model.generate(values.input("two"), options).tokens == expected);
  REQUIRE(trace.count() == count);
}

TEST_CASE("cached and uncached runs differ in rows alone, and their last positions agree") {
  const std::string name = GENERATE("nested", "flat", "bf16");
  const Values values(name);
  const octavo::Model model = octavo::Model::open(golden::directory(name));
  const octavo::ModelInput input = values.input("two");
  const auto uncached = traced_generation(model, input, 5, false);
  const auto cached = traced_generation(model, input, 5, true);
  octavo::TraceCompareOptions options;
  options.bound = 1e-4;
  const octavo::TraceComparison result = octavo::compare_traces(uncached, cached, options);
  INFO(result.to_text());
  REQUIRE(result.same());
  REQUIRE(result.values_compared > 0);
  REQUIRE(result.only_a == 0);
  REQUIRE(result.first_only_b == "kv_append (model.layers.0.self_attn)");
  REQUIRE(result.first_rows.has_value());
  const std::string all = std::to_string(input.ids.size() + 1);
  REQUIRE(result.first_rows->module_path == "model");
  REQUIRE(result.first_rows->what == "L (positions) " + all + " / 1");
}

TEST_CASE("the prefill of n tokens and the decode of the n-th agree") {
  const Values values("nested");
  const octavo::Model model = octavo::Model::open(golden::directory("nested"));
  const octavo::ModelInput all = values.input("two");
  octavo::ModelInput but_one = all;
  but_one.ids.pop_back();
  const auto traced = [&](const std::vector<octavo::ModelInput>& feeds) {
    octavo::TraceOptions wanted;
    wanted.values = true;
    octavo::Trace trace(wanted);
    const octavo::TraceScope scope(trace);
    octavo::Session session(model, 64);
    for (const octavo::ModelInput& feed : feeds) session.feed(feed);
    return trace.records();
  };
  octavo::TraceCompareOptions options;
  options.bound = 1e-4;
  options.last_call_only = true;
  const octavo::TraceComparison result =
      octavo::compare_traces(traced({all}), traced({but_one, {{all.ids.back()}, {}}}), options);
  INFO(result.to_text());
  REQUIRE(result.same());
  REQUIRE(result.values_compared > 0);
}

TEST_CASE("a wrong scale is found at its module") {
  const Values values("nested");
  const octavo::Checkpoint original = octavo::Checkpoint::open(golden::directory("nested"));
  const std::string victim = "model.layers.1.mlp.up_proj";
  // Every linear of the layers, rounded to nearest; one has the scales of a tensor twice as large.
  const auto write = [&](const std::string& target, bool broken) {
    octavo::AtomicDirectory out(target);
    octavo::ShardWriter writer(out);
    std::vector<std::string> ignored{original.stored_name("lm_head")};
    for (const std::string& name : original.names()) {
      if (!(name.starts_with("model.layers.") && name.ends_with("_proj.weight"))) {
        writer.add(original.stored_name(name), original.tensor(name));
        if (name.starts_with("visual.") && name.ends_with(".weight") && name.find("norm") == std::string::npos)
          ignored.push_back(original.stored_name(name.substr(0, name.size() - 7)));
        continue;
      }
      const octavo::Tensor w = original.tensor(name).to(octavo::DType::f32);
      octavo::Tensor q = octavo::Tensor::empty(octavo::DType::s8, w.shape());
      octavo::Tensor scale = octavo::Tensor::empty(octavo::DType::f32, octavo::Shape{w.dim(0), 1});
      const bool doubled = broken && name == victim + ".weight";
      for (std::int64_t n = 0; n < w.dim(0); ++n) {
        const float* row = w.data<float>() + n * w.dim(1);
        float largest = 0;
        for (std::int64_t k = 0; k < w.dim(1); ++k) largest = std::max(largest, std::abs(row[k]));
        for (std::int64_t k = 0; k < w.dim(1); ++k)
          q.mutable_data<std::int8_t>()[n * w.dim(1) + k] =
              static_cast<std::int8_t>(std::lround(row[k] / largest * 127.0F));
        scale.mutable_data<float>()[n] = (doubled ? 2.0F : 1.0F) * largest / 127.0F;
      }
      writer.add(original.stored_name(name), q);
      writer.add(original.stored_name(name + "_scale"), scale);
    }
    writer.finish();
    out.write_file("config.json", octavo::with_w8a8_quantization_config(original.config(), ignored));
    out.commit();
  };
  const golden::TemporaryDirectory place;
  write(place.path() + "/good", false);
  write(place.path() + "/broken", true);
  const auto float_run =
      traced_generation(octavo::Model::open(golden::directory("nested")), values.input("two"), 1, true);
  const auto good = traced_generation(octavo::Model::open(place.path() + "/good"), values.input("two"), 1, true);
  const auto broken = traced_generation(octavo::Model::open(place.path() + "/broken"), values.input("two"), 1, true);
  octavo::TraceCompareOptions options;
  options.bound = 0.3;  // int8 rounding of random weights drifts by less, a scale twice as large by 1
  const octavo::TraceComparison fine = octavo::compare_traces(float_run, good, options);
  INFO(fine.to_text());
  REQUIRE(fine.same());
  const octavo::TraceComparison found = octavo::compare_traces(float_run, broken, options);
  INFO(found.to_text());
  REQUIRE_FALSE(found.first_dims.has_value());
  REQUIRE(found.first_drift.has_value());
  REQUIRE(found.first_drift->module_path == victim);
  REQUIRE(found.first_drift->drift == Approx(1).margin(0.5));
  // Against the good quantized model everything before the victim is equal to the bit.
  options.bound = 1e-9;
  REQUIRE(octavo::compare_traces(good, broken, options).first_drift->module_path == victim);
}

TEST_CASE("a broken contract inside a model says what ran before") {
  const Values values("nested");
  const auto model = octavo::BlockwiseModel::open(octavo::Checkpoint::open(golden::directory("nested")));
  octavo::Trace trace;
  const octavo::TraceScope scope(trace);
  octavo::BlockState state = model->begin_language(values.input("text"), {});
  state.hidden = state.hidden.slice(1, 0, 16).contiguous();
  const std::string length = std::to_string(values.input("text").ids.size());
  REQUIRE(message_of([&] { model->load_block(octavo::Tower::language, 0)->forward(state, nullptr); }) ==
          "rms_norm (model.layers.0.input_layernorm): w [32] dim 0 (K, in_features) is 32, but x [" + length +
              ", 16] dim 1 set in_features to 16.\n"
              "trace: model.embed_tokens embedding L=" +
              length + " V=272 H=32 -> x f32 [" + length +
              ", 32]\n"
              "trace: model mrope L=" +
              length + " D=8 -> cos f32 [" + length + ", 8], sin f32 [" + length + ", 8]");
}
