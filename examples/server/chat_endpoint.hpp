// POST /v1/chat/completions: the way from a request to its answer, whole or streamed.
#pragma once

#include <httplib.h>

#include <atomic>
#include <memory>
#include <octavo/generation_config.hpp>
#include <octavo/model.hpp>
#include <octavo/prefix_cache.hpp>
#include <semaphore>
#include <string>

#include "answer.hpp"
#include "chat_request.hpp"
#include "connection.hpp"
#include "engine.hpp"
#include "metrics.hpp"
#include "options.hpp"

namespace server {

class ChatEndpoint {
 public:
  /// All must outlive it.
  ChatEndpoint(const Options& options, const octavo::Model& model, Engine& engine, Metrics& metrics);

  /// Answers `body`; thread-safe. @throws HttpError, octavo::Error
  void respond(const httplib::Request& request, const std::string& body, httplib::Response& response);
  /// Requests that are not yet answered to the last byte.
  int open_exchanges() const noexcept { return open_exchanges_.load(); }

 private:
  struct Exchange;
  octavo::ModelInput prepare(ChatRequest& chat);
  void wait_for_text(Exchange& exchange, const Connection& connection) const;
  void wait_for_end(Exchange& exchange, const Connection& connection) const;
  static bool send_news(Exchange& exchange, httplib::DataSink& sink);

  const Options& options_;
  const octavo::Model& model_;
  Engine& engine_;
  Metrics& metrics_;
  const octavo::GenerationConfig defaults_;
  std::shared_ptr<octavo::PrefixCache> prefix_cache_;  ///< null: none
  std::atomic<int> open_exchanges_{0};
  std::counting_semaphore<> preparing_{2};  ///< bounds the memory that decoding pictures takes
};

}  // namespace server
