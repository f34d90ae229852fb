// What it costs to share a loop among threads: the time of a loop of equal parts, less that of the parts of one thread.
//
//     loop_bench [threads] [repetitions]      one per core, 1500
//
// Medians, for parts that wait actively for some microseconds, and for pauses between loops during which the pool's
// threads look for work (20 us) or have gone to sleep (200 us).
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "octavo/parallel.hpp"

namespace {

using Clock = std::chrono::steady_clock;

double seconds() { return std::chrono::duration<double>(Clock::now().time_since_epoch()).count(); }

void wait(double duration) {
  for (const double end = seconds() + duration; seconds() < end;) {
  }
}

double median_cost(int threads, int parts, double part, double pause, int repetitions) {
  std::vector<double> costs;
  for (int i = 0; i < repetitions; ++i) {
    wait(pause);
    const double begin = seconds();
    octavo::parallel_for(static_cast<std::int64_t>(threads) * parts, 1, [&](std::int64_t first, std::int64_t last) {
      for (; first < last; ++first) wait(part);
    });
    costs.push_back(seconds() - begin - parts * part);
  }
  std::nth_element(costs.begin(), costs.begin() + repetitions / 2, costs.end());
  return costs[static_cast<std::size_t>(repetitions / 2)];
}

}  // namespace

int main(int argc, char** argv) {
  octavo::set_num_threads(argc > 1 ? static_cast<int>(std::strtol(argv[1], nullptr, 10)) : 0);
  const int repetitions = argc > 2 ? std::max(1, static_cast<int>(std::strtol(argv[2], nullptr, 10))) : 1500;
  const int threads = octavo::num_threads();
  std::printf("%d threads; microseconds over the work of one thread\n", threads);
  std::printf("%-28s %18s %18s\n", "parts of each thread", "20 us since last", "200 us since last");
  for (const int parts : {1, 4})
    for (const double part : {2e-6, 10e-6})
      std::printf("%d of %2.0f us %30.1f %18.1f\n", parts, part * 1e6,
                  median_cost(threads, parts, part, 20e-6, repetitions) * 1e6,
                  median_cost(threads, parts, part, 200e-6, repetitions) * 1e6);
  return 0;
}
