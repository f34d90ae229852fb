#include "qwen3.hpp"

// Its main, which registers and quantizes, is run by tests/examples.
#define main own_architecture_main
#include "../../examples/cpp/own_architecture.cpp"
#undef main

namespace qwen3 {

std::shared_ptr<const octavo::Architecture> read(const octavo::Json& config) { return std::make_shared<Qwen3>(config); }

void require_registered() {
  static const bool done = [] {
    octavo::register_architecture("qwen3", {.read = &read});
    return true;
  }();
  REQUIRE(done);
}

}  // namespace qwen3
