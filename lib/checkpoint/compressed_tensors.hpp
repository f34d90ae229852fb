/// `quantization_config` in the compressed-tensors form: which module is stored how.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include "octavo/checkpoint.hpp"
#include "octavo/pattern.hpp"

namespace octavo::checkpoint_detail {

/// What a module may be called.
struct ModuleNames {
  std::vector<std::string> spellings;  ///< in every layout; a full name matches any. The first is the one to report
  std::string loader;                  ///< in the program that loads it: what expressions are given
};

/// One entry of `targets` or `ignore`: a full module name, `re:` and an expression, or a class name.
class ModulePattern {
 public:
  enum class Match : int { none, by_class, by_expression, by_name };
  /// @param where  Names the entry in errors.
  ModulePattern(const std::string& text, const std::string& where);
  Match match(const ModuleNames& names, bool is_linear) const;
  const std::string& text() const noexcept { return text_; }
  const std::string& where() const noexcept { return where_; }
  bool is_expression() const noexcept { return expression_.has_value(); }
  /// A class that torch's linears are of. Other classes match no linear, so they count as names that no module has.
  bool is_class() const noexcept { return text_ == "Linear" || text_ == "Module"; }
  bool is_name() const noexcept { return !is_expression() && !is_class(); }

 private:
  std::string text_, where_;
  std::optional<Pattern> expression_;
};

/// How the linears that a group claims are stored.
struct StoredForm {
  StoredScheme scheme = StoredScheme::none;
  /// The group's `format`, which names the tensors; absent when the group leaves it to the loader.
  std::optional<bool> packed;
  friend bool operator==(const StoredForm&, const StoredForm&) = default;
};

class QuantizationConfig {
 public:
  /// Absent when config.json has none. Forms that Octavo cannot run are remembered and thrown by form_of, so that
  /// such a checkpoint can still be inspected.
  static std::optional<QuantizationConfig> parse(const Json& config);
  /// @throws Error  unsupported for a form that Octavo cannot run; format when two groups claim the module.
  StoredForm form_of(const ModuleNames& names, bool is_linear) const;
  /// Whether some group claims the module, whatever it says of it.
  bool claims(const ModuleNames& names, bool is_linear) const;
  /// Of targets and ignore.
  std::vector<const ModulePattern*> patterns() const;
  bool has_expressions() const;

 private:
  struct Group {
    std::string where;
    std::vector<ModulePattern> targets;
    StoredForm form;
    std::string unsupported;  // why not, or empty
  };
  static Group parse_group(const Json& group);
  bool ignores(const ModuleNames& names, bool is_linear) const;
  /// The group that claims the module most closely, and another that does so as closely but stores it differently.
  std::pair<const Group*, const Group*> claimants(const ModuleNames& names, bool is_linear) const;

  std::string unsupported_;
  std::vector<Group> groups_;
  std::vector<ModulePattern> ignore_;
  std::unordered_set<std::string> ignored_names_;  // those of ignore_ that are names: there may be hundreds
};

/// How Octavo writes a scheme: "int-quantized", "pack-quantized".
const char* format_of(StoredScheme scheme) noexcept;
JsonBuilder names_json(const std::vector<std::string>& names);
/// One entry of config_groups; `scheme` is not `none`.
JsonBuilder scheme_group(StoredScheme scheme, const std::vector<std::string>& targets);

}  // namespace octavo::checkpoint_detail
