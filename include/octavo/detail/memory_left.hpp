/// How much memory a process may still take without pushing out what it reads from files. Not for direct use.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

namespace octavo::detail {

struct MemoryLeft {
  std::uint64_t available = 0, total = 0;  ///< bytes
};

/// Of the machine, or of the container where its limit is less (cgroup version 2): what is free, and what holds nothing
/// but copies of files. Nothing where the system does not say.
std::optional<MemoryLeft> memory_left(const std::filesystem::path& meminfo = "/proc/meminfo",
                                      const std::filesystem::path& cgroup = "/sys/fs/cgroup");

/// Whether so many bytes leave an eighth of the memory available; true where the system does not say.
bool leaves_enough(const std::optional<MemoryLeft>& left, std::uint64_t bytes);

}  // namespace octavo::detail
