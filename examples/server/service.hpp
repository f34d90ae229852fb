// HTTP: the routes, who may use them, and what bodies they take.
#pragma once

#include <httplib.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>

#include "chat_endpoint.hpp"
#include "metrics.hpp"
#include "options.hpp"

namespace server {

class Service {
 public:
  /// All must outlive it.
  Service(const Options& options, ChatEndpoint& chat, Metrics& metrics);

  /// Takes the port, and says which it is. @throws std::runtime_error where it cannot be had
  int bind();
  void serve();  ///< until stop()
  void stop() { http_.stop(); }
  /// From now on, /health and new chats answer 503; running ones go on.
  void drain() noexcept { draining_.store(true); }

 private:
  void set_limits();
  void add_routes();
  void chat(const httplib::Request& request, const httplib::ContentReader& content, httplib::Response& response);
  void check_key(const httplib::Request& request) const;
  std::string read_body(const httplib::Request& request, const httplib::ContentReader& content) const;

  const Options& options_;
  ChatEndpoint& chat_;
  Metrics& metrics_;
  const std::int64_t started_;  ///< Unix time
  std::atomic<bool> draining_{false};
  httplib::Server http_;
  int listening_ = -1;  ///< its socket
};

}  // namespace server
