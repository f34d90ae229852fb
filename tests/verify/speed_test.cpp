// When two decoding speeds are compared, and what is said of them.
#include "../../lib/verify/speed.hpp"

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "catch.hpp"
#include "jobs.hpp"

using namespace octavo;
using namespace octavo::detail;

namespace {

/// Ten seconds each, of a machine with four processors and nothing else to do.
DecodingSpeed measured(std::int64_t original, std::int64_t quantized) {
  DecodingSpeed speed;
  speed.original_tokens = original;
  speed.quantized_tokens = quantized;
  speed.original_seconds = speed.quantized_seconds = 10;
  speed.original_read = 2'000'000'000;
  speed.quantized_read = 1'060'000'000;
  speed.processors = 4;
  speed.other_load = 0.01;
  return speed;
}

SpeedSetting fastest() { return {4, "onednn", true, 32'000'000}; }

std::string why(DecodingSpeed speed, const SpeedSetting& setting, bool compared) {
  judge_speed(speed, setting);
  CHECK(speed.compared == compared);
  return speed.why;
}

}  // namespace

TEST_CASE("speeds measured beside other load or too briefly are not compared") {
  DecodingSpeed speed = measured(100, 150);
  speed.other_load = 0.21;  // a twentieth of four is 0.2
  CHECK(test::contains(why(speed, fastest(), false), "other programs kept 0.2 of the 4 processors busy"));
  speed.other_load = 0.19;
  CHECK(test::contains(why(speed, fastest(), true), "faster"));
  speed.other_load.reset();
  CHECK(test::contains(why(speed, fastest(), false), "does not tell"));
  CHECK(test::contains(why(measured(31, 100), fastest(), false), "too few tokens were decoded: 31"));
  CHECK(test::contains(why(DecodingSpeed{}, fastest(), false), "nothing was decoded"));
  speed = measured(100, 150);
  speed.quantized_seconds = 0.1;
  CHECK(test::contains(why(speed, fastest(), false), "decoding took 0.10 s"));
}

TEST_CASE("a comparison of speeds comes with its reason") {
  DecodingSpeed speed = measured(100, 150);
  judge_speed(speed, fastest());
  CHECK(speed.original_tokens_per_second == 10);
  CHECK(speed.quantized_tokens_per_second == 15);
  CHECK(test::contains(speed.why, "1.06 GB of weights instead of 2.00 GB (53 %)"));
  CHECK(test::contains(why(measured(100, 102), fastest(), true), "about as fast, although"));
  const std::string slower = why(measured(100, 50), fastest(), true);
  CHECK(test::contains(slower, "slower, although a token reads"));
  CHECK(test::contains(slower, "outweighs it"));
  SpeedSetting portable = fastest();
  portable.backend = "portable";
  portable.fastest_backend = false;
  CHECK(test::contains(why(measured(100, 50), portable, true), "run on portable, which is not the fastest"));
  DecodingSpeed small = measured(100, 50);
  small.original_read = 20'000'000;
  small.quantized_read = 11'000'000;
  CHECK(test::contains(why(small, fastest(), true), "stay in the processor's cache of 32.0 MB"));
}

TEST_CASE("the busy time of all processors is read from /proc/stat's first line") {
  // user nice system idle iowait irq softirq steal guest guest_nice: what is idle, or a guest's, does not count
  // (again).
  CHECK(busy_seconds("cpu  100 20 30 4000 500 6 7 8 9 10", 100) == 1.71);
  CHECK_FALSE(busy_seconds("cpu0 1 2 3 4 5 6 7 8", 100));
  CHECK_FALSE(busy_seconds("cpu  1 2 3", 100));
  CHECK_FALSE(busy_seconds("", 100));
}

TEST_CASE("the load of other programs leaves out what this one does") {
  const auto processors = static_cast<std::size_t>(speed_setting().processors);
  const LoadWatch watch;
  const std::clock_t own_begin = std::clock();  // of all threads
  const auto begin = std::chrono::steady_clock::now();
  std::atomic<bool> done{false};
  std::vector<std::thread> busy;
  for (std::size_t i = 0; i < processors; ++i)
    busy.emplace_back([&] {
      while (!done) {
      }
    });
  std::this_thread::sleep_for(std::chrono::milliseconds(500));
  const std::optional<double> load = watch.other_load();
  const double own = static_cast<double>(std::clock() - own_begin) / CLOCKS_PER_SEC;
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  done = true;
  for (std::thread& thread : busy) thread.join();
  if (!load) return;  // a system without /proc/stat
  CHECK(*load >= 0);
  CHECK(*load + own / seconds <= static_cast<double>(processors) * 1.15);  // counted twice, it would be far above
}

TEST_CASE("a token reads the language model's linears and the head but not the vision tower") {
  const Model model = Model::open(test::kModel);
  std::uint64_t bytes = 0;
  const std::string head =
      model.checkpoint().find("lm_head.weight") != nullptr ? "lm_head.weight" : "model.embed_tokens.weight";
  for (const std::string& name : model.checkpoint().names()) {
    const bool layer = name.find("model.layers.") == 0;
    if (name == head || (layer && name.find("_proj.weight") != std::string::npos))
      bytes += model.checkpoint().tensor(name).size_bytes();
    if (layer && name.find("_proj.bias") != std::string::npos)  // a linear holds its bias in float32
      bytes += 4 * static_cast<std::uint64_t>(model.checkpoint().tensor(name).numel());
  }
  CHECK(bytes_per_token(model) == bytes);
  CHECK(bytes < model.checkpoint().total_bytes());
}
