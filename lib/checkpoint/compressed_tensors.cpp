#include "compressed_tensors.hpp"

#include <algorithm>
#include <utility>

#include "octavo/message.hpp"

namespace octavo::checkpoint_detail {
namespace {

constexpr std::string_view kExpressionPrefix = "re:";

Json required(const Json& object, std::string_view key) { return object.at(key); }

std::optional<Json> present(const Json& object, std::string_view key) {
  std::optional<Json> value = object.find(key);
  return value && !value->is_null() ? value : std::nullopt;
}

std::vector<ModulePattern> parse_patterns(const Json& list) {
  if (!list.is_array()) throw Error(ErrorCode::format, list.where() + " must be an array of module names");
  std::vector<ModulePattern> patterns;
  patterns.reserve(list.size());
  for (std::size_t i = 0; i < list.size(); ++i) {
    const Json entry = list.at(i);
    patterns.emplace_back(entry.as_string(), entry.where());
  }
  return patterns;
}

/// Why `object` is not what Octavo runs, by its table; empty when it is.
std::string refusal_of(const Json& object, const SettingsTable& table) {
  for (const SettingFinding& finding : examine_settings(object, table))
    if (finding.kind == SettingFinding::Kind::refused) return finding.what;
  return {};
}

/// A key that is left out has a value, too, and not always the one that Octavo runs.
std::string refusal_of_default(const Json& args, const char* key, const char* meaning, const char* wanted) {
  if (present(args, key)) return {};
  return args.where() + "." + key + " is absent, which means " + meaning + "; Octavo has " + wanted;
}

std::string refusal_of_weights(const Json& weights) {
  std::string refusal = refusal_of(weights, quantization_settings()[2]);
  if (refusal.empty() && !present(weights, "group_size"))  // -1 means "channel"
    refusal = refusal_of_default(weights, "strategy", "\"tensor\"", "\"channel\"");
  return refusal;
}

std::string refusal_of_activations(const Json& activations) {
  std::string refusal = refusal_of(activations, quantization_settings()[3]);
  if (refusal.empty()) refusal = refusal_of_default(activations, "strategy", "\"tensor\"", "\"token\"");
  if (refusal.empty()) refusal = refusal_of_default(activations, "dynamic", "false", "true");
  return refusal;
}

/// `sparsity_config` of format "dense" is a remark about values, not a form of storage.
bool is_dense(const Json& quantization) {
  const std::optional<Json> sparsity = present(quantization, "sparsity_config");
  return sparsity && sparsity->is_object() && sparsity->get_string("format", "") == "dense";
}

std::string refusal_of_config(const Json& quantization) {
  for (const SettingFinding& finding : examine_settings(quantization, quantization_settings()[0])) {
    if (finding.kind != SettingFinding::Kind::refused) continue;
    if (finding.where.ends_with(".sparsity_config") && is_dense(quantization)) continue;
    return finding.what;
  }
  return {};
}

std::optional<bool> is_packed(const std::optional<Json>& format) {
  if (!format) return std::nullopt;
  const std::string& name = format->as_string();
  return name == "pack-quantized" ? std::optional(true) : name == "int-quantized" ? std::optional(false) : std::nullopt;
}

JsonBuilder quantization_args(const char* strategy, bool dynamic, JsonBuilder observer) {
  JsonBuilder args = JsonBuilder::object();
  args.set("num_bits", 8).set("type", "int").set("symmetric", true).set("strategy", strategy).set("dynamic", dynamic);
  args.set("group_size", nullptr).set("block_structure", nullptr).set("actorder", nullptr);
  args.set("observer", std::move(observer)).set("observer_kwargs", JsonBuilder::object());
  return args;
}

}  // namespace

const char* format_of(StoredScheme scheme) noexcept {
  return scheme == StoredScheme::w8a16 ? "pack-quantized" : "int-quantized";
}

JsonBuilder names_json(const std::vector<std::string>& names) {
  JsonBuilder list = JsonBuilder::array();
  for (const std::string& name : names) list.push(name);
  return list;
}

JsonBuilder scheme_group(StoredScheme scheme, const std::vector<std::string>& targets) {
  JsonBuilder group = JsonBuilder::object();
  group.set("targets", names_json(targets));
  group.set("weights", quantization_args("channel", false, "minmax"));
  if (scheme == StoredScheme::w8a16) {
    group.set("input_activations", nullptr).set("output_activations", nullptr);
  } else {
    group.set("input_activations", quantization_args("token", true, nullptr)).set("output_activations", nullptr);
  }
  return group;
}

ModulePattern::ModulePattern(const std::string& text, const std::string& where) : text_(text), where_(where) {
  if (text.starts_with(kExpressionPrefix)) expression_.emplace(text.substr(kExpressionPrefix.size()), where);
}

ModulePattern::Match ModulePattern::match(const ModuleNames& names, bool is_linear) const {
  if (expression_) return expression_->matches(names.loader) ? Match::by_expression : Match::none;
  if (std::find(names.spellings.begin(), names.spellings.end(), text_) != names.spellings.end()) return Match::by_name;
  return is_linear && is_class() ? Match::by_class : Match::none;
}

QuantizationConfig::Group QuantizationConfig::parse_group(const Json& group) {
  if (!group.is_object()) throw Error(ErrorCode::format, group.where() + " must be an object");
  Group parsed;
  parsed.where = group.where();
  parsed.targets = parse_patterns(required(group, "targets"));
  const std::optional<Json> weights = present(group, "weights");
  const std::optional<Json> activations = present(group, "input_activations");
  parsed.unsupported = refusal_of(group, quantization_settings()[1]);
  if (parsed.unsupported.empty())
    parsed.unsupported = weights ? refusal_of_weights(*weights) : group.where() + " has no weights";
  if (parsed.unsupported.empty() && activations) parsed.unsupported = refusal_of_activations(*activations);
  parsed.form.scheme = activations ? StoredScheme::w8a8_dynamic : StoredScheme::w8a16;
  if (parsed.unsupported.empty()) parsed.form.packed = is_packed(present(group, "format"));
  return parsed;
}

std::optional<QuantizationConfig> QuantizationConfig::parse(const Json& config) {
  const std::optional<Json> stated = present(config, "quantization_config");
  if (!stated) return std::nullopt;
  if (!stated->is_object()) throw Error(ErrorCode::format, stated->where() + " must be an object");
  QuantizationConfig parsed;
  const Json method = required(*stated, "quant_method");
  if (method.as_string() != "compressed-tensors") {  // whose keys are others
    parsed.unsupported_ =
        method.where() + " is " + in_quotes(method.as_string()) + ", Octavo has \"compressed-tensors\"";
    return parsed;
  }
  static_cast<void>(required(*stated, "format").as_string());
  parsed.unsupported_ = refusal_of_config(*stated);
  if (!parsed.unsupported_.empty()) return parsed;
  if (const std::optional<Json> ignore = present(*stated, "ignore")) parsed.ignore_ = parse_patterns(*ignore);
  for (const ModulePattern& pattern : parsed.ignore_)
    if (pattern.is_name()) parsed.ignored_names_.insert(pattern.text());
  const Json groups = required(*stated, "config_groups");
  if (!groups.is_object()) throw Error(ErrorCode::format, groups.where() + " must be an object");
  groups.for_each_member([&](std::string_view, const Json& group) { parsed.groups_.push_back(parse_group(group)); });
  return parsed;
}

bool QuantizationConfig::has_expressions() const {
  const std::vector<const ModulePattern*> all = patterns();
  return std::any_of(all.begin(), all.end(), [](const ModulePattern* pattern) { return pattern->is_expression(); });
}

std::vector<const ModulePattern*> QuantizationConfig::patterns() const {
  std::vector<const ModulePattern*> all;
  for (const Group& group : groups_)
    for (const ModulePattern& pattern : group.targets) all.push_back(&pattern);
  for (const ModulePattern& pattern : ignore_) all.push_back(&pattern);
  return all;
}

bool QuantizationConfig::ignores(const ModuleNames& names, bool is_linear) const {
  for (const std::string& name : names.spellings)
    if (ignored_names_.count(name) != 0) return true;
  return std::any_of(ignore_.begin(), ignore_.end(), [&](const ModulePattern& pattern) {
    return !pattern.is_name() && pattern.match(names, is_linear) != ModulePattern::Match::none;
  });
}

std::pair<const QuantizationConfig::Group*, const QuantizationConfig::Group*> QuantizationConfig::claimants(
    const ModuleNames& names, bool is_linear) const {
  using Match = ModulePattern::Match;
  if (ignores(names, is_linear)) return {};
  std::pair<const Group*, const Group*> found;
  Match best = Match::none;
  for (const Group& group : groups_) {
    Match match = Match::none;
    for (const ModulePattern& pattern : group.targets) match = std::max(match, pattern.match(names, is_linear));
    if (match == Match::none || match < best) continue;
    const bool differs =
        match == best && (group.form != found.first->form || group.unsupported != found.first->unsupported);
    if (match > best) found = {&group, nullptr};
    if (differs) found.second = &group;
    best = match;
  }
  return found;
}

bool QuantizationConfig::claims(const ModuleNames& names, bool is_linear) const {
  return claimants(names, is_linear).first != nullptr;
}

StoredForm QuantizationConfig::form_of(const ModuleNames& names, bool is_linear) const {
  if (!unsupported_.empty()) throw Error(ErrorCode::unsupported, unsupported_);
  const auto [group, rival] = claimants(names, is_linear);
  if (group == nullptr) return {};
  if (rival != nullptr) {
    throw Error(ErrorCode::format, "module " + names.spellings.front() + " matches both " + group->where + " and " +
                                       rival->where + ", which store it differently");
  }
  if (!group->unsupported.empty()) throw Error(ErrorCode::unsupported, group->unsupported);
  return group->form;
}

}  // namespace octavo::checkpoint_detail

namespace octavo {

std::string with_quantization_config(const Json& config, const QuantizedModules& modules) {
  using checkpoint_detail::format_of;
  using checkpoint_detail::names_json;
  using checkpoint_detail::scheme_group;
  if (!config.is_object()) throw Error(ErrorCode::format, config.where() + " must be an object");
  if (modules.rest == StoredScheme::none)
    throw Error(ErrorCode::invalid_argument, "quantization_config: the scheme of the rest is none; name W8A8 or W8A16");
  if (modules.rest == StoredScheme::w8a16 && !modules.w8a16.empty())
    throw Error(ErrorCode::invalid_argument, "quantization_config: every linear is W8A16, " + modules.w8a16.front() +
                                                 " need not be named; leave the list empty");
  const bool mixed = !modules.w8a16.empty();
  std::vector<std::string> targets{"Linear"};
  targets.insert(targets.end(), modules.by_name.begin(), modules.by_name.end());
  JsonBuilder first = scheme_group(modules.rest, targets);
  JsonBuilder second = scheme_group(StoredScheme::w8a16, modules.w8a16);
  JsonBuilder groups = JsonBuilder::object();
  if (mixed) {  // libraries before 0.10 do not know the key and refuse it: it is there only where it is needed
    first.set("format", format_of(modules.rest));
    second.set("format", format_of(StoredScheme::w8a16));
  }
  groups.set("group_0", std::move(first));
  if (mixed) groups.set("group_1", std::move(second));
  JsonBuilder quantization = JsonBuilder::object();
  quantization.set("quant_method", "compressed-tensors")
      .set("format", mixed ? "mixed-precision" : format_of(modules.rest));
  quantization.set("quantization_status", "compressed").set("global_compression_ratio", nullptr);
  quantization.set("kv_cache_scheme", nullptr).set("ignore", names_json(modules.ignored));
  quantization.set("config_groups", std::move(groups));
  JsonBuilder result(config);
  result.set("quantization_config", quantization);
  return result.dump(2) + "\n";
}

std::string with_w8a8_quantization_config(const Json& config, const std::vector<std::string>& ignored) {
  return with_quantization_config(config, {StoredScheme::w8a8_dynamic, {}, ignored});
}

}  // namespace octavo
