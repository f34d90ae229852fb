// Answers, of one prompt and of a batch.
#include <string>
#include <utility>
#include <vector>

#include "generation.hpp"
#include "guard.hpp"
#include "handles.hpp"
#include "image.hpp"

using namespace octavo::capi;  // NOLINT(google-build-using-namespace): this file is the namespace's C face

namespace {

octavo::ChatOptions chat_options(const octavo_generate_options& given) {
  octavo::ChatOptions chat;
  chat.control_tokens_as_text = given.control_tokens_as_text != 0;
  return chat;
}

void answer(const octavo_model& model, const octavo::ModelInput& input, const octavo_generate_options& given,
            octavo_generate_result* out) {
  const octavo::GenerateResult generated = model.value.generate(input, generate_options(given));
  hand_over(out, generated, result_memory(generated));
}

void answer_batch(const octavo_model& model, const std::vector<octavo::ModelInput>& inputs,
                  const octavo_generate_options& given, const std::vector<octavo_generate_result*>& outs) {
  const std::vector<octavo::GenerateResult> generated = model.value.generate(inputs, generate_options(given));
  std::vector<ResultMemory> memory;  // until nothing can fail any more
  memory.reserve(outs.size());
  for (const octavo::GenerateResult& each : generated) memory.push_back(result_memory(each));
  for (size_t i = 0; i < outs.size(); ++i) hand_over(outs[i], generated[i], std::move(memory[i]));
}

void require_prompts(const void* prompts, size_t count) {
  require(prompts, "prompts");
  if (count == 0)
    throw octavo::Error(octavo::ErrorCode::invalid_argument, "count is 0: a batch has at least one prompt");
}

}  // namespace

extern "C" {

octavo_status octavo_generate(const octavo_model* model, const char* prompt, const char* const* image_paths,
                              size_t image_count, const octavo_generate_options* options,
                              octavo_generate_result* out_result) {
  return guarded([&] {
    require(model, "model");
    require(prompt, "prompt");
    require_generate_result(out_result);
    const octavo_generate_options given = read_generate_options(options);
    generate_options(given);  // refused before pictures are read
    const std::vector<octavo::Image> images = load_images(image_paths, image_count, decode_options(given.decode));
    answer(*model, model->value.prepare(prompt, images, chat_options(given)), given, out_result);
  });
}

octavo_status octavo_generate_prompt(const octavo_model* model, const octavo_prompt* prompt,
                                     const octavo_generate_options* options, octavo_generate_result* out_result) {
  return guarded([&] {
    require(model, "model");
    require(prompt, "prompt");
    require_generate_result(out_result);
    const octavo_generate_options given = read_generate_options(options);
    refuse_reading_options(given);
    answer(*model, prompt->value, given, out_result);
  });
}

octavo_status octavo_generate_batch(const octavo_model* model, const char* const* prompts,
                                    const char* const* const* image_paths, const size_t* image_counts, size_t count,
                                    const octavo_generate_options* options, octavo_generate_result* out_results) {
  return guarded([&] {
    require(model, "model");
    require_prompts(prompts, count);
    if (image_paths != nullptr) require(image_counts, "image_paths is given, and image_counts");
    const std::vector<octavo_generate_result*> outs = results_of(out_results, count);
    const octavo_generate_options given = read_generate_options(options);
    generate_options(given);  // refused before pictures are read
    const octavo::DecodeOptions decode = decode_options(given.decode);
    std::vector<octavo::ModelInput> inputs;
    for (size_t i = 0; i < count; ++i)
      octavo::in_context("sequence " + std::to_string(i), [&] {
        require(prompts[i], "its prompt");
        const size_t pictures = image_counts == nullptr ? 0 : image_counts[i];
        if (pictures > 0) require(image_paths, "image_paths");
        inputs.push_back(model->value.prepare(
            prompts[i], load_images(pictures > 0 ? image_paths[i] : nullptr, pictures, decode), chat_options(given)));
      });
    answer_batch(*model, inputs, given, outs);
  });
}

octavo_status octavo_generate_prompts(const octavo_model* model, const octavo_prompt* const* prompts, size_t count,
                                      const octavo_generate_options* options, octavo_generate_result* out_results) {
  return guarded([&] {
    require(model, "model");
    require_prompts(prompts, count);
    const std::vector<octavo_generate_result*> outs = results_of(out_results, count);
    const octavo_generate_options given = read_generate_options(options);
    refuse_reading_options(given);
    std::vector<octavo::ModelInput> inputs;
    for (size_t i = 0; i < count; ++i) {
      require(prompts[i], "a prompt in prompts");
      inputs.push_back(prompts[i]->value);  // shares the pictures
    }
    answer_batch(*model, inputs, given, outs);
  });
}

}  // extern "C"
