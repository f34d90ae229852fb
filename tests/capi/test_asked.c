/* What is asked, as a C program sees it: pictures, messages, prompts, tokens. Usage: test_capi_asked MODEL PICTURE. The
 * exit status is the number of failures. */
#include <stdlib.h>

#include "check.h"

static const char* const kQuestion = "Where is the red circle?";

static octavo_generate_options greedy(int64_t tokens) {
  octavo_generate_options options = OCTAVO_GENERATE_OPTIONS_INIT;
  options.max_new_tokens = tokens;
  options.sampling = OCTAVO_SAMPLING_GREEDY;
  return options;
}

static unsigned char* file_bytes(const char* path, size_t* size) {
  FILE* file = fopen(path, "rb");
  unsigned char* bytes = NULL;
  long length;
  CHECK(file != NULL);
  if (file == NULL) exit(1);
  fseek(file, 0, SEEK_END);
  length = ftell(file);
  rewind(file);
  bytes = malloc((size_t)length);
  CHECK(fread(bytes, 1, (size_t)length, file) == (size_t)length);
  fclose(file);
  *size = (size_t)length;
  return bytes;
}

/* One picture three ways: the path, the bytes of the file, and its pixels with gaps between the rows. */
static void test_images(const char* path) {
  octavo_image *opened = NULL, *decoded = NULL, *drawn = NULL;
  octavo_pixel_layout layout = OCTAVO_PIXEL_LAYOUT_INIT;
  const uint8_t *pixels = NULL, *other = NULL;
  int64_t width = 0, height = 0, w = 0, h = 0, y;
  size_t size = 0, bytes;
  unsigned char *file = file_bytes(path, &size), *rows;
  CHECK(octavo_image_open(path, NULL, &opened) == OCTAVO_OK);
  CHECK(octavo_image_size(opened, &width, &height) == OCTAVO_OK && width > 0 && height > 0);
  CHECK(octavo_image_pixels(opened, &pixels) == OCTAVO_OK);
  bytes = (size_t)(3 * width * height);

  CHECK(octavo_image_decode(file, size, NULL, &decoded) == OCTAVO_OK);
  CHECK(octavo_image_size(decoded, &w, &h) == OCTAVO_OK && w == width && h == height);
  CHECK(octavo_image_pixels(decoded, &other) == OCTAVO_OK && memcmp(pixels, other, bytes) == 0);

  layout.width = width;
  layout.height = height;
  layout.row_stride = 3 * width + 5;
  rows = calloc((size_t)(layout.row_stride * height), 1);
  for (y = 0; y < height; ++y) memcpy(rows + y * layout.row_stride, pixels + 3 * y * width, (size_t)(3 * width));
  /* The last row needs no gap behind it. */
  CHECK(octavo_image_from_pixels(rows, (size_t)(layout.row_stride * height - 5), &layout, &drawn) == OCTAVO_OK);
  CHECK(octavo_image_pixels(drawn, &other) == OCTAVO_OK && memcmp(pixels, other, bytes) == 0);
  octavo_image_release(drawn);
  drawn = NULL;
  CHECK(octavo_image_from_pixels(rows, (size_t)(layout.row_stride * height - 6), &layout, &drawn) ==
        OCTAVO_INVALID_ARGUMENT);
  CHECK(drawn == NULL);
  SAYS("too few");
  layout.row_stride = 3 * width - 1;
  CHECK(octavo_image_from_pixels(rows, bytes, &layout, &drawn) == OCTAVO_INVALID_ARGUMENT);
  layout.row_stride = 0;
  layout.channels = 2;
  CHECK(octavo_image_from_pixels(rows, bytes, &layout, &drawn) == OCTAVO_INVALID_ARGUMENT);
  SAYS("channels is 2");
  layout.channels = 3;
  layout.width = 0;
  CHECK(octavo_image_from_pixels(rows, bytes, &layout, &drawn) == OCTAVO_INVALID_ARGUMENT);
  layout.width = INT64_MAX;
  CHECK(octavo_image_from_pixels(rows, bytes, &layout, &drawn) == OCTAVO_INVALID_ARGUMENT);
  CHECK(octavo_image_from_pixels(NULL, 0, &layout, &drawn) == OCTAVO_INVALID_ARGUMENT);
  CHECK(octavo_image_decode("no picture", 10, NULL, &drawn) == OCTAVO_FORMAT && drawn == NULL);
  CHECK(octavo_image_open("no/such/picture", NULL, &drawn) == OCTAVO_NOT_FOUND && drawn == NULL);
  free(rows);
  free(file);
  octavo_image_release(opened);
  octavo_image_release(decoded);
  octavo_image_release(NULL);
}

/* Grey, and alpha on white: (255 * (255 - alpha) + value * alpha) / 255, rounded. */
static void test_channels(void) {
  const unsigned char grey[2] = {7, 200}, rgba[8] = {10, 20, 30, 255, 0, 100, 255, 128};
  const unsigned char three[6] = {7, 7, 7, 200, 200, 200}, white[6] = {10, 20, 30, 127, 177, 255},
                      dropped[6] = {10, 20, 30, 0, 100, 255};
  octavo_pixel_layout layout = OCTAVO_PIXEL_LAYOUT_INIT;
  octavo_image* image = NULL;
  const uint8_t* pixels = NULL;
  layout.width = 2;
  layout.height = 1;
  layout.channels = 1;
  CHECK(octavo_image_from_pixels(grey, 2, &layout, &image) == OCTAVO_OK);
  CHECK(octavo_image_pixels(image, &pixels) == OCTAVO_OK && memcmp(pixels, three, 6) == 0);
  octavo_image_release(image);
  layout.channels = 4;
  CHECK(octavo_image_from_pixels(rgba, 8, &layout, &image) == OCTAVO_OK);
  CHECK(octavo_image_pixels(image, &pixels) == OCTAVO_OK && memcmp(pixels, white, 6) == 0);
  octavo_image_release(image);
  layout.transparency = OCTAVO_TRANSPARENCY_DROP;
  CHECK(octavo_image_from_pixels(rgba, 8, &layout, &image) == OCTAVO_OK);
  CHECK(octavo_image_pixels(image, &pixels) == OCTAVO_OK && memcmp(pixels, dropped, 6) == 0);
  octavo_image_release(image);
  layout.transparency = 2;
  CHECK(octavo_image_from_pixels(rgba, 8, &layout, &image) == OCTAVO_INVALID_ARGUMENT);
}

/* The messages that octavo_generate makes, made by hand, give its answer; parts stand in their order. */
static void test_messages(const octavo_model* model, const char* path) {
  octavo_messages* messages = NULL;
  octavo_image* image = NULL;
  octavo_prompt* prompt = NULL;
  octavo_generate_options options = greedy(12);
  octavo_generate_result simple = OCTAVO_GENERATE_RESULT_INIT, result = OCTAVO_GENERATE_RESULT_INIT;
  octavo_picture_size pictures[2];
  octavo_chat_options chat = OCTAVO_CHAT_OPTIONS_INIT;
  char* text = NULL;
  const int32_t* ids = NULL;
  size_t count = 0;
  CHECK(octavo_generate(model, kQuestion, &path, 1, &options, &simple) == OCTAVO_OK);
  CHECK(octavo_messages_create(&messages) == OCTAVO_OK);
  CHECK(octavo_messages_add_text(messages, kQuestion) == OCTAVO_INVALID_ARGUMENT);
  SAYS("octavo_messages_add first");
  CHECK(octavo_prompt_create(model, messages, NULL, &prompt) == OCTAVO_INVALID_ARGUMENT && prompt == NULL);
  CHECK(octavo_image_open(path, NULL, &image) == OCTAVO_OK);
  CHECK(octavo_messages_add(messages, "user", NULL) == OCTAVO_OK);
  CHECK(octavo_messages_add_image(messages, image) == OCTAVO_OK);
  CHECK(octavo_messages_add_text(messages, kQuestion) == OCTAVO_OK);
  CHECK(octavo_prompt_create(model, messages, NULL, &prompt) == OCTAVO_OK);
  octavo_messages_release(messages);
  octavo_image_release(image);
  CHECK(octavo_prompt_ids(prompt, &ids, &count) == OCTAVO_OK && (int64_t)count == simple.prompt_tokens);
  CHECK(octavo_prompt_pictures(prompt, NULL, 0, &count) == OCTAVO_OK && count == 1);
  CHECK(octavo_prompt_pictures(prompt, pictures, 2, &count) == OCTAVO_OK && count == 1);
  CHECK(pictures[0].width % 28 == 0 && pictures[0].original_width > 0);
  CHECK(octavo_generate_prompt(model, prompt, &options, &result) == OCTAVO_OK);
  CHECK(result.text && simple.text && strcmp(result.text, simple.text) == 0);
  CHECK(result.picture_count == 1);
  octavo_generate_result_release(&result);
  CHECK(octavo_generate_prompt(model, prompt, &options, &result) == OCTAVO_OK); /* again: it does not wear out */
  CHECK(strcmp(result.text, simple.text) == 0);
  octavo_generate_result_release(&result);
  octavo_generate_result_release(&simple);
  options.control_tokens_as_text = 1;
  CHECK(octavo_generate_prompt(model, prompt, &options, &result) == OCTAVO_INVALID_ARGUMENT);
  SAYS("octavo_prompt_create");
  octavo_prompt_release(prompt);

  CHECK(octavo_messages_create(&messages) == OCTAVO_OK);
  CHECK(octavo_image_open(path, NULL, &image) == OCTAVO_OK);
  CHECK(octavo_messages_add(messages, "system", "Be brief.") == OCTAVO_OK);
  CHECK(octavo_messages_add(messages, "user", "First: ") == OCTAVO_OK);
  CHECK(octavo_messages_add_image(messages, image) == OCTAVO_OK);
  CHECK(octavo_messages_add_text(messages, " and then ") == OCTAVO_OK);
  CHECK(octavo_messages_add_image(messages, image) == OCTAVO_OK);
  CHECK(octavo_messages_add(messages, "assistant", "Yes.") == OCTAVO_OK);
  CHECK(octavo_messages_add(messages, "user", "<|im_end|>") == OCTAVO_OK);
  CHECK(octavo_chat_render(model, messages, NULL, &text) == OCTAVO_OK);
  CHECK(strcmp(text,
               "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nFirst: <|vision_start|><|image_pad|>"
               "<|vision_end|> and then <|vision_start|><|image_pad|><|vision_end|><|im_end|>\n<|im_start|>assistant\n"
               "Yes.<|im_end|>\n<|im_start|>user\n<|im_end|><|im_end|>\n<|im_start|>assistant\n") == 0);
  octavo_string_release(text);
  chat.no_generation_prompt = 1;
  chat.add_vision_id = 1;
  CHECK(octavo_chat_render(model, messages, &chat, &text) == OCTAVO_OK);
  CHECK(strstr(text, "First: Picture 1: <|vision_start|>") && strstr(text, "Picture 2: "));
  CHECK(strcmp(text + strlen(text) - 11, "<|im_end|>\n") == 0);
  octavo_string_release(text);
  {
    /* As text, the control token of the last message has several ids. */
    octavo_prompt *tokens = NULL, *literal = NULL;
    size_t fewer = 0, more = 0;
    octavo_chat_options as_text = OCTAVO_CHAT_OPTIONS_INIT;
    as_text.control_tokens_as_text = 1;
    CHECK(octavo_prompt_create(model, messages, NULL, &tokens) == OCTAVO_OK);
    CHECK(octavo_prompt_create(model, messages, &as_text, &literal) == OCTAVO_OK);
    CHECK(octavo_prompt_ids(tokens, NULL, &fewer) == OCTAVO_OK && octavo_prompt_ids(literal, NULL, &more) == OCTAVO_OK);
    CHECK(more > fewer);
    CHECK(octavo_prompt_pictures(literal, NULL, 0, &count) == OCTAVO_OK && count == 2);
    octavo_prompt_release(tokens);
    octavo_prompt_release(literal);
  }
  octavo_messages_release(messages);
  octavo_image_release(image);
  octavo_messages_release(NULL);
  octavo_prompt_release(NULL);
}

/* JSON in OpenAI's form says what the calls say. */
static void test_json(const octavo_model* model, const char* path) {
  const char* const form =
      "[{\"role\": \"system\", \"content\": \"Be brief.\"}, {\"role\": \"user\", \"content\": ["
      "{\"type\": \"text\", \"text\": \"See \"}, {\"type\": \"image_url\", \"image_url\": {\"url\": \"%s\"}}]}]";
  char json[2000];
  octavo_messages *made = NULL, *read = NULL;
  octavo_image* image = NULL;
  octavo_prompt* prompts[2] = {NULL, NULL};
  const int32_t *ids = NULL, *other = NULL;
  size_t count = 0, other_count = 0;
  octavo_decode_options decode = OCTAVO_DECODE_OPTIONS_INIT;
  snprintf(json, sizeof json, form, path);
  CHECK(octavo_messages_from_json(json, NULL, NULL, &read) == OCTAVO_OK);
  CHECK(octavo_image_open(path, NULL, &image) == OCTAVO_OK);
  CHECK(octavo_messages_create(&made) == OCTAVO_OK);
  CHECK(octavo_messages_add(made, "system", "Be brief.") == OCTAVO_OK);
  CHECK(octavo_messages_add(made, "user", "See ") == OCTAVO_OK);
  CHECK(octavo_messages_add_image(made, image) == OCTAVO_OK);
  CHECK(octavo_prompt_create(model, made, NULL, &prompts[0]) == OCTAVO_OK);
  CHECK(octavo_prompt_create(model, read, NULL, &prompts[1]) == OCTAVO_OK);
  CHECK(octavo_prompt_ids(prompts[0], &ids, &count) == OCTAVO_OK);
  CHECK(octavo_prompt_ids(prompts[1], &other, &other_count) == OCTAVO_OK && count == other_count && count > 0);
  CHECK(memcmp(ids, other, count * sizeof(int32_t)) == 0);
  octavo_messages_release(made);
  octavo_messages_release(read);
  octavo_image_release(image);
  octavo_prompt_release(prompts[0]);
  octavo_prompt_release(prompts[1]);
  read = NULL;
  decode.max_pixels = 1;
  CHECK(octavo_messages_from_json(json, NULL, &decode, &read) == OCTAVO_FORMAT && read == NULL);
  CHECK(octavo_messages_from_json("[{", NULL, NULL, &read) == OCTAVO_FORMAT && read == NULL);
  snprintf(json, sizeof json, form, "no/such/picture.png");
  CHECK(octavo_messages_from_json(json, "/", NULL, &read) == OCTAVO_NOT_FOUND && read == NULL);
}

/* Text to ids and back; a prompt of ids gives the answer of the prompt that they are of. */
static void test_tokens(const octavo_model* model) {
  octavo_generate_options options = greedy(8);
  octavo_generate_result simple = OCTAVO_GENERATE_RESULT_INIT, result = OCTAVO_GENERATE_RESULT_INIT;
  const char* text = "<|im_start|>user\nHello, gr\xC3\xBC\xC3\x9F dich \xF0\x9F\x90\xA6!<|im_end|>\n";
  octavo_messages* messages = NULL;
  octavo_prompt *prompt = NULL, *again = NULL;
  octavo_text_stream* stream = NULL;
  char *back = NULL, *bytes = NULL, streamed[200] = "";
  const char* piece = NULL;
  const int32_t* prompt_ids = NULL;
  int32_t ids[100], id = -1, special = -1;
  int64_t vocab = 0;
  size_t count = 0, literal = 0, size = 0, i;
  CHECK(octavo_model_vocab_size(model, &vocab) == OCTAVO_OK && vocab > 0);
  CHECK(octavo_tokenize(model, text, 0, NULL, 0, &count) == OCTAVO_OK && count > 3 && count < 100);
  memset(ids, 0x7F, sizeof ids);
  CHECK(octavo_tokenize(model, text, 0, ids, 2, &count) == OCTAVO_OK && ids[2] == 0x7F7F7F7F); /* two alone */
  CHECK(octavo_tokenize(model, text, 0, ids, 100, &count) == OCTAVO_OK);
  CHECK(octavo_token_id(model, "<|im_start|>", &id) == OCTAVO_OK && id == ids[0]);
  CHECK(octavo_token_is_special(model, id, &special) == OCTAVO_OK && special == 1);
  CHECK(octavo_token_is_special(model, ids[1], &special) == OCTAVO_OK && special == 0);
  CHECK(octavo_token_id(model, "no token of any model", &id) == OCTAVO_NOT_FOUND);
  CHECK(octavo_detokenize(model, ids, count, 0, &back, &size) == OCTAVO_OK && strcmp(back, text) == 0);
  CHECK(size == strlen(text));
  octavo_string_release(back);
  CHECK(octavo_detokenize(model, ids, count, 1, &back, NULL) == OCTAVO_OK);
  CHECK(strcmp(back, "user\nHello, gr\xC3\xBC\xC3\x9F dich \xF0\x9F\x90\xA6!\n") == 0);

  /* One by one: whole characters alone, the same text. */
  CHECK(octavo_text_stream_create(model, 1, &stream) == OCTAVO_OK);
  for (i = 0; i < count; ++i) {
    CHECK(octavo_text_stream_push(stream, ids[i], &piece) == OCTAVO_OK);
    CHECK(piece[0] == 0 || ((unsigned char)piece[0] & 0xC0U) != 0x80U);
    strcat(streamed, piece);
  }
  CHECK(octavo_text_stream_finish(stream, &piece) == OCTAVO_OK && piece[0] == 0);
  CHECK(strcmp(streamed, back) == 0);
  octavo_text_stream_release(stream);
  octavo_string_release(back);

  size = 0;
  for (i = 0; i < count; ++i) {
    size_t length = 0;
    CHECK(octavo_token_bytes(model, ids[i], &bytes, &length) == OCTAVO_OK && memcmp(bytes, text + size, length) == 0);
    size += length;
    octavo_string_release(bytes);
  }
  CHECK(size == strlen(text));
  CHECK(octavo_token_bytes(model, -1, &bytes, &size) == OCTAVO_NOT_FOUND);
  CHECK(octavo_tokenize(model, text, 1, NULL, 0, &literal) == OCTAVO_OK && literal > count);
  CHECK(octavo_tokenize(model, "\xFF", 0, ids, 100, &count) == OCTAVO_INVALID_ARGUMENT);
  CHECK(octavo_tokenize(model, text, 0, NULL, 5, &count) == OCTAVO_INVALID_ARGUMENT);

  CHECK(octavo_generate(model, "Hello", NULL, 0, &options, &simple) == OCTAVO_OK);
  CHECK(octavo_messages_create(&messages) == OCTAVO_OK);
  CHECK(octavo_messages_add(messages, "user", "Hello") == OCTAVO_OK);
  CHECK(octavo_chat_render(model, messages, NULL, &back) == OCTAVO_OK);
  CHECK(octavo_tokenize(model, back, 0, ids, 100, &count) == OCTAVO_OK && count <= 100);
  CHECK(octavo_prompt_from_ids(ids, count, &prompt) == OCTAVO_OK);
  CHECK(octavo_prompt_create(model, messages, NULL, &again) == OCTAVO_OK);
  CHECK(octavo_prompt_ids(again, &prompt_ids, &size) == OCTAVO_OK && size == count);
  CHECK(memcmp(prompt_ids, ids, count * sizeof(int32_t)) == 0);
  CHECK(octavo_generate_prompt(model, prompt, &options, &result) == OCTAVO_OK);
  CHECK(strcmp(result.text, simple.text) == 0 && result.new_tokens == simple.new_tokens);
  CHECK(memcmp(result.tokens, simple.tokens, (size_t)result.new_tokens * sizeof(int32_t)) == 0);
  octavo_generate_result_release(&result);
  octavo_generate_result_release(&simple);
  octavo_prompt_release(prompt);
  octavo_prompt_release(again);
  octavo_messages_release(messages);
  octavo_string_release(back);
  ids[0] = (int32_t)vocab;
  CHECK(octavo_prompt_from_ids(ids, 1, &prompt) == OCTAVO_OK);
  CHECK(octavo_generate_prompt(model, prompt, &options, &result) == OCTAVO_INVALID_ARGUMENT);
  octavo_prompt_release(prompt);
}

int main(int argc, char** argv) {
  octavo_model* model = NULL;
  if (argc != 3) return 2;
  CHECK(octavo_model_open(argv[1], &model) == OCTAVO_OK);
  if (model == NULL) return 1;
  test_images(argv[2]);
  test_channels();
  test_messages(model, argv[2]);
  test_json(model, argv[2]);
  test_tokens(model);
  octavo_model_release(model);
  printf("%d failures\n", failures);
  return failures;
}
