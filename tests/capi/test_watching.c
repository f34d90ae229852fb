/* What a host does to a call from outside, octavo_cancel_use, and what it hears of it, octavo_set_log.
 * test_watching MODEL_DIR PICTURE OUT_DIR */
#include <octavo.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>

#include "check.h"

/* ---- Cancelling ---- */

/* Another thread asks for the end in the middle of a call: at the operation `at` of those that this thread runs. */
typedef struct {
  octavo_cancel* cancel;
  int at, seen;
} Trigger;

static void* request(void* cancel) {
  octavo_cancel_request(cancel);
  return NULL;
}
static void on_record(const char* line, void* user_data) {
  Trigger* trigger = user_data;
  pthread_t thread;
  (void)line;
  if (++trigger->seen != trigger->at) return;
  CHECK(pthread_create(&thread, NULL, request, trigger->cancel) == 0);
  pthread_join(thread, NULL);
}

typedef struct {
  octavo_model* model;
  octavo_prompt* prompt; /* with a picture */
  octavo_prompt* whole;  /* the conversation that begins with it */
  octavo_session* session;
  octavo_tensor* made;
} Host;

static octavo_status feed(Host* host) { return octavo_session_feed(host->session, host->prompt); }
static octavo_status feed_many(Host* host) {
  octavo_session* const sessions[1] = {host->session};
  const octavo_prompt* const prompts[1] = {host->prompt};
  return octavo_sessions_feed(sessions, prompts, 1);
}
static octavo_status go_on(Host* host) { return octavo_session_continue(host->session, host->whole, NULL); }
static octavo_status logits(Host* host) {
  const float* values = NULL;
  return octavo_session_logits(host->session, &values, NULL);
}
static octavo_status encode(Host* host) { return octavo_model_encode_images(host->model, host->prompt, &host->made); }
static octavo_status hidden(Host* host) {
  const int64_t layer = -1;
  return octavo_model_hidden_states(host->model, host->prompt, &layer, 1, &host->made);
}
static octavo_status last_hidden(Host* host) {
  return octavo_model_last_hidden_state(host->model, host->prompt, OCTAVO_POOLING_NONE, &host->made);
}
static octavo_status all_logits(Host* host) {
  return octavo_model_logits_prompt(host->model, host->prompt, &host->made);
}

static octavo_status traced(Host* host, octavo_status (*call)(Host*), Trigger* trigger) {
  octavo_trace_options trace = OCTAVO_TRACE_OPTIONS_INIT;
  octavo_status status;
  trace.on_record = on_record;
  trace.user_data = trigger;
  trigger->seen = 0;
  CHECK(octavo_trace_begin(NULL, &trace) == OCTAVO_OK);
  status = call(host);
  CHECK(octavo_trace_end() == OCTAVO_OK);
  return status;
}

static octavo_session* copy_of(const octavo_session* session) {
  octavo_session* copy = NULL;
  CHECK(octavo_session_fork(session, &copy) == OCTAVO_OK);
  return copy;
}

static int same_session(const octavo_session* a, const octavo_session* b) {
  char *left = NULL, *right = NULL;
  size_t left_size = 0, right_size = 0;
  int same;
  CHECK(octavo_session_to_bytes(a, &left, &left_size) == OCTAVO_OK);
  CHECK(octavo_session_to_bytes(b, &right, &right_size) == OCTAVO_OK);
  same = left != NULL && right != NULL && left_size == right_size && memcmp(left, right, left_size) == 0;
  octavo_string_release(left);
  octavo_string_release(right);
  return same;
}

/* Cancelled at six places of its way, and whole afterwards. */
static void cancelled_in_the_middle(Host* host, octavo_cancel* cancel, octavo_status (*call)(Host*)) {
  octavo_session* const before = copy_of(host->session);
  octavo_session* const used = host->session;
  Trigger trigger = {cancel, 0, 0};
  int operations, part;
  host->session = copy_of(before);
  CHECK(traced(host, call, &trigger) == OCTAVO_OK);
  operations = trigger.seen;
  CHECK(operations > 8);
  octavo_session_release(host->session);
  host->session = used;
  CHECK(octavo_cancel_use(cancel) == OCTAVO_OK);
  for (part = 0; part < 6; ++part) {
    trigger.at = 1 + operations * part / 8;
    octavo_tensor_release(host->made);
    host->made = NULL;
    CHECK(traced(host, call, &trigger) == OCTAVO_CANCELLED);
    CHECK(trigger.seen < operations && host->made == NULL);
    octavo_cancel_reset(cancel);
    CHECK(same_session(host->session, before));
  }
  CHECK(call(host) == OCTAVO_OK);
  octavo_tensor_release(host->made);
  host->made = NULL;
  CHECK(octavo_cancel_use(NULL) == OCTAVO_OK);
  octavo_cancel_request(cancel); /* nobody looks */
  CHECK(call == logits || call(host) == OCTAVO_OK);
  octavo_cancel_reset(cancel);
  octavo_session_release(before);
  octavo_tensor_release(host->made);
  host->made = NULL;
  CHECK(octavo_session_reset(host->session) == OCTAVO_OK);
}

static void test_calls(Host* host, octavo_cancel* cancel) {
  octavo_generate_options options = OCTAVO_GENERATE_OPTIONS_INIT;
  octavo_generate_result result = OCTAVO_GENERATE_RESULT_INIT;
  options.sampling = OCTAVO_SAMPLING_GREEDY;
  options.max_new_tokens = 3;
  cancelled_in_the_middle(host, cancel, feed);
  cancelled_in_the_middle(host, cancel, feed_many);
  cancelled_in_the_middle(host, cancel, go_on);
  cancelled_in_the_middle(host, cancel, encode);
  cancelled_in_the_middle(host, cancel, hidden);
  cancelled_in_the_middle(host, cancel, last_hidden);
  cancelled_in_the_middle(host, cancel, all_logits);
  CHECK(feed(host) == OCTAVO_OK);
  CHECK(octavo_session_generate(host->session, &options, &result) == OCTAVO_OK);
  octavo_generate_result_release(&result);
  cancelled_in_the_middle(host, cancel, logits); /* which runs the answer's last token */
}

static int32_t at_second(const octavo_token_event* event, void* user_data) {
  static int seen = 0;
  (void)event;
  if (++seen == 2) octavo_cancel_request(user_data);
  return 0;
}

/* What ends with an answer so far, also where the handle is gone. */
static void test_generate(Host* host) {
  octavo_cancel* cancel = NULL;
  octavo_generate_options options = OCTAVO_GENERATE_OPTIONS_INIT;
  octavo_generate_result result = OCTAVO_GENERATE_RESULT_INIT;
  CHECK(octavo_cancel_create(&cancel) == OCTAVO_OK);
  options.sampling = OCTAVO_SAMPLING_GREEDY;
  options.max_new_tokens = 12;
  options.ignore_eos = 1;
  options.on_event = at_second;
  options.user_data = cancel;
  CHECK(octavo_cancel_use(cancel) == OCTAVO_OK);
  CHECK(octavo_generate_prompt(host->model, host->prompt, &options, &result) == OCTAVO_OK);
  CHECK(result.new_tokens == 2 && result.finish_reason == OCTAVO_FINISH_CANCELLED);
  octavo_generate_result_release(&result);
  octavo_cancel_release(cancel); /* the thread keeps it */
  CHECK(feed(host) == OCTAVO_CANCELLED);
  CHECK(octavo_cancel_use(NULL) == OCTAVO_OK);
  CHECK(feed(host) == OCTAVO_OK);
  CHECK(octavo_session_reset(host->session) == OCTAVO_OK);
}

/* A second call of a session, by a callback or by another thread, is told so, and spoils nothing. */
typedef struct {
  Host* host;
  octavo_status nested, beside;
} Second;
static void* call_beside(void* data) {
  Second* second = data;
  second->beside = octavo_session_truncate(second->host->session, 0);
  SAYS("session is in a call of another thread");
  return NULL;
}
static int32_t call_again(const octavo_token_event* event, void* data) {
  Second* second = data;
  pthread_t thread;
  size_t count = 0;
  (void)event;
  second->nested = feed(second->host);
  SAYS("session is in a call already, whose callback called it again");
  CHECK(octavo_session_tokens(second->host->session, NULL, &count) == OCTAVO_OK && count > 0);
  CHECK(pthread_create(&thread, NULL, call_beside, second) == 0);
  pthread_join(thread, NULL);
  return 0;
}
static void test_second_call(Host* host) {
  octavo_generate_options options = OCTAVO_GENERATE_OPTIONS_INIT;
  octavo_generate_result expected = OCTAVO_GENERATE_RESULT_INIT, result = OCTAVO_GENERATE_RESULT_INIT;
  Second second = {NULL, OCTAVO_OK, OCTAVO_OK};
  second.host = host;
  options.sampling = OCTAVO_SAMPLING_GREEDY;
  options.max_new_tokens = 4;
  CHECK(octavo_generate_prompt(host->model, host->prompt, &options, &expected) == OCTAVO_OK);
  CHECK(feed(host) == OCTAVO_OK);
  options.on_event = call_again;
  options.user_data = &second;
  CHECK(octavo_session_generate(host->session, &options, &result) == OCTAVO_OK);
  CHECK(second.nested == OCTAVO_INVALID_ARGUMENT && second.beside == OCTAVO_INVALID_ARGUMENT);
  CHECK(expected.text != NULL && result.text != NULL && strcmp(expected.text, result.text) == 0);
  octavo_generate_result_release(&expected);
  octavo_generate_result_release(&result);
  CHECK(octavo_session_reset(host->session) == OCTAVO_OK);
}

static const char* const kLinear = "visual.blocks.0.attn.qkv";

/* Requested beforehand: nothing is done, and nothing is lost. */
static void test_parts(const char* model_dir, const char* out_dir, Host* host, octavo_cancel* cancel) {
  enum { K = 64, N = 8, T = 200 };
  const int64_t wd[2] = {N, K}, xd[2] = {T, K};
  static float w[N * K], x[T * K];
  octavo_tensor *weight = NULL, *rows = NULL, *integers = NULL, *scales = NULL, *stored = NULL;
  octavo_hessian* hessian = NULL;
  octavo_gptq_options rtn = OCTAVO_GPTQ_OPTIONS_INIT;
  octavo_gptq_result loss = OCTAVO_GPTQ_RESULT_INIT;
  octavo_quantize_options quantize = OCTAVO_QUANTIZE_OPTIONS_INIT;
  octavo_model* model = NULL;
  octavo_blocks* blocks = NULL;
  octavo_block* block = NULL;
  octavo_block_state* state = NULL;
  octavo_writer* writer = NULL;
  int32_t wrong = -1;
  int64_t problems = -1;
  size_t i;
  for (i = 0; i < N * K; ++i) w[i] = (float)((int)(i * 37 % 101) - 50) / 50.0F;
  for (i = 0; i < T * K; ++i) x[i] = (float)((int)(i * 53 % 97) - 48) / 48.0F;
  CHECK(octavo_tensor_borrow(w, OCTAVO_F32, wd, 2, &weight) == OCTAVO_OK);
  CHECK(octavo_tensor_borrow(x, OCTAVO_F32, xd, 2, &rows) == OCTAVO_OK);
  CHECK(octavo_hessian_create(K, &hessian) == OCTAVO_OK);
  CHECK(octavo_blocks_create(host->model, &blocks) == OCTAVO_OK);
  CHECK(octavo_block_load(blocks, OCTAVO_TOWER_VISION, 0, &block) == OCTAVO_OK);
  CHECK(octavo_blocks_begin_vision(blocks, host->prompt, &state) == OCTAVO_OK);
  CHECK(octavo_writer_create(model_dir, out_dir, NULL, &writer) == OCTAVO_OK);
  rtn.method = OCTAVO_METHOD_RTN;
  rtn.scale_dtype = OCTAVO_BF16;
  CHECK(octavo_block_weight(block, kLinear, &stored) == OCTAVO_OK);
  CHECK(octavo_gptq_quantize_layer(stored, NULL, &rtn, &integers, &scales, NULL) == OCTAVO_OK);
  CHECK(octavo_writer_add(writer, kLinear, OCTAVO_SCHEME_W8A8, integers, scales) == OCTAVO_OK);
  octavo_tensor_release(stored);
  octavo_tensor_release(integers);
  octavo_tensor_release(scales);
  integers = scales = NULL;
  octavo_cancel_request(cancel);
  CHECK(octavo_cancel_use(cancel) == OCTAVO_OK);
  CHECK(octavo_hessian_add(hessian, rows) == OCTAVO_CANCELLED);
  CHECK(octavo_model_open(model_dir, &model) == OCTAVO_CANCELLED && model == NULL);
  CHECK(octavo_block_forward(block, state, NULL, NULL) == OCTAVO_CANCELLED);
  CHECK(octavo_compare(model_dir, model_dir, NULL, &wrong, NULL) == OCTAVO_CANCELLED && wrong == -1);
  CHECK(octavo_writer_finish(writer) == OCTAVO_CANCELLED);
  quantize.recipe = "rtn";
  CHECK(octavo_quantize(model_dir, out_dir, &quantize, NULL) == OCTAVO_CANCELLED);
  octavo_cancel_reset(cancel);
  CHECK(octavo_writer_finish(writer) == OCTAVO_INVALID_ARGUMENT); /* of no more use */
  octavo_writer_release(writer);
  CHECK(octavo_check(out_dir, &problems, NULL) == OCTAVO_NOT_FOUND); /* nothing is left of it */
  CHECK(octavo_block_forward(block, state, NULL, NULL) == OCTAVO_OK);
  CHECK(octavo_hessian_add(hessian, rows) == OCTAVO_OK);
  octavo_cancel_request(cancel);
  CHECK(octavo_gptq_quantize_layer(weight, hessian, NULL, &integers, &scales, &loss) == OCTAVO_CANCELLED);
  CHECK(integers == NULL && scales == NULL && loss.loss == 0);
  octavo_cancel_reset(cancel);
  CHECK(octavo_gptq_quantize_layer(weight, hessian, NULL, &integers, &scales, &loss) == OCTAVO_OK);
  CHECK(loss.loss > 0 && loss.loss < loss.rtn_loss);
  CHECK(octavo_cancel_use(NULL) == OCTAVO_OK);
  octavo_tensor_release(weight);
  octavo_tensor_release(rows);
  octavo_tensor_release(integers);
  octavo_tensor_release(scales);
  octavo_hessian_release(hessian);
  octavo_block_release(block);
  octavo_block_state_release(state);
  octavo_blocks_release(blocks);
}

/* ---- The log ---- */

typedef struct {
  pthread_mutex_t lock;
  int lines, warnings, closed, late;
  octavo_status nested;
  char text[16384];
} Heard;

static void hear(int32_t level, const char* module, const char* line, void* user_data) {
  Heard* heard = user_data;
  pthread_mutex_lock(&heard->lock);
  ++heard->lines;
  heard->warnings += level == OCTAVO_LOG_WARNING;
  heard->late += heard->closed;
  CHECK(strchr(line, '\n') == NULL);
  if (strlen(heard->text) + strlen(module) + strlen(line) + 4 < sizeof heard->text) {
    strcat(heard->text, module);
    strcat(heard->text, ": ");
    strcat(heard->text, line);
    strcat(heard->text, "\n");
  }
  heard->nested = octavo_set_log(NULL, NULL, OCTAVO_LOG_INFO);
  pthread_mutex_unlock(&heard->lock);
}

static Heard* new_heard(void) {
  Heard* heard = calloc(1, sizeof *heard);
  pthread_mutex_init(&heard->lock, NULL);
  return heard;
}

static void test_lines(const char* model_dir) {
  enum { K = 32, N = 8 };
  const int64_t wd[2] = {N, K}, sd[1] = {N};
  Heard* heard = new_heard();
  octavo_model* model = NULL;
  octavo_model_options options = OCTAVO_MODEL_OPTIONS_INIT;
  octavo_tensor *w = NULL, *s = NULL;
  octavo_linear* linear = NULL;
  void* scales = NULL;
  int i;
  CHECK(octavo_set_log(hear, heard, 3) == OCTAVO_INVALID_ARGUMENT);
  CHECK(octavo_set_log(hear, heard, -1) == OCTAVO_INVALID_ARGUMENT);
  CHECK(octavo_set_log(hear, heard, OCTAVO_LOG_INFO) == OCTAVO_OK);
  options.lm_head = OCTAVO_LM_HEAD_INT8;
  CHECK(octavo_model_open_with(model_dir, &options, &model) == OCTAVO_OK);
  CHECK(strstr(heard->text, "model: opened ") != NULL);
  CHECK(strstr(heard->text, "gemm: int8 products: ") != NULL);
  CHECK(strstr(heard->text, "gemm: float products: ") != NULL);
  CHECK(strstr(heard->text, "tensor: loops run on ") != NULL);
  CHECK(strstr(heard->text, "model: lm_head: a copy in int8 of ") != NULL);
  CHECK(strstr(heard->text, "packed") == NULL);    /* which is OCTAVO_LOG_DEBUG */
  CHECK(heard->nested == OCTAVO_INVALID_ARGUMENT); /* from inside the callback */
  CHECK(octavo_set_log(hear, heard, OCTAVO_LOG_DEBUG) == OCTAVO_OK);
  CHECK(octavo_tensor_create(OCTAVO_S8, wd, 2, &w) == OCTAVO_OK);
  CHECK(octavo_tensor_create(OCTAVO_F32, sd, 1, &s) == OCTAVO_OK);
  CHECK(octavo_tensor_data(s, &scales, NULL) == OCTAVO_OK);
  for (i = 0; i < N; ++i) ((float*)scales)[i] = 0.5F;
  CHECK(octavo_linear_w8a8_create(w, s, NULL, &linear) == OCTAVO_OK);
  CHECK(strstr(heard->text, "gemm: weight [8, 32] packed for ") != NULL);
  CHECK(octavo_set_log(hear, heard, OCTAVO_LOG_WARNING) == OCTAVO_OK);
  i = heard->lines;
  octavo_model_release(model);
  CHECK(octavo_model_open(model_dir, &model) == OCTAVO_OK);
  CHECK(heard->lines - i == heard->warnings);
  CHECK(octavo_set_log(NULL, NULL, OCTAVO_LOG_DEBUG) == OCTAVO_OK);
  octavo_model_release(model);
  octavo_linear_release(linear);
  octavo_tensor_release(w);
  octavo_tensor_release(s);
  free(heard);
}

static const char* opened_dir;
static void* open_many(void* none) {
  int i;
  (void)none;
  for (i = 0; i < 20; ++i) {
    octavo_model* model = NULL;
    CHECK(octavo_model_open(opened_dir, &model) == OCTAVO_OK);
    octavo_model_release(model);
  }
  return NULL;
}

/* Callbacks come and go while threads log; one that was taken away is never called again. */
static void test_threads(const char* model_dir) {
  enum { THREADS = 4, ROUNDS = 40 };
  pthread_t threads[THREADS];
  Heard* all[ROUNDS];
  int i, lines = 0;
  opened_dir = model_dir;
  for (i = 0; i < THREADS; ++i) CHECK(pthread_create(&threads[i], NULL, open_many, NULL) == 0);
  for (i = 0; i < ROUNDS; ++i) {
    octavo_model* model = NULL;
    all[i] = new_heard();
    CHECK(octavo_set_log(hear, all[i], OCTAVO_LOG_DEBUG) == OCTAVO_OK);
    CHECK(octavo_model_open(model_dir, &model) == OCTAVO_OK);
    octavo_model_release(model);
    CHECK(octavo_set_log(NULL, NULL, OCTAVO_LOG_DEBUG) == OCTAVO_OK);
    all[i]->closed = 1; /* without the lock: nobody else has it any more */
    CHECK(all[i]->lines > 0);
  }
  for (i = 0; i < THREADS; ++i) pthread_join(threads[i], NULL);
  for (i = 0; i < ROUNDS; ++i) {
    lines += all[i]->lines;
    CHECK(all[i]->late == 0);
    free(all[i]);
  }
  CHECK(lines > ROUNDS);
}

static octavo_prompt* prompt_of(const octavo_model* model, const octavo_image* image, const char* answer) {
  octavo_messages* messages = NULL;
  octavo_prompt* prompt = NULL;
  CHECK(octavo_messages_create(&messages) == OCTAVO_OK);
  CHECK(octavo_messages_add(messages, "user", "Where is it?") == OCTAVO_OK);
  CHECK(octavo_messages_add_image(messages, image) == OCTAVO_OK);
  if (answer != NULL) {
    CHECK(octavo_messages_add(messages, "assistant", answer) == OCTAVO_OK);
    CHECK(octavo_messages_add(messages, "user", "And now?") == OCTAVO_OK);
  }
  CHECK(octavo_prompt_create(model, messages, NULL, &prompt) == OCTAVO_OK);
  octavo_messages_release(messages);
  return prompt;
}

int main(int argc, char** argv) {
  Host host = {NULL, NULL, NULL, NULL, NULL};
  octavo_image* image = NULL;
  octavo_cancel* cancel = NULL;
  if (argc != 4) {
    fprintf(stderr, "usage: %s MODEL_DIR PICTURE OUT_DIR\n", argv[0]);
    return 2;
  }
  CHECK(octavo_model_open(argv[1], &host.model) == OCTAVO_OK);
  CHECK(octavo_image_open(argv[2], NULL, &image) == OCTAVO_OK);
  CHECK(octavo_cancel_create(&cancel) == OCTAVO_OK);
  if (failures == 0) {
    host.prompt = prompt_of(host.model, image, NULL);
    host.whole = prompt_of(host.model, image, "There.");
    CHECK(octavo_session_create(host.model, NULL, &host.session) == OCTAVO_OK);
    test_calls(&host, cancel);
    test_generate(&host);
    test_second_call(&host);
    test_parts(argv[1], argv[3], &host, cancel);
    test_lines(argv[1]);
    test_threads(argv[1]);
  }
  octavo_session_release(host.session);
  octavo_prompt_release(host.prompt);
  octavo_prompt_release(host.whole);
  octavo_cancel_release(cancel);
  octavo_image_release(image);
  octavo_model_release(host.model);
  if (failures == 0) printf("watching: ok\n");
  return failures == 0 ? 0 : 1;
}
