// A plan as text, equal blocks shown once, and as JSON.
#include <algorithm>
#include <array>
#include <cstdio>
#include <string>

#include "octavo/plan.hpp"

namespace octavo {
namespace {

std::string megabytes(std::uint64_t bytes) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.1f MB", static_cast<double>(bytes) / 1e6);
  return text.data();
}

std::string padded(std::string text, std::size_t width) {
  text.resize(std::max(text.size(), width), ' ');
  return text;
}

/// "model.layers.12" of "model.layers.12.self_attn"; "" outside of blocks.
std::string_view block_of(std::string_view path) {
  for (std::size_t dot = path.find('.'); dot != std::string_view::npos; dot = path.find('.', dot + 1)) {
    const std::string_view parent = path.substr(0, dot);
    if (!parent.ends_with("layers") && !parent.ends_with("blocks")) continue;
    std::size_t end = dot + 1;
    while (end < path.size() && path[end] >= '0' && path[end] <= '9') ++end;
    if (end > dot + 1) return path.substr(0, end);
  }
  return {};
}

/// A record's arguments, weights or else activations.
std::vector<TraceValue> arguments_of(const TraceRecord& step, bool weights) {
  std::vector<TraceValue> chosen;
  for (const TraceValue& value : step.arguments)
    if (value.is_weight == weights) chosen.push_back(value);
  return chosen;
}

std::string tensors_text(const std::vector<TraceValue>& tensors) {
  std::string text;
  for (const TraceValue& tensor : tensors)
    text += (text.empty() ? "" : "  ") + tensor.name + " " + dtype_name(tensor.dtype) + tensor.shape.to_string();
  return text;
}

std::string step_text(const TraceRecord& step, std::size_t prefix) {
  std::string text = "  " + padded(step.module_path.substr(prefix), 26) + " " + padded(step.operation, 14) + " ";
  const std::vector<TraceValue> inputs = arguments_of(step, false);
  const std::vector<TraceValue> weights = arguments_of(step, true);
  text += tensors_text(inputs);
  if (!weights.empty()) text += (inputs.empty() ? "" : "  ") + tensors_text(weights);
  text += "  ->  " + tensors_text(step.outputs);
  if (step.times != 1) text += "  (" + std::to_string(step.times) + " times)";
  if (!step.note.empty()) text += "  (" + step.note + ")";
  text += "\n";
  if (!step.problem.empty()) text += "    PROBLEM: " + step.problem + "\n";
  return text;
}

/// The steps of one block, or of what lies between blocks.
struct Run {
  std::string_view block;
  std::string text;  // without the block's own path: equal blocks have equal texts
};

std::vector<Run> runs_of(const PlannedCall& call) {
  std::vector<Run> runs;
  for (const TraceRecord& step : call.steps) {
    const std::string_view block = block_of(step.module_path);
    if (runs.empty() || runs.back().block != block) runs.push_back({block, ""});
    runs.back().text += step_text(step, block.size());
  }
  return runs;
}

std::string call_head(const ModelPlan& plan, const PlannedCall& call) {
  std::string text = std::string(call_kind_name(call.kind)) + " (" + call.note + "): ";
  if (call.batch != 1) text += "batch " + std::to_string(call.batch) + ", ";
  text += "past " + std::to_string(call.past) + " + new " + std::to_string(call.q_len) + " = kv_len " +
          std::to_string(call.kv_len);
  if (call.image_tokens > 0) text += ", image tokens " + std::to_string(call.image_tokens);
  text += call.cache_capacity > 0 ? ", cache of " + std::to_string(call.cache_capacity) : std::string(", no cache");
  return text + ", " + megabytes(plan.total_bytes(call)) + "\n";
}

JsonBuilder tensors_json(const std::vector<TraceValue>& tensors) {
  JsonBuilder list = JsonBuilder::array();
  for (const TraceValue& tensor : tensors) {
    JsonBuilder shape = JsonBuilder::array();
    for (const std::int64_t extent : tensor.shape.dims()) shape.push(extent);
    list.push(JsonBuilder::object()
                  .set("name", tensor.name)
                  .set("dtype", dtype_name(tensor.dtype))
                  .set("shape", std::move(shape))
                  .set("bytes", static_cast<std::size_t>(tensor.size_bytes())));
  }
  return list;
}

JsonBuilder step_json(const TraceRecord& step) {
  JsonBuilder dims = JsonBuilder::object();
  for (const TraceDim& dim : step.dims) dims.set(dim.letter, dim.value);
  JsonBuilder json = JsonBuilder::object();
  json.set("module", step.module_path).set("operation", step.operation).set("contract", step.contract);
  json.set("dims", std::move(dims));
  json.set("inputs", tensors_json(arguments_of(step, false)));
  json.set("weights", tensors_json(arguments_of(step, true)));
  json.set("outputs", tensors_json(step.outputs));
  if (step.times != 1) json.set("times", step.times);
  json.set("workspace_bytes", static_cast<std::size_t>(step.workspace_bytes));
  json.set("live_bytes", static_cast<std::size_t>(step.live_bytes));
  if (!step.note.empty()) json.set("note", step.note);
  if (!step.problem.empty()) json.set("problem", step.problem);
  return json;
}

}  // namespace

std::string ModelPlan::to_text() const {
  std::string text = model_type + ": prompt of " + std::to_string(prompt_tokens) + " tokens, up to " +
                     std::to_string(max_new_tokens) + " new ones\n\nmemory\n";
  text += "  weights        " + megabytes(weight_bytes) + "\n";
  text += "  KV cache       " + std::to_string(kv_cache_bytes_per_position) + " bytes per position\n";
  for (const PlannedCall& call : calls)
    text += "  " + padded(call_kind_name(call.kind), 14) + " " + megabytes(total_bytes(call)) + "  (cache " +
            megabytes(call.kv_cache_bytes) + ", activations " + megabytes(call.peak_activation_bytes) + ")\n";
  for (const PlannedCall& call : calls) {
    text += "\n" + call_head(*this, call);
    const std::vector<Run> runs = runs_of(call);
    for (std::size_t i = 0; i < runs.size();) {
      std::size_t end = i + 1;
      while (end < runs.size() && !runs[i].block.empty() && runs[end].text == runs[i].text) ++end;
      if (!runs[i].block.empty()) {
        text += " " + std::string(runs[i].block);
        if (end > i + 1) text += " to " + std::string(runs[end - 1].block) + ", " + std::to_string(end - i) + " alike";
        text += "\n";
      }
      text += runs[i].text;
      i = end;
    }
  }
  return text;
}

JsonBuilder ModelPlan::to_json() const {
  JsonBuilder list = JsonBuilder::array();
  for (const PlannedCall& call : calls) {
    JsonBuilder steps = JsonBuilder::array();
    for (const TraceRecord& step : call.steps) steps.push(step_json(step));
    JsonBuilder json = JsonBuilder::object();
    json.set("kind", call_kind_name(call.kind)).set("note", call.note).set("batch", call.batch);
    json.set("past", call.past).set("q_len", call.q_len).set("kv_len", call.kv_len);
    json.set("image_tokens", call.image_tokens).set("cache_capacity", call.cache_capacity);
    json.set("kv_cache_bytes", static_cast<std::size_t>(call.kv_cache_bytes));
    json.set("peak_activation_bytes", static_cast<std::size_t>(call.peak_activation_bytes));
    json.set("total_bytes", static_cast<std::size_t>(total_bytes(call)));
    json.set("steps", std::move(steps));
    list.push(std::move(json));
  }
  JsonBuilder json = JsonBuilder::object();
  json.set("model_type", model_type).set("prompt_tokens", prompt_tokens).set("max_new_tokens", max_new_tokens);
  json.set("weight_bytes", static_cast<std::size_t>(weight_bytes));
  json.set("kv_cache_bytes_per_position", static_cast<std::size_t>(kv_cache_bytes_per_position));
  json.set("calls", std::move(list));
  return json;
}

}  // namespace octavo
