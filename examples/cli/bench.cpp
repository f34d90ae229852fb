// octavo bench [MODEL]
#include "bench.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <memory>

#include "commands.hpp"
#include "run_options.hpp"

namespace cli {

namespace {

using octavo::JsonBuilder;

struct BenchCommand {
  BenchSettings settings;
  RunOptions run;
  std::optional<std::string> only, svg;
  bool json = false, quiet = false;
};

constexpr std::array<std::string_view, 4> kGroups{"linear", "attention", "picture", "model"};
constexpr std::string_view kSvgMark = "<!-- octavo bench -->";

// What can be refused before the work.
void check(const BenchCommand& command) {
  const std::optional<std::string>& only = command.only;
  if (only && std::find(kGroups.begin(), kGroups.end(), *only) == kGroups.end())
    throw UsageError("--only is \"" + *only + "\", one of linear, attention, picture, model is needed");
  if (only == "model" && command.settings.model.empty()) throw UsageError("--only model needs MODEL");
  if (command.svg) octavo::check_new_file(*command.svg, kSvgMark);
}

BenchResult measure(const BenchCommand& command) {
  const BenchSettings& settings = command.settings;
  const bool with_model = !settings.model.empty();
  const auto asked = [&](const char* group) { return !command.only || *command.only == group; };
  // Where there is a model, half of the time is its; a group alone has all of it.
  const auto seconds = [&](double share) {
    return static_cast<double>(settings.seconds) * (command.only ? 1 : with_model ? share / 2 : share);
  };
  const auto say = [&](const std::string& what) {
    octavo::check_cancelled();
    if (!command.quiet) std::fprintf(stderr, "measuring %s\n", what.c_str());
  };
  BenchResult result;
  std::vector<LinearShape> shapes = default_shapes(settings.full);
  if (with_model) shapes = shapes_of(octavo::Model::open(settings.model));
  if (with_model && asked("model")) {
    say("memory");
    result.memory = measure_memory(settings);
  }
  say("the machine");
  result.machine = limits::measure();
  if (const std::size_t read = result.machine.reads.back().bytes; read < result.machine.beyond_caches)
    result.left_out.push_back({"reading " + std::to_string(result.machine.beyond_caches >> 20) + " MiB",
                               "the process may not have so much memory; the " + std::to_string(read >> 20) +
                                   " MiB that were read may lie in a cache"});
  if (asked("linear")) {
    say("linears");
    bench_linears(shapes, settings, seconds(0.6), result);
  }
  if (asked("attention")) {
    say("attention");
    bench_attention(settings, seconds(0.35), result);
  }
  if (asked("picture")) {
    say("pictures");
    bench_picture(seconds(0.05), result);
  }
  if (with_model && asked("model")) {
    say("the model");
    bench_model(settings, seconds(1), result);
  }
  octavo::check_cancelled();
  return result;
}

BenchResult measure_until_interrupted(const BenchCommand& command) {
  const octavo::CancelScope scope(&interrupted);
  try {
    return measure(command);
  } catch (const octavo::Error& error) {
    if (error.code() != octavo::ErrorCode::cancelled) throw;
    throw octavo::Error(octavo::ErrorCode::cancelled, "bench: cancelled; nothing was written");
  }
}

JsonBuilder run_json(const RunOptions& options) {
  return JsonBuilder::object()
      .set("math", options.math)
      .set("lm_head", options.lm_head)
      .set("kv_cache", options.kv_cache);
}

int run(BenchCommand command) {
  check(command);
  command.settings.model_options = command.run.model();
  command.settings.cache_dtype = command.run.cache_dtype();
  const BenchResult result = measure_until_interrupted(command);
  if (command.svg) {
    const std::string page = bench_svg(result);
    const octavo::NewFile file{*command.svg, page, kSvgMark};
    octavo::write_files({&file, 1});
  }
  if (command.json)
    std::printf("%s\n", bench_json(result).set("run", run_json(command.run)).dump(2).c_str());
  else
    print_table(result);
  return 0;
}

}  // namespace

void add_bench(Program& program) {
  const auto options = std::make_shared<BenchCommand>();
  BenchSettings& settings = options->settings;
  Command command =
      program.command("bench", "Running",
                      "measure this machine, linear layers, attention and a model\n\nFirst the machine's limits, then "
                      "what comes near them: linear layers as W8A8, W8A16 and bf16, attention, a picture, and "
                      "MODEL. Each row says what share it reaches of the limit that binds it. Without MODEL "
                      "the shapes of Qwen2.5-VL-3B. Medians of rounds in which everything takes its turn.");
  command.positional({"MODEL", ValueKind::directory}, settings.model, "a model directory", false);
  command.group("Measurement");
  command.flag("--full", settings.full, "more rows: shapes, numbers of rows, long prompts, other kinds of cache");
  command.text("--only", {"GROUP", ValueKind::choice, {"linear", "attention", "picture", "model"}}, options->only,
               "linear, attention, picture or model; the machine's limits in any case (all)");
  command.integer("--seconds", settings.seconds, 1, "time for all of it; three rounds take place in any case (15)");
  command.integer("--rows", settings.rows, 2, "rows of a prefill's products (512, fewer where time is short)", 65536);
  command.integer("-n,--max-new-tokens", settings.tokens, 2, "tokens to decode per round (32)", 65536);
  command.group("Model");
  add_model_options(command, options->run);
  add_kv_cache(command, options->run);
  command.group("Output");
  command.json(options->json);
  command.text("--svg", {"FILE", ValueKind::file}, options->svg,
               "also write a roofline chart; only a chart of this command is replaced");
  command.quiet(options->quiet);
  command.threads();
  command.example("octavo bench Qwen2.5-VL-3B-w8a8 --json");
  command.run([options] { return run(*options); });
}

}  // namespace cli
