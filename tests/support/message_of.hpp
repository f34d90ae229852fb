// What a refusal says.
#pragma once

#include <string>

#include "octavo/error.hpp"

namespace test {

/// The message of the Error that `job` throws; "nothing was thrown" where it throws none.
template <class Job>
std::string message_of(Job&& job) {
  try {
    job();
  } catch (const octavo::Error& error) {
    return error.what();
  }
  return "nothing was thrown";
}

}  // namespace test
