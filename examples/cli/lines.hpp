// Where the lines of a conversation come from: a pipe, a terminal as it is, or a terminal with line editing.
#pragma once

#include <memory>
#include <optional>
#include <string>

namespace cli {

class LineSource {
 public:
  LineSource() = default;
  LineSource(const LineSource&) = delete;
  LineSource& operator=(const LineSource&) = delete;
  virtual ~LineSource() = default;
  /// The next line, without its end; nothing at the end of the input, or when a signal came. `prompt` is shown to a
  /// person alone. A paste on a terminal with line editing is one line, which then has line feeds in it.
  /// @throws std::runtime_error  where standard input cannot be read
  virtual std::optional<std::string> next(const char* prompt) = 0;
};

/// Standard input; with line editing, where Octavo was built with it and a person types on a terminal that can do it.
std::unique_ptr<LineSource> open_lines();

/// What was built in: "libedit 3.1", "none".
std::string line_editing();

}  // namespace cli
