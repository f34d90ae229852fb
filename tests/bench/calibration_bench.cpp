// What bf16 math in calibration costs in quality and saves in time, on a model's own inputs.
//
//     calibration_bench MODEL SAMPLES.jsonl [samples] [blocks] [threads]        all, all, 0
//
// Every second sample is held back. Each block of the language model runs over the others in float32 and in bf16, and
// its linears are quantized by GPTQ with either's Hessians. Their objectives on the rows held back (float32 inputs and
// Hessian, the definition in float64) are compared. Both see the same states, those of the float model. One JSON
// document on standard output; fails where bf16 moves the sum of a block's objectives by more than 0.1 %.
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <map>
#include <string>
#include <vector>

#include "octavo/octavo.hpp"

namespace {

using octavo::DType;
using octavo::FloatMath;
using octavo::Tensor;

using Hessians = std::map<std::string, octavo::HessianAccumulator>;  // by input group

class Collector : public octavo::LinearObserver {
 public:
  Collector(Hessians& into, FloatMath math) : into_(into), math_(math) {}
  void on_input(const octavo::LinearInfo& linear, const Tensor& x) override {
    const double start = cpu_seconds();
    into_.try_emplace(linear.input_group, linear.in_features, linear.input_group, math_).first->second.add(x);
    seconds_ += cpu_seconds() - start;
  }
  double seconds() const { return seconds_; }
  static double cpu_seconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

 private:
  Hessians& into_;
  FloatMath math_;
  double seconds_ = 0;
};

/// tr(D H D^T), D = W - Q.
double objective(const Tensor& weight, const octavo::QuantizedLayer& layer, const Tensor& h) {
  const std::int64_t n = weight.dim(0);
  const std::int64_t k = weight.dim(1);
  Tensor d = weight.contiguous().to(DType::f32).clone();
  auto* difference = d.mutable_data<float>();
  for (std::int64_t i = 0; i < n; ++i)
    for (std::int64_t j = 0; j < k; ++j)
      difference[i * k + j] -=
          static_cast<float>(layer.weight.data<std::int8_t>()[i * k + j]) * layer.scales.data<float>()[i];
  Tensor product = Tensor::empty(DType::f32, {n, k});
  octavo::sgemm(n, k, k, difference, k, h.data<float>(), k, product.mutable_data<float>(), k);
  double sum = 0;
  for (std::int64_t i = 0; i < n * k; ++i) sum += double{difference[i]} * double{product.data<float>()[i]};
  return sum;
}

struct Pass {
  double forward_s = 0, hessian_s = 0, objective = 0;
};

/// The states as they leave the block, if `leave`; otherwise they stay.
void run(const octavo::ModelBlock& block, std::vector<octavo::BlockState>& states, std::size_t parity, bool leave,
         octavo::LinearObserver* observer) {
  for (std::size_t i = 0; i < states.size(); ++i) {
    if (i % 2 != parity) continue;
    octavo::BlockState scratch{states[i].hidden.clone(), states[i].context};
    block.forward(leave ? states[i] : scratch, observer);
  }
}

std::unique_ptr<octavo::BlockwiseModel> open_with(const std::string& directory, FloatMath math) {
  octavo::ModelOptions options;
  options.vision_math = options.language_math = math;
  return octavo::BlockwiseModel::open(octavo::Checkpoint::open(directory), options);
}

std::vector<octavo::BlockState> states_of(const std::string& directory, const octavo::SampleSet& set) {
  const octavo::Model model = octavo::Model::open(directory);
  const auto blocks = open_with(directory, FloatMath::f32);
  std::vector<octavo::BlockState> states;
  for (const octavo::Sample& sample : set.samples) {
    const octavo::ModelInput input = octavo::prepare_question(model, sample);
    octavo::BlockState vision = blocks->begin_vision(input);
    for (std::int64_t i = 0; vision.hidden.defined() && i < blocks->num_blocks(octavo::Tower::vision); ++i)
      blocks->load_block(octavo::Tower::vision, i)->forward(vision, nullptr);
    states.push_back(blocks->begin_language(input, vision.hidden.defined() ? blocks->finish_vision(vision) : Tensor()));
  }
  return states;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fprintf(stderr, "calibration_bench MODEL SAMPLES.jsonl [samples] [blocks] [threads]\n");
    return 2;
  }
  const auto argument = [&](int i) { return argc > i ? std::strtol(argv[i], nullptr, 10) : 0L; };
  try {
    octavo::set_num_threads(static_cast<int>(argument(5)));
    const std::string directory = argv[1];
    octavo::SampleSource source;
    source.file = argv[2];
    std::vector<octavo::BlockState> states = states_of(directory, octavo::read_samples(source, argument(3)));
    const auto exact = open_with(directory, FloatMath::f32);
    const auto fast = open_with(directory, FloatMath::bf16);
    const std::int64_t all = exact->num_blocks(octavo::Tower::language);
    const std::int64_t blocks = argument(4) > 0 ? std::min<std::int64_t>(all, argument(4)) : all;
    bool good = true;
    std::printf("{\"blocks\": [");
    for (std::int64_t index = 0; index < blocks; ++index) {
      const auto block = exact->load_block(octavo::Tower::language, index);
      Hessians held_back;
      Collector held_collector(held_back, FloatMath::f32);
      run(*block, states, 1, false, &held_collector);
      std::map<std::string, Tensor> held;
      std::int64_t rows_held = 0;
      for (auto& [group, hessian] : held_back) {
        rows_held = hessian.rows();
        held[group] = hessian.take();
      }
      Pass passes[2];
      std::int64_t rows = 0;
      for (const FloatMath math : {FloatMath::f32, FloatMath::bf16}) {
        Pass& pass = passes[math == FloatMath::bf16 ? 1 : 0];
        const auto own = (math == FloatMath::bf16 ? fast : exact)->load_block(octavo::Tower::language, index);
        run(*own, states, 0, false, nullptr);  // brings the weights into memory
        Hessians collected;
        Collector collector(collected, math);
        const double start = Collector::cpu_seconds();
        run(*own, states, 0, false, &collector);
        pass.hessian_s = collector.seconds();
        pass.forward_s = Collector::cpu_seconds() - start - pass.hessian_s;
        std::map<std::string, octavo::PreparedHessian> prepared;
        octavo::GptqOptions options;
        options.loss_channels = 1;  // nobody looks
        for (const octavo::LinearInfo& linear : block->linears()) {
          if (prepared.count(linear.input_group) == 0) {
            octavo::HessianAccumulator& hessian = collected.at(linear.input_group);
            rows = hessian.rows();
            prepared.emplace(linear.input_group, octavo::PreparedHessian(hessian.take(), options, linear.input_group));
          }
          const Tensor weight = block->weight(linear.module_path);
          pass.objective += objective(
              weight, octavo::quantize_layer(weight, prepared.at(linear.input_group), options, linear.module_path),
              held.at(linear.input_group));
        }
      }
      const double moved = passes[1].objective / passes[0].objective - 1;
      good = good && std::abs(moved) < 1e-3;
      std::printf(
          "%s\n  {\"block\": %ld, \"rows\": %ld, \"rows_held_back\": %ld, \"objective_f32\": %.6g, "
          "\"objective_bf16\": %.6g, \"moved\": %.2e,\n   \"forward_f32_cpu_s\": %.3f, \"forward_bf16_cpu_s\": "
          "%.3f, \"hessian_f32_cpu_s\": %.3f, \"hessian_bf16_cpu_s\": %.3f}",
          index == 0 ? "" : ",", long{index}, long{rows}, long{rows_held}, passes[0].objective, passes[1].objective,
          moved, passes[0].forward_s, passes[1].forward_s, passes[0].hessian_s, passes[1].hessian_s);
      std::fflush(stdout);
      for (const std::size_t parity : {0U, 1U}) run(*block, states, parity, true, nullptr);
    }
    std::printf("],\n \"within_0.1_percent\": %s}\n", good ? "true" : "false");
    return good ? 0 : 1;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "calibration_bench: %s\n", error.what());
    return 1;
  }
}
