/* A chat about a picture: several turns on one session, each read once.   chat MODEL_DIR PICTURE   (a question a line)
 */
#include <octavo.h>
#include <stdio.h>
#include <string.h>

static int32_t print(int32_t token, const char* text, void* user_data) {
  (void)token, (void)user_data;
  fputs(text, stdout);
  fflush(stdout);
  return 0; /* anything else ends the answer */
}

/* One turn. Whatever fails, the status says so, and octavo_last_error() why. */
static octavo_status turn(const octavo_model* model, octavo_session* session, octavo_messages* messages) {
  octavo_prompt* whole = NULL;
  octavo_generate_options options = OCTAVO_GENERATE_OPTIONS_INIT;
  octavo_generate_result answer = OCTAVO_GENERATE_RESULT_INIT;
  int64_t reused = 0;
  octavo_status status;
  options.sampling = OCTAVO_SAMPLING_GREEDY;
  options.on_token = print;
  /* The whole conversation is laid out anew; the session runs only what it does not hold yet. */
  if ((status = octavo_prompt_create(model, messages, NULL, &whole)) == OCTAVO_OK &&
      (status = octavo_session_continue(session, whole, &reused)) == OCTAVO_OK &&
      (status = octavo_session_generate(session, &options, &answer)) == OCTAVO_OK &&
      (status = octavo_messages_add(messages, "assistant", answer.text)) == OCTAVO_OK)
    printf("\n  (%lld tokens not read again)\n", (long long)reused);
  octavo_generate_result_release(&answer);
  octavo_prompt_release(whole);
  return status;
}

int main(int argc, char** argv) {
  octavo_model* model = NULL;
  octavo_image* picture = NULL;
  octavo_session* session = NULL;
  octavo_messages* messages = NULL;
  char line[4096];
  octavo_status status;
  if (argc != 3) return fprintf(stderr, "usage: %s MODEL_DIR PICTURE\n", argv[0]), 2;
  if ((status = octavo_model_open(argv[1], &model)) == OCTAVO_OK &&
      (status = octavo_image_open(argv[2], NULL, &picture)) == OCTAVO_OK &&
      (status = octavo_session_create(model, NULL, &session)) == OCTAVO_OK)
    status = octavo_messages_create(&messages);
  for (int first = 1; status == OCTAVO_OK && fgets(line, sizeof line, stdin); first = 0) {
    line[strcspn(line, "\n")] = 0;
    status = octavo_messages_add(messages, "user", NULL);
    /* The picture belongs to the first question, and stays in the session's cache for all that follow. */
    if (status == OCTAVO_OK && first) status = octavo_messages_add_image(messages, picture);
    if (status == OCTAVO_OK) status = octavo_messages_add_text(messages, line);
    if (status == OCTAVO_OK) status = turn(model, session, messages);
  }
  if (status != OCTAVO_OK) fprintf(stderr, "%s\n", octavo_last_error());
  octavo_messages_release(messages); /* each takes NULL */
  octavo_session_release(session);
  octavo_image_release(picture);
  octavo_model_release(model);
  return status == OCTAVO_OK ? 0 : 1;
}
