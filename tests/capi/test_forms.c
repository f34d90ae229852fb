/* Forms of answers in C: made, refused, kept by generate, and kept by a host that chooses tokens itself.
 *   test_forms MODEL_DIR PICTURE */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"

static const char* const kBox = "{\"bbox_2d\": [int, int, int, int]}";

static int has_form(const octavo_output_form* form, const char* text) {
  int32_t matches = -1;
  CHECK(octavo_output_form_matches(form, text, &matches) == OCTAVO_OK);
  return matches;
}

static void test_making(void) {
  octavo_output_form* form = NULL;
  octavo_form_options options = OCTAVO_FORM_OPTIONS_INIT;
  const char* const texts[] = {"red", "blue"};
  CHECK(octavo_output_form_json_schema("{\"type\": \"array\", \"items\": {\"type\": \"integer\"}}", NULL, &form) ==
        OCTAVO_OK);
  CHECK(has_form(form, "[1, 2]") == 1);
  CHECK(has_form(form, "[\n1]") == 0);
  octavo_output_form_release(form);
  options.spacing = OCTAVO_FORM_LINES;
  options.fence = 1;
  CHECK(octavo_output_form_example("[int, ...]", &options, &form) == OCTAVO_OK);
  CHECK(has_form(form, "```json\n[\n  1,\n  2\n]\n```") == 1);
  octavo_output_form_release(form);
  CHECK(octavo_output_form_pattern("a+", &form) == OCTAVO_OK);
  CHECK(has_form(form, "aaa") == 1);
  octavo_output_form_release(form);
  CHECK(octavo_output_form_choices(texts, 2, &form) == OCTAVO_OK);
  CHECK(has_form(form, "blue") == 1);
  octavo_output_form_release(form);
  octavo_output_form_release(NULL);

  form = NULL;
  CHECK(octavo_output_form_json_schema("{\"uniqueItems\": true}", NULL, &form) == OCTAVO_UNSUPPORTED);
  CHECK(strstr(octavo_last_error(), "uniqueItems") != NULL);
  CHECK(octavo_output_form_json_schema("{", NULL, &form) == OCTAVO_FORMAT);
  CHECK(octavo_output_form_json_schema(NULL, NULL, &form) == OCTAVO_INVALID_ARGUMENT);
  CHECK(octavo_output_form_example("[flaot]", NULL, &form) == OCTAVO_FORMAT);
  CHECK(octavo_output_form_pattern("(", &form) == OCTAVO_FORMAT);
  CHECK(octavo_output_form_choices(NULL, 0, &form) == OCTAVO_INVALID_ARGUMENT);
  options.spacing = 7;
  CHECK(octavo_output_form_example("int", &options, &form) == OCTAVO_INVALID_ARGUMENT);
  CHECK(form == NULL);
}

static void test_generating(const octavo_model* model, const char* picture) {
  octavo_output_form* form = NULL;
  octavo_generate_options options = OCTAVO_GENERATE_OPTIONS_INIT;
  octavo_generate_result result = OCTAVO_GENERATE_RESULT_INIT;
  uint64_t seed;
  CHECK(octavo_output_form_example(kBox, NULL, &form) == OCTAVO_OK);
  options.form = form;
  options.max_new_tokens = 80;
  options.sampling = OCTAVO_SAMPLING_ON;
  options.temperature = 5.0;
  options.top_k = 0;
  for (seed = 0; seed < 5; ++seed) {
    options.seed = seed;
    CHECK(octavo_generate(model, "Describe the picture.", &picture, 1, &options, &result) == OCTAVO_OK);
    if (result.finish_reason == OCTAVO_FINISH_STOP) CHECK(has_form(form, result.text) == 1);
    octavo_string_release(result.text);
  }
  octavo_output_form_release(form);
}

/* Zero logits: the host's own choice is the first token that may come. */
static void test_state(const octavo_model* model) {
  enum { VOCAB = 4096 };
  octavo_output_form* form = NULL;
  octavo_form_state* state = NULL;
  float* logits = malloc(VOCAB * sizeof *logits);
  const int32_t ends[] = {404};
  int32_t complete = 1;
  int32_t exhausted = 0;
  int steps;
  CHECK(octavo_output_form_example("[true, null]", NULL, &form) == OCTAVO_OK);
  CHECK(octavo_form_state_create(model, form, ends, 1, &state) == OCTAVO_OK);
  octavo_output_form_release(form); /* the state keeps what it needs */
  CHECK(octavo_form_state_complete(state, &complete, NULL) == OCTAVO_OK);
  CHECK(complete == 0);
  CHECK(octavo_form_state_take(state, 404) == OCTAVO_INVALID_ARGUMENT);
  for (steps = 0; steps < 30 && exhausted == 0; ++steps) {
    int32_t token = 0;
    memset(logits, 0, VOCAB * sizeof *logits);
    CHECK(octavo_form_state_mask(state, logits, VOCAB) == OCTAVO_OK);
    while (token < VOCAB && isinf(logits[token])) ++token;
    CHECK(octavo_form_state_take(state, token) == OCTAVO_OK);
    CHECK(octavo_form_state_complete(state, &complete, &exhausted) == OCTAVO_OK);
  }
  CHECK(exhausted == 1);
  CHECK(complete == 1);
  memset(logits, 0, VOCAB * sizeof *logits);
  CHECK(octavo_form_state_mask(state, logits, VOCAB) == OCTAVO_OK);
  for (steps = 0; steps < VOCAB; ++steps) CHECK((isinf(logits[steps]) != 0) == (steps != 404));
  CHECK(octavo_form_state_take(state, 404) == OCTAVO_OK);
  octavo_form_state_release(state);
  octavo_form_state_release(NULL);
  free(logits);
}

int main(int argc, char** argv) {
  octavo_model* model = NULL;
  if (argc != 3) {
    fprintf(stderr, "usage: %s MODEL_DIR PICTURE\n", argv[0]);
    return 2;
  }
  test_making();
  CHECK(octavo_model_open(argv[1], &model) == OCTAVO_OK);
  if (model != NULL) {
    test_generating(model, argv[2]);
    test_state(model);
  }
  octavo_model_release(model);
  if (failures == 0) printf("forms: all passed\n");
  return failures;
}
