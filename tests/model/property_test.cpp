// Random architectures, random sequences of calls: what a session gives must be what one uncached run of the whole
// conversation gives, and what the plan records without data must be what the runtime records with them.
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <functional>
#include <iostream>
#include <map>
#include <random>
#include <set>

#include "golden.hpp"
#include "octavo/plan.hpp"
#include "octavo/session.hpp"
#include "octavo/trace.hpp"

using octavo::Grid;
using octavo::JsonBuilder;
using octavo::ModelInput;
using octavo::Shape;
using octavo::StoredScheme;
using octavo::Tensor;

namespace {

constexpr std::int32_t kVocab = 48, kImage = 40, kVideo = 41, kVisionStart = 42, kVisionEnd = 43;

class Random {
 public:
  explicit Random(unsigned seed) : engine_(seed) {}
  std::int64_t between(std::int64_t least, std::int64_t most) {
    return least + static_cast<std::int64_t>(engine_() % static_cast<std::uint64_t>(most - least + 1));
  }
  template <class T>
  T of(std::initializer_list<T> choices) {
    return *(choices.begin() + between(0, static_cast<std::int64_t>(choices.size()) - 1));
  }
  float normal() { return normal_(engine_); }

 private:
  std::mt19937_64 engine_;
  std::normal_distribution<float> normal_;
};

/// config.json of a random small architecture.
std::string random_config(Random& random) {
  const std::int64_t kv_heads = random.between(1, 3);
  const std::int64_t heads = kv_heads * random.between(1, 3);
  const std::int64_t half = random.between(3, 8);  // of head_dim: the sections' sum
  const std::int64_t t = random.between(1, half - 2);
  const std::int64_t h = random.between(1, half - t - 1);
  const std::int64_t hidden = heads * 2 * half;
  const std::int64_t depth = random.between(1, 3);
  const std::int64_t vision_heads = random.between(1, 3);
  JsonBuilder full = JsonBuilder::array();
  for (std::int64_t i = 0; i < depth; ++i)
    if (random.between(0, 2) == 0) full.push(i);
  JsonBuilder vision = JsonBuilder::object();
  vision.set("depth", depth).set("hidden_act", "silu").set("hidden_size", vision_heads * 4 * random.between(1, 4));
  vision.set("intermediate_size", random.between(5, 40)).set("num_heads", vision_heads).set("in_chans", 3);
  vision.set("out_hidden_size", hidden).set("patch_size", 4).set("spatial_merge_size", 2);
  vision.set("temporal_patch_size", 2).set("window_size", 8 * random.between(1, 4)).set("tokens_per_second", 2);
  vision.set("fullatt_block_indexes", std::move(full));
  JsonBuilder json = JsonBuilder::object();
  json.set("model_type", "qwen2_5_vl").set("hidden_act", "silu").set("hidden_size", hidden);
  json.set("num_hidden_layers", random.between(1, 3)).set("num_attention_heads", heads);
  json.set("num_key_value_heads", kv_heads).set("intermediate_size", random.between(5, 60));
  json.set("vocab_size", int{kVocab}).set("rms_norm_eps", 1e-6).set("max_position_embeddings", 512);
  json.set("rope_theta", random.of({50.0, 1e4, 1e6})).set("tie_word_embeddings", random.between(0, 1) == 1);
  json.set("use_cache", random.between(0, 1) == 1);
  json.set("rope_scaling", JsonBuilder::object()
                               .set("type", "mrope")
                               .set("mrope_section", JsonBuilder::array().push(t).push(h).push(half - t - h)));
  json.set("image_token_id", int{kImage}).set("video_token_id", int{kVideo});
  json.set("vision_start_token_id", int{kVisionStart}).set("vision_end_token_id", int{kVisionEnd});
  json.set("vision_config", std::move(vision));
  return json.dump(2);
}

/// How the linears may be stored, and what config.json says of those that are.
struct Schemes {
  std::vector<StoredScheme> drawn_from;
  octavo::QuantizedModules modules;
  std::map<std::string, StoredScheme> int8;

  std::string config(const std::string& text) const {
    return int8.empty() ? text : octavo::with_quantization_config(octavo::Json::parse(text, "config.json"), modules);
  }
  void draw(const std::vector<octavo::ExpectedTensor>& tensors, Random& random) {
    for (const octavo::ExpectedTensor& tensor : tensors) {
      if (tensor.optional || tensor.shape.rank() != 2 || tensor.name == "model.embed_tokens.weight") continue;
      const std::string module = tensor.name.substr(0, tensor.name.rfind('.'));
      const auto last = static_cast<std::int64_t>(drawn_from.size()) - 1;
      const StoredScheme scheme = drawn_from[static_cast<std::size_t>(random.between(0, last))];
      if (scheme == StoredScheme::none) modules.ignored.push_back(module);
      if (scheme == StoredScheme::w8a16) modules.w8a16.push_back(module);
      if (scheme != StoredScheme::none) int8.emplace(module, scheme);
    }
  }
};

/// Random integers and scales for one linear, of about the spread that the float weights have.
void write_int8(octavo::ShardWriter& writer, const octavo::ExpectedTensor& expected, StoredScheme scheme,
                Random& random) {
  Tensor weight = Tensor::empty(octavo::DType::s8, expected.shape);
  for (std::int8_t& value : weight.mutable_values<std::int8_t>())
    value = static_cast<std::int8_t>(random.between(-127, 127));
  Tensor scale = Tensor::empty(octavo::DType::f32, {expected.shape[0], 1});
  for (float& value : scale.mutable_values<float>())
    value = static_cast<float>(random.between(5, 15)) / (730 * std::sqrt(static_cast<float>(expected.shape[1])));
  const std::string module = expected.name.substr(0, expected.name.rfind('.') + 1);
  for (const auto& [leaf, tensor] : octavo::stored_tensors(scheme, weight, scale)) writer.add(module + leaf, tensor);
}

/// Writes the architecture with random weights: the tensors are those that config.json promises.
void write_model(const std::string& target, const std::string& config, Random& random, Schemes schemes) {
  const auto write = [&](const std::vector<octavo::ExpectedTensor>& tensors) {
    std::filesystem::remove_all(target);
    octavo::AtomicDirectory directory(target);
    octavo::ShardWriter writer(directory);
    for (const octavo::ExpectedTensor& expected : tensors) {
      if (expected.optional) continue;
      const auto int8 = schemes.int8.find(expected.name.substr(0, expected.name.rfind('.')));
      if (int8 != schemes.int8.end()) {
        if (expected.name.ends_with(".weight")) write_int8(writer, expected, int8->second, random);
        if (!expected.name.ends_with(".bias")) continue;
      }
      Tensor tensor = Tensor::empty(octavo::DType::f32, expected.shape);
      const bool matrix = expected.shape.rank() > 1;
      const float spread =
          matrix ? 1 / std::sqrt(static_cast<float>(expected.shape.numel() / expected.shape[0])) : 0.2F;
      const float centre = !matrix && expected.name.ends_with("weight") ? 1.0F : 0.0F;  // a norm
      for (float& value : tensor.mutable_values<float>()) value = centre + spread * random.normal();
      writer.add(expected.name, tensor);
    }
    writer.finish();
    directory.write_file("config.json", schemes.config(config));
    directory.commit();
  };
  write({{"model.norm.weight", Shape{1}, ""}});  // something to open, to be told what it should be
  const std::vector<octavo::ExpectedTensor> expected = octavo::expected_tensors(octavo::Checkpoint::open(target));
  schemes.draw(expected, random);
  write(expected);
}

void append_text(ModelInput& input, Random& random, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) input.ids.push_back(static_cast<std::int32_t>(random.between(0, 39)));
}

void append_image(ModelInput& input, Random& random) {
  octavo::PixelPatches image;
  image.grid = {1, 2 * random.between(1, 5), 2 * random.between(1, 5)};
  const std::int64_t rows = image.grid.h * image.grid.w;
  image.pixel_values = Tensor::empty(octavo::DType::f32, {rows, 3 * 2 * 4 * 4});
  for (float& value : image.pixel_values.mutable_values<float>()) value = random.normal();
  input.ids.push_back(kVisionStart);
  input.ids.insert(input.ids.end(), static_cast<std::size_t>(rows / 4), kImage);
  input.ids.push_back(kVisionEnd);
  input.images.push_back(std::move(image));
}

/// Text and pictures in any order; at least one token.
ModelInput random_part(Random& random) {
  ModelInput part;
  append_text(part, random, random.between(1, 6));
  for (std::int64_t i = random.between(0, 2); i > 0; --i) {
    append_image(part, random);
    append_text(part, random, random.between(0, 3));
  }
  return part;
}

void append(ModelInput& whole, const ModelInput& part) {
  whole.ids.insert(whole.ids.end(), part.ids.begin(), part.ids.end());
  whole.images.insert(whole.images.end(), part.images.begin(), part.images.end());
}

/// A session and the conversation that it has been fed.
struct Conversation {
  octavo::Session session;
  ModelInput fed;
};

struct Counts {
  std::int64_t models = 0, w8a16_linears = 0, calls = 0, decodes = 0, images = 0, forks = 0, resets = 0, operations = 0;
  std::int64_t batches = 0, batched = 0, mixed = 0;
  double worst = 0;
};

void compare(const octavo::Model& model, const Conversation& talk, const Tensor& cached, Counts& counts) {
  REQUIRE(talk.session.past() == static_cast<std::int64_t>(talk.fed.ids.size()));
  const Tensor all = model.forward(talk.fed);
  const auto last = all.select(0, all.dim(0) - 1).values<float>();
  double apart = 0;
  double size = 1;
  for (std::size_t i = 0; i < last.size(); ++i) {
    apart = std::max(apart, std::fabs(double{cached.values<float>()[i]} - double{last[i]}));
    size = std::max(size, std::fabs(double{last[i]}));
  }
  counts.worst = std::max(counts.worst, apart / size);
  REQUIRE(apart <= 1e-4 * size);  // float32, summed in another order; the golden tests' bound
}

void feed_and_compare(const octavo::Model& model, Conversation& talk, const ModelInput& part, Counts& counts) {
  const Tensor cached = talk.session.feed(part);
  append(talk.fed, part);
  compare(model, talk, cached, counts);
  ++counts.calls;
  counts.decodes += part.ids.size() == 1 ? 1 : 0;
  counts.images += static_cast<std::int64_t>(part.images.size());
}

/// All conversations in one call, each a step of its own kind.
void feed_batch_and_compare(const octavo::Model& model, std::vector<Conversation>& talks, Random& random,
                            Counts& counts) {
  std::vector<octavo::Session*> sessions;
  std::vector<ModelInput> parts;
  std::int64_t decodes = 0;
  for (Conversation& talk : talks) {
    ModelInput part;
    if (random.between(0, 1) == 0) {
      append_text(part, random, 1);
    } else {
      part = random_part(random);
    }
    decodes += part.ids.size() == 1 ? 1 : 0;
    counts.images += static_cast<std::int64_t>(part.images.size());
    sessions.push_back(&talk.session);
    append(talk.fed, part);
    parts.push_back(std::move(part));
  }
  const Tensor logits = octavo::Session::feed(sessions, parts);
  for (std::size_t i = 0; i < talks.size(); ++i)
    compare(model, talks[i], logits.select(0, static_cast<std::int64_t>(i)), counts);
  ++counts.batches;
  counts.batched += static_cast<std::int64_t>(talks.size());
  counts.mixed += decodes > 0 && decodes < static_cast<std::int64_t>(talks.size()) ? 1 : 0;
}

std::string described(const std::vector<octavo::TraceValue>& values) {
  std::string text;
  for (const octavo::TraceValue& value : values)
    text += " " + value.name + (value.is_weight ? " (weight) " : " ") + octavo::dtype_name(value.dtype) +
            value.shape.to_string();
  return text;
}

/// All that plan and run must agree on; not what is alive, which a run does not count.
std::string described(const octavo::TraceRecord& record) {
  std::string text = record.module_path + " " + record.contract;
  for (const octavo::TraceDim& dim : record.dims) text += " " + dim.letter + "=" + std::to_string(dim.value);
  return text + described(record.arguments) + " ->" + described(record.outputs) + " (" + record.note + ") " +
         std::to_string(record.workspace_bytes);
}

/// A planned call against what `run` records: module, operation, every letter, argument and output, as often as
/// planned; and in the planned order, but where sequences are folded.
void compare_with_call(const octavo::PlannedCall* call, const std::function<void()>& run, Counts& counts) {
  REQUIRE(call != nullptr);
  std::vector<std::string> planned;
  for (const octavo::TraceRecord& step : call->steps)
    planned.insert(planned.end(), static_cast<std::size_t>(step.times), described(step));
  octavo::Trace trace;
  {
    const octavo::TraceScope scope(trace);
    run();
  }
  std::vector<std::string> bound;
  for (const octavo::TraceRecord& record : trace.records()) bound.push_back(described(record));
  counts.operations += static_cast<std::int64_t>(bound.size());
  if (call->batch > 1) {
    std::sort(planned.begin(), planned.end());
    std::sort(bound.begin(), bound.end());
  }
  REQUIRE(bound == planned);
}

/// The same grids and the same number of tokens, other words and other pixels.
ModelInput variant(const ModelInput& prompt, Random& random) {
  ModelInput other = prompt;
  for (std::int32_t& id : other.ids)
    if (id < kImage) id = static_cast<std::int32_t>(random.between(0, 39));
  for (octavo::PixelPatches& image : other.images) {
    image.pixel_values = Tensor::empty(octavo::DType::f32, image.pixel_values.shape());
    for (float& value : image.pixel_values.mutable_values<float>()) value = random.normal();
  }
  return other;
}

/// Prefill and decode, of one sequence and of a batch, as planned and as the runtime binds them.
void compare_with_plan(const octavo::Model& model, const std::string& directory, const ModelInput& prompt,
                       Random& random, Counts& counts) {
  octavo::PlanOptions options;
  for (const octavo::PixelPatches& image : prompt.images) options.grids.push_back(image.grid);
  options.prompt_tokens = static_cast<std::int64_t>(prompt.ids.size());
  options.max_new_tokens = 2;  // the planned decode is then the one behind the prompt
  options.batch = random.between(2, 4);
  const octavo::ModelPlan plan = octavo::plan_model(octavo::Checkpoint::open(directory), options);
  const octavo::PlannedCall* prefill = plan.find(octavo::CallKind::prefill);
  REQUIRE(prefill != nullptr);
  ModelInput word;
  append_text(word, random, 1);
  octavo::Session session(model, prefill->cache_capacity);
  compare_with_call(
      prefill, [&] { session.feed(prompt); }, counts);
  compare_with_call(
      plan.find(octavo::CallKind::decode), [&] { session.feed(word); }, counts);

  const auto count = static_cast<std::size_t>(options.batch);
  std::vector<octavo::Session> batch;
  std::vector<octavo::Session*> sessions;
  std::vector<ModelInput> prompts;
  for (std::size_t i = 0; i < count; ++i) {
    batch.emplace_back(model, prefill->cache_capacity);
    prompts.push_back(variant(prompt, random));
  }
  for (octavo::Session& each : batch) sessions.push_back(&each);
  const std::vector<ModelInput> words(count, word);
  compare_with_call(
      plan.find(octavo::CallKind::batch_prefill), [&] { octavo::Session::feed(sessions, prompts); }, counts);
  compare_with_call(
      plan.find(octavo::CallKind::batch_decode), [&] { octavo::Session::feed(sessions, words); }, counts);
}

}  // namespace

TEST_CASE("any sequence of calls equals one uncached run, and the plan says what each operation binds") {
  Counts counts;
  for (unsigned seed = 1; seed <= 24; ++seed) {
    Random random(seed);
    const std::string config = random_config(random);
    INFO("seed " << seed << ": " << config);
    const golden::TemporaryDirectory scratch;
    const std::string directory = scratch.path("model");
    // Float arithmetic only: int8 activations may round to a neighbour when sums are taken in another order.
    write_model(directory, config, random,
                {random.of<std::vector<StoredScheme>>(
                     {{StoredScheme::none}, {StoredScheme::w8a16}, {StoredScheme::none, StoredScheme::w8a16}}),
                 {},
                 {}});
    for (const octavo::ExpectedTensor& tensor : octavo::expected_tensors(octavo::Checkpoint::open(directory)))
      counts.w8a16_linears += tensor.scheme == StoredScheme::w8a16 ? 1 : 0;
    const octavo::Model model = octavo::Model::open(directory);
    ++counts.models;
    compare_with_plan(model, directory, random_part(random), random, counts);

    std::vector<Conversation> talks;
    talks.push_back({octavo::Session(model, 400), {}});
    for (int step = 0; step < 10; ++step) {
      Conversation& talk =
          talks[static_cast<std::size_t>(random.between(0, static_cast<std::int64_t>(talks.size()) - 1))];
      const std::int64_t action = random.between(0, 9);
      if (action == 0) {
        talk.session.reset();
        talk.fed = {};
        ++counts.resets;
      } else if (action <= 2 && talks.size() < 3) {
        Conversation branch{talk.session.fork(), talk.fed};
        talks.push_back(std::move(branch));
        ++counts.forks;
        continue;  // `talk` may have moved
      }
      if (action >= 8 && talks.size() > 1) {
        feed_batch_and_compare(model, talks, random, counts);
        continue;
      }
      ModelInput part;
      if (action >= 6) {
        append_text(part, random, 1);  // a decode step
      } else {
        part = random_part(random);
      }
      feed_and_compare(model, talk, part, counts);
    }
    for (Conversation& talk : talks) {  // the branches did not disturb each other
      ModelInput one;
      append_text(one, random, 1);
      feed_and_compare(model, talk, one, counts);
    }
  }
  std::cout << "[report] property: " << counts.models << " architectures, " << counts.calls << " calls ("
            << counts.decodes << " of one token, " << counts.images << " images, " << counts.forks << " forks, "
            << counts.resets << " resets) and " << counts.batches << " calls of " << counts.batched
            << " sequences together (" << counts.mixed << " of decoding and reading ones), worst relative difference "
            << counts.worst << "; " << counts.operations << " operations bound as planned; " << counts.w8a16_linears
            << " linears in W8A16\n";
  REQUIRE(counts.mixed > 0);  // the seeds reach what the test is for
  REQUIRE(counts.w8a16_linears > 0);
}

TEST_CASE("the plan binds each linear by the scheme that it is stored in") {
  std::set<std::string> seen;
  for (unsigned seed = 101; seed <= 106; ++seed) {
    Random random(seed);
    const std::string config = random_config(random);
    INFO("seed " << seed << ": " << config);
    const golden::TemporaryDirectory scratch;
    const std::string directory = scratch.path("model");
    write_model(directory, config, random,
                {{StoredScheme::none, StoredScheme::w8a8_dynamic, StoredScheme::w8a16}, {}, {}});
    const octavo::Model model = octavo::Model::open(directory);
    Counts counts;
    compare_with_plan(model, directory, random_part(random), random, counts);
    const octavo::ModelPlan plan = octavo::plan_model(octavo::Checkpoint::open(directory), {});
    for (const octavo::TraceRecord& step : plan.find(octavo::CallKind::decode)->steps)
      if (step.operation.starts_with("linear")) seen.emplace(step.operation);
  }
  REQUIRE(seen == std::set<std::string>{"linear", "linear_w8a16", "linear_w8a8"});
}
