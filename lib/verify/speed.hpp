/// Whether two decoding speeds can be compared, and why they differ.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "octavo/model.hpp"
#include "octavo/verify.hpp"

namespace octavo::detail {

/// Seconds that all processors were busy since the start of the system, of the first line of Linux's /proc/stat:
/// "cpu  user nice system idle iowait irq softirq steal guest guest_nice", in ticks.
std::optional<double> busy_seconds(std::string_view line, double ticks_per_second);

/// How many processors other programs keep busy from here on.
class LoadWatch {
 public:
  LoadWatch();
  std::optional<double> other_load() const;

 private:
  std::optional<double> busy_;
  double own_;  // seconds of this process, all threads
  std::chrono::steady_clock::time_point begin_;
};

/// What a speed depends on besides the weights.
struct SpeedSetting {
  std::int64_t processors = 1;
  std::string backend;            ///< of int8 products
  bool fastest_backend = true;    ///< of those that Octavo has
  std::uint64_t cache_bytes = 0;  ///< of the last level of the processor's cache; 0: not known
};
SpeedSetting speed_setting();

/// Bytes of weights that one token of an answer reads: the language model's linears and the head.
std::uint64_t bytes_per_token(const Model& model);

/// Fills in `compared`, `why` and the two rates.
void judge_speed(DecodingSpeed& speed, const SpeedSetting& setting);

}  // namespace octavo::detail
