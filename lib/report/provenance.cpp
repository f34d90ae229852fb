// When a report is made, and on what.
#include "provenance.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <ctime>
#include <fstream>

#include "octavo/build_info.hpp"
#include "octavo/gemm.hpp"
#include "octavo/parallel.hpp"
#include "octavo/report.hpp"

namespace octavo {
namespace report {

std::string iso_date() {
  const std::time_t now = std::time(nullptr);
  std::tm local{};
  localtime_r(&now, &local);
  std::array<char, 64> text{};
  const std::size_t length = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S%z", &local);
  std::string date(text.data(), length);
  if (length > 2) date.insert(length - 2, ":");  // +0100 is ISO 8601's basic form, the rest its extended one
  return date;
}

namespace {

std::string processor_name() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    const std::size_t colon = line.find(": ");
    if (colon != std::string::npos && (line.starts_with("model name") || line.starts_with("Model")))
      return line.substr(colon + 2);
  }
  return "";
}

}  // namespace
}  // namespace report

ReportMachine ReportMachine::here() {
  const BuildInfo build = build_info();
  ReportMachine machine;
  machine.processor = report::processor_name();
  machine.processors = std::max<std::int64_t>(0, sysconf(_SC_NPROCESSORS_ONLN));
  const long pages = sysconf(_SC_PHYS_PAGES), page_bytes = sysconf(_SC_PAGESIZE);
  if (pages > 0 && page_bytes > 0)
    machine.memory_bytes = static_cast<std::uint64_t>(pages) * static_cast<std::uint64_t>(page_bytes);
  machine.instruction_sets = build.instruction_sets;
  machine.onednn = build.onednn_running;
  machine.onednn_isa = build.onednn_isa;
  machine.int8_backend = int8_backend_in_use();
  machine.threads = num_threads();
  return machine;
}

}  // namespace octavo
