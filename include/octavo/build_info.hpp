/// @file
/// How this library was built and what it finds on this machine: what a bug report has to say.
#pragma once

#include <string>
#include <vector>

#include "octavo/json.hpp"

namespace octavo {

struct BuildInfo {
  std::string version;         ///< Octavo's, "0.1.0"
  std::string compiler;        ///< "GCC 12.2.0"
  std::string build_type;      ///< CMake's: "Release"
  long cxx_standard = 0;       ///< __cplusplus: 202002
  std::string onednn_built;    ///< version of the headers compiled against, "2.6.3"
  std::string onednn_running;  ///< of the library that is loaded
  std::string onednn_isa;      ///< what oneDNN dispatches to, in its words: "avx512_core_amx"
  /// Why oneDNN could not make its CPU engine, and with it no int8 product: a build for a driver that is not here, say.
  /// Empty when it could. Float products go on, since they need no engine.
  std::string onednn_problem;
  /// Those of interest here that the operating system reports of this processor, by Linux's names ("avx2",
  /// "avx512_vnni", "asimddp"); empty where it does not tell.
  std::vector<std::string> instruction_sets;
};
/// Threads and int8 backends, which can change while a process runs, are told by num_threads() (parallel.hpp) and
/// int8_backends() (gemm.hpp). May be called from any thread.
BuildInfo build_info();

/// The int8 backend that packing would take now, and what speaks for it. Where none can be had, the name is "none" and
/// `why` the message.
struct BackendChoice {
  std::string name, why;
};
BackendChoice int8_backend_choice();
/// The same of the engine that float products run on now.
BackendChoice float_backend_choice();

/// All of it as one document, with threads and backends: what `octavo --version --json` prints, {"version", "compiler",
/// "cxx_standard", "build_type", "onednn": {"running", "built_against", "isa", "problem"}, "instruction_sets",
/// "threads", "int8_backend": {"name", "why"}, "float_backend": {"name", "why"}, "int8_backends": [{"name",
/// "available", "detail"}], "float_backends"}.
JsonBuilder build_json();

}  // namespace octavo
