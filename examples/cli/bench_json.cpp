// octavo bench --json: docs/bench.md describes the document.
#include "bench.hpp"

namespace cli {

namespace {

using octavo::JsonBuilder;

JsonBuilder machine_json(const limits::Machine& machine) {
  JsonBuilder units = JsonBuilder::array();
  for (const limits::UnitRate& unit : machine.units) {
    JsonBuilder entry = JsonBuilder::object();
    entry.set("name", unit.name).set("kind", unit.kind).set("measured", unit.measured);
    if (unit.measured) entry.set("one_thread_gops", unit.one_thread).set("all_threads_gops", unit.all_threads);
    if (!unit.measured) entry.set("missing", unit.missing);
    units.push(std::move(entry));
  }
  JsonBuilder reads = JsonBuilder::array();
  for (const limits::ReadRate& read : machine.reads)
    reads.push(JsonBuilder::object()
                   .set("bytes", read.bytes)
                   .set("one_thread_gb_s", read.one_thread)
                   .set("all_threads_gb_s", read.all_threads));
  return JsonBuilder::object()
      .set("processor", machine.processor)
      .set("threads", machine.threads)
      .set("units", std::move(units))
      .set("reads", std::move(reads));
}

JsonBuilder row_json(const BenchRow& row, const limits::Machine& machine) {
  JsonBuilder entry = JsonBuilder::object();
  entry.set("group", row.group)
      .set("name", row.name)
      .set("details", row.details)
      .set("median_ms", row.seconds * 1e3)
      .set("rounds", row.rounds)
      .set("items", row.items)
      .set("item", row.item);
  const Limit limit = limit_of(row, machine);
  if (limit.seconds <= 0) return entry;
  const Work work = row.work();
  entry
      .set("operations", JsonBuilder::object()
                             .set("int8", work.int8)
                             .set("bf16", work.bf16)
                             .set("f32", work.f32)
                             .set("f32_by_bf16", work.f32_by_bf16)
                             .set("f32_by_int8", work.f32_by_int8))
      .set("exps", work.exps)
      .set("bytes", work.bytes)
      .set("limit_ms", limit.seconds * 1e3)
      .set("binds", limit.binds)
      .set("share", limit.seconds / row.seconds);
  return entry;
}

JsonBuilder build_json() {
  const octavo::BuildInfo info = octavo::build_info();
  return JsonBuilder::object()
      .set("octavo", info.version)
      .set("compiler", info.compiler)
      .set("build_type", info.build_type)
      .set("onednn", info.onednn_running)
      .set("int8_backend", octavo::int8_backend_in_use());
}

}  // namespace

JsonBuilder bench_json(const BenchResult& result) {
  JsonBuilder rows = JsonBuilder::array();
  for (const BenchRow& row : result.rows) rows.push(row_json(row, result.machine));
  JsonBuilder left_out = JsonBuilder::array();
  for (const LeftOut& left : result.left_out)
    left_out.push(JsonBuilder::object().set("name", left.name).set("why", left.why));
  JsonBuilder document = JsonBuilder::object();
  document.set("schema", "octavo.bench/1")
      .set("build", build_json())
      .set("machine", machine_json(result.machine))
      .set("rows", std::move(rows))
      .set("left_out", std::move(left_out));
  if (result.memory) {
    JsonBuilder memory = JsonBuilder::object();
    memory.set("language_weights", result.memory->dtype).set("weight_bytes", result.memory->weight_bytes);
    memory.set("picture_side", result.memory->side).set("prompt_tokens", result.memory->prompt_tokens);
    if (result.memory->peak_bytes) memory.set("peak_bytes", *result.memory->peak_bytes);
    document.set("memory", std::move(memory));
  }
  return document;
}

}  // namespace cli
