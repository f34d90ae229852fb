#include "processors.hpp"

#include <sched.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string_view>
#include <thread>

#include "octavo/error.hpp"

namespace octavo {

namespace {

namespace fs = std::filesystem;

std::string text_of(const fs::path& file) {
  std::ostringstream text;
  text << std::ifstream(file).rdbuf();
  return text.str();
}

// Two numbers, a quota and its period, from which a share of processors follows. "max" or -1: no limit.
std::optional<int> processors_of(const std::string& quota_and_period) {
  std::istringstream words(quota_and_period);
  std::int64_t quota = 0, period = 0;
  if (!(words >> quota >> period) || quota <= 0 || period <= 0) return std::nullopt;
  return static_cast<int>(std::clamp<std::int64_t>((quota + period - 1) / period, 1, kMostThreads));
}

// The least limit of a group and of those that it is in. Where a container shows only its own part of the hierarchy,
// the path of the membership does not exist below `mounted`, and its root is the group.
template <class Limit>
std::optional<int> least_limit(const fs::path& mounted, fs::path group, const Limit& limit) {
  std::optional<int> least;
  for (;; group = group.parent_path()) {
    const std::optional<int> here = limit(mounted / group);
    if (here && (!least || *here < *least)) least = here;
    if (group.empty()) return least;
  }
}

}  // namespace

std::optional<int> cgroup_processors(const std::string& membership, const fs::path& root) {
  std::optional<int> least;
  std::istringstream lines(membership);
  for (std::string line; std::getline(lines, line);) {  // hierarchy:controllers:path
    const std::size_t first = line.find(':');
    const std::size_t second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = "," + line.substr(first + 1, second - first - 1) + ",";
    const fs::path group = fs::path(line.substr(second + 1)).relative_path();
    std::optional<int> found;
    if (controllers == ",,")  // version 2
      found = least_limit(root, group, [](const fs::path& at) { return processors_of(text_of(at / "cpu.max")); });
    else if (controllers.find(",cpu,") != std::string::npos)
      found = least_limit(root / "cpu", group, [](const fs::path& at) {
        return processors_of(text_of(at / "cpu.cfs_quota_us") + " " + text_of(at / "cpu.cfs_period_us"));
      });
    if (found && (!least || *found < *least)) least = found;
  }
  return least;
}

std::vector<int> allowed_processors() {
  std::vector<int> numbers;
  cpu_set_t mask;
  CPU_ZERO(&mask);
  if (sched_getaffinity(0, sizeof mask, &mask) != 0) return numbers;
  for (int number = 0; number < CPU_SETSIZE; ++number)
    if (CPU_ISSET(number, &mask)) numbers.push_back(number);
  return numbers;
}

int default_threads() {
  if (const char* text = std::getenv("OCTAVO_NUM_THREADS"); text != nullptr && *text != '\0') {
    const std::string_view given(text);
    int count = 0;
    const auto [end, error] = std::from_chars(given.data(), given.data() + given.size(), count);
    if (error != std::errc() || end != given.data() + given.size() || count < 1 || count > kMostThreads)
      throw Error(ErrorCode::invalid_argument, "OCTAVO_NUM_THREADS is \"" + std::string(given) +
                                                   "\"; give a number of threads from 1 to " +
                                                   std::to_string(kMostThreads) + ", or leave it unset");
    return count;
  }
  static const int granted = [] {
    const int allowed = static_cast<int>(allowed_processors().size());
    const int machine = allowed > 0 ? allowed : static_cast<int>(std::thread::hardware_concurrency());
    const int quota = cgroup_processors(text_of("/proc/self/cgroup"), "/sys/fs/cgroup").value_or(kMostThreads);
    return std::clamp(std::min(machine, quota), 1, kMostThreads);
  }();
  return granted;
}

}  // namespace octavo
