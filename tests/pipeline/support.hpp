// A scratch directory, and the bundled model that the jobs run on.
#pragma once

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "octavo/error.hpp"

namespace test {

namespace fs = std::filesystem;

inline const std::string kModel = std::string(OCTAVO_SOURCE_DIR) + "/examples/models/octavo-tiny-vl";
inline const std::string kCalibration = kModel + "/calib/calibration.jsonl";
inline const std::string kSamples = kModel + "/eval/eval.jsonl";

class Scratch {
 public:
  Scratch() {
    std::string name = (fs::temp_directory_path() / "octavo_pipeline_XXXXXX").string();
    root_ = mkdtemp(name.data());
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  ~Scratch() {
    std::error_code ignored;
    fs::remove_all(root_, ignored);
  }
  std::string path(const std::string& name) const { return (root_ / name).string(); }
  std::string write(const std::string& name, const std::string& content) const {
    std::ofstream(root_ / name, std::ios::binary) << content;
    return path(name);
  }
  bool is_empty() const { return fs::is_empty(root_); }

 private:
  fs::path root_;
};

inline std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

/// The message of the Error that `job` throws; "" when it throws none.
template <class Job>
std::string message_of(Job&& job) {
  try {
    job();
  } catch (const octavo::Error& error) {
    return error.what();
  }
  return "";
}

inline bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace test
