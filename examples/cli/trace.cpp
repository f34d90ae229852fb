#include <cstdio>
#include <octavo/octavo.hpp>

#include "commands.hpp"

namespace cli {

const Command kTrace{
    "trace",
    "A.jsonl [B.jsonl] [--bound X] [--last-call] [--json]",
    "Shows a trace that octavo generate --trace wrote, or compares two. Exits 1 when dims differ or values "
    "drift.",
    "octavo trace original.jsonl quantized.jsonl --bound 0.1",
    1,
    {{"--bound", "X", "relative difference of values that is still the same (0.001)"},
     {"--last-call", "", "compare the last call of the language model alone: prefill with decode"},
     {"--json", "", "one JSON document on standard output"}},
    1};

int run_trace(const Args& args) {
  octavo::TraceCompareOptions options;
  options.bound = args.number("--bound", options.bound);
  options.last_call_only = args.has("--last-call");
  if (args.positionals() == 1 && (args.has("--bound") || args.has("--last-call")))
    throw UsageError("--bound and --last-call need two traces: octavo trace A.jsonl B.jsonl");
  const std::vector<octavo::TraceRecord> a = octavo::read_trace(args.positional(0));
  if (args.positionals() == 1) {
    if (!args.has("--json")) {
      std::fputs(octavo::trace_table(a).c_str(), stdout);
      return 0;
    }
    octavo::JsonBuilder records = octavo::JsonBuilder::array();
    for (const octavo::TraceRecord& record : a) records.push(record.to_json());
    std::printf("%s\n", octavo::JsonBuilder::object().set("records", std::move(records)).dump(2).c_str());
    return 0;
  }
  const octavo::TraceComparison result = octavo::compare_traces(a, octavo::read_trace(args.positional(1)), options);
  std::fputs(args.has("--json") ? (result.to_json().dump(2) + "\n").c_str() : result.to_text().c_str(), stdout);
  return result.same() ? 0 : 1;
}

}  // namespace cli
