/// Which files beside the weights belong to a model, and go with it into a quantized directory.
#pragma once

#include <string_view>

namespace octavo::detail {

/// A plain file of the source that OUT gets byte for byte. Not: weights in any form and config.json, which are written
/// anew; adapters, with which transformers would load their base model in place of OUT's weights; what training leaves.
bool is_copied(std::string_view name);

}  // namespace octavo::detail
