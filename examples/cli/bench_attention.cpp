// octavo bench: attention at the shapes of Qwen2.5-VL-3B, and what comes before a model.
#include "bench.hpp"

namespace cli {

namespace {

using octavo::DType;
using octavo::FloatMath;
using octavo::Tensor;

// Four operations per pair of a query and a key that it sees, per element of a head: q k^T and its product with v; and
// an exp.
BenchRow row_of(const std::string& what, FloatMath math, double heads, double pairs, double width, double bytes) {
  const bool bf16 = math == FloatMath::bf16;
  BenchRow row;
  row.group = "attention";
  row.name = what + (bf16 ? ", bf16 math" : "");
  Work work;
  (bf16 ? work.bf16 : work.f32) = 4 * heads * pairs * width;
  work.exps = heads * pairs;
  work.bytes = bytes;
  row.steps = {work};
  row.details.set("what", what).set("math", bf16 ? "bf16" : "f32");
  return row;
}

double size(const Tensor& tensor) { return static_cast<double>(tensor.shape().numel()); }

BenchJob language_prefill(std::int64_t tokens, FloatMath math) {
  const Tensor q = noise({1, tokens, 16, 128}, 1).permute({0, 2, 1, 3});
  const Tensor k = noise({1, 2, tokens, 128}, 2);
  const Tensor v = noise({1, 2, tokens, 128}, 3);
  const auto length = static_cast<double>(tokens);
  return {
      row_of("causal prefill of " + std::to_string(tokens), math, 16, length * (length + 1) / 2, 128,
             4 * (2 * size(q) + size(k) + size(v))),
      [=] {
        return seconds_of([&] { (void)octavo::attention(q, k, v, {.mask = octavo::Mask::causal(0), .math = math}); });
      }};
}

BenchJob decode(std::int64_t past, DType dtype) {
  const Tensor q = noise({1, 16, 1, 128}, 1);
  octavo::KvCache cache(1, 2, 128, past + 1, dtype);
  const octavo::KvCache::View seen =
      cache.append(0, noise({1, 2, past + 1, 128}, 2), noise({1, 2, past + 1, 128}, 3), "");
  const std::string stored = dtype == DType::f32 ? "" : dtype == DType::bf16 ? ", bf16 cache" : ", int8 cache";
  const double element = dtype == DType::f32 ? 4 : dtype == DType::bf16 ? 2 : 1 + 4.0 / 128;
  return {row_of("decode at " + std::to_string(past) + stored, FloatMath::f32, 16, static_cast<double>(past + 1), 128,
                 element * (size(seen.k) + size(seen.v))),
          [=] {
            return seconds_of([&] {
              (void)octavo::attention(
                  q, seen.k, seen.v,
                  {.mask = octavo::Mask::causal(past), .past = past, .k_scale = seen.k_scale, .v_scale = seen.v_scale});
            });
          }};
}

BenchJob vision(std::int64_t window, FloatMath math) {
  constexpr std::int64_t kPatches = 1024;
  const Tensor q = noise({1, kPatches, 16, 80}, 1).permute({0, 2, 1, 3});
  const Tensor k = noise({1, kPatches, 16, 80}, 2).permute({0, 2, 1, 3});
  const Tensor v = noise({1, kPatches, 16, 80}, 3).permute({0, 2, 1, 3});
  std::vector<std::int32_t> segments;
  for (std::int64_t begin = 0; begin <= kPatches; begin += window) segments.push_back(static_cast<std::int32_t>(begin));
  const std::string what = window == kPatches ? "vision, 1024 patches" : "vision, 1024 patches in windows of 64";
  return {row_of(what, math, 16, static_cast<double>(kPatches * window), 80, 4 * 4 * size(q)), [=] {
            return seconds_of(
                [&] { (void)octavo::attention(q, k, v, {.mask = octavo::Mask::segments(segments), .math = math}); });
          }};
}

}  // namespace

void bench_attention(const BenchSettings& settings, double seconds, BenchResult& result) {
  const octavo::MemoryPool pool;  // results take the place of those before, as in a model
  const octavo::MemoryPoolScope scope(pool);
  std::vector<BenchJob> jobs;
  jobs.push_back(language_prefill(512, FloatMath::f32));
  jobs.push_back(language_prefill(2048, FloatMath::f32));
  jobs.push_back(vision(1024, FloatMath::f32));
  jobs.push_back(vision(64, FloatMath::f32));
  for (const std::int64_t past : {256, 2048, 16384}) jobs.push_back(decode(past, DType::f32));
  if (settings.full) {
    jobs.push_back(language_prefill(512, FloatMath::bf16));
    jobs.push_back(language_prefill(2048, FloatMath::bf16));
    jobs.push_back(vision(1024, FloatMath::bf16));
    jobs.push_back(vision(64, FloatMath::bf16));
    jobs.push_back(decode(2048, DType::bf16));
    jobs.push_back(decode(2048, DType::s8));
  }
  run_in_turns(jobs, seconds, result);
}

void bench_picture(double seconds, BenchResult& result) {
  constexpr std::int64_t kSide = 1008;
  octavo::Image image{kSide, kSide, {}};
  for (std::int64_t y = 0; y < kSide; ++y)
    for (std::int64_t x = 0; x < kSide; ++x)
      for (const std::int64_t value : {x, y, x * y / 64}) image.rgb.push_back(static_cast<std::uint8_t>(value & 0xFF));
  const std::vector<std::byte> file = octavo::encode_jpeg(image);
  octavo::ImageProcessorConfig config;
  config.max_pixels = 448 * 448;  // so that it is resized
  BenchRow row;
  row.group = "picture";
  row.name = "JPEG of 1008 x 1008 to 1024 patches";
  row.item = "pictures";
  row.details.set("height", kSide).set("width", kSide);
  std::vector<BenchJob> jobs;
  jobs.push_back({std::move(row), [=] {
                    return seconds_of([&] { (void)octavo::patchify(octavo::decode_image(file, "bench"), config); });
                  }});
  run_in_turns(jobs, seconds, result);
}

}  // namespace cli
