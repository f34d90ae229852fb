// What is read from standard input: all of it, or line by line. A signal that stops the program stops the waiting, too.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

namespace cli {

/// Stands for standard input where a file or a text is named.
inline constexpr const char* kStandardInput = "-";

/// Everything up to the end. @throws std::runtime_error  more than `most` bytes, an error of the system, a signal.
std::string read_standard_input(std::size_t most);

/// Waits for bytes, and reads at most `room`; 0 at the end of the input, and when a signal came.
/// @throws std::runtime_error  an error of the system
std::size_t read_waiting(char* to, std::size_t room);

class LineReader {
 public:
  /// The next line, without its end; nothing at the end of the input, or when a signal came. The last line needs no
  /// end. @throws std::runtime_error  for one of more than 16 MiB.
  std::optional<std::string> next();

 private:
  std::string held_;  // read, and not given yet
  std::size_t looked_at_ = 0;
  bool at_end_ = false;
};

}  // namespace cli
