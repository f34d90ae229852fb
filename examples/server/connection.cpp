#include "connection.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <utility>

namespace server {
namespace {

using Ends = int (*)(int, sockaddr*, socklen_t*);

/// Address and port of one end of a TCP socket; port -1 of anything else.
std::pair<std::string, int> end_of(int socket, Ends ends) {
  sockaddr_storage storage{};
  socklen_t size = sizeof(storage);
  auto* address = reinterpret_cast<sockaddr*>(&storage);
  char text[INET6_ADDRSTRLEN] = "";
  if (ends(socket, address, &size) != 0) return {{}, -1};
  if (address->sa_family == AF_INET) {
    const auto* v4 = reinterpret_cast<const sockaddr_in*>(&storage);
    inet_ntop(AF_INET, &v4->sin_addr, text, sizeof(text));
    return {text, ntohs(v4->sin_port)};
  }
  if (address->sa_family == AF_INET6) {
    const auto* v6 = reinterpret_cast<const sockaddr_in6*>(&storage);
    inet_ntop(AF_INET6, &v6->sin6_addr, text, sizeof(text));
    return {text, ntohs(v6->sin6_port)};
  }
  return {{}, -1};
}

}  // namespace

Connection::Connection(const httplib::Request& request) {
  std::error_code failure;
  const std::pair<std::string, int> remote{request.remote_addr, request.remote_port};
  for (std::filesystem::directory_iterator entry("/proc/self/fd", failure), end; !failure && entry != end;
       entry.increment(failure)) {
    const int descriptor = std::atoi(entry->path().filename().c_str());
    if (end_of(descriptor, getpeername) == remote && end_of(descriptor, getsockname).second == request.local_port) {
      socket_ = descriptor;
      return;
    }
  }
}

bool Connection::is_gone() const {
  if (socket_ < 0) return false;
  char byte = 0;
  const ssize_t count = recv(socket_, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  return count == 0 || (count < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR);
}

}  // namespace server
