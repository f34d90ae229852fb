// The server's command line: octavo-server MODEL_DIR [options].
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <octavo/model.hpp>
#include <string>

namespace server {

/// What one request may ask for.
struct RequestLimits {
  std::int64_t max_context = 8192;             ///< tokens of prompt and answer together
  std::size_t max_body_bytes = 32u << 20;      ///< of the request, pictures in base64 included: 413 beyond
  std::size_t max_picture_bytes = 16u << 20;   ///< of one picture, encoded: 413 beyond
  std::int64_t max_picture_pixels = 64 << 20;  ///< height * width
  std::size_t max_pictures = 16;
  std::string allow_files;  ///< pictures may be files in this directory; empty: none may
};

struct Options {
  std::string model_dir;
  std::string model_name;  ///< as clients call it; the directory's name where it is not given
  octavo::ModelOptions model;
  octavo::DType cache_dtype = octavo::DType::f32;
  std::string host = "127.0.0.1";
  int port = 8080;  ///< 0: any that is free
  std::string api_key;
  bool no_api_key = false;  ///< says that everyone who reaches the port may use it
  std::size_t max_running = 8, max_waiting = 32;
  std::size_t prefix_cache_bytes = std::size_t{512} << 20;  ///< of prompts and pictures that come again; 0: none
  std::chrono::seconds request_timeout{600};                ///< for an answer, from the request's arrival
  std::chrono::seconds body_timeout{30};                    ///< for a request's body to arrive
  std::chrono::seconds drain_timeout{30};                   ///< for running answers, after SIGTERM
  RequestLimits limits;
};

/// Ends the program where the command line asks for help or cannot be used.
Options parse_command_line(int argc, char** argv);

}  // namespace server
