#include "octavo/detail/memory_left.hpp"

#include <algorithm>
#include <fstream>
#include <string>
#include <string_view>

namespace octavo::detail {

namespace {

// The number behind `name` in a file of lines "name number ...".
std::optional<std::uint64_t> number_of(const std::filesystem::path& file, std::string_view name) {
  std::ifstream lines(file);
  std::string word;
  for (std::uint64_t number = 0; lines >> word;) {
    if (word == name && lines >> number) return number;
    lines.ignore(1 << 12, '\n');
  }
  return std::nullopt;
}

}  // namespace

std::optional<MemoryLeft> memory_left(const std::filesystem::path& meminfo, const std::filesystem::path& cgroup) {
  constexpr std::uint64_t kUnit = 1024;  // "kB"
  const auto available = number_of(meminfo, "MemAvailable:"), total = number_of(meminfo, "MemTotal:");
  if (!available || !total) return std::nullopt;
  MemoryLeft left{*available * kUnit, *total * kUnit};
  std::uint64_t limit = 0;
  const auto used = number_of(cgroup / "memory.stat", "anon");
  if (used && std::ifstream(cgroup / "memory.max") >> limit && limit < left.total) {  // "max" is no number
    left.total = limit;
    left.available = std::min(left.available, limit - std::min(limit, *used));
  }
  return left;
}

bool leaves_enough(const std::optional<MemoryLeft>& left, std::uint64_t bytes) {
  return !left || left->available >= bytes + left->total / 8;
}

}  // namespace octavo::detail
