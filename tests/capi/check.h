/* What the C programs of these tests share: a check says what failed and where, and counts. */
#ifndef OCTAVO_TESTS_CAPI_CHECK_H
#define OCTAVO_TESTS_CAPI_CHECK_H

#include <octavo.h>
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
#define SAYS(text) CHECK(strstr(octavo_last_error(), text) != NULL)

static octavo_generate_options greedy(int64_t tokens) {
  octavo_generate_options options = OCTAVO_GENERATE_OPTIONS_INIT;
  options.max_new_tokens = tokens;
  options.sampling = OCTAVO_SAMPLING_GREEDY;
  return options;
}

#endif
