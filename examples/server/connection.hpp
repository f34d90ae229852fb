// The connection that a request came by: whether its client is still there.
#pragma once

#include <httplib.h>

namespace server {

/// httplib hands a handler no socket, and only later releases of it say whether the client has gone. So the socket is
/// looked for once, among this process's own, by the two addresses. Valid while the handler runs.
class Connection {
 public:
  explicit Connection(const httplib::Request& request);
  /// Nothing more can be sent to the client. A client that shuts its sending side down counts as gone.
  bool is_gone() const;

 private:
  int socket_ = -1;
};

}  // namespace server
