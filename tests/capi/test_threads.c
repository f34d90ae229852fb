/* What octavo.h promises about threads, from a C program with threads of its own.  test_threads MODEL PICTURE
 * A quantized model is made first, beside the work directory's other files. */
#include <octavo.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define THREADS 4
#define ROUNDS 12

static int failures = 0;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
#define CHECK(condition)                                                                                    \
  do {                                                                                                      \
    if (!(condition)) {                                                                                     \
      pthread_mutex_lock(&lock);                                                                            \
      fprintf(stderr, "%s:%d: %s (last error: %s)\n", __FILE__, __LINE__, #condition, octavo_last_error()); \
      ++failures;                                                                                           \
      pthread_mutex_unlock(&lock);                                                                          \
    }                                                                                                       \
  } while (0)

static const char* picture;
static const octavo_model* models[2];
static const char* const kPrompts[2] = {"Where is the purple circle?", "How many circles are there?"};
static char expected[2][2][512];

static void ask(const octavo_model* model, const char* prompt, char* answer) {
  octavo_generate_options options = OCTAVO_GENERATE_OPTIONS_INIT;
  octavo_generate_result result = OCTAVO_GENERATE_RESULT_INIT;
  options.sampling = OCTAVO_SAMPLING_GREEDY;
  options.max_new_tokens = 24;
  CHECK(octavo_generate(model, prompt, &picture, 1, &options, &result) == OCTAVO_OK);
  answer[0] = 0;
  if (result.text != NULL) strncat(answer, result.text, 511);
  octavo_string_release(result.text);
}

static void run(void* (*work)(void*)) {
  pthread_t threads[THREADS];
  int numbers[THREADS], i;
  for (i = 0; i < THREADS; ++i) {
    numbers[i] = i;
    CHECK(pthread_create(&threads[i], NULL, work, &numbers[i]) == 0);
  }
  for (i = 0; i < THREADS; ++i) pthread_join(threads[i], NULL);
}

/* An octavo_model is immutable and may be shared. */
static void* share_models(void* number) {
  char answer[512];
  int round;
  for (round = 0; round < ROUNDS; ++round) {
    const int model = (*(int*)number + round) % 2, prompt = (*(int*)number / 2 + round) % 2;
    ask(models[model], kPrompts[prompt], answer);
    CHECK(strcmp(answer, expected[model][prompt]) == 0);
  }
  return NULL;
}

/* A failure leaves its message and its shape fields on the calling thread. */
static void* own_last_error(void* number) {
  const int64_t columns = 9 + *(int*)number, wd[2] = {4, 8}, sd[1] = {4}, xd[2] = {2, columns};
  octavo_tensor *w = NULL, *s = NULL, *x = NULL, *y = NULL;
  octavo_linear* linear = NULL;
  int round;
  CHECK(strcmp(octavo_last_error(), "") == 0); /* "" before any */
  CHECK(octavo_tensor_create(OCTAVO_S8, wd, 2, &w) == OCTAVO_OK);
  CHECK(octavo_tensor_create(OCTAVO_F32, sd, 1, &s) == OCTAVO_OK);
  CHECK(octavo_tensor_create(OCTAVO_F32, xd, 2, &x) == OCTAVO_OK);
  {
    void* scales = NULL;
    int i;
    CHECK(octavo_tensor_data(s, &scales, NULL) == OCTAVO_OK);
    for (i = 0; i < 4; ++i) ((float*)scales)[i] = 0.5F;
  }
  CHECK(octavo_linear_w8a8_create(w, s, NULL, &linear) == OCTAVO_OK);
  for (round = 0; round < 200; ++round) {
    octavo_shape_error shape = OCTAVO_SHAPE_ERROR_INIT;
    char wanted[32];
    CHECK(octavo_linear_forward(linear, x, &y) == OCTAVO_SHAPE_MISMATCH);
    snprintf(wanted, sizeof wanted, "%d", (int)columns);
    CHECK(strstr(octavo_last_error(), wanted) != NULL);
    CHECK(octavo_last_shape_error(&shape) == OCTAVO_OK && shape.expected == 8 && shape.actual == columns);
  }
  octavo_linear_release(linear);
  octavo_tensor_release(w);
  octavo_tensor_release(s);
  octavo_tensor_release(x);
  return NULL;
}

/* A pool of the thread's own, or one that all share; released while it is used. */
static octavo_thread_pool* shared_pool;
static void* own_pool(void* number) {
  octavo_thread_pool* pool = shared_pool;
  char answer[512];
  int round;
  if (*(int*)number % 2 == 0) {
    CHECK(octavo_thread_pool_create(2, *(int*)number == 0 ? OCTAVO_THREADS_PINNED : OCTAVO_THREADS_ANYWHERE, &pool) ==
          OCTAVO_OK);
    CHECK(octavo_thread_pool_use(pool) == OCTAVO_OK);
    octavo_thread_pool_release(pool);
  } else {
    CHECK(octavo_thread_pool_use(pool) == OCTAVO_OK);
  }
  for (round = 0; round < 3; ++round) {
    ask(models[round % 2], kPrompts[0], answer);
    CHECK(strcmp(answer, expected[round % 2][0]) == 0);
  }
  if (*(int*)number < 2) { /* the others end while they use theirs */
    CHECK(octavo_thread_pool_use(NULL) == OCTAVO_OK);
    ask(models[0], kPrompts[0], answer);
    CHECK(strcmp(answer, expected[0][0]) == 0);
  }
  return NULL;
}
static void test_pools(void) {
  octavo_thread_pool* pool = NULL;
  CHECK(octavo_thread_pool_create(-1, OCTAVO_THREADS_ANYWHERE, &pool) == OCTAVO_INVALID_ARGUMENT);
  CHECK(octavo_thread_pool_create(5000, OCTAVO_THREADS_ANYWHERE, &pool) == OCTAVO_INVALID_ARGUMENT);
  CHECK(octavo_thread_pool_create(2, 2, &pool) == OCTAVO_INVALID_ARGUMENT);
  CHECK(strcmp(octavo_last_error(), "placement is 2, not one of OCTAVO_THREADS_*") == 0);
  CHECK(octavo_thread_pool_create(2, OCTAVO_THREADS_ANYWHERE, NULL) == OCTAVO_INVALID_ARGUMENT);
  CHECK(pool == NULL);
  octavo_thread_pool_release(NULL);
  CHECK(octavo_thread_pool_create(3, OCTAVO_THREADS_ANYWHERE, &shared_pool) == OCTAVO_OK);
  run(own_pool);
  octavo_thread_pool_release(shared_pool);
}

static int lines_of(const char* path) {
  FILE* file = fopen(path, "r");
  int count = 0, c;
  if (file == NULL) return -1;
  while ((c = fgetc(file)) != EOF) count += c == '\n';
  fclose(file);
  return count;
}

/* One trace per thread; a thread that ends while tracing completes its file. */
static void* own_trace(void* number) {
  char path[64], answer[512];
  snprintf(path, sizeof path, "octavo_threads_trace_%d.jsonl", *(int*)number);
  CHECK(octavo_trace_begin(path, NULL) == OCTAVO_OK);
  ask(models[0], kPrompts[0], answer);
  CHECK(strcmp(answer, expected[0][0]) == 0);
  if (*(int*)number != 0) CHECK(octavo_trace_end() == OCTAVO_OK);
  return NULL;
}

/* octavo_cancel_request from another thread, and from a signal handler. */
static octavo_cancel* cancel;
static void on_signal(int number) {
  (void)number;
  octavo_cancel_request(cancel);
}
static int32_t first_token(int32_t token, const char* text, void* begun) {
  (void)token, (void)text;
  __atomic_store_n((int*)begun, 1, __ATOMIC_SEQ_CST);
  return 0;
}
static int begun;
static void* generate_until_cancelled(void* out_result) {
  octavo_generate_options options = OCTAVO_GENERATE_OPTIONS_INIT;
  octavo_generate_result result = OCTAVO_GENERATE_RESULT_INIT;
  octavo_status status;
  int runs = 0;
  options.sampling = OCTAVO_SAMPLING_GREEDY;
  options.cancel = cancel;
  options.on_token = first_token;
  options.user_data = &begun;
  do { /* answers are short: ask again until the request has come */
    status = octavo_generate(models[0], kPrompts[0], &picture, 1, &options, &result);
    octavo_string_release(result.text);
    result.text = NULL;
  } while (status == OCTAVO_OK && result.finish_reason != OCTAVO_FINISH_CANCELLED && ++runs < 100000);
  CHECK(status == OCTAVO_CANCELLED || (status == OCTAVO_OK && result.finish_reason == OCTAVO_FINISH_CANCELLED));
  *(int*)out_result = 1;
  return NULL;
}
static void test_cancel(int by_signal) {
  pthread_t thread;
  int ended = 0;
  begun = 0;
  CHECK(octavo_cancel_create(&cancel) == OCTAVO_OK);
  CHECK(pthread_create(&thread, NULL, generate_until_cancelled, &ended) == 0);
  while (!__atomic_load_n(&begun, __ATOMIC_SEQ_CST)) {
  }
  if (by_signal)
    raise(SIGUSR1);
  else
    octavo_cancel_request(cancel);
  pthread_join(thread, NULL);
  CHECK(ended);
  octavo_cancel_release(cancel);
}

int main(int argc, char** argv) {
  octavo_quantize_options options = OCTAVO_QUANTIZE_OPTIONS_INIT;
  octavo_model *original = NULL, *quantized = NULL;
  int model, prompt, i, lines;
  char path[64];
  if (argc != 4) return fprintf(stderr, "usage: test_threads MODEL PICTURE OUT\n"), 2;
  picture = argv[2];
  options.overwrite = 1;
  options.recipe = "rtn";
  CHECK(octavo_quantize(argv[1], argv[3], &options, NULL) == OCTAVO_OK);
  CHECK(octavo_model_open(argv[1], &original) == OCTAVO_OK);
  CHECK(octavo_model_open(argv[3], &quantized) == OCTAVO_OK);
  if (failures != 0) return 1;
  models[0] = quantized;
  models[1] = original;
  for (model = 0; model < 2; ++model)
    for (prompt = 0; prompt < 2; ++prompt) ask(models[model], kPrompts[prompt], expected[model][prompt]);
  CHECK(strlen(expected[0][0]) > 4);

  run(share_models);
  run(own_last_error);
  test_pools();
  run(own_trace);
  lines = lines_of("octavo_threads_trace_1.jsonl");
  CHECK(lines > 100);
  for (i = 0; i < THREADS; ++i) {
    snprintf(path, sizeof path, "octavo_threads_trace_%d.jsonl", i);
    CHECK(lines_of(path) == lines); /* the one that was not ended, too */
    remove(path);
  }
  signal(SIGUSR1, on_signal);
  test_cancel(0);
  test_cancel(1);
  octavo_model_release(original);
  octavo_model_release(quantized);
  printf("%d failures\n", failures);
  return failures != 0;
}
