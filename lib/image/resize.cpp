#include <algorithm>
#include <cmath>

#include "octavo/image.hpp"
#include "octavo/parallel.hpp"

namespace octavo {

ImageSize smart_resize(ImageSize size, std::int64_t factor, std::int64_t min_pixels, std::int64_t max_pixels) {
  const std::string shown = std::to_string(size.width) + " x " + std::to_string(size.height);
  if (size.height <= 0 || size.width <= 0)
    throw Error(ErrorCode::invalid_argument, "smart_resize: a picture of " + shown + " pixels");
  if (factor <= 0 || min_pixels <= 0 || max_pixels < min_pixels)
    throw Error(ErrorCode::invalid_argument, "smart_resize: factor " + std::to_string(factor) + ", min_pixels " +
                                                 std::to_string(min_pixels) + ", max_pixels " +
                                                 std::to_string(max_pixels) + " do not go together");
  if (std::max(size.height, size.width) > 200 * std::min(size.height, size.width))
    throw Error(ErrorCode::invalid_argument,
                "smart_resize: a picture of " + shown + " pixels is more than 200 times as long as it is wide");
  const auto h = static_cast<double>(size.height);
  const auto w = static_cast<double>(size.width);
  const auto f = static_cast<double>(factor);
  double height = std::nearbyint(h / f) * f;  // half to even, as the reference rounds
  double width = std::nearbyint(w / f) * f;
  if (height * width > static_cast<double>(max_pixels)) {
    const double beta = std::sqrt(h * w / static_cast<double>(max_pixels));
    height = std::max(f, std::floor(h / beta / f) * f);
    width = std::max(f, std::floor(w / beta / f) * f);
  } else if (height * width < static_cast<double>(min_pixels)) {
    const double beta = std::sqrt(static_cast<double>(min_pixels) / (h * w));
    height = std::ceil(h * beta / f) * f;
    width = std::ceil(w * beta / f) * f;
  }
  return {static_cast<std::int64_t>(height), static_cast<std::int64_t>(width)};
}

namespace {

constexpr int kPrecisionBits = 22;  // 32 bits less 8 of the pixel and 2 of head room

double bicubic(double x) {
  constexpr double a = -0.5;
  x = std::abs(x);
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  if (x < 2) return (((x - 5) * x + 8) * x - 4) * a;
  return 0;
}

// The taps of one output pixel: weights in fixed point over in[first, first + weights.size()).
struct Taps {
  std::int64_t first = 0;
  std::vector<std::int32_t> weights;
};

std::vector<Taps> taps_for(std::int64_t in, std::int64_t out) {
  const double scale = static_cast<double>(in) / static_cast<double>(out);
  const double filter_scale = std::max(scale, 1.0);
  const double support = 2.0 * filter_scale;
  const double inverse = 1.0 / filter_scale;
  std::vector<Taps> all(static_cast<std::size_t>(out));
  std::vector<double> weights;
  for (std::int64_t i = 0; i < out; ++i) {
    const double center = (static_cast<double>(i) + 0.5) * scale;
    // Truncated after adding a half, as Pillow does; lround would differ below zero.
    // NOLINTNEXTLINE(bugprone-incorrect-roundings)
    const auto first = std::max<std::int64_t>(0, static_cast<std::int64_t>(center - support + 0.5));
    // NOLINTNEXTLINE(bugprone-incorrect-roundings)
    const auto last = std::min(in, static_cast<std::int64_t>(center + support + 0.5));
    double sum = 0;
    weights.clear();
    for (std::int64_t j = first; j < last; ++j) {
      weights.push_back(bicubic((static_cast<double>(j) - center + 0.5) * inverse));
      sum += weights.back();
    }
    Taps& taps = all[static_cast<std::size_t>(i)];
    taps.first = first;
    for (const double weight : weights) {
      const double fixed = (sum != 0 ? weight / sum : weight) * (1 << kPrecisionBits);
      taps.weights.push_back(static_cast<std::int32_t>(fixed + (fixed < 0 ? -0.5 : 0.5)));  // half away from zero
    }
  }
  return all;
}

std::uint8_t clipped(std::int32_t fixed) {
  return static_cast<std::uint8_t>(std::clamp(fixed >> kPrecisionBits, 0, 255));
}

// One pass: `lines` lines of `in` pixels, each `step` bytes apart, become lines of taps.size() pixels.
void resample(const std::uint8_t* from, std::int64_t from_line, std::int64_t from_step, std::uint8_t* to,
              std::int64_t to_line, std::int64_t to_step, std::int64_t lines, const std::vector<Taps>& taps) {
  parallel_for(lines, 8, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t line = begin; line < end; ++line)
      for (std::size_t i = 0; i < taps.size(); ++i) {
        std::int32_t sums[3] = {1 << (kPrecisionBits - 1), 1 << (kPrecisionBits - 1), 1 << (kPrecisionBits - 1)};
        const std::uint8_t* pixel = from + line * from_line + taps[i].first * from_step;
        for (const std::int32_t weight : taps[i].weights) {
          for (int c = 0; c < 3; ++c) sums[c] += pixel[c] * weight;
          pixel += from_step;
        }
        std::uint8_t* target = to + line * to_line + static_cast<std::int64_t>(i) * to_step;
        for (int c = 0; c < 3; ++c) target[c] = clipped(sums[c]);
      }
  });
}

}  // namespace

Image resize_bicubic(const Image& image, ImageSize size) {
  if (size.height <= 0 || size.width <= 0 || size.height > 65536 || size.width > 65536)
    throw Error(ErrorCode::invalid_argument,
                "resize: to " + std::to_string(size.width) + " x " + std::to_string(size.height) + " pixels");
  if (image.height <= 0 || image.width <= 0 ||
      image.rgb.size() != static_cast<std::size_t>(image.height) * static_cast<std::size_t>(image.width) * 3)
    throw Error(ErrorCode::invalid_argument, "resize: the picture has " + std::to_string(image.rgb.size()) +
                                                 " bytes, " + std::to_string(image.width) + " x " +
                                                 std::to_string(image.height) + " pixels of RGB need " +
                                                 std::to_string(image.width * image.height * 3));
  Image current = image;
  if (size.width != current.width) {
    Image wide{current.height, size.width,
               std::vector<std::uint8_t>(static_cast<std::size_t>(current.height * size.width * 3))};
    resample(current.rgb.data(), current.width * 3, 3, wide.rgb.data(), size.width * 3, 3, current.height,
             taps_for(current.width, size.width));
    current = std::move(wide);
  }
  if (size.height != current.height) {
    Image tall{size.height, current.width,
               std::vector<std::uint8_t>(static_cast<std::size_t>(size.height * current.width * 3))};
    resample(current.rgb.data(), 3, current.width * 3, tall.rgb.data(), 3, current.width * 3, current.width,
             taps_for(current.height, size.height));
    current = std::move(tall);
  }
  return current;
}

}  // namespace octavo
