/* What the C test programs share: a check that goes on, and the count of those that failed. */
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

#endif
