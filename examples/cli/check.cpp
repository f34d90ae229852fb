// octavo check MODEL
#include <cstdio>
#include <exception>
#include <memory>
#include <optional>
#include <vector>

#include "commands.hpp"

namespace cli {

namespace {

struct CheckCommand {
  std::string model;
  std::vector<std::string> images;
  std::optional<std::int64_t> prompt_tokens, max_new_tokens, tensor_parallel;
  bool plan = false, json = false, no_values = false, quiet = false;
  std::optional<std::string> against, html;
};

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

int run_alone(const CheckCommand& command) {
  if (command.no_values) throw UsageError("--no-values needs --against ORIGINAL");
  if (command.html) throw UsageError("--html needs --against ORIGINAL");
  octavo::CheckOptions options;
  for (const std::string& image : command.images) options.images.push_back(image_size(image));
  options.prompt_tokens = command.prompt_tokens.value_or(options.prompt_tokens);
  options.max_new_tokens = command.max_new_tokens.value_or(options.max_new_tokens);
  options.tensor_parallel = command.tensor_parallel.value_or(options.tensor_parallel);
  options.keep_plan = command.plan;
  const octavo::CheckResult result = octavo::check(command.model, options);
  if (command.json) {
    std::printf("%s\n", result.to_json().dump(2).c_str());
    return result.ok() ? 0 : 1;
  }
  if (result.plan) std::printf("%s\n", result.plan->to_text().c_str());
  print_dims(result.tensor_parallel);
  for (const octavo::CheckProblem& problem : result.problems) print_problem(problem);
  if (result.ok())
    std::printf("%s: %lld tensors fit the configuration (%.1f ms)\n", command.model.c_str(),
                static_cast<long long>(result.tensors), result.seconds * 1e3);
  return result.ok() ? 0 : 1;
}

int run(const CheckCommand& command) {
  if (!command.against) return run_alone(command);
  const char* of_the_plan = !command.images.empty()   ? "--image"
                            : command.prompt_tokens   ? "--prompt-tokens"
                            : command.max_new_tokens  ? "--max-new-tokens"
                            : command.tensor_parallel ? "--tensor-parallel"
                            : command.plan            ? "--plan"
                                                      : nullptr;
  if (of_the_plan != nullptr)
    throw UsageError(std::string(of_the_plan) + " and --against exclude each other: run check twice");
  return run_compare(
      {command.model, *command.against, command.html.value_or(""), command.no_values, command.json, command.quiet});
}

}  // namespace

void add_check(Program& program) {
  const auto options = std::make_shared<CheckCommand>();
  Command command =
      program.command("check", "Models",
                      "find everything wrong with a model directory, without reading a weight\n\nChecks config.json, "
                      "every tensor's name, shape and type, the files beside them, and every operation's shapes. Exit "
                      "status 1 with every problem found.");
  command.positional({"MODEL", ValueKind::directory}, options->model, "the model directory");
  command.group("Planned call");
  command.texts("-i,--image", {"HxW"}, options->images, "a picture of the prompt, in pixels; again for more");
  command.integer("--prompt-tokens", options->prompt_tokens, 1,
                  "tokens of the prompt, images included (64 and the images')");
  command.integer("-n,--max-new-tokens", options->max_new_tokens, 0, "tokens of the answer (256)");
  command.integer("--tensor-parallel", options->tensor_parallel, 1,
                  "can each dimension be cut for N ranks of a serving engine?");
  command.group("Comparison");
  command.text("--against", {"ORIGINAL", ValueKind::directory}, options->against,
               "compare with the model it was made from; exit status 1 when anything is wrong");
  command.flag("--no-values", options->no_values, "with --against: read no weights");
  command.text("--html", {"FILE", ValueKind::file}, options->html, "with --against: the comparison as a page");
  command.group("Output");
  command.flag("--plan", options->plan, "every operation of every call, and the memory that they take");
  command.json(options->json);
  command.quiet(options->quiet);
  command.threads();
  command.example("octavo check Qwen2.5-VL-3B --image 1080x1920 --tensor-parallel 4");
  command.run([options] { return run(*options); });
}

}  // namespace cli
