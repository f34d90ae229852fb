// Costs of steps by their formulas; no clock.
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
  CHECK(costs.collect(block, 0) == 1);  // no picture: a step all the same

  const StepCosts passes({0, 0, 0, 0, 0, 2}, {});
  CHECK(passes.begin(block) == 25);                   // 1000^2 + 2000^2 values of new memory
  CHECK(passes.prepare(block.quantized[0]) == 34);    // 17 passes over 1000^2
  CHECK(passes.quantize(block.quantized[0]) == 172);  // 43 over 2000 * 1000
  CHECK(passes.write(3000000) == 36);
}

TEST_CASE("every step of a job is told at its cost") {
  const test::Scratch scratch;
  QuantizeOptions options;
  options.calibration = test::kCalibration;
  options.max_samples = 3;
  std::map<std::string, std::int64_t> told;  // by what is done, all blocks together
  std::int64_t before = 0;
  std::int64_t total = 0;
  options.progress = [&](const Progress& progress) {
    const std::size_t colon = progress.stage.find(": ");
    const std::string what = colon == std::string::npos ? progress.stage : progress.stage.substr(colon + 2);
    const bool vision = progress.stage.starts_with("visual.");
    told[what + (vision ? " vision" : "")] += progress.done - before;
    before = progress.done;
    total = progress.total;
    return true;
  };
  quantize(test::kModel, scratch.path("out"), options);
  std::int64_t sum = 0;
  for (const auto& [what, cost] : told) sum += cost;
  CHECK(sum == total);
  for (const char* what : {"calibrate", "quantize", "run", "run vision", "write"}) {
    INFO(what);
    CHECK(told[what] > 0);
  }
  CHECK(told["calibrate"] > told["run"]);  // float and Hessians against int8
}
