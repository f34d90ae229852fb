// What tensor.hpp, parallel.hpp, error.hpp and ledger.hpp promise to callers with threads of their own.
#include "threads.hpp"

#include <atomic>
#include <cstring>
#include <vector>

#include "catch.hpp"
#include "octavo/error.hpp"
#include "octavo/ledger.hpp"
#include "octavo/parallel.hpp"
#include "octavo/tensor.hpp"

using namespace octavo;

TEST_CASE("one tensor is read, sliced and dropped by many threads at once") {
  std::vector<float> values(6000);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i);
  for (int round = 0; round < 20; ++round) {
    const Tensor shared = Tensor::from<float>(values, {60, 100});
    std::atomic<int> wrong{0};
    test::at_once(4, [&](int thread) {
      for (int i = 0; i < 50; ++i) {
        const std::int64_t row = (i * 7 + thread) % 60;
        const Tensor slice = shared.slice(0, row, row + 1);
        const Tensor copy = slice.to(DType::f32).contiguous();
        if (copy.data<float>()[3] != static_cast<float>(row * 100 + 3)) ++wrong;
      }
    });
    CHECK(wrong == 0);
  }
}

TEST_CASE("loops that many threads start at once each do all of their work") {
  set_num_threads(3);
  std::atomic<int> wrong{0};
  test::at_once(4, [&](int thread) {
    for (int round = 0; round < 40; ++round) {
      const std::int64_t count = 100 + thread * 37 + round;
      std::vector<int> visits(static_cast<std::size_t>(count));
      if (round % 8 == 3) {
        const SerialRegion alone;  // of this thread: the others keep theirs
        parallel_for(count, 5, [&](std::int64_t begin, std::int64_t end) {
          for (std::int64_t i = begin; i < end; ++i) ++visits[static_cast<std::size_t>(i)];
        });
      } else {
        parallel_for(count, 5, [&](std::int64_t begin, std::int64_t end) {
          for (std::int64_t i = begin; i < end; ++i) ++visits[static_cast<std::size_t>(i)];
        });
      }
      for (const int visit : visits) wrong += visit == 1 ? 0 : 1;
    }
  });
  CHECK(wrong == 0);
  set_num_threads(0);
}

TEST_CASE("an exception of one thread's loop reaches that thread and no other") {
  set_num_threads(3);
  std::atomic<int> caught{0};
  std::atomic<int> foreign{0};
  test::at_once(4, [&](int thread) {
    for (int round = 0; round < 30; ++round) {
      const std::string own = "of thread " + std::to_string(thread);
      try {
        parallel_for(20, 1, [&](std::int64_t begin, std::int64_t) {
          if (thread % 2 == 0 && begin >= 10) throw Error(ErrorCode::internal, own);
        });
      } catch (const Error& error) {
        ++caught;
        if (own != error.what() || thread % 2 != 0) ++foreign;
      }
    }
  });
  CHECK(caught == 60);
  CHECK(foreign == 0);
  set_num_threads(0);
}

TEST_CASE("an error is copied, read and dropped by many threads") {
  const Error shared = Error(ErrorCode::format, "the message").with_context("a frame");
  std::atomic<int> wrong{0};
  test::at_once(4, [&](int thread) {
    for (int round = 0; round < 200; ++round) {
      const Error copy = shared;  // NOLINT(performance-unnecessary-copy-initialization): the copy is what is tested
      const Error longer = copy.with_context("thread " + std::to_string(thread));
      if (std::strcmp(copy.what(), "a frame: the message") != 0 || copy.code() != ErrorCode::format) ++wrong;
      if (longer.what() != "thread " + std::to_string(thread) + ": a frame: the message") ++wrong;
    }
  });
  CHECK(wrong == 0);
}

TEST_CASE("ledgers of distinct threads count their own tensors alone") {
  std::atomic<int> wrong{0};
  test::at_once(4, [&](int thread) {
    for (int round = 0; round < 50; ++round) {
      Ledger ledger;
      const LedgerScope scope(ledger);
      const std::int64_t elements = 10 * (thread + 1);
      {
        const Tensor counted = Tensor::meta(DType::f32, {elements});
        if (ledger.live_bytes() != static_cast<std::size_t>(elements) * 4) ++wrong;
      }
      if (ledger.live_bytes() != 0) ++wrong;
    }
  });
  CHECK(wrong == 0);
}
