// A golden model with a value that is not its own.
#pragma once

#include <string>

#include "golden.hpp"
#include "octavo/checkpoint.hpp"

namespace golden {

/// A copy of the golden model "nested" where the first value of one tensor, or of its part `from`, is another.
inline void write_with(const std::string& target, const std::string& changed, float value, std::int64_t from = 0) {
  const octavo::Checkpoint original = octavo::Checkpoint::open(directory("nested"));
  octavo::AtomicDirectory out(target);
  octavo::ShardWriter writer(out);
  for (const std::string& name : original.names()) {
    octavo::Tensor tensor = original.tensor(name);
    if (name == changed) {
      const octavo::DType stored = tensor.dtype();
      octavo::Tensor wide = tensor.to(octavo::DType::f32).clone();
      wide.mutable_values<float>()[static_cast<std::size_t>(from * wide.dim(wide.rank() - 1))] = value;
      tensor = wide.to(stored);
    }
    writer.add(original.stored_name(name), tensor);
  }
  writer.finish();
  out.copy_file(directory("nested") + "/config.json", "config.json");
  out.commit();
}

}  // namespace golden
