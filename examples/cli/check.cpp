#include <cstdio>
#include <exception>
#include <octavo/octavo.hpp>
#include <string>
#include <vector>

#include "commands.hpp"

namespace cli {

const Command kCheck{
    "check",
    "MODEL [--against ORIGINAL] [--image HxW ...] [--prompt-tokens N] [--tensor-parallel N] [--plan] [--json]",
    "Checks config.json, every tensor's name, shape and type, the files beside them, and every "
    "operation's shapes, without reading a weight. Exits 1 with every problem found.",
    "octavo check Qwen2.5-VL-3B --image 1080x1920 --tensor-parallel 4",
    1,
    {{"--image", "HxW", "a picture of the planned prompt, in pixels; again for more"},
     {"--prompt-tokens", "N", "tokens of the prompt, images included (64 and the images')"},
     {"--max-new-tokens", "N", "tokens of the answer (256)"},
     {"--tensor-parallel", "N", "can each dimension be cut for N ranks of a serving engine?"},
     {"--plan", "", "every operation of every call, and the memory that they take"},
     {"--against", "ORIGINAL", "compare with the model it was made from; exits 1 when anything is wrong"},
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

namespace {

octavo::ImageSize image_size(const std::string& text) {
  const std::size_t cross = text.find_first_of("xX");
  try {
    std::size_t used = 0;
    const std::int64_t height = std::stoll(text, &used);
    if (cross == used) {
      const std::string rest = text.substr(cross + 1);
      const std::int64_t width = std::stoll(rest, &used);
      if (used == rest.size() && height > 0 && width > 0) return {height, width};
    }
  } catch (const std::exception&) {
    // said below
  }
  throw UsageError("--image is \"" + text + "\", height and width in pixels are needed: --image 1080x1920");
}

void print_problem(const octavo::CheckProblem& problem) {
  std::fprintf(problem.fatal ? stderr : stdout, "%s: %s%s%s\n", problem.fatal ? "problem" : "note",
               problem.what.c_str(), problem.remedy.empty() ? "" : "; ", problem.remedy.c_str());
}

void print_dims(const std::vector<octavo::ParallelDim>& dims) {
  if (dims.empty()) return;
  std::printf("%-48s %8s %9s  %s\n", "dimension", "value", "per rank", "multiple of");
  for (const octavo::ParallelDim& dim : dims)
    std::printf("%-48s %8lld %9s  %s\n", dim.field.c_str(), static_cast<long long>(dim.value),
                dim.divides ? std::to_string(dim.per_rank).c_str() : "-",
                !dim.divides         ? "does not divide"
                : dim.alignment == 0 ? "none of 16 .. 128"
                                     : std::to_string(dim.alignment).c_str());
}

}  // namespace

int run_check(const Args& args) {
  if (args.has("--against")) {
    for (const char* name : {"--image", "--prompt-tokens", "--max-new-tokens", "--tensor-parallel", "--plan"})
      if (args.has(name)) throw UsageError(std::string(name) + " and --against exclude each other: run check twice");
    return run_compare(args);
  }
  for (const char* name : {"--no-values", "--html"})
    if (args.has(name)) throw UsageError(std::string(name) + " needs --against ORIGINAL");
  octavo::CheckOptions options;
  for (const std::string& image : args.all("--image")) options.images.push_back(image_size(image));
  options.prompt_tokens = args.integer("--prompt-tokens", 0, 1);
  options.max_new_tokens = args.integer("--max-new-tokens", options.max_new_tokens, 0);
  options.tensor_parallel = args.integer("--tensor-parallel", 0, 1);
  options.keep_plan = args.has("--plan");
  const octavo::CheckResult result = octavo::check(args.positional(0), options);
  if (args.has("--json")) {
    std::printf("%s\n", result.to_json().dump(2).c_str());
    return result.ok() ? 0 : 1;
  }
  if (result.plan) std::printf("%s\n", result.plan->to_text().c_str());
  print_dims(result.tensor_parallel);
  for (const octavo::CheckProblem& problem : result.problems) print_problem(problem);
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
