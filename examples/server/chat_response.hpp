// What is sent back: chat.completion and chat.completion.chunk objects of OpenAI's interface, and its error object.
#pragma once

#include <cstdint>
#include <octavo/json.hpp>
#include <octavo/model.hpp>
#include <string>
#include <string_view>

#include "answer.hpp"
#include "http_error.hpp"

namespace server {

/// What the responses to one request share.
class ChatResponse {
 public:
  /// `tokenizer` spells tokens where log-probabilities are asked for.
  ChatResponse(std::string model_name, const octavo::Tokenizer& tokenizer);

  std::string whole(const octavo::GenerateResult& result) const;

  // Chunks of a stream, each an event of its own.
  std::string role_event() const;  ///< the first
  std::string text_event(const Answer::News& news) const;
  std::string end_event(const octavo::GenerateResult& result) const;  ///< finish_reason
  std::string usage_event(const octavo::GenerateResult& result) const;
  static std::string error_event(const HttpError& error);
  static std::string done_event() { return "data: [DONE]\n\n"; }

 private:
  octavo::JsonBuilder envelope(const char* object) const;
  octavo::JsonBuilder log_probs(const TokenScores& scores) const;
  octavo::JsonBuilder scored_token(std::int32_t id, double log_prob) const;
  std::string chunk_event(octavo::JsonBuilder delta, octavo::JsonBuilder log_probs,
                          octavo::JsonBuilder finish_reason) const;

  std::string id_, model_name_;
  octavo::Tokenizer tokenizer_;
  std::int64_t created_ = 0;  ///< Unix time
};

/// {"error": {"message", "type", "param", "code"}}
std::string error_body(const HttpError& error);

}  // namespace server
