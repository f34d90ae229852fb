// A quantized model directory as it is written.
#include <octavo/quantized_writer.hpp>
#include <string>

#include "guard.hpp"
#include "handles.hpp"
#include "options.hpp"

struct octavo_writer {
  octavo::QuantizedWriter value;
};

using namespace octavo::capi;  // NOLINT(google-build-using-namespace): this file is the namespace's C face

extern "C" {

octavo_status octavo_writer_create(const char* model_dir, const char* out_dir, const octavo_writer_options* options,
                                   octavo_writer** out) {
  return guarded([&] {
    require(model_dir, "model_dir");
    require(out_dir, "out_dir");
    require(out, "out");
    const octavo_writer_options given = read_options(options, "options");
    require_zero(given.reserved0);
    octavo::QuantizedWriterOptions how;
    how.overwrite = given.overwrite != 0;
    if (given.max_shard_bytes != 0) how.max_shard_bytes = given.max_shard_bytes;
    *out = new octavo_writer{octavo::QuantizedWriter(model_dir, out_dir, how)};
  });
}

octavo_status octavo_writer_add(octavo_writer* writer, const char* module_path, int32_t scheme,
                                const octavo_tensor* weight, const octavo_tensor* scales) {
  return guarded([&] {
    require(writer, "writer");
    require(module_path, "module_path");
    if (scheme != OCTAVO_SCHEME_W8A8 && scheme != OCTAVO_SCHEME_W8A16)
      throw octavo::Error(octavo::ErrorCode::invalid_argument,
                          "scheme is " + std::to_string(scheme) + ", known are 1 (w8a8) and 2 (w8a16)");
    writer->value.add(module_path, scheme == OCTAVO_SCHEME_W8A8 ? octavo::Scheme::w8a8 : octavo::Scheme::w8a16,
                      tensor_of(weight, "weight"), tensor_of(scales, "scales"));
  });
}

octavo_status octavo_writer_finish(octavo_writer* writer) {
  return guarded([&] {
    require(writer, "writer");
    writer->value.finish();
  });
}

void octavo_writer_release(octavo_writer* writer) { delete writer; }

}  // extern "C"
