// octavo bench MODEL: opening, reading a prompt with a picture, decoding.
#include <fstream>

#include "bench.hpp"
#include "commands.hpp"

namespace cli {

namespace {

// Since the last reset_peak, from /proc/self/status; none where the system does not tell.
std::optional<double> peak_mb() {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;)
    if (double kib = 0; word == "VmHWM:" && status >> kib) return kib * 1024e-6;
  return std::nullopt;
}

bool reset_peak() {  // proc(5), /proc/pid/clear_refs
  std::ofstream file("/proc/self/clear_refs");
  file << "5" << std::flush;
  return file.good();
}

octavo::Image picture() {  // a gradient: what it shows does not matter to the time
  octavo::Image image{224, 224, {}};
  for (std::int64_t y = 0; y < image.height; ++y)
    for (std::int64_t x = 0; x < image.width; ++x)
      for (const std::int64_t value : {x, y, x + y}) image.rgb.push_back(static_cast<std::uint8_t>(value & 0xFF));
  return image;
}

}  // namespace

ModelTimes measure_model(const std::string& directory, std::int64_t tokens, double seconds) {
  using Clock = std::chrono::steady_clock;
  const auto since = [](Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
  };
  const Clock::time_point began = Clock::now();
  const octavo::Image image = picture();
  octavo::GenerateOptions options;
  options.max_new_tokens = tokens;
  options.ignore_eos = true;
  options.sampling = octavo::SamplingOptions{};  // greedy
  options.rules = octavo::GenerationRules{};
  options.cancel = &interrupted;
  const bool peak_is_ours = reset_peak();
  ModelTimes result;
  std::vector<double> open, prepare, vision, prefill, decode;
  while (result.rounds < 3 || (since(began) < seconds && result.rounds < 100)) {
    stop_if_interrupted();
    const Clock::time_point start = Clock::now();
    const octavo::Model model = octavo::Model::open(directory);
    const double opened = since(start);
    const octavo::ModelInput input = model.prepare("Describe the picture.", {&image, 1});
    const octavo::GenerateResult answer = model.generate(input, options);
    stop_if_interrupted();
    result.prompt_tokens = answer.prompt_tokens;
    result.decoded_tokens = static_cast<std::int64_t>(answer.tokens.size()) - 1;  // the first comes of the prefill
    if (result.rounds++ == 0 && since(began) < seconds) continue;                 // warm-up
    open.push_back(opened * 1e3);
    prepare.push_back(input.preprocess_seconds * 1e3);
    vision.push_back(answer.vision_seconds * 1e3);
    prefill.push_back(static_cast<double>(answer.prompt_tokens) / answer.prefill_seconds);
    if (answer.decode_seconds > 0) decode.push_back(static_cast<double>(result.decoded_tokens) / answer.decode_seconds);
  }
  result.rounds = static_cast<std::int64_t>(open.size());
  result.open_ms = median(open);
  result.prepare_ms = median(prepare);
  result.vision_ms = median(vision);
  result.prefill_tokens_s = median(prefill);
  if (!decode.empty()) result.decode_tokens_s = median(decode);
  if (peak_is_ours) result.peak_mb = peak_mb();
  return result;
}

}  // namespace cli
