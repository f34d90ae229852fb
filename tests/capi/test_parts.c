/* The parts of octavo.h that a program builds its own jobs from. Each check says what failed and where; the exit status
 * is the number of failures.
 *   test_parts MODEL_DIR PICTURE OUT_DIR */
#include <fcntl.h>
#include <malloc.h>
#include <math.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"

static const char* const kFiles[] = {"config.json",
                                     "generation_config.json",
                                     "model.safetensors",
                                     "tokenizer.json",
                                     "tokenizer_config.json",
                                     "preprocessor_config.json",
                                     "chat_template.json",
                                     "vocab.json",
                                     "merges.txt"};
enum { FILE_COUNT = sizeof kFiles / sizeof *kFiles };

static void test_version(void) {
  char expected[64];
  char* json = NULL;
  snprintf(expected, sizeof expected, "%d.%d.%d", OCTAVO_VERSION_MAJOR, OCTAVO_VERSION_MINOR, OCTAVO_VERSION_PATCH);
  CHECK(strcmp(octavo_version(), expected) == 0);
  CHECK(octavo_abi_version() == OCTAVO_ABI_VERSION);
  CHECK(octavo_build_info(NULL) == OCTAVO_INVALID_ARGUMENT);
  CHECK(octavo_build_info(&json) == OCTAVO_OK);
  if (json != NULL) {
    CHECK(strstr(json, expected) != NULL);
    CHECK(strstr(json, "\"int8_backend\":{\"name\":") != NULL);
    CHECK(strstr(json, "\"instruction_sets\":[") != NULL);
  }
  octavo_string_release(json);
}

/* What is out of an allocator, and how much ever was. */
typedef struct {
  long blocks, bytes, most;
} Arena;
static void* arena_allocate(size_t size, size_t alignment, void* user_data) {
  Arena* arena = user_data;
  void* memory = NULL;
  if (posix_memalign(&memory, alignment, size) != 0) return NULL;
  __atomic_add_fetch(&arena->blocks, 1, __ATOMIC_SEQ_CST);
  __atomic_add_fetch(&arena->most, (long)size, __ATOMIC_SEQ_CST);
  __atomic_add_fetch(&arena->bytes, (long)size, __ATOMIC_SEQ_CST);
  return memory;
}
static void arena_free(void* memory, size_t size, void* user_data) {
  Arena* arena = user_data;
  __atomic_sub_fetch(&arena->blocks, 1, __ATOMIC_SEQ_CST);
  __atomic_sub_fetch(&arena->bytes, (long)size, __ATOMIC_SEQ_CST);
  free(memory);
}

static void test_allocator(const char* model_dir, const octavo_prompt* prompt) {
  static Arena arena; /* outlives every buffer */
  octavo_model* model = NULL;
  octavo_tensor* tensor = NULL;
  octavo_generate_options options = OCTAVO_GENERATE_OPTIONS_INIT;
  octavo_generate_result result = OCTAVO_GENERATE_RESULT_INIT;
  const int64_t dims[1] = {100000};
  CHECK(octavo_set_allocator(arena_allocate, NULL, NULL) == OCTAVO_INVALID_ARGUMENT);
  CHECK(octavo_set_allocator(arena_allocate, arena_free, &arena) == OCTAVO_OK);
  CHECK(octavo_tensor_create(OCTAVO_F32, dims, 1, &tensor) == OCTAVO_OK);
  CHECK(arena.blocks == 1 && arena.bytes >= 400000);
  CHECK(octavo_model_open(model_dir, &model) == OCTAVO_OK);
  options.max_new_tokens = 4;
  options.sampling = OCTAVO_SAMPLING_GREEDY;
  CHECK(octavo_generate_prompt(model, prompt, &options, &result) == OCTAVO_OK);
  CHECK(arena.most > 1000000); /* caches and activations came from there */
  CHECK(octavo_set_allocator(NULL, NULL, NULL) == OCTAVO_OK);
  octavo_string_release(result.text);
  octavo_model_release(model);
  octavo_tensor_release(tensor); /* goes back to the allocator that it came from */
  CHECK(arena.blocks == 0 && arena.bytes == 0);
}

/* Memory of the system's own, which malloc does not count. */
static void* map_pages(size_t size, size_t alignment, void* user_data) {
  Arena* arena = user_data;
  const size_t room = size + alignment;
  char* memory = mmap(NULL, room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  size_t skipped;
  if (memory == MAP_FAILED) return NULL;
  skipped = (alignment - (uintptr_t)memory % alignment) % alignment;
  if (skipped >= 4096) munmap(memory, skipped / 4096 * 4096);
  __atomic_add_fetch(&arena->blocks, 1, __ATOMIC_SEQ_CST);
  __atomic_add_fetch(&arena->most, (long)size, __ATOMIC_SEQ_CST);
  __atomic_add_fetch(&arena->bytes, (long)size, __ATOMIC_SEQ_CST);
  return memory + skipped;
}
static void unmap_pages(void* memory, size_t size, void* user_data) {
  Arena* arena = user_data;
  __atomic_sub_fetch(&arena->blocks, 1, __ATOMIC_SEQ_CST);
  __atomic_sub_fetch(&arena->bytes, (long)size, __ATOMIC_SEQ_CST);
  munmap(memory, size);
}

/* The most that a run held that did not come from the allocator: its answer, and small things. */
static long from_malloc(void) {
  const struct mallinfo2 heap = mallinfo2();
  return (long)(heap.uordblks + heap.hblkhd);
}
static int32_t measure(const octavo_token_event* event, void* user_data) {
  long* most = user_data;
  const long now = from_malloc();
  (void)event;
  if (now > *most) *most = now;
  return 0;
}
typedef struct {
  const octavo_model* model;
  const octavo_prompt* prompt;
  long most;
} AllocatorJob;
static void* answer_measured(void* data) {
  AllocatorJob* job = data;
  octavo_generate_options options = OCTAVO_GENERATE_OPTIONS_INIT;
  octavo_generate_result result = OCTAVO_GENERATE_RESULT_INIT;
  options.max_new_tokens = 4;
  options.sampling = OCTAVO_SAMPLING_GREEDY;
  options.on_event = measure;
  options.user_data = &job->most;
  CHECK(octavo_generate_prompt(job->model, job->prompt, &options, &result) == OCTAVO_OK);
  octavo_generate_result_release(&result);
  return NULL;
}

/* All large buffers of a run: activations, caches, what threads keep. */
static void test_allocator_covers(const octavo_model* model, const octavo_prompt* prompt) {
  static Arena arena;
  AllocatorJob job = {model, prompt, 0};
  pthread_t thread;
  long before;
  answer_measured(&job); /* what is made once: tables of the tokenizer, tests of backends */
  CHECK(octavo_set_allocator(map_pages, unmap_pages, &arena) == OCTAVO_OK);
  before = from_malloc();
  job.most = 0;
  answer_measured(&job);
  CHECK(arena.most > 1000000);
  CHECK(arena.bytes > 0); /* what threads keep */
  CHECK(job.most - before < 65536);
  CHECK(pthread_create(&thread, NULL, answer_measured, &job) == 0);
  pthread_join(thread, NULL);
  CHECK(octavo_set_allocator(NULL, NULL, NULL) == OCTAVO_OK);
  CHECK(arena.blocks == 0 && arena.bytes == 0);
}

static void test_info(const octavo_model* model) {
  octavo_model_info info = OCTAVO_MODEL_INFO_INIT;
  char* json = NULL;
  CHECK(octavo_model_get_info(model, &info) == OCTAVO_OK);
  CHECK(info.hidden_size == 192 && info.num_layers == 5 && info.num_heads == 6 && info.num_kv_heads == 2);
  CHECK(info.vocab_size == 432 && info.max_position_embeddings == 4096 && info.vision_num_blocks == 4);
  CHECK(info.image_token_id == 414 && info.is_quantized == 0 && info.num_w8a8 == 0 && info.num_float > 0);
  CHECK(info.stored_bytes >= 2 * (uint64_t)info.num_parameters && info.num_parameters > 0);
  info.struct_size = 8;
  CHECK(octavo_model_get_info(model, &info) == OCTAVO_INVALID_ARGUMENT);
  CHECK(octavo_model_describe(model, &json) == OCTAVO_OK);
  CHECK(json != NULL && strstr(json, "{\"id\":404,\"text\":\"<|im_end|>\"}") != NULL);
  CHECK(json != NULL && strstr(json, "\"contract\":\"linear: x[M,K]") != NULL);
  octavo_string_release(json);
  json = NULL;
  CHECK(octavo_model_config(model, &json) == OCTAVO_OK);
  CHECK(json != NULL && strstr(json, "\"hidden_size\":192") != NULL);
  octavo_string_release(json);
}

/* A model opened from memory and from descriptors. */

typedef struct {
  int calls, stop_at;
  int64_t last, total;
} Watched;
static int32_t watch(const char* stage, int64_t done, int64_t total, void* user_data) {
  Watched* watched = user_data;
  (void)stage;
  ++watched->calls;
  watched->last = done;
  watched->total = total;
  return watched->calls == watched->stop_at;
}

static char* answer_of(const octavo_model* model, const octavo_prompt* prompt) {
  octavo_generate_options options = OCTAVO_GENERATE_OPTIONS_INIT;
  octavo_generate_result result = OCTAVO_GENERATE_RESULT_INIT;
  options.sampling = OCTAVO_SAMPLING_GREEDY;
  CHECK(octavo_generate_prompt(model, prompt, &options, &result) == OCTAVO_OK);
  return result.text;
}

static void test_open(const char* model_dir, const octavo_model* expected, const octavo_prompt* prompt) {
  octavo_memory_file memory[FILE_COUNT];
  octavo_descriptor_file descriptors[FILE_COUNT];
  octavo_model_options options = OCTAVO_MODEL_OPTIONS_INIT;
  octavo_model* model = NULL;
  octavo_cancel* cancel = NULL;
  Watched watched = {0, 0, 0, 0};
  char* answer = answer_of(expected, prompt);
  size_t count = 0, i;
  for (i = 0; i < FILE_COUNT; ++i) {
    char path[4096];
    struct stat status;
    int fd;
    char* content;
    snprintf(path, sizeof path, "%s/%s", model_dir, kFiles[i]);
    fd = open(path, O_RDONLY);
    if (fd < 0) continue;
    CHECK(fstat(fd, &status) == 0);
    content = malloc((size_t)status.st_size);
    CHECK(content != NULL && read(fd, content, (size_t)status.st_size) == status.st_size);
    memory[count].name = descriptors[count].name = kFiles[i];
    memory[count].data = content;
    memory[count].size = (size_t)status.st_size;
    descriptors[count].descriptor = fd; /* stands at its end */
    descriptors[count].reserved0 = 0;
    ++count;
  }
  CHECK(count >= 4);
  options.progress = watch;
  options.user_data = &watched;
  CHECK(octavo_model_open_memory("bundle", memory, count, &options, &model) == OCTAVO_OK);
  CHECK(watched.calls == 2 + 5 + 4 && watched.last == watched.total);
  if (model != NULL) {
    char* text = answer_of(model, prompt);
    CHECK(text != NULL && answer != NULL && strcmp(text, answer) == 0);
    octavo_string_release(text);
  }
  octavo_model_release(model);
  model = NULL;
  CHECK(octavo_model_open_descriptors("bundle", descriptors, count, NULL, &model) == OCTAVO_OK);
  for (i = 0; i < count; ++i) close(descriptors[i].descriptor);
  if (model != NULL) {
    char* text = answer_of(model, prompt);
    CHECK(text != NULL && answer != NULL && strcmp(text, answer) == 0);
    octavo_string_release(text);
  }
  octavo_model_release(model);
  model = NULL;

  watched.calls = 0;
  watched.stop_at = 3;
  CHECK(octavo_model_open_with(model_dir, &options, &model) == OCTAVO_CANCELLED && model == NULL);
  CHECK(watched.calls == 3);
  options.progress = NULL;
  CHECK(octavo_cancel_create(&cancel) == OCTAVO_OK);
  options.cancel = cancel;
  octavo_cancel_request(cancel);
  CHECK(octavo_model_open_with(model_dir, &options, &model) == OCTAVO_CANCELLED && model == NULL);
  octavo_cancel_release(cancel);
  CHECK(octavo_model_open_memory("bundle", memory + 1, count - 1, NULL, &model) == OCTAVO_NOT_FOUND);
  CHECK(strstr(octavo_last_error(), "bundle") != NULL && model == NULL);
  CHECK(octavo_model_open_memory("bundle", NULL, 1, NULL, &model) == OCTAVO_INVALID_ARGUMENT);
  for (i = 0; i < count; ++i) free((void*)memory[i].data);
  octavo_string_release(answer);
}

static const float* floats_of(const octavo_tensor* tensor, size_t* out_count) {
  const void* data = NULL;
  size_t bytes = 0;
  CHECK(octavo_tensor_read(tensor, &data, &bytes) == OCTAVO_OK);
  *out_count = bytes / 4;
  return data;
}

static void test_hidden(const octavo_model* model, const octavo_prompt* prompt, const octavo_prompt* text_prompt) {
  octavo_tensor *images = NULL, *rows = NULL, *mean = NULL, *last = NULL, *layers[2] = {NULL, NULL};
  const int64_t asked[2] = {-1, 0}, beyond[1] = {5};
  int64_t dim = 0, length = 0;
  size_t count = 0, pooled = 0, i;
  CHECK(octavo_model_encode_images(model, text_prompt, &images) == OCTAVO_INVALID_ARGUMENT);
  CHECK(octavo_model_encode_images(model, prompt, &images) == OCTAVO_OK);
  CHECK(octavo_tensor_dim(images, 1, &dim) == OCTAVO_OK && dim == 192);
  CHECK(octavo_model_hidden_states(model, prompt, beyond, 1, layers) == OCTAVO_INVALID_ARGUMENT && layers[0] == NULL);
  CHECK(octavo_model_hidden_states(model, prompt, asked, 2, layers) == OCTAVO_OK);
  CHECK(octavo_tensor_dim(layers[1], 1, &dim) == OCTAVO_OK && dim == 192);
  CHECK(octavo_model_last_hidden_state(model, prompt, 7, &rows) == OCTAVO_INVALID_ARGUMENT);
  CHECK(octavo_model_last_hidden_state(model, prompt, OCTAVO_POOLING_NONE, &rows) == OCTAVO_OK);
  CHECK(octavo_model_last_hidden_state(model, prompt, OCTAVO_POOLING_MEAN, &mean) == OCTAVO_OK);
  CHECK(octavo_model_last_hidden_state(model, prompt, OCTAVO_POOLING_LAST, &last) == OCTAVO_OK);
  CHECK(octavo_tensor_dim(rows, 0, &length) == OCTAVO_OK && length > 1);
  if (rows != NULL && mean != NULL && last != NULL) {
    const float *all = floats_of(rows, &count), *means = floats_of(mean, &pooled), *ends = floats_of(last, &pooled);
    double sum = 0;
    CHECK(pooled == 192 && count == 192 * (size_t)length);
    for (i = 0; i < count; i += 192) sum += all[i];
    CHECK(fabs(sum / (double)length - means[0]) < 1e-5);
    CHECK(memcmp(ends, all + count - 192, 192 * sizeof(float)) == 0);
  }
  octavo_tensor_release(images);
  octavo_tensor_release(rows);
  octavo_tensor_release(mean);
  octavo_tensor_release(last);
  octavo_tensor_release(layers[0]);
  octavo_tensor_release(layers[1]);
}

typedef struct {
  int lines, products;
} Heard;
static void hear(const char* line, void* user_data) {
  Heard* heard = user_data;
  ++heard->lines;
  if (strstr(line, "\"operation\":\"linear\"") != NULL) ++heard->products;
}

static void test_trace(const octavo_model* model, const octavo_prompt* prompt) {
  octavo_trace_options options = OCTAVO_TRACE_OPTIONS_INIT;
  octavo_tensor* rows = NULL;
  Heard heard = {0, 0};
  options.on_record = hear;
  options.user_data = &heard;
  CHECK(octavo_trace_begin(NULL, NULL) == OCTAVO_INVALID_ARGUMENT);
  CHECK(octavo_trace_begin(NULL, &options) == OCTAVO_OK);
  CHECK(octavo_model_last_hidden_state(model, prompt, OCTAVO_POOLING_NONE, &rows) == OCTAVO_OK);
  CHECK(octavo_trace_end() == OCTAVO_OK);
  CHECK(heard.lines > 50 && heard.products >= 5 * 7);
  octavo_tensor_release(rows);
}

/* A calibration loop: two blocks of the language model by GPTQ, each on what the blocks before it give, quantized. */

typedef struct {
  char group[8][128];
  octavo_hessian* hessian[8];
  size_t count;
} Hessians;
static size_t group_of(Hessians* all, const char* group) {
  size_t i = 0;
  while (i < all->count && strcmp(all->group[i], group) != 0) ++i;
  return i;
}
static int32_t collect(const char* module_path, const char* input_group, const octavo_tensor* x, void* user_data) {
  Hessians* all = user_data;
  const size_t i = group_of(all, input_group);
  (void)module_path;
  if (i == all->count) {
    int64_t in_features = 0;
    CHECK(octavo_tensor_dim(x, 1, &in_features) == OCTAVO_OK);
    CHECK(octavo_hessian_create(in_features, &all->hessian[i]) == OCTAVO_OK);
    snprintf(all->group[i], sizeof all->group[i], "%s", input_group);
    ++all->count;
  }
  return octavo_hessian_add(all->hessian[i], x);
}
static int32_t refuse(const char* module_path, const char* input_group, const octavo_tensor* x, void* user_data) {
  (void)module_path;
  (void)input_group;
  (void)x;
  (void)user_data;
  return 1;
}

static octavo_block_state* in_front_of_language(const octavo_blocks* blocks, const octavo_prompt* prompt) {
  octavo_block_state *vision = NULL, *language = NULL;
  octavo_tensor* rows = NULL;
  int64_t count = 0, i;
  CHECK(octavo_blocks_count(blocks, OCTAVO_TOWER_VISION, &count) == OCTAVO_OK && count == 4);
  CHECK(octavo_blocks_begin_vision(blocks, prompt, &vision) == OCTAVO_OK);
  for (i = 0; i < count; ++i) {
    octavo_block* block = NULL;
    CHECK(octavo_block_load(blocks, OCTAVO_TOWER_VISION, i, &block) == OCTAVO_OK);
    CHECK(octavo_block_forward(block, vision, NULL, NULL) == OCTAVO_OK);
    octavo_block_release(block);
  }
  CHECK(octavo_blocks_finish_vision(blocks, vision, &rows) == OCTAVO_OK);
  CHECK(octavo_blocks_begin_language(blocks, prompt, rows, &language) == OCTAVO_OK);
  octavo_tensor_release(rows);
  octavo_block_state_release(vision);
  return language;
}

static void quantize_block(octavo_block* block, Hessians* hessians, octavo_writer* writer) {
  octavo_gptq_options options = OCTAVO_GPTQ_OPTIONS_INIT;
  size_t count = 0, i;
  options.scale_dtype = OCTAVO_BF16; /* config.json's */
  CHECK(octavo_block_linear_count(block, &count) == OCTAVO_OK && count == 7);
  for (i = 0; i < count; ++i) {
    octavo_linear_info info = OCTAVO_LINEAR_INFO_INIT;
    octavo_tensor *weight = NULL, *bias = NULL, *integers = NULL, *scales = NULL;
    octavo_linear* linear = NULL;
    CHECK(octavo_block_linear(block, i, &info) == OCTAVO_OK);
    CHECK(octavo_block_weight(block, info.module_path, &weight) == OCTAVO_OK);
    CHECK(octavo_block_bias(block, info.module_path, &bias) == OCTAVO_OK);
    CHECK((bias != NULL) == (info.has_bias != 0));
    CHECK(octavo_gptq_quantize_layer(weight, hessians->hessian[group_of(hessians, info.input_group)], &options,
                                     &integers, &scales, NULL) == OCTAVO_OK);
    CHECK(octavo_linear_w8a8_create(integers, scales, bias, &linear) == OCTAVO_OK);
    CHECK(octavo_block_replace(block, info.module_path, linear) == OCTAVO_OK);
    CHECK(octavo_writer_add(writer, info.module_path, OCTAVO_SCHEME_W8A8, integers, scales) == OCTAVO_OK);
    octavo_tensor_release(weight);
    octavo_tensor_release(bias);
    octavo_tensor_release(integers);
    octavo_tensor_release(scales);
    octavo_linear_release(linear);
    weight = NULL;
    CHECK(octavo_block_weight(block, info.module_path, &weight) == OCTAVO_INVALID_ARGUMENT && weight == NULL);
  }
}

static void test_calibration(const char* model_dir, const octavo_model* model, const octavo_prompt* prompt,
                             const char* out_dir) {
  octavo_blocks* blocks = NULL;
  octavo_block_state *state = NULL, *whole = NULL;
  octavo_writer* writer = NULL;
  octavo_model* quantized = NULL;
  octavo_tensor *ours = NULL, *expected = NULL;
  octavo_model_info info = OCTAVO_MODEL_INFO_INIT;
  const int64_t last[1] = {-1};
  int64_t i;
  CHECK(octavo_blocks_create(model, &blocks) == OCTAVO_OK);
  state = in_front_of_language(blocks, prompt);
  CHECK(octavo_block_state_clone(state, &whole) == OCTAVO_OK);
  CHECK(octavo_writer_create(model_dir, out_dir, NULL, &writer) == OCTAVO_OK);
  for (i = 0; i < 5; ++i) { /* in float: as the model runs */
    octavo_block* block = NULL;
    CHECK(octavo_block_load(blocks, OCTAVO_TOWER_LANGUAGE, i, &block) == OCTAVO_OK);
    CHECK(octavo_block_forward(block, whole, NULL, NULL) == OCTAVO_OK);
    octavo_block_release(block);
  }
  CHECK(octavo_block_state_hidden(whole, &ours) == OCTAVO_OK);
  CHECK(octavo_model_hidden_states(model, prompt, last, 1, &expected) == OCTAVO_OK);
  if (ours != NULL && expected != NULL) {
    size_t a = 0, b = 0;
    const float *x = floats_of(ours, &a), *y = floats_of(expected, &b);
    CHECK(a == b && memcmp(x, y, a * sizeof(float)) == 0);
  }
  octavo_tensor_release(ours);
  octavo_tensor_release(expected);
  octavo_block_state_release(whole);

  for (i = 0; i < 2; ++i) {
    octavo_block* block = NULL;
    octavo_block_state* scratch = NULL;
    Hessians hessians;
    size_t h;
    memset(&hessians, 0, sizeof hessians);
    CHECK(octavo_block_load(blocks, OCTAVO_TOWER_LANGUAGE, i, &block) == OCTAVO_OK);
    CHECK(octavo_block_state_clone(state, &scratch) == OCTAVO_OK);
    CHECK(octavo_block_forward(block, scratch, collect, &hessians) == OCTAVO_OK);
    CHECK(hessians.count == 4); /* of q, k, v; o; gate, up; down */
    quantize_block(block, &hessians, writer);
    CHECK(octavo_block_forward(block, state, NULL, NULL) == OCTAVO_OK); /* what the next block will see */
    CHECK(octavo_block_forward(block, scratch, refuse, NULL) == OCTAVO_CANCELLED);
    for (h = 0; h < hessians.count; ++h) octavo_hessian_release(hessians.hessian[h]);
    octavo_block_state_release(scratch);
    octavo_block_release(block);
  }
  CHECK(octavo_writer_finish(writer) == OCTAVO_OK);
  octavo_writer_release(writer);

  /* The directory loads, and its second block gives what ours gave. */
  CHECK(octavo_model_open(out_dir, &quantized) == OCTAVO_OK);
  if (quantized != NULL) {
    const int64_t second[1] = {1};
    CHECK(octavo_model_get_info(quantized, &info) == OCTAVO_OK);
    CHECK(info.is_quantized == 1 && info.num_w8a8 == 14 && info.num_w8a16 == 0);
    ours = expected = NULL;
    CHECK(octavo_block_state_hidden(state, &ours) == OCTAVO_OK);
    CHECK(octavo_model_hidden_states(quantized, prompt, second, 1, &expected) == OCTAVO_OK);
    if (ours != NULL && expected != NULL) {
      size_t a = 0, b = 0;
      const float *x = floats_of(ours, &a), *y = floats_of(expected, &b);
      CHECK(a == b && memcmp(x, y, a * sizeof(float)) == 0);
    }
    octavo_tensor_release(ours);
    octavo_tensor_release(expected);
  }
  octavo_model_release(quantized);
  octavo_block_state_release(state);
  octavo_blocks_release(blocks);
  writer = NULL;
  CHECK(octavo_writer_create(out_dir, "/nowhere/at/all", NULL, &writer) == OCTAVO_UNSUPPORTED && writer == NULL);
  CHECK(octavo_writer_create(model_dir, out_dir, NULL, &writer) == OCTAVO_EXISTS && writer == NULL);
}

static octavo_prompt* prompt_of(const octavo_model* model, const char* question, const char* picture) {
  octavo_messages* messages = NULL;
  octavo_image* image = NULL;
  octavo_prompt* prompt = NULL;
  CHECK(octavo_messages_create(&messages) == OCTAVO_OK);
  CHECK(octavo_messages_add(messages, "user", NULL) == OCTAVO_OK);
  if (picture != NULL) {
    CHECK(octavo_image_open(picture, NULL, &image) == OCTAVO_OK);
    CHECK(octavo_messages_add_image(messages, image) == OCTAVO_OK);
    octavo_image_release(image);
  }
  CHECK(octavo_messages_add_text(messages, question) == OCTAVO_OK);
  CHECK(octavo_prompt_create(model, messages, NULL, &prompt) == OCTAVO_OK);
  octavo_messages_release(messages);
  return prompt;
}

int main(int argc, char** argv) {
  octavo_model* model = NULL;
  octavo_prompt *prompt = NULL, *text_prompt = NULL;
  if (argc != 4) {
    fprintf(stderr, "usage: %s MODEL_DIR PICTURE OUT_DIR\n", argv[0]);
    return 2;
  }
  test_version();
  CHECK(octavo_model_open(argv[1], &model) == OCTAVO_OK);
  if (model == NULL) return 1;
  prompt = prompt_of(model, "What colour is the circle?", argv[2]);
  text_prompt = prompt_of(model, "What colour is the circle?", NULL);
  test_info(model);
  test_open(argv[1], model, prompt);
  test_hidden(model, prompt, text_prompt);
  test_trace(model, prompt);
  test_allocator(argv[1], prompt);
  test_allocator_covers(model, prompt);
  test_calibration(argv[1], model, prompt, argv[3]);
  octavo_prompt_release(prompt);
  octavo_prompt_release(text_prompt);
  octavo_model_release(model);
  if (failures == 0) printf("parts: all passed\n");
  return failures;
}
