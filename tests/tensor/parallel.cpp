#include "octavo/parallel.hpp"

#include <algorithm>
#include <atomic>
#include <numeric>
#include <vector>

#include "catch.hpp"
#include "octavo/error.hpp"

using namespace octavo;

TEST_CASE("every index is visited once, whatever the threads and the grain") {
  for (const int threads : {1, 2, 3, 7}) {
    set_num_threads(threads);
    for (const std::int64_t count : {0, 1, 2, 5, 64, 1001})
      for (const std::int64_t grain : {1, 3, 64, 5000}) {
        std::vector<int> visits(static_cast<std::size_t>(count));
        parallel_for(count, grain, [&](std::int64_t begin, std::int64_t end) {
          for (std::int64_t i = begin; i < end; ++i) ++visits[static_cast<std::size_t>(i)];
        });
        CHECK(std::accumulate(visits.begin(), visits.end(), std::int64_t{0}) == count);
        CHECK(std::count(visits.begin(), visits.end(), 1) == count);
      }
  }
  set_num_threads(0);
}

TEST_CASE("ranges hold the grain or more but for one of each thread's share") {
  for (const int threads : {2, 3, 7}) {
    set_num_threads(threads);
    for (const std::int64_t count : {100, 1001, 100000})
      for (const std::int64_t grain : {1, 8, 64}) {
        std::atomic<int> shorter{0}, ranges{0};
        parallel_for(count, grain, [&](std::int64_t begin, std::int64_t end) {
          ++ranges;
          if (end - begin < grain) ++shorter;
        });
        INFO(threads << " threads, " << count << " by " << grain);
        CHECK(ranges > 1);
        CHECK(shorter <= threads);
      }
  }
  set_num_threads(0);
}

TEST_CASE("an exception leaves the loop, and loops inside loops run") {
  set_num_threads(3);
  CHECK_THROWS_WITH(parallel_for(10, 1,
                                 [](std::int64_t begin, std::int64_t) {
                                   if (begin > 0) throw Error(ErrorCode::internal, "from a body");
                                 }),
                    "from a body");
  std::atomic<int> sum{0};
  parallel_for(4, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i)
      parallel_for(5, 1, [&](std::int64_t b, std::int64_t e) { sum += static_cast<int>(e - b); });
  });
  CHECK(sum == 20);
  set_num_threads(0);
}

TEST_CASE("a serial region keeps its thread alone, and only as long as it lives") {
  set_num_threads(3);
  const auto parts = [] {
    std::atomic<int> count{0};
    parallel_for(30, 1, [&](std::int64_t, std::int64_t) { ++count; });
    return count.load();
  };
  CHECK(parts() > 1);
  {
    const SerialRegion alone;
    CHECK(parts() == 1);
    {
      const SerialRegion again;
      CHECK(parts() == 1);
    }
    CHECK(parts() == 1);
  }
  CHECK(parts() > 1);
  set_num_threads(0);
}

TEST_CASE("absurd thread counts are refused") {
  CHECK_THROWS_AS(set_num_threads(-1), Error);
  CHECK_THROWS_WITH(set_num_threads(5000),
                    "set_num_threads: 5000 threads; 0 (the machine's default) to 4096 are possible");
}
