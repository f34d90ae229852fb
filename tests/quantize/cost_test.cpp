// Costs of steps by their formulas, and the time left that is learnt from steps; no clock.
#include "cost.hpp"

#include <map>

#include "catch.hpp"
#include "jobs.hpp"
#include "octavo/gemm.hpp"
#include "octavo/quantize.hpp"

using namespace octavo;
using detail::BlockPlan;
using detail::LinearPlan;
using detail::StepCosts;

namespace {

LinearPlan linear(const std::string& name, const std::string& input, std::int64_t n, std::int64_t k,
                  Scheme scheme = Scheme::w8a8, QuantMethod method = QuantMethod::gptq) {
  GptqOptions options;
  options.method = method;
  return {LinearInfo{name, input, k, n, false}, Rule{Pattern(".*"), scheme, options}};
}

}  // namespace

TEST_CASE("a step of quantization costs its multiply-adds times their rate") {
  const detail::Rates rates{1, 0.25, 2, 3, 4, 0};
  const StepCosts costs(rates, {{0, 100}, {400, 200}});
  BlockPlan block;
  block.quantized = {linear("q", "x", 2000, 1000), linear("k", "x", 1000, 1000),
                     linear("o", "y", 1000, 2000, Scheme::w8a16)};
  block.in_float = {LinearInfo{"g", "x", 1000, 4000, false}};
  // Millions of weights: 2, 1, 2 and 4; half squares of the inputs: 0.5 for x and 2 for y.
  CHECK(costs.collect(block, 0) == 100 * (9 + 2 * 5 / 2));
  CHECK(costs.collect(block, 1) == 200 * (9 + 2 * 5 / 2));
  CHECK(costs.run(block, 1) == 200 * 6 + 200 * 3 / 4);  // what stays under float activations, and a fourth of W8A8
  CHECK(costs.prepare(block.quantized[0]) == 1000);     // 3 * 1000^3 / 3
  CHECK(costs.quantize(block.quantized[0]) == 4 * (1000 + 256));
  CHECK(costs.quantize(linear("small", "x", 100, 1000)) == 4 * (50 + 100));
  block.tower = Tower::vision;
  CHECK(costs.collect(block, 1) == 400 * (9 + 2 * 5 / 2));
  CHECK(costs.collect(block, 0) == 0);  // no picture: nothing to do

  const StepCosts passes({0, 0, 0, 0, 0, 2}, {});
  CHECK(passes.begin(block) == 25);                   // 1000^2 + 2000^2 values of new memory
  CHECK(passes.prepare(block.quantized[0]) == 34);    // 17 passes over 1000^2
  CHECK(passes.quantize(block.quantized[0]) == 172);  // 43 over 2000 * 1000
  CHECK(passes.write(3000000) == 30);
  CHECK(passes.copy(5000000) == 4);
}

TEST_CASE("every kind of step of a job is told, and all of the job at its end") {
  const test::Scratch scratch;
  QuantizeOptions options;
  options.calibration = test::kCalibration;
  options.max_samples = 3;
  std::map<std::string, int> told;  // by what is done, all blocks together
  Progress last;
  options.progress = [&](const Progress& progress) {
    const std::size_t colon = progress.stage.find(": ");
    const std::string what = colon == std::string::npos ? progress.stage : progress.stage.substr(colon + 2);
    ++told[what + (progress.stage.starts_with("visual.") ? " vision" : "")];
    CHECK(progress.done >= last.done);
    CHECK(progress.done <= progress.total);
    last = progress;
    return true;
  };
  quantize(test::kModel, scratch.path("out"), options);
  CHECK(last.done == last.total);
  CHECK(last.total > 0);
  CHECK(told["preprocess"] > 3);
  CHECK(told["calibrate"] > 3 * 2);  // blocks of three samples
  for (const char* what : {"quantize", "run", "run vision", "write"}) {
    INFO(what);
    CHECK(told[what] > 1);
  }
}

namespace {

/// A job of 10 equal blocks with two kinds of step, 8 of the one and 1 of the other, whose true seconds differ from
/// what costs say.
struct Job {
  static constexpr int kBlocks = 10;
  static constexpr double kSmall = 0.5, kLarge = 20;  ///< seconds; their costs are 100 each
  detail::StepTimes times;
  double now = 3, share = 0;  ///< reading came first

  Job() {
    for (int block = 0; block < kBlocks; ++block) {
      for (int i = 0; i < 8; ++i) times.expect("small", 100);
      times.expect("large", 100);
    }
    times.begin(now);
  }
  void step(const char* kind, double seconds) {
    now += seconds;
    share = times.end(kind, 100, now);
  }
  void block() {
    for (int i = 0; i < 8; ++i) step("small", kSmall);
    step("large", kLarge);
  }
  double left() const { return now * (1 - share) / share; }  ///< what a caller works out
};

}  // namespace

TEST_CASE("time left is learnt from the steps that have ended") {
  Job job;
  CHECK(job.times.expected() == 9000);
  double before = 0;
  for (int block = 1; block <= Job::kBlocks; ++block) {
    job.block();
    CHECK(job.share > before);
    before = job.share;
    CHECK(job.left() == Approx((Job::kBlocks - block) * (8 * Job::kSmall + Job::kLarge)).epsilon(0.05));
  }
  CHECK(job.share == 1);
  CHECK(job.times.expected() == 9000);
}

TEST_CASE("what has not been seen is told at the speed of what has") {
  Job job;
  for (int i = 0; i < 8; ++i) job.step("small", 0.5);
  CHECK(job.left() == Approx(82 * 0.5));  // 72 small ones and 10 large ones, all at cost 100
}

TEST_CASE("a slow first step says little about large ones of its kind") {
  detail::StepTimes times;
  times.expect("copy", 1);
  times.expect("copy", 100000);
  times.expect("work", 1000);
  times.begin(0);
  times.end("work", 1000, 10);  // 0.01 s of a unit
  const double share = times.end("copy", 1, 11);
  CHECK(11 * (1 - share) / share < 2 * 1000);  // 1000 s at the usual speed; 100000 at the step's
}

TEST_CASE("a job without steps has ended") {
  detail::StepTimes times;
  times.begin(1);
  CHECK(times.end("copy", 0, 2) == 1);
}
