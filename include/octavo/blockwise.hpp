/// @file
/// A model block by block, for jobs that may hold only one block in memory: quantization walks it.
///
///     std::unique_ptr<BlockwiseModel> model = BlockwiseModel::open(checkpoint);
///     BlockState state = model->begin_language(input, vision_rows);
///     for (std::int64_t i = 0; i < model->num_blocks(Tower::language); ++i)
///       model->load_block(Tower::language, i)->forward(state, observer);
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "octavo/model.hpp"

namespace octavo {

/// Sees every linear's input just before it runs. Called from the thread that runs the model.
class LinearObserver {
 public:
  virtual ~LinearObserver() = default;
  /// x[M,K] f32, valid during the call; once per input group, with the group's first linear.
  virtual void on_input(const LinearInfo& linear, const Tensor& x) = 0;
};

/// Hidden rows of one sample on their way through the blocks of a tower.
struct BlockState {
  Tensor hidden;                        // f32 [L, hidden]
  std::shared_ptr<const void> context;  ///< positions, windows; made by begin_*, of use to the same tower only
};

/// One transformer block resident in memory. Weights are replaced in place as they are quantized.
class ModelBlock {
 public:
  virtual ~ModelBlock() = default;
  virtual const std::string& module_path() const noexcept = 0;    ///< "model.layers.0"
  virtual std::vector<LinearInfo> linears() const = 0;            ///< in the order they run
  virtual Tensor weight(std::string_view module_path) const = 0;  ///< [N,K] as stored; undefined once replaced
  virtual Tensor bias(std::string_view module_path) const = 0;    ///< [N] as stored; undefined without one
  virtual void replace(std::string_view module_path, const Linear& linear) = 0;  ///< drops the stored weight
  virtual const Linear& linear(std::string_view module_path) const = 0;
  /// Uncached; causal in the language model, windowed or per frame in the vision tower. `observer` may be null.
  /// @throws Error  not_finite naming the first linear or operation of which an output is NaN or infinite.
  virtual void forward(BlockState& state, LinearObserver* observer) const = 0;
};

enum class Tower : std::uint8_t { vision, language };

/// A model as a sequence of towers of blocks, loaded one at a time. The order is the order of calibration.
class BlockwiseModel {
 public:
  virtual ~BlockwiseModel() = default;
  /// By config.json's model_type. Of the options, lm_head has no effect: the head is no block.
  static std::unique_ptr<BlockwiseModel> open(const Checkpoint& checkpoint, const ModelOptions& options = {});
  virtual std::int64_t num_blocks(Tower tower) const = 0;
  virtual std::unique_ptr<ModelBlock> load_block(Tower tower, std::int64_t index) const = 0;
  /// Patch embedding, windows; hidden undefined without images.
  virtual BlockState begin_vision(const ModelInput& input) const = 0;
  virtual Tensor finish_vision(const BlockState& state) const = 0;  ///< merger: [image tokens, hidden]
  /// Embed, scatter the vision rows (undefined without images), positions.
  virtual BlockState begin_language(const ModelInput& input, const Tensor& vision) const = 0;
  /// Linears outside the blocks (merger, lm_head), never quantized by default.
  virtual std::vector<LinearInfo> other_linears() const = 0;
};

}  // namespace octavo
