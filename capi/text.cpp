// Text to tokens, and back.
#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>
#include <string>
#include <utility>
#include <vector>

#include "guard.hpp"
#include "handles.hpp"

using namespace octavo::capi;  // NOLINT(google-build-using-namespace): this file is the namespace's C face

struct octavo_text_stream {
  octavo::StreamDecoder decoder;
  std::string told{};  // what the caller borrows
};

namespace {

const octavo::Tokenizer& tokenizer_of(const octavo_model* model) {
  require(model, "model");
  return model->value.tokenizer();
}

}  // namespace

extern "C" {

octavo_status octavo_model_vocab_size(const octavo_model* model, int64_t* out) {
  return guarded([&] {
    require(model, "model");
    require(out, "out");
    *out = model->value.vocab_size();
  });
}

octavo_status octavo_tokenize(const octavo_model* model, const char* text, int32_t control_tokens_as_text, int32_t* ids,
                              size_t capacity, size_t* out_count) {
  return guarded([&] {
    const octavo::Tokenizer& tokenizer = tokenizer_of(model);
    require(text, "text");
    require(out_count, "out_count");
    if (capacity > 0) require(ids, "ids");
    std::vector<octavo::TextRange> literal;
    if (control_tokens_as_text != 0) literal.push_back({0, std::strlen(text)});
    const std::vector<std::int32_t> found = tokenizer.encode(text, literal);
    std::copy_n(found.begin(), std::min(capacity, found.size()), ids);
    *out_count = found.size();
  });
}

octavo_status octavo_detokenize(const octavo_model* model, const int32_t* ids, size_t count, int32_t skip_special,
                                char** out_text, size_t* out_size) {
  return guarded([&] {
    const octavo::Tokenizer& tokenizer = tokenizer_of(model);
    if (count > 0) require(ids, "ids");
    require(out_text, "out_text");
    const std::string text = tokenizer.decode({ids, count}, skip_special != 0);
    *out_text = new_string(text);
    if (out_size != nullptr) *out_size = text.size();
  });
}

octavo_status octavo_token_id(const octavo_model* model, const char* token, int32_t* out_id) {
  return guarded([&] {
    const octavo::Tokenizer& tokenizer = tokenizer_of(model);
    require(token, "token");
    require(out_id, "out_id");
    const auto id = tokenizer.token_to_id(token);
    if (!id)
      throw octavo::Error(octavo::ErrorCode::not_found,
                          std::string("\"") + token + "\" is no token of the model's vocabulary");
    *out_id = *id;
  });
}

octavo_status octavo_token_bytes(const octavo_model* model, int32_t id, char** out_bytes, size_t* out_size) {
  return guarded([&] {
    const octavo::Tokenizer& tokenizer = tokenizer_of(model);
    require(out_bytes, "out_bytes");
    require(out_size, "out_size");
    const std::string bytes = tokenizer.token_bytes(id);
    if (bytes.empty())
      throw octavo::Error(octavo::ErrorCode::not_found,
                          "id " + std::to_string(id) + " stands for no token of the model's vocabulary");
    *out_bytes = new_string(bytes);
    *out_size = bytes.size();
  });
}

octavo_status octavo_token_is_special(const octavo_model* model, int32_t id, int32_t* out) {
  return guarded([&] {
    const octavo::Tokenizer& tokenizer = tokenizer_of(model);
    require(out, "out");
    *out = tokenizer.is_special(id) ? 1 : 0;
  });
}

octavo_status octavo_text_stream_create(const octavo_model* model, int32_t skip_special, octavo_text_stream** out) {
  return guarded([&] {
    const octavo::Tokenizer& tokenizer = tokenizer_of(model);
    require(out, "out");
    *out = new octavo_text_stream{octavo::StreamDecoder(tokenizer, skip_special != 0)};
  });
}

octavo_status octavo_text_stream_push(octavo_text_stream* stream, int32_t id, const char** out_text) {
  return guarded([&] {
    require(stream, "stream");
    require(out_text, "out_text");
    stream->told = stream->decoder.push(id);
    *out_text = stream->told.c_str();
  });
}

octavo_status octavo_text_stream_finish(octavo_text_stream* stream, const char** out_text) {
  return guarded([&] {
    require(stream, "stream");
    require(out_text, "out_text");
    stream->told = stream->decoder.finish();
    *out_text = stream->told.c_str();
  });
}

void octavo_text_stream_release(octavo_text_stream* stream) { delete stream; }

}  // extern "C"
