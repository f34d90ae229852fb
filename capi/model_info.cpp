// What a model is: numbers, and JSON.
#include <octavo/model_info.hpp>

#include "guard.hpp"
#include "handles.hpp"

using namespace octavo::capi;  // NOLINT(google-build-using-namespace): this file is the namespace's C face

extern "C" {

octavo_status octavo_model_get_info(const octavo_model* model, octavo_model_info* out) {
  return guarded([&] {
    require(model, "model");
    require_result(out, "out");
    const octavo::ModelInfo info = octavo::model_info(model->value);
    octavo_model_info result = OCTAVO_MODEL_INFO_INIT;
    result.vocab_size = info.vocab_size;
    result.hidden_size = info.hidden_size;
    result.num_layers = info.num_layers;
    result.num_heads = info.num_heads;
    result.num_kv_heads = info.num_kv_heads;
    result.head_dim = info.head_dim;
    result.max_position_embeddings = info.max_position_embeddings;
    result.vision_num_blocks = info.vision_num_blocks;
    result.vision_hidden_size = info.vision_hidden_size;
    result.patch_size = info.patch_size;
    result.merge_size = info.merge_size;
    result.num_parameters = info.num_parameters;
    result.stored_bytes = info.stored_bytes;
    result.resident_bytes = info.resident_bytes;
    result.num_w8a8 = info.num_w8a8;
    result.num_w8a16 = info.num_w8a16;
    result.num_float = info.num_float;
    result.image_token_id = info.image_token_id;
    result.is_quantized = info.is_quantized ? 1 : 0;
    write_result(out, result);
  });
}

octavo_status octavo_model_describe(const octavo_model* model, char** out_json) {
  return guarded([&] {
    require(model, "model");
    require(out_json, "out_json");
    *out_json = new_string(octavo::describe(model->value).dump());
  });
}

octavo_status octavo_model_config(const octavo_model* model, char** out_json) {
  return guarded([&] {
    require(model, "model");
    require(out_json, "out_json");
    *out_json = new_string(model->value.checkpoint().config().dump());
  });
}

}  // extern "C"
