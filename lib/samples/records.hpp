// The records of a samples file, one after the other: the lines of a JSON-lines file, or the elements of one JSON
// array.
#pragma once

#include <cstddef>
#include <cstdint>
#include <fstream>
#include <optional>
#include <string>

namespace octavo::samples {

/// A longer one is not a sample but a mistake, and would be held in memory whole.
inline constexpr std::size_t kMaxRecordBytes = std::size_t{64} << 20;

struct Record {
  std::string text;       ///< JSON, not parsed yet
  std::int64_t line = 1;  ///< where it begins
  std::string problem;    ///< why it cannot be taken; "" when it can
};

class RecordReader {
 public:
  /// @throws Error  not_found, io; format for UTF-16, UTF-32 and packed files, named as such.
  explicit RecordReader(const std::string& path);
  std::optional<Record> next();  ///< nothing at the end; blank lines are passed over

 private:
  std::optional<Record> next_line();
  std::optional<Record> next_of_array();
  Record element();
  int peek();
  int take();  // counts lines
  void skip_blank();

  std::ifstream file_;
  std::int64_t line_ = 1;
  enum class State { lines, array, elements, behind, end } state_ = State::lines;
};

}  // namespace octavo::samples
