// Tensor names that a wrapper of the training program has changed: torch.compile's "_orig_mod.", DataParallel's
// "module.", peft's "base_model.model.", or any other prefix before the names that config.json promises.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "octavo/checkpoint.hpp"
#include "octavo/plan.hpp"

namespace octavo::model {

/// Tensors whose names hold the same wrapper.
struct WrappedNames {
  std::string wrapper;                                       // "_orig_mod."
  std::vector<std::string> stored;                           // sorted
  std::set<std::string> promised;                            // the names that they stand for
  CheckProblem problem(const Checkpoint& checkpoint) const;  // one line for all of them
  std::string line() const;                                  // its text, without the count
};

/// Of the tensors that are not promised themselves.
std::vector<WrappedNames> find_wrapped_names(const Checkpoint& checkpoint, const std::set<std::string>& promised);
/// The same for a few tensors that every model of this kind has. @throws Error  format with the problem's line
void require_plain_names(const Checkpoint& checkpoint);

}  // namespace octavo::model
