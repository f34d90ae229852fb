#include "streams.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string_view>

namespace cli {

void reserve_streams() {
  // Lowest number first: open() takes the lowest that is free. Reading from 1, and writing to 0, fails as if closed.
  for (const int number : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
    if (fcntl(number, F_GETFD) == -1 && errno == EBADF)
      (void)open("/dev/null", number == STDOUT_FILENO ? O_RDONLY : O_RDWR);
}

bool finish_output() {
  const bool failed_before = std::ferror(stdout) != 0;
  errno = 0;
  const bool flushed = std::fflush(stdout) == 0;
  if (flushed && !failed_before) return true;
  std::fprintf(stderr, "octavo: cannot write to standard output%s%s\n", errno != 0 ? ": " : "",
               errno != 0 ? std::strerror(errno) : "");
  return false;
}

std::string coloured(std::FILE* to, Colour colour, const std::string& text) {
  const char* no_color = std::getenv("NO_COLOR");
  const char* terminal = std::getenv("TERM");
  if (isatty(fileno(to)) != 1 || (no_color != nullptr && *no_color != '\0') || terminal == nullptr ||
      std::string_view(terminal) == "dumb")
    return text;
  return (colour == Colour::red ? "\x1b[31m" : "\x1b[32m") + text + "\x1b[0m";
}

std::string shell_word(const std::string& word) {
  constexpr std::string_view kPlain = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-./:=,@%+";
  if (!word.empty() && word.find_first_not_of(kPlain) == std::string::npos) return word;
  std::string quoted = "'";
  for (const char letter : word) {
    if (letter == '\'')
      quoted += "'\\''";
    else
      quoted += letter;
  }
  return quoted + "'";
}

}  // namespace cli
