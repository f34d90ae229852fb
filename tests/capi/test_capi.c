/* The C library as a C program sees it. Each check says what failed and where; the exit status is the number of
 * failures. */
#include <math.h>
#include <octavo.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int failures = 0;
#define CHECK(condition)                                                                                    \
  do {                                                                                                      \
    if (!(condition)) {                                                                                     \
      fprintf(stderr, "%s:%d: %s (last error: %s)\n", __FILE__, __LINE__, #condition, octavo_last_error()); \
      ++failures;                                                                                           \
    }                                                                                                       \
  } while (0)

static octavo_tensor* filled(int32_t dtype, const int64_t* dims, size_t rank, unsigned seed) {
  octavo_tensor* tensor = NULL;
  void* data = NULL;
  size_t bytes = 0, i;
  CHECK(octavo_tensor_create(dtype, dims, rank, &tensor) == OCTAVO_OK);
  CHECK(octavo_tensor_data(tensor, &data, &bytes) == OCTAVO_OK);
  if (dtype == OCTAVO_F32)
    for (i = 0; i < bytes / 4; ++i) {
      seed = seed * 1664525U + 1013904223U;
      ((float*)data)[i] = (float)(seed >> 8) / 8388608.0F - 1.0F;
    }
  return tensor;
}

static float* floats(octavo_tensor* tensor) {
  void* data = NULL;
  CHECK(octavo_tensor_data(tensor, &data, NULL) == OCTAVO_OK);
  return (float*)data;
}

static void test_errors(void) {
  octavo_tensor* tensor = NULL;
  octavo_shape_error shape = OCTAVO_SHAPE_ERROR_INIT;
  const int64_t negative[1] = {-1};
  CHECK(strcmp(octavo_status_name(OCTAVO_SHAPE_MISMATCH), "shape_mismatch") == 0);
  CHECK(strcmp(octavo_status_name(1234), "unknown") == 0);
  CHECK(octavo_tensor_create(OCTAVO_F32, negative, 1, &tensor) != OCTAVO_OK);
  CHECK(tensor == NULL && strlen(octavo_last_error()) > 0);
  CHECK(octavo_tensor_create(77, negative, 0, &tensor) == OCTAVO_INVALID_ARGUMENT);
  CHECK(octavo_tensor_create(OCTAVO_F32, NULL, 1, &tensor) == OCTAVO_INVALID_ARGUMENT);
  CHECK(octavo_tensor_create(OCTAVO_F32, negative, 99, &tensor) == OCTAVO_INVALID_ARGUMENT);
  CHECK(octavo_tensor_dim(NULL, 0, NULL) == OCTAVO_INVALID_ARGUMENT);
  CHECK(octavo_last_shape_error(&shape) == OCTAVO_NOT_FOUND);
  octavo_tensor_release(NULL);
  octavo_model_release(NULL);
  octavo_string_release(NULL);
}

/* The case that Octavo exists for. */
static void test_seed_case(void) {
  const int64_t qd[4] = {1, 16, 228, 128}, kd[4] = {1, 2, 455, 128}, md[4] = {1, 1, 228, 228};
  octavo_tensor *q = filled(OCTAVO_F32, qd, 4, 1), *k = filled(OCTAVO_F32, kd, 4, 2), *v = filled(OCTAVO_F32, kd, 4, 3),
                *mask = filled(OCTAVO_F32, md, 4, 4), *out = NULL;
  octavo_shape_error shape = OCTAVO_SHAPE_ERROR_INIT;
  CHECK(octavo_attention(q, k, v, mask, 0, NULL, 0, &out) == OCTAVO_SHAPE_MISMATCH);
  CHECK(out == NULL);
  CHECK(strstr(octavo_last_error(), "228") && strstr(octavo_last_error(), "455") &&
        strstr(octavo_last_error(), "kv_len"));
  CHECK(octavo_last_shape_error(&shape) == OCTAVO_OK);
  CHECK(strcmp(shape.op, "attention") == 0 && strcmp(shape.argument, "mask") == 0);
  CHECK(shape.dim == 3 && shape.expected == 455 && shape.actual == 228);
  octavo_tensor_release(q);
  octavo_tensor_release(k);
  octavo_tensor_release(v);
  octavo_tensor_release(mask);
}

static void test_contract(void) {
  const int64_t xd[2] = {3, 8}, wd[2] = {5, 7};
  octavo_tensor *x = filled(OCTAVO_F32, xd, 2, 1), *w = filled(OCTAVO_F32, wd, 2, 2);
  const char* names[2] = {"x", "w"};
  const octavo_tensor* tensors[2];
  octavo_shape_error shape = OCTAVO_SHAPE_ERROR_INIT;
  tensors[0] = x;
  tensors[1] = w;
  CHECK(octavo_contract_check("linear: x[M,K] w[N,K] -> y[M,N]", "layers.0.q_proj", names, tensors, 2, NULL, NULL, 0) ==
        OCTAVO_SHAPE_MISMATCH);
  CHECK(octavo_last_shape_error(&shape) == OCTAVO_OK && strcmp(shape.module, "layers.0.q_proj") == 0);
  CHECK(shape.dim == 1 && shape.expected == 8 && shape.actual == 7);
  CHECK(octavo_contract_check("linear: x[M,K] w[N,J] -> y[M,N]", NULL, names, tensors, 2, NULL, NULL, 0) == OCTAVO_OK);
  CHECK(octavo_contract_check("linear x[", NULL, names, tensors, 2, NULL, NULL, 0) == OCTAVO_FORMAT);
  octavo_tensor_release(x);
  octavo_tensor_release(w);
}

/* Cached, one position at a time, must equal uncached causal attention; the reference is the formula. */
static void test_attention_with_cache(void) {
  enum { HQ = 4, HKV = 2, L = 5, D = 8 };
  const int64_t qd[4] = {1, HQ, L, D}, kd[4] = {1, HKV, L, D}, q1[4] = {1, HQ, 1, D}, k1[4] = {1, HKV, 1, D};
  octavo_tensor *q = filled(OCTAVO_F32, qd, 4, 1), *k = filled(OCTAVO_F32, kd, 4, 2), *v = filled(OCTAVO_F32, kd, 4, 3),
                *whole = NULL;
  octavo_kv_cache* cache = NULL;
  int64_t length = 0;
  int h, i, j, d;
  CHECK(octavo_attention(q, k, v, NULL, 1, NULL, 0, &whole) == OCTAVO_OK);
  CHECK(octavo_kv_cache_create(1, HKV, D, L, &cache) == OCTAVO_OK);
  for (i = 0; i < L; ++i) {
    octavo_tensor *qi = filled(OCTAVO_F32, q1, 4, 0), *ki = filled(OCTAVO_F32, k1, 4, 0),
                  *vi = filled(OCTAVO_F32, k1, 4, 0), *step = NULL;
    for (h = 0; h < HQ; ++h) memcpy(floats(qi) + h * D, floats(q) + (h * L + i) * D, D * sizeof(float));
    for (h = 0; h < HKV; ++h) memcpy(floats(ki) + h * D, floats(k) + (h * L + i) * D, D * sizeof(float));
    for (h = 0; h < HKV; ++h) memcpy(floats(vi) + h * D, floats(v) + (h * L + i) * D, D * sizeof(float));
    CHECK(octavo_attention(qi, ki, vi, NULL, 1, cache, 0, &step) == OCTAVO_OK);
    CHECK(octavo_kv_cache_commit(cache, 1) == OCTAVO_OK);
    for (h = 0; h < HQ && step; ++h) {
      double weights[L], sum = 0, expected;
      for (j = 0; j <= i; ++j) {
        double dot = 0;
        for (d = 0; d < D; ++d) dot += (double)floats(q)[(h * L + i) * D + d] * floats(k)[(h / 2 * L + j) * D + d];
        sum += weights[j] = exp(dot / sqrt((double)D));
      }
      for (d = 0; d < D; ++d) {
        expected = 0;
        for (j = 0; j <= i; ++j) expected += weights[j] / sum * floats(v)[(h / 2 * L + j) * D + d];
        CHECK(fabs(floats(step)[h * D + d] - expected) < 1e-5);
        CHECK(fabs(floats(whole)[(h * L + i) * D + d] - expected) < 1e-5);
      }
    }
    octavo_tensor_release(qi);
    octavo_tensor_release(ki);
    octavo_tensor_release(vi);
    octavo_tensor_release(step);
  }
  CHECK(octavo_kv_cache_length(cache, &length) == OCTAVO_OK && length == L);
  {
    octavo_tensor *qi = filled(OCTAVO_F32, q1, 4, 0), *ki = filled(OCTAVO_F32, k1, 4, 0), *step = NULL;
    CHECK(octavo_attention(qi, ki, ki, NULL, 1, cache, 0, &step) != OCTAVO_OK); /* the cache is full */
    CHECK(step == NULL && strlen(octavo_last_error()) > 0);
    octavo_tensor_release(qi);
    octavo_tensor_release(ki);
  }
  octavo_kv_cache_release(cache);
  octavo_tensor_release(q);
  octavo_tensor_release(k);
  octavo_tensor_release(v);
  octavo_tensor_release(whole);
}

/* GPTQ of one layer, then the int8 linear on it, against the float product. */
static void test_gptq_and_linear(void) {
  enum { T = 200, N = 12, K = 32 };
  const int64_t xd[2] = {T, K}, wd[2] = {N, K};
  octavo_tensor *x = filled(OCTAVO_F32, xd, 2, 5), *w = filled(OCTAVO_F32, wd, 2, 6), *qw = NULL, *qs = NULL, *y = NULL;
  octavo_hessian* hessian = NULL;
  octavo_linear* linear = NULL;
  octavo_gptq_options options = OCTAVO_GPTQ_OPTIONS_INIT;
  octavo_gptq_result result = OCTAVO_GPTQ_RESULT_INIT;
  int32_t dtype = -1;
  double error = 0, norm = 0;
  int t, n, k;
  CHECK(octavo_hessian_create(K, &hessian) == OCTAVO_OK);
  CHECK(octavo_hessian_add(hessian, x) == OCTAVO_OK);
  CHECK(octavo_gptq_quantize_layer(w, hessian, &options, &qw, &qs, &result) == OCTAVO_OK);
  CHECK(octavo_tensor_dtype(qw, &dtype) == OCTAVO_OK && dtype == OCTAVO_S8);
  CHECK(result.loss >= 0 && result.loss <= result.rtn_loss * 1.0001 && result.dead_columns == 0);
  CHECK(octavo_hessian_add(hessian, x) == OCTAVO_INVALID_ARGUMENT); /* used */
  {
    /* Round-to-nearest: its loss by the same Hessian is what GPTQ's result calls rtn_loss, and another by H = I. */
    octavo_gptq_result nearest = OCTAVO_GPTQ_RESULT_INIT, plain = OCTAVO_GPTQ_RESULT_INIT;
    octavo_tensor *q = NULL, *scales = NULL;
    options.method = OCTAVO_METHOD_RTN;
    double by_hand = 0; /* tr((W-Q) H (W-Q)^T), H = 2 x^T x: twice the squares of x (W-Q)^T */
    void* integers = NULL;
    CHECK(octavo_gptq_quantize_layer(w, hessian, &options, &q, &scales, &nearest) == OCTAVO_OK);
    CHECK(octavo_tensor_data(q, &integers, NULL) == OCTAVO_OK);
    for (t = 0; t < T; ++t)
      for (n = 0; n < N; ++n) {
        double dot = 0;
        for (k = 0; k < K; ++k)
          dot += floats(x)[t * K + k] *
                 (floats(w)[n * K + k] - (double)((const int8_t*)integers)[n * K + k] * floats(scales)[n]);
        by_hand += 2.0 * dot * dot;
      }
    CHECK(fabs(nearest.loss - by_hand) < 1e-5 * by_hand);
    octavo_tensor_release(q);
    octavo_tensor_release(scales);
    CHECK(nearest.loss == result.rtn_loss && nearest.rtn_loss == result.rtn_loss);
    CHECK(octavo_gptq_quantize_layer(w, NULL, &options, &q, &scales, &plain) == OCTAVO_OK);
    CHECK(plain.loss > 0 && plain.loss != nearest.loss);
    octavo_tensor_release(q);
    octavo_tensor_release(scales);
  }
  {
    const int64_t wide[2] = {N, K + 1};
    octavo_tensor *other = filled(OCTAVO_F32, wide, 2, 7), *q = NULL, *scales = NULL;
    octavo_hessian* fresh = NULL;
    octavo_shape_error shape = OCTAVO_SHAPE_ERROR_INIT;
    CHECK(octavo_hessian_create(K, &fresh) == OCTAVO_OK);
    CHECK(octavo_hessian_add(fresh, other) == OCTAVO_SHAPE_MISMATCH);
    CHECK(octavo_last_shape_error(&shape) == OCTAVO_OK && strcmp(shape.op, "hessian") == 0);
    CHECK(strcmp(shape.argument, "x") == 0 && shape.dim == 1 && shape.expected == K && shape.actual == K + 1);
    CHECK(octavo_gptq_quantize_layer(other, fresh, NULL, &q, &scales, NULL) == OCTAVO_SHAPE_MISMATCH);
    CHECK(octavo_last_shape_error(&shape) == OCTAVO_OK && strcmp(shape.argument, "weight") == 0);
    CHECK(shape.dim == 1 && shape.expected == K && shape.actual == K + 1);
    octavo_hessian_release(fresh);
    octavo_tensor_release(other);
  }
  CHECK(octavo_linear_w8a8_create(qw, qs, NULL, &linear) == OCTAVO_OK);
  CHECK(octavo_linear_forward(linear, x, &y) == OCTAVO_OK);
  for (t = 0; t < T && y; ++t)
    for (n = 0; n < N; ++n) {
      double expected = 0;
      for (k = 0; k < K; ++k) expected += (double)floats(x)[t * K + k] * floats(w)[n * K + k];
      error += (floats(y)[t * N + n] - expected) * (floats(y)[t * N + n] - expected);
      norm += expected * expected;
    }
  {
    octavo_linear* weight_only = NULL;
    octavo_tensor* z = NULL;
    const int8_t* q = NULL;
    void* bytes = NULL;
    size_t size = 0;
    double worst = 0;
    CHECK(octavo_tensor_data(qw, &bytes, &size) == OCTAVO_OK && size == N * K);
    q = (const int8_t*)bytes;
    CHECK(octavo_linear_w8a16_create(qw, qs, NULL, &weight_only) == OCTAVO_OK);
    CHECK(octavo_linear_forward(weight_only, x, &z) == OCTAVO_OK);
    for (t = 0; t < T && z && q; ++t)
      for (n = 0; n < N; ++n) {
        double expected = 0, terms = 0;
        for (k = 0; k < K; ++k) {
          const double term = (double)floats(x)[t * K + k] * q[n * K + k] * floats(qs)[n];
          expected += term;
          terms += fabs(term);
        }
        if (fabs(floats(z)[t * N + n] - expected) > worst * terms)
          worst = fabs(floats(z)[t * N + n] - expected) / terms;
      }
    CHECK(z && worst < 1e-6); /* activations stay float: rounding of float32 sums only */
    CHECK(octavo_linear_w8a16_create(x, qs, NULL, &weight_only) == OCTAVO_DTYPE_MISMATCH);
    octavo_tensor_release(z);
    octavo_linear_release(weight_only);
  }
  CHECK(y && sqrt(error / norm) < 0.02); /* two roundings of about 1/255 of the largest value, against typical values */
  {
    octavo_tensor* bad = NULL;
    CHECK(octavo_linear_forward(linear, w, &bad) == OCTAVO_OK); /* [12,32] fits: any row count does */
    octavo_tensor_release(bad);
    bad = NULL;
    CHECK(octavo_linear_forward(linear, qs, &bad) != OCTAVO_OK && bad == NULL);
  }
  octavo_linear_release(linear);
  octavo_hessian_release(hessian);
  octavo_tensor_release(x);
  octavo_tensor_release(w);
  octavo_tensor_release(qw);
  octavo_tensor_release(qs);
  octavo_tensor_release(y);
}

/* Size-first structs: a newer caller's unknown bytes are refused when set, accepted when zero. */
static void test_struct_growth(void) {
  struct {
    octavo_gptq_options known;
    int64_t future;
  } newer;
  const int64_t wd[2] = {2, 4};
  octavo_tensor *w = filled(OCTAVO_F32, wd, 2, 6), *qw = NULL, *qs = NULL;
  memset(&newer, 0, sizeof newer);
  newer.known.struct_size = sizeof newer;
  newer.known.method = OCTAVO_METHOD_RTN;
  CHECK(octavo_gptq_quantize_layer(w, NULL, &newer.known, &qw, &qs, NULL) == OCTAVO_OK);
  octavo_tensor_release(qw);
  octavo_tensor_release(qs);
  newer.future = 1;
  qw = qs = NULL;
  CHECK(octavo_gptq_quantize_layer(w, NULL, &newer.known, &qw, &qs, NULL) == OCTAVO_UNSUPPORTED);
  newer.known.struct_size = 0;
  CHECK(octavo_gptq_quantize_layer(w, NULL, &newer.known, &qw, &qs, NULL) == OCTAVO_INVALID_ARGUMENT);
  CHECK(qw == NULL && qs == NULL);
  octavo_tensor_release(w);
}

static int lines_of(const char* path, const char* text) {
  static char line[65536];
  int count = 0;
  FILE* file = fopen(path, "r");
  if (!file) return -1;
  while (fgets(line, sizeof line, file)) count += strstr(line, text) != NULL;
  fclose(file);
  return count;
}

/* Two operations on this thread: a linear layer, and one that breaks its contract. */
static void test_trace(const char* path) {
  const int64_t wd[2] = {4, 8}, sd[1] = {4}, xd[2] = {3, 8}, bad[2] = {3, 7};
  octavo_tensor *w = filled(OCTAVO_S8, wd, 2, 1), *s = filled(OCTAVO_F32, sd, 1, 2), *x = filled(OCTAVO_F32, xd, 2, 3),
                *narrow = filled(OCTAVO_F32, bad, 2, 4), *y = NULL, *none = NULL;
  octavo_linear* linear = NULL;
  octavo_trace_options options = OCTAVO_TRACE_OPTIONS_INIT;
  CHECK(octavo_linear_w8a8_create(w, s, NULL, &linear) == OCTAVO_OK);
  CHECK(octavo_trace_end() == OCTAVO_INVALID_ARGUMENT);
  CHECK(octavo_trace_begin(NULL, NULL) == OCTAVO_INVALID_ARGUMENT);
  CHECK(octavo_trace_begin("no/such/directory/trace.jsonl", NULL) == OCTAVO_IO);
  options.values = 1;
  CHECK(octavo_trace_begin(path, &options) == OCTAVO_OK);
  CHECK(octavo_trace_begin(path, &options) == OCTAVO_INVALID_ARGUMENT);
  CHECK(octavo_linear_forward(linear, x, &y) == OCTAVO_OK);
  CHECK(octavo_linear_forward(linear, narrow, &none) == OCTAVO_SHAPE_MISMATCH && none == NULL);
  CHECK(strstr(octavo_last_error(), "\ntrace: linear_w8a8 M=3 K=8 N=4 -> y f32 [3, 4]") != NULL);
  CHECK(octavo_trace_end() == OCTAVO_OK);
  octavo_tensor_release(y);
  y = NULL;
  CHECK(octavo_linear_forward(linear, x, &y) == OCTAVO_OK); /* after the end */
  CHECK(octavo_linear_forward(linear, narrow, &none) == OCTAVO_SHAPE_MISMATCH);
  CHECK(strstr(octavo_last_error(), "trace:") == NULL);
  CHECK(lines_of(path, "\"operation\":\"linear_w8a8\"") == 1 && lines_of(path, "\"rms\":") == 1);
  CHECK(lines_of(path, "") == 2); /* the header and one operation */
  options.reserved0 = 1;
  CHECK(octavo_trace_begin(path, &options) == OCTAVO_INVALID_ARGUMENT);
  remove(path);
  octavo_linear_release(linear);
  octavo_tensor_release(w);
  octavo_tensor_release(s);
  octavo_tensor_release(x);
  octavo_tensor_release(narrow);
  octavo_tensor_release(y);
}

struct seen {
  int calls;
  int limit;
  char text[4096];
};
static int32_t on_token(int32_t token, const char* text, void* user_data) {
  struct seen* seen = (struct seen*)user_data;
  (void)token;
  strncat(seen->text, text, sizeof seen->text - strlen(seen->text) - 1);
  return ++seen->calls == seen->limit;
}
static int32_t stop_at_once(const char* stage, int64_t done, int64_t total, void* user_data) {
  (void)stage, (void)done, (void)total, (void)user_data;
  return 1;
}

/* The symbolic plan: what a picture of 56 x 84 makes of the prompt, and options that cannot be. */
static void test_plan(const char* model_dir) {
  octavo_plan_options options = OCTAVO_PLAN_OPTIONS_INIT;
  const int64_t sizes[2] = {56, 84};
  char* json = NULL;
  options.image_sizes = sizes;
  options.image_count = 1;
  options.prompt_tokens = 20;
  options.tensor_parallel = 2;
  CHECK(octavo_plan(model_dir, &options, &json) == OCTAVO_OK && json != NULL);
  CHECK(strstr(json, "\"ok\":true") != NULL);
  CHECK(strstr(json, "\"kind\":\"second_turn\"") != NULL);
  CHECK(strstr(json, "\"prompt_tokens\":20") != NULL);
  CHECK(strstr(json, "\"image_tokens\":6") != NULL); /* 2 x 3 groups of 28 pixels */
  CHECK(strstr(json, "\"tensor_parallel\":[") != NULL);
  octavo_string_release(json);
  json = NULL;
  options.prompt_tokens = 7; /* 6 image tokens and two delimiters do not fit */
  CHECK(octavo_plan(model_dir, &options, &json) == OCTAVO_OK && json != NULL);
  CHECK(strstr(json, "\"ok\":false") != NULL && strstr(json, "its 1 images alone take 8") != NULL);
  octavo_string_release(json);
  json = NULL;
  options.image_sizes = NULL;
  CHECK(octavo_plan(model_dir, &options, &json) == OCTAVO_INVALID_ARGUMENT && json == NULL);
  CHECK(octavo_plan(model_dir, NULL, NULL) == OCTAVO_INVALID_ARGUMENT);
  CHECK(octavo_plan(NULL, NULL, &json) == OCTAVO_INVALID_ARGUMENT && json == NULL);
  CHECK(octavo_plan(model_dir, NULL, &json) == OCTAVO_OK && strstr(json, "\"plan\":{") != NULL);
  octavo_string_release(json);
  json = NULL;
  CHECK(octavo_plan("no/such/model", NULL, &json) == OCTAVO_OK && strstr(json, "\"ok\":false") != NULL);
  octavo_string_release(json);
}

/* A picture's pixels, of a file that is made here: two pixels, one of them transparent in the second file. */
static void test_image_load(const char* image) {
  static const unsigned char bitmap[] = {'B', 'M', 62, 0, 0, 0, 0, 0,  0, 0, 54, 0, 0,  0,  40, 0,  0,  0,  2, 0, 0,
                                         0,   1,   0,  0, 0, 1, 0, 24, 0, 0, 0,  0, 0,  0,  0,  0,  0,  0,  0, 0, 0,
                                         0,   0,   0,  0, 0, 0, 0, 0,  0, 0, 0,  0, 30, 20, 10, 60, 50, 40, 0, 0};
  const char* path = "capi_picture.jpg"; /* the content counts, not the name */
  FILE* file = fopen(path, "wb");
  octavo_decode_options options = OCTAVO_DECODE_OPTIONS_INIT;
  octavo_tensor* pixels = NULL;
  void* data = NULL;
  size_t size = 0;
  int64_t dim = 0;
  int32_t dtype = -1;
  CHECK(file != NULL && fwrite(bitmap, 1, sizeof bitmap, file) == sizeof bitmap && fclose(file) == 0);
  CHECK(octavo_image_load(path, NULL, &pixels) == OCTAVO_OK && pixels != NULL);
  CHECK(octavo_tensor_dtype(pixels, &dtype) == OCTAVO_OK && dtype == OCTAVO_U8);
  CHECK(octavo_tensor_dim(pixels, 0, &dim) == OCTAVO_OK && dim == 1);
  CHECK(octavo_tensor_dim(pixels, 1, &dim) == OCTAVO_OK && dim == 2);
  CHECK(octavo_tensor_dim(pixels, 2, &dim) == OCTAVO_OK && dim == 3);
  CHECK(octavo_tensor_data(pixels, &data, &size) == OCTAVO_OK && size == 6);
  CHECK(memcmp(data, "\x0A\x14\x1E\x28\x32\x3C", 6) == 0); /* 10 20 30, 40 50 60 */
  octavo_tensor_release(pixels);
  pixels = NULL;
  options.max_pixels = 1;
  CHECK(octavo_image_load(path, &options, &pixels) == OCTAVO_FORMAT && pixels == NULL);
  options.max_pixels = 0;
  options.max_bytes = 1;
  CHECK(octavo_image_load(path, &options, &pixels) == OCTAVO_FORMAT && pixels == NULL);
  options.max_bytes = -1;
  CHECK(octavo_image_load(path, &options, &pixels) == OCTAVO_INVALID_ARGUMENT && pixels == NULL);
  options.max_bytes = 0;
  options.transparency = 2;
  CHECK(octavo_image_load(path, &options, &pixels) == OCTAVO_INVALID_ARGUMENT && pixels == NULL);
  CHECK(octavo_image_load("no/such/picture", NULL, &pixels) == OCTAVO_NOT_FOUND && pixels == NULL);
  CHECK(octavo_image_load(NULL, NULL, &pixels) == OCTAVO_INVALID_ARGUMENT);
  CHECK(octavo_image_load(image, NULL, NULL) == OCTAVO_INVALID_ARGUMENT);
  CHECK(remove(path) == 0);
}

static void test_batch(const octavo_model* model, const char* image) {
  const char* prompts[3] = {"What colour is the circle?", "Hello", "How many squares are there?"};
  const char* const* images[3] = {NULL, NULL, NULL};
  size_t counts[3] = {1, 0, 0};
  const char* missing[3] = {"Hello", NULL, "Hello"};
  octavo_generate_options options = OCTAVO_GENERATE_OPTIONS_INIT;
  octavo_generate_result results[3] = {OCTAVO_GENERATE_RESULT_INIT, OCTAVO_GENERATE_RESULT_INIT,
                                       OCTAVO_GENERATE_RESULT_INIT};
  size_t i = 0;
  images[0] = &image;
  options.max_new_tokens = 12;
  options.sampling = OCTAVO_SAMPLING_GREEDY;
  CHECK(octavo_generate_batch(model, prompts, images, counts, 3, &options, results) == OCTAVO_OK);
  for (i = 0; i < 3; ++i) {
    octavo_generate_result alone = OCTAVO_GENERATE_RESULT_INIT;
    CHECK(octavo_generate(model, prompts[i], &image, counts[i], &options, &alone) == OCTAVO_OK);
    CHECK(results[i].text != NULL && strcmp(results[i].text, alone.text) == 0);
    CHECK(results[i].new_tokens == alone.new_tokens && results[i].prompt_tokens == alone.prompt_tokens);
    octavo_string_release(alone.text);
    octavo_string_release(results[i].text);
    results[i].text = NULL;
  }
  /* What fails writes nothing. */
  CHECK(octavo_generate_batch(model, missing, NULL, NULL, 3, &options, results) == OCTAVO_INVALID_ARGUMENT);
  CHECK(strstr(octavo_last_error(), "sequence 1: its prompt is NULL") != NULL);
  CHECK(octavo_generate_batch(model, prompts, NULL, counts, 3, &options, results) == OCTAVO_INVALID_ARGUMENT);
  CHECK(octavo_generate_batch(model, prompts, images, counts, 0, &options, results) == OCTAVO_INVALID_ARGUMENT);
  CHECK(octavo_generate_batch(model, prompts, images, counts, 3, &options, NULL) == OCTAVO_INVALID_ARGUMENT);
  options.on_token = on_token;
  CHECK(octavo_generate_batch(model, prompts, images, counts, 3, &options, results) == OCTAVO_INVALID_ARGUMENT);
  options.on_token = NULL;
  results[1].struct_size = 8;
  CHECK(octavo_generate_batch(model, prompts, images, counts, 3, &options, results) == OCTAVO_INVALID_ARGUMENT);
  for (i = 0; i < 3; ++i) CHECK(results[i].text == NULL);
}

/* The size that the model saw, and whose pixels boxes are in. The picture is 140 x 140, which needs no resizing. */
static void test_pictures(const octavo_model* model, const char* image) {
  octavo_generate_options options = OCTAVO_GENERATE_OPTIONS_INIT;
  octavo_generate_result result = OCTAVO_GENERATE_RESULT_INIT, first = OCTAVO_GENERATE_RESULT_INIT;
  octavo_picture_size sizes[3];
  const char* images[2];
  memset(sizes, 0, sizeof sizes);
  images[0] = images[1] = image;
  options.max_new_tokens = 2;
  options.sampling = OCTAVO_SAMPLING_GREEDY;
  options.boxes = OCTAVO_BOXES_ORIGINAL;
  result.pictures = sizes;
  result.picture_capacity = 1;
  CHECK(octavo_generate(model, "What?", images, 2, &options, &result) == OCTAVO_OK);
  CHECK(result.picture_count == 2 && result.picture_capacity == 1 && result.pictures == sizes);
  CHECK(sizes[0].width == 140 && sizes[0].height == 140 && sizes[0].original_width == 140 &&
        sizes[0].original_height == 140);
  CHECK(sizes[1].width == 0);
  octavo_string_release(result.text);
  result.text = NULL;
  options.on_token = on_token;
  CHECK(octavo_generate(model, "What?", images, 1, &options, &result) == OCTAVO_INVALID_ARGUMENT);
  options.on_token = NULL;
  options.boxes = 7;
  CHECK(octavo_generate(model, "What?", images, 1, &options, &result) == OCTAVO_INVALID_ARGUMENT);
  CHECK(strstr(octavo_last_error(), "options.boxes is 7") != NULL);
  CHECK(result.text == NULL);
  /* A caller that knows the first version of the structs. */
  options.struct_size = offsetof(octavo_generate_options, boxes);
  first.struct_size = offsetof(octavo_generate_result, pictures);
  first.picture_count = 5;
  CHECK(octavo_generate(model, "What?", images, 1, &options, &first) == OCTAVO_OK);
  CHECK(first.text != NULL && first.picture_count == 5);
  octavo_string_release(first.text);
}

/* A prompt in parts, looked up and found again: the same answer each time. */
static void test_less_work(const octavo_model* model, const char* image) {
  octavo_generate_options options = OCTAVO_GENERATE_OPTIONS_INIT;
  octavo_generate_result plain = OCTAVO_GENERATE_RESULT_INIT, other = OCTAVO_GENERATE_RESULT_INIT;
  octavo_prefix_cache* cache = NULL;
  int i = 0;
  options.max_new_tokens = 24;
  options.sampling = OCTAVO_SAMPLING_GREEDY;
  CHECK(octavo_generate(model, "Where is the purple circle?", &image, 1, &options, &plain) == OCTAVO_OK);
  CHECK(plain.reused_tokens == 0 && plain.drafted_tokens == 0 && plain.accepted_tokens == 0);
  CHECK(octavo_prefix_cache_create(0, 0, NULL) == OCTAVO_INVALID_ARGUMENT);
  CHECK(octavo_prefix_cache_create(0, 0, &cache) == OCTAVO_OK && cache != NULL);
  options.prefix_cache = cache;
  options.lookup_draft = 7;
  options.lookup_ngram = 1;
  options.prefill_chunk = OCTAVO_PREFILL_WHOLE;
  for (i = 0; i < 2; ++i) {
    CHECK(octavo_generate(model, "Where is the purple circle?", &image, 1, &options, &other) == OCTAVO_OK);
    CHECK(other.text != NULL && strcmp(other.text, plain.text) == 0 && other.new_tokens == plain.new_tokens);
    CHECK(other.reused_tokens == (i == 0 ? 0 : plain.prompt_tokens - 1));
    CHECK(other.drafted_tokens > 0 && other.accepted_tokens <= other.drafted_tokens);
    octavo_string_release(other.text);
    other.text = NULL;
    options.prefill_chunk = 5;
  }
  options.prefill_chunk = -2;
  CHECK(octavo_generate(model, "What?", NULL, 0, &options, &other) == OCTAVO_INVALID_ARGUMENT);
  CHECK(strstr(octavo_last_error(), "prefill_chunk is -2") != NULL);
  options.prefill_chunk = 0;
  options.lookup_draft = 8;
  CHECK(octavo_generate(model, "What?", NULL, 0, &options, &other) == OCTAVO_INVALID_ARGUMENT);
  options.lookup_draft = 0; /* with a length of n-grams, so that it is no default */
  CHECK(octavo_generate(model, "What?", NULL, 0, &options, &other) == OCTAVO_INVALID_ARGUMENT);
  CHECK(strstr(octavo_last_error(), "lookup's draft is 0") != NULL);
  CHECK(other.text == NULL);
  octavo_string_release(plain.text);
  octavo_prefix_cache_release(cache);
  octavo_prefix_cache_release(NULL);
}

/* How a model is run: each field in its domain, all of them together, and the cache's type. */
static void test_model_options(const char* model_dir, const char* image) {
  octavo_model_options options = OCTAVO_MODEL_OPTIONS_INIT;
  octavo_generate_options generate = OCTAVO_GENERATE_OPTIONS_INIT;
  octavo_generate_result plain = OCTAVO_GENERATE_RESULT_INIT, fast = OCTAVO_GENERATE_RESULT_INIT;
  octavo_model *standard = NULL, *model = NULL;
  octavo_tensor *exact = NULL, *rounded = NULL;
  void *a = NULL, *b = NULL;
  size_t size = 0, other = 0;
  options.vision_math = 3;
  CHECK(octavo_model_open_with(model_dir, &options, &model) == OCTAVO_INVALID_ARGUMENT && model == NULL);
  CHECK(strstr(octavo_last_error(), "vision_math is 3") != NULL);
  options.vision_math = OCTAVO_MATH_DEFAULT;
  options.lm_head = 2;
  CHECK(octavo_model_open_with(model_dir, &options, &model) == OCTAVO_INVALID_ARGUMENT && model == NULL);
  options.lm_head = OCTAVO_LM_HEAD_STORED;
  options.reserved0 = 1;
  CHECK(octavo_model_open_with(model_dir, &options, &model) == OCTAVO_INVALID_ARGUMENT && model == NULL);
  options.reserved0 = 0;
  CHECK(octavo_model_open_with(model_dir, NULL, &standard) == OCTAVO_OK);
  options.vision_math = options.language_math = OCTAVO_MATH_BF16;
  options.lm_head = OCTAVO_LM_HEAD_INT8;
  CHECK(octavo_model_open_with(model_dir, &options, &model) == OCTAVO_OK);
  CHECK(octavo_model_logits(standard, "What?", &image, 1, &exact) == OCTAVO_OK);
  CHECK(octavo_model_logits(model, "What?", &image, 1, &rounded) == OCTAVO_OK);
  CHECK(octavo_tensor_data(exact, &a, &size) == OCTAVO_OK && octavo_tensor_data(rounded, &b, &other) == OCTAVO_OK);
  CHECK(size == other && size > 0 && memcmp(a, b, size) != 0); /* the options are in use */
  octavo_tensor_release(exact);
  octavo_tensor_release(rounded);

  generate.max_new_tokens = 8;
  generate.sampling = OCTAVO_SAMPLING_GREEDY;
  CHECK(octavo_generate(standard, "What colour is the circle?", &image, 1, &generate, &plain) == OCTAVO_OK);
  generate.cache_dtype = OCTAVO_BF16;
  CHECK(octavo_generate(model, "What colour is the circle?", &image, 1, &generate, &fast) == OCTAVO_OK);
  CHECK(plain.text != NULL && fast.text != NULL && strcmp(plain.text, fast.text) == 0);
  octavo_string_release(plain.text);
  octavo_string_release(fast.text);
  fast.text = NULL;
  generate.cache_dtype = OCTAVO_I64;
  CHECK(octavo_generate(model, "What?", NULL, 0, &generate, &fast) == OCTAVO_INVALID_ARGUMENT && fast.text == NULL);
  generate.cache_dtype = 99;
  CHECK(octavo_generate(model, "What?", NULL, 0, &generate, &fast) == OCTAVO_INVALID_ARGUMENT && fast.text == NULL);
  octavo_model_release(standard);
  octavo_model_release(model);
}

/* A row of a cache in bf16 or int8 reads back as it was rounded: one position attends to its own value alone. */
static void test_typed_cache(void) {
  enum { H = 1, D = 4 };
  const int64_t dims[4] = {1, H, 1, D};
  octavo_kv_cache* cache = NULL;
  octavo_tensor *x = filled(OCTAVO_F32, dims, 4, 0), *out = NULL;
  floats(x)[0] = 1.0F;
  floats(x)[1] = 1.0F / 3;
  floats(x)[2] = -0.5F;
  floats(x)[3] = 0.0F;
  CHECK(octavo_kv_cache_create_typed(1, H, D, 1, OCTAVO_U8, &cache) == OCTAVO_INVALID_ARGUMENT && cache == NULL);
  CHECK(octavo_kv_cache_create_typed(1, H, D, 1, -1, &cache) == OCTAVO_INVALID_ARGUMENT && cache == NULL);
  CHECK(octavo_kv_cache_create_typed(1, H, D, 1, OCTAVO_BF16, &cache) == OCTAVO_OK);
  CHECK(octavo_attention(x, x, x, NULL, 1, cache, 0, &out) == OCTAVO_OK);
  CHECK(floats(out)[0] == 1.0F && floats(out)[1] == 0.333984375F && floats(out)[2] == -0.5F); /* 8 bits of 1/3 */
  octavo_tensor_release(out);
  octavo_kv_cache_release(cache);
  out = NULL;
  cache = NULL;
  CHECK(octavo_kv_cache_create_typed(1, H, D, 1, OCTAVO_S8, &cache) == OCTAVO_OK);
  CHECK(octavo_attention(x, x, x, NULL, 1, cache, 0, &out) == OCTAVO_OK);
  CHECK(fabs(floats(out)[1] - 42.0 / 127) < 1e-6 && fabs(floats(out)[2] + 64.0 / 127) < 1e-6); /* ties to even */
  octavo_tensor_release(out);
  octavo_kv_cache_release(cache);
  octavo_tensor_release(x);
}

static void test_prompt_text(const octavo_model* model) {
  octavo_generate_options options = OCTAVO_GENERATE_OPTIONS_INIT;
  octavo_generate_result tokens = OCTAVO_GENERATE_RESULT_INIT, text = OCTAVO_GENERATE_RESULT_INIT;
  char* notes = NULL;
  options.max_new_tokens = 1;
  options.sampling = OCTAVO_SAMPLING_GREEDY;
  CHECK(octavo_generate(model, "a<|im_end|>", NULL, 0, &options, &tokens) == OCTAVO_OK);
  CHECK(octavo_generate(model, "<|image_pad|>", NULL, 0, &options, &text) == OCTAVO_INVALID_ARGUMENT);
  CHECK(strstr(octavo_last_error(), "<|image_pad|>") != NULL);
  options.control_tokens_as_text = 1;
  CHECK(octavo_generate(model, "<|image_pad|>", NULL, 0, &options, &text) == OCTAVO_OK);
  octavo_string_release(text.text);
  CHECK(octavo_generate(model, "a<|im_end|>", NULL, 0, &options, &text) == OCTAVO_OK);
  CHECK(text.prompt_tokens > tokens.prompt_tokens); /* its letters instead of one token */
  octavo_string_release(tokens.text);
  octavo_string_release(text.text);
  CHECK(octavo_model_notes(model, &notes) == OCTAVO_OK && notes != NULL && notes[0] == '\0');
  octavo_string_release(notes);
  CHECK(octavo_model_notes(model, NULL) == OCTAVO_INVALID_ARGUMENT);
}

static void test_jobs(const char* model_dir, const char* image, const char* calibration, const char* scratch) {
  octavo_model* model = NULL;
  octavo_generate_options options = OCTAVO_GENERATE_OPTIONS_INIT;
  octavo_generate_result cached = OCTAVO_GENERATE_RESULT_INIT, uncached = OCTAVO_GENERATE_RESULT_INIT,
                         stopped = OCTAVO_GENERATE_RESULT_INIT;
  octavo_quantize_options quantize = OCTAVO_QUANTIZE_OPTIONS_INIT;
  octavo_cancel* cancel = NULL;
  struct seen seen;
  int64_t problems = -1;
  char* json = NULL;
  const char* wrong = "no/such/picture.png";
  memset(&seen, 0, sizeof seen);

  CHECK(octavo_model_open("no/such/model", &model) == OCTAVO_NOT_FOUND && model == NULL);
  CHECK(octavo_check(model_dir, &problems, &json) == OCTAVO_OK && problems == 0 && json != NULL);
  octavo_string_release(json);
  test_plan(model_dir);
  test_image_load(image);
  test_model_options(model_dir, image);
  CHECK(octavo_model_open(model_dir, &model) == OCTAVO_OK);
  test_prompt_text(model);
  test_less_work(model, image);
  options.max_new_tokens = 24;
  options.sampling = OCTAVO_SAMPLING_GREEDY;
  options.on_token = on_token;
  options.user_data = &seen;
  CHECK(octavo_generate(model, "What colour is the circle?", &image, 1, &options, &cached) == OCTAVO_OK);
  CHECK(cached.text != NULL && strcmp(cached.text, seen.text) == 0 && seen.calls == (int)cached.new_tokens);
  options.cache_mode = OCTAVO_CACHE_OFF;
  options.on_token = NULL;
  CHECK(octavo_generate(model, "What colour is the circle?", &image, 1, &options, &uncached) == OCTAVO_OK);
  CHECK(uncached.text != NULL && strcmp(cached.text, uncached.text) == 0);
  octavo_string_release(cached.text);
  octavo_string_release(uncached.text);
  CHECK(octavo_generate(model, "What?", &wrong, 1, &options, &stopped) == OCTAVO_NOT_FOUND && stopped.text == NULL);
  CHECK(octavo_generate(model, "", NULL, 0, &options, &stopped) != OCTAVO_OK);
  memset(&seen, 0, sizeof seen);
  seen.limit = 1;
  options.on_token = on_token;
  CHECK(octavo_generate(model, "What colour is the circle?", &image, 1, &options, &stopped) == OCTAVO_OK);
  CHECK(stopped.new_tokens == 1 && stopped.finish_reason != OCTAVO_FINISH_LENGTH);
  octavo_string_release(stopped.text);
  test_batch(model, image);
  test_pictures(model, image);
  octavo_model_release(model);

  quantize.calibration = calibration;
  quantize.max_samples = 2;
  quantize.progress = stop_at_once;
  CHECK(octavo_quantize(model_dir, scratch, &quantize, NULL) == OCTAVO_CANCELLED);
  quantize.progress = NULL;
  CHECK(octavo_cancel_create(&cancel) == OCTAVO_OK);
  octavo_cancel_request(cancel);
  quantize.cancel = cancel;
  CHECK(octavo_quantize(model_dir, scratch, &quantize, NULL) == OCTAVO_CANCELLED);
  octavo_cancel_release(cancel);
  quantize.cancel = NULL;
  quantize.math = 3;
  CHECK(octavo_quantize(model_dir, scratch, &quantize, NULL) == OCTAVO_INVALID_ARGUMENT);
  CHECK(strstr(octavo_last_error(), "options.math is 3") != NULL);
  quantize.math = OCTAVO_MATH_F32;
  quantize.reserved2 = 1;
  CHECK(octavo_quantize(model_dir, scratch, &quantize, NULL) == OCTAVO_INVALID_ARGUMENT);
  quantize.reserved2 = 0;
  CHECK(octavo_model_open(scratch, &model) == OCTAVO_NOT_FOUND); /* nothing half-written */
  CHECK(octavo_quantize(model_dir, scratch, &quantize, &json) == OCTAVO_OK && strstr(json, "\"math\":\"f32\"") != NULL);
  octavo_string_release(json);
  quantize.math = OCTAVO_MATH_DEFAULT;
  quantize.overwrite = 1;
  CHECK(octavo_quantize(model_dir, scratch, &quantize, &json) == OCTAVO_OK &&
        strstr(json, "\"math\":\"bf16\"") != NULL);
  octavo_string_release(json);
}

/* A model against a quantized copy of itself, against itself and against nothing. */
/* Built-in prompts, no evaluation: the page and its JSON are written all the same. */
static void test_report(const char* model_dir, const char* scratch) {
  char html[4096];
  char json[4096];
  int32_t passed = -1;
  snprintf(html, sizeof html, "%s/../capi_c_report.html", scratch);
  snprintf(json, sizeof json, "%s/../capi_c_report.json", scratch);
  CHECK(octavo_report(model_dir, scratch, NULL, html, &passed) == OCTAVO_OK && passed == 1);
  FILE* page = fopen(html, "rb");
  char head[16] = {0};
  CHECK(page != NULL && fread(head, 1, 15, page) == 15 && strcmp(head, "<!doctype html>") == 0);
  if (page != NULL) fclose(page);
  CHECK(remove(html) == 0 && remove(json) == 0);

  passed = -1;
  CHECK(octavo_report(model_dir, scratch, NULL, "no/such/place.html", &passed) == OCTAVO_NOT_FOUND);
  CHECK(octavo_report(model_dir, scratch, NULL, "page.txt", &passed) == OCTAVO_INVALID_ARGUMENT);
  CHECK(octavo_report(model_dir, scratch, NULL, NULL, &passed) == OCTAVO_INVALID_ARGUMENT);
  CHECK(octavo_report(model_dir, scratch, NULL, html, NULL) == OCTAVO_INVALID_ARGUMENT);
  CHECK(passed == -1);
}

static void test_compare(const char* model_dir, const char* scratch) {
  octavo_quantize_options quantize = OCTAVO_QUANTIZE_OPTIONS_INIT;
  octavo_compare_options options = OCTAVO_COMPARE_OPTIONS_INIT;
  octavo_cancel* cancel = NULL;
  int32_t wrong = -1;
  char* json = NULL;
  quantize.recipe = "rtn";
  quantize.overwrite = 1;
  CHECK(octavo_quantize(model_dir, scratch, &quantize, NULL) == OCTAVO_OK);
  CHECK(octavo_compare(model_dir, scratch, NULL, &wrong, &json) == OCTAVO_OK && wrong == 0);
  CHECK(json != NULL && strstr(json, "\"relative_error\"") != NULL && strstr(json, "\"class\":\"expected\"") != NULL);
  octavo_string_release(json);
  json = NULL;
  options.skip_values = 1;
  CHECK(octavo_compare(model_dir, scratch, &options, &wrong, &json) == OCTAVO_OK && wrong == 0);
  CHECK(json != NULL && strstr(json, "\"relative_error\"") == NULL);
  octavo_string_release(json);
  json = NULL;
  wrong = -1;
  CHECK(octavo_compare(scratch, model_dir, &options, &wrong, &json) ==
        OCTAVO_INVALID_ARGUMENT); /* the wrong way round */
  CHECK(octavo_compare("no/such/model", scratch, &options, &wrong, &json) == OCTAVO_NOT_FOUND);
  CHECK(octavo_compare(model_dir, NULL, &options, &wrong, &json) == OCTAVO_INVALID_ARGUMENT);
  CHECK(octavo_compare(model_dir, scratch, &options, NULL, &json) == OCTAVO_INVALID_ARGUMENT);
  options.progress = stop_at_once;
  CHECK(octavo_compare(model_dir, scratch, &options, &wrong, &json) == OCTAVO_CANCELLED);
  options.progress = NULL;
  CHECK(octavo_cancel_create(&cancel) == OCTAVO_OK);
  octavo_cancel_request(cancel);
  options.cancel = cancel;
  CHECK(octavo_compare(model_dir, scratch, &options, &wrong, &json) == OCTAVO_CANCELLED);
  octavo_cancel_release(cancel);
  CHECK(wrong == -1 && json == NULL); /* untouched by failures */
}

/* Where the copy that test_compare left in `scratch` loses: not needed by default, found under a bound that it misses.
 */
static void test_attribute(const char* model_dir, const char* samples, const char* scratch, const char* profile) {
  octavo_attribute_options options = OCTAVO_ATTRIBUTE_OPTIONS_INIT;
  int32_t suggestion = -1;
  char *json = NULL, *recipe = NULL;
  FILE* file;
  CHECK(octavo_attribute(model_dir, scratch, &options, &suggestion, &recipe, &json) == OCTAVO_INVALID_ARGUMENT);
  CHECK(strstr(octavo_last_error(), "samples are needed") != NULL);
  options.samples = samples;
  options.max_samples = 2;
  options.max_new_tokens = 8;
  options.profile = "no such profile";
  CHECK(octavo_attribute(model_dir, scratch, &options, &suggestion, &recipe, &json) == OCTAVO_NOT_FOUND);
  file = fopen(profile, "w");
  CHECK(file != NULL);
  fputs("{\"extends\": \"lenient\", \"steps\": {\"evaluation\": {\"max_kl\": 0}}}", file); /* int8 cannot meet it */
  fclose(file);
  options.profile = profile;
  options.progress = stop_at_once;
  CHECK(octavo_attribute(model_dir, scratch, &options, &suggestion, &recipe, &json) == OCTAVO_CANCELLED);
  options.progress = NULL;
  CHECK(octavo_attribute(model_dir, scratch, &options, NULL, &recipe, &json) == OCTAVO_INVALID_ARGUMENT);
  CHECK(suggestion == -1 && recipe == NULL && json == NULL); /* untouched by failures */

  CHECK(octavo_attribute(model_dir, scratch, &options, &suggestion, &recipe, &json) == OCTAVO_OK);
  CHECK(suggestion == OCTAVO_SUGGESTION_FOUND); /* everything as in the original */
  CHECK(recipe != NULL && strstr(recipe, "\"skip\"") != NULL);
  CHECK(json != NULL && strstr(json, "\"groups\":[{\"input_group\"") != NULL);
  octavo_string_release(recipe);
  octavo_string_release(json);
  recipe = NULL;
  options.no_suggestion = 1;
  CHECK(octavo_attribute(model_dir, scratch, &options, &suggestion, &recipe, NULL) == OCTAVO_OK);
  CHECK(suggestion == OCTAVO_SUGGESTION_NOT_NEEDED && recipe == NULL);
  remove(profile);
}

int main(int argc, char** argv) {
  test_errors();
  test_seed_case();
  test_contract();
  test_attention_with_cache();
  test_typed_cache();
  test_gptq_and_linear();
  test_struct_growth();
  test_trace("octavo_capi_trace.jsonl");
  if (argc == 5) {
    test_jobs(argv[1], argv[2], argv[3], argv[4]);
    test_compare(argv[1], argv[4]);
    test_report(argv[1], argv[4]);
    test_attribute(argv[1], argv[3], argv[4], "octavo_capi_profile.json");
  }
  printf("%d failures\n", failures);
  return failures != 0;
}
