// Damage that only comparisons look for, and their findings by where they are.
#pragma once

#include <cstring>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "damaged.hpp"
#include "jobs.hpp"
#include "octavo/checkpoint.hpp"
#include "octavo/compare.hpp"

namespace test {

struct Editable : Damaged {
  using Damaged::Damaged;

  void swap(const std::string& a, const std::string& b) { std::swap(tensors.at(a), tensors.at(b)); }
  /// Both tensors of an int8 linear, and its bias if there is one.
  void swap_modules(const std::string& a, const std::string& b) {
    for (const char* leaf : {".weight", ".weight_scale", ".bias"}) {
      if (tensors.count(a + leaf) != 0) swap(a + leaf, b + leaf);
    }
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
