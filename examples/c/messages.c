/* Asks about a picture that lies in memory, under a system prompt; shows each token with its probability as it comes,
 * and ends at the first line break.   messages MODEL_DIR IMAGE "question" */
#include <math.h>
#include <octavo.h>
#include <stdio.h>

enum { MOST_BYTES = 1 << 24 };
static unsigned char bytes[MOST_BYTES];

static int32_t on_event(const octavo_token_event* event, void* user_data) {
  (void)user_data;
  printf("%6d %5.1f %%  \"%s\"\n", (int)event->id, 100 * exp(event->log_prob), event->text);
  return fflush(stdout) != 0; /* nobody reads on: stop */
}

static octavo_status ask(const char* model_dir, size_t size, const char* question, octavo_generate_result* result) {
  const char* const stops[1] = {"\n"};
  octavo_generate_options options = OCTAVO_GENERATE_OPTIONS_INIT;
  octavo_model* model = NULL;
  octavo_image* image = NULL;
  octavo_messages* messages = NULL;
  octavo_prompt* prompt = NULL;
  octavo_status status = octavo_model_open(model_dir, &model);
  if (!status) status = octavo_image_decode(bytes, size, NULL, &image);
  if (!status) status = octavo_messages_create(&messages);
  if (!status) status = octavo_messages_add(messages, "system", "You are a helpful assistant.");
  if (!status) status = octavo_messages_add(messages, "user", NULL);
  if (!status)
    status = octavo_messages_add_image(messages, image); /* parts stand in the order in which they are added */
  if (!status) status = octavo_messages_add_text(messages, question);
  if (!status) status = octavo_prompt_create(model, messages, NULL, &prompt);
  options.stop_strings = stops;
  options.stop_string_count = 1;
  options.log_probs = 1;
  options.on_event = on_event;
  if (!status) status = octavo_generate_prompt(model, prompt, &options, result);
  octavo_prompt_release(prompt); /* each accepts NULL */
  octavo_messages_release(messages);
  octavo_image_release(image);
  octavo_model_release(model);
  return status;
}

int main(int argc, char** argv) {
  octavo_generate_result result = OCTAVO_GENERATE_RESULT_INIT;
  FILE* file = argc == 4 ? fopen(argv[2], "rb") : NULL;
  size_t size = 0;
  if (file == NULL) return fprintf(stderr, "usage: %s MODEL_DIR IMAGE QUESTION\n", argv[0]), 2;
  size = fread(bytes, 1, MOST_BYTES, file);
  fclose(file);
  if (ask(argv[1], size, argv[3], &result)) return fprintf(stderr, "%s\n", octavo_last_error()), 1;
  printf("%s\n", result.text);
  octavo_generate_result_release(&result);
  return 0;
}
