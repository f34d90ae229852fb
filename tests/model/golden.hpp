// What transformers computed with the tiny models of tests/golden/model (see make.py there).
#pragma once

#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "catch.hpp"
#include "message_of.hpp"
#include "octavo/checkpoint.hpp"
#include "octavo/config.hpp"
#include "octavo/model.hpp"
#include "scratch.hpp"

namespace golden {

inline std::string directory(const std::string& model) {
  return std::string(OCTAVO_SOURCE_DIR) + "/tests/golden/model/" + model;
}

/// The golden values of one model.
class Values {
 public:
  explicit Values(const std::string& model)
      : file_(octavo::SafetensorsFile::open(directory(model) + "/golden.safetensors")) {}

  bool has(const std::string& name) const { return file_.find(name) != nullptr; }
  octavo::Tensor tensor(const std::string& name) const { return file_.tensor(name); }
  template <class Int>
  std::vector<Int> integers(const std::string& name) const {
    std::vector<Int> out;
    const octavo::Tensor values = file_.tensor(name);
    for (const std::int64_t value : values.values<std::int64_t>()) out.push_back(static_cast<Int>(value));
    return out;
  }
  std::vector<octavo::Grid> grids(const std::string& name) const {
    std::vector<octavo::Grid> out;
    const std::vector<std::int64_t> flat = integers<std::int64_t>(name);
    for (std::size_t i = 0; i + 2 < flat.size(); i += 3) out.push_back({flat[i], flat[i + 1], flat[i + 2]});
    return out;
  }
  /// Ids and images of a case, the pixel rows split by grid.
  octavo::ModelInput input(const std::string& name) const {
    octavo::ModelInput input;
    input.ids = integers<std::int32_t>(name + ".ids");
    std::int64_t row = 0;
    for (const octavo::Grid& grid : grids(name + ".grids")) {
      octavo::PixelPatches patches;
      const std::int64_t rows = grid.t * grid.h * grid.w;
      patches.pixel_values = tensor(name + ".pixel_values").slice(0, row, row + rows);
      patches.grid = grid;
      row += rows;
      input.images.push_back(patches);
    }
    return input;
  }

 private:
  octavo::SafetensorsFile file_;
};

/// Requires equal shapes and no element further apart than `tolerance`; NaN is always too far.
inline void require_close(const octavo::Tensor& actual, const octavo::Tensor& expected, double tolerance) {
  REQUIRE(actual.shape().to_string() == expected.shape().to_string());
  const octavo::Tensor rows = actual.contiguous();
  const octavo::Tensor wanted = expected.contiguous();
  double worst = 0;
  std::size_t where = 0;
  for (std::size_t i = 0; i < rows.values<float>().size(); ++i) {
    const double apart =
        std::abs(static_cast<double>(rows.values<float>()[i]) - static_cast<double>(wanted.values<float>()[i]));
    if (!(apart <= worst)) {
      worst = apart;
      where = i;
      if (std::isnan(apart)) break;
    }
  }
  INFO("furthest apart at element " << where << " of " << expected.shape().to_string() << ": " << worst);
  REQUIRE(worst <= tolerance);
}

/// A directory that goes with the test.
class TemporaryDirectory : public test::ScratchDirectory {
 public:
  /// Files of a golden model, golden values left out.
  void copy_model(const std::string& model) const {
    for (const auto& entry : std::filesystem::directory_iterator(directory(model))) {
      if (entry.path().filename() != "golden.safetensors") {
        std::filesystem::copy(entry.path(), path(entry.path().filename().string()));
      }
    }
  }
  std::string read(const std::string& name) const {
    std::ifstream file(path(name), std::ios::binary);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  }
};

/// The best token each time, past any stop token.
inline octavo::GenerateOptions greedy(std::int64_t tokens, bool use_cache = true) {
  octavo::GenerateOptions options;
  options.max_new_tokens = tokens;
  options.use_cache = use_cache;
  options.sampling = octavo::SamplingOptions{};
  options.ignore_eos = true;
  return options;
}

inline std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const std::size_t at = text.find(from);
  if (at == std::string::npos) throw std::runtime_error("no \"" + from + "\" to replace");
  return text.replace(at, from.size(), to);
}

using test::message_of;

}  // namespace golden
