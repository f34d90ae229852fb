#include <algorithm>
#include <array>
#include <map>
#include <tuple>
#include <utility>

#include "checks.hpp"
#include "octavo/message.hpp"
#include "octavo/quant.hpp"

namespace octavo {
namespace {

constexpr std::size_t kMaxRules = 1000;
constexpr std::size_t kMaxBytes = std::size_t{1} << 20;

constexpr const char* kLanguageLinears =
    R"((model\.)?(language_model\.)?(model\.)?layers\.[0-9]+\.(self_attn|mlp)\.[a-z_]+)";
constexpr const char* kVisionLinears = R"((model\.)?visual\.blocks\.[0-9]+\.(attn|mlp)\.[a-z_]+)";

template <class T>
struct Word {
  const char* text;
  T value;
};
constexpr std::array kSchemes{Word<Scheme>{"skip", Scheme::skip}, Word<Scheme>{"w8a8", Scheme::w8a8},
                              Word<Scheme>{"w8a16", Scheme::w8a16}};
constexpr std::array kMethods{Word<QuantMethod>{"rtn", QuantMethod::rtn}, Word<QuantMethod>{"gptq", QuantMethod::gptq}};
constexpr std::array kObservers{Word<ScaleObserver>{"minmax", ScaleObserver::minmax},
                                Word<ScaleObserver>{"mse", ScaleObserver::mse}};
constexpr std::array kScaleTypes{Word<DType>{"f32", DType::f32}, Word<DType>{"bf16", DType::bf16},
                                 Word<DType>{"f16", DType::f16}};

template <class Words>
std::string choices(const Words& words) {
  std::string text;
  for (const auto& word : words) text += (text.empty() ? "\"" : ", \"") + std::string(word.text) + "\"";
  return text;
}

template <class Words, class T>
const char* word_for(const Words& words, T value) {
  for (const auto& word : words) {
    if (word.value == value) return word.text;
  }
  return "?";
}

template <class Words>
auto value_of(const Words& words, const Json& json) {
  const std::string& given = json.as_string();
  for (const auto& word : words) {
    if (given == word.text) return word.value;
  }
  throw Error(ErrorCode::format,
              json.where() + " is " + in_quotes(given) + ", one of " + choices(words) + " is needed");
}

void read_match(const Json& json, Rule& rule) {
  const std::string& text = json.as_string();
  if (text.empty()) throw Error(ErrorCode::format, json.where() + " has 0 characters, 1 to 1024 are needed");
  rule.match = Pattern(text, json.where());
}

void read_key(std::string_view key, const Json& json, Rule& rule) {
  if (key == "match") {
    read_match(json, rule);
  } else if (key == "scheme") {
    rule.scheme = value_of(kSchemes, json);
  } else if (key == "method") {
    rule.options.method = value_of(kMethods, json);
  } else if (key == "observer") {
    rule.options.observer = value_of(kObservers, json);
  } else if (key == "damp_percent") {
    rule.options.damp_percent = json.as_number();
  } else if (key == "block_size") {
    rule.options.block_size = json.as_int();
  } else if (key == "act_order") {
    rule.options.act_order = json.as_bool();
  } else if (key == "scale_dtype") {
    rule.options.scale_dtype = value_of(kScaleTypes, json);
  } else {
    throw Error(ErrorCode::format, json.where() +
                                       ": unknown key; a rule has match, scheme, method, observer, damp_percent, "
                                       "block_size, act_order, scale_dtype");
  }
}

Rule read_rule(const Json& json) {
  if (!json.is_object()) throw Error(ErrorCode::format, json.where() + ": a rule must be an object");
  Rule rule;
  bool quantizes = false;
  json.for_each_member([&](std::string_view key, const Json& value) {
    read_key(key, value, rule);
    quantizes = quantizes || (key != "match" && key != "scheme");
  });
  for (const char* key : {"match", "scheme"}) {
    if (!json.find(key)) throw Error(ErrorCode::format, json.where() + ": the key \"" + key + "\" is missing");
  }
  if (rule.scheme == Scheme::skip && quantizes) {
    throw Error(ErrorCode::format, json.where() + ": the scheme is \"skip\", which takes no quantization options");
  }
  try {
    quant::check_options(rule.options, json.where());
  } catch (const Error& error) {
    throw Error(ErrorCode::format, error.what());
  }
  return rule;
}

/// The first key in which two rules differ; null when they ask for the same.
const char* difference(const Rule& a, const Rule& b) {
  if (a.scheme != b.scheme) return "scheme";
  if (a.scheme == Scheme::skip) return nullptr;
  if (a.options.method != b.options.method) return "method";
  if (a.options.observer != b.options.observer) return "observer";
  if (a.options.scale_dtype != b.options.scale_dtype) return "scale_dtype";
  if (a.options.method == QuantMethod::rtn) return nullptr;
  if (a.options.damp_percent != b.options.damp_percent) return "damp_percent";
  if (a.options.act_order != b.options.act_order) return "act_order";
  return nullptr;
}

/// "qkv" and "gate_up" for the linears that runtimes run as one product; empty for the others.
std::string fused_group(std::string_view leaf) {
  if (leaf == "q_proj" || leaf == "k_proj" || leaf == "v_proj") return "qkv";
  if (leaf == "gate_proj" || leaf == "up_proj") return "gate_up";
  return {};
}

}  // namespace

const char* quant_method_name(QuantMethod method) noexcept { return word_for(kMethods, method); }
const char* scale_observer_name(ScaleObserver observer) noexcept { return word_for(kObservers, observer); }
const char* scheme_name(Scheme scheme) noexcept { return word_for(kSchemes, scheme); }

std::vector<std::string> Recipe::preset_names() { return {"default", "rtn", "vision", "w8a16"}; }

Recipe Recipe::preset(std::string_view name) {
  Recipe recipe;
  Rule language{kLanguageLinears, name == "w8a16" ? Scheme::w8a16 : Scheme::w8a8, {}};
  if (name == "rtn") language.options.method = QuantMethod::rtn;
  recipe.rules.push_back(language);
  if (name == "vision") recipe.rules.push_back({kVisionLinears, Scheme::w8a8, {}});
  const std::vector<std::string> names = preset_names();
  if (std::find(names.begin(), names.end(), name) == names.end()) {
    throw Error(ErrorCode::not_found,
                "recipe: there is no preset \"" + std::string(name) + "\"; there are default, rtn, vision, w8a16");
  }
  recipe.rules.push_back({".*", Scheme::skip, {}});
  return recipe;
}

Recipe Recipe::parse(const Json& json) {
  if (!json.is_object())
    throw Error(ErrorCode::format, json.where() + ": a recipe must be an object with the key \"rules\"");
  json.for_each_member([](std::string_view key, const Json& value) {
    if (key != "rules") throw Error(ErrorCode::format, value.where() + ": unknown key; a recipe has rules");
  });
  const std::optional<Json> list = json.find("rules");
  if (!list || !list->is_array()) {
    throw Error(ErrorCode::format, json.where() + ": \"rules\" must be a list of rules");
  }
  if (list->size() > kMaxRules) {
    throw Error(ErrorCode::format,
                list->where() + " has " + std::to_string(list->size()) + " rules, at most 1000 are read");
  }
  Recipe recipe;
  for (std::size_t i = 0; i < list->size(); ++i) recipe.rules.push_back(read_rule(list->at(i)));
  return recipe;
}

bool Recipe::is_text(std::string_view preset_text_or_path) noexcept {
  const std::size_t first = preset_text_or_path.find_first_not_of(" \t\r\n");
  return first != std::string_view::npos && preset_text_or_path[first] == '{';
}

Recipe Recipe::open(const std::string& preset_text_or_path) {
  if (is_text(preset_text_or_path)) {
    if (preset_text_or_path.size() > kMaxBytes)
      throw Error(ErrorCode::format, "recipe: the text has " + std::to_string(preset_text_or_path.size()) +
                                         " bytes, at most " + std::to_string(kMaxBytes) + " are read");
    return parse(Json::parse(preset_text_or_path, "recipe"));
  }
  const std::vector<std::string> names = preset_names();
  if (std::find(names.begin(), names.end(), preset_text_or_path) != names.end()) return preset(preset_text_or_path);
  try {
    return parse(Json::read_file(preset_text_or_path, kMaxBytes));
  } catch (const Error& error) {
    if (error.code() != ErrorCode::not_found) throw;
    throw Error(ErrorCode::not_found,
                "recipe: \"" + preset_text_or_path +
                    "\" is neither a preset (default, rtn, vision, w8a16) nor a file that exists");
  }
}

const Rule& Recipe::rule_for(std::string_view module_path) const {
  static const Rule kNone;
  for (const Rule& rule : rules)
    if (rule.match.matches(module_path)) return rule;
  return kNone;
}

void Recipe::check_fused(std::span<const std::string> module_paths) const {
  std::map<std::pair<std::string, std::string>, const std::string*> first_of;  // (parent, group)
  for (const std::string& path : module_paths) {
    const std::size_t dot = path.rfind('.');
    if (dot == std::string::npos) continue;
    const std::string group = fused_group(std::string_view(path).substr(dot + 1));
    if (group.empty()) continue;
    const auto [entry, inserted] = first_of.try_emplace({path.substr(0, dot), group}, &path);
    if (inserted) continue;
    const Rule& a = rule_for(*entry->second);
    const Rule& b = rule_for(path);
    const char* key = difference(a, b);
    if (key == nullptr) continue;
    throw Error(ErrorCode::unsupported, "recipe: " + *entry->second + " (rule " + in_quotes(a.match.text()) + ") and " +
                                            path + " (rule " + in_quotes(b.match.text()) + ") differ in " + key +
                                            "; runtimes fuse them into one product: let one rule match both");
  }
}

JsonBuilder Recipe::to_json() const {
  JsonBuilder list = JsonBuilder::array();
  for (const Rule& rule : rules) {
    JsonBuilder entry = JsonBuilder::object();
    entry.set("match", rule.match.text()).set("scheme", scheme_name(rule.scheme));
    if (rule.scheme != Scheme::skip) {
      const GptqOptions& options = rule.options;
      entry.set("method", quant_method_name(options.method)).set("observer", scale_observer_name(options.observer));
      entry.set("damp_percent", options.damp_percent).set("block_size", options.block_size);
      entry.set("act_order", options.act_order);
      if (options.scale_dtype) entry.set("scale_dtype", word_for(kScaleTypes, *options.scale_dtype));
    }
    list.push(std::move(entry));
  }
  JsonBuilder recipe = JsonBuilder::object();
  recipe.set("rules", std::move(list));
  return recipe;
}

}  // namespace octavo
