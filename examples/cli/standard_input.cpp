#include "standard_input.hpp"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <utility>

#include "commands.hpp"

namespace cli {

namespace {

constexpr int kPatience = 100;  // milliseconds between two looks at `interrupted`
constexpr std::size_t kMostLine = std::size_t{16} << 20;

/// A terminal takes back what was typed when Ctrl-C is: a read that poll called ready would then wait for more. So a
/// terminal is opened anew, for reads that never wait; the flag would else be that of all who have it open.
int input() {
  static const int opened =
      isatty(STDIN_FILENO) == 1 ? open("/proc/self/fd/0", O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC) : STDIN_FILENO;
  return opened >= 0 ? opened : STDIN_FILENO;
}

}  // namespace

std::size_t read_waiting(char* to, std::size_t room) {
  pollfd wait{input(), POLLIN, 0};
  while (!interrupted) {
    const int ready = poll(&wait, 1, kPatience);
    if (ready == 0 || (ready < 0 && errno == EINTR)) continue;
    const ssize_t count = read(wait.fd, to, room);
    if (count >= 0) return static_cast<std::size_t>(count);
    if (errno != EINTR && errno != EAGAIN)
      throw std::runtime_error(std::string("standard input cannot be read: ") + std::strerror(errno));
  }
  return 0;
}

std::string read_standard_input(std::size_t most) {
  std::string all;
  std::array<char, 65536> part{};
  while (const std::size_t count = read_waiting(part.data(), part.size())) {
    if (count > most - all.size())
      throw std::runtime_error("standard input has more than " + std::to_string(most) + " bytes");
    all.append(part.data(), count);
  }
  if (interrupted) throw std::runtime_error("interrupted while reading standard input");
  return all;
}

std::optional<std::string> LineReader::next() {
  std::array<char, 4096> part{};
  for (;;) {
    const std::size_t end = held_.find('\n', looked_at_);
    if (end != std::string::npos || (at_end_ && !held_.empty())) {
      std::string line = held_.substr(0, end);
      held_.erase(0, end == std::string::npos ? held_.size() : end + 1);
      looked_at_ = 0;
      if (line.ends_with('\r')) line.pop_back();
      return line;
    }
    if (at_end_) return std::nullopt;
    looked_at_ = held_.size();
    if (held_.size() > kMostLine) throw std::runtime_error("a line of standard input has more than 16 MiB");
    const std::size_t count = read_waiting(part.data(), part.size());
    if (count == 0 && interrupted) return std::nullopt;
    if (count == 0) at_end_ = true;
    held_.append(part.data(), count);
  }
}

}  // namespace cli
