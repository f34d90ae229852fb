/* Sessions and running batches: what they answer is what octavo_generate_prompt answers; misuse has its status. */
#include <math.h>
#include <octavo.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"

enum { TOKENS = 12 };

static octavo_prompt* prompt_of(const octavo_model* model, octavo_messages* messages) {
  octavo_prompt* prompt = NULL;
  CHECK(octavo_prompt_create(model, messages, NULL, &prompt) == OCTAVO_OK);
  return prompt;
}

static octavo_prompt* question(const octavo_model* model, const octavo_image* image, const char* text) {
  octavo_messages* messages = NULL;
  CHECK(octavo_messages_create(&messages) == OCTAVO_OK);
  CHECK(octavo_messages_add(messages, "user", NULL) == OCTAVO_OK);
  if (image != NULL) CHECK(octavo_messages_add_image(messages, image) == OCTAVO_OK);
  CHECK(octavo_messages_add_text(messages, text) == OCTAVO_OK);
  octavo_prompt* prompt = prompt_of(model, messages);
  octavo_messages_release(messages);
  return prompt;
}

static octavo_generate_options sampled(uint64_t seed) {
  octavo_generate_options options = OCTAVO_GENERATE_OPTIONS_INIT;
  options.max_new_tokens = TOKENS;
  options.sampling = OCTAVO_SAMPLING_ON;
  options.temperature = 1.2;
  options.seed = seed;
  options.ignore_eos = 1;
  return options;
}

static octavo_generate_result alone(const octavo_model* model, const octavo_prompt* prompt,
                                    const octavo_generate_options* options) {
  octavo_generate_result result = OCTAVO_GENERATE_RESULT_INIT;
  CHECK(octavo_generate_prompt(model, prompt, options, &result) == OCTAVO_OK);
  return result;
}

static int same_answer(const octavo_generate_result* a, const octavo_generate_result* b) {
  return a->new_tokens == b->new_tokens && a->text != NULL && b->text != NULL && strcmp(a->text, b->text) == 0 &&
         memcmp(a->tokens, b->tokens, (size_t)a->new_tokens * sizeof(int32_t)) == 0;
}

static int64_t size_of_session(const octavo_session* session) {
  size_t count = 0;
  CHECK(octavo_session_tokens(session, NULL, &count) == OCTAVO_OK);
  return (int64_t)count;
}

/* Three turns on one cache, each with what generate answers to the whole conversation. */
static void chat(const octavo_model* model, const octavo_image* image) {
  octavo_session* session = NULL;
  CHECK(octavo_session_create(model, NULL, &session) == OCTAVO_OK);
  octavo_messages* messages = NULL;
  CHECK(octavo_messages_create(&messages) == OCTAVO_OK);
  const octavo_generate_options options = sampled(3);
  int64_t held = 0;
  for (int turn = 0; turn < 3; ++turn) {
    CHECK(octavo_messages_add(messages, "user", turn == 0 ? NULL : "And now?") == OCTAVO_OK);
    if (turn == 0) {
      CHECK(octavo_messages_add_image(messages, image) == OCTAVO_OK);
      CHECK(octavo_messages_add_text(messages, "Where is it?") == OCTAVO_OK);
    }
    octavo_prompt* prompt = prompt_of(model, messages);
    int64_t reused = -1;
    CHECK(octavo_session_continue(session, prompt, &reused) == OCTAVO_OK);
    CHECK(reused >= held);
    octavo_generate_result answer = OCTAVO_GENERATE_RESULT_INIT;
    CHECK(octavo_session_generate(session, &options, &answer) == OCTAVO_OK);
    octavo_generate_result expected = alone(model, prompt, &options);
    CHECK(same_answer(&answer, &expected));
    CHECK(answer.prompt_tokens == expected.prompt_tokens);
    CHECK(size_of_session(session) == answer.prompt_tokens + answer.new_tokens);
    CHECK(octavo_messages_add(messages, "assistant", answer.text) == OCTAVO_OK);
    held = answer.prompt_tokens;
    octavo_generate_result_release(&answer);
    octavo_generate_result_release(&expected);
    octavo_prompt_release(prompt);
  }
  octavo_messages_release(messages);
  octavo_session_release(session);
}

/* A loop of one's own chooses what generate chooses. */
static void by_hand(const octavo_model* model, const octavo_image* image) {
  octavo_prompt* prompt = question(model, image, "Where is it?");
  octavo_generate_options options = sampled(9);
  octavo_generate_result expected = alone(model, prompt, &options);
  octavo_session_options session_options = OCTAVO_SESSION_OPTIONS_INIT;
  session_options.capacity = expected.prompt_tokens + TOKENS + 4;
  session_options.prefill_chunk = 16;
  octavo_session* session = NULL;
  CHECK(octavo_session_create(model, &session_options, &session) == OCTAVO_OK);
  CHECK(octavo_session_feed(session, prompt) == OCTAVO_OK);
  octavo_sampling_options sampling = OCTAVO_SAMPLING_OPTIONS_INIT;
  sampling.temperature = 1.2;
  sampling.seed = 9;
  octavo_sampler* sampler = NULL;
  CHECK(octavo_sampler_create(&sampling, &sampler) == OCTAVO_OK);
  for (int i = 0; i < TOKENS; ++i) {
    int32_t token = -1;
    CHECK(octavo_sampler_next(sampler, session, &token) == OCTAVO_OK);
    CHECK(token == expected.tokens[i]);
    CHECK(octavo_session_feed_ids(session, &token, 1) == OCTAVO_OK);
  }
  const int32_t* ids = NULL;
  size_t count = 0;
  CHECK(octavo_session_tokens(session, &ids, &count) == OCTAVO_OK);
  CHECK((int64_t)count == expected.prompt_tokens + TOKENS);
  CHECK(memcmp(ids + expected.prompt_tokens, expected.tokens, TOKENS * sizeof(int32_t)) == 0);

  /* From its logits, a fork, a truncation and a copy in bytes go on alike. */
  const float* logits = NULL;
  size_t vocab = 0;
  int64_t vocab_size = 0;
  CHECK(octavo_model_vocab_size(model, &vocab_size) == OCTAVO_OK);
  CHECK(octavo_session_logits(session, &logits, &vocab) == OCTAVO_OK);
  CHECK((int64_t)vocab == vocab_size);
  octavo_session* fork = NULL;
  CHECK(octavo_session_fork(session, &fork) == OCTAVO_OK);
  CHECK(octavo_session_truncate(fork, expected.prompt_tokens) == OCTAVO_OK);
  octavo_generate_result again = OCTAVO_GENERATE_RESULT_INIT;
  CHECK(octavo_session_generate(fork, &options, &again) == OCTAVO_OK);
  CHECK(same_answer(&again, &expected));
  CHECK(octavo_session_reset(fork) == OCTAVO_OK);
  CHECK(size_of_session(fork) == 0);
  octavo_generate_result_release(&again);
  octavo_session_release(fork);
  octavo_sampler_release(sampler);
  octavo_session_release(session);
  octavo_generate_result_release(&expected);
  octavo_prompt_release(prompt);
}

static void saved(const octavo_model* model, const octavo_image* image, const char* path) {
  octavo_prompt* prompt = question(model, image, "Where is it?");
  octavo_session* session = NULL;
  CHECK(octavo_session_create(model, NULL, &session) == OCTAVO_OK);
  CHECK(octavo_session_feed(session, prompt) == OCTAVO_OK);
  char* bytes = NULL;
  size_t size = 0;
  CHECK(octavo_session_to_bytes(session, &bytes, &size) == OCTAVO_OK);
  CHECK(octavo_session_save(session, path) == OCTAVO_OK);
  octavo_session* restored[2] = {NULL, NULL};
  CHECK(octavo_session_restore(model, path, 0, &restored[0]) == OCTAVO_OK);
  CHECK(octavo_session_from_bytes(model, bytes, size, 2048, &restored[1]) == OCTAVO_OK);
  const octavo_generate_options options = sampled(5);
  octavo_generate_result expected = OCTAVO_GENERATE_RESULT_INIT;
  CHECK(octavo_session_generate(session, &options, &expected) == OCTAVO_OK);
  const float* logits = NULL;
  size_t vocab = 0;
  CHECK(octavo_session_logits(session, &logits, &vocab) == OCTAVO_OK);
  for (int i = 0; i < 2; ++i) {
    octavo_generate_result answer = OCTAVO_GENERATE_RESULT_INIT;
    CHECK(octavo_session_generate(restored[i], &options, &answer) == OCTAVO_OK);
    CHECK(same_answer(&answer, &expected));
    const float* own = NULL;
    CHECK(octavo_session_logits(restored[i], &own, NULL) == OCTAVO_OK);
    CHECK(memcmp(own, logits, vocab * sizeof(float)) == 0);
    octavo_generate_result_release(&answer);
    octavo_session_release(restored[i]);
  }

  octavo_session* none = NULL;
  CHECK(octavo_session_from_bytes(model, bytes, size - 1, 0, &none) == OCTAVO_FORMAT);
  SAYS("cut short");
  CHECK(octavo_session_from_bytes(model, bytes, 0, 0, &none) == OCTAVO_FORMAT);
  bytes[size / 2] = (char)(bytes[size / 2] ^ 4);
  CHECK(octavo_session_from_bytes(model, bytes, size, 0, &none) == OCTAVO_FORMAT);
  SAYS("damaged");
  bytes[size / 2] = (char)(bytes[size / 2] ^ 4);
  CHECK(octavo_session_from_bytes(model, bytes, size, 3, &none) == OCTAVO_INVALID_ARGUMENT);
  CHECK(octavo_session_restore(model, "/nowhere/at/all", 0, &none) == OCTAVO_NOT_FOUND);
  CHECK(octavo_session_save(session, "/nowhere/at/all") == OCTAVO_NOT_FOUND);
  CHECK(none == NULL);
  octavo_string_release(bytes);
  octavo_generate_result_release(&expected);
  octavo_session_release(session);
  octavo_prompt_release(prompt);
}

static void refused(const octavo_model* model, const octavo_model* bf16, const octavo_image* image) {
  octavo_session* session = NULL;
  octavo_session* other = NULL;
  octavo_session_options options = OCTAVO_SESSION_OPTIONS_INIT;
  options.capacity = 8;
  CHECK(octavo_session_create(model, &options, &session) == OCTAVO_OK);
  CHECK(octavo_session_create(bf16, &options, &other) == OCTAVO_OK);
  octavo_prompt* prompt = question(model, image, "Where is it?");
  octavo_generate_result result = OCTAVO_GENERATE_RESULT_INIT;
  CHECK(octavo_session_generate(session, NULL, &result) == OCTAVO_INVALID_ARGUMENT);
  SAYS("feed it a prompt");
  CHECK(octavo_session_feed(session, prompt) == OCTAVO_INVALID_ARGUMENT);
  SAYS("exceed its capacity of 8");
  CHECK(octavo_session_continue(session, prompt, NULL) == OCTAVO_INVALID_ARGUMENT);
  const int32_t ids[] = {5, 6, 7};
  const int32_t outside = INT32_MAX;
  CHECK(octavo_session_feed_ids(session, &outside, 1) == OCTAVO_INVALID_ARGUMENT);
  CHECK(octavo_session_feed_ids(session, ids, 0) == OCTAVO_INVALID_ARGUMENT);
  CHECK(octavo_session_feed_ids(session, ids, 3) == OCTAVO_OK);
  CHECK(octavo_session_truncate(session, 4) == OCTAVO_INVALID_ARGUMENT);
  CHECK(octavo_session_truncate(session, -1) == OCTAVO_INVALID_ARGUMENT);
  CHECK(size_of_session(session) == 3);
  octavo_generate_options how = OCTAVO_GENERATE_OPTIONS_INIT;
  how.cache_mode = OCTAVO_CACHE_OFF;
  CHECK(octavo_session_generate(session, &how, &result) == OCTAVO_INVALID_ARGUMENT);
  how = (octavo_generate_options)OCTAVO_GENERATE_OPTIONS_INIT;
  how.cache_dtype = OCTAVO_S8;
  CHECK(octavo_session_generate(session, &how, &result) == OCTAVO_INVALID_ARGUMENT);
  SAYS("its cache is of f32");
  how = (octavo_generate_options)OCTAVO_GENERATE_OPTIONS_INIT;
  how.control_tokens_as_text = 1;
  CHECK(octavo_session_generate(session, &how, &result) == OCTAVO_INVALID_ARGUMENT);

  octavo_prompt* few = NULL;
  CHECK(octavo_prompt_from_ids(ids, 3, &few) == OCTAVO_OK);
  octavo_session* sessions[2] = {session, other};
  const octavo_prompt* prompts[2] = {few, few};
  CHECK(octavo_sessions_feed(sessions, prompts, 2) == OCTAVO_INVALID_ARGUMENT);
  SAYS("session 1 belongs to another model");
  sessions[1] = session;
  CHECK(octavo_sessions_feed(sessions, prompts, 2) == OCTAVO_INVALID_ARGUMENT);
  sessions[1] = NULL;
  CHECK(octavo_sessions_feed(sessions, prompts, 2) == OCTAVO_INVALID_ARGUMENT);
  CHECK(octavo_sessions_feed(sessions, prompts, 0) == OCTAVO_INVALID_ARGUMENT);
  CHECK(octavo_session_fork(session, &sessions[1]) == OCTAVO_OK);
  CHECK(octavo_sessions_feed(sessions, prompts, 2) == OCTAVO_OK);
  CHECK(size_of_session(sessions[1]) == 6);
  char* bytes = NULL;
  size_t size = 0;
  CHECK(octavo_session_to_bytes(session, &bytes, &size) == OCTAVO_OK);
  octavo_session* none = NULL;
  CHECK(octavo_session_from_bytes(bf16, bytes, size, 0, &none) == OCTAVO_INVALID_ARGUMENT);
  SAYS("saved with another model");
  octavo_string_release(bytes);

  options.cache_dtype = 99;
  CHECK(octavo_session_create(model, &options, &none) == OCTAVO_INVALID_ARGUMENT);
  options = (octavo_session_options)OCTAVO_SESSION_OPTIONS_INIT;
  options.capacity = INT64_MAX;
  CHECK(octavo_session_create(model, &options, &none) == OCTAVO_INVALID_ARGUMENT);
  options.capacity = -1;
  CHECK(octavo_session_create(model, &options, &none) == OCTAVO_INVALID_ARGUMENT);
  options = (octavo_session_options)OCTAVO_SESSION_OPTIONS_INIT;
  options.prefill_chunk = -2;
  CHECK(octavo_session_create(model, &options, &none) == OCTAVO_INVALID_ARGUMENT);
  options.prefill_chunk = OCTAVO_PREFILL_WHOLE;
  options.reserved0 = 1;
  CHECK(octavo_session_create(model, &options, &none) == OCTAVO_INVALID_ARGUMENT);
  octavo_sampling_options sampling = OCTAVO_SAMPLING_OPTIONS_INIT;
  sampling.top_p = 2;
  octavo_sampler* sampler = NULL;
  CHECK(octavo_sampler_create(&sampling, &sampler) == OCTAVO_INVALID_ARGUMENT);

  CHECK(octavo_session_create(NULL, NULL, &none) == OCTAVO_INVALID_ARGUMENT);
  CHECK(octavo_session_create(model, NULL, NULL) == OCTAVO_INVALID_ARGUMENT);
  CHECK(octavo_session_feed(NULL, few) == OCTAVO_INVALID_ARGUMENT);
  CHECK(octavo_session_feed(session, NULL) == OCTAVO_INVALID_ARGUMENT);
  CHECK(octavo_session_feed_ids(session, NULL, 1) == OCTAVO_INVALID_ARGUMENT);
  CHECK(octavo_session_continue(session, NULL, NULL) == OCTAVO_INVALID_ARGUMENT);
  CHECK(octavo_session_generate(session, NULL, NULL) == OCTAVO_INVALID_ARGUMENT);
  CHECK(octavo_session_logits(session, NULL, NULL) == OCTAVO_INVALID_ARGUMENT);
  CHECK(octavo_session_tokens(NULL, NULL, NULL) == OCTAVO_INVALID_ARGUMENT);
  CHECK(octavo_session_fork(NULL, &none) == OCTAVO_INVALID_ARGUMENT);
  CHECK(octavo_session_save(session, NULL) == OCTAVO_INVALID_ARGUMENT);
  CHECK(octavo_session_restore(model, NULL, 0, &none) == OCTAVO_INVALID_ARGUMENT);
  CHECK(octavo_session_to_bytes(session, NULL, NULL) == OCTAVO_INVALID_ARGUMENT);
  CHECK(octavo_session_from_bytes(model, NULL, 0, 0, &none) == OCTAVO_INVALID_ARGUMENT);
  CHECK(octavo_sampler_next(NULL, session, NULL) == OCTAVO_INVALID_ARGUMENT);
  CHECK(none == NULL);
  octavo_session_release(NULL);
  octavo_sampler_release(NULL);
  octavo_session_release(sessions[1]);
  octavo_session_release(session);
  octavo_session_release(other);
  octavo_prompt_release(few);
  octavo_prompt_release(prompt);
}

typedef struct heard {
  int tokens;
  int stop_at; /* 0: never */
} heard;

static int32_t hear(int32_t token, const char* text, void* user_data) {
  heard* own = user_data;
  (void)token;
  (void)text;
  return ++own->tokens == own->stop_at;
}

enum { SEQUENCES = 5 };

static void batch(const octavo_model* model, const octavo_image* image) {
  static const char* const questions[SEQUENCES] = {"Where is it?", "What is red?", "What colour is the circle?",
                                                   "Which shape is small?", "Where is the square?"};
  octavo_batch_options batch_options = OCTAVO_BATCH_OPTIONS_INIT;
  batch_options.max_sequences = 3;
  batch_options.prompt_tokens = 16;
  octavo_batch* running = NULL;
  CHECK(octavo_batch_create(model, &batch_options, &running) == OCTAVO_OK);
  octavo_generate_result expected[SEQUENCES];
  uint64_t numbers[SEQUENCES];
  heard told[SEQUENCES];
  octavo_generate_result result = OCTAVO_GENERATE_RESULT_INIT;
  uint64_t number = 0;
  octavo_status status = OCTAVO_INTERNAL;
  CHECK(octavo_batch_take(running, &number, &status, NULL, &result) == OCTAVO_NOT_FOUND);
  for (int i = 0; i < SEQUENCES; ++i) {
    octavo_prompt* prompt = question(model, i % 2 == 0 ? image : NULL, questions[i]);
    octavo_generate_options options = sampled((uint64_t)i);
    options.cache_dtype = i == 1 ? OCTAVO_BF16 : i == 2 ? OCTAVO_S8 : OCTAVO_F32;
    expected[i] = alone(model, prompt, &options);
    memset(&told[i], 0, sizeof(told[i]));
    if (i == 3) told[i].stop_at = 4;
    options.on_token = hear;
    options.user_data = &told[i];
    CHECK(octavo_batch_join(running, prompt, &options, &numbers[i]) == OCTAVO_OK);
    octavo_prompt_release(prompt);
    CHECK(octavo_batch_step(running, NULL) == OCTAVO_OK);
    CHECK(octavo_batch_step(running, NULL) == OCTAVO_OK);
  }
  /* One that leaves, and one whose prompt no model knows. */
  octavo_prompt* prompt = question(model, NULL, "Hello");
  octavo_generate_options options = sampled(1);
  CHECK(octavo_batch_join(running, prompt, &options, &number) == OCTAVO_OK);
  CHECK(octavo_batch_leave(running, number) == OCTAVO_OK);
  CHECK(octavo_batch_leave(running, number) == OCTAVO_NOT_FOUND);
  const int32_t outside = INT32_MAX;
  octavo_prompt* foreign = NULL;
  CHECK(octavo_prompt_from_ids(&outside, 1, &foreign) == OCTAVO_OK);
  CHECK(octavo_batch_join(running, foreign, &options, &number) == OCTAVO_INVALID_ARGUMENT);
  options.prefill_chunk = 4;
  CHECK(octavo_batch_join(running, prompt, &options, &number) == OCTAVO_INVALID_ARGUMENT);
  SAYS("prompt_tokens");
  octavo_prompt_release(foreign);

  size_t size = 1;
  size_t finished = 0;
  for (int steps = 0; size > 0 && steps < 1000; ++steps) {
    CHECK(octavo_batch_step(running, &finished) == OCTAVO_OK);
    CHECK(octavo_batch_size(running, &size, NULL) == OCTAVO_OK);
  }
  CHECK(finished == SEQUENCES);
  int seen = 0;
  while (octavo_batch_take(running, &number, &status, NULL, &result) == OCTAVO_OK) {
    int i = 0;
    while (i < SEQUENCES && numbers[i] != number) ++i;
    CHECK(i < SEQUENCES);
    if (i == SEQUENCES) break;
    ++seen;
    CHECK(status == OCTAVO_OK);
    if (i == 3) {
      CHECK(result.new_tokens == 4);
      CHECK(result.finish_reason == OCTAVO_FINISH_CANCELLED);
      CHECK(memcmp(result.tokens, expected[i].tokens, 4 * sizeof(int32_t)) == 0);
    } else {
      CHECK(same_answer(&result, &expected[i]));
    }
    CHECK(told[i].tokens == (int)result.new_tokens);
    octavo_generate_result_release(&result);
    octavo_generate_result_release(&expected[i]);
  }
  CHECK(seen == SEQUENCES);

  /* A sequence's own error: its bias leaves no token to choose. */
  int64_t vocab = 0;
  CHECK(octavo_model_vocab_size(model, &vocab) == OCTAVO_OK);
  octavo_token_bias* all = calloc((size_t)vocab, sizeof(*all));
  for (int64_t i = 0; all != NULL && i < vocab; ++i) {
    all[i].id = (int32_t)i;
    all[i].bias = -HUGE_VAL;
  }
  options = sampled(1);
  options.logit_bias = all;
  options.logit_bias_count = (size_t)vocab;
  CHECK(octavo_batch_join(running, prompt, &options, &number) == OCTAVO_OK);
  free(all); /* which was copied */
  finished = 0;
  for (int steps = 0; finished == 0 && steps < 1000; ++steps) CHECK(octavo_batch_step(running, &finished) == OCTAVO_OK);
  const char* message = NULL;
  CHECK(octavo_batch_take(running, &number, &status, &message, &result) == OCTAVO_OK);
  CHECK(status == OCTAVO_INVALID_ARGUMENT);
  CHECK(message != NULL && strstr(message, "leave no token to choose") != NULL);
  octavo_generate_result_release(&result);

  octavo_batch* none = NULL;
  batch_options.max_sequences = -1;
  CHECK(octavo_batch_create(model, &batch_options, &none) == OCTAVO_INVALID_ARGUMENT);
  CHECK(octavo_batch_create(NULL, NULL, &none) == OCTAVO_INVALID_ARGUMENT);
  CHECK(octavo_batch_join(NULL, prompt, NULL, &number) == OCTAVO_INVALID_ARGUMENT);
  CHECK(octavo_batch_join(running, NULL, NULL, &number) == OCTAVO_INVALID_ARGUMENT);
  CHECK(octavo_batch_step(NULL, NULL) == OCTAVO_INVALID_ARGUMENT);
  CHECK(octavo_batch_size(NULL, NULL, NULL) == OCTAVO_INVALID_ARGUMENT);
  CHECK(octavo_batch_take(running, &number, &status, NULL, NULL) == OCTAVO_INVALID_ARGUMENT);
  CHECK(none == NULL);
  octavo_batch_release(NULL);
  octavo_batch_release(running);
  octavo_prompt_release(prompt);
}

int main(int argc, char** argv) {
  if (argc != 4) {
    fprintf(stderr, "usage: %s MODEL_DIR PICTURE SESSION_FILE\n", argv[0]);
    return 2;
  }
  octavo_model* model = NULL;
  octavo_model* bf16 = NULL;
  octavo_image* image = NULL;
  octavo_model_options options = OCTAVO_MODEL_OPTIONS_INIT;
  options.language_math = OCTAVO_MATH_BF16;
  CHECK(octavo_model_open(argv[1], &model) == OCTAVO_OK);
  CHECK(octavo_model_open_with(argv[1], &options, &bf16) == OCTAVO_OK);
  CHECK(octavo_image_open(argv[2], NULL, &image) == OCTAVO_OK);
  if (failures == 0) {
    chat(model, image);
    by_hand(model, image);
    saved(model, image, argv[3]);
    refused(model, bf16, image);
    batch(model, image);
  }
  octavo_image_release(image);
  octavo_model_release(bf16);
  octavo_model_release(model);
  if (failures == 0) printf("sessions and batches: ok\n");
  return failures == 0 ? 0 : 1;
}
