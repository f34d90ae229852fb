#include "lines.hpp"

#include <unistd.h>

#include <cstdio>

#include "line_editor.hpp"
#include "standard_input.hpp"

namespace cli {

namespace {

class PlainLines final : public LineSource {
 public:
  std::optional<std::string> next(const char* prompt) override {
    if (isatty(STDIN_FILENO) == 1) std::fputs(prompt, stderr);
    return reader_.next();
  }

 private:
  LineReader reader_;
};

}  // namespace

std::unique_ptr<LineSource> open_lines() {
#ifdef OCTAVO_LIBEDIT
  if (std::unique_ptr<LineSource> editor = open_line_editor()) return editor;
#endif
  return std::make_unique<PlainLines>();
}

std::string line_editing() {
#ifdef OCTAVO_LIBEDIT
  return line_editor_version();
#else
  return "none";
#endif
}

}  // namespace cli
