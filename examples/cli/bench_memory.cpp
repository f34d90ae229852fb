// octavo bench MODEL: the memory that a model and its answer take.
#include <algorithm>
#include <fstream>
#include <random>

#include "bench.hpp"

namespace cli {

namespace {

using octavo::Model;
using octavo::ModelInput;

// Since the last reset_peak, from /proc/self/status; none where the system does not tell.
std::optional<double> peak_bytes() {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;)
    if (double kib = 0; word == "VmHWM:" && status >> kib) return kib * 1024;
  return std::nullopt;
}

bool reset_peak() {  // proc(5), /proc/pid/clear_refs
  std::ofstream file("/proc/self/clear_refs");
  file << "5" << std::flush;
  return file.good();
}

std::string dtype_of(const Model& model) {
  for (const octavo::LinearInfo& info : model.linears()) {
    if (info.module_path.rfind("visual", 0) == 0) continue;
    const octavo::Linear& linear = model.linear(info.module_path);
    if (linear.kind() == octavo::LinearKind::w8a8) return "W8A8";
    if (linear.kind() == octavo::LinearKind::w8a16) return "W8A16";
    return "float";
  }
  return "";
}

// A question about a picture, drawn out by plain tokens; of a directory without tokenizer or image processor, the
// tokens alone.
ModelInput question(const Model& model, std::int64_t side, std::int64_t tokens) {
  ModelInput input;
  try {
    const octavo::Image image = gradient(side);
    input = model.prepare("Describe the picture.", {&image, 1});
  } catch (const octavo::Error& error) {
    if (error.code() != octavo::ErrorCode::not_found) throw;
  }
  const std::int64_t room = model.max_position_embeddings() - static_cast<std::int64_t>(input.ids.size());
  const ModelInput more = plain_tokens(std::clamp<std::int64_t>(room / 2, 1, tokens), 1);
  input.ids.insert(input.ids.end(), more.ids.begin(), more.ids.end());
  return input;
}

}  // namespace

ModelMemory measure_memory(const BenchSettings& settings) {
  const bool peak_is_ours = reset_peak();
  const Model model = Model::open(settings.model, settings.model_options);
  const std::int64_t side = settings.full ? 1008 : 448;
  const ModelInput input = question(model, side, settings.full ? 2048 : 512);
  octavo::GenerateOptions options;
  options.cache_dtype = settings.cache_dtype;
  options.max_new_tokens = 8;
  options.sampling = octavo::SamplingOptions{};
  const octavo::GenerateResult answer = model.generate(input, options);
  ModelMemory memory{dtype_of(model),
                     static_cast<double>(model.checkpoint().total_bytes()),
                     input.images.empty() ? 0 : side,
                     answer.prompt_tokens,
                     {}};
  if (peak_is_ours) memory.peak_bytes = peak_bytes();
  return memory;
}

octavo::Image gradient(std::int64_t side) {
  octavo::Image image{side, side, {}};
  for (std::int64_t y = 0; y < side; ++y)
    for (std::int64_t x = 0; x < side; ++x)
      for (const std::int64_t value : {x, y, x + y}) image.rgb.push_back(static_cast<std::uint8_t>(value & 0xFF));
  return image;
}

ModelInput plain_tokens(std::int64_t count, unsigned seed) {
  ModelInput input;
  std::minstd_rand engine(seed);
  for (std::int64_t i = 0; i < count; ++i) input.ids.push_back(static_cast<std::int32_t>(engine() % 256));
  return input;
}

}  // namespace cli
