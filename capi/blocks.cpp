// A model block by block, for calibration loops.
#include <memory>
#include <octavo/blockwise.hpp>
#include <octavo/cancel.hpp>
#include <octavo/error.hpp>
#include <string>
#include <utility>
#include <vector>

#include "guard.hpp"
#include "handles.hpp"

struct octavo_blocks {
  std::unique_ptr<octavo::BlockwiseModel> value;
};
struct octavo_block {
  std::unique_ptr<octavo::ModelBlock> value;
  std::vector<octavo::LinearInfo> linears;
};
struct octavo_block_state {
  octavo::BlockState value;
};

using namespace octavo::capi;  // NOLINT(google-build-using-namespace): this file is the namespace's C face

namespace {

octavo::Tower tower_of(int32_t tower) {
  if (tower != OCTAVO_TOWER_VISION && tower != OCTAVO_TOWER_LANGUAGE)
    throw octavo::Error(octavo::ErrorCode::invalid_argument,
                        "tower is " + std::to_string(tower) + ", known are 0 (vision) and 1 (language)");
  return tower == OCTAVO_TOWER_VISION ? octavo::Tower::vision : octavo::Tower::language;
}

/// A linear of the block. @throws Error  not_found.
const octavo::LinearInfo& linear_of(const octavo_block& block, const char* module_path) {
  for (const octavo::LinearInfo& linear : block.linears)
    if (linear.module_path == module_path) return linear;
  throw octavo::Error(octavo::ErrorCode::not_found, block.value->module_path() + " has no linear \"" + module_path +
                                                        "\"; octavo_block_linear lists them");
}

class InputTeller : public octavo::LinearObserver {
 public:
  InputTeller(octavo_block_input_fn tell, void* user_data) : on_input_(tell), user_data_(user_data) {}
  void on_input(const octavo::LinearInfo& linear, const octavo::Tensor& x) override {
    const octavo_tensor lent{x};
    if (on_input_(linear.module_path.c_str(), linear.input_group.c_str(), &lent, user_data_) != 0)
      throw octavo::Error(octavo::ErrorCode::cancelled, "octavo_block_forward: on_input ended the run");
  }

 private:
  octavo_block_input_fn on_input_;
  void* user_data_;
};

}  // namespace

extern "C" {

octavo_status octavo_blocks_create(const octavo_model* model, octavo_blocks** out) {
  return guarded([&] {
    require(model, "model");
    require(out, "out");
    *out = new octavo_blocks{octavo::BlockwiseModel::open(model->value.checkpoint(), model->value.options())};
  });
}

octavo_status octavo_blocks_count(const octavo_blocks* blocks, int32_t tower, int64_t* out) {
  return guarded([&] {
    require(blocks, "blocks");
    require(out, "out");
    *out = blocks->value->num_blocks(tower_of(tower));
  });
}

octavo_status octavo_blocks_begin_vision(const octavo_blocks* blocks, const octavo_prompt* prompt,
                                         octavo_block_state** out) {
  return guarded([&] {
    require(blocks, "blocks");
    require(prompt, "prompt");
    require(out, "out");
    octavo::BlockState state = blocks->value->begin_vision(prompt->value);
    if (!state.hidden.defined()) throw octavo::Error(octavo::ErrorCode::invalid_argument, "the prompt has no picture");
    *out = new octavo_block_state{std::move(state)};
  });
}

octavo_status octavo_blocks_finish_vision(const octavo_blocks* blocks, const octavo_block_state* state,
                                          octavo_tensor** out) {
  return guarded([&] {
    require(blocks, "blocks");
    require(state, "state");
    require(out, "out");
    *out = new octavo_tensor{blocks->value->finish_vision(state->value)};
  });
}

octavo_status octavo_blocks_begin_language(const octavo_blocks* blocks, const octavo_prompt* prompt,
                                           const octavo_tensor* vision, octavo_block_state** out) {
  return guarded([&] {
    require(blocks, "blocks");
    require(prompt, "prompt");
    require(out, "out");
    const octavo::Tensor rows = vision == nullptr ? octavo::Tensor() : vision->value;
    *out = new octavo_block_state{blocks->value->begin_language(prompt->value, rows)};
  });
}

void octavo_blocks_release(octavo_blocks* blocks) { delete blocks; }

octavo_status octavo_block_state_clone(const octavo_block_state* state, octavo_block_state** out) {
  return guarded([&] {
    require(state, "state");
    require(out, "out");
    *out = new octavo_block_state{{state->value.hidden.clone(), state->value.context}};
  });
}

octavo_status octavo_block_state_hidden(const octavo_block_state* state, octavo_tensor** out) {
  return guarded([&] {
    require(state, "state");
    require(out, "out");
    *out = new octavo_tensor{state->value.hidden.clone()};
  });
}

void octavo_block_state_release(octavo_block_state* state) { delete state; }

octavo_status octavo_block_load(const octavo_blocks* blocks, int32_t tower, int64_t index, octavo_block** out) {
  return guarded([&] {
    require(blocks, "blocks");
    require(out, "out");
    std::unique_ptr<octavo::ModelBlock> block = blocks->value->load_block(tower_of(tower), index);
    std::vector<octavo::LinearInfo> linears = block->linears();
    *out = new octavo_block{std::move(block), std::move(linears)};
  });
}

octavo_status octavo_block_linear_count(const octavo_block* block, size_t* out) {
  return guarded([&] {
    require(block, "block");
    require(out, "out");
    *out = block->linears.size();
  });
}

octavo_status octavo_block_linear(const octavo_block* block, size_t index, octavo_linear_info* out) {
  return guarded([&] {
    require(block, "block");
    require_result(out, "out");
    if (index >= block->linears.size())
      throw octavo::Error(octavo::ErrorCode::invalid_argument, "index is " + std::to_string(index) + ", " +
                                                                   block->value->module_path() + " has " +
                                                                   std::to_string(block->linears.size()) + " linears");
    const octavo::LinearInfo& linear = block->linears[index];
    octavo_linear_info result = OCTAVO_LINEAR_INFO_INIT;
    result.module_path = linear.module_path.c_str();
    result.input_group = linear.input_group.c_str();
    result.in_features = linear.in_features;
    result.out_features = linear.out_features;
    result.has_bias = linear.has_bias ? 1 : 0;
    write_result(out, result);
  });
}

octavo_status octavo_block_weight(const octavo_block* block, const char* module_path, octavo_tensor** out) {
  return guarded([&] {
    require(block, "block");
    require(module_path, "module_path");
    require(out, "out");
    octavo::Tensor weight = block->value->weight(linear_of(*block, module_path).module_path);
    if (!weight.defined())
      throw octavo::Error(octavo::ErrorCode::invalid_argument,
                          std::string(module_path) + " was replaced: its stored weight is let go");
    *out = new octavo_tensor{std::move(weight)};
  });
}

octavo_status octavo_block_bias(const octavo_block* block, const char* module_path, octavo_tensor** out) {
  return guarded([&] {
    require(block, "block");
    require(module_path, "module_path");
    require(out, "out");
    octavo::Tensor bias = block->value->bias(linear_of(*block, module_path).module_path);
    *out = bias.defined() ? new octavo_tensor{std::move(bias)} : nullptr;
  });
}

octavo_status octavo_block_forward(const octavo_block* block, octavo_block_state* state, octavo_block_input_fn on_input,
                                   void* user_data) {
  return guarded([&] {
    require(block, "block");
    require(state, "state");
    octavo::check_cancelled();  // the state is as before
    InputTeller teller(on_input, user_data);
    block->value->forward(state->value, on_input == nullptr ? nullptr : &teller);
  });
}

octavo_status octavo_block_replace(octavo_block* block, const char* module_path, const octavo_linear* linear) {
  return guarded([&] {
    require(block, "block");
    require(module_path, "module_path");
    require(linear, "linear");
    block->value->replace(linear_of(*block, module_path).module_path, linear->value);
  });
}

void octavo_block_release(octavo_block* block) { delete block; }

}  // extern "C"
