#include <cstdio>
#include <octavo/octavo.hpp>

#include "commands.hpp"
#include "progress.hpp"

namespace cli {

const Command kQuantize{
    "quantize",
    "MODEL -o OUT [options]",
    "Quantizes a model directory to W8A8 and writes it in compressed-tensors form, complete or not at all.",
    "octavo quantize Qwen2.5-VL-3B -o Qwen2.5-VL-3B-w8a8 --calibration samples.jsonl",
    1,
    {{"-o", "OUT", "the directory to write"},
     {"--calibration", "FILE", "samples, one JSON object a line: image, prompt, answer"},
     {"--recipe", "NAME|FILE", "default, rtn, vision, w8a16, or a recipe file"},
     {"--samples", "N", "use the first N samples"},
     {"--overwrite", "", "replace OUT once the new one is complete"},
     {"--threads", "N", "threads to use"},
     {"--json", "", "the report as one JSON document on standard output"}}};

int run_quantize(const Args& args) {
  if (!args.has("-o")) throw UsageError("octavo quantize needs -o OUT, the directory to write");
  ProgressBar bar;
  octavo::QuantizeOptions options;
  options.recipe = args.text("--recipe", options.recipe);
  options.calibration = args.text("--calibration");
  options.max_samples = args.integer("--samples", 0, 1);
  options.overwrite = args.has("--overwrite");
  options.progress = bar.callback();
  options.cancel = &interrupted;
  const octavo::QuantizeResult result = octavo::quantize(args.positional(0), args.text("-o"), options);
  for (const std::string& warning : result.warnings) std::fprintf(stderr, "note: %s\n", warning.c_str());
  if (args.has("--json")) {
    std::printf("%s\n", result.to_json().dump(2).c_str());
    return 0;
  }
  double loss = 0;
  double rtn_loss = 0;
  const octavo::LayerReport* worst = nullptr;
  for (const octavo::LayerReport& layer : result.layers) {
    loss += layer.loss;
    rtn_loss += layer.rtn_loss;
    if (worst == nullptr || layer.relative_error > worst->relative_error) worst = &layer;
  }
  std::printf("%s: %zu linears in int8, %.2f MB -> %.2f MB, %.1f s, peak memory %.0f MB\n", args.text("-o").c_str(),
              result.layers.size(), static_cast<double>(result.bytes_before) / 1e6,
              static_cast<double>(result.bytes_after) / 1e6, result.seconds,
              static_cast<double>(result.peak_rss_bytes) / 1e6);
  if (rtn_loss > 0) std::printf("objective: %.4g, round-to-nearest would have %.4g\n", loss, rtn_loss);
  if (worst != nullptr && worst->relative_error >= 0)
    std::printf("worst linear: %s, relative output error %.2f %%\n", worst->module_path.c_str(),
                worst->relative_error * 100);
  return 0;
}

}  // namespace cli
