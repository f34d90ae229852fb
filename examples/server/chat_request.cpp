#include "chat_request.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <octavo/file_sampling.hpp>
#include <optional>
#include <random>
#include <system_error>

#include "chat_messages.hpp"
#include "http_error.hpp"

namespace server {
namespace {

using octavo::Json;

// In OpenAI's interface, and without influence on an answer here.
constexpr std::array kIgnored{"user",         "metadata", "safety_identifier",   "prompt_cache_key",
                              "service_tier", "store",    "parallel_tool_calls", "tool_choice"};

double number_in(const Json& value, double low, double high) {
  const double number = value.as_number();
  if (!(number >= low && number <= high))
    throw refused(value, "from " + octavo::JsonBuilder(low).dump() + " to " + octavo::JsonBuilder(high).dump());
  return number;
}

/// What an answer must look like: any text, any JSON object, or JSON of a schema.
std::optional<octavo::OutputForm> read_form(const Json& format) {
  const std::string type = format.at("type").as_string();
  if (type == "text") return std::nullopt;
  if (type != "json_object" && type != "json_schema")
    throw refused(format.at("type"), R"("text", "json_object" or "json_schema")");
  const std::string schema =
      type == "json_object" ? R"({"type": "object"})" : format.at("json_schema").at("schema").dump();
  try {
    return octavo::OutputForm::json_schema(schema);
  } catch (const octavo::Error& error) {
    throw refused(format, error.what());
  }
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
    } else if (key == "stop") {
      read_stop(value);
    } else if (key == "logprobs") {
      log_probs_ = value.as_bool();
    } else if (key == "top_logprobs") {
      top_log_probs_ = value.as_int();
      if (*top_log_probs_ < 0 || *top_log_probs_ > 20) throw refused(value, "from 0 to 20");
    } else if (key == "logit_bias") {
      read_logit_bias(value);
    } else if (key == "response_format") {
      request_.options.form = read_form(value);
    } else if (key == "tools") {
      if (!value.is_array() || value.size() != 0) throw refused(value, "not supported");
    } else if (std::find(kIgnored.begin(), kIgnored.end(), key) == kIgnored.end()) {
      throw refused(value, "not supported");
    }
  }

  void finish() {
    if (!seeded_) sampling_.seed = std::random_device()();
    request_.options.sampling = sampling_;
    if (top_log_probs_ && !log_probs_)
      throw HttpError(400, "top_logprobs: only where logprobs is true", "top_logprobs");
    if (log_probs_) request_.options.log_probs = top_log_probs_.value_or(0);
  }

 private:
  void read_max_tokens(const Json& value) {
    const std::int64_t tokens = value.as_int();
    if (tokens < 1) throw refused(value, "at least 1");
    if (tokens > limits_.max_context)
      throw refused(value, "at most " + std::to_string(limits_.max_context) + " (--max-context)");
    request_.options.max_new_tokens = tokens;
  }

  void read_stop(const Json& value) {
    std::vector<std::string>& stops = request_.options.stop_strings;
    if (value.is_string())
      stops.push_back(value.as_string());
    else if (!value.is_array())
      throw refused(value, "a text, or a list of texts");
    for (std::size_t i = 0; i < value.size(); ++i) stops.push_back(value.at(i).as_string());
    const auto is_empty = [](const std::string& text) { return text.empty(); };
    if (stops.size() > 16 || std::any_of(stops.begin(), stops.end(), is_empty))
      throw refused(value, "a text, or a list of at most 16, none empty");
  }

  void read_logit_bias(const Json& value) {
    value.for_each_member([&](std::string_view key, const Json& bias) {
      std::int32_t id = 0;
      const auto [end, failure] = std::from_chars(key.data(), key.data() + key.size(), id);
      if (failure != std::errc() || end != key.data() + key.size()) throw refused(bias, "the key must be a token's id");
      request_.options.logit_bias.push_back({id, number_in(bias, -100, 100)});
    });
  }

  ChatRequest& request_;
  octavo::SamplingOptions sampling_;
  const RequestLimits& limits_;
  bool seeded_ = false, log_probs_ = false;
  std::optional<std::int64_t> top_log_probs_;
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
