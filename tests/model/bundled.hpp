// The model in the repository, its questions, and models in int8.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "octavo/checkpoint.hpp"
#include "octavo/model.hpp"
#include "octavo/quant.hpp"

namespace golden {

inline std::string bundled() { return std::string(OCTAVO_SOURCE_DIR) + "/examples/models/octavo-tiny-vl"; }

inline octavo::Image bundled_picture(const std::string& name) {
  return octavo::load_image(bundled() + "/eval/" + name + ".png");
}

/// A question about one of its pictures.
inline octavo::ModelInput ask(const octavo::Model& model, std::string_view question, const std::string& picture) {
  const octavo::Image image = bundled_picture(picture);
  return model.prepare(question, {&image, 1});
}

/// Every linear of the blocks in int8, packed for the backend that is in force.
inline std::vector<octavo::Linear> linears_in_w8a8(const octavo::Checkpoint& checkpoint,
                                                   const std::vector<octavo::LinearInfo>& infos) {
  std::vector<octavo::Linear> linears;
  for (const octavo::LinearInfo& info : infos) {
    const octavo::QuantizedLayer layer =
        octavo::quantize_layer_rtn(checkpoint.tensor(info.module_path + ".weight"), {}, info.module_path);
    const bool has_bias = checkpoint.find(info.module_path + ".bias") != nullptr;
    linears.push_back(
        octavo::Linear::w8a8(info.module_path, layer.weight, layer.scales,
                             has_bias ? checkpoint.tensor(info.module_path + ".bias") : octavo::Tensor()));
  }
  return linears;
}

inline octavo::Model in_w8a8(const octavo::Model& original) {
  return original.with_linears(linears_in_w8a8(original.checkpoint(), original.linears()));
}

}  // namespace golden
