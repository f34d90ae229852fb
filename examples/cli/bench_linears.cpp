// octavo bench: linear layers, as three kinds of weights.
#include <algorithm>

#include "bench.hpp"
#include "bench_tensors.hpp"

namespace cli {

namespace {

// A step of the linear congruential generator of Numerical Recipes (2nd ed., section 7.1).
std::uint32_t next(std::uint32_t seed) { return seed * 1664525U + 1013904223U; }

struct Kinds {
  octavo::Linear bf16, w8a8, w8a16;
};

Kinds kinds_of(const LinearShape& shape) {
  const octavo::Tensor weight = noise_s8(shape.out_features, shape.in_features);
  const octavo::Tensor scale = scales(shape.out_features);
  const octavo::Tensor floats = noise({shape.out_features, shape.in_features}, 5).to(octavo::DType::bf16);
  return {octavo::Linear::floating("bench", floats, {}), octavo::Linear::w8a8("bench", weight, scale, {}),
          octavo::Linear::w8a16("bench", weight, scale, {})};
}

// Rows that leave room for a warm-up and three rounds of all three kinds of all shapes.
std::int64_t affordable_rows(const std::vector<LinearShape>& shapes, const std::vector<Kinds>& linears,
                             std::int64_t rows, double seconds) {
  constexpr std::int64_t kProbed = 16;
  double per_row = 0;
  for (std::size_t i = 0; i < shapes.size(); ++i) {
    const octavo::Tensor x = noise({std::min(rows, kProbed), shapes[i].in_features}, 1);
    const auto start = std::chrono::steady_clock::now();
    for (const octavo::Linear* linear : {&linears[i].bf16, &linears[i].w8a8, &linears[i].w8a16})
      (void)linear->forward(x);
    per_row +=
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count() / static_cast<double>(x.dim(0));
    stop_if_interrupted();
  }
  while (rows > kProbed && 4 * per_row * static_cast<double>(rows) > seconds) rows /= 2;
  return rows;
}

}  // namespace

octavo::Tensor noise(const octavo::Shape& shape, std::uint32_t seed) {
  octavo::Tensor tensor = octavo::Tensor::empty(octavo::DType::f32, shape);
  for (float& value : tensor.mutable_values<float>())
    value = static_cast<float>((seed = next(seed)) >> 8U) / 8388608.0F - 1.0F;
  return tensor;
}

octavo::Tensor noise_s8(std::int64_t rows, std::int64_t columns) {
  octavo::Tensor tensor = octavo::Tensor::empty(octavo::DType::s8, {rows, columns});
  std::uint32_t seed = 7;
  for (std::int8_t& value : tensor.mutable_values<std::int8_t>())
    value = static_cast<std::int8_t>(static_cast<int>((seed = next(seed)) >> 24U) - 128);
  return tensor;
}

octavo::Tensor scales(std::int64_t rows) {
  octavo::Tensor tensor = octavo::Tensor::empty(octavo::DType::f32, {rows});
  for (float& value : tensor.mutable_values<float>()) value = 0.01F;
  return tensor;
}

std::vector<LinearShape> default_shapes() {
  return {{"q_proj, o_proj", 2048, 2048, 72},      {"k_proj, v_proj", 256, 2048, 72},
          {"gate_proj, up_proj", 11008, 2048, 72}, {"down_proj", 2048, 11008, 36},
          {"visual qkv", 3840, 1280, 32},          {"visual proj", 1280, 1280, 32},
          {"visual gate, up", 3420, 1280, 64},     {"visual down", 1280, 3420, 32}};
}

std::vector<LinearShape> shapes_of(const octavo::Model& model) {
  std::vector<LinearShape> shapes;
  for (const octavo::LinearInfo& linear : model.linears()) {
    const std::string tower = linear.module_path.rfind("visual", 0) == 0 ? "visual " : "";
    const std::string name = tower + linear.module_path.substr(linear.module_path.rfind('.') + 1);
    const auto same = std::find_if(shapes.begin(), shapes.end(), [&](const LinearShape& shape) {
      return shape.out_features == linear.out_features && shape.in_features == linear.in_features;
    });
    if (same == shapes.end()) {
      shapes.push_back({name, linear.out_features, linear.in_features, 1});
      continue;
    }
    ++same->count;
    const std::string own = name.substr(tower.size());
    if (same->name.find(own) == std::string::npos) same->name += ", " + (same->name.rfind(tower, 0) == 0 ? own : name);
  }
  return shapes;
}

LinearsResult measure_linears(const std::vector<LinearShape>& shapes, std::int64_t rows, double seconds) {
  std::vector<Kinds> linears;
  for (const LinearShape& shape : shapes) {
    stop_if_interrupted();
    linears.push_back(kinds_of(shape));
  }
  rows = affordable_rows(shapes, linears, rows, seconds);
  LinearsResult result;
  std::vector<octavo::Tensor> inputs;
  std::vector<std::function<void()>> jobs;
  for (std::size_t i = 0; i < shapes.size(); ++i)
    for (const std::int64_t count : {std::int64_t{1}, rows}) {
      result.times.push_back({shapes[i], count});
      const octavo::Tensor x = noise({count, shapes[i].in_features}, 3);
      for (const octavo::Linear* linear : {&linears[i].bf16, &linears[i].w8a8, &linears[i].w8a16})
        jobs.emplace_back([x, linear] { (void)linear->forward(x); });
    }
  const std::vector<double> times = interleaved(jobs, seconds, result.rounds);
  for (std::size_t i = 0; i < result.times.size(); ++i) {
    result.times[i].bf16_ms = times[3 * i] * 1e3;
    result.times[i].w8a8_ms = times[3 * i + 1] * 1e3;
    result.times[i].w8a16_ms = times[3 * i + 2] * 1e3;
  }
  return result;
}

}  // namespace cli
