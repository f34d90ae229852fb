// What octavo verify was asked for.
#pragma once

#include <octavo/octavo.hpp>
#include <optional>
#include <string>

#include "run_options.hpp"

namespace cli {

struct VerifyCommand {
  std::string model, quantized;
  std::string line;  // the command line, for the report
  octavo::VerifyOptions job;
  std::optional<std::string> report, suggest;  // paths
  std::string boxes = "model";
  RunOptions run;
  bool exact = false, json = false, quiet = false;
};

}  // namespace cli
