/* What an answer takes and gives, as a C program sees it: what shapes it, what it says of itself, and what options
 * mean. Usage: test_capi_answers MODEL PICTURE. The exit status is the number of failures. */
#include <math.h>
#include <stddef.h>

#include "check.h"

static const char* const kQuestion = "Where is the red circle?";

static octavo_generate_options greedy(int64_t tokens) {
  octavo_generate_options options = OCTAVO_GENERATE_OPTIONS_INIT;
  options.max_new_tokens = tokens;
  options.sampling = OCTAVO_SAMPLING_GREEDY;
  return options;
}

struct heard {
  char text[2][400];
  int32_t ids[2][64];
  size_t count[2], wrong;
  int32_t top;
};

static int32_t on_event(const octavo_token_event* event, void* user_data) {
  struct heard* heard = user_data;
  if (event->struct_size < sizeof *event || event->sequence > 1 || event->text_size != strlen(event->text) ||
      event->top_count != heard->top || (heard->top > 0 && event->log_prob > event->top[0].log_prob + 1e-12)) {
    ++heard->wrong;
    return 1;
  }
  if (heard->top == 0 && !(event->log_prob != event->log_prob)) ++heard->wrong; /* NaN: nobody asked */
  heard->ids[event->sequence][heard->count[event->sequence]++] = event->id;
  strcat(heard->text[event->sequence], event->text);
  return event->sequence == 1 && heard->count[1] == 3;
}

/* Tokens and log-probabilities in results and events, of one and of a batch whose sequences are told apart. */
static void test_log_probs(const octavo_model* model, const char* path) {
  const char* prompts[2] = {"Where is the red circle?", "Where is the blue square?"};
  const char* const* images[2] = {&path, &path};
  const size_t counts[2] = {1, 1};
  octavo_generate_options options = greedy(10);
  octavo_generate_result results[2] = {OCTAVO_GENERATE_RESULT_INIT, OCTAVO_GENERATE_RESULT_INIT},
                         alone = OCTAVO_GENERATE_RESULT_INIT;
  struct heard heard;
  int64_t i;
  memset(&heard, 0, sizeof heard);
  options.user_data = &heard;
  CHECK(octavo_generate(model, prompts[0], &path, 1, &options, &alone) == OCTAVO_OK);
  CHECK(alone.tokens && !alone.log_probs && !alone.top_log_probs && alone.text_size == strlen(alone.text));
  octavo_generate_result_release(&alone);
  CHECK(!alone.text && !alone.tokens && alone.text_size == 0);
  octavo_generate_result_release(&alone);
  octavo_generate_result_release(NULL);

  options.log_probs = 1;
  options.top_log_probs = 3;
  options.on_event = on_event;
  heard.top = 3;
  CHECK(octavo_generate_batch(model, prompts, images, counts, 2, &options, results) == OCTAVO_OK);
  CHECK(heard.wrong == 0);
  for (i = 0; i < 2; ++i) {
    const size_t bytes = (size_t)results[i].new_tokens * sizeof(int32_t);
    CHECK((int64_t)heard.count[i] == results[i].new_tokens && memcmp(heard.ids[i], results[i].tokens, bytes) == 0);
    CHECK(strncmp(heard.text[i], results[i].text, strlen(heard.text[i])) == 0);
    CHECK(results[i].top_count == 3);
  }
  CHECK(results[1].new_tokens == 3 && results[1].finish_reason == OCTAVO_FINISH_CANCELLED);
  options.on_event = NULL;
  CHECK(octavo_generate(model, prompts[0], &path, 1, &options, &alone) == OCTAVO_OK);
  CHECK(alone.new_tokens == results[0].new_tokens && alone.new_tokens > 0);
  for (i = 0; i < alone.new_tokens; ++i) {
    const octavo_token_log_prob* top = alone.top_log_probs + 3 * i;
    CHECK(top[0].id == alone.tokens[i] && top[0].log_prob == alone.log_probs[i]); /* greedy */
    CHECK(top[0].log_prob >= top[1].log_prob && top[1].log_prob >= top[2].log_prob);
    CHECK(alone.log_probs[i] <= 0 && fabs(alone.log_probs[i] - results[0].log_probs[i]) < 1e-4);
  }
  {
    /* Against the logits of the prompt: log-softmax in double precision. */
    octavo_tensor* logits = NULL;
    void* data = NULL;
    int64_t rows = 0, vocab = 0;
    double most = -INFINITY, sum = 0;
    const float* last;
    CHECK(octavo_model_logits(model, prompts[0], &path, 1, &logits) == OCTAVO_OK);
    CHECK(octavo_tensor_dim(logits, 0, &rows) == OCTAVO_OK && octavo_tensor_dim(logits, 1, &vocab) == OCTAVO_OK);
    CHECK(octavo_tensor_data(logits, &data, NULL) == OCTAVO_OK);
    last = (const float*)data + (rows - 1) * vocab;
    for (i = 0; i < vocab; ++i) most = last[i] > most ? last[i] : most;
    for (i = 0; i < vocab; ++i) sum += exp(last[i] - most);
    CHECK(fabs(last[alone.tokens[0]] - most - log(sum) - alone.log_probs[0]) < 1e-4);
    octavo_tensor_release(logits);
  }
  octavo_string_release(alone.text); /* as programs of 0.1 release it: all of it */
  octavo_generate_result_release(&results[0]);
  octavo_generate_result_release(&results[1]);
  options.log_probs = 0;
  CHECK(octavo_generate(model, prompts[0], NULL, 0, &options, &alone) == OCTAVO_INVALID_ARGUMENT);
  SAYS("top_log_probs is 3, and needs options.log_probs");
}

struct hook {
  int32_t forbidden;
  size_t calls, last;
};

static int32_t on_logits(size_t sequence, const int32_t* history, size_t history_size, float* logits, size_t vocab_size,
                         void* user_data) {
  struct hook* hook = user_data;
  (void)vocab_size;
  if (sequence != 0 || (hook->calls > 0 && (history_size != hook->last + 1 || history[history_size - 1] < 0))) return 1;
  hook->last = history_size;
  logits[hook->forbidden] = -INFINITY;
  return ++hook->calls > 4;
}

/* Stops, bias and the hook: each against the plain answer. */
static void test_control(const octavo_model* model, const char* path) {
  octavo_generate_options options = greedy(20);
  octavo_generate_result plain = OCTAVO_GENERATE_RESULT_INIT, result = OCTAVO_GENERATE_RESULT_INIT;
  const char* stops[2] = {"never said", NULL};
  char stop[3] = "";
  int32_t id;
  octavo_token_bias bias[1];
  struct hook hook;
  memset(bias, 0, sizeof bias);
  memset(&hook, 0, sizeof hook);
  CHECK(octavo_generate(model, kQuestion, &path, 1, &options, &plain) == OCTAVO_OK);
  CHECK(plain.text && plain.text_size > 6);
  if (!plain.text || plain.text_size <= 6) return;

  memcpy(stop, plain.text + 3, 2);
  stops[1] = stop;
  options.stop_strings = stops;
  options.stop_string_count = 2;
  CHECK(octavo_generate(model, kQuestion, &path, 1, &options, &result) == OCTAVO_OK);
  CHECK(result.text_size == (size_t)(strstr(plain.text, stop) - plain.text));
  CHECK(result.finish_reason == OCTAVO_FINISH_STOP);
  CHECK(memcmp(result.text, plain.text, result.text_size) == 0);
  octavo_generate_result_release(&result);
  stops[1] = NULL;
  CHECK(octavo_generate(model, kQuestion, &path, 1, &options, &result) == OCTAVO_INVALID_ARGUMENT);
  stops[1] = "";
  CHECK(octavo_generate(model, kQuestion, &path, 1, &options, &result) == OCTAVO_INVALID_ARGUMENT);

  options = greedy(20);
  id = plain.tokens[1];
  options.stop_ids = &id;
  options.stop_id_count = 1;
  CHECK(octavo_generate(model, kQuestion, &path, 1, &options, &result) == OCTAVO_OK);
  CHECK(result.new_tokens <= 2 && result.tokens[result.new_tokens - 1] == id);
  octavo_generate_result_release(&result);

  options = greedy(20);
  options.ignore_eos = 1;
  CHECK(octavo_generate(model, kQuestion, &path, 1, &options, &result) == OCTAVO_OK);
  CHECK(result.new_tokens == 20 && result.finish_reason == OCTAVO_FINISH_LENGTH);
  octavo_generate_result_release(&result);

  options = greedy(4);
  bias[0].id = plain.tokens[2];
  bias[0].bias = 1e5;
  options.logit_bias = bias;
  options.logit_bias_count = 1;
  CHECK(octavo_generate(model, kQuestion, &path, 1, &options, &result) == OCTAVO_OK);
  CHECK(result.new_tokens == 4 && result.tokens[0] == bias[0].id && result.tokens[3] == bias[0].id);
  octavo_generate_result_release(&result);
  bias[0].reserved0 = 1;
  CHECK(octavo_generate(model, kQuestion, &path, 1, &options, &result) == OCTAVO_INVALID_ARGUMENT);

  options = greedy(20);
  hook.forbidden = plain.tokens[0];
  options.on_logits = on_logits;
  options.user_data = &hook;
  CHECK(octavo_generate(model, kQuestion, &path, 1, &options, &result) == OCTAVO_OK);
  CHECK(hook.calls == 5 && result.new_tokens == 4 && result.finish_reason == OCTAVO_FINISH_CANCELLED);
  CHECK(result.tokens[0] != plain.tokens[0]);
  octavo_generate_result_release(&result);
  octavo_generate_result_release(&plain);
}

/* docs/abi.md: the table of defaults, and what needs what. */
static void test_meaning(const octavo_model* model) {
  octavo_generate_options options = OCTAVO_GENERATE_OPTIONS_INIT, filled;
  octavo_generate_result first = OCTAVO_GENERATE_RESULT_INIT, second = OCTAVO_GENERATE_RESULT_INIT;
  const size_t size_of_0_1 = offsetof(octavo_generate_options, min_p);
  memset(&filled, 0x55, sizeof filled);
  filled.struct_size = sizeof filled;
  CHECK(octavo_generate_options_init(&filled) == OCTAVO_OK && memcmp(&filled, &options, sizeof filled) == 0);
  filled.struct_size = 3;
  CHECK(octavo_generate_options_init(&filled) == OCTAVO_INVALID_ARGUMENT);
  CHECK(octavo_generate_options_init(NULL) == OCTAVO_INVALID_ARGUMENT);

  /* Temperature 0 is greedy, whatever the seed. */
  options.max_new_tokens = 12;
  options.sampling = OCTAVO_SAMPLING_GREEDY;
  CHECK(octavo_generate(model, "Hello", NULL, 0, &options, &first) == OCTAVO_OK);
  options.sampling = OCTAVO_SAMPLING_ON;
  options.temperature = 0;
  for (options.seed = 0; options.seed < 4; ++options.seed) {
    CHECK(octavo_generate(model, "Hello", NULL, 0, &options, &second) == OCTAVO_OK);
    CHECK(second.new_tokens == first.new_tokens &&
          memcmp(first.tokens, second.tokens, (size_t)first.new_tokens * sizeof(int32_t)) == 0);
    octavo_generate_result_release(&second);
  }
  /* A hot draw is none of it, and top_p 0 is again. */
  options.temperature = 5;
  options.top_k = 0;
  CHECK(octavo_generate(model, "Hello", NULL, 0, &options, &second) == OCTAVO_OK);
  CHECK(second.new_tokens != first.new_tokens ||
        memcmp(first.tokens, second.tokens, (size_t)first.new_tokens * sizeof(int32_t)) != 0);
  octavo_generate_result_release(&second);
  options.top_p = 0;
  CHECK(octavo_generate(model, "Hello", NULL, 0, &options, &second) == OCTAVO_OK);
  CHECK(second.new_tokens == first.new_tokens);
  octavo_generate_result_release(&second);
  options.top_p = 1;
  options.min_p = 1; /* nothing but the best has its probability */
  CHECK(octavo_generate(model, "Hello", NULL, 0, &options, &second) == OCTAVO_OK);
  CHECK(second.new_tokens == first.new_tokens);
  octavo_generate_result_release(&second);
  options.min_p = 2;
  CHECK(octavo_generate(model, "Hello", NULL, 0, &options, &second) == OCTAVO_INVALID_ARGUMENT);
  options.min_p = 0;

  /* A struct that ends where 0.1's did means what it meant: zero temperature and top_p are 1.0, top_k 0 is off. */
  {
    octavo_generate_options old;
    octavo_generate_result drawn = OCTAVO_GENERATE_RESULT_INIT;
    options.temperature = 1;
    options.seed = 5;
    CHECK(octavo_generate(model, "Hello", NULL, 0, &options, &drawn) == OCTAVO_OK);
    memset(&old, 0, sizeof old);
    old.struct_size = size_of_0_1;
    old.max_new_tokens = 12;
    old.sampling = OCTAVO_SAMPLING_ON;
    old.seed = 5;
    old.log_probs = 77; /* behind its end, and not read */
    CHECK(octavo_generate(model, "Hello", NULL, 0, &old, &second) == OCTAVO_OK);
    CHECK(second.new_tokens == drawn.new_tokens &&
          memcmp(drawn.tokens, second.tokens, (size_t)drawn.new_tokens * sizeof(int32_t)) == 0);
    CHECK(second.log_probs == NULL);
    octavo_generate_result_release(&second);
    octavo_generate_result_release(&drawn);
    old.sampling = OCTAVO_SAMPLING_GREEDY;
    old.temperature = 0.7; /* was not looked at, and is not now */
    CHECK(octavo_generate(model, "Hello", NULL, 0, &old, &second) == OCTAVO_OK);
    CHECK(second.new_tokens == first.new_tokens);
    octavo_generate_result_release(&second);
  }

  /* What has no effect is refused, as in C++ and on the command line. */
  options = greedy(4);
  options.temperature = 0.7;
  CHECK(octavo_generate(model, "Hello", NULL, 0, &options, &second) == OCTAVO_INVALID_ARGUMENT);
  SAYS("temperature is 0.7");
  options = greedy(4);
  options.sampling = OCTAVO_SAMPLING_FROM_MODEL;
  options.temperature = 0;
  CHECK(octavo_generate(model, "Hello", NULL, 0, &options, &second) == OCTAVO_INVALID_ARGUMENT);
  SAYS("OCTAVO_SAMPLING_FROM_MODEL");
  options.temperature = 1;
  options.seed = 3;
  CHECK(octavo_generate(model, "Hello", NULL, 0, &options, &second) == OCTAVO_INVALID_ARGUMENT);
  options.seed = 0;
  options.temperature = options.top_p = options.repetition_penalty = 0; /* a struct of zeros says nothing */
  options.top_k = 0;
  CHECK(octavo_generate(model, "Hello", NULL, 0, &options, &second) == OCTAVO_OK);
  octavo_generate_result_release(&second);
  options.sampling = 3;
  CHECK(octavo_generate(model, "Hello", NULL, 0, &options, &second) == OCTAVO_INVALID_ARGUMENT);
  octavo_generate_result_release(&first);
}

static void test_batch_and_cancel(const octavo_model* model, const char* path) {
  const char* texts[2] = {"Hello", "What is there?"};
  const char* const* images[2] = {&path, &path};
  octavo_prompt* prompts[2] = {NULL, NULL};
  octavo_messages* messages = NULL;
  octavo_generate_options options = greedy(6);
  octavo_generate_result results[2] = {OCTAVO_GENERATE_RESULT_INIT, OCTAVO_GENERATE_RESULT_INIT};
  octavo_cancel* cancel = NULL;
  int64_t problems = 0;
  int i;
  CHECK(octavo_generate_batch(model, texts, images, NULL, 2, &options, results) == OCTAVO_INVALID_ARGUMENT);
  SAYS("image_counts");
  for (i = 0; i < 2; ++i) {
    CHECK(octavo_messages_create(&messages) == OCTAVO_OK);
    CHECK(octavo_messages_add(messages, "user", texts[i]) == OCTAVO_OK);
    CHECK(octavo_prompt_create(model, messages, NULL, &prompts[i]) == OCTAVO_OK);
    octavo_messages_release(messages);
  }
  CHECK(octavo_generate_prompts(model, (const octavo_prompt* const*)prompts, 2, &options, results) == OCTAVO_OK);
  for (i = 0; i < 2; ++i) {
    octavo_generate_result alone = OCTAVO_GENERATE_RESULT_INIT;
    CHECK(octavo_generate(model, texts[i], NULL, 0, &options, &alone) == OCTAVO_OK);
    CHECK(strcmp(alone.text, results[i].text) == 0);
    octavo_generate_result_release(&alone);
    octavo_generate_result_release(&results[i]);
  }
  octavo_prompt_release(prompts[1]);
  prompts[1] = NULL;
  CHECK(octavo_generate_prompts(model, (const octavo_prompt* const*)prompts, 2, &options, results) ==
        OCTAVO_INVALID_ARGUMENT);

  CHECK(octavo_cancel_create(&cancel) == OCTAVO_OK);
  options.cancel = cancel;
  octavo_cancel_request(cancel);
  CHECK(octavo_generate_prompt(model, prompts[0], &options, &results[0]) == OCTAVO_OK);
  CHECK(results[0].finish_reason == OCTAVO_FINISH_CANCELLED && results[0].new_tokens == 0);
  octavo_generate_result_release(&results[0]);
  octavo_cancel_reset(cancel);
  octavo_cancel_reset(NULL);
  CHECK(octavo_generate_prompt(model, prompts[0], &options, &results[0]) == OCTAVO_OK);
  CHECK(results[0].finish_reason != OCTAVO_FINISH_CANCELLED && results[0].new_tokens > 0);
  octavo_generate_result_release(&results[0]);
  octavo_cancel_release(cancel);
  octavo_prompt_release(prompts[0]);
  CHECK(octavo_check("no/such/directory", &problems, NULL) == OCTAVO_NOT_FOUND);
  CHECK(octavo_check(path, &problems, NULL) == OCTAVO_NOT_FOUND);
}

int main(int argc, char** argv) {
  octavo_model* model = NULL;
  if (argc != 3) return 2;
  CHECK(octavo_model_open(argv[1], &model) == OCTAVO_OK);
  if (model == NULL) return 1;
  test_log_probs(model, argv[2]);
  test_control(model, argv[2]);
  test_meaning(model);
  test_batch_and_cancel(model, argv[2]);
  octavo_model_release(model);
  printf("%d failures\n", failures);
  return failures;
}
