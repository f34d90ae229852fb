/// `quantization_config` in the compressed-tensors form: which module is stored how.
#pragma once

#include <optional>
#include <regex>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "octavo/checkpoint.hpp"

namespace octavo::checkpoint_detail {

/// One entry of `targets` or `ignore`: a full module name, `re:` and an expression, or a class name.
class ModulePattern {
 public:
  enum class Match : int { none, by_class, by_expression, by_name };
  /// @param where  Names the entry in errors.
  ModulePattern(const std::string& text, const std::string& where);
  Match match(const std::vector<std::string>& spellings, bool is_linear) const;
  const std::string& text() const noexcept { return text_; }
  const std::string& where() const noexcept { return where_; }
  /// A bare word that no module is called by: "Linear". Other class names Octavo does not know, so they match nothing.
  bool is_class() const noexcept { return text_ == "Linear"; }
  bool is_name() const noexcept { return !expression_ && !is_class(); }

 private:
  std::string text_, where_;
  std::optional<std::regex> expression_;
};

class QuantizationConfig {
 public:
  /// Absent when config.json has none. Forms that Octavo cannot run are remembered and thrown by scheme_of, so that
  /// such a checkpoint can still be inspected.
  static std::optional<QuantizationConfig> parse(const Json& config);
  /// @param spellings  The module's name in every layout; the first is the one to report.
  StoredScheme scheme_of(const std::vector<std::string>& spellings, bool is_linear) const;
  /// Of targets and ignore.
  std::vector<const ModulePattern*> patterns() const;

 private:
  struct Group {
    std::string where;
    std::vector<ModulePattern> targets;
    StoredScheme scheme = StoredScheme::none;
    std::string unsupported;  // why not, or empty
  };
  static Group parse_group(const Json& group);

  std::string unsupported_;
  std::vector<Group> groups_;
  std::vector<ModulePattern> ignore_;
  std::unordered_set<std::string> ignored_names_;  // those of ignore_ that are names: there may be hundreds
};

JsonBuilder names_json(const std::vector<std::string>& names);
/// One entry of config_groups; `scheme` is not `none`.
JsonBuilder scheme_group(StoredScheme scheme, const std::vector<std::string>& targets);

}  // namespace octavo::checkpoint_detail
