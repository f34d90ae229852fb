#include <memory>
#include <octavo/trace.hpp>

#include "guard.hpp"
#include "options.hpp"

using namespace octavo::capi;  // NOLINT(google-build-using-namespace): this file is the namespace's C face

namespace {

struct RunningTrace {
  explicit RunningTrace(const octavo::TraceOptions& options) : trace(options), scope(trace) {}
  RunningTrace(const RunningTrace&) = delete;
  RunningTrace& operator=(const RunningTrace&) = delete;
  ~RunningTrace() {  // of a thread that ends
    try {
      trace.close();
    } catch (...) {
    }
  }
  octavo::Trace trace;
  octavo::TraceScope scope;
};
thread_local std::unique_ptr<RunningTrace> running;

}  // namespace

extern "C" {

octavo_status octavo_trace_begin(const char* path, const octavo_trace_options* options) {
  return guarded([&] {
    const octavo_trace_options given = read_options(options, "options");
    if (given.on_record == nullptr) require(path, "path");
    require_zero(given.reserved0);
    if (running)
      throw octavo::Error(octavo::ErrorCode::invalid_argument,
                          "this thread is being traced already: call octavo_trace_end first");
    if (path != nullptr && *path == '\0')
      throw octavo::Error(octavo::ErrorCode::invalid_argument, "path is empty: name a file");
    octavo::TraceOptions job;
    job.values = given.values != 0;
    if (path != nullptr) job.path = path;
    if (given.on_record != nullptr)
      job.on_record = [tell = given.on_record, user_data = given.user_data](const octavo::TraceRecord& record) {
        tell(record.to_json().dump().c_str(), user_data);
      };
    running = std::make_unique<RunningTrace>(job);
  });
}

octavo_status octavo_trace_end(void) {
  return guarded([&] {
    if (!running)
      throw octavo::Error(octavo::ErrorCode::invalid_argument,
                          "this thread is not being traced: call octavo_trace_begin first");
    const std::unique_ptr<RunningTrace> ended = std::move(running);
    ended->trace.close();
  });
}

}  // extern "C"
