// octavo trace A.jsonl [B.jsonl]
#include <cstdio>
#include <memory>
#include <optional>
#include <vector>

#include "commands.hpp"

namespace cli {

namespace {

struct TraceCommand {
  std::string first, second;
  std::optional<double> bound;
  bool last_call = false, json = false;
};

int show(const TraceCommand& command, const std::vector<octavo::TraceRecord>& records) {
  if (!command.json) {
    std::fputs(octavo::trace_table(records).c_str(), stdout);
    return 0;
  }
  octavo::JsonBuilder list = octavo::JsonBuilder::array();
  for (const octavo::TraceRecord& record : records) list.push(record.to_json());
  std::printf("%s\n", octavo::JsonBuilder::object().set("records", std::move(list)).dump(2).c_str());
  return 0;
}

int run(const TraceCommand& command) {
  const bool alone = command.second.empty();
  if (alone && (command.bound || command.last_call))
    throw UsageError("--bound and --last-call need two traces: octavo trace A.jsonl B.jsonl");
  const std::vector<octavo::TraceRecord> first = octavo::read_trace(command.first);
  if (alone) return show(command, first);
  octavo::TraceCompareOptions options;
  options.bound = command.bound.value_or(options.bound);
  options.last_call_only = command.last_call;
  const octavo::TraceComparison result = octavo::compare_traces(first, octavo::read_trace(command.second), options);
  std::fputs(command.json ? (result.to_json().dump(2) + "\n").c_str() : result.to_text().c_str(), stdout);
  return result.same() ? 0 : 1;
}

}  // namespace

void add_trace(Program& program) {
  const auto options = std::make_shared<TraceCommand>();
  Command command = program.command("trace", "Running",
                                    "show what generate --trace recorded, or compare two runs\n\nExit status 1 when "
                                    "dimensions differ or values drift.");
  command.positional({"TRACE", ValueKind::file}, options->first, "what octavo generate --trace wrote");
  command.positional({"OTHER", ValueKind::file}, options->second, "a second one, to compare with", false);
  command.group("Comparison");
  command.number("--bound", options->bound, "relative difference of values that is still the same (0.001)");
  command.flag("--last-call", options->last_call,
               "compare the last call of the language model alone: prefill with decode");
  command.group("Output");
  command.json(options->json);
  command.example("octavo trace original.jsonl quantized.jsonl --bound 0.1");
  command.run([options] { return run(*options); });
}

}  // namespace cli
