/* Answers a question about a picture: the ten lines of README.md.   answer MODEL_DIR IMAGE "question" */
#include <octavo.h>
#include <stdio.h>

int main(int argc, char** argv) {
  octavo_model* model = NULL;
  octavo_generate_result result = OCTAVO_GENERATE_RESULT_INIT;
  const char* image = argc == 4 ? argv[2] : "";
  if (argc != 4) return fprintf(stderr, "usage: %s MODEL_DIR IMAGE QUESTION\n", argv[0]), 2;
  if (octavo_model_open(argv[1], &model) || octavo_generate(model, argv[3], &image, 1, NULL, &result)) {
    fprintf(stderr, "%s\n", octavo_last_error());
    octavo_model_release(model);
    return 1;
  }
  printf("%s\n", result.text);
  octavo_string_release(result.text);
  octavo_model_release(model);
  return 0;
}
