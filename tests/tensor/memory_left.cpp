// What is left of the machine's and of a container's memory, read from files as Linux writes them.
#include "octavo/detail/memory_left.hpp"

#include "../support/scratch.hpp"  // lib/gemm has one of this name, too
#include "catch.hpp"

using octavo::detail::leaves_enough;
using octavo::detail::memory_left;
using octavo::detail::MemoryLeft;

namespace {

constexpr const char* kMeminfo =
    "MemTotal:        8000000 kB\nMemFree:          500000 kB\nMemAvailable:    3000000 kB\n";

}  // namespace

TEST_CASE("what is left of memory is the machine's or what a container's limit leaves") {
  const test::ScratchDirectory scratch;
  const std::string meminfo = scratch.write("meminfo", kMeminfo);
  const std::filesystem::path cgroup = scratch.path();
  const auto left = [&] { return memory_left(meminfo, cgroup).value(); };
  CHECK(left().available == 3000000ULL * 1024);  // no such group
  CHECK(left().total == 8000000ULL * 1024);
  scratch.write("memory.stat", "anon 1000000000\nfile 700000000\n");
  scratch.write("memory.max", "max\n");
  CHECK(left().total == 8000000ULL * 1024);
  scratch.write("memory.max", "2000000000\n");
  CHECK(left().total == 2000000000);
  CHECK(left().available == 1000000000);
  scratch.write("memory.stat", "anon 2500000000\n");  // the limit was lowered
  CHECK(left().available == 0);
  CHECK_FALSE(memory_left(cgroup / "absent", cgroup).has_value());
}

TEST_CASE("memory is enough while an eighth of it stays available") {
  CHECK(leaves_enough(std::nullopt, 1 << 30));
  CHECK(leaves_enough(MemoryLeft{1100, 800}, 1000));
  CHECK_FALSE(leaves_enough(MemoryLeft{1099, 800}, 1000));
}
