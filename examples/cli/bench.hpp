// The parts of octavo bench. Every number is a median over rounds; what is compared takes turns within a round, so that
// a machine that slows down slows all of it.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <octavo/octavo.hpp>
#include <optional>
#include <string>
#include <vector>

namespace cli {

struct BenchSettings {
  std::string model;          // directory; "": none
  std::int64_t seconds = 15;  // for all of it, roughly
  std::int64_t rows = 256;    // of a prefill's products
  std::int64_t tokens = 32;   // decoded per round
};

/// What loops of this library reach at large sizes, where nothing but the machine should limit them.
struct MachineRates {
  double read_gb_s = 0;      // a sum over 256 MiB, all threads
  double float_gflop_s = 0;  // Linear of float32 weights, 1024 x 1024 x 1024
  double int8_gop_s = 0;     // Linear in W8A8, the same size, quantizing its rows included
  std::int64_t rounds = 0;
};
MachineRates measure_machine(double seconds);

/// A linear layer's shape, and how often a model has it.
struct LinearShape {
  std::string name;
  std::int64_t out_features = 0, in_features = 0, count = 1;
};
std::vector<LinearShape> default_shapes();                       // of Qwen2.5-VL-3B
std::vector<LinearShape> shapes_of(const octavo::Model& model);  // distinct ones

/// Milliseconds of one forward: bf16 weights, W8A8, W8A16.
struct LinearTimes {
  LinearShape shape;
  std::int64_t rows = 0;
  double bf16_ms = 0, w8a8_ms = 0, w8a16_ms = 0;
};
struct LinearsResult {
  std::vector<LinearTimes> times;
  std::int64_t rounds = 0;
};
/// One row (decoding) and `rows` (prefill; fewer where the budget is too short for three rounds of them).
LinearsResult measure_linears(const std::vector<LinearShape>& shapes, std::int64_t rows, double seconds);

struct ModelTimes {
  double open_ms = 0;     // config, headers, weights mapped and packed; files in the page cache
  double prepare_ms = 0;  // tokenizing, and the picture to patches
  double vision_ms = 0;
  std::int64_t prompt_tokens = 0, decoded_tokens = 0;
  double prefill_tokens_s = 0;    // of the language model, the picture's tokens included
  double decode_tokens_s = 0;     // one sequence
  std::optional<double> peak_mb;  // of the process while the model was open; mapped files included
  std::int64_t rounds = 0;
};
ModelTimes measure_model(const std::string& directory, std::int64_t tokens, double seconds);

/// Runs every job once to warm up, then in turns: at least three rounds, more while `seconds` last. Medians in seconds,
/// in the order of the jobs; `rounds` receives their number. Throws Error (cancelled) on Ctrl-C.
std::vector<double> interleaved(const std::vector<std::function<void()>>& jobs, double seconds, std::int64_t& rounds);
double median(std::vector<double> values);
void stop_if_interrupted();

}  // namespace cli
