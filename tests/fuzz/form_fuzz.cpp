// Forms made from text, by the constructor that OCTAVO_FUZZ_FORM names. What is not refused must never lead a
// generation into a dead end: a walk that takes one allowed token after another, as the input's bytes choose, always
// has a next one until the text is complete, and a complete text has the form.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "octavo/output_form.hpp"

namespace {

constexpr std::int32_t kEnd = 256;

octavo::FormVocabulary every_byte() {
  std::vector<std::string> tokens;
  for (int byte = 0; byte < 256; ++byte) tokens.emplace_back(1, static_cast<char>(byte));
  return octavo::FormVocabulary(tokens);
}

void walk(const octavo::OutputForm& form, const std::uint8_t* choices, std::size_t size) {
  static const octavo::FormVocabulary vocabulary = every_byte();
  octavo::FormState state(form, vocabulary, {kEnd});
  std::string text;
  for (std::size_t step = 0; step < std::min<std::size_t>(size, 48); ++step) {
    std::vector<float> logits(kEnd + 1, 0.0F);
    state.mask(logits);
    std::vector<std::int32_t> allowed;
    for (std::int32_t id = 0; id < kEnd; ++id)
      if (!std::isinf(logits[static_cast<std::size_t>(id)])) allowed.push_back(id);
    const bool may_end = !std::isinf(logits[kEnd]);
    if (may_end != state.complete() || may_end != form.matches(text)) std::abort();
    if (allowed.empty()) {
      if (!may_end || !state.exhausted()) std::abort();
      return;
    }
    const std::int32_t id = allowed[choices[size - 1 - step] % allowed.size()];
    state.take(id);
    text.push_back(static_cast<char>(id));
    if (!form.begins(text)) std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(data, data + size);
  try {
    const octavo::OutputForm form = octavo::OutputForm::OCTAVO_FUZZ_FORM(text);
    walk(form, data, size);
  } catch (const octavo::Error&) {
    return 0;  // refused
  }
  return 0;
}
