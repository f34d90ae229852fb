// octavo bench: linear layers, as three kinds of weights.
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <memory>

#include "bench.hpp"

namespace cli {

namespace {

using octavo::FloatMath;

struct Kind {
  const char* weights;
  double weight_bytes;  // of an element
  FloatMath math;       // of float activations
  octavo::Linear linear;
};

octavo::Tensor int8_weight(const octavo::Tensor& floats) {
  octavo::Tensor tensor = octavo::Tensor::empty(octavo::DType::s8, floats.shape());
  std::transform(floats.values<float>().begin(), floats.values<float>().end(),
                 tensor.mutable_values<std::int8_t>().begin(),
                 [](float value) { return static_cast<std::int8_t>(value * 127.0F); });
  return tensor;
}

// In a mapped file, as a model's weights are: such are packed once where that pays.
octavo::Tensor in_a_file(const octavo::Tensor& tensor) {
  const int descriptor = ::memfd_create("weight", MFD_CLOEXEC);
  const std::shared_ptr<void> closer(nullptr, [descriptor](void*) { ::close(descriptor); });
  const auto* bytes = static_cast<const char*>(tensor.raw());
  for (std::size_t done = 0; done < tensor.size_bytes();) {
    const ssize_t written = ::write(descriptor, bytes + done, tensor.size_bytes() - done);
    if (written <= 0) return tensor;
    done += static_cast<std::size_t>(written);
  }
  return octavo::Tensor::over(octavo::map_descriptor(descriptor, "weight"), 0, tensor.dtype(), tensor.shape());
}

std::vector<Kind> kinds_of(const LinearShape& shape) {
  const octavo::Tensor floats = noise({shape.out_features, shape.in_features}, 5);
  const octavo::Tensor weight = in_a_file(int8_weight(floats));
  octavo::Tensor scale = octavo::Tensor::empty(octavo::DType::f32, {shape.out_features});
  std::fill(scale.mutable_values<float>().begin(), scale.mutable_values<float>().end(), 0.01F);
  const octavo::Tensor bf16 = in_a_file(floats.to(octavo::DType::bf16));
  return {{"W8A8", 1, FloatMath::f32, octavo::Linear::w8a8("bench", weight, scale, {})},
          {"W8A16", 1, FloatMath::f32, octavo::Linear::w8a16("bench", weight, scale, {})},
          {"bf16", 2, FloatMath::f32, octavo::Linear::floating("bench", bf16, {})},
          {"bf16", 2, FloatMath::bf16, octavo::Linear::floating("bench", bf16, {}, FloatMath::bf16)}};
}

// Weights, and x and y in float32, once each.
Work work_of(const LinearShape& shape, const Kind& kind, std::int64_t rows) {
  const auto m = static_cast<double>(rows);
  const auto n = static_cast<double>(shape.out_features);
  const auto k = static_cast<double>(shape.in_features);
  Work work;
  (kind.linear.is_w8a8()          ? work.int8
   : kind.math == FloatMath::bf16 ? work.bf16
   : kind.weight_bytes == 1       ? work.f32_by_int8
                                  : work.f32_by_bf16) = 2 * m * n * k;
  work.bytes = n * k * kind.weight_bytes + 4 * m * (n + k);
  return work;
}

// Rows that leave room for a warm-up and three rounds of all kinds of all shapes.
std::int64_t affordable_rows(const std::vector<LinearShape>& shapes, const std::vector<std::vector<Kind>>& linears,
                             std::int64_t rows, double seconds) {
  constexpr std::int64_t kProbed = 16;
  double per_row = 0;
  for (std::size_t i = 0; i < shapes.size(); ++i) {
    const octavo::Tensor x = noise({std::min(rows, kProbed), shapes[i].in_features}, 1);
    for (const Kind& kind : linears[i]) {
      octavo::check_cancelled();
      per_row += seconds_of([&] { (void)kind.linear.forward(x); }) / static_cast<double>(x.dim(0));
    }
  }
  while (rows > kProbed && 4 * per_row * static_cast<double>(rows) > seconds) rows /= 2;
  return rows;
}

BenchRow row_of(const LinearShape& shape, const Kind& kind, std::int64_t rows) {
  BenchRow row;
  row.group = "linear";
  row.name = shape.name + " " + std::to_string(shape.out_features) + " x " + std::to_string(shape.in_features) + ", " +
             kind.weights + (kind.math == FloatMath::bf16 ? ", bf16 math, " : ", ") + std::to_string(rows) +
             (rows == 1 ? " row" : " rows");
  row.steps = {work_of(shape, kind, rows)};
  row.details.set("layer", shape.name)
      .set("weights", kind.weights)
      .set("math", octavo::float_math_name(kind.math))
      .set("rows", rows)
      .set("out_features", shape.out_features)
      .set("in_features", shape.in_features)
      .set("count", shape.count);
  return row;
}

}  // namespace

std::vector<LinearShape> default_shapes(bool full) {
  std::vector<LinearShape> shapes{{"q_proj, o_proj", 2048, 2048, 72},
                                  {"gate_proj, up_proj", 11008, 2048, 72},
                                  {"down_proj", 2048, 11008, 36},
                                  {"visual gate, up", 3420, 1280, 64}};
  if (full)
    for (const LinearShape& shape : std::initializer_list<LinearShape>{{"k_proj, v_proj", 256, 2048, 72},
                                                                       {"visual qkv", 3840, 1280, 32},
                                                                       {"visual proj", 1280, 1280, 32},
                                                                       {"visual down", 1280, 3420, 32}})
      shapes.push_back(shape);
  return shapes;
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

void bench_linears(const std::vector<LinearShape>& shapes, const BenchSettings& settings, double seconds,
                   BenchResult& result) {
  const octavo::MemoryPool pool;  // results take the place of those before, as in a model
  const octavo::MemoryPoolScope scope(pool);
  std::vector<std::vector<Kind>> linears;
  for (const LinearShape& shape : shapes) {
    octavo::check_cancelled();
    linears.push_back(kinds_of(shape));
  }
  constexpr std::int64_t kRows = 512;
  const std::int64_t most = settings.rows ? *settings.rows : affordable_rows(shapes, linears, kRows, seconds);
  if (!settings.rows && most < kRows)
    result.left_out.push_back(
        {"linears of " + std::to_string(kRows) + " rows",
         "three rounds of them take longer than --seconds allows; " + std::to_string(most) + " rows were measured"});
  std::vector<std::int64_t> row_counts{1};
  if (settings.full)
    for (const std::int64_t rows : {16, 128})
      if (rows < most) row_counts.push_back(rows);
  row_counts.push_back(most);
  std::vector<BenchJob> jobs;
  for (std::size_t i = 0; i < shapes.size(); ++i)
    for (const Kind& kind : linears[i])
      for (const std::int64_t rows : row_counts) {
        if (rows == 1 && kind.math == FloatMath::bf16) continue;  // computed as f32 is
        const octavo::Tensor x = noise({rows, shapes[i].in_features}, 3);
        jobs.push_back({row_of(shapes[i], kind, rows),
                        [x, linear = kind.linear] { return seconds_of([&] { (void)linear.forward(x); }); }});
      }
  run_in_turns(jobs, seconds, result);
}

}  // namespace cli
