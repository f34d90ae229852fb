// What parallel.hpp promises of pools: who helps whom, where threads run, and what they leave alone.
#include <pthread.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "catch.hpp"
#include "octavo/error.hpp"
#include "octavo/parallel.hpp"
#include "processors.hpp"
#include "scratch.hpp"
#include "threads.hpp"

using namespace octavo;

namespace {

#if defined(__SANITIZE_THREAD__)
constexpr bool kForkedThreads = false;  // ThreadSanitizer starts none in a forked child
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
constexpr bool kForkedThreads = false;
#else
constexpr bool kForkedThreads = true;
#endif
#else
constexpr bool kForkedThreads = true;
#endif

#if defined(__SANITIZE_ADDRESS__)
constexpr bool kLooksForLeaks = true;  // at exit, from the stacks of the threads that are there
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
constexpr bool kLooksForLeaks = true;
#else
constexpr bool kLooksForLeaks = false;
#endif
#else
constexpr bool kLooksForLeaks = false;
#endif

// Waits in each body until `threads` threads are in one, and then calls at_work() on each. False where fewer came
// within 20 seconds.
template <class Work>
bool meet(int threads, const Work& at_work) {
  std::atomic<int> came{0};
  std::atomic<bool> all{true};
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  parallel_for(threads, 1, [&](std::int64_t, std::int64_t) {
    for (++came; came < threads;) {
      if (std::chrono::steady_clock::now() > end) {
        all = false;
        return;
      }
      std::this_thread::yield();
    }
    at_work();
  });
  return all;
}
bool meet(int threads) {
  return meet(threads, [] {});
}

double process_cpu_seconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

std::int64_t sum_of_loop() {
  std::vector<std::int64_t> squares(1000);
  parallel_for(1000, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) squares[static_cast<std::size_t>(i)] = i * i;
  });
  std::int64_t sum = 0;
  for (const std::int64_t square : squares) sum += square;
  return sum;
}
constexpr std::int64_t kSumOfLoop = 332833500;

}  // namespace

TEST_CASE("a loop runs on as many threads as its pool has") {
  for (const int threads : {1, 2, 5}) {
    const ThreadPool pool(threads);
    CHECK(pool.count() == threads);
    const ThreadPoolScope scope(pool);
    CHECK(num_threads() == threads);
    std::mutex mutex;
    std::set<std::thread::id> seen;
    const auto note = [&] {
      const std::lock_guard<std::mutex> lock(mutex);
      seen.insert(std::this_thread::get_id());
    };
    for (int round = 0; round < 10; ++round) CHECK(meet(threads, note));
    CHECK(static_cast<int>(seen.size()) == threads);  // the same ones each time
    CHECK(seen.count(std::this_thread::get_id()) == 1);
  }
}

TEST_CASE("scopes nest and belong to their thread") {
  set_num_threads(3);
  const ThreadPool two(2), four(4);
  {
    const ThreadPoolScope outer(two);
    {
      const ThreadPoolScope inner(four);
      CHECK(num_threads() == 4);
      std::thread([] { CHECK(num_threads() == 3); }).join();
      set_num_threads(5);  // of the default pool
      CHECK(num_threads() == 4);
    }
    CHECK(num_threads() == 2);
  }
  CHECK(num_threads() == 5);
  set_num_threads(0);
}

TEST_CASE("a scope keeps its pool") {
  std::optional<ThreadPool> pool(std::in_place, 3);
  const ThreadPoolScope scope(*pool);
  pool.reset();
  CHECK(num_threads() == 3);
  CHECK(meet(3));
}

TEST_CASE("pools of absurd sizes are refused") {
  CHECK_THROWS_WITH(ThreadPool(-1), "ThreadPool: -1 threads; 0 (the machine's default) to 4096 are possible");
  CHECK_THROWS_AS(ThreadPool(4097), Error);
}

TEST_CASE("a caller does not wait for another's loop, though every helper does") {
  const ThreadPool pool(3);
  std::atomic<bool> second_done{false};
  std::atomic<int> waiting{0};
  std::thread first([&] {
    const ThreadPoolScope scope(pool);
    parallel_for(3, 1, [&](std::int64_t, std::int64_t) {
      ++waiting;
      while (!second_done) std::this_thread::yield();
    });
  });
  while (waiting < 3) std::this_thread::yield();  // the caller and both helpers
  const ThreadPoolScope scope(pool);
  CHECK(sum_of_loop() == kSumOfLoop);
  second_done = true;
  first.join();
}

TEST_CASE("many callers share a pool while the default one changes its size") {
  const ThreadPool pool(3);
  std::atomic<int> wrong{0};
  test::at_once(5, [&](int thread) {
    for (int round = 0; round < 200; ++round) {
      if (thread == 0) {
        set_num_threads(1 + round % 5);
      } else if (thread < 3) {
        const ThreadPoolScope scope(pool);
        wrong += sum_of_loop() == kSumOfLoop ? 0 : 1;
      } else {
        wrong += sum_of_loop() == kSumOfLoop ? 0 : 1;
      }
    }
  });
  CHECK(wrong == 0);
  set_num_threads(0);
}

TEST_CASE("more loops at a time than a pool has places for are all worked on") {
  constexpr int kCallers = 80;  // a pool has 64 places
  const ThreadPool pool(3);
  std::atomic<int> inside{0}, wrong{0};
  test::at_once(kCallers, [&](int) {
    const ThreadPoolScope scope(pool);
    std::atomic<bool> first{true};
    std::atomic<int> covered{0};
    parallel_for(2, 1, [&](std::int64_t begin, std::int64_t end) {
      if (first.exchange(false))  // every caller's loop is under way before one ends
        for (++inside; inside < kCallers;) std::this_thread::yield();
      covered += static_cast<int>(end - begin);
    });
    wrong += covered == 2 ? 0 : 1;
    wrong += sum_of_loop() == kSumOfLoop ? 0 : 1;
  });
  CHECK(wrong == 0);
  const ThreadPoolScope scope(pool);
  CHECK(meet(3));  // their places are free again
}

TEST_CASE("pools come and go while others work") {
  std::atomic<int> wrong{0};
  test::at_once(3, [&](int) {
    for (int round = 0; round < 30; ++round) {
      const ThreadPool pool(1 + round % 4);
      const ThreadPoolScope scope(pool);
      for (int i = 0; i < 3; ++i) wrong += sum_of_loop() == kSumOfLoop ? 0 : 1;
    }
  });
  CHECK(wrong == 0);
}

TEST_CASE("after an exception the rest of a loop is left out, and its pool goes on") {
  const ThreadPool pool(2);
  const ThreadPoolScope scope(pool);
  for (int round = 0; round < 50; ++round) {
    CHECK_THROWS_WITH(
        parallel_for(8, 1, [](std::int64_t, std::int64_t) { throw Error(ErrorCode::internal, "from a body"); }),
        "from a body");
    CHECK(sum_of_loop() == kSumOfLoop);
  }
}

TEST_CASE("the size of the default pool cannot be changed from inside a loop") {
  set_num_threads(2);
  CHECK_THROWS_WITH(parallel_for(2, 1, [](std::int64_t, std::int64_t) { set_num_threads(1); }),
                    "set_num_threads: called from inside a parallel loop; call it between jobs");
  set_num_threads(0);
}

TEST_CASE("every index is computed once, whatever runs beside it") {
  for (const int threads : {2, 3, 64, 200}) {
    const ThreadPool pool(threads);
    const ThreadPoolScope scope(pool);
    for (const std::int64_t count : {2, 3, 100, 12345}) {
      std::vector<int> visits(static_cast<std::size_t>(count));
      parallel_for(count, 1, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t i = begin; i < end; ++i) ++visits[static_cast<std::size_t>(i)];
      });
      INFO(threads << " threads, " << count << " indices");
      CHECK(std::count(visits.begin(), visits.end(), 1) == count);
    }
  }
}

TEST_CASE("threads sleep when there is nothing to do") {
  set_num_threads(4);
  CHECK(meet(4));
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  const double before = process_cpu_seconds();
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  CHECK(process_cpu_seconds() - before < 0.01);  // of 0.6 that three active threads take
  CHECK(meet(4));                                // they wake again
  set_num_threads(0);
}

TEST_CASE("a caller sleeps while it waits for a helper") {
  const ThreadPool pool(2);
  const ThreadPoolScope scope(pool);
  const std::thread::id caller = std::this_thread::get_id();
  std::atomic<bool> helper_came{false};
  const double before = process_cpu_seconds();
  parallel_for(2, 1, [&](std::int64_t, std::int64_t) {
    if (std::this_thread::get_id() == caller) {
      while (!helper_came) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    } else {
      helper_came = true;
      std::this_thread::sleep_for(std::chrono::milliseconds(200));
    }
  });
  CHECK(process_cpu_seconds() - before < 0.05);
}

TEST_CASE("handlers of the host never run on a pool's threads") {
  const ThreadPool pool(3);
  const ThreadPoolScope scope(pool);
  const std::thread::id caller = std::this_thread::get_id();
  std::atomic<int> wrong{0};
  CHECK(meet(3, [&] {
    sigset_t blocked;
    pthread_sigmask(SIG_SETMASK, nullptr, &blocked);
    const bool own = std::this_thread::get_id() != caller;
    for (const int signal : {SIGINT, SIGTERM, SIGPROF, SIGUSR1, SIGALRM, SIGCHLD})
      if ((sigismember(&blocked, signal) == 1) != own) ++wrong;
    for (const int fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL})  // would end the process without a word
      if (sigismember(&blocked, fault) == 1) ++wrong;
  }));
  CHECK(wrong == 0);
}

TEST_CASE("threads stay on a processor only where that is asked for") {
  const std::vector<int> allowed = allowed_processors();
  REQUIRE_FALSE(allowed.empty());
  const std::thread::id caller = std::this_thread::get_id();
  for (const ThreadPlacement placement : {ThreadPlacement::anywhere, ThreadPlacement::pinned}) {
    const ThreadPool pool(3, placement);
    const ThreadPoolScope scope(pool);
    std::mutex mutex;
    std::multiset<std::vector<int>> of_helpers;
    std::vector<int> of_caller;
    CHECK(meet(3, [&] {
      const std::lock_guard<std::mutex> lock(mutex);
      if (std::this_thread::get_id() == caller)
        of_caller = allowed_processors();
      else
        of_helpers.insert(allowed_processors());
    }));
    CHECK(of_caller == allowed);
    if (placement == ThreadPlacement::anywhere)
      CHECK(of_helpers == std::multiset<std::vector<int>>{allowed, allowed});
    else
      CHECK(of_helpers ==
            std::multiset<std::vector<int>>{{allowed[1 % allowed.size()]}, {allowed[2 % allowed.size()]}});
  }
}

TEST_CASE("a forked child has pools that work") {
  if (!kForkedThreads) return;
  const ThreadPool pool(3);
  {
    const ThreadPoolScope scope(pool);
    CHECK(meet(3));
  }
  set_num_threads(2);
  CHECK(meet(2));
  std::atomic<bool> stop{false};
  std::thread busy([&] {  // forks happen while another thread is in the pool
    const ThreadPoolScope scope(pool);
    while (!stop) sum_of_loop();
  });
  for (int round = 0; round < 10; ++round) {
    const pid_t child = fork();
    if (child == 0) {
      bool good = sum_of_loop() == kSumOfLoop && meet(2);
      {
        const ThreadPoolScope scope(pool);
        good = good && sum_of_loop() == kSumOfLoop && meet(3);
      }
      set_num_threads(4);
      good = good && meet(4);
      _exit(good ? 0 : 1);
    }
    int status = -1;
    waitpid(child, &status, 0);
    CHECK(status == 0);
  }
  stop = true;
  busy.join();
  CHECK(meet(2));
  set_num_threads(0);
}

TEST_CASE("a child made inside a body is told that its loop is torn") {
  if (!kForkedThreads) return;
  const ThreadPool pool(2);
  const ThreadPoolScope scope(pool);
  const std::thread::id caller = std::this_thread::get_id();
  std::atomic<bool> helper_came{false}, forked{false};
  pid_t child = -1;
  bool in_child = false;
  try {
    parallel_for(2, 1, [&](std::int64_t, std::int64_t) {
      if (std::this_thread::get_id() == caller) {
        while (!helper_came) std::this_thread::yield();
        child = fork();
        in_child = child == 0;
        forked = true;
      } else {
        helper_came = true;
        while (!forked) std::this_thread::yield();
      }
    });
    if (in_child) _exit(1);
  } catch (const Error&) {
    if (in_child) _exit(sum_of_loop() == kSumOfLoop ? 0 : 2);
    throw;
  }
  int status = -1;
  waitpid(child, &status, 0);
  CHECK(status == 0);
}

TEST_CASE("a child made inside a body on a helper ends instead of waiting for loops that never come") {
  if (!kForkedThreads || kLooksForLeaks) return;  // what the test's own thread holds would count as lost
  const ThreadPool pool(2);
  const ThreadPoolScope scope(pool);
  const std::thread::id caller = std::this_thread::get_id();
  std::atomic<pid_t> child{-1};
  std::fflush(nullptr);  // the child ends by exit(), which writes what was buffered
  parallel_for(2, 1, [&](std::int64_t, std::int64_t) {
    if (std::this_thread::get_id() != caller) child = fork();
    while (child == -1) std::this_thread::yield();
  });
  int status = -1;
  pid_t ended = 0;
  for (int tenths = 0; tenths < 200 && ended == 0; ++tenths) {
    ended = waitpid(child, &status, WNOHANG);
    if (ended == 0) std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  CHECK(ended == child);
  CHECK(status == 0);
  if (ended == 0) {
    kill(child, SIGKILL);
    waitpid(child, &status, 0);
  }
}

TEST_CASE("OCTAVO_NUM_THREADS is the default number of threads") {
  const int granted = default_threads();
  CHECK(granted >= 1);
  CHECK(granted <= static_cast<int>(allowed_processors().size()));
  setenv("OCTAVO_NUM_THREADS", "3", 1);
  set_num_threads(0);
  CHECK(num_threads() == 3);
  for (const char* wrong : {"0", "-2", "two", "3 ", "4097", "99999999999999999999"}) {
    setenv("OCTAVO_NUM_THREADS", wrong, 1);
    CHECK_THROWS_WITH(set_num_threads(0), std::string("OCTAVO_NUM_THREADS is \"") + wrong +
                                              "\"; give a number of threads from 1 to 4096, or leave it unset");
  }
  setenv("OCTAVO_NUM_THREADS", "", 1);
  set_num_threads(0);
  CHECK(num_threads() == granted);
  unsetenv("OCTAVO_NUM_THREADS");
  set_num_threads(0);
  CHECK(num_threads() == granted);
}

TEST_CASE("a cgroup's quota is a number of processors") {
  const test::ScratchDirectory scratch;
  const std::filesystem::path root = scratch.path();
  const auto write = [&](const std::filesystem::path& file, const char* text) {
    std::filesystem::create_directories((root / file).parent_path());
    std::ofstream(root / file) << text;
  };
  CHECK(cgroup_processors("0::/\n", root) == std::nullopt);  // nothing is mounted
  write("cpu.max", "max 100000\n");
  CHECK(cgroup_processors("0::/\n", root) == std::nullopt);
  write("a/cpu.max", "400000 100000\n");
  write("a/b/cpu.max", "max 100000\n");
  write("a/b/c/cpu.max", "250000 100000\n");
  CHECK(cgroup_processors("0::/a/b\n", root) == 4);  // of the group above
  CHECK(cgroup_processors("0::/a/b/c\n", root) == 3);
  write("cpu.max", "50000 100000\n");
  CHECK(cgroup_processors("0::/docker/elsewhere\n", root) == 1);  // a container sees its own part as the root
  write("cpu/cpu.cfs_quota_us", "-1\n");
  write("cpu/cpu.cfs_period_us", "100000\n");
  const std::string old = "5:memory:/x\n4:cpu,cpuacct:/x\n1:cpuset:/x\n";
  CHECK(cgroup_processors(old, root) == std::nullopt);
  write("cpu/x/cpu.cfs_quota_us", "150000\n");
  write("cpu/x/cpu.cfs_period_us", "100000\n");
  CHECK(cgroup_processors(old, root) == 2);
  CHECK(cgroup_processors("not a line of it\n\n", root) == std::nullopt);
}
