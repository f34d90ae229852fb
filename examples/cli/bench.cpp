// octavo bench [MODEL]
#include "bench.hpp"

#include <cstdio>
#include <memory>

#include "commands.hpp"

namespace cli {

namespace {

struct BenchCommand {
  BenchSettings settings;
  bool json = false, quiet = false;
};

struct BenchResult {
  MachineRates machine;
  std::optional<ModelTimes> model;
  LinearsResult linears;
};

BenchResult measure(const BenchCommand& command) {
  const BenchSettings& settings = command.settings;
  const auto seconds = static_cast<double>(settings.seconds);
  const auto say = [&](const char* stage) {
    if (!command.quiet) std::fprintf(stderr, "%s\n", stage);
  };
  BenchResult result;
  std::vector<LinearShape> shapes = default_shapes();
  if (!settings.model.empty()) shapes = shapes_of(octavo::Model::open(settings.model));  // refused before the work
  say("measuring the machine");
  result.machine = measure_machine(seconds * 0.2);
  if (!settings.model.empty()) {
    say("measuring the model");
    result.model = measure_model(settings.model, settings.tokens, seconds * 0.4);
  }
  say("measuring linears");
  result.linears = measure_linears(shapes, settings.rows, seconds * (settings.model.empty() ? 0.8 : 0.4));
  return result;
}

std::string per_second(double value) {
  char text[32];
  std::snprintf(text, sizeof text, value < 100 ? "%.1f" : "%.0f", value);
  return text;
}

void print_text(const BenchResult& result) {
  const MachineRates& machine = result.machine;
  std::printf("machine   octavo's own loops, %d threads, int8 backend %s, medians of %lld rounds\n",
              octavo::num_threads(), octavo::int8_backend_in_use().c_str(), static_cast<long long>(machine.rounds));
  std::printf("  %-28s %10s GB/s       sum over 256 MiB\n", "memory read", per_second(machine.read_gb_s).c_str());
  std::printf("  %-28s %10s GFLOP/s    1024 x 1024 x 1024\n", "float32 product",
              per_second(machine.float_gflop_s).c_str());
  std::printf("  %-28s %10s GOP/s      the same, quantizing the rows included\n", "W8A8 product",
              per_second(machine.int8_gop_s).c_str());
  if (result.model) {
    const ModelTimes& model = *result.model;
    std::printf("\nmodel     a picture of 224 x 224 and a short question, one sequence, medians of %lld rounds\n",
                static_cast<long long>(model.rounds));
    std::printf("  %-28s %10.1f ms         files in the page cache\n", "open", model.open_ms);
    std::printf("  %-28s %10.1f ms         text to tokens, picture to patches\n", "prepare", model.prepare_ms);
    std::printf("  %-28s %10.1f ms\n", "vision tower", model.vision_ms);
    std::printf("  %-28s %10s tokens/s   %lld tokens, after the vision tower\n", "prefill",
                per_second(model.prefill_tokens_s).c_str(), static_cast<long long>(model.prompt_tokens));
    std::printf("  %-28s %10s tokens/s   %lld tokens, greedy\n", "decode", per_second(model.decode_tokens_s).c_str(),
                static_cast<long long>(model.decoded_tokens));
    if (model.peak_mb)
      std::printf("  %-28s %10.1f MB         of the process with the model open, mapped files included\n",
                  "peak memory", *model.peak_mb);
  }
  std::printf("\nlinears   milliseconds per forward on random values, medians of %lld rounds\n",
              static_cast<long long>(result.linears.rounds));
  std::printf("  %-28s %5s %7s %7s %5s %10s %10s %10s  %s\n", "name", "count", "out", "in", "rows", "bf16", "W8A8",
              "W8A16", "W8A8 over bf16");
  for (const LinearTimes& line : result.linears.times) {
    const std::string& name = line.shape.name;
    std::printf("  %-28s %5lld %7lld %7lld %5lld %10.4f %10.4f %10.4f  %.2f x as fast\n",
                (name.size() > 28 ? name.substr(0, 25) + "..." : name).c_str(),
                static_cast<long long>(line.shape.count), static_cast<long long>(line.shape.out_features),
                static_cast<long long>(line.shape.in_features), static_cast<long long>(line.rows), line.bf16_ms,
                line.w8a8_ms, line.w8a16_ms, line.bf16_ms / line.w8a8_ms);
  }
}

void print_json(const BenchResult& result) {
  using octavo::JsonBuilder;
  JsonBuilder linears = JsonBuilder::array();
  for (const LinearTimes& line : result.linears.times)
    linears.push(JsonBuilder::object()
                     .set("name", line.shape.name)
                     .set("count", line.shape.count)
                     .set("out_features", line.shape.out_features)
                     .set("in_features", line.shape.in_features)
                     .set("rows", line.rows)
                     .set("bf16_ms", line.bf16_ms)
                     .set("w8a8_ms", line.w8a8_ms)
                     .set("w8a16_ms", line.w8a16_ms));
  JsonBuilder document = JsonBuilder::object();
  document.set("threads", octavo::num_threads())
      .set("int8_backend", octavo::int8_backend_in_use())
      .set("machine", JsonBuilder::object()
                          .set("read_gb_per_second", result.machine.read_gb_s)
                          .set("float32_gflop_per_second", result.machine.float_gflop_s)
                          .set("w8a8_gop_per_second", result.machine.int8_gop_s)
                          .set("rounds", result.machine.rounds));
  if (result.model) {
    const ModelTimes& model = *result.model;
    JsonBuilder times = JsonBuilder::object();
    times.set("open_ms", model.open_ms)
        .set("prepare_ms", model.prepare_ms)
        .set("vision_ms", model.vision_ms)
        .set("prompt_tokens", model.prompt_tokens)
        .set("prefill_tokens_per_second", model.prefill_tokens_s)
        .set("decoded_tokens", model.decoded_tokens)
        .set("decode_tokens_per_second", model.decode_tokens_s)
        .set("rounds", model.rounds);
    if (model.peak_mb) times.set("peak_mb", *model.peak_mb);
    document.set("model", std::move(times));
  }
  document.set("linears", std::move(linears)).set("linear_rounds", result.linears.rounds);
  std::printf("%s\n", document.dump(2).c_str());
}

int run(const BenchCommand& command) {
  const BenchResult result = measure(command);
  command.json ? print_json(result) : print_text(result);
  return 0;
}

}  // namespace

void add_bench(Program& program) {
  const auto options = std::make_shared<BenchCommand>();
  BenchSettings& settings = options->settings;
  Command command =
      program.command("bench", "Running",
                      "measure this machine, linear layers and a model\n\nFirst what the machine gives, then "
                      "MODEL, then its linear layers as bf16, W8A8 and W8A16; without MODEL the shapes of "
                      "Qwen2.5-VL-3B. Medians of rounds in which everything takes its turn.");
  command.positional({"MODEL", ValueKind::directory}, settings.model, "a model directory", false);
  command.group("Measurement");
  command.integer("--seconds", settings.seconds, 1, "time for all of it; three rounds take place in any case (15)");
  command.integer("--rows", settings.rows, 2, "rows of a prefill's products; fewer where time is short (256)", 65536);
  command.integer("-n,--max-new-tokens", settings.tokens, 2, "tokens to decode per round (32)", 65536);
  command.group("Output");
  command.json(options->json);
  command.quiet(options->quiet);
  command.threads();
  command.example("octavo bench Qwen2.5-VL-3B-w8a8 --json");
  command.run([options] { return run(*options); });
}

}  // namespace cli
