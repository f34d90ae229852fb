// Forms of answers, and the state of one answer for hosts that choose tokens themselves.
#include <span>
#include <string>
#include <vector>

#include "guard.hpp"
#include "handles.hpp"
#include "options.hpp"

using namespace octavo::capi;  // NOLINT(google-build-using-namespace): this file is the namespace's C face

namespace {

octavo::FormOptions form_options(const octavo_form_options* given) {
  const octavo_form_options read = read_options(given, "options");
  if (read.spacing != OCTAVO_FORM_ONE_SPACE && read.spacing != OCTAVO_FORM_LINES)
    throw octavo::Error(octavo::ErrorCode::invalid_argument, "options.spacing is " + std::to_string(read.spacing) +
                                                                 ", known are 0 (one space) and 1 (lines)");
  octavo::FormOptions options;
  if (read.spacing == OCTAVO_FORM_LINES) options.spacing = octavo::FormSpacing::lines;
  options.fence = read.fence != 0;
  return options;
}

}  // namespace

extern "C" {

octavo_status octavo_output_form_json_schema(const char* schema, const octavo_form_options* options,
                                             octavo_output_form** out) {
  return guarded([&] {
    require(schema, "schema");
    require(out, "out");
    *out = new octavo_output_form{octavo::OutputForm::json_schema(schema, form_options(options))};
  });
}

octavo_status octavo_output_form_example(const char* text, const octavo_form_options* options,
                                         octavo_output_form** out) {
  return guarded([&] {
    require(text, "text");
    require(out, "out");
    *out = new octavo_output_form{octavo::OutputForm::example(text, form_options(options))};
  });
}

octavo_status octavo_output_form_pattern(const char* expression, octavo_output_form** out) {
  return guarded([&] {
    require(expression, "expression");
    require(out, "out");
    *out = new octavo_output_form{octavo::OutputForm::pattern(expression)};
  });
}

octavo_status octavo_output_form_choices(const char* const* texts, size_t count, octavo_output_form** out) {
  return guarded([&] {
    require(texts, "texts");
    require(out, "out");
    std::vector<std::string> choices;
    for (size_t i = 0; i < count; ++i) {
      require(texts[i], "a text in texts");
      choices.emplace_back(texts[i]);
    }
    *out = new octavo_output_form{octavo::OutputForm::choices(choices)};
  });
}

octavo_status octavo_output_form_matches(const octavo_output_form* form, const char* text, int32_t* out) {
  return guarded([&] {
    require(form, "form");
    require(text, "text");
    require(out, "out");
    *out = form->value.matches(text) ? 1 : 0;
  });
}

void octavo_output_form_release(octavo_output_form* form) { delete form; }

octavo_status octavo_form_state_create(const octavo_model* model, const octavo_output_form* form,
                                       const int32_t* end_ids, size_t end_count, octavo_form_state** out) {
  return guarded([&] {
    require(model, "model");
    require(form, "form");
    require(out, "out");
    if (end_count > 0) require(end_ids, "end_ids");
    *out = new octavo_form_state{octavo::FormState(form->value, model->value.form_vocabulary(),
                                                   std::vector<std::int32_t>(end_ids, end_ids + end_count))};
  });
}

octavo_status octavo_form_state_mask(const octavo_form_state* state, float* logits, size_t vocab_size) {
  return guarded([&] {
    require(state, "state");
    require(logits, "logits");
    state->value.mask({logits, vocab_size});
  });
}

octavo_status octavo_form_state_take(octavo_form_state* state, int32_t token) {
  return guarded([&] {
    require(state, "state");
    state->value.take(token);
  });
}

octavo_status octavo_form_state_complete(const octavo_form_state* state, int32_t* out_complete,
                                         int32_t* out_exhausted) {
  return guarded([&] {
    require(state, "state");
    if (out_complete != nullptr) *out_complete = state->value.complete() ? 1 : 0;
    if (out_exhausted != nullptr) *out_exhausted = state->value.exhausted() ? 1 : 0;
  });
}

void octavo_form_state_release(octavo_form_state* state) { delete state; }

}  // extern "C"
