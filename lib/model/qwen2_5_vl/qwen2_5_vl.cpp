// Qwen2.5-VL as the registry has it.
#include "qwen2_5_vl.hpp"

#include <utility>

namespace octavo::model {
namespace {

class Qwen25VlTower final : public VisionTower {
 public:
  explicit Qwen25VlTower(const Qwen25VlConfig& config) : config_(config) {}

  ImageLayout layout() const noexcept override {
    const VisionConfig& vision = config_.vision;
    ImageLayout layout;
    layout.image_token_id = static_cast<std::int32_t>(config_.image_token_id);
    layout.video_token_id = static_cast<std::int32_t>(config_.video_token_id);
    layout.hidden_size = vision.hidden_size;
    layout.patch_size = vision.patch_size;
    layout.merge_size = vision.spatial_merge_size;
    layout.patch_elements = vision.patch_elements();
    layout.row_width = vision.out_hidden_size;
    layout.delimiters = 2;
    layout.tokens_per_second = vision.tokens_per_second;
    return layout;
  }
  std::int64_t num_blocks() const noexcept override { return config_.vision.depth; }
  std::unique_ptr<PatchEmbedding> embedding(WeightSource& weights, FloatMath math) const override {
    return std::make_unique<WindowedPatches>(weights, config_.vision, math);
  }
  std::unique_ptr<VisionLayer> block(WeightSource& weights, std::int64_t index, FloatMath math) const override {
    return std::make_unique<VisionBlock>(weights, config_.vision, index, math);
  }
  std::unique_ptr<PatchMerger> merger(WeightSource& weights, FloatMath math) const override {
    return std::make_unique<GroupMerger>(weights, config_.vision, math);
  }

 private:
  const Qwen25VlConfig& config_;
};

class Qwen25Vl final : public Architecture {
 public:
  explicit Qwen25Vl(const Qwen25VlConfig& config) : config_(config), tower_(config_) {}
  Qwen25Vl(const Qwen25Vl&) = delete;  // the tower refers to the config
  const TextConfig& text() const noexcept override { return config_.text; }
  const VisionTower* vision() const noexcept override { return &tower_; }
  std::unique_ptr<LanguageLayer> layer(WeightSource& weights, std::int64_t index, FloatMath math) const override {
    return std::make_unique<DecoderLayer>(weights, config_.text, index, math);
  }
  std::vector<ParallelDim> tensor_parallel_dims(const Checkpoint& checkpoint, std::int64_t ranks) const override {
    return qwen2_5_vl_parallel_dims(checkpoint, config_, ranks);
  }

 private:
  Qwen25VlConfig config_;
  Qwen25VlTower tower_;
};

}  // namespace

std::shared_ptr<const Architecture> make_qwen2_5_vl(const Qwen25VlConfig& config) {
  return std::make_shared<Qwen25Vl>(config);
}

ArchitectureEntry qwen2_5_vl_entry() {
  return {.read = [](const Json& config) { return make_qwen2_5_vl(Qwen25VlConfig::parse(config)); },
          .config_problems = &qwen2_5_vl_config_problems,
          .known_tensors = &known_qwen2_5_vl_tensors};
}

}  // namespace octavo::model
