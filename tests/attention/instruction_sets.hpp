/// Tests that run once for every instruction set that attention has loops for.
#pragma once

#include <string>
#include <vector>

#include "catch.hpp"
#include "kernels/kernels.hpp"

namespace attention_test {

/// While one lives, attention uses the kernels named.
class Forced {
 public:
  explicit Forced(const char* name) : runs_(octavo::attention_kernels::force_kernels(name)) {}
  ~Forced() { octavo::attention_kernels::force_kernels(""); }
  Forced(const Forced&) = delete;
  Forced& operator=(const Forced&) = delete;
  bool runs() const noexcept { return runs_; }

 private:
  bool runs_;
};

/// Calls test(name) with each instruction set forced; says which this processor cannot run.
template <class Test>
void for_each_instruction_set(Test&& test) {
  for (const char* name : {"portable", "avx2", "avx512", "amx"}) {
    const Forced forced(name);
    if (!forced.runs()) {
      WARN("not tested, as this processor cannot run it: " << name);
      continue;
    }
    INFO("instruction set " << name);
    REQUIRE(octavo::attention_kernels::kernels().name == std::string(name));
    test(name);
  }
}

}  // namespace attention_test
