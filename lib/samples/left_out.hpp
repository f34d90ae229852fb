// The one place where a sample that cannot be used is left out, and told so.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "octavo/log.hpp"
#include "octavo/samples.hpp"

namespace octavo::samples {

inline void leave_out(std::vector<SkippedSample>& skipped, SkippedSample sample) {
  log_line(LogLevel::warning, "samples", [&] { return sample.id + " is left out: " + sample.reason; });
  skipped.push_back(std::move(sample));
}

}  // namespace octavo::samples
