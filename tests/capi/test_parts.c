/* The parts of octavo.h that a program builds its own jobs from. Each check says what failed and where; the exit status
 * is the number of failures.
 *   test_parts MODEL_DIR PICTURE OUT_DIR */
#include <string.h>

#include "check.h"

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

int main(int argc, char** argv) {
  if (argc != 4) {
    fprintf(stderr, "usage: %s MODEL_DIR PICTURE OUT_DIR\n", argv[0]);
    return 2;
  }
  test_version();
  if (failures == 0) printf("parts: all passed\n");
  return failures;
}
