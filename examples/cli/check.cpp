#include <cstdio>
#include <octavo/octavo.hpp>

#include "commands.hpp"

namespace cli {

const Command kCheck{
    "check",
    "MODEL [--against ORIGINAL] [--json]",
    "Checks every tensor's name, shape and type against config.json, from the headers alone. Exits 1 "
    "with every problem found.",
    "octavo check Qwen2.5-VL-3B",
    1,
    {{"--against", "ORIGINAL", "compare with the model it was made from; exits 1 when anything is wrong"},
     {"--no-values", "", "with --against: read no weights"},
     {"--html", "FILE", "with --against: the comparison as a page"},
     {"--threads", "N", "threads to use"},
     {"--json", "", "one JSON document on standard output"}}};

const Command kInspect{"inspect",
                       "MODEL [--json]",
                       "Shows what a model directory holds.",
                       "octavo inspect Qwen2.5-VL-3B-w8a8",
                       1,
                       {{"--json", "", "one JSON document on standard output, every tensor included"}}};

int run_check(const Args& args) {
  if (args.has("--against")) return run_compare(args);
  for (const char* name : {"--no-values", "--html"})
    if (args.has(name)) throw UsageError(std::string(name) + " needs --against ORIGINAL");
  const octavo::CheckResult result = octavo::check(args.positional(0));
  if (args.has("--json")) {
    std::printf("%s\n", result.to_json().dump(2).c_str());
    return result.ok() ? 0 : 1;
  }
  for (const octavo::CheckProblem& problem : result.problems)
    std::fprintf(problem.fatal ? stderr : stdout, "%s: %s%s%s\n", problem.fatal ? "problem" : "note",
                 problem.what.c_str(), problem.remedy.empty() ? "" : "; ", problem.remedy.c_str());
  if (result.ok())
    std::printf("%s: %lld tensors fit the configuration (%.1f ms)\n", args.positional(0).c_str(),
                static_cast<long long>(result.tensors), result.seconds * 1e3);
  return result.ok() ? 0 : 1;
}

int run_inspect(const Args& args) {
  const octavo::Json document = octavo::inspect(args.positional(0)).build();
  if (args.has("--json")) {
    std::printf("%s\n", document.dump(2).c_str());
    return 0;
  }
  for (const char* key : {"model_type", "quantized", "parameters", "bytes", "int8_linears", "shards"})
    std::printf("%-14s %s\n", key, document.at(key).dump().c_str());
  const octavo::Json tensors = document.at("tensors");
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const octavo::Json tensor = tensors.at(i);
    std::printf("  %-5s %-20s %s\n", tensor.at("dtype").as_string().c_str(), tensor.at("shape").dump().c_str(),
                tensor.at("name").as_string().c_str());
  }
  return 0;
}

}  // namespace cli
