/// When a report is made.
#pragma once

#include <string>

namespace octavo::report {

std::string iso_date();  ///< now: "2026-11-26T11:00:00+01:00"

}  // namespace octavo::report
