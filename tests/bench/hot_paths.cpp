// One hot path, some times, on one thread: what instructions.py counts the instructions of.
//
//     hot_paths MODEL PATH TIMES          MODEL in W8A8; without PATH and TIMES the names of the paths
//
// What a path needs is made before; the first time is like the others but for memory that is kept.
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <map>
#include <octavo/octavo.hpp>
#include <string>

namespace {

using octavo::Tensor;

Tensor noise(const octavo::Shape& shape) {
  Tensor t = Tensor::empty(octavo::DType::f32, shape);
  std::uint32_t seed = 1;
  for (float& value : t.mutable_values<float>()) {
    seed = seed * 1664525U + 1013904223U;
    value = static_cast<float>(seed >> 8U) / 8388608.0F - 1.0F;
  }
  return t;
}

octavo::ModelInput tokens(std::int64_t count) {
  octavo::ModelInput input;
  for (std::int64_t i = 0; i < count; ++i) input.ids.push_back(static_cast<std::int32_t>((31 * i) % 256));
  return input;
}

octavo::Image picture(std::int64_t side) {
  octavo::Image image{side, side, {}};
  for (std::int64_t i = 0; i < side * side * 3; ++i) image.rgb.push_back(static_cast<std::uint8_t>(i % 251));
  return image;
}

void repeat(std::int64_t times, const std::function<void()>& job) {
  for (std::int64_t i = 0; i < times; ++i) job();
}

using Path = std::function<void(const octavo::Model& model, std::int64_t times)>;
const std::map<std::string, Path> kPaths{
    {"decode, one token at 16",
     [](const octavo::Model& model, std::int64_t times) {
       octavo::Session session(model, 16 + times);
       (void)session.feed(tokens(16));
       repeat(times, [&] { (void)session.feed(tokens(1)); });
     }},
    {"prefill of 64",
     [](const octavo::Model& model, std::int64_t times) {
       octavo::Session session(model, 64);
       repeat(times, [&] {
         session.reset();
         (void)session.feed(tokens(64));
       });
     }},
    {"vision tower, 64 patches",
     [](const octavo::Model& model, std::int64_t times) {
       const octavo::Image image = picture(112);
       const octavo::ModelInput input = model.prepare("What?", {&image, 1});
       repeat(times, [&] { (void)model.encode_images(input); });
     }},
    {"picture of 448 x 448 to patches",
     [](const octavo::Model& model, std::int64_t times) {
       const octavo::Image image = picture(448);
       repeat(times, [&] { (void)octavo::patchify(image, model.image_processor()); });
     }},
    {"W8A8 linear, 16 rows",
     [](const octavo::Model&, std::int64_t times) {
       const Tensor weight = Tensor::zeros(octavo::DType::s8, {512, 512});
       const octavo::Linear linear = octavo::Linear::w8a8("hot", weight, noise({512}), {});
       const Tensor x = noise({16, 512});
       repeat(times, [&] { (void)linear.forward(x); });
     }},
    {"attention, one query at 1024",
     [](const octavo::Model&, std::int64_t times) {
       const Tensor q = noise({1, 8, 1, 128}), k = noise({1, 1, 1024, 128});
       repeat(times, [&] { (void)octavo::attention(q, k, k, {.mask = octavo::Mask::causal(1023), .past = 1023}); });
     }},
};

int run(int argc, char** argv) {
  if (argc == 2) {
    for (const auto& [name, path] : kPaths) std::printf("%s\n", name.c_str());
    return 0;
  }
  octavo::set_num_threads(1);
  kPaths.at(argv[2])(octavo::Model::open(argv[1]), std::strtol(argv[3], nullptr, 10));
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2 && argc != 4) {
    std::fprintf(stderr, "hot_paths MODEL [PATH TIMES]\n");
    return 2;
  }
  try {
    return run(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "hot_paths: %s\n", error.what());
    return 1;
  }
}
