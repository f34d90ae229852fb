// The parts of octavo bench: rows of what was measured, the machine's limits, and each row's share of the limit that
// binds it.
#pragma once

#include <cstdint>
#include <functional>
#include <octavo/octavo.hpp>
#include <optional>
#include <string>
#include <vector>

#include "limits/limits.hpp"

namespace cli {

struct BenchSettings {
  std::string model;  // directory; "": none
  octavo::ModelOptions model_options;
  octavo::DType cache_dtype = octavo::DType::f32;
  std::int64_t seconds = 15;         // for all of it, roughly
  std::optional<std::int64_t> rows;  // of a prefill's products; absent: 512, fewer where the time is too short
  std::int64_t tokens = 32;          // decoded per round
  bool full = false;                 // every row of docs/performance.md
};

/// What a step cannot do without: operations of products (a multiply-add is two) by the kind of their operands, so by
/// the fastest unit that may do them; exps, in float32; bytes that are read or written once.
struct Work {
  double int8 = 0, bf16 = 0;
  // In float32's precision. A float32 is the sum of three bf16, or rounded to 31 bits four bytes (docs/gemm.md), so
  // that a product is one of a float32 unit, or of a bf16 unit three, of float32 by bf16 or int8, or six, of two
  // float32 (what is left out of the nine is below float32's last digit), or of an int8 unit four, of float32 by int8.
  double f32_by_bf16 = 0, f32_by_int8 = 0, f32 = 0;
  double exps = 0;
  double bytes = 0;
  double operations() const { return int8 + bf16 + f32 + f32_by_bf16 + f32_by_int8; }
  Work& operator+=(const Work& other);
};

/// One thing that was measured.
struct BenchRow {
  std::string group;        // "linear", "attention", "picture" or "model"
  std::string name;         // "gate_proj 11008 x 2048, W8A8, 512 rows"; unique in its group
  std::vector<Work> steps;  // of one call, each done before the next one begins; empty: its limit is not known
  double passes = 1;        // how often a call goes over the same bytes
  double items = 1;         // of one call, and what they are: "tokens", "patches", "calls"
  std::string item = "calls";
  octavo::JsonBuilder details = octavo::JsonBuilder::object();  // the name's parts, for programs
  double seconds = 0;                                           // of one call: the median of rounds
  std::int64_t rounds = 0;
  Work work() const;  // the sum of the steps
};

/// The roofline (Williams, Waterman, Patterson 2009), step by step: none is faster than its products at the machine's
/// rates, its exps at theirs, or its bytes at the machine's bandwidth.
struct Limit {
  double seconds = 0;
  std::string binds;  // "int8", "bf16", "f32", "exp", "memory" or "cache": what most of the time is due to
};
Limit limit_of(const BenchRow& row, const limits::Machine& machine);

/// A row and how to measure it once: run() returns seconds.
struct BenchJob {
  BenchRow row;
  std::function<double()> run;
};

/// What was asked for and not measured, and why.
struct LeftOut {
  std::string name, why;
};

struct ModelMemory {
  std::string dtype;                 // of the language model's linears: "W8A8"
  double weight_bytes = 0;           // of tensors in the directory's files
  std::int64_t side = 0;             // of the picture that was asked about; 0: none
  std::int64_t prompt_tokens = 0;    // the picture's included
  std::optional<double> peak_bytes;  // of the process while the model was opened and answered; mapped files included
};

struct BenchResult {
  limits::Machine machine;
  std::vector<BenchRow> rows;
  std::vector<LeftOut> left_out;
  std::optional<ModelMemory> memory;
};

/// A linear layer's shape, and how often a model has it.
struct LinearShape {
  std::string name;
  std::int64_t out_features = 0, in_features = 0, count = 1;
};
std::vector<LinearShape> default_shapes(bool full);              // of Qwen2.5-VL-3B
std::vector<LinearShape> shapes_of(const octavo::Model& model);  // distinct ones

/// Each appends rows to the result; about `seconds` long, three rounds in any case.
void bench_linears(const std::vector<LinearShape>& shapes, const BenchSettings& settings, double seconds,
                   BenchResult& result);
void bench_attention(const BenchSettings& settings, double seconds, BenchResult& result);
void bench_picture(double seconds, BenchResult& result);
void bench_model(const BenchSettings& settings, double seconds, BenchResult& result);

/// Opens MODEL and has it answer once, about a picture where it can see. To be called before the process has needed
/// memory for other things.
ModelMemory measure_memory(const BenchSettings& settings);
octavo::Image gradient(std::int64_t side);                           // what it shows does not matter
octavo::ModelInput plain_tokens(std::int64_t count, unsigned seed);  // ids of plain text in every vocabulary

/// Runs every job once to warm up, then all in turns, so that a machine that slows down slows all of them: at least
/// three rounds, more while `seconds` last. @throws Error  cancelled, as everything here by the thread's CancelScope.
void run_in_turns(std::vector<BenchJob>& jobs, double seconds, BenchResult& result);
double seconds_of(const std::function<void()>& job);
double median(std::vector<double> values);

octavo::Tensor noise(const octavo::Shape& shape, std::uint32_t seed);  // f32, uniform in [-1, 1); the same every time

void print_table(const BenchResult& result);
octavo::JsonBuilder bench_json(const BenchResult& result);  // docs/bench.md describes it
std::string bench_svg(const BenchResult& result);           // a roofline chart

}  // namespace cli
