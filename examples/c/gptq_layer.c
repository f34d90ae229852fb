/* GPTQ of one layer, and the int8 linear, on data of your own.   gptq_layer
 * Inputs whose columns hang together are what GPTQ is for: it moves the rounding error of one column into the next
 * ones, where round-to-nearest lets the errors add up. */
#include <math.h>
#include <octavo.h>
#include <stdio.h>
#include <stdlib.h>

enum { TOKENS = 512, IN = 128, OUT = 64 };

static float noise(void) { /* uniform in -1 to 1, the same on every machine */
  static unsigned state = 1;
  state = state * 1664525u + 1013904223u;
  return (float)(state >> 8) / 8388608.0f - 1.0f;
}

static void check(octavo_status status) {
  if (status == OCTAVO_OK) return;
  fprintf(stderr, "%s\n", octavo_last_error());
  exit(1);
}

/* Relative distance of the int8 layer's outputs from those of the float weights. */
static double output_error(const octavo_tensor* q, const octavo_tensor* scales, const octavo_tensor* x,
                           const float* x_values, const float* weights) {
  octavo_linear* linear = NULL;
  octavo_tensor* y = NULL;
  void* data = NULL;
  double error = 0, size = 0;
  check(octavo_linear_w8a8_create(q, scales, NULL, &linear));
  check(octavo_linear_forward(linear, x, &y)); /* y [TOKENS, OUT] */
  check(octavo_tensor_data(y, &data, NULL));
  for (int token = 0; token < TOKENS; ++token)
    for (int out = 0; out < OUT; ++out) {
      double exact = 0;
      for (int in = 0; in < IN; ++in) exact += (double)x_values[token * IN + in] * weights[out * IN + in];
      const double difference = ((const float*)data)[token * OUT + out] - exact;
      error += difference * difference;
      size += exact * exact;
    }
  octavo_tensor_release(y);
  octavo_linear_release(linear);
  return sqrt(error / size);
}

int main(void) {
  static float x_values[TOKENS * IN], weights[OUT * IN];
  for (int i = 0; i < OUT * IN; ++i) weights[i] = noise();
  for (int token = 0; token < TOKENS; ++token) {
    const float common = noise(); /* what the columns share */
    for (int in = 0; in < IN; ++in) x_values[token * IN + in] = common + 0.25f * noise();
  }
  const int64_t x_dims[] = {TOKENS, IN}, w_dims[] = {OUT, IN};
  octavo_tensor *x = NULL, *w = NULL; /* over our memory: nothing is copied */
  check(octavo_tensor_borrow(x_values, OCTAVO_F32, x_dims, 2, &x));
  check(octavo_tensor_borrow(weights, OCTAVO_F32, w_dims, 2, &w));

  for (int32_t method = OCTAVO_METHOD_GPTQ; method <= OCTAVO_METHOD_RTN; ++method) {
    octavo_hessian* hessian = NULL; /* H = 2/n sum x^T x: call _add for every batch that you have */
    octavo_tensor *q = NULL, *scales = NULL;
    octavo_gptq_options options = OCTAVO_GPTQ_OPTIONS_INIT;
    octavo_gptq_result result = OCTAVO_GPTQ_RESULT_INIT;
    options.method = method;
    check(octavo_hessian_create(IN, &hessian));
    check(octavo_hessian_add(hessian, x));
    check(octavo_gptq_quantize_layer(w, hessian, &options, &q, &scales, &result));
    printf("%s: loss %.4f, outputs off by %.3f %%\n", method == OCTAVO_METHOD_GPTQ ? "gptq" : "rtn ", result.loss,
           100 * output_error(q, scales, x, x_values, weights));
    octavo_tensor_release(q);
    octavo_tensor_release(scales);
    octavo_hessian_release(hessian);
  }
  octavo_tensor_release(x);
  octavo_tensor_release(w);
  return 0;
}
