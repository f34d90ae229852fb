// A request body of POST /v1/chat/completions, read: what is asked for, or an HttpError that names the key at fault.
// A parameter that would change the answer and is not supported is refused, never passed over.
#pragma once

#include <octavo/generation_config.hpp>
#include <octavo/json.hpp>
#include <octavo/model.hpp>
#include <string>
#include <vector>

#include "options.hpp"

namespace server {

struct ChatRequest {
  std::vector<octavo::ChatMessage> messages;
  struct Picture {
    std::vector<std::byte> bytes;  ///< encoded
    std::string where;             ///< in the request, for errors
  };
  std::vector<Picture> pictures;    ///< in order of appearance
  octavo::GenerateOptions options;  ///< no callbacks
  bool stream = false;
  bool include_usage = false;  ///< a stream ends with a chunk of token counts
};

/// @param model_name   The one model that is served; another one is 404.
/// @param defaults     The model's generation_config.json: holds where the request says nothing.
/// @throws HttpError   400, 404 or 413.
ChatRequest parse_chat_request(const octavo::Json& body, const std::string& model_name,
                               const octavo::GenerationConfig& defaults, const RequestLimits& limits);

}  // namespace server
