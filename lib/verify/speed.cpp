#include "speed.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <sstream>

#include "octavo/build_info.hpp"
#include "octavo/gemm.hpp"

namespace octavo::detail {
namespace {

constexpr double kOtherLoad = 0.05;    // of the machine's processors, from which a comparison is not made
constexpr double kLeastSeconds = 0.2;  // of decoding, by each model
constexpr std::int64_t kLeastTokens = 32;
constexpr double kSame = 0.05;  // that two speeds may differ by and be called about the same

std::optional<double> busy_now() {
  std::ifstream file("/proc/stat");
  std::string line;
  if (!std::getline(file, line)) return std::nullopt;
  return busy_seconds(line, static_cast<double>(sysconf(_SC_CLK_TCK)));
}

double own_seconds() {
  rusage used{};
  getrusage(RUSAGE_SELF, &used);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_usec);
  };
  return seconds(used.ru_utime) + seconds(used.ru_stime);
}

std::string printed(const char* format, double value) {
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), format, value);
  return text.data();
}

std::string size_text(std::uint64_t bytes) {
  const auto value = static_cast<double>(bytes);
  return value >= 1e9 ? printed("%.2f GB", value / 1e9) : printed("%.1f MB", value / 1e6);
}

/// "" when the figures can be compared.
std::string obstacle(const DecodingSpeed& speed) {
  if (speed.original_tokens == 0 && speed.quantized_tokens == 0) return "nothing was decoded";
  if (std::min(speed.original_tokens, speed.quantized_tokens) < kLeastTokens)
    return "too few tokens were decoded: " + std::to_string(std::min(speed.original_tokens, speed.quantized_tokens)) +
           ", at least " + std::to_string(kLeastTokens) + " are needed; more samples, or longer answers, give them";
  if (const double least = std::min(speed.original_seconds, speed.quantized_seconds); !(least >= kLeastSeconds))
    return "decoding took " + printed("%.2f s", least) + ", at least " + printed("%.1f s", kLeastSeconds) +
           " are needed; more samples, or longer answers, give them";
  if (!speed.other_load) return "this system does not tell whether other programs kept the processors busy";
  if (!(*speed.other_load <= kOtherLoad * static_cast<double>(speed.processors)))
    return "other programs kept " + printed("%.1f", *speed.other_load) + " of the " + std::to_string(speed.processors) +
           " processors busy meanwhile; run again without them";
  return "";
}

std::string reason(const DecodingSpeed& speed, const SpeedSetting& setting) {
  const double ratio = speed.quantized_tokens_per_second / speed.original_tokens_per_second;
  const double read = static_cast<double>(speed.quantized_read) / static_cast<double>(speed.original_read);
  const bool reads_less = speed.original_read > 0 && read < 1 - kSame;
  std::string weights;
  if (speed.original_read > 0)
    weights = "a token reads " + size_text(speed.quantized_read) + " of weights instead of " +
              size_text(speed.original_read) + " (" + printed("%.0f %%", 100 * read) + ")";
  if (ratio >= 1 + kSame)
    return "faster" + (reads_less ? ": " + weights : "") + ", and int8 products run on " + setting.backend;
  std::string text = ratio <= 1 - kSame ? "slower" : "about as fast";
  if (reads_less) text += ", although " + weights;
  if (!setting.fastest_backend)
    return text + ": int8 products run on " + setting.backend +
           ", which is not the fastest backend; octavo --version says why";
  if (setting.cache_bytes > 0 && speed.original_read > 0 && speed.original_read <= setting.cache_bytes)
    return text + ": weights of this size stay in the processor's cache of " + size_text(setting.cache_bytes) +
           ", so that reading fewer of them saves little, and each int8 product has its input to quantize";
  return text + ": what a token costs besides reading weights (quantizing inputs, attention, the head) outweighs it";
}

}  // namespace

std::optional<double> busy_seconds(std::string_view line, double ticks_per_second) {
  std::istringstream words{std::string(line)};
  std::string name;
  if (!(words >> name) || name != "cpu") return std::nullopt;
  std::array<double, 8> ticks{};  // guests are among user and nice
  for (double& count : ticks)
    if (!(words >> count)) return std::nullopt;
  const auto& [user, nice, system, idle, waiting, irq, soft_irq, stolen] = ticks;
  static_cast<void>(idle);
  static_cast<void>(waiting);
  return (user + nice + system + irq + soft_irq + stolen) / ticks_per_second;
}

LoadWatch::LoadWatch() : busy_(busy_now()), own_(own_seconds()), begin_(std::chrono::steady_clock::now()) {}

std::optional<double> LoadWatch::other_load() const {
  const std::optional<double> now = busy_now();
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin_).count();
  if (!busy_ || !now || !(seconds > 0)) return std::nullopt;
  const double busy = *now - *busy_, own = own_seconds() - own_;
  // Where a container shows another machine's figures, they do not even hold what this process took.
  if (busy < own / 2) return std::nullopt;
  return std::max(0.0, busy - own) / seconds;
}

SpeedSetting speed_setting() {
  SpeedSetting setting;
  setting.processors = std::max<std::int64_t>(1, sysconf(_SC_NPROCESSORS_ONLN));
  const BackendChoice choice = int8_backend_choice();
  setting.backend = choice.name;
  const std::vector<BackendInfo> backends = int8_backends();
  setting.fastest_backend = !backends.empty() && choice.name == backends.front().name;
#ifdef _SC_LEVEL3_CACHE_SIZE
  for (const int level : {_SC_LEVEL3_CACHE_SIZE, _SC_LEVEL2_CACHE_SIZE})
    if (const long bytes = sysconf(level); bytes > 0 && setting.cache_bytes == 0)
      setting.cache_bytes = static_cast<std::uint64_t>(bytes);
#endif
  return setting;
}

std::uint64_t bytes_per_token(const Model& model) {
  std::uint64_t bytes = 0;
  for (const LinearInfo& linear : model.linears())
    if (!linear.module_path.starts_with("visual.")) bytes += model.linear(linear.module_path).weight_bytes();
  for (const char* name : {"lm_head.weight", "model.embed_tokens.weight"}) {
    if (model.checkpoint().find(name) == nullptr) continue;
    const Tensor head = model.checkpoint().tensor(name);
    bytes +=
        model.options().lm_head == HeadWeights::int8 ? static_cast<std::uint64_t>(head.numel()) : head.size_bytes();
    break;  // a tied model multiplies by its embedding
  }
  return bytes;
}

void judge_speed(DecodingSpeed& speed, const SpeedSetting& setting) {
  const auto rate = [](std::int64_t tokens, double seconds) {
    return seconds > 0 ? static_cast<double>(tokens) / seconds : 0;
  };
  speed.original_tokens_per_second = rate(speed.original_tokens, speed.original_seconds);
  speed.quantized_tokens_per_second = rate(speed.quantized_tokens, speed.quantized_seconds);
  speed.why = obstacle(speed);
  speed.compared = speed.why.empty();
  if (speed.compared) speed.why = reason(speed, setting);
}

}  // namespace octavo::detail
