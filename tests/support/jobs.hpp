// A scratch directory, and the bundled model that the jobs run on.
#pragma once

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "message_of.hpp"
#include "octavo/error.hpp"
#include "scratch.hpp"

namespace test {

namespace fs = std::filesystem;

inline const std::string kModel = std::string(OCTAVO_SOURCE_DIR) + "/examples/models/octavo-tiny-vl";
inline const std::string kCalibration = kModel + "/calib/calibration.jsonl";
inline const std::string kSamples = kModel + "/eval/eval.jsonl";

class Scratch : public ScratchDirectory {
 public:
  bool is_empty() const { return fs::is_empty(path()); }
};

inline std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

inline bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace test
