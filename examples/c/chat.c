/* A conversation about a picture on one session: each turn reads only what is new. A line of input is a question; what
 * was said is saved at the end, and goes on from there the next time.   chat MODEL_DIR IMAGE SESSION_FILE < questions
 */
#include <octavo.h>
#include <stdio.h>
#include <string.h>

static int32_t on_token(int32_t token, const char* text, void* user_data) {
  (void)token;
  (void)user_data;
  fputs(text, stdout);
  return fflush(stdout) != 0; /* nobody reads on: stop */
}

/* All messages are rendered anew; the session finds what it holds of them already. */
static octavo_status turn(const octavo_model* model, octavo_session* session, octavo_messages* messages) {
  octavo_generate_options options = OCTAVO_GENERATE_OPTIONS_INIT;
  octavo_generate_result answer = OCTAVO_GENERATE_RESULT_INIT;
  octavo_prompt* prompt = NULL;
  int64_t reused = 0;
  octavo_status status = octavo_prompt_create(model, messages, NULL, &prompt);
  options.max_new_tokens = 64;
  options.on_token = on_token;
  if (!status) status = octavo_session_continue(session, prompt, &reused);
  if (!status) status = octavo_session_generate(session, &options, &answer);
  if (!status) status = octavo_messages_add(messages, "assistant", answer.text);
  if (!status) printf("\n(%d of %d tokens were read before)\n", (int)reused, (int)answer.prompt_tokens);
  octavo_generate_result_release(&answer);
  octavo_prompt_release(prompt);
  return status;
}

static octavo_status talk(const octavo_model* model, const octavo_image* image, const char* file) {
  char line[4096];
  octavo_session* session = NULL;
  octavo_messages* messages = NULL;
  octavo_status status = octavo_session_restore(model, file, 0, &session);
  if (status == OCTAVO_NOT_FOUND) status = octavo_session_create(model, NULL, &session);
  if (!status) status = octavo_messages_create(&messages);
  if (!status) status = octavo_messages_add(messages, "user", NULL);
  if (!status) status = octavo_messages_add_image(messages, image);
  for (int first = 1; !status && fgets(line, sizeof line, stdin) != NULL; first = 0) {
    line[strcspn(line, "\n")] = 0;
    status = first ? octavo_messages_add_text(messages, line) : octavo_messages_add(messages, "user", line);
    if (!status) status = turn(model, session, messages);
  }
  if (!status) status = octavo_session_save(session, file);
  octavo_messages_release(messages);
  octavo_session_release(session);
  return status;
}

int main(int argc, char** argv) {
  octavo_model* model = NULL;
  octavo_image* image = NULL;
  octavo_status status = OCTAVO_OK;
  if (argc != 4) return fprintf(stderr, "usage: %s MODEL_DIR IMAGE SESSION_FILE\n", argv[0]), 2;
  status = octavo_model_open(argv[1], &model);
  if (!status) status = octavo_image_open(argv[2], NULL, &image);
  if (!status) status = talk(model, image, argv[3]);
  if (status) fprintf(stderr, "%s\n", octavo_last_error());
  octavo_image_release(image);
  octavo_model_release(model);
  return status ? 1 : 0;
}
