// `messages` of a chat request: roles, and texts and pictures in order.
#pragma once

#include "chat_request.hpp"

namespace server {

/// Fills `request`'s messages and pictures. @throws HttpError  400 or 413
void parse_messages(const octavo::Json& messages, const RequestLimits& limits, ChatRequest& request);

}  // namespace server
