/// A recipe applied to a model: which linear gets what, decided and checked before any long work.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "octavo/blockwise.hpp"
#include "octavo/model.hpp"
#include "octavo/quant.hpp"

namespace octavo::detail {

/// Output channels of a linear that its reported losses are told from.
inline constexpr std::int64_t kLossChannels = 256;

struct LinearPlan {
  LinearInfo info;
  Rule rule;  ///< its scale_dtype stated, whatever the recipe says
};

struct BlockPlan {
  Tower tower = Tower::language;
  std::int64_t index = 0;
  std::string module_path;
  std::vector<LinearPlan> quantized;  ///< in the block's order
  std::vector<LinearInfo> in_float;   ///< the block's other linears
  bool needs_hessians() const;
};

struct Plan {
  std::vector<BlockPlan> vision, language;
  std::vector<std::string> ignored;    ///< module paths of every linear that stays float, published layout
  std::vector<std::string> w8a16;      ///< of every linear that the recipe puts in W8A16
  std::optional<LinearPlan> lm_head;   ///< by round to nearest; absent where it stays float
  std::int64_t quantized_linears = 0;  ///< the lm_head among them
  bool needs_calibration = false;
  bool quantizes(Tower tower) const;
  QuantizedModules stored_modules() const;  ///< as it will be written; published layout
};

/// @throws Error  unsupported / invalid_argument, naming the linear and the rule.
Plan make_plan(const Checkpoint& checkpoint, const Recipe& recipe);

}  // namespace octavo::detail
