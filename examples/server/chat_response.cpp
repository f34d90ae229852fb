#include "chat_response.hpp"

#include <array>
#include <chrono>
#include <cstdio>
#include <random>
#include <utility>

namespace server {
namespace {

using octavo::JsonBuilder;

std::string random_id() {
  std::random_device random;
  std::array<char, 33> digits{};
  std::snprintf(digits.data(), digits.size(), "%08x%08x%08x", random(), random(), random());
  return std::string("chatcmpl-") + digits.data();
}

const char* finish_reason(const octavo::GenerateResult& result) {
  return result.finish_reason == octavo::FinishReason::length ? "length" : "stop";
}

JsonBuilder usage_of(const octavo::GenerateResult& result) {
  const auto answer = static_cast<std::int64_t>(result.tokens.size());
  JsonBuilder usage = JsonBuilder::object();
  usage.set("prompt_tokens", result.prompt_tokens);
  usage.set("completion_tokens", answer);
  usage.set("total_tokens", result.prompt_tokens + answer);
  usage.set("prompt_tokens_details", JsonBuilder::object().set("cached_tokens", result.reused_tokens));
  return usage;
}

std::string event(const JsonBuilder& data) { return "data: " + data.dump() + "\n\n"; }

JsonBuilder error_object(const HttpError& error) {
  const auto or_null = [](const std::string& text) { return text.empty() ? JsonBuilder() : JsonBuilder(text); };
  JsonBuilder fields = JsonBuilder::object();
  fields.set("message", error.what());
  fields.set("type", error_type(error.status));
  fields.set("param", or_null(error.param));
  fields.set("code", or_null(error.code));
  return JsonBuilder::object().set("error", std::move(fields));
}

}  // namespace

ChatResponse::ChatResponse(std::string model_name, const octavo::Tokenizer& tokenizer)
    : id_(random_id()),
      model_name_(std::move(model_name)),
      tokenizer_(tokenizer),
      created_(std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch())
                   .count()) {}

JsonBuilder ChatResponse::envelope(const char* object) const {
  JsonBuilder response = JsonBuilder::object();
  response.set("id", id_).set("object", object).set("created", created_).set("model", model_name_);
  return response;
}

std::string ChatResponse::whole(const octavo::GenerateResult& result) const {
  JsonBuilder message = JsonBuilder::object();
  message.set("role", "assistant").set("content", result.text);
  JsonBuilder choice = JsonBuilder::object();
  choice.set("index", 0).set("message", std::move(message));
  choice.set("logprobs", log_probs({result.tokens, result.log_probs})).set("finish_reason", finish_reason(result));
  JsonBuilder response = envelope("chat.completion");
  response.set("choices", JsonBuilder::array().push(std::move(choice)));
  response.set("usage", usage_of(result));
  return response.dump();
}

JsonBuilder ChatResponse::scored_token(std::int32_t id, double log_prob) const {
  const std::string bytes = tokenizer_.token_bytes(id);
  JsonBuilder values = JsonBuilder::array();
  for (const char byte : bytes) values.push(static_cast<int>(static_cast<unsigned char>(byte)));
  JsonBuilder token = JsonBuilder::object();
  token.set("token", bytes).set("logprob", log_prob).set("bytes", std::move(values));
  return token;
}

/// Null where none were asked for. The token that ended the answer is no part of it, as in OpenAI's.
JsonBuilder ChatResponse::log_probs(const TokenScores& scores) const {
  if (scores.log_probs.empty()) return {};
  JsonBuilder content = JsonBuilder::array();
  for (std::size_t i = 0; i < scores.ids.size(); ++i) {
    if (tokenizer_.is_special(scores.ids[i])) continue;
    JsonBuilder best = JsonBuilder::array();
    for (const octavo::TokenLogProb& other : scores.log_probs[i].best)
      best.push(scored_token(other.id, other.log_prob));
    content.push(scored_token(scores.ids[i], scores.log_probs[i].log_prob).set("top_logprobs", std::move(best)));
  }
  return JsonBuilder::object().set("content", std::move(content));
}

std::string ChatResponse::chunk_event(JsonBuilder delta, JsonBuilder log_probs, JsonBuilder finish_reason) const {
  JsonBuilder choice = JsonBuilder::object();
  choice.set("index", 0).set("delta", std::move(delta));
  choice.set("logprobs", std::move(log_probs)).set("finish_reason", std::move(finish_reason));
  return event(envelope("chat.completion.chunk").set("choices", JsonBuilder::array().push(std::move(choice))));
}

std::string ChatResponse::role_event() const {
  return chunk_event(JsonBuilder::object().set("role", "assistant").set("content", ""), nullptr, nullptr);
}

std::string ChatResponse::text_event(const Answer::News& news) const {
  if (news.text.empty() && news.scores.ids.empty()) return {};
  return chunk_event(JsonBuilder::object().set("content", news.text), log_probs(news.scores), nullptr);
}

std::string ChatResponse::end_event(const octavo::GenerateResult& result) const {
  return chunk_event(JsonBuilder::object(), nullptr, finish_reason(result));
}

std::string ChatResponse::usage_event(const octavo::GenerateResult& result) const {
  JsonBuilder response = envelope("chat.completion.chunk");
  return event(response.set("choices", JsonBuilder::array()).set("usage", usage_of(result)));
}

std::string ChatResponse::error_event(const HttpError& error) { return event(error_object(error)); }

std::string error_body(const HttpError& error) { return error_object(error).dump(); }

}  // namespace server
