#include "service.hpp"

#include <sys/socket.h>

#include <chrono>
#include <octavo/error.hpp>
#include <octavo/json.hpp>
#include <octavo/version.hpp>
#include <stdexcept>
#include <string_view>

#include "chat_response.hpp"
#include "http_error.hpp"

namespace server {
namespace {

using httplib::Request;
using httplib::Response;
using octavo::JsonBuilder;

std::int64_t unix_time() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::seconds>(now).count();
}

/// Takes as long wherever two keys of one length differ, so that answers' times do not tell a key letter by letter.
bool equal_in_constant_time(std::string_view a, std::string_view b) {
  unsigned differs = a.size() != b.size();
  for (std::size_t i = 0; i < a.size(); ++i)
    differs |= static_cast<unsigned>(static_cast<unsigned char>(a[i]) ^
                                     static_cast<unsigned char>(b[b.empty() ? 0 : i % b.size()]));
  return differs == 0;
}

void send_error(const HttpError& error, Response& response) {
  response.status = error.status;
  if (error.status == 401) response.set_header("WWW-Authenticate", "Bearer");
  if (error.status == 429 || error.status == 503) response.set_header("Retry-After", "1");
  response.set_content(error_body(error), "application/json");
}

/// What an error of Octavo's is to a client: his own, or the server's.
HttpError as_http(const octavo::Error& error) {
  switch (error.code()) {
    case octavo::ErrorCode::invalid_argument:
    case octavo::ErrorCode::format:
    case octavo::ErrorCode::unsupported:
    case octavo::ErrorCode::not_found:
      return HttpError(400, error.what());
    default:
      return HttpError(500, error.what());
  }
}

template <class Job>
void guarded(Response& response, Job&& job) {
  response.status = 200;
  try {
    job();
  } catch (const HttpError& error) {
    send_error(error, response);
  } catch (const octavo::Error& error) {
    send_error(as_http(error), response);
  } catch (const std::exception& error) {
    send_error(HttpError(500, error.what()), response);
  }
}

}  // namespace

Service::Service(const Options& options, ChatEndpoint& chat, Metrics& metrics)
    : options_(options), chat_(chat), metrics_(metrics), started_(unix_time()) {
  set_limits();
  add_routes();
}

void Service::set_limits() {
  // A thread for every request that may run or wait, and some to send others away.
  const std::size_t threads = options_.max_running + options_.max_waiting + 8;
  http_.new_task_queue = [threads] { return new httplib::ThreadPool(threads); };
  // One request a connection: a body that was refused unread is never taken for the next request, and no thread waits
  // for a client that has nothing to ask.
  http_.set_keep_alive_max_count(1);
  http_.set_read_timeout(std::chrono::seconds(10));
  http_.set_write_timeout(std::chrono::seconds(30));
  http_.set_payload_max_length(4 *
                               options_.limits.max_body_bytes);  // up to which a refused body is read, see read_body
  http_.set_tcp_nodelay(true);
  http_.set_socket_options([this](int socket) {  // not SO_REUSEPORT, by which two servers share a port unseen
    const int on = 1;
    setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    listening_ = socket;
  });
}

void Service::add_routes() {
  http_.Get("/health", [this](const Request&, Response& response) {
    guarded(response, [&] {
      if (draining_.load()) throw HttpError(503, "the server is about to end");
      response.set_content(R"({"status":"ok"})", "application/json");
    });
  });
  http_.Get("/metrics", [this](const Request& request, Response& response) {
    guarded(response, [&] {
      check_key(request);
      response.set_content(metrics_.text(), "text/plain; version=0.0.4");
    });
  });
  const auto card = [this] {
    JsonBuilder model = JsonBuilder::object();
    return model.set("id", options_.model_name)
        .set("object", "model")
        .set("created", started_)
        .set("owned_by", "octavo");
  };
  http_.Get("/v1/models", [this, card](const Request& request, Response& response) {
    guarded(response, [&] {
      check_key(request);
      JsonBuilder list = JsonBuilder::object();
      list.set("object", "list").set("data", JsonBuilder::array().push(card()));
      response.set_content(list.dump(), "application/json");
    });
  });
  http_.Get("/v1/models/(.+)", [this, card](const Request& request, Response& response) {
    guarded(response, [&] {
      check_key(request);
      if (request.matches[1] != options_.model_name)
        throw HttpError(404, "there is one model here: \"" + options_.model_name + "\"", "model", "model_not_found");
      response.set_content(card().dump(), "application/json");
    });
  });
  http_.Post("/v1/chat/completions",
             [this](const Request& request, Response& response, const httplib::ContentReader& content) {
               guarded(response, [&] { chat(request, content, response); });
               metrics_.count_response(response.status);
             });
  // Whatever else would bring a body: refused unread.
  const auto nothing_here = [](const Request& request, Response& response, const httplib::ContentReader&) {
    send_error(HttpError(404, "there is no " + request.method + " " + request.path + " here"), response);
  };
  http_.Post(".*", nothing_here).Put(".*", nothing_here).Patch(".*", nothing_here).Delete(".*", nothing_here);
  http_.set_error_handler([](const Request& request, Response& response) {
    if (!response.body.empty()) return;
    const std::string what = response.status == 404 ? "there is no " + request.method + " " + request.path + " here"
                                                    : "this is no request that the server understands";
    send_error(HttpError(response.status, what), response);
  });
}

void Service::chat(const Request& request, const httplib::ContentReader& content, Response& response) {
  check_key(request);
  if (draining_.load()) throw HttpError(503, "the server is about to end");
  // A page in a browser cannot send this type to another site without asking first.
  if (!request.get_header_value("Content-Type").starts_with("application/json"))
    throw HttpError(415, "Content-Type must be application/json");
  chat_.respond(request, read_body(request, content), response);
}

void Service::check_key(const Request& request) const {
  if (options_.api_key.empty()) return;
  const std::string sent = request.get_header_value("Authorization");
  if (!equal_in_constant_time(sent, "Bearer " + options_.api_key))
    throw HttpError(401, "the header \"Authorization: Bearer KEY\" is missing, or its key is not the server's", {},
                    "invalid_api_key");
}

// A body that is too long is read on, and thrown away, up to a bound: a client that still writes would not see the
// answer.
std::string Service::read_body(const Request& request, const httplib::ContentReader& content) const {
  if (!request.has_header("Content-Length") && !request.has_header("Transfer-Encoding"))
    throw HttpError(411, "the header Content-Length is missing");
  const auto deadline = std::chrono::steady_clock::now() + options_.body_timeout;
  const std::size_t limit = options_.limits.max_body_bytes;
  std::string body;
  std::size_t size = 0;
  bool late = false;
  const bool complete = content([&](const char* data, std::size_t length) {
    size += length;
    if (size <= limit) body.append(data, length);
    late = std::chrono::steady_clock::now() > deadline;
    return !late && size <= 4 * limit;
  });
  if (late) throw HttpError(408, "the body took longer than the server allows (--body-timeout)");
  const std::string stated = request.get_header_value("Content-Length");
  if (size > limit || (!complete && stated.size() > std::to_string(limit).size()))
    throw HttpError(413, "the body has more than " + std::to_string(limit >> 20) + " MiB (--max-body-mib)");
  if (!complete) throw HttpError(400, "the body is cut short, or cannot be read");
  return body;
}

int Service::bind() {
  const int port = options_.port == 0                                 ? http_.bind_to_any_port(options_.host)
                   : http_.bind_to_port(options_.host, options_.port) ? options_.port
                                                                      : -1;
  if (port < 0)
    throw std::runtime_error("cannot listen on " + options_.host + ":" + std::to_string(options_.port) +
                             ": another program has the port, or the address is not this machine's");
  listen(listening_, SOMAXCONN);  // httplib lets 5 connections wait to be taken: clients that come together are reset
  return port;
}

void Service::serve() { http_.listen_after_bind(); }

}  // namespace server
