// The plan must say what the runtime does. Shapes are compared with those of real runs; bytes with what the runtime
// reports; and a few are spelled out by hand from the published dimensions.
#include "octavo/plan.hpp"

#include <map>

#include "golden.hpp"
#include "octavo/blockwise.hpp"
#include "octavo/model_contracts.hpp"
#include "octavo/session.hpp"

using golden::message_of;
using golden::Values;
using octavo::CallKind;
using octavo::PlannedCall;
using octavo::Shape;
using octavo::TraceRecord;

namespace {

const TraceRecord* find_step(const PlannedCall& call, const std::string& module, std::string_view operation) {
  for (const TraceRecord& step : call.steps)
    if (step.module_path == module && step.operation == operation) return &step;
  return nullptr;
}

const TraceRecord& step_of(const PlannedCall& call, const std::string& module, std::string_view operation) {
  const TraceRecord* step = find_step(call, module, operation);
  INFO(module << " " << operation);
  REQUIRE(step != nullptr);
  return *step;
}

std::string input_of(const TraceRecord& step, std::string_view name) {
  const octavo::TraceValue* value = step.argument(name);
  return value == nullptr ? "none" : value->shape.to_string();
}

/// The plan of a golden prompt, as Model::forward runs it.
octavo::ModelPlan plan_of(const std::string& name, const octavo::ModelInput& input, std::int64_t max_new_tokens = 8) {
  octavo::PlanOptions options;
  for (const octavo::PixelPatches& image : input.images) options.grids.push_back(image.grid);
  options.prompt_tokens = static_cast<std::int64_t>(input.ids.size());
  options.max_new_tokens = max_new_tokens;
  options.all_logits = true;
  return octavo::plan_model(octavo::Checkpoint::open(golden::directory(name)), options);
}

octavo::JsonBuilder without(const octavo::Json& object, std::string_view key) {
  return octavo::JsonBuilder(object).erase(key);
}

/// A call's steps by module and operation, and the how-manieth of its kind.
std::map<std::string, octavo::Json> by_operation(const octavo::Json& steps) {
  std::map<std::string, octavo::Json> found;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const octavo::Json step = steps.at(i);
    const std::string name = step.at("module").as_string() + " " + step.at("operation").as_string();
    std::size_t number = 1;
    while (!found.emplace(name + " " + std::to_string(number), step).second) ++number;
  }
  return found;
}

/// The shape of every linear's input, by the linear that is first to see it.
struct Shapes : octavo::LinearObserver {
  std::map<std::string, std::string> inputs;
  void on_input(const octavo::LinearInfo& linear, const octavo::Tensor& x) override {
    inputs[linear.module_path] = x.shape().to_string();
  }
};

}  // namespace

TEST_CASE("the plan has the shapes that the runtime computes") {
  const std::string name = GENERATE("nested", "flat", "bf16");
  const std::string prompt = GENERATE("text", "one", "two");
  INFO(name << ", " << prompt);
  const octavo::ModelInput input = Values(name).input(prompt);
  const octavo::Model model = octavo::Model::open(golden::directory(name));
  const octavo::ModelPlan plan = plan_of(name, input);
  const PlannedCall* prefill = plan.find(CallKind::prefill);
  REQUIRE(prefill != nullptr);

  std::vector<octavo::Tensor> hidden;
  const octavo::Tensor logits = model.forward(input, &hidden);
  for (std::size_t layer = 0; layer < hidden.size(); ++layer) {
    const std::string path = "model.layers." + std::to_string(layer);
    REQUIRE(step_of(*prefill, path, "residual").outputs[0].shape == hidden[layer].shape());
  }
  REQUIRE(find_step(*prefill, "model.layers." + std::to_string(hidden.size()), "residual") == nullptr);
  REQUIRE(step_of(*prefill, "lm_head", "linear").outputs[0].shape == logits.shape());

  const octavo::Tensor vision = model.encode_images(input);
  const TraceRecord* restored = find_step(*prefill, "visual.merger", "window_restore");
  REQUIRE((restored != nullptr) == vision.defined());
  if (restored != nullptr) {
    REQUIRE(restored->outputs[0].shape == vision.shape());
    REQUIRE(prefill->image_tokens == vision.dim(0));
    REQUIRE(input_of(step_of(*prefill, "model.embed_tokens", "embedding"), "vision") == vision.shape().to_string());
  }
}

TEST_CASE("the plan has the input of every linear of both towers") {
  const std::string name = GENERATE("nested", "flat", "bf16");
  INFO(name);
  const octavo::ModelInput input = Values(name).input("two");
  const octavo::ModelPlan plan = plan_of(name, input);
  const PlannedCall* prefill = plan.find(CallKind::prefill);
  REQUIRE(prefill != nullptr);
  const auto model = octavo::BlockwiseModel::open(octavo::Checkpoint::open(golden::directory(name)));
  Shapes seen;
  octavo::BlockState state = model->begin_vision(input);
  for (std::int64_t i = 0; i < model->num_blocks(octavo::Tower::vision); ++i)
    model->load_block(octavo::Tower::vision, i)->forward(state, &seen);
  octavo::BlockState language = model->begin_language(input, model->finish_vision(state));
  for (std::int64_t i = 0; i < model->num_blocks(octavo::Tower::language); ++i)
    model->load_block(octavo::Tower::language, i)->forward(language, &seen);
  REQUIRE(seen.inputs.size() == static_cast<std::size_t>(4 * (model->num_blocks(octavo::Tower::vision) +
                                                              model->num_blocks(octavo::Tower::language))));
  for (const auto& [path, shape] : seen.inputs) {
    INFO(path);
    REQUIRE(input_of(step_of(*prefill, path, "linear"), "x") == shape);
  }
}

TEST_CASE("weights and cache take the bytes that the runtime reports") {
  const std::string name = GENERATE("nested", "flat", "bf16");
  INFO(name);
  const octavo::ModelInput input = Values(name).input("one");
  const octavo::Model model = octavo::Model::open(golden::directory(name));
  const octavo::ModelPlan plan = plan_of(name, input);
  REQUIRE(plan.weight_bytes == model.resident_bytes());
  const auto config = octavo::Qwen25VlConfig::parse(model.checkpoint().config());
  for (const PlannedCall& call : plan.calls) {
    if (call.cache_capacity == 0) {
      REQUIRE(call.kv_cache_bytes == 0);
      continue;
    }
    const octavo::KvCache cache(config.text.num_hidden_layers, config.text.num_key_value_heads, config.text.head_dim,
                                call.cache_capacity);
    REQUIRE(call.kv_cache_bytes == cache.size_bytes() * static_cast<std::size_t>(call.batch));
  }
}

TEST_CASE("decode, chunks and the second turn continue where the runtime does") {
  // The runtime's own count of cached positions, driven the way the plan describes.
  const std::string name = GENERATE("nested", "flat", "bf16");
  INFO(name);
  const octavo::ModelInput input = Values(name).input("text");
  const auto prompt = static_cast<std::int64_t>(input.ids.size());
  constexpr std::int64_t kNew = 5;
  octavo::PlanOptions options;
  options.prompt_tokens = prompt;
  options.max_new_tokens = kNew;
  options.second_turn_tokens = 3;
  const octavo::Checkpoint checkpoint = octavo::Checkpoint::open(golden::directory(name));
  const octavo::ModelPlan plan = octavo::plan_model(checkpoint, options);
  const octavo::Model model = octavo::Model::open(golden::directory(name));

  const auto feed = [](octavo::Session& session, std::vector<std::int32_t> ids) {
    octavo::ModelInput part;
    part.ids = std::move(ids);
    return session.feed(part);
  };
  const PlannedCall* turn = plan.find(CallKind::second_turn);
  REQUIRE(turn != nullptr);
  octavo::Session session(model, turn->cache_capacity);
  REQUIRE(feed(session, input.ids).shape() == Shape{model.vocab_size()});
  for (std::int64_t step = 1; step < kNew; ++step) {
    const std::int64_t past = session.past();
    feed(session, {5});
    if (step != kNew - 1) continue;
    const PlannedCall* decode = plan.find(CallKind::decode);  // the last token of the answer
    REQUIRE(decode != nullptr);
    REQUIRE(decode->past == past);
    REQUIRE(decode->kv_len == session.past());
  }
  REQUIRE(turn->past == session.past());
  feed(session, std::vector<std::int32_t>(static_cast<std::size_t>(turn->q_len), 5));
  REQUIRE(turn->kv_len == session.past());
  REQUIRE(session.past() == turn->cache_capacity);  // nothing to spare
  REQUIRE(turn->q_len == 4);                        // the answer's last token and three more

  octavo::Session chunked(model, prompt);
  for (const PlannedCall& call : plan.calls) {
    if (call.kind != CallKind::chunk) continue;
    REQUIRE(call.past == chunked.past());
    const auto begin = input.ids.begin() + static_cast<std::ptrdiff_t>(call.past);
    feed(chunked, std::vector<std::int32_t>(begin, begin + static_cast<std::ptrdiff_t>(call.q_len)));
    REQUIRE(call.kv_len == chunked.past());
  }
  REQUIRE(chunked.past() == prompt);
  // Without a cache, everything but the last token runs again.
  REQUIRE(plan.find(CallKind::uncached)->q_len == prompt + kNew - 1);
}

TEST_CASE("the batched calls share rows, and attend and cache each sequence by itself") {
  octavo::PlanOptions options;
  options.grids = {{1, 4, 6}};
  options.prompt_tokens = 11;
  options.max_new_tokens = 4;
  options.batch = 3;
  const octavo::ModelPlan plan = octavo::plan_model(octavo::Checkpoint::open(golden::directory("nested")), options);
  const PlannedCall* prefill = plan.find(CallKind::batch_prefill);
  const PlannedCall* decode = plan.find(CallKind::batch_decode);
  REQUIRE(prefill != nullptr);
  REQUIRE(decode != nullptr);
  REQUIRE(prefill->image_tokens == 3 * 6);
  REQUIRE(input_of(step_of(*prefill, "model.embed_tokens", "embedding"), "vision") == "[18, 32]");
  REQUIRE(step_of(*prefill, "visual.merger", "window_restore").times == 3);
  // nested: 4 query heads, 2 key/value heads of 8.
  REQUIRE(input_of(step_of(*prefill, "model.layers.0.self_attn.q_proj", "linear"), "x") == "[33, 32]");
  const TraceRecord attention = step_of(*prefill, "model.layers.0.self_attn", "attention");
  REQUIRE(attention.times == 3);
  REQUIRE(input_of(attention, "q") == "[1, 4, 11, 8]");
  REQUIRE(input_of(attention, "k") == "[1, 2, 11, 8]");
  REQUIRE(input_of(attention, "mask") == "none");
  REQUIRE(input_of(step_of(*prefill, "model.layers.0.self_attn.o_proj", "linear"), "x") == "[33, 32]");
  REQUIRE(input_of(step_of(*decode, "model.layers.1.self_attn", "attention"), "v") == "[1, 2, 14, 8]");
  REQUIRE(step_of(*decode, "model.layers.1.self_attn", "kv_append").times == 3);
  REQUIRE(step_of(*decode, "model.layers.1.self_attn", "join_heads").times == 3);
  REQUIRE(step_of(*decode, "model.layers.1.self_attn.o_proj", "linear").times == 1);
  REQUIRE(step_of(*decode, "lm_head", "linear").outputs[0].shape == Shape{3, 272});
  // At swiglu of a decode step, three rows each: hidden, normed, gate, up, cos, sin; and 9 positions of 8 bytes.
  REQUIRE(step_of(*decode, "model.layers.0.mlp", "swiglu").live_bytes == 3 * (4 * (32 + 32 + 56 + 56 + 8 + 8) + 24));
}

TEST_CASE("the bytes alive at an operation, by hand") {
  // One token through nested (hidden 32, intermediate 56): at swiglu the hidden row, the normed row, gate and up are
  // alive, cos and sin (8 each), and 3 positions of 8 bytes.
  octavo::PlanOptions options;
  options.prompt_tokens = 2;
  options.max_new_tokens = 2;
  const octavo::ModelPlan plan = octavo::plan_model(octavo::Checkpoint::open(golden::directory("nested")), options);
  const PlannedCall* decode = plan.find(CallKind::decode);
  REQUIRE(decode != nullptr);
  REQUIRE(step_of(*decode, "model.layers.0.mlp", "swiglu").live_bytes == 4 * (32 + 32 + 56 + 56 + 8 + 8) + 24);
  // Logits: the row, the normed row, 272 logits, and still the tables and positions.
  REQUIRE(step_of(*decode, "lm_head", "linear").live_bytes == 4 * (32 + 32 + 272 + 8 + 8) + 24);
}

TEST_CASE("a broken weight raises the contract's error, with the module and both shapes") {
  // Exactly what Linear::forward says of the same tensors.
  const golden::TemporaryDirectory copy;
  copy.copy_model("bf16");
  const std::string header = copy.read("model.safetensors");
  const std::string key = "\"model.layers.0.mlp.down_proj.weight\":{\"dtype\":\"BF16\",\"shape\":[48,40]";
  REQUIRE(header.find(key) != std::string::npos);
  copy.write(
      "model.safetensors",
      golden::replaced(header, key, "\"model.layers.0.mlp.down_proj.weight\":{\"dtype\":\"BF16\",\"shape\":[40,48]"));
  const octavo::Checkpoint checkpoint = octavo::Checkpoint::open(copy.path());
  octavo::PlanOptions options;
  options.prompt_tokens = 7;
  const octavo::Linear linear = octavo::Linear::floating("model.layers.0.mlp.down_proj",
                                                         checkpoint.tensor("model.layers.0.mlp.down_proj.weight"), {});
  const std::string expected = message_of([&] {
    linear.forward(octavo::Tensor::zeros(octavo::DType::f32, Shape{7, 40}));
  });
  REQUIRE(message_of([&] { octavo::plan_model(checkpoint, options); }) == expected);

  std::vector<octavo::Error> problems;
  const octavo::ModelPlan plan = octavo::plan_model(checkpoint, options, problems);
  REQUIRE(problems.size() == 1);  // once, though seven calls run it
  REQUIRE(step_of(plan.calls[0], "model.layers.0.mlp.down_proj", "linear").problem == expected);
  REQUIRE(step_of(plan.calls[0], "model.layers.0", "residual").problem.empty());
}

TEST_CASE("a plan of distinct blocks alone takes the same bytes") {
  const std::string name = GENERATE("nested", "flat", "bf16");
  const octavo::Checkpoint checkpoint = octavo::Checkpoint::open(golden::directory(name));
  octavo::PlanOptions options;
  options.grids = {{1, 4, 6}};
  const octavo::ModelPlan whole = octavo::plan_model(checkpoint, options);
  options.every_block = false;
  const octavo::ModelPlan distinct = octavo::plan_model(checkpoint, options);
  REQUIRE(distinct.weight_bytes == whole.weight_bytes);
  REQUIRE(distinct.calls.size() == whole.calls.size());
  for (std::size_t i = 0; i < whole.calls.size(); ++i) {
    REQUIRE(distinct.calls[i].steps.size() < whole.calls[i].steps.size());
    REQUIRE(distinct.total_bytes(distinct.calls[i]) == whole.total_bytes(whole.calls[i]));
  }
}

TEST_CASE("the plan's document is the one that was written when both towers still existed on paper, too") {
  // tests/golden/model/plan.json comes from that second writing, before it was replaced by a run over tensors without
  // data. The paper projected q, k and v first and split their heads after; a run splits each as it comes, so that the
  // order differs there, and less is alive at a split than the paper said. It also kept the normed rows of an MLP until
  // its residual was added; a run gives them back before down_proj. And it copied q and k, 24 rows of 24
  // float32 each, out of the vision tower's joined rows; a run takes them where they lie, until proj is through.
  constexpr std::int64_t kCopies = std::int64_t{2} * 24 * 24 * 4;
  octavo::PlanOptions options;
  options.grids = {{1, 4, 6}};
  options.prompt_tokens = 16;
  options.max_new_tokens = 4;
  options.chunk_tokens = 9;
  options.second_turn_tokens = 3;
  options.batch = 3;
  options.every_block = false;
  const octavo::Json now =
      octavo::plan_model(octavo::Checkpoint::open(golden::directory("nested")), options).to_json().build();
  const octavo::Json then = octavo::Json::read_file(std::string(OCTAVO_SOURCE_DIR) + "/tests/golden/model/plan.json");
  REQUIRE(without(now, "calls").dump() == without(then, "calls").dump());
  REQUIRE(now.at("calls").size() == then.at("calls").size());
  for (std::size_t i = 0; i < then.at("calls").size(); ++i) {
    const octavo::Json call = now.at("calls").at(i);
    const octavo::Json old_call = then.at("calls").at(i);
    INFO(old_call.at("kind").as_string());
    const auto rest = [](const octavo::Json& of) {
      return without(without(without(of, "steps").build(), "peak_activation_bytes").build(), "total_bytes").dump();
    };
    REQUIRE(rest(call) == rest(old_call));
    const auto steps = by_operation(call.at("steps"));
    const auto old_steps = by_operation(old_call.at("steps"));
    REQUIRE(steps.size() == old_steps.size());
    std::int64_t peak = 0;
    for (const auto& [operation, old_step] : old_steps) {
      INFO(operation);
      REQUIRE(steps.count(operation) == 1);
      const octavo::Json step = without(steps.at(operation), "contract").build();
      const std::string name = old_step.at("operation").as_string(), module = old_step.at("module").as_string();
      if (name == "split_heads" || name == "residual" || module.find(".mlp.down_proj") != std::string::npos) {
        REQUIRE(without(step, "live_bytes").dump() == without(old_step, "live_bytes").dump());
        REQUIRE(step.at("live_bytes").as_int() <= old_step.at("live_bytes").as_int());
      } else {
        const bool without_copies = module.rfind("visual.blocks.", 0) == 0 &&
                                    (name == "split_qkv" || name == "rotary" || name == "attention" ||
                                     name == "join_heads" || module.find(".attn.proj") != std::string::npos);
        REQUIRE(without(step, "live_bytes").dump() == without(old_step, "live_bytes").dump());
        const std::int64_t alive = old_step.at("live_bytes").as_int() - (without_copies ? kCopies : 0);
        REQUIRE(step.at("live_bytes").as_int() == alive);
        peak = std::max(peak, alive);
      }
    }
    REQUIRE(call.at("peak_activation_bytes").as_int() == peak);
    REQUIRE(call.at("total_bytes").as_int() - peak ==
            old_call.at("total_bytes").as_int() - old_call.at("peak_activation_bytes").as_int());
  }
}

TEST_CASE("a plan that stops at no contract names each broken operation once, and goes on with the promised shapes") {
  // Two weights are stored the other way round.
  const golden::TemporaryDirectory copy;
  copy.copy_model("bf16");
  std::string header = copy.read("model.safetensors");
  const auto misshape = [&](const std::string& name, const std::string& from, const std::string& to) {
    header = golden::replaced(header, "\"" + name + "\":{\"dtype\":\"BF16\",\"shape\":" + from,
                              "\"" + name + "\":{\"dtype\":\"BF16\",\"shape\":" + to);
  };
  misshape("model.layers.0.self_attn.k_proj.weight", "[24,48]", "[48,24]");
  misshape("model.layers.1.mlp.down_proj.weight", "[48,40]", "[40,48]");
  copy.write("model.safetensors", header);
  octavo::PlanOptions options;
  options.prompt_tokens = 7;
  std::vector<octavo::Error> problems;
  const octavo::ModelPlan plan = octavo::plan_model(octavo::Checkpoint::open(copy.path()), options, problems);
  REQUIRE(problems.size() == 2);
  REQUIRE(problems[0].shape() != nullptr);
  REQUIRE(problems[0].shape()->module == "model.layers.0.self_attn.k_proj");
  REQUIRE(problems[1].shape()->module == "model.layers.1.mlp.down_proj");
  const PlannedCall& prefill = plan.calls.front();
  REQUIRE(step_of(prefill, "model.layers.0.self_attn.k_proj", "linear").outputs[0].shape == Shape{7, 24});
  REQUIRE(step_of(prefill, "model.layers.1.mlp.down_proj", "linear").outputs[0].shape == Shape{7, 48});
  std::int64_t broken = 0;
  for (const TraceRecord& step : prefill.steps) broken += step.problem.empty() ? 0 : 1;
  REQUIRE(broken == 2);
}

TEST_CASE("options out of their domain are refused, and the answer is clamped to the model") {
  const octavo::Checkpoint checkpoint = octavo::Checkpoint::open(golden::directory("flat"));  // 256 positions
  octavo::PlanOptions options;
  const auto refusal = [&] { return message_of([&] { octavo::plan_model(checkpoint, options); }); };
  options.grids = {{1, 4, 6}};
  options.prompt_tokens = 7;
  REQUIRE(refusal() ==
          "plan: prompt_tokens is 7, its 1 images alone take 8 (t * h * w / spatial_merge_size^2 and two delimiters "
          "each)");
  options.grids = {{1, 4, 5}};
  REQUIRE(refusal() == "plan: image 0 has the grid 1 x 4 x 5: one frame of whole 2 x 2 groups is needed");
  options.grids.clear();
  options.prompt_tokens = 257;
  REQUIRE(refusal() ==
          "plan: the prompt has 257 tokens, the model takes max_position_embeddings = 256: shorten it or use smaller "
          "images");
  options.prompt_tokens = -1;
  REQUIRE(refusal() == "plan: prompt_tokens is -1, it must be 0 to 4294967296");
  options.prompt_tokens = 200;
  options.max_new_tokens = 100;
  const octavo::ModelPlan plan = octavo::plan_model(checkpoint, options);
  REQUIRE(plan.max_new_tokens == 56);
  REQUIRE(plan.find(CallKind::second_turn)->kv_len == 256);
}

TEST_CASE("a plan prints each distinct block once, and every step as JSON") {
  const octavo::ModelPlan plan = plan_of("bf16", Values("bf16").input("one"));
  const std::string text = plan.to_text();
  REQUIRE(text.find("model.layers.0 to model.layers.1, 2 alike") != std::string::npos);
  REQUIRE(text.find(" visual.blocks.1 to visual.blocks.2, 2 alike") != std::string::npos);  // block 0: full attention
  const octavo::Json json = plan.to_json().build();
  REQUIRE(json.at("calls").size() == plan.calls.size());
  const octavo::Json first = json.at("calls").at(std::size_t{0});
  REQUIRE(first.at("steps").size() == plan.calls[0].steps.size());
  REQUIRE(first.at("steps").at(std::size_t{0}).at("contract").as_string() == octavo::kVisionRotaryContract.text());
}
