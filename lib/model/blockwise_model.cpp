// The model as quantization walks it: the two ends resident (mapped), one block at a time.
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "finite.hpp"
#include "runtime_model.hpp"
#include "weight_source.hpp"

namespace octavo {
namespace model {
namespace {

class ArchitectureBlocks final : public BlockwiseModel {
 public:
  ArchitectureBlocks(const Checkpoint& checkpoint, FoundArchitecture found, const ModelOptions& options)
      : checkpoint_(checkpoint),
        found_(std::move(found)),
        layout_(layout_of(*found_.architecture)),
        options_(options),
        weights_(checkpoint_),
        embedding_(tower() != nullptr ? tower()->embedding(weights_, options.vision_math) : nullptr),
        merger_(tower() != nullptr ? tower()->merger(weights_, options.vision_math) : nullptr),
        tokens_(weights_, *found_.architecture, layout_.image_token_id),
        head_(weights_, *found_.architecture, tokens_.table(), found_.is_tied, options) {}

  std::int64_t num_blocks(Tower which) const override {
    if (which == Tower::language) return text().num_hidden_layers;
    return tower() != nullptr ? tower()->num_blocks() : 0;
  }

  std::unique_ptr<ModelBlock> load_block(Tower which, std::int64_t index) const override {
    if (index < 0 || index >= num_blocks(which)) {
      throw Error(ErrorCode::invalid_argument, std::string(which == Tower::vision ? "visual.blocks" : "model.layers") +
                                                   ": no block " + std::to_string(index) + ", there are " +
                                                   std::to_string(num_blocks(which)));
    }
    CheckpointWeights weights(checkpoint_);
    if (which == Tower::vision) return tower()->block(weights, index, options_.vision_math);
    return found_.architecture->layer(weights, index, options_.language_math);
  }

  BlockState begin_vision(const ModelInput& input) const override {
    check_input(text(), layout_, found_.model_type, input);
    if (input.images.empty()) return {};
    FirstNotFinite finite;
    const ObserverScope scope(&finite);
    return embedding_->begin(input);
  }

  Tensor finish_vision(const BlockState& state) const override {
    if (!state.hidden.defined()) return {};
    if (!merger_) refuse_pictures(found_.model_type);
    FirstNotFinite finite;
    const ObserverScope scope(&finite);
    return merger_->finish(state);
  }

  BlockState begin_language(const ModelInput& input, const Tensor& vision) const override {
    check_input(text(), layout_, found_.model_type, input);
    SequenceState positions = new_state(layout_);
    const std::vector<Grid> grids = grids_of(input);
    SequenceCall sequence;
    sequence.state = &positions;
    sequence.ids = ids_over(input.ids);
    sequence.grids = grids;
    sequence.vision = vision;
    FirstNotFinite finite;
    const ObserverScope scope(&finite);
    BlockState state;
    state.hidden = tokens_.embed({&sequence, 1});
    state.context = std::make_shared<LanguageContext>(context_of(*found_.architecture, layout_, {&sequence, 1}));
    return state;
  }

  std::vector<LinearInfo> other_linears() const override {
    std::vector<LinearInfo> infos = merger_ ? merger_->linears() : std::vector<LinearInfo>();
    infos.push_back(head_.info());
    return infos;
  }

 private:
  const TextConfig& text() const { return found_.architecture->text(); }
  const VisionTower* tower() const { return found_.architecture->vision(); }

  Checkpoint checkpoint_;
  FoundArchitecture found_;
  ImageLayout layout_;
  ModelOptions options_;
  CheckpointWeights weights_;
  std::unique_ptr<PatchEmbedding> embedding_;  // and the merger: null without a tower
  std::unique_ptr<PatchMerger> merger_;
  TokenEmbedding tokens_;
  LanguageHead head_;
};

}  // namespace
}  // namespace model

std::unique_ptr<BlockwiseModel> BlockwiseModel::open(const Checkpoint& checkpoint, const ModelOptions& options) {
  model::FoundArchitecture found = model::find_architecture(checkpoint);
  model::require_structure(checkpoint);
  ModelOptions of_blocks = options;
  of_blocks.lm_head = HeadWeights::as_stored;
  return std::make_unique<model::ArchitectureBlocks>(checkpoint, std::move(found), of_blocks);
}

}  // namespace octavo
