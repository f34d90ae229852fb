// octavo bench: turns of jobs, and the machine's own rates.
#include <algorithm>

#include "bench.hpp"
#include "bench_tensors.hpp"
#include "commands.hpp"

namespace cli {

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const std::size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

void stop_if_interrupted() {
  if (interrupted) throw octavo::Error(octavo::ErrorCode::cancelled, "cancelled");
}

std::vector<double> interleaved(const std::vector<std::function<void()>>& jobs, double seconds, std::int64_t& rounds) {
  using Clock = std::chrono::steady_clock;
  const auto since = [](Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
  };
  const Clock::time_point began = Clock::now();
  for (const std::function<void()>& job : jobs) {
    stop_if_interrupted();
    job();
  }
  std::vector<std::vector<double>> times(jobs.size());
  for (rounds = 0; rounds < 3 || (since(began) < seconds && rounds < 1000); ++rounds)
    for (std::size_t i = 0; i < jobs.size(); ++i) {
      stop_if_interrupted();
      const Clock::time_point start = Clock::now();
      jobs[i]();
      times[i].push_back(since(start));
    }
  std::vector<double> medians;
  for (const std::vector<double>& each : times) medians.push_back(median(each));
  return medians;
}

MachineRates measure_machine(double seconds) {
  constexpr std::int64_t kSide = 1024;
  constexpr std::int64_t kCount = 64 << 20;  // floats: 256 MiB, beyond the caches of most machines
  const octavo::Tensor memory = octavo::Tensor::zeros(octavo::DType::f32, {kCount});
  const float* values = memory.data<float>();
  constexpr std::int64_t kParts = 64;
  std::vector<float> sums(kParts);
  const auto read = [&] {
    octavo::parallel_for(kParts, 1, [&](std::int64_t begin, std::int64_t end) {
      constexpr std::int64_t kLanes = 64;
      for (std::int64_t part = begin; part < end; ++part) {
        std::array<float, kLanes> lanes{};
        for (std::int64_t i = part * (kCount / kParts); i < (part + 1) * (kCount / kParts); i += kLanes)
          for (std::int64_t j = 0; j < kLanes; ++j) lanes[static_cast<std::size_t>(j)] += values[i + j];
        float sum = 0;
        for (const float lane : lanes) sum += lane;
        sums[static_cast<std::size_t>(part)] = sum;  // used, so that the loop stays
      }
    });
  };
  const octavo::Tensor x = noise({kSide, kSide}, 1);
  const octavo::Linear floating = octavo::Linear::floating("bench", noise({kSide, kSide}, 2), {});
  const octavo::Linear int8 = octavo::Linear::w8a8("bench", noise_s8(kSide, kSide), scales(kSide), {});
  MachineRates rates;
  const std::vector<double> times =
      interleaved({read, [&] { (void)floating.forward(x); }, [&] { (void)int8.forward(x); }}, seconds, rates.rounds);
  constexpr double kOperations = 2e-9 * kSide * kSide * kSide;
  rates.read_gb_s = 4e-9 * static_cast<double>(kCount) / times[0];
  rates.float_gflop_s = kOperations / times[1];
  rates.int8_gop_s = kOperations / times[2];
  return rates;
}

}  // namespace cli
