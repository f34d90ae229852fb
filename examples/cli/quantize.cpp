// octavo quantize MODEL -o OUT
#include <cstdio>
#include <memory>

#include "commands.hpp"
#include "describe.hpp"
#include "progress.hpp"
#include "sources.hpp"
#include "streams.hpp"

namespace cli {

namespace {

struct QuantizeCommand {
  std::string model, out;
  octavo::QuantizeOptions job;
  std::string math = "bf16";
  bool json = false, quiet = false;
};

void print_summary(const std::string& out, const octavo::QuantizeResult& result) {
  double loss = 0;
  double rtn_loss = 0;
  const octavo::LayerReport* worst = nullptr;
  for (const octavo::LayerReport& layer : result.layers) {
    loss += layer.loss;
    rtn_loss += layer.rtn_loss;
    if (worst == nullptr || layer.relative_error > worst->relative_error) worst = &layer;
  }
  std::printf("%s: %zu linears in int8, %.2f MB -> %.2f MB, %.1f s, peak memory %.0f MB\n", out.c_str(),
              result.layers.size(), static_cast<double>(result.bytes_before) / 1e6,
              static_cast<double>(result.bytes_after) / 1e6, result.seconds,
              static_cast<double>(result.peak_rss_bytes) / 1e6);
  if (rtn_loss > 0) std::printf("objective: %.4g, round-to-nearest would have %.4g\n", loss, rtn_loss);
  if (worst != nullptr && worst->relative_error >= 0)
    std::printf("worst linear: %s, relative output error %.2f %%\n", worst->module_path.c_str(),
                worst->relative_error * 100);
}

int run(const QuantizeCommand& command) {
  require_source(command.job.calibration, "--calibration");
  ProgressBar bar(command.quiet);
  octavo::QuantizeOptions job = command.job;
  if (command.math != "f32" && command.math != "bf16")
    throw UsageError("--math is \"" + command.math + "\", one of f32, bf16 is needed");
  job.math = command.math == "bf16" ? octavo::FloatMath::bf16 : octavo::FloatMath::f32;
  job.progress = bar.callback();
  job.cancel = &interrupted;
  const octavo::QuantizeResult result = octavo::quantize(command.model, command.out, job);
  bar.clear();
  print_skipped(result.skipped);
  if (!command.quiet)
    for (const std::string& warning : result.warnings) std::fprintf(stderr, "note: %s\n", warning.c_str());
  if (command.json)
    std::printf("%s\n", result.to_json().dump(2).c_str());
  else
    print_summary(command.out, result);
  return 0;
}

}  // namespace

void add_quantize(Program& program) {
  const auto options = std::make_shared<QuantizeCommand>();
  octavo::QuantizeOptions& job = options->job;
  Command command =
      program.command("quantize", "Models",
                      "write a model in W8A8\n\nWrites OUT in compressed-tensors form, complete or not at "
                      "all. One block of the model is in memory at a time.");
  command.positional({"MODEL", ValueKind::directory}, options->model, "the model directory to quantize");
  command.group("Input");
  command.text("-c,--calibration", {"FILE", ValueKind::file}, job.calibration.file,
               "samples to calibrate on: JSON lines or a JSON array, see docs/samples.md");
  add_pictures(command, job.calibration, "--calibration");
  add_skip_bad(command, job.calibration);
  command.integer("-n,--max-samples", job.max_samples, 1, "calibrate on the first N samples (all)");
  command.renamed("--samples", "--max-samples N (how many); which ones is said by --calibration FILE");
  command.text("-r,--recipe", {"NAME|FILE", ValueKind::choice_or_file, octavo::Recipe::preset_names()}, job.recipe,
               joined(octavo::Recipe::preset_names(), ", ") + ", or a recipe file (default)");
  command.pictures(job.decode);
  command.text("--math", {"TYPE", ValueKind::choice, {"f32", "bf16"}}, options->math,
               "how calibration multiplies floats: bf16 is faster where the processor has it, see "
               "docs/quantization.md (bf16)");
  command.group("Output");
  command.text("-o,--out", {"OUT", ValueKind::directory}, options->out, "the directory to write");
  command.require();
  command.flag("--overwrite", job.overwrite,
               "replace OUT, if octavo quantize wrote all of it, once the new one is complete");
  command.json(options->json, "the report as one JSON document on standard output");
  command.quiet(options->quiet);
  command.threads();
  command.example("octavo quantize Qwen2.5-VL-3B -o Qwen2.5-VL-3B-w8a8 --calibration samples.jsonl");
  command.run([options] { return run(*options); });
}

}  // namespace cli
