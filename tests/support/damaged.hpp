// Copies of a model that a test may damage: tensors by stored name, and the files beside them.
#pragma once

#include <functional>
#include <map>
#include <stdexcept>
#include <string>

#include "jobs.hpp"
#include "octavo/checkpoint.hpp"

namespace test {

struct Damaged {
  std::map<std::string, octavo::Tensor> tensors;  ///< owned, so that they may be written to
  std::map<std::string, std::string> files;

  explicit Damaged(const std::string& directory) {
    const octavo::Checkpoint source = octavo::Checkpoint::open(directory);
    for (const std::string& name : source.names()) tensors[source.info(name).name] = source.tensor(name).clone();
    for (const fs::directory_entry& entry : fs::directory_iterator(directory)) {
      const std::string name = entry.path().filename().string();
      if (entry.is_regular_file() && !contains(name, ".safetensors")) files[name] = read_file(entry.path().string());
    }
  }

  std::string save(const std::string& target) const {
    octavo::AtomicDirectory directory(target, true);
    octavo::ShardWriter writer(directory);
    for (const auto& [name, tensor] : tensors) writer.add(name, tensor);
    writer.finish();
    for (const auto& [name, content] : files) directory.write_file(name, content);
    directory.commit();
    return target;
  }

  /// Every value of a float tensor through `change`; the stored type stays.
  void edit(const std::string& name, const std::function<float(float)>& change) {
    octavo::Tensor& tensor = tensors.at(name);
    const octavo::DType stored = tensor.dtype();
    octavo::Tensor wide = tensor.to(octavo::DType::f32).clone();
    for (float& value : wide.mutable_values<float>()) value = change(value);
    tensor = wide.to(stored);
  }

  /// Replaces the one occurrence of `from` in a file.
  void edit_file(const std::string& file, const std::string& from, const std::string& to) {
    std::string& text = files.at(file);
    const std::size_t at = text.find(from);
    if (at == std::string::npos) throw std::runtime_error(file + " does not say " + from);
    text.replace(at, from.size(), to);
  }
};

}  // namespace test
