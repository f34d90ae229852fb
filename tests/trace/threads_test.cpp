// Traces of distinct threads.
#include "threads.hpp"

#include <atomic>
#include <string>

#include "catch.hpp"
#include "octavo/contract.hpp"
#include "octavo/trace.hpp"
#include "scratch.hpp"

using namespace octavo;

namespace {

constexpr Contract kScale{"scale: x[M,K]:f32 -> y[M,K]:f32"};

void scale(std::int64_t rows, const std::string& path) {
  const Tensor x = Tensor::zeros(DType::f32, {rows, 2});
  Binder binder(kScale, path);
  binder.arg("x", x).check();
  binder.done({{"y", x}});
}

}  // namespace

TEST_CASE("traces on distinct threads hear their own thread alone") {
  const test::ScratchDirectory place;
  std::atomic<int> wrong{0};
  test::at_once(4, [&](int thread) {
    const std::string path = "thread " + std::to_string(thread);
    TraceOptions options;
    if (thread == 0) options.path = place.path("trace.jsonl");  // and one that writes as it goes
    Trace trace(options);
    {
      const TraceScope scope(trace);
      for (int i = 0; i < 200; ++i) scale(thread + 1, path);
    }
    scale(9, "after the end");
    trace.close();
    const std::vector<TraceRecord> records = thread == 0 ? read_trace(options.path) : trace.records();
    if (trace.count() != 200 || records.size() != 200) ++wrong;
    for (const TraceRecord& record : records)
      if (record.module_path != path || record.outputs.at(0).shape != Shape{thread + 1, 2}) ++wrong;
  });
  CHECK(wrong == 0);
}
