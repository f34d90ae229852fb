// Two jobs at once share the thread pool, and nothing else.
#include "threads.hpp"

#include <string>

#include "catch.hpp"
#include "jobs.hpp"
#include "octavo/check.hpp"
#include "octavo/quantize.hpp"

using namespace octavo;

TEST_CASE("jobs that run at once write what each writes alone") {
  const test::Scratch scratch;
  const auto run = [&](const std::string& name, int kind) {
    QuantizeOptions options;
    options.calibration = test::kCalibration;
    options.max_samples = 2 + kind;
    quantize(test::kModel, scratch.path(name), options);
    return test::read_file(scratch.path(name) + "/model.safetensors");
  };
  const std::string alone[] = {run("alone0", 0), run("alone1", 1)};
  REQUIRE(alone[0] != alone[1]);
  bool same[4] = {};
  test::at_once(4, [&](int thread) {
    same[thread] = run("beside" + std::to_string(thread), thread % 2) == alone[thread % 2];
    same[thread] = same[thread] && check(test::kModel).problems.empty();
  });
  for (const bool one : same) CHECK(one);
}
