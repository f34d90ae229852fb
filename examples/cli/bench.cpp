// octavo bench [MODEL]
#include "bench.hpp"

#include <cstdio>
#include <memory>

#include "commands.hpp"

namespace cli {

namespace {

struct BenchCommand {
  BenchSettings settings;
  std::optional<std::string> svg;
  bool json = false, quiet = false;
};

constexpr std::string_view kSvgMark = "<!-- octavo bench -->";

BenchResult measure(const BenchCommand& command) {
  const BenchSettings& settings = command.settings;
  const bool with_model = !settings.model.empty();
  const double seconds = static_cast<double>(settings.seconds) * (with_model ? 0.5 : 1);
  const auto say = [&](const char* stage) {
    stop_if_interrupted();
    if (!command.quiet) std::fprintf(stderr, "%s\n", stage);
  };
  BenchResult result;
  std::vector<LinearShape> shapes = default_shapes(settings.full);
  if (with_model) shapes = shapes_of(octavo::Model::open(settings.model));  // refused before the work
  say("measuring the machine");
  result.machine = limits::measure();
  say("measuring linears");
  bench_linears(shapes, settings, seconds * 0.5, result);
  say("measuring attention");
  bench_attention(settings, seconds * 0.25, result);
  say("measuring pictures");
  bench_picture(seconds * 0.05, result);
  if (with_model) {
    say("measuring the model");
    bench_model(settings, static_cast<double>(settings.seconds) * 0.5, result);
  }
  return result;
}

int run(const BenchCommand& command) {
  if (command.svg) octavo::check_new_file(*command.svg, kSvgMark);  // refused before the work
  const BenchResult result = measure(command);
  if (command.svg) {
    const std::string page = bench_svg(result);
    const octavo::NewFile file{*command.svg, page, kSvgMark};
    octavo::write_files({&file, 1});
  }
  if (command.json)
    std::printf("%s\n", bench_json(result).dump(2).c_str());
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
  command.integer("--seconds", settings.seconds, 1, "time for all of it; three rounds take place in any case (15)");
  command.integer("--rows", settings.rows, 2, "rows of a prefill's products; fewer where time is short (512)", 65536);
  command.integer("-n,--max-new-tokens", settings.tokens, 2, "tokens to decode per round (32)", 65536);
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
