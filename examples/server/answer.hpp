// One answer on its way from the engine's thread, which writes it, to the connection's, which sends it on.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <mutex>
#include <octavo/model.hpp>
#include <string>
#include <vector>

namespace server {

/// Tokens of an answer, and how likely the model thought each.
struct TokenScores {
  std::vector<std::int32_t> ids;
  std::vector<octavo::TokenLogProbs> log_probs;
};

class Answer {
 public:
  using Clock = std::chrono::steady_clock;

  // ---- the engine's side

  void add(const octavo::TokenEvent& event);
  void complete(octavo::GenerateResult result);
  void fail(std::exception_ptr failure);
  /// The connection has gone, or its time is up: the answer is of no use to anyone.
  bool is_abandoned() const noexcept { return abandoned_.load(); }

  // ---- the connection's side

  struct News {
    std::string text;    ///< that came since the last call
    TokenScores scores;  ///< of the tokens since, where they were asked for
    bool started = false, done = false;
  };
  /// Waits for news, at most as long as `patience`. @throws what the engine failed with
  News wait(std::chrono::milliseconds patience);
  /// Once it is done.
  const octavo::GenerateResult& result() const { return result_; }
  void abandon() noexcept { abandoned_.store(true); }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::string text_;
  TokenScores scores_;
  bool started_ = false, done_ = false;
  octavo::GenerateResult result_;
  std::exception_ptr failure_;
  std::atomic<bool> abandoned_{false};
};

}  // namespace server
