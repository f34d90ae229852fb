// octavo bench: turns of jobs.
#include <algorithm>
#include <chrono>
#include <utility>

#include "bench.hpp"

namespace cli {

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const std::size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

double seconds_of(const std::function<void()>& job) {
  const auto start = std::chrono::steady_clock::now();
  job();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

void run_in_turns(std::vector<BenchJob>& jobs, double seconds, BenchResult& result) {
  const auto began = std::chrono::steady_clock::now();
  const auto elapsed = [&] { return std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count(); };
  for (const BenchJob& job : jobs) {
    octavo::check_cancelled();
    job.run();
  }
  std::vector<std::vector<double>> times(jobs.size());
  std::int64_t rounds = 0;
  for (; rounds < 3 || (elapsed() < seconds && rounds < 1000); ++rounds)
    for (std::size_t i = 0; i < jobs.size(); ++i) {
      octavo::check_cancelled();
      times[i].push_back(jobs[i].run());
    }
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    jobs[i].row.seconds = median(times[i]);
    jobs[i].row.rounds = rounds;
    result.rows.push_back(std::move(jobs[i].row));
  }
}

octavo::Tensor noise(const octavo::Shape& shape, std::uint32_t seed) {
  octavo::Tensor tensor = octavo::Tensor::empty(octavo::DType::f32, shape);
  for (float& value : tensor.mutable_values<float>()) {
    seed = seed * 1664525U + 1013904223U;  // Numerical Recipes (2nd ed.), section 7.1
    value = static_cast<float>(seed >> 8U) / 8388608.0F - 1.0F;
  }
  return tensor;
}

}  // namespace cli
