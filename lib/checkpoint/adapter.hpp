/// Adapters (LoRA and its like, as peft saves them): weights that a base model is changed by, not a model.
#pragma once

#include "octavo/files.hpp"

namespace octavo::checkpoint_detail {

/// For a directory that holds no model: where an adapter is there instead, says how to make a model of it.
/// @throws Error  unsupported naming the adapter and its base model; returns where there is no adapter.
void refuse_adapter(const FileSource& files);

}  // namespace octavo::checkpoint_detail
