// The registry as the library reads it: a checkpoint's architecture, and what keeps the two apart.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "octavo/architecture.hpp"
#include "octavo/checkpoint.hpp"
#include "octavo/plan.hpp"

namespace octavo::model {

/// What opening a checkpoint begins with.
struct FoundArchitecture {
  std::shared_ptr<const Architecture> architecture;
  std::string model_type;
  bool is_tied = false;  ///< the embedding serves as lm_head
};
/// @throws Error  as read_architecture; format where a training program's wrapper has changed the tensors' names.
FoundArchitecture find_architecture(const Checkpoint& checkpoint);

/// A copy of the entry behind config.json's model_type. @throws Error  unsupported listing what there is.
ArchitectureEntry find_entry(const Json& config);

/// Says that config.json promises more blocks than the files hold tensors; "" when it does not.
std::string implausible_blocks(const Checkpoint& checkpoint, std::int64_t layers, std::int64_t vision_blocks);
/// Throws format when config.json promises more blocks than the files hold tensors: a list of what is missing would be
/// of no use, and as long as a wrong number wants it to be.
void require_plausible_blocks(const Checkpoint& checkpoint, const Architecture& architecture);

/// Throws format with every structure problem; returns when there is none.
void require_structure(const Checkpoint& checkpoint);

}  // namespace octavo::model
