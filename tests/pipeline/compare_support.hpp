// A checkpoint as a map that a test may damage, and a comparison's findings by where they are.
#pragma once

#include <cstring>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "octavo/checkpoint.hpp"
#include "octavo/compare.hpp"
#include "support.hpp"

namespace test {

/// Tensors by stored name (owned, so that they may be written to), config.json's text and the files beside it.
struct Editable {
  std::map<std::string, octavo::Tensor> tensors;
  std::map<std::string, std::string> files;

  explicit Editable(const std::string& directory) {
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
  void swap(const std::string& a, const std::string& b) { std::swap(tensors.at(a), tensors.at(b)); }
  /// Both tensors of an int8 linear, and its bias if there is one.
  void swap_modules(const std::string& a, const std::string& b) {
    for (const char* leaf : {".weight", ".weight_scale", ".bias"}) {
      if (tensors.count(a + leaf) != 0) swap(a + leaf, b + leaf);
    }
  }
  /// Replaces the one occurrence of `from` in a file.
  void edit(const std::string& file, const std::string& from, const std::string& to) {
    std::string& text = files.at(file);
    const std::size_t at = text.find(from);
    if (at == std::string::npos) throw std::runtime_error(file + " does not say " + from);
    text.replace(at, from.size(), to);
  }
  void edit_config(const std::function<void(octavo::JsonBuilder&)>& change) {
    octavo::JsonBuilder config(octavo::Json::parse(files.at("config.json"), "config.json"));
    change(config);
    files["config.json"] = config.dump(2);
  }
};

/// [N,K] to [K,N], bytes moved.
inline octavo::Tensor transposed(const octavo::Tensor& matrix) { return matrix.permute({1, 0}).clone(); }

/// "where: what" of every finding of a class.
inline std::map<std::string, std::string> found(const octavo::CompareResult& result, octavo::Verdict verdict) {
  std::map<std::string, std::string> findings;
  for (const octavo::Difference& difference : result.differences) {
    if (difference.verdict == verdict) findings[difference.where] = difference.what;
  }
  return findings;
}
inline std::map<std::string, std::string> wrong(const octavo::CompareResult& result) {
  return found(result, octavo::Verdict::wrong);
}
inline std::vector<std::string> wheres(const octavo::CompareResult& result) {
  std::vector<std::string> names;
  for (const auto& [where, what] : wrong(result)) names.push_back(where);
  return names;
}

}  // namespace test
