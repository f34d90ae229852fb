#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <new>
#include <string>

#include "generation.hpp"
#include "guard.hpp"

namespace octavo::capi {
namespace {

constexpr std::size_t kFirstSize = offsetof(octavo_generate_result, pictures);  // in bytes, of 0.1

/// Where things lie in a result's block, in bytes from its beginning, which is the text's.
struct Layout {
  std::size_t log_probs, top, tokens, size;
};
Layout layout_of(const GenerateResult& generated) {
  const std::size_t tokens = generated.tokens.size();
  const std::size_t columns = generated.log_probs.empty() ? 0 : generated.log_probs.front().best.size();
  constexpr std::size_t kAligned = alignof(octavo_token_log_prob);
  static_assert(kAligned >= alignof(double));
  Layout layout{};
  layout.log_probs = (generated.text.size() + kAligned) / kAligned * kAligned;  // behind its final 0
  layout.top = layout.log_probs + generated.log_probs.size() * sizeof(double);
  layout.tokens = layout.top + generated.log_probs.size() * columns * sizeof(octavo_token_log_prob);
  layout.size = layout.tokens + tokens * sizeof(std::int32_t);
  return layout;
}

void write_pictures(const octavo_generate_result& result, const GenerateResult& generated) {
  if (result.pictures == nullptr) return;
  for (std::size_t i = 0; i < std::min(result.picture_capacity, generated.pictures.size()); ++i) {
    const PictureSize& size = generated.pictures[i];
    result.pictures[i] = {size.seen.width, size.seen.height, size.original.width, size.original.height};
  }
}

}  // namespace

ResultMemory result_memory(const GenerateResult& generated) {
  const Layout layout = layout_of(generated);
  ResultMemory memory(static_cast<char*>(std::malloc(layout.size)), &octavo_string_release);
  if (memory == nullptr) throw std::bad_alloc();
  std::memcpy(memory.get(), generated.text.c_str(), generated.text.size() + 1);
  char* log_prob = memory.get() + layout.log_probs;
  char* top = memory.get() + layout.top;
  for (const TokenLogProbs& token : generated.log_probs) {
    std::memcpy(log_prob, &token.log_prob, sizeof(double));
    log_prob += sizeof(double);
    for (const TokenLogProb& one : token.best) {
      const octavo_token_log_prob written{one.id, 0, one.log_prob};
      std::memcpy(top, &written, sizeof(written));
      top += sizeof(written);
    }
  }
  if (!generated.tokens.empty())
    std::memcpy(memory.get() + layout.tokens, generated.tokens.data(), generated.tokens.size() * sizeof(std::int32_t));
  return memory;
}

void hand_over(octavo_generate_result* out, const GenerateResult& generated, ResultMemory memory) {
  octavo_generate_result result = OCTAVO_GENERATE_RESULT_INIT;
  std::memcpy(&result, out, std::min(out->struct_size, sizeof(result)));  // what the caller has set stays
  write_pictures(result, generated);
  result.picture_count = generated.pictures.size();
  result.prompt_tokens = generated.prompt_tokens;
  result.reused_tokens = generated.reused_tokens;
  result.drafted_tokens = generated.drafted_tokens;
  result.accepted_tokens = generated.accepted_tokens;
  result.new_tokens = static_cast<int64_t>(generated.tokens.size());
  result.finish_reason = static_cast<int32_t>(generated.finish_reason);
  result.prefill_seconds = generated.vision_seconds + generated.prefill_seconds;
  result.decode_seconds = generated.decode_seconds;
  const Layout layout = layout_of(generated);
  result.text_size = generated.text.size();
  const bool has_log_probs = !generated.log_probs.empty();
  result.top_count = has_log_probs ? generated.log_probs.front().best.size() : 0;
  result.text = memory.release();
  result.tokens = reinterpret_cast<const std::int32_t*>(result.text + layout.tokens);
  result.log_probs = has_log_probs ? reinterpret_cast<const double*>(result.text + layout.log_probs) : nullptr;
  result.top_log_probs =
      result.top_count > 0 ? reinterpret_cast<const octavo_token_log_prob*>(result.text + layout.top) : nullptr;
  write_result(out, result);
}

void require_generate_result(const octavo_generate_result* out) { require_result(out, "out_result", kFirstSize); }

std::vector<octavo_generate_result*> results_of(octavo_generate_result* out, std::size_t count) {
  require_result(out, "out_results", kFirstSize);
  const std::size_t size = out->struct_size;
  if (size > std::size_t{1} << 16)
    throw Error(ErrorCode::invalid_argument,
                "out_results.struct_size is " + std::to_string(size) + ", which no version has");
  std::vector<octavo_generate_result*> results;
  for (std::size_t i = 0; i < count; ++i) {
    results.push_back(reinterpret_cast<octavo_generate_result*>(reinterpret_cast<unsigned char*>(out) + i * size));
    if (results.back()->struct_size != size)
      throw Error(ErrorCode::invalid_argument, "out_results[" + std::to_string(i) + "].struct_size is " +
                                                   std::to_string(results.back()->struct_size) +
                                                   ", that of the first is " + std::to_string(size) +
                                                   ": initialise each struct with its _INIT macro");
  }
  return results;
}

}  // namespace octavo::capi

extern "C" {

void octavo_generate_result_release(octavo_generate_result* result) {
  if (result == nullptr || result->struct_size < octavo::capi::kFirstSize) return;
  octavo_string_release(result->text);
  result->text = nullptr;
  if (result->struct_size < sizeof(octavo_generate_result)) return;
  result->text_size = 0;
  result->tokens = nullptr;
  result->log_probs = nullptr;
  result->top_log_probs = nullptr;
  result->top_count = 0;
}

}  // extern "C"
