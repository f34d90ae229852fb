/* Every function that takes a size, with sizes that nobody can mean: each answers with a status and a message, and
 * none crashes, hangs or takes the memory. Run under AddressSanitizer and UBSan, too.
 *   test_extremes MODEL_DIR */
#include <octavo.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static int failures = 0;
#define CHECK(condition)                                                                                    \
  do {                                                                                                      \
    if (!(condition)) {                                                                                     \
      fprintf(stderr, "%s:%d: %s (last error: %s)\n", __FILE__, __LINE__, #condition, octavo_last_error()); \
      ++failures;                                                                                           \
    }                                                                                                       \
  } while (0)

static const int64_t extremes[] = {
    INT64_MIN,         INT64_MIN + 1, -1,       0, 1, INT32_MAX, (int64_t)1 << 32, (int64_t)1 << 40, (int64_t)1 << 62,
    INT64_MAX / 8 + 1, INT64_MAX - 1, INT64_MAX};
enum { EXTREMES = sizeof extremes / sizeof extremes[0] };

/* What is refused leaves nothing behind and says why; what is granted was small. */
static int refused(octavo_status status, const void* out) {
  if (status == OCTAVO_OK) return 0;
  CHECK(out == NULL);
  CHECK(status != OCTAVO_INTERNAL);
  CHECK(strlen(octavo_last_error()) > 0);
  return 1;
}

static int is_small(int64_t size) { return size >= 0 && size <= 1; }

static void test_kv_cache(void) {
  int i, at;
  for (at = 0; at < 4; ++at)
    for (i = 0; i < EXTREMES; ++i) {
      int64_t size[4] = {1, 1, 1, 1};
      octavo_kv_cache* cache = NULL;
      size[at] = extremes[i];
      if (!refused(octavo_kv_cache_create(size[0], size[1], size[2], size[3], &cache), cache)) {
        int j;
        int64_t length = -1;
        CHECK(size[at] >= 1);
        for (j = 0; j < EXTREMES; ++j) {
          CHECK(octavo_kv_cache_truncate(cache, extremes[j]) ==
                (extremes[j] == 0 ? OCTAVO_OK : OCTAVO_INVALID_ARGUMENT));
          CHECK(octavo_kv_cache_commit(cache, extremes[j]) == (extremes[j] == 0 ? OCTAVO_OK : OCTAVO_INVALID_ARGUMENT));
        }
        CHECK(octavo_kv_cache_length(cache, &length) == OCTAVO_OK && length == 0);
        octavo_kv_cache_release(cache);
      }
    }
  for (i = 0; i < EXTREMES; ++i) {
    octavo_kv_cache* cache = NULL;
    if (extremes[i] == 1) continue;
    CHECK(refused(octavo_kv_cache_create(extremes[i], extremes[i], extremes[i], extremes[i], &cache), cache));
  }
}

static void test_tensors(void) {
  static float value = 1;
  int i, j, dtype;
  for (dtype = OCTAVO_F32 - 1; dtype <= OCTAVO_I64 + 1; ++dtype)
    for (i = 0; i < EXTREMES; ++i)
      for (j = 0; j < EXTREMES; ++j) {
        int64_t dims[3];
        octavo_tensor *made = NULL, *borrowed = NULL;
        dims[0] = extremes[i];
        dims[1] = extremes[j];
        dims[2] = 1;
        /* Between small and refused lies memory that a machine might have: not asked for here. */
        if (dims[0] > 1 && dims[1] >= 1 && dims[0] < (int64_t)1 << 40 && dims[1] < 2) continue;
        if (dims[1] > 1 && dims[0] >= 1 && dims[1] < (int64_t)1 << 40 && dims[0] < 2) continue;
        if (!refused(octavo_tensor_create(dtype, dims, 3, &made), made)) {
          CHECK((is_small(dims[0]) && is_small(dims[1])) || dims[0] == 0 || dims[1] == 0);
          octavo_tensor_release(made);
        }
        if (is_small(dims[0]) && is_small(dims[1]) &&
            !refused(octavo_tensor_borrow(&value, dtype, dims, 2, &borrowed), borrowed)) {
          size_t k;
          const size_t ranks[] = {2, 3, SIZE_MAX};
          for (k = 0; k < 3; ++k) {
            int64_t dim = 0;
            CHECK(octavo_tensor_dim(borrowed, ranks[k], &dim) == OCTAVO_INVALID_ARGUMENT);
          }
          octavo_tensor_release(borrowed);
        }
      }
  for (i = 0; i < 3; ++i) {
    const size_t ranks[] = {9, SIZE_MAX / 8, SIZE_MAX};
    const int64_t one = 1;
    octavo_tensor* tensor = NULL;
    CHECK(refused(octavo_tensor_create(OCTAVO_F32, &one, ranks[i], &tensor), tensor));
    CHECK(refused(octavo_tensor_borrow(&value, OCTAVO_F32, &one, ranks[i], &tensor), tensor));
  }
}

static void test_hessian(void) {
  const int64_t dims[2] = {1, 1};
  octavo_tensor* weight = NULL;
  int i;
  CHECK(octavo_tensor_create(OCTAVO_F32, dims, 2, &weight) == OCTAVO_OK);
  for (i = 0; i < EXTREMES; ++i) {
    octavo_hessian* hessian = NULL;
    octavo_gptq_options options = OCTAVO_GPTQ_OPTIONS_INIT;
    octavo_tensor *q = NULL, *scales = NULL;
    if (!refused(octavo_hessian_create(extremes[i], &hessian), hessian)) CHECK(extremes[i] == 1);
    octavo_hessian_release(hessian);
    options.method = OCTAVO_METHOD_RTN;
    options.block_size = extremes[i];
    if (!refused(octavo_gptq_quantize_layer(weight, NULL, &options, &q, &scales, NULL), q))
      CHECK(is_small(extremes[i]));
    octavo_tensor_release(q);
    octavo_tensor_release(scales);
  }
  octavo_tensor_release(weight);
}

static void test_contract(void) {
  const int64_t dims[1] = {1};
  const char* names[1] = {"x"};
  const char* letters[2] = {"a", "b"};
  const octavo_tensor* tensors[1];
  octavo_tensor* x = NULL;
  int i, j;
  CHECK(octavo_tensor_create(OCTAVO_F32, dims, 1, &x) == OCTAVO_OK);
  tensors[0] = x;
  for (i = 0; i < EXTREMES; ++i)
    for (j = 0; j < EXTREMES; ++j) {
      static const char* const contracts[] = {"o: x[M] -> y[M] where a / b == 77", "o: x[M] -> y[M] where a % b == 77",
                                              "o: x[M] -> y[M] where a * b == 77", "o: x[M] -> y[M] where a + b == 77",
                                              "o: x[M] -> y[M] where a - b == 77", "o: x[a*b] -> y[a]",
                                              "o: x[a+b*b+77] -> y[a/b]"};
      int64_t values[2];
      size_t c;
      values[0] = extremes[i];
      values[1] = extremes[j];
      for (c = 0; c < sizeof contracts / sizeof contracts[0]; ++c) {
        const octavo_status status = octavo_contract_check(contracts[c], NULL, names, tensors, 1, letters, values, 2);
        CHECK(status == OCTAVO_OK || status == OCTAVO_SHAPE_MISMATCH);
        if (status == OCTAVO_SHAPE_MISMATCH) {
          octavo_shape_error shape = OCTAVO_SHAPE_ERROR_INIT;
          CHECK(octavo_last_shape_error(&shape) == OCTAVO_OK && strcmp(shape.op, "o") == 0);
        }
      }
    }
  octavo_tensor_release(x);
}

static void test_plan(const char* model) {
  int i, field;
  for (field = 0; field < 7; ++field)
    for (i = 0; i < EXTREMES; ++i) {
      octavo_plan_options options = OCTAVO_PLAN_OPTIONS_INIT;
      int64_t size[2] = {56, 56};
      char* json = NULL;
      octavo_status status;
      if (field == 0) options.prompt_tokens = extremes[i];
      if (field == 1) options.max_new_tokens = extremes[i];
      if (field == 2) size[0] = extremes[i];
      if (field == 3) size[1] = extremes[i];
      if (field == 4) size[0] = size[1] = extremes[i];
      if (field == 5) options.image_count = (size_t)extremes[i];
      if (field >= 2 && field <= 4) options.image_count = 1;
      if (field == 5 && options.image_count <= 4096 && options.image_count > 1) continue;
      if (field == 6) options.tensor_parallel = extremes[i];
      options.image_sizes = size;
      status = octavo_plan(model, &options, &json);
      refused(status, json);
      octavo_string_release(json);
    }
}

static void test_model(const char* model) {
  octavo_model* opened = NULL;
  int i;
  CHECK(octavo_model_open(model, &opened) == OCTAVO_OK);
  for (i = 0; i < EXTREMES; ++i) {
    octavo_generate_options options = OCTAVO_GENERATE_OPTIONS_INIT;
    octavo_generate_result result = OCTAVO_GENERATE_RESULT_INIT;
    octavo_status status;
    options.max_new_tokens = extremes[i];
    status = octavo_generate(opened, "Hello", NULL, 0, &options, &result);
    CHECK(status == OCTAVO_OK || (status == OCTAVO_INVALID_ARGUMENT && strlen(octavo_last_error()) > 0));
    if (status == OCTAVO_OK) octavo_string_release(result.text);
    CHECK(octavo_generate(opened, "Hello", NULL, i == 0 ? SIZE_MAX : (size_t)1 << 62, NULL, &result) ==
          OCTAVO_INVALID_ARGUMENT);
  }
  CHECK(octavo_generate_batch(opened, NULL, NULL, NULL, SIZE_MAX, NULL, NULL) == OCTAVO_INVALID_ARGUMENT);
  octavo_model_release(opened);
}

int main(int argc, char** argv) {
  int i;
  if (argc != 2) return 2;
  test_kv_cache();
  test_tensors();
  test_hessian();
  test_contract();
  test_plan(argv[1]);
  test_model(argv[1]);
  for (i = 0; i < EXTREMES; ++i) {
    const int32_t threads = extremes[i] > INT32_MAX   ? INT32_MAX
                            : extremes[i] < INT32_MIN ? INT32_MIN
                                                      : (int32_t)extremes[i];
    const octavo_status status = octavo_set_num_threads(threads);
    CHECK(status == (threads == 0 || threads == 1 ? OCTAVO_OK : OCTAVO_INVALID_ARGUMENT));
  }
  if (failures != 0) fprintf(stderr, "%d failures\n", failures);
  return failures == 0 ? 0 : 1;
}
