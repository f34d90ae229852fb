// What the library decided reaches whoever asked, and nobody else.
#include "octavo/log.hpp"

#include <atomic>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "catch.hpp"
#include "octavo/error.hpp"

using namespace octavo;

namespace {

struct Quiet {
  ~Quiet() { set_log({}); }
};

std::string made(bool& asked, std::string text) {
  asked = true;
  return text;
}

}  // namespace

TEST_CASE("a message is made for those who hear its level") {
  const Quiet quiet;
  bool asked = false;
  log_line(LogLevel::warning, "tensor", [&] { return made(asked, "nobody"); });
  CHECK_FALSE(asked);
  std::vector<std::string> heard;
  set_log([&](LogLevel level, std::string_view module, std::string_view text) {
    heard.push_back(std::string(log_level_name(level)) + " " + std::string(module) + ": " + std::string(text));
  });
  log_line(LogLevel::debug, "gemm", [&] { return made(asked, "too low"); });
  CHECK_FALSE(asked);
  log_line(LogLevel::info, "gemm", [] { return std::string("one\nline"); });
  log_line(LogLevel::warning, "text", [] { return std::string("two"); });
  CHECK(heard == std::vector<std::string>{"info gemm: one line", "warning text: two"});
  set_log({});
  CHECK_FALSE(log_is_heard(LogLevel::warning));
  log_line(LogLevel::warning, "text", [&] { return made(asked, "three"); });
  CHECK_FALSE(asked);
  CHECK(heard.size() == 2);
}

TEST_CASE("a message that cannot be made or told changes nothing") {
  const Quiet quiet;
  int told = 0;
  set_log([&](LogLevel, std::string_view, std::string_view) {
    ++told;
    throw std::runtime_error("of the callback");
  });
  log_line(LogLevel::info, "tensor", []() -> std::string { throw std::runtime_error("of the text"); });
  CHECK(told == 0);
  log_line(LogLevel::info, "tensor", [] { return std::string("text"); });
  log_line(LogLevel::info, "tensor", [] { return std::string("text"); });
  CHECK(told == 2);
}

TEST_CASE("inside a callback nothing is logged and no other can be set") {
  const Quiet quiet;
  int told = 0;
  std::string refused;
  set_log([&](LogLevel, std::string_view, std::string_view) {
    ++told;
    log_line(LogLevel::warning, "tensor", [] { return std::string("nested"); });
    try {
      set_log({});
    } catch (const Error& error) {
      refused = error.what();
    }
  });
  log_line(LogLevel::info, "tensor", [] { return std::string("text"); });
  CHECK(told == 1);
  CHECK(refused == "set_log: called by the log's callback: call it elsewhere");
}

TEST_CASE("a callback that was taken away is not called again") {
  const Quiet quiet;
  std::atomic<bool> stop{false};
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i)
    threads.emplace_back([&] {
      while (!stop) log_line(LogLevel::info, "tensor", [] { return std::string("text"); });
    });
  std::atomic<bool> late{false};
  std::atomic<std::int64_t> told{0};
  for (int round = 0; round < 200; ++round) {
    std::atomic<bool> valid{true};
    set_log([&](LogLevel, std::string_view, std::string_view) {
      ++told;
      if (!valid) late = true;
    });
    log_line(LogLevel::info, "tensor", [] { return std::string("text"); });
    set_log({});
    valid = false;
  }
  stop = true;
  for (std::thread& thread : threads) thread.join();
  CHECK(told >= 200);
  CHECK_FALSE(late);
}
