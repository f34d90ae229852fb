// A batch that sequences join and leave while it runs.
#include <memory>
#include <string>
#include <utility>

#include "generation.hpp"
#include "guard.hpp"
#include "handles.hpp"

using namespace octavo::capi;  // NOLINT(google-build-using-namespace): this file is the namespace's C face

extern "C" {

octavo_status octavo_batch_create(const octavo_model* model, const octavo_batch_options* options, octavo_batch** out) {
  return guarded([&] {
    require(model, "model");
    require(out, "out");
    const octavo_batch_options given = read_options(options, "options");
    octavo::RunningBatchOptions batch;
    if (given.max_sequences != 0) batch.max_sequences = given.max_sequences;
    if (given.prompt_tokens != 0) batch.prompt_tokens = given.prompt_tokens;
    *out = new octavo_batch{octavo::RunningBatch(model->value, batch)};
  });
}

octavo_status octavo_batch_join(octavo_batch* batch, const octavo_prompt* prompt,
                                const octavo_generate_options* options, uint64_t* out_sequence) {
  return guarded([&] {
    require(batch, "batch");
    require(prompt, "prompt");
    require(out_sequence, "out_sequence");
    const InUse use(batch->caller, "batch", true);
    auto given = std::make_unique<octavo_generate_options>(read_generate_options(options));
    refuse_reading_options(*given);
    if (given->prefill_chunk != 0)
      throw octavo::Error(octavo::ErrorCode::invalid_argument,
                          "options.prefill_chunk is set, and a batch reads prompts by octavo_batch_options."
                          "prompt_tokens: leave it 0");
    const std::uint64_t sequence = batch->value.join(prompt->value, generate_options(*given));
    try {
      batch->options.emplace(sequence, std::move(given));
    } catch (...) {
      batch->value.leave(sequence);
      throw;
    }
    *out_sequence = sequence;
  });
}

octavo_status octavo_batch_leave(octavo_batch* batch, uint64_t sequence) {
  return guarded([&] {
    require(batch, "batch");
    const InUse use(batch->caller, "batch", true);
    batch->value.leave(sequence);
    batch->options.erase(sequence);
  });
}

octavo_status octavo_batch_step(octavo_batch* batch, size_t* out_finished) {
  return guarded([&] {
    require(batch, "batch");
    const InUse use(batch->caller, "batch", true);
    for (octavo::RunningBatch::Finished& finished : batch->value.step()) {
      batch->options.erase(finished.id);
      batch->finished.push_back(std::move(finished));
    }
    if (out_finished != nullptr) *out_finished = batch->finished.size();
  });
}

octavo_status octavo_batch_take(octavo_batch* batch, uint64_t* out_sequence, octavo_status* out_status,
                                const char** out_message, octavo_generate_result* out_result) {
  return guarded([&] {
    require(batch, "batch");
    require(out_sequence, "out_sequence");
    require(out_status, "out_status");
    require_generate_result(out_result);
    const InUse use(batch->caller, "batch", true);
    if (batch->finished.empty())
      throw octavo::Error(octavo::ErrorCode::not_found, "batch: no sequence has finished that was not taken");
    const octavo::RunningBatch::Finished& first = batch->finished.front();
    ResultMemory memory = result_memory(first.result);
    std::string message = first.error ? first.error->what() : "";
    hand_over(out_result, first.result, std::move(memory));
    batch->message = std::move(message);
    *out_sequence = first.id;
    *out_status = first.error ? static_cast<octavo_status>(first.error->code()) : OCTAVO_OK;
    if (out_message != nullptr) *out_message = batch->message.c_str();
    batch->finished.pop_front();
  });
}

octavo_status octavo_batch_size(const octavo_batch* batch, size_t* out_size, size_t* out_waiting) {
  return guarded([&] {
    require(batch, "batch");
    const InUse use(batch->caller, "batch", true);
    if (out_size != nullptr) *out_size = batch->value.size();
    if (out_waiting != nullptr) *out_waiting = batch->value.waiting();
  });
}

void octavo_batch_release(octavo_batch* batch) { delete batch; }

}  // extern "C"
