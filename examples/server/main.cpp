// An OpenAI-compatible HTTP server over Octavo's C++ API; docs/serving.md.
//
//     connection threads (httplib)          the engine's thread
//     read, check, decode, tokenize ──────▶ one batch: every step a token for each running answer
//     send text on, watch the client ◀───── text as it comes
#include <pthread.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <exception>
#include <thread>

#include "../cli/log.hpp"
#include "../cli/program.hpp"
#include "chat_endpoint.hpp"
#include "engine.hpp"
#include "metrics.hpp"
#include "options.hpp"
#include "service.hpp"

namespace {

constexpr const char* kProgram = "octavo-server";

// Blocked before there is a second thread, so in every one; `serve` waits for them.
sigset_t block_stop_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  return signals;
}

void serve(const server::Options& options, const sigset_t& signals) {
  const octavo::Model model = octavo::Model::open(options.model_dir, options.model);
  cli::print_notes(kProgram, model);
  server::Metrics metrics;
  server::Engine engine(model, options.max_running, options.max_waiting, metrics);
  server::ChatEndpoint chat(options, model, engine, metrics);
  server::Service service(options, chat, metrics);
  const int port = service.bind();
  std::thread listening([&] { service.serve(); });
  std::printf("octavo-server: %s on http://%s:%d\n", options.model_name.c_str(), options.host.c_str(), port);
  std::fflush(stdout);

  int signal = 0;
  sigwait(&signals, &signal);
  std::printf("octavo-server: no new requests; running ones have %lld s\n",
              static_cast<long long>(options.drain_timeout.count()));
  std::fflush(stdout);
  service.drain();
  const auto deadline = std::chrono::steady_clock::now() + options.drain_timeout;
  const timespec tick{0, 50'000'000};
  while (chat.open_exchanges() > 0 && std::chrono::steady_clock::now() < deadline &&
         sigtimedwait(&signals, nullptr, &tick) < 0) {  // a second signal ends the patience
  }
  engine.stop();  // first: connections wait for their answers
  service.stop();
  listening.join();
}

int complain(const char* what, int status) {
  std::fprintf(stderr, "%s: %s\n", kProgram, what);
  return status;
}

}  // namespace

int main(int argc, char** argv) {
  const sigset_t signals = block_stop_signals();
  try {
    cli::log_as_asked(kProgram);
    serve(server::parse_command_line(argc, argv), signals);
    return 0;
  } catch (const cli::UsageError& error) {
    return complain(error.what(), 2);
  } catch (const std::exception& error) {
    return complain(error.what(), 1);
  }
}
