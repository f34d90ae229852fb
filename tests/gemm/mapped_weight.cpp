// W8A8 weights in a mapped file: packed at first use, by whichever thread comes first, and in memory once.
#include <atomic>

#include "../support/scratch.hpp"  // lib/gemm has one of this name, too
#include "catch.hpp"
#include "mapped_bytes.hpp"
#include "support.hpp"
#include "threads.hpp"

using octavo::DType;
using octavo::Linear;
using octavo::Tensor;
using namespace gemm_test;

namespace {

constexpr std::int64_t kRows = 700, kColumns = 1500;

struct MappedLayer {
  test::ScratchDirectory scratch;
  Tensor weight = random_s8(kRows, kColumns, 3);
  Tensor scale = random(1, kRows, 4).reshape({kRows}).clone();
  std::string path = scratch.write("weight", std::string(reinterpret_cast<const char*>(weight.data<std::int8_t>()),
                                                         static_cast<std::size_t>(weight.numel())));

  Tensor mapped() const { return Tensor::over(octavo::map_file(path), 0, DType::s8, {kRows, kColumns}); }
  Linear layer() const { return Linear::w8a8("mapped", mapped(), scale, {}); }
};

}  // namespace

TEST_CASE("a mapped int8 weight gives the bits of one in memory and is in memory once") {
  for (const octavo::BackendInfo& backend : octavo::int8_backends()) {
    if (!backend.available) continue;
    INFO(backend.name);
    octavo::force_int8_backend(backend.name);
    const MappedLayer files;
    const Linear mapped = files.layer();
    const Linear owned = Linear::w8a8("owned", files.weight, files.scale, {});
    octavo::force_int8_backend("");                // the one in use when the layer was made counts
    CHECK(test::resident_bytes(files.path) == 0);  // nothing of it was read
    CHECK(mapped.weight_bytes() == static_cast<std::size_t>(kRows * kColumns) + kRows * sizeof(float));
    for (const std::int64_t m : {1, 5, 40}) {
      const Tensor x = random(m, kColumns, 5);
      CHECK(floats(mapped.forward(x)) == floats(owned.forward(x)));
    }
    CHECK(test::resident_bytes(files.path) <= 2 * 65536);  // the ends, which share pages with their neighbours
    CHECK(mapped.weight_bytes() == owned.weight_bytes());
  }
}

TEST_CASE("threads that need a mapped int8 weight at the same moment pack it once and agree") {
  const MappedLayer files;
  const Tensor x = random(3, kColumns, 6);
  const std::vector<float> expected = floats(Linear::w8a8("owned", files.weight, files.scale, {}).forward(x));
  for (int round = 0; round < 20; ++round) {
    const Linear layer = files.layer();
    std::atomic<int> wrong{0};
    test::at_once(4, [&](int) {
      const Linear copy = layer;
      if (floats(copy.forward(x)) != expected || copy.weight_bytes() == 0) ++wrong;
    });
    CHECK(wrong == 0);
  }
}

TEST_CASE("an int8 weight in the caller's own memory is packed at once") {
  Tensor weight = random_s8(33, 70, 3).clone();
  const Tensor scale = random(1, 33, 4).reshape({33}).clone();
  const Tensor x = random(2, 70, 5);
  const Linear layer = Linear::w8a8("owned", weight, scale, {});
  const std::vector<float> expected = floats(layer.forward(x));
  for (std::int8_t& value : weight.mutable_values<std::int8_t>()) value = 0;
  CHECK(floats(layer.forward(x)) == expected);
}
