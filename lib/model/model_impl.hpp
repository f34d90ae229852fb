// The inside of Model, shared by model.cpp, generate.cpp and session.cpp.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "runtime_model.hpp"

namespace octavo {

struct Model::Impl {
  Impl(Checkpoint opened, const ModelOptions& asked, std::unique_ptr<model::RuntimeModel> built,
       GenerationConfig defaults, bool other_linears = false)
      : checkpoint(std::move(opened)),
        options(asked),
        runtime(std::move(built)),
        generation(std::move(defaults)),
        linears_replaced(other_linears) {}

  /// Of this process; no two models have the same.
  static std::uint64_t next_id() {
    static std::atomic<std::uint64_t> last{0};
    return ++last;
  }
  const std::uint64_t id = next_id();
  Checkpoint checkpoint;
  ModelOptions options;
  std::unique_ptr<model::RuntimeModel> runtime;
  GenerationConfig generation;
  const bool linears_replaced;  ///< by Model::with_linears: the checkpoint does not say all

  /// Null when the directory has no tokenizer files; throws when it has broken ones.
  const Tokenizer* find_tokenizer() const;

  /// Made when first asked for. Throws not_found when the directory has no tokenizer files.
  const FormVocabulary& form_vocabulary() const;
  /// Of what keys and values depend on: the checkpoint's config.json, every value of its tensors, the options. 64
  /// hexadecimal digits. The first call reads all weights. @throws Error  cancelled.
  const std::string& fingerprint() const;

  // Read when first needed, so that a directory with weights alone still runs on token ids.
  mutable std::mutex lazy_mutex;
  mutable std::optional<Tokenizer> tokenizer;
  mutable std::optional<FormVocabulary> forms;
  mutable std::optional<ChatTemplate> chat_template;
  mutable std::optional<ImageProcessorConfig> image_processor;
  mutable std::mutex fingerprint_mutex;
  mutable std::string fingerprint_digits;
};

}  // namespace octavo
