#include "signals.hpp"

#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <octavo/checkpoint.hpp>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>

#include "commands.hpp"

namespace cli {

std::atomic<bool> interrupted{false};

namespace {

std::atomic<bool> survives_interrupts{false};
std::atomic<void (*)()> last_task{nullptr};

void write_line(const char* text) {
  for (std::size_t length = std::strlen(text); length > 0;) {
    const ssize_t written = write(STDERR_FILENO, text, length);
    if (written <= 0) return;
    text += written;
    length -= static_cast<std::size_t>(written);
  }
}

// Async-signal-safe calls alone. The thread that read the file is stopped here, on a stack that may be anything; as the
// program ends, nothing is lost by that.
void on_bus_error(int) {
  static std::atomic<bool> entered{false};
  static_assert(std::atomic<bool>::is_always_lock_free);
  if (entered.exchange(true))
    for (;;) pause();  // several threads read the file: the first one ends the program
  octavo::remove_unfinished_outputs();
  write_line(
      "octavo: a file of a model became shorter, or unreadable, while it was read (SIGBUS): do not write to a model "
      "that is in use; nothing unfinished was kept\n");
  _exit(1);
}

void ignore(int signal) {
  struct sigaction action {};
  action.sa_handler = SIG_IGN;
  sigaction(signal, &action, nullptr);
}

bool is_ignored(int signal) {
  struct sigaction action {};
  return sigaction(signal, nullptr, &action) == 0 && action.sa_handler == SIG_IGN;
}

// No handler ever runs for those: they are blocked before there is a second thread, so in every one, and a thread of
// their own waits for them. So what they do need not be safe in a handler.
void wait_for_stop() {
  sigset_t stopping;
  sigemptyset(&stopping);
  sigaddset(&stopping, SIGINT);
  sigaddset(&stopping, SIGTERM);
  if (!is_ignored(SIGHUP)) sigaddset(&stopping, SIGHUP);
  pthread_sigmask(SIG_BLOCK, &stopping, nullptr);
  const auto wait = [stopping] {
    for (int signal = 0; sigwait(&stopping, &signal) == 0;) {
      const bool again = interrupted.exchange(true);
      if (survives_interrupts ? signal == SIGINT : !again) continue;
      octavo::remove_unfinished_outputs();
      if (const auto task = last_task.load()) task();
      _exit(1);
    }
  };
  try {
    std::thread(wait).detach();
  } catch (const std::system_error& error) {
    throw std::runtime_error(std::string("cannot start a thread: ") + error.what() +
                             "; allow more memory (ulimit -v) or processes (ulimit -u)");
  }
}

}  // namespace

void survive_interrupts() { survives_interrupts = true; }

void at_sudden_end(void (*task)()) { last_task = task; }

void catch_signals() {
  ignore(SIGPIPE);
  ignore(SIGXFSZ);
  struct sigaction action {};
  action.sa_handler = on_bus_error;
  sigaction(SIGBUS, &action, nullptr);
  wait_for_stop();
}

}  // namespace cli
