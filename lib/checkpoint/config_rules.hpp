/// How config.json is read without stopping at the first problem, and the rules that its fields must keep.
#pragma once

#include <set>
#include <string>
#include <utility>
#include <vector>

#include "octavo/config.hpp"

namespace octavo::checkpoint_detail {

/// Runs the reading of each field, collects what it throws, and remembers which fields have no usable value.
class FieldReader {
 public:
  /// `origin` is how complaints name the file; `problems` is appended to.
  FieldReader(std::string origin, std::vector<ConfigProblem>& problems)
      : origin_(std::move(origin)), problems_(problems) {}

  template <class Read>
  void field(const std::string& name, Read&& read) {
    try {
      read();
    } catch (const Error& error) {
      give_up(name);
      problems_.push_back({error.code(), where(name), error.what(), kTakeOriginal});
    }
  }
  void report(ErrorCode code, const std::string& name, const std::string& problem, const std::string& remedy) {
    give_up(name);
    problems_.push_back({code, where(name), where(name) + " " + problem, remedy});
  }
  /// The field has no value that others may be compared with.
  void give_up(const std::string& name) { unread_.insert(name); }
  bool unread(const std::string& name) const { return unread_.count(name) != 0; }

  static constexpr const char* kTakeOriginal = "take the value from the config.json of the model it was made from";

 private:
  std::string where(const std::string& name) const { return origin_ + ": " + name; }
  std::string origin_;
  std::vector<ConfigProblem>& problems_;
  std::set<std::string> unread_;
};

/// Reports every rule that is broken between fields that were read. Without `has_vision` the vision tower's are left.
/// Returns whether the extents that tensor shapes depend on are all known.
bool validate_config(const Qwen25VlConfig& config, FieldReader& read, bool has_vision);

}  // namespace octavo::checkpoint_detail
