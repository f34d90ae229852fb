#if defined(__GNUC__) && !defined(__clang__)
// GCC 12 sees an uninitialised std::function inside <regex> as soon as a sanitizer is on (GCC bug 105562).
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif

#include "compressed_tensors.hpp"

#include <algorithm>
#include <cctype>
#include <utility>

namespace octavo::checkpoint_detail {
namespace {

constexpr std::string_view kExpressionPrefix = "re:";
constexpr std::size_t kMaxExpression = 1024;  // characters; the automaton grows with it

// An expression comes from a file: backtracking could take exponential time, the polynomial executor cannot.
constexpr std::regex::flag_type kExpressionFlags = std::regex::ECMAScript
#ifdef __GLIBCXX__
                                                   | std::regex_constants::__polynomial
#endif
    ;

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

/// Why `args` is not 8-bit symmetric int of the wanted strategy; empty when it is.
std::string difference(const Json& args, const std::string& strategy, bool dynamic) {
  const auto complaint = [&](const std::string& key, const std::string& is, const std::string& reads) {
    return args.where() + "." + key + " is " + is + ", Octavo reads " + reads;
  };
  if (const std::int64_t bits = args.get_int("num_bits", 8); bits != 8) {
    return complaint("num_bits", std::to_string(bits), "8");
  }
  if (const std::string type = args.get_string("type", "int"); type != "int") {
    return complaint("type", "\"" + type + "\"", "\"int\"");
  }
  if (!args.get_bool("symmetric", true)) return complaint("symmetric", "false", "true");
  if (const std::string stated = args.get_string("strategy", strategy); stated != strategy) {
    return complaint("strategy", "\"" + stated + "\"", "\"" + strategy + "\"");
  }
  const std::optional<Json> dynamic_stated = present(args, "dynamic");
  // Besides true and false there is "local", a per-group form.
  const bool fits = dynamic_stated ? dynamic_stated->is_bool() && dynamic_stated->as_bool() == dynamic : !dynamic;
  if (!fits) {
    return complaint("dynamic", dynamic_stated ? dynamic_stated->dump() : "absent", dynamic ? "true" : "false");
  }
  return {};
}

JsonBuilder quantization_args(const char* strategy, bool dynamic, JsonBuilder observer) {
  JsonBuilder args = JsonBuilder::object();
  args.set("num_bits", 8).set("type", "int").set("symmetric", true).set("strategy", strategy).set("dynamic", dynamic);
  args.set("group_size", nullptr).set("block_structure", nullptr).set("actorder", nullptr);
  args.set("observer", std::move(observer)).set("observer_kwargs", JsonBuilder::object());
  return args;
}

}  // namespace

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
    // Left out, loaders would take a weight-only group for "pack-quantized", bytes packed into int32.
    group.set("format", "int-quantized");
  } else {
    group.set("input_activations", quantization_args("token", true, nullptr)).set("output_activations", nullptr);
  }
  return group;
}

ModulePattern::ModulePattern(const std::string& text, const std::string& where) : text_(text), where_(where) {
  if (!text.starts_with(kExpressionPrefix)) return;
  const std::string expression = text.substr(kExpressionPrefix.size());
  if (expression.size() > kMaxExpression) {
    throw Error(ErrorCode::format, where + ": the expression has " + std::to_string(expression.size()) +
                                       " characters, at most " + std::to_string(kMaxExpression) + " are read");
  }
  try {
    expression_.emplace(expression, kExpressionFlags);
  } catch (const std::regex_error& error) {
    throw Error(ErrorCode::format, where + ": cannot read the expression \"" + expression + "\": " + error.what());
  }
}

ModulePattern::Match ModulePattern::match(const std::vector<std::string>& spellings, bool is_linear) const {
  const auto from_start = std::regex_constants::match_continuous;  // Python's re.match
  for (const std::string& name : spellings) {
    if (expression_ && std::regex_search(name, *expression_, from_start)) return Match::by_expression;
    if (!expression_ && name == text_) return Match::by_name;
  }
  return !expression_ && is_linear && text_ == "Linear" ? Match::by_class : Match::none;
}

QuantizationConfig::Group QuantizationConfig::parse_group(const Json& group) {
  if (!group.is_object()) throw Error(ErrorCode::format, group.where() + " must be an object");
  Group parsed;
  parsed.where = group.where();
  parsed.targets = parse_patterns(required(group, "targets"));
  const std::optional<Json> weights = present(group, "weights");
  const std::optional<Json> activations = present(group, "input_activations");
  if (!weights) {
    parsed.unsupported = group.where() + " has no weights";
  } else {
    parsed.unsupported = difference(*weights, "channel", false);
  }
  if (parsed.unsupported.empty() && activations) parsed.unsupported = difference(*activations, "token", true);
  if (parsed.unsupported.empty() && present(group, "output_activations")) {
    parsed.unsupported = group.where() + ".output_activations is set, Octavo reads null";
  }
  if (const std::optional<Json> format = present(group, "format");  // newer writers state it per group as well
      parsed.unsupported.empty() && format && format->as_string() != "int-quantized") {
    parsed.unsupported = format->where() + " is " + format->dump() + ", Octavo reads \"int-quantized\"";
  }
  parsed.scheme = activations ? StoredScheme::w8a8_dynamic : StoredScheme::w8a16;
  return parsed;
}

std::optional<QuantizationConfig> QuantizationConfig::parse(const Json& config) {
  const std::optional<Json> stated = present(config, "quantization_config");
  if (!stated) return std::nullopt;
  if (!stated->is_object()) throw Error(ErrorCode::format, stated->where() + " must be an object");
  QuantizationConfig parsed;
  const std::string method = required(*stated, "quant_method").as_string();
  if (method != "compressed-tensors") {
    parsed.unsupported_ = stated->where() + ".quant_method is \"" + method + "\", Octavo reads \"compressed-tensors\"";
    return parsed;
  }
  const std::string format = required(*stated, "format").as_string();
  if (format != "int-quantized") {
    parsed.unsupported_ = stated->where() + ".format is \"" + format + "\", Octavo reads \"int-quantized\"";
    return parsed;
  }
  if (present(*stated, "kv_cache_scheme")) {
    parsed.unsupported_ = stated->where() + ".kv_cache_scheme is set, Octavo reads null";
    return parsed;
  }
  if (const std::optional<Json> ignore = present(*stated, "ignore")) parsed.ignore_ = parse_patterns(*ignore);
  for (const ModulePattern& pattern : parsed.ignore_)
    if (pattern.is_name()) parsed.ignored_names_.insert(pattern.text());
  const Json groups = required(*stated, "config_groups");
  if (!groups.is_object()) throw Error(ErrorCode::format, groups.where() + " must be an object");
  groups.for_each_member([&](std::string_view, const Json& group) { parsed.groups_.push_back(parse_group(group)); });
  return parsed;
}

std::vector<const ModulePattern*> QuantizationConfig::patterns() const {
  std::vector<const ModulePattern*> all;
  for (const Group& group : groups_)
    for (const ModulePattern& pattern : group.targets) all.push_back(&pattern);
  for (const ModulePattern& pattern : ignore_) all.push_back(&pattern);
  return all;
}

StoredScheme QuantizationConfig::scheme_of(const std::vector<std::string>& spellings, bool is_linear) const {
  using Match = ModulePattern::Match;
  if (!unsupported_.empty()) throw Error(ErrorCode::unsupported, unsupported_);
  for (const std::string& name : spellings) {
    if (ignored_names_.count(name) != 0) return StoredScheme::none;
  }
  for (const ModulePattern& pattern : ignore_) {
    if (!pattern.is_name() && pattern.match(spellings, is_linear) != Match::none) return StoredScheme::none;
  }
  const Group* claimed_by = nullptr;
  Match best = Match::none;
  for (const Group& group : groups_) {
    Match match = Match::none;
    for (const ModulePattern& pattern : group.targets) match = std::max(match, pattern.match(spellings, is_linear));
    if (match == Match::none || match < best) continue;
    if (match == best && (group.scheme != claimed_by->scheme || group.unsupported != claimed_by->unsupported)) {
      throw Error(ErrorCode::format, "module " + spellings.front() + " matches both " + claimed_by->where + " and " +
                                         group.where + ", which store it differently");
    }
    best = match;
    claimed_by = &group;
  }
  if (claimed_by == nullptr) return StoredScheme::none;
  if (!claimed_by->unsupported.empty()) throw Error(ErrorCode::unsupported, claimed_by->unsupported);
  return claimed_by->scheme;
}

}  // namespace octavo::checkpoint_detail

namespace octavo {

std::string with_quantization_config(const Json& config, const QuantizedModules& modules) {
  using checkpoint_detail::names_json;
  using checkpoint_detail::scheme_group;
  if (!config.is_object()) throw Error(ErrorCode::format, config.where() + " must be an object");
  if (modules.rest == StoredScheme::none)
    throw Error(ErrorCode::invalid_argument, "quantization_config: the scheme of the rest is none; name W8A8 or W8A16");
  if (modules.rest == StoredScheme::w8a16 && !modules.w8a16.empty())
    throw Error(ErrorCode::invalid_argument, "quantization_config: every linear is W8A16, " + modules.w8a16.front() +
                                                 " need not be named; leave the list empty");
  JsonBuilder groups = JsonBuilder::object();
  groups.set("group_0", scheme_group(modules.rest, {"Linear"}));
  if (!modules.w8a16.empty()) groups.set("group_1", scheme_group(StoredScheme::w8a16, modules.w8a16));
  JsonBuilder quantization = JsonBuilder::object();
  quantization.set("quant_method", "compressed-tensors").set("format", "int-quantized");
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
