// What bf16 math in calibration costs in quality and saves in time, on a model's own inputs.
//
//     calibration_bench MODEL SAMPLES.jsonl [samples] [blocks] [draws] [threads]        all, all, 1, 0
//
// Every second sample is held back. Each block of the language model runs over the others in float32 and in bf16, and
// its linears are quantized by GPTQ with either's Hessians. Their objectives on the rows held back (float32 inputs and
// Hessian) are compared: `moved` is that of bf16 as a share of float32's, minus 1. Any change of a Hessian's last bits
// turns some roundings, and they turn others: `again` is the same for float32 with the samples in reverse order, the
// noise that there is in any case. Draw after draw leaves out one sample of those calibrated on, so that the noise of
// both can be averaged; means and their standard errors are over draws. All see the same states, those of the float
// model. One JSON document on standard output.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <map>
#include <memory>
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
  std::int64_t rows = 0;
};

/// Mean of some values, and its standard error.
struct Mean {
  double mean = 0, error = 0;
};
Mean mean_of(const std::vector<double>& values) {
  Mean m;
  const auto count = static_cast<double>(values.size());
  for (const double value : values) m.mean += value / count;
  double squares = 0;
  for (const double value : values) squares += (value - m.mean) * (value - m.mean);
  if (values.size() > 1) m.error = std::sqrt(squares / (count - 1) / count);
  return m;
}

using States = std::vector<octavo::BlockState*>;

/// The states stay as they are.
void observe(const octavo::ModelBlock& block, const States& states, octavo::LinearObserver* observer) {
  for (const octavo::BlockState* state : states) {
    octavo::BlockState scratch{state->hidden.clone(), state->context};
    block.forward(scratch, observer);
  }
}

/// Quantizes the block's linears on what `own`, the same block in some math, sees; objectives by `held`.
Pass calibrate(const octavo::ModelBlock& own, FloatMath math, const States& states,
               const std::map<std::string, Tensor>& held) {
  Pass pass;
  Hessians collected;
  Collector collector(collected, math);
  const double start = Collector::cpu_seconds();
  observe(own, states, &collector);
  pass.hessian_s = collector.seconds();
  pass.forward_s = Collector::cpu_seconds() - start - pass.hessian_s;
  std::map<std::string, octavo::PreparedHessian> prepared;
  octavo::GptqOptions options;
  options.loss_channels = 1;  // nobody looks
  for (const octavo::LinearInfo& linear : own.linears()) {
    auto entry = prepared.find(linear.input_group);
    if (entry == prepared.end()) {
      octavo::HessianAccumulator& hessian = collected.at(linear.input_group);
      pass.rows = hessian.rows();
      entry = prepared.emplace(linear.input_group, octavo::PreparedHessian(hessian.take(), options, linear.input_group))
                  .first;
    }
    const Tensor weight = own.weight(linear.module_path);
    pass.objective += objective(weight, octavo::quantize_layer(weight, entry->second, options, linear.module_path),
                                held.at(linear.input_group));
  }
  return pass;
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
    std::fprintf(stderr, "calibration_bench MODEL SAMPLES.jsonl [samples] [blocks] [draws] [threads]\n");
    return 2;
  }
  const auto argument = [&](int i) { return argc > i ? std::strtol(argv[i], nullptr, 10) : 0L; };
  try {
    octavo::set_num_threads(static_cast<int>(argument(6)));
    const std::string directory = argv[1];
    octavo::SampleSource source;
    source.file = argv[2];
    std::vector<octavo::BlockState> all = states_of(directory, octavo::read_samples(source, argument(3)));
    States calibrated;
    States held_back;
    for (std::size_t i = 0; i < all.size(); ++i) (i % 2 == 0 ? calibrated : held_back).push_back(&all[i]);
    const auto exact = open_with(directory, FloatMath::f32);
    const auto fast = open_with(directory, FloatMath::bf16);
    const std::int64_t depth = exact->num_blocks(octavo::Tower::language);
    const std::int64_t blocks = argument(4) > 0 ? std::min<std::int64_t>(depth, argument(4)) : depth;
    const long draws = std::max(1L, argument(5));
    std::vector<double> sums[3] = {std::vector<double>(static_cast<std::size_t>(draws)),
                                   std::vector<double>(static_cast<std::size_t>(draws)),
                                   std::vector<double>(static_cast<std::size_t>(draws))};
    const auto told = [](const char* name, const std::vector<double>& ratios) {
      const Mean m = mean_of(ratios);
      std::printf("\"%s\": %.2e, \"%s_error\": %.1e", name, m.mean, name, m.error);
    };
    std::printf("{\"draws\": %ld, \"blocks\": [", draws);
    for (std::int64_t index = 0; index < blocks; ++index) {
      const auto in_f32 = exact->load_block(octavo::Tower::language, index);
      const auto in_bf16 = fast->load_block(octavo::Tower::language, index);
      std::map<std::string, Tensor> held;
      std::int64_t held_rows = 0;
      {
        Hessians sums_held;
        Collector collector(sums_held, FloatMath::f32);
        observe(*in_f32, held_back, &collector);
        for (auto& [group, hessian] : sums_held) {
          held_rows = hessian.rows();
          held[group] = hessian.take();
        }
      }
      observe(*in_bf16, {calibrated.front()}, nullptr);  // brings the weights into memory
      Pass f32;
      Pass bf16;
      std::vector<double> moved;
      std::vector<double> again;
      for (long draw = 0; draw < draws; ++draw) {
        States taken = calibrated;
        if (draws > 1) taken.erase(taken.begin() + draw % static_cast<long>(taken.size()));
        f32 = calibrate(*in_f32, FloatMath::f32, taken, held);
        bf16 = calibrate(*in_bf16, FloatMath::bf16, taken, held);
        std::reverse(taken.begin(), taken.end());
        const Pass reversed = calibrate(*in_f32, FloatMath::f32, taken, held);
        moved.push_back(bf16.objective / f32.objective - 1);
        again.push_back(reversed.objective / f32.objective - 1);
        const auto at = static_cast<std::size_t>(draw);
        sums[0][at] += f32.objective;
        sums[1][at] += bf16.objective;
        sums[2][at] += reversed.objective;
      }
      std::printf("%s\n  {\"block\": %ld, \"rows\": %ld, \"rows_held_back\": %ld, \"objective\": %.6g, ",
                  index == 0 ? "" : ",", long{index}, long{f32.rows}, long{held_rows}, f32.objective);
      told("moved", moved);
      std::printf(", ");
      told("again", again);
      std::printf(
          ",\n   \"forward_f32_cpu_s\": %.3f, \"forward_bf16_cpu_s\": %.3f, \"hessian_f32_cpu_s\": %.3f, "
          "\"hessian_bf16_cpu_s\": %.3f}",
          f32.forward_s, bf16.forward_s, f32.hessian_s, bf16.hessian_s);
      std::fflush(stdout);
      for (octavo::BlockState& state : all) in_f32->forward(state, nullptr);
    }
    std::vector<double> ratios[2];
    for (std::size_t i = 0; i < sums[0].size(); ++i) {
      ratios[0].push_back(sums[1][i] / sums[0][i] - 1);
      ratios[1].push_back(sums[2][i] / sums[0][i] - 1);
    }
    std::printf("],\n \"all_blocks\": {");
    told("moved", ratios[0]);
    std::printf(", ");
    told("again", ratios[1]);
    std::printf("}}\n");
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "calibration_bench: %s\n", error.what());
    return 1;
  }
}
