// How much of a mapped file is in this process's memory.
#pragma once

#include <cstdint>
#include <fstream>
#include <sstream>
#include <string>

namespace test {

/// Bytes of resident pages of the mappings of `path`, by proc(5), /proc/pid/smaps.
inline std::int64_t resident_bytes(const std::string& path) {
  std::ifstream maps("/proc/self/smaps");
  std::int64_t kib = 0;
  bool ours = false;
  for (std::string line; std::getline(maps, line);) {
    if (line.find('-') < line.find(' ') && line.find('-') < line.find(':')) ours = line.ends_with(path);
    if (!ours || line.rfind("Rss:", 0) != 0) continue;
    std::int64_t pages = 0;
    std::istringstream(line.substr(4)) >> pages;
    kib += pages;
  }
  return kib * 1024;
}

}  // namespace test
