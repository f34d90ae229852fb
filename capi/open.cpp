// A model opened: from a directory, from memory, from descriptors; watched meanwhile.
#include <octavo/files.hpp>
#include <span>
#include <string>
#include <vector>

#include "guard.hpp"
#include "handles.hpp"
#include "options.hpp"

using namespace octavo::capi;  // NOLINT(google-build-using-namespace): this file is the namespace's C face

namespace {

octavo_model* opened(const octavo::FileSource& files, const octavo_model_options* options) {
  octavo::OpenWatch watch;
  const octavo::ModelOptions how = model_options(options, &watch);
  return new octavo_model{octavo::Model::open(files, how, watch)};
}

}  // namespace

extern "C" {

octavo_status octavo_model_open(const char* model_dir, octavo_model** out_model) {
  return octavo_model_open_with(model_dir, nullptr, out_model);
}

octavo_status octavo_model_open_with(const char* model_dir, const octavo_model_options* options,
                                     octavo_model** out_model) {
  return guarded([&] {
    require(model_dir, "model_dir");
    require(out_model, "out_model");
    *out_model = opened(model_dir, options);
  });
}

octavo_status octavo_model_open_memory(const char* label, const octavo_memory_file* files, size_t count,
                                       const octavo_model_options* options, octavo_model** out_model) {
  return guarded([&] {
    require(label, "label");
    require(out_model, "out_model");
    if (count > 0) require(files, "files");
    std::vector<octavo::FileSource::MemoryFile> list;
    for (const octavo_memory_file& file : std::span(files, count)) {
      require(file.name, "a name in files");
      if (file.size > 0) require(file.data, file.name);
      list.push_back({file.name, {static_cast<const std::byte*>(file.data), file.size}});
    }
    *out_model = opened(octavo::FileSource::in_memory(label, list), options);
  });
}

octavo_status octavo_model_open_descriptors(const char* label, const octavo_descriptor_file* files, size_t count,
                                            const octavo_model_options* options, octavo_model** out_model) {
  return guarded([&] {
    require(label, "label");
    require(out_model, "out_model");
    if (count > 0) require(files, "files");
    std::vector<octavo::FileSource::OpenFile> list;
    for (const octavo_descriptor_file& file : std::span(files, count)) {
      require(file.name, "a name in files");
      require_zero(file.reserved0);
      list.push_back({file.name, file.descriptor});
    }
    *out_model = opened(octavo::FileSource::descriptors(label, list), options);
  });
}

void octavo_model_release(octavo_model* model) { delete model; }

}  // extern "C"
