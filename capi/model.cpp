// What a model says of itself, and its logits; what its calls may share.
#include <memory>
#include <string>
#include <vector>

#include "guard.hpp"
#include "handles.hpp"
#include "image.hpp"
#include "options.hpp"

using namespace octavo::capi;  // NOLINT(google-build-using-namespace): this file is the namespace's C face

extern "C" {

octavo_status octavo_prefix_cache_create(size_t kv_bytes, size_t image_bytes, octavo_prefix_cache** out) {
  return guarded([&] {
    require(out, "out");
    octavo::PrefixCache::Limits limits;
    if (kv_bytes != 0) limits.kv_bytes = kv_bytes;
    if (image_bytes != 0) limits.image_bytes = image_bytes;
    *out = new octavo_prefix_cache{std::make_shared<octavo::PrefixCache>(limits)};
  });
}

void octavo_prefix_cache_release(octavo_prefix_cache* cache) { delete cache; }

octavo_status octavo_model_notes(const octavo_model* model, char** out_notes) {
  return guarded([&] {
    require(model, "model");
    require(out_notes, "out_notes");
    std::string text;
    for (const std::string& note : model->value.notes()) text += (text.empty() ? "" : "\n") + note;
    *out_notes = new_string(text);
  });
}

octavo_status octavo_model_logits(const octavo_model* model, const char* prompt, const char* const* image_paths,
                                  size_t image_count, octavo_tensor** out) {
  return guarded([&] {
    require(model, "model");
    require(prompt, "prompt");
    require(out, "out");
    const std::vector<octavo::Image> images = load_images(image_paths, image_count, {});
    *out = new octavo_tensor{model->value.forward(model->value.prepare(prompt, images))};
  });
}

}  // extern "C"
