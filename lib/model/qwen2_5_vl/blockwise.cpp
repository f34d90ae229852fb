// The model as quantization walks it: the two ends resident (mapped), one block at a time.
#include <memory>
#include <string>

#include "finite.hpp"
#include "qwen2_5_vl.hpp"

namespace octavo::model {
namespace {

class Qwen25VlBlockwise final : public BlockwiseModel {
 public:
  Qwen25VlBlockwise(const Checkpoint& checkpoint, const Qwen25VlConfig& config, const ModelOptions& options)
      : checkpoint_(checkpoint),
        config_(config),
        options_(options),
        vision_(CheckpointWeights(checkpoint), config.vision, options.vision_math),
        language_(CheckpointWeights(checkpoint), config, options) {}

  std::int64_t num_blocks(Tower tower) const override {
    return tower == Tower::vision ? config_.vision.depth : config_.text.num_hidden_layers;
  }

  std::unique_ptr<ModelBlock> load_block(Tower tower, std::int64_t index) const override {
    if (index < 0 || index >= num_blocks(tower)) {
      throw Error(ErrorCode::invalid_argument, std::string(tower == Tower::vision ? "visual.blocks" : "model.layers") +
                                                   ": no block " + std::to_string(index) + ", there are " +
                                                   std::to_string(num_blocks(tower)));
    }
    const CheckpointWeights weights(checkpoint_);
    if (tower == Tower::vision)
      return std::make_unique<VisionBlock>(weights, config_.vision, index, options_.vision_math);
    return std::make_unique<DecoderLayer>(weights, config_.text, index, options_.language_math);
  }

  BlockState begin_vision(const ModelInput& input) const override {
    check_qwen2_5_vl_input(config_, input);
    FirstNotFinite finite;
    const ObserverScope scope(&finite);
    return vision_.begin(input);
  }

  Tensor finish_vision(const BlockState& state) const override {
    if (!state.hidden.defined()) return {};
    FirstNotFinite finite;
    const ObserverScope scope(&finite);
    return vision_.finish(state.hidden, *static_cast<const VisionContext*>(state.context.get()));
  }

  BlockState begin_language(const ModelInput& input, const Tensor& vision) const override {
    check_qwen2_5_vl_input(config_, input);
    SequenceState positions = language_.new_state();
    const std::vector<Grid> grids = grids_of(input);
    SequenceCall sequence;
    sequence.state = &positions;
    sequence.ids = ids_over(input.ids);
    sequence.grids = grids;
    sequence.vision = vision;
    FirstNotFinite finite;
    const ObserverScope scope(&finite);
    BlockState state;
    state.hidden = language_.embed({&sequence, 1});
    state.context = std::make_shared<LanguageContext>(language_.context({&sequence, 1}));
    return state;
  }

  std::vector<LinearInfo> other_linears() const override {
    std::vector<LinearInfo> infos = vision_.linears();
    infos.push_back(language_.lm_head_info());
    return infos;
  }

 private:
  Checkpoint checkpoint_;
  Qwen25VlConfig config_;
  ModelOptions options_;
  VisionEnds vision_;
  LanguageEnds language_;
};

}  // namespace

std::unique_ptr<BlockwiseModel> open_qwen2_5_vl_blockwise(const Checkpoint& checkpoint, const ModelOptions& options) {
  ModelOptions of_blocks = options;
  of_blocks.lm_head = HeadWeights::as_stored;
  return std::make_unique<Qwen25VlBlockwise>(checkpoint, qwen2_5_vl_config(checkpoint), of_blocks);
}

}  // namespace octavo::model
