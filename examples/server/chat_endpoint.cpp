#include "chat_endpoint.hpp"

#include <algorithm>
#include <chrono>
#include <utility>
#include <vector>

#include "chat_response.hpp"
#include "http_error.hpp"
#include "pictures.hpp"

namespace server {
namespace {

using Clock = Answer::Clock;
constexpr std::chrono::milliseconds kGlance{100};  // how often it is looked whether the client is still there

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

}  // namespace

/// One request under way. Whatever ends it, an answer that nobody waits for is given up.
struct ChatEndpoint::Exchange {
  explicit Exchange(ChatEndpoint& all)
      : endpoint(all),
        deadline(arrival + all.options_.request_timeout),
        response(all.options_.model_name, all.model_.tokenizer()) {
    ++endpoint.open_exchanges_;
  }
  Exchange(const Exchange&) = delete;
  ~Exchange() {
    if (answer) answer->abandon();
    --endpoint.open_exchanges_;
  }

  /// Takes what has come since the last call. @throws HttpError  504 when time is up
  Answer::News news(std::chrono::milliseconds patience) {
    Answer::News news = answer->wait(patience);
    if (news.started && !std::exchange(started, true))
      endpoint.metrics_.first_token_seconds.record(seconds_since(arrival));
    if (news.done) endpoint.metrics_.request_seconds.record(seconds_since(arrival));
    if (!news.done && Clock::now() > deadline)
      throw HttpError(504, "the answer took longer than the server allows (--timeout)", {}, "timeout");
    return news;
  }

  ChatEndpoint& endpoint;
  const Clock::time_point arrival = Clock::now();
  const Clock::time_point deadline;
  const ChatResponse response;
  std::shared_ptr<Answer> answer;
  Answer::News unsent;                         ///< what came before the stream was opened
  bool started = false, done = false;          ///< of the answer
  bool opened = false, include_usage = false;  ///< of the stream
};

ChatEndpoint::ChatEndpoint(const Options& options, const octavo::Model& model, Engine& engine, Metrics& metrics)
    : options_(options),
      model_(model),
      engine_(engine),
      metrics_(metrics),
      defaults_(octavo::GenerationConfig::read(model.checkpoint().directory(), model.checkpoint().config())) {
  const std::size_t bytes = options.prefix_cache_bytes, of_images = bytes / 4;  // rows of pictures are few
  if (bytes > 0)
    prefix_cache_ = std::make_shared<octavo::PrefixCache>(octavo::PrefixCache::Limits{bytes - of_images, of_images});
}

void ChatEndpoint::respond(const httplib::Request& request, const std::string& body, httplib::Response& response) {
  const Connection connection(request);
  ChatRequest chat =
      parse_chat_request(octavo::Json::parse(body, kBody), options_.model_name, defaults_, options_.limits);
  auto exchange = std::make_shared<Exchange>(*this);
  auto place = engine_.find_place();
  if (!place) throw HttpError(429, "the server has as many requests as it takes: try again later", {}, "overloaded");
  octavo::ModelInput input = prepare(chat);
  chat.options.cache_dtype = options_.cache_dtype;
  chat.options.prefix_cache = prefix_cache_;
  exchange->answer = engine_.submit(*std::move(place), std::move(input), std::move(chat.options));
  if (!chat.stream) {
    wait_for_end(*exchange, connection);
    response.set_content(exchange->response.whole(exchange->answer->result()), "application/json");
    return;
  }
  exchange->include_usage = chat.include_usage;
  wait_for_text(*exchange, connection);
  response.set_header("Cache-Control", "no-cache");
  response.set_header("X-Accel-Buffering", "no");  // a proxy passes each event on at once
  response.set_chunked_content_provider(
      "text/event-stream", [exchange](std::size_t, httplib::DataSink& sink) { return send_news(*exchange, sink); });
}

octavo::ModelInput ChatEndpoint::prepare(ChatRequest& chat) {
  preparing_.acquire();
  const struct Release {
    std::counting_semaphore<>& semaphore;
    ~Release() { semaphore.release(); }
  } release{preparing_};
  std::vector<octavo::Image> images;
  for (const auto& picture : chat.pictures)
    images.push_back(decode_picture(picture.bytes, options_.limits, picture.where));
  octavo::ChatOptions template_options;
  template_options.control_tokens_as_text = true;  // else whoever writes a text could speak as the system
  octavo::ModelInput input = model_.prepare(chat.messages, images, template_options);

  const std::int64_t context = std::min(options_.limits.max_context, model_.max_position_embeddings());
  const auto prompt = static_cast<std::int64_t>(input.ids.size());
  if (prompt >= context)
    throw HttpError(400,
                    "the prompt has " + std::to_string(prompt) + " tokens, prompt and answer may have " +
                        std::to_string(context) + ": shorten it, or send smaller pictures",
                    "messages", "context_length_exceeded");
  auto& wanted = chat.options.max_new_tokens;
  wanted = std::min(wanted.value_or(defaults_.max_new_tokens.value_or(context)), context - prompt);
  return input;
}

void ChatEndpoint::wait_for_text(Exchange& exchange, const Connection& connection) const {
  while (!exchange.started && !exchange.done) {
    if (connection.is_gone()) throw HttpError(499, "the client has gone");
    exchange.unsent = exchange.news(kGlance);
    exchange.done = exchange.unsent.done;
  }
}

void ChatEndpoint::wait_for_end(Exchange& exchange, const Connection& connection) const {
  while (!exchange.done) {
    if (connection.is_gone()) throw HttpError(499, "the client has gone");
    exchange.done = exchange.news(kGlance).done;
  }
}

// Called until it says that it is done; false, or a client that has gone, ends the connection, and with it the
// exchange. A status can no longer be sent: an error is an event.
bool ChatEndpoint::send_news(Exchange& exchange, httplib::DataSink& sink) {
  std::string events;
  try {
    if (!std::exchange(exchange.opened, true))
      events = exchange.response.role_event() + exchange.response.text_event(std::exchange(exchange.unsent, {}));
    if (!exchange.done) {
      const Answer::News news = exchange.news(kGlance);
      events += exchange.response.text_event(news);
      exchange.done = news.done;
    }
    if (exchange.done) {
      const octavo::GenerateResult& result = exchange.answer->result();
      events += exchange.response.end_event(result);
      if (exchange.include_usage) events += exchange.response.usage_event(result);
      events += ChatResponse::done_event();
    }
  } catch (const HttpError& error) {
    events += ChatResponse::error_event(error);
    exchange.done = true;
  } catch (const std::exception& error) {
    events += ChatResponse::error_event(HttpError(500, error.what()));
    exchange.done = true;
  }
  if (!events.empty() && !sink.write(events.data(), events.size())) return false;
  if (exchange.done) sink.done();
  return true;
}

}  // namespace server
