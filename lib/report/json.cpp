// The report as JSON; the schema is docs/report.md's.
#include "octavo/report.hpp"
#include "sections.hpp"

namespace octavo {
namespace {

JsonBuilder bytes(std::uint64_t count) { return static_cast<std::int64_t>(count); }

JsonBuilder memory_json(const ReportMemory& memory) {
  return JsonBuilder::object()
      .set("prompt_tokens", memory.prompt_tokens)
      .set("max_new_tokens", memory.max_new_tokens)
      .set("original_weights", bytes(memory.original_weights))
      .set("quantized_weights", bytes(memory.quantized_weights))
      .set("kv_cache_per_position", bytes(memory.kv_cache_per_position))
      .set("original_prefill", bytes(memory.original_prefill))
      .set("quantized_prefill", bytes(memory.quantized_prefill))
      .set("original_decode", bytes(memory.original_decode))
      .set("quantized_decode", bytes(memory.quantized_decode));
}

JsonBuilder machine_json(const ReportMachine& machine) {
  return JsonBuilder::object()
      .set("processor", machine.processor)
      .set("processors", machine.processors)
      .set("memory_bytes", bytes(machine.memory_bytes))
      .set("instruction_sets", JsonBuilder::array_of(machine.instruction_sets))
      .set("onednn", machine.onednn)
      .set("onednn_isa", machine.onednn_isa)
      .set("int8_backend", machine.int8_backend)
      .set("threads", machine.threads);
}

}  // namespace

JsonBuilder Report::to_json() const {
  JsonBuilder json = JsonBuilder::object();
  json.set("octavo_version", octavo_version)
      .set("passed", verify.passed)
      .set("original", original_dir)
      .set("quantized", quantized_dir)
      .set("model_type", model_type)
      .set("date", date)
      .set("command", command)
      .set("machine", machine_json(machine))
      .set("seconds", seconds)
      .set("notes", JsonBuilder::array_of(notes));
  json.set("verify", verify.to_json());
  if (compare) json.set("compare", compare->to_json());
  if (attribution) json.set("attribution", attribution->to_json());
  if (memory) json.set("memory", memory_json(*memory));
  try {
    if (const std::optional<Json> given = report::quantization_of(*this)) json.set("quantization", JsonBuilder(*given));
  } catch (const Error&) {
    // What is no JSON cannot be part of one; the page says so.
  }
  return json;
}

}  // namespace octavo
