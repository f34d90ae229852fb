#include "limits.hpp"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <fstream>
#include <functional>
#include <limits>
#include <new>
#include <octavo/build_info.hpp>
#include <octavo/cancel.hpp>
#include <octavo/gemm.hpp>
#include <octavo/parallel.hpp>

#include "kernels.hpp"

namespace limits {

namespace {

constexpr std::size_t kMiB = std::size_t{1} << 20;

double seconds_of(const std::function<void()>& job) {
  const auto start = std::chrono::steady_clock::now();
  job();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// body(thread) on `threads` of the pool's threads at once.
void on_threads(int threads, const std::function<void(std::int64_t)>& body) {
  if (threads == 1) return body(0);
  octavo::parallel_for(threads, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t thread = begin; thread < end; ++thread) body(thread);
  });
}

double best_seconds(const std::function<void()>& job, int runs) {
  double best = std::numeric_limits<double>::infinity();
  for (int i = 0; i < runs; ++i) {
    octavo::check_cancelled();
    best = std::min(best, seconds_of(job));
  }
  return best;
}

double rate_of(Registers run, double ops_per_round, int threads) {
  constexpr double kSeconds = 0.003;  // long beside the threads' start, short beside a time slice
  std::int64_t rounds = 1000;
  while (seconds_of([&] { run(rounds); }) < kSeconds / 4) rounds *= 2;
  rounds *= 4;
  const double best = best_seconds([&] { on_threads(threads, [&](std::int64_t) { run(rounds); }); }, 15);
  return 1e-9 * ops_per_round * static_cast<double>(rounds) * threads / best;
}

double read_rate(Read read, const std::vector<std::byte>& memory, std::size_t bytes, int threads) {
  const std::size_t part = bytes / static_cast<std::size_t>(threads) / 512 * 512;
  const std::size_t times = std::max<std::size_t>(1, 64 * kMiB / bytes);
  const double best = best_seconds(
      [&] {
        on_threads(threads, [&](std::int64_t thread) {
          for (std::size_t i = 0; i < times; ++i) read(memory.data() + static_cast<std::size_t>(thread) * part, part);
        });
      },
      5);
  return 1e-9 * static_cast<double>(part * times) * threads / best;
}

/// Beyond the last cache, but no more than 1 GiB and an eighth of the memory.
std::size_t beyond_caches() {
  std::size_t cache = 0;
#ifdef _SC_LEVEL3_CACHE_SIZE
  cache = static_cast<std::size_t>(std::max(0L, ::sysconf(_SC_LEVEL3_CACHE_SIZE)));
#endif
  const auto memory = static_cast<std::size_t>(std::max(0L, ::sysconf(_SC_PHYS_PAGES))) *
                      static_cast<std::size_t>(std::max(0L, ::sysconf(_SC_PAGESIZE)));
  const std::size_t wanted = std::clamp(2 * cache, 256 * kMiB, 1024 * kMiB);
  return memory == 0 ? 256 * kMiB : std::max(std::min(wanted, memory / 8 / kMiB * kMiB), 64 * kMiB);
}

/// As much of `wanted` as the process may have.
std::vector<std::byte> memory_to_read(std::size_t wanted) {
  for (;; wanted /= 2) try {
      return std::vector<std::byte>(wanted, std::byte{1});
    } catch (const std::bad_alloc&) {
      if (wanted <= 16 * kMiB) throw;
    }
}

std::string processor_name() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);)
    if (line.rfind("model name", 0) == 0 && line.find(": ") != std::string::npos)
      return line.substr(line.find(": ") + 2);
  return "";
}

/// Why the library does not run one of its backends here; "" when it does.
std::string missing(const std::vector<octavo::BackendInfo>& backends, const std::string& name) {
  for (const octavo::BackendInfo& backend : backends)
    if (backend.name == name) return backend.available ? "" : backend.detail;
  return "not in this build";
}

struct Unit {
  std::string name, kind;
  Registers run;
  double ops_per_round;
  std::string missing;
};

std::vector<Unit> units() {
  std::vector<Unit> all;
#ifdef OCTAVO_LIMITS_X86
  const std::vector<octavo::BackendInfo> int8 = octavo::int8_backends();
  const std::vector<octavo::BackendInfo> floats = octavo::float_backends();
  const bool avx2 = __builtin_cpu_supports("avx2") != 0;
  const bool fma = avx2 && __builtin_cpu_supports("fma") != 0;
  all.push_back({"amx_int8", "int8", amx_int8, kAmxInt8Ops, missing(int8, "amx_int8")});
  all.push_back({"avx512_vnni", "int8", avx512_vnni_int8, kVnniOps, missing(int8, "avx512_vnni")});
  all.push_back({"avx_vnni", "int8", avx_vnni_int8, kAvxVnniOps, missing(int8, "avx_vnni")});
  all.push_back({"avx2", "int8", avx2_int8, kAvx2Int8Ops, avx2 ? "" : "the processor has no AVX2"});
  all.push_back({"amx_bf16", "bf16", amx_bf16, kAmxBf16Ops, missing(floats, "amx_bf16")});
  all.push_back({"avx512_bf16", "bf16", avx512_bf16, kAvx512Bf16Ops, missing(floats, "avx512_bf16")});
  const std::string no_avx512 = missing(floats, "avx512");
  const std::string no_fma = fma ? "" : "the processor has no AVX2 with FMA";
  all.push_back({"avx512", "f32", avx512_f32, kAvx512F32Ops, no_avx512});
  all.push_back({"avx2_fma", "f32", avx2_f32, kAvx2F32Ops, no_fma});
  all.push_back({"avx512", "exp", avx512_exp, kAvx512Exps, no_avx512});
  all.push_back({"avx2_fma", "exp", avx2_exp, kAvx2Exps, no_fma});
#endif
  all.push_back({"portable", "f32", portable_f32, kPortableF32Ops, ""});
  all.push_back({"portable", "exp", portable_exp, kPortableExps, ""});
  return all;
}

Read best_read() {
#ifdef OCTAVO_LIMITS_X86
  if (missing(octavo::float_backends(), "avx512").empty()) return avx512_read;
  if (__builtin_cpu_supports("avx2") != 0) return avx2_read;
#endif
  return portable_read;
}

}  // namespace

double Machine::rate(const std::string& kind) const {
  double best = 0;
  for (const UnitRate& unit : units)
    if (unit.measured && (unit.kind == kind || (kind != "exp" && unit.kind == "f32")))
      best = std::max(best, unit.all_threads);
  return 1e9 * best;
}

const ReadRate& Machine::read(double bytes) const {
  for (const ReadRate& rate : reads)
    if (bytes <= static_cast<double>(rate.bytes)) return rate;
  return reads.back();
}

Machine measure() {
  Machine machine;
  machine.processor = processor_name();
  machine.threads = octavo::num_threads();
  for (const Unit& unit : units()) {
    UnitRate found{unit.name, unit.kind, unit.missing.empty(), unit.missing};
    if (found.measured) {
      found.one_thread = rate_of(unit.run, unit.ops_per_round, 1);
      found.all_threads =
          machine.threads == 1 ? found.one_thread : rate_of(unit.run, unit.ops_per_round, machine.threads);
    }
    machine.units.push_back(found);
  }
  machine.beyond_caches = beyond_caches();
  const std::vector<std::byte> memory = memory_to_read(machine.beyond_caches);
  const std::size_t largest = memory.size();
  const Read read = best_read();
  for (const std::size_t bytes : {kMiB, 32 * kMiB, 128 * kMiB, largest}) {
    if (bytes > largest || (!machine.reads.empty() && bytes == machine.reads.back().bytes)) continue;
    ReadRate found{bytes, read_rate(read, memory, bytes, 1)};
    found.all_threads = machine.threads == 1 ? found.one_thread : read_rate(read, memory, bytes, machine.threads);
    machine.reads.push_back(found);
  }
  return machine;
}

}  // namespace limits
