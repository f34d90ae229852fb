// How many processors this process may use.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace octavo {

inline constexpr int kMostThreads = 4096;

// OCTAVO_NUM_THREADS, or what the affinity mask and the cgroup's quota leave. At least 1.
int default_threads();

// Numbers of the processors in the calling thread's affinity mask, rising. Empty where the system does not tell.
std::vector<int> allowed_processors();

// Processors that a cgroup's quota amounts to, rounded up; none where it sets none. `membership` is the text of
// /proc/self/cgroup, `root` where the hierarchies are mounted: /sys/fs/cgroup.
std::optional<int> cgroup_processors(const std::string& membership, const std::filesystem::path& root);

}  // namespace octavo
