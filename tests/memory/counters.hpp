// What this test program takes from the system. Its malloc and mmap are its own, and count before they pass a call on,
// on every thread and for the library's calls as for the test's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>

namespace test {

struct Taken {
  std::int64_t allocations = 0;  // malloc, operator new, aligned_alloc and their kin
  std::int64_t mappings = 0;     // mmap and munmap by name; malloc's own show as allocations
  std::int64_t page_faults = 0;  // of all threads, by getrusage
};

// Since the program began.
Taken taken();
// While `job` runs.
Taken taken_by(const std::function<void()>& job);

// As long as it lives there is no memory for a block of exactly so many bytes from malloc or operator new. One at a
// time.
class Refusal {
 public:
  explicit Refusal(std::size_t bytes);
  ~Refusal();
  Refusal(const Refusal&) = delete;
  Refusal& operator=(const Refusal&) = delete;
  std::int64_t count() const;  // how many were refused
};

}  // namespace test
