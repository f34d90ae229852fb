// Which engines were chosen, and which were looked at for that.
#pragma once

#include <string>
#include <vector>

#include "octavo/gemm.hpp"

namespace octavo::gemm {

// The best int8 backend that is available, last, and those of the table before it, which are not. Tests no other.
std::vector<BackendInfo> best_int8_backends();

// The engine that float products run on now: forced, named by the environment, or the best one available.
// Throws invalid_argument, unsupported when what the environment names cannot be had.
std::string float_backend_in_use();

}  // namespace octavo::gemm
