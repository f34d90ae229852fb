// octavo bench: the result as text.
#include <algorithm>
#include <cstdio>
#include <string>

#include "bench.hpp"

namespace cli {

namespace {

std::string number(double value, const char* format) {
  char text[32];
  std::snprintf(text, sizeof text, format, value);
  return text;
}

std::string significant(double value) {
  return number(value, value >= 1000 ? "%.0f" : value >= 100 ? "%.1f" : value >= 10 ? "%.2f" : "%.3g");
}

// "1.23 s", "4.56 ms", "7.89 us"
std::string duration(double seconds) {
  if (seconds >= 1) return significant(seconds) + " s";
  if (seconds >= 1e-3) return significant(seconds * 1e3) + " ms";
  return significant(seconds * 1e6) + " us";
}

std::string rate(const BenchRow& row) {
  if (row.item != "calls") return significant(row.items / row.seconds) + " " + row.item + "/s";
  const Work work = row.work();
  return significant(1e-9 * work.operations() / row.seconds) + (work.int8 > 0 ? " GOP/s" : " GFLOP/s");
}

std::string size_name(std::size_t bytes) { return std::to_string(bytes >> 20U) + " MiB"; }

void print_machine(const limits::Machine& machine) {
  std::printf("machine   %s, %d thread%s; the best of several runs\n",
              machine.processor.empty() ? "unknown processor" : machine.processor.c_str(), machine.threads,
              machine.threads == 1 ? "" : "s");
  std::printf("  %-44s %14s %14s\n", "products and exps in registers, GOP/s", "one thread", "all threads");
  for (const limits::UnitRate& unit : machine.units) {
    const std::string name = unit.kind + " by " + unit.name;
    if (unit.measured) std::printf("  %-44s %14.0f %14.0f\n", name.c_str(), unit.one_thread, unit.all_threads);
    if (!unit.measured) std::printf("  %-44s not measured: %s\n", name.c_str(), unit.missing.c_str());
  }
  std::printf("  %-44s\n", "reading, GB/s");
  for (const limits::ReadRate& read : machine.reads) {
    const std::string name =
        size_name(read.bytes) + (&read == &machine.reads.back() ? " (memory)" : " again and again");
    std::printf("  %-44s %14.1f %14.1f\n", name.c_str(), read.one_thread, read.all_threads);
  }
}

}  // namespace

void print_table(const BenchResult& result) {
  print_machine(result.machine);
  std::size_t widest = 0;
  for (const BenchRow& row : result.rows) widest = std::max(widest, row.name.size());
  const int width = static_cast<int>(widest);
  std::string group;
  for (const BenchRow& row : result.rows) {
    if (row.group != group)
      std::printf("\n%-*s %11s %19s %11s %7s  %s\n", width + 2, row.group.c_str(), "median", "rate", "limit", "share",
                  "binds");
    group = row.group;
    const Limit limit = limit_of(row, result.machine);
    std::printf("  %-*s %11s %19s", width, row.name.c_str(), duration(row.seconds).c_str(), rate(row).c_str());
    if (limit.seconds > 0)
      std::printf(" %11s %5.0f %%  %s", duration(limit.seconds).c_str(), 100 * limit.seconds / row.seconds,
                  limit.binds.c_str());
    std::printf("\n");
  }
  if (result.memory && result.memory->peak_bytes) {
    const ModelMemory& memory = *result.memory;
    const std::string side = std::to_string(memory.side);
    std::printf(
        "\nmemory    %s weights; opening and answering%s %lld tokens: at most %.0f MB of the process, mapped files "
        "included: %.2f times the files' %.0f MB\n",
        memory.dtype.c_str(), memory.side > 0 ? (" on a picture of " + side + " x " + side + ",").c_str() : " on",
        static_cast<long long>(memory.prompt_tokens), 1e-6 * *memory.peak_bytes,
        *memory.peak_bytes / memory.weight_bytes, 1e-6 * memory.weight_bytes);
  }
  for (const LeftOut& left : result.left_out) std::printf("left out  %s: %s\n", left.name.c_str(), left.why.c_str());
}

}  // namespace cli
