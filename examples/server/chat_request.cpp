#include "chat_request.hpp"

#include <algorithm>
#include <array>
#include <functional>
#include <random>

#include "chat_messages.hpp"
#include "http_error.hpp"

namespace server {
namespace {

using octavo::Json;

// In OpenAI's interface, and without influence on an answer here.
constexpr std::array kIgnored{"user",         "metadata", "safety_identifier",   "prompt_cache_key",
                              "service_tier", "store",    "parallel_tool_calls", "tool_choice"};

octavo::SamplingOptions sampling_of(const octavo::GenerationConfig& file) {
  octavo::SamplingOptions sampling;
  sampling.repetition_penalty = file.repetition_penalty;
  if (!file.do_sample) return sampling;
  sampling.do_sample = true;
  sampling.temperature = file.temperature;
  sampling.top_k = file.top_k;
  sampling.top_p = file.top_p;
  sampling.min_p = file.min_p;
  sampling.typical_p = file.typical_p;
  sampling.epsilon_cutoff = file.epsilon_cutoff;
  sampling.eta_cutoff = file.eta_cutoff;
  return sampling;
}

double number_in(const Json& value, double low, double high) {
  const double number = value.as_number();
  if (!(number >= low && number <= high))
    throw refused(value, "from " + octavo::JsonBuilder(low).dump() + " to " + octavo::JsonBuilder(high).dump());
  return number;
}

class Reader {
 public:
  Reader(ChatRequest& request, octavo::SamplingOptions sampling, const RequestLimits& limits)
      : request_(request), sampling_(sampling), limits_(limits) {}

  void read(std::string_view key, const Json& value) {
    if (value.is_null() || key == "model" || key == "messages") return;
    if (key == "temperature") {
      sampling_.temperature = number_in(value, 0, 2);
      sampling_.do_sample = true;  // at 0 greedily
    } else if (key == "top_p") {
      sampling_.top_p = number_in(value, 0, 1);
    } else if (key == "top_k") {
      sampling_.top_k = std::max<std::int64_t>(value.as_int(), 0);  // vLLM's -1 is off, too
    } else if (key == "min_p") {
      sampling_.min_p = number_in(value, 0, 1);
    } else if (key == "repetition_penalty") {
      sampling_.repetition_penalty = number_in(value, 0.01, 100);
    } else if (key == "seed") {
      sampling_.seed = static_cast<std::uint64_t>(value.as_int());
      seeded_ = true;
    } else if (key == "max_tokens" || key == "max_completion_tokens") {
      read_max_tokens(value);
    } else if (key == "ignore_eos") {  // vLLM's: answers of a set length, for measuring
      request_.options.ignore_eos = value.as_bool();
    } else if (key == "stream") {
      request_.stream = value.as_bool();
    } else if (key == "stream_options") {
      value.for_each_member([&](std::string_view name, const Json& option) {
        if (name != "include_usage" && name != "include_obfuscation") throw refused(option, "not supported");
        if (name == "include_usage") request_.include_usage = option.as_bool();
      });
    } else if (key == "n") {
      if (value.as_int() != 1) throw refused(value, "one answer per request: send the request again");
    } else if (key == "frequency_penalty" || key == "presence_penalty") {
      if (value.as_number() != 0) throw refused(value, "not supported, only 0; there is repetition_penalty");
    } else if (key == "logprobs") {
      if (value.as_bool()) throw refused(value, "not supported");
    } else if (key == "response_format") {
      if (value.at("type").as_string() != "text") throw refused(value.at("type"), R"(not supported, only "text")");
    } else if (key == "logit_bias" || key == "tools") {
      if (value.size() != 0) throw refused(value, "not supported");
    } else if (std::find(kIgnored.begin(), kIgnored.end(), key) == kIgnored.end()) {
      throw refused(value, "not supported");
    }
  }

  void finish() {
    if (!seeded_) sampling_.seed = std::random_device()();
    request_.options.sampling = sampling_;
  }

 private:
  void read_max_tokens(const Json& value) {
    const std::int64_t tokens = value.as_int();
    if (tokens < 1) throw refused(value, "at least 1");
    if (tokens > limits_.max_context)
      throw refused(value, "at most " + std::to_string(limits_.max_context) + " (--max-context)");
    request_.options.max_new_tokens = tokens;
  }

  ChatRequest& request_;
  octavo::SamplingOptions sampling_;
  const RequestLimits& limits_;
  bool seeded_ = false;
};

void check_model(const Json& body, const std::string& model_name) {
  const std::string asked = body.at("model").as_string();
  if (asked != model_name)
    throw HttpError(404,
                    "there is no model " + octavo::JsonBuilder(asked).dump() + " here, only \"" + model_name + "\"",
                    "model", "model_not_found");
}

}  // namespace

ChatRequest parse_chat_request(const Json& body, const std::string& model_name,
                               const octavo::GenerationConfig& defaults, const RequestLimits& limits) {
  try {
    if (!body.is_object()) throw HttpError(400, "the body must be a JSON object");
    check_model(body, model_name);
    ChatRequest request;
    Reader reader(request, sampling_of(defaults), limits);
    body.for_each_member([&](std::string_view key, const Json& value) { reader.read(key, value); });
    reader.finish();
    if (request.include_usage && !request.stream)
      throw HttpError(400, "stream_options: only where stream is true", "stream_options");
    parse_messages(body.at("messages"), limits, request);
    return request;
  } catch (const octavo::Error& error) {  // a value of another kind, or a key that is missing
    throw HttpError(400, error.what());
  }
}

}  // namespace server
