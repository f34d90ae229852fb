#include "octavo/parallel.hpp"

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "octavo/error.hpp"

#ifdef OCTAVO_OPENMP
#include <omp.h>
#endif

namespace octavo {

namespace {

thread_local bool inside_parallel = false;

int machine_threads() {
#ifdef OCTAVO_OPENMP
  static const int count = std::max(1, omp_get_max_threads());  // honours OMP_NUM_THREADS
#else
  static const int count = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
#endif
  return count;
}

std::atomic<int> chosen_threads{0};

class FirstError {
 public:
  void keep(const std::exception_ptr& error) noexcept {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (error_ == nullptr) error_ = error;
  }
  void rethrow() const {
    if (error_ != nullptr) std::rethrow_exception(error_);
  }

 private:
  std::mutex mutex_;
  std::exception_ptr error_;
};

}  // namespace

int num_threads() noexcept {
  const int chosen = chosen_threads.load(std::memory_order_relaxed);
  return chosen > 0 ? chosen : machine_threads();
}

void set_num_threads(int count) {
  if (count < 0 || count > 4096)
    throw Error(ErrorCode::invalid_argument, "set_num_threads: " + std::to_string(count) +
                                                 " threads; 0 (the machine's default) to 4096 are possible");
  const int machine = machine_threads();
  chosen_threads.store(count, std::memory_order_relaxed);
#ifdef OCTAVO_OPENMP
  omp_set_num_threads(count > 0 ? count : machine);
#else
  static_cast<void>(machine);
#endif
}

SerialRegion::SerialRegion() noexcept : was_inside_(inside_parallel) {
  inside_parallel = true;
#ifdef OCTAVO_OPENMP
  previous_threads_ = omp_get_max_threads();
  omp_set_num_threads(1);
#endif
}

SerialRegion::~SerialRegion() {
#ifdef OCTAVO_OPENMP
  omp_set_num_threads(previous_threads_);
#endif
  inside_parallel = was_inside_;
}

void parallel_for(std::int64_t count, std::int64_t grain, LoopBody body) {
  if (count <= 0) return;
  const std::int64_t least = std::max<std::int64_t>(1, grain);
  const std::int64_t parts = std::min<std::int64_t>(num_threads(), (count + least - 1) / least);
  if (parts <= 1 || inside_parallel) {
    body(0, count);
    return;
  }
  FirstError error;
  const auto run_part = [&](std::int64_t part) noexcept {
    const bool outer = inside_parallel;
    inside_parallel = true;
    try {
      const std::int64_t begin = count * part / parts;
      const std::int64_t end = count * (part + 1) / parts;
      if (begin < end) body(begin, end);
    } catch (...) {
      error.keep(std::current_exception());
    }
    inside_parallel = outer;
  };
#ifdef OCTAVO_OPENMP
#pragma omp parallel for schedule(static, 1) num_threads(static_cast <int>(parts))
  for (std::int64_t part = 0; part < parts; ++part) run_part(part);
#else
  std::vector<std::thread> threads;
  threads.reserve(static_cast<std::size_t>(parts) - 1);
  for (std::int64_t part = 1; part < parts; ++part) threads.emplace_back(run_part, part);
  run_part(0);
  for (std::thread& thread : threads) thread.join();
#endif
  error.rethrow();
}

}  // namespace octavo
