/// Where two models part: every block on its own, and the tensors of those that stand out. Run when a step has failed;
/// costs about one forward pass, with one block of each model in memory beside what is resident.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "octavo/blockwise.hpp"
#include "octavo/model.hpp"

namespace octavo::detail {

/// One block of the original and of the quantized model, both given the original's hidden rows x.
struct BlockProbe {
  Tower tower = Tower::language;
  std::string module_path;
  double local_error = 0;        ///< ||quantized(x) - original(x)|| / ||original(x) - x||: over what the block adds
  double accumulated_error = 0;  ///< the quantized model's own hidden rows behind this block, over the original's
  bool original_finite = true, quantized_finite = true;
  std::string thrown;  ///< by the quantized block on the original's rows, or while it was loaded
};

/// A linear on the original's input, and its stored weight.
struct LinearProbe {
  std::string module_path;
  double output_error = 0;  ///< ||quantized(x) - original(x)|| / ||original(x)||
};

/// A weight, bias or norm of the quantized model, scaled back to float, against the original's.
struct TensorProbe {
  std::string name;
  bool quantized = false;       ///< stored as int8
  double relative_error = 0;    ///< ||q - w|| / ||w||
  double ratio = 1;             ///< <q, w> / <w, w>: 8 for a weight that is eight times too large
  std::int64_t not_finite = 0;  ///< values of the quantized model's tensor, scales included
};

struct Probe {
  std::vector<BlockProbe> blocks;    ///< vision tower first
  std::vector<LinearProbe> linears;  ///< of the block that stands out, in the order they run
  std::vector<TensorProbe> tensors;  ///< of that block, and those outside the blocks that differ
  bool has_pictures = false;
  double vision_error = 0;     ///< of the rows behind the merger, each model by itself
  double embedding_error = 0;  ///< of what enters the first language block, given the original's vision rows
};

/// Index into probe.blocks of the one that stands out: the first with a value that is not finite while its input is,
/// else the one whose local error is at least kBlockBound and kStandsOut times the median of its tower's others.
/// -1 when none does.
std::int64_t outstanding_block(const std::vector<BlockProbe>& blocks);
inline constexpr double kBlockBound = 0.15;  ///< int8 by round-to-nearest leaves a few hundredths
inline constexpr double kStandsOut = 4;

/// `tick` is called between blocks, and may throw to stop.
Probe probe_models(const Checkpoint& original, const Checkpoint& quantized, const ModelInput& input,
                   const std::function<void()>& tick);

}  // namespace octavo::detail
