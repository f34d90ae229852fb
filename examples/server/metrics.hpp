// What the server counts, in the text form that Prometheus reads. Thread-safe.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>

namespace server {

/// Durations, counted in buckets of rising upper bounds.
class Histogram {
 public:
  void record(double seconds);
  void write(std::string& out, const std::string& name, const std::string& help) const;

 private:
  static constexpr std::array kBounds{0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0};
  mutable std::mutex mutex_;
  std::array<std::uint64_t, kBounds.size() + 1> counts_{};
  double sum_ = 0;
};

struct Metrics {
  std::atomic<std::uint64_t> prompt_tokens{0}, reused_tokens{0}, generated_tokens{0}, abandoned{0}, steps{0};
  std::atomic<std::int64_t> running{0}, waiting{0};
  Histogram first_token_seconds, request_seconds;

  /// Of a response to POST /v1/chat/completions, streamed or not.
  void count_response(int status);
  std::string text() const;

 private:
  mutable std::mutex mutex_;
  std::map<int, std::uint64_t> responses_;
};

}  // namespace server
