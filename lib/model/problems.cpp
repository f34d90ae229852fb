#include "problems.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <string>

#include "octavo/architecture.hpp"
#include "octavo/message.hpp"
#include "registry.hpp"
#include "wrapped_names.hpp"

namespace octavo {

namespace {
constexpr std::size_t kMostShown = 100;  // characters of a key: files can hold long ones
}  // namespace

namespace model {
namespace {

bool floating_dtype(const TensorInfo& info) {
  return info.dtype == DType::f32 || info.dtype == DType::bf16 || info.dtype == DType::f16;
}

/// A scale per channel is [N,1] in compressed-tensors; [N] means the same.
bool same_shape(const Shape& expected, const Shape& actual) {
  if (expected == actual) return true;
  return expected.rank() == 2 && expected[1] == 1 && actual.rank() == 1 && actual[0] == expected[0];
}

/// Left by other savers; nothing reads them.
bool ignorable(const std::string& name) { return name.ends_with("rotary_emb.inv_freq"); }

bool is_zero_point(const std::string& name) { return name.ends_with(".weight_zero_point"); }

/// Old savers store the zero points of symmetric weights, all of them 0.
bool holds_zeros(const Checkpoint& checkpoint, const std::string& name) {
  if (!checkpoint.info(name).dtype) return false;
  const Tensor tensor = checkpoint.tensor(name);
  const auto* bytes = static_cast<const unsigned char*>(tensor.raw());
  return std::all_of(bytes, bytes + tensor.size_bytes(), [](unsigned char byte) { return byte == 0; });
}

bool is_int8(const ExpectedTensor& tensor) { return tensor.scheme != StoredScheme::none; }
bool is_scale(const std::string& name) { return name.ends_with(".weight_scale"); }

std::string dtype_remedy(const Checkpoint& checkpoint, const ExpectedTensor& expected, const TensorInfo& info) {
  if (is_int8(expected))
    return "take its module out of the quantization by naming it in quantization_config.ignore, or quantize it";
  if (info.dtype != DType::s8) return "save it as F32, BF16 or F16";
  return checkpoint.is_quantized()
             ? "quantization_config ignores its module, or no target names it: take it off the ignore list"
             : "config.json has no quantization_config: copy it from the quantized model's config.json";
}

std::string place_of(const TensorInfo& info) { return info.file + ": " + info.name; }
std::string module_of(const std::string& tensor) { return tensor.substr(0, tensor.rfind('.')); }

}  // namespace

std::vector<CheckProblem> tensor_problems(const Checkpoint& checkpoint, const std::vector<ExpectedTensor>& expected) {
  std::vector<CheckProblem> problems;
  std::set<std::string> known;
  for (const ExpectedTensor& tensor : expected) known.insert(tensor.name);
  std::set<std::string> wrapped;  // promised names and stored ones that one line tells of
  for (const WrappedNames& names : find_wrapped_names(checkpoint, known)) {
    problems.push_back(names.problem(checkpoint));
    wrapped.insert(names.promised.begin(), names.promised.end());
    for (const std::string& stored : names.stored) wrapped.insert(normalise_name(stored));
  }
  std::set<std::string> open_modules;  // of which quantization_config does not tell how they are stored
  for (const ExpectedTensor& tensor : expected) {
    if (!tensor.storage_known) {
      open_modules.insert(module_of(tensor.name));
      continue;
    }
    if (wrapped.contains(tensor.name) && checkpoint.find(tensor.name) == nullptr) continue;
    const TensorInfo* info = checkpoint.find(tensor.name);
    const std::string promise = tensor.shape.to_string() + " (" + tensor.because + ")";
    if (info == nullptr) {
      if (tensor.optional) continue;
      problems.push_back({tensor.name + ": missing, expected " + promise, tensor.name,
                          is_scale(tensor.name) ? "an int8 weight is nothing without its scales: copy the shard anew"
                                                : "a shard is missing, or config.json is of another model"});
    } else if (!same_shape(tensor.shape, info->shape)) {
      problems.push_back({tensor.name + ": is " + info->shape.to_string() + ", expected " + promise, place_of(*info),
                          is_scale(tensor.name)
                              ? "one scale per output channel (row of the weight); one value is a per-tensor scale"
                              : "correct the field in config.json, or take the tensor from the right model"});
    } else if (is_int8(tensor) ? info->dtype != DType::s8 : !floating_dtype(*info)) {
      problems.push_back({tensor.name + ": is stored as " + info->stored_dtype + ", expected " +
                              (is_int8(tensor) ? "I8, as quantization_config says" : "F32, BF16 or F16"),
                          place_of(*info), dtype_remedy(checkpoint, tensor, *info)});
    }
  }
  for (const std::string& name : checkpoint.names()) {
    if (known.contains(name) || wrapped.contains(name) || ignorable(name) || open_modules.contains(module_of(name)))
      continue;
    if (is_zero_point(name)) {
      if (holds_zeros(checkpoint, name)) continue;
      problems.push_back({name + ": is not 0 throughout, but quantization_config says that weights are symmetric",
                          place_of(checkpoint.info(name)),
                          "Octavo has no zero points: quantize the original again, symmetrically"});
      continue;
    }
    problems.push_back(
        {shortened(name) + ": unexpected, nothing in config.json calls for it", place_of(checkpoint.info(name)),
         is_scale(name) ? "its module is float by quantization_config: drop the scale, or list the module"
                        : "config.json is of another model, or the tensor was left behind: drop it"});
  }
  return problems;
}

void head_notes(const Checkpoint& checkpoint, std::vector<CheckProblem>& problems) {
  const std::optional<bool> stated = stated_tie(checkpoint.config());
  const bool tied = embedding_is_head(checkpoint, stated);
  const TensorInfo* head = checkpoint.find("lm_head.weight");
  const TensorInfo* table = checkpoint.find("model.embed_tokens.weight");
  if (table != nullptr && table->name.ends_with("lm_head.weight"))
    problems.push_back(
        {"model.embed_tokens.weight: is stored as lm_head.weight alone, which serves for both, as for "
         "transformers 5; transformers 4 would start from a random embedding",
         table->file + ": " + table->name, "rename the tensor to model.embed_tokens.weight", false});
  const std::string place = head == nullptr ? checkpoint.config().where() : head->file + ": " + head->name;
  if (stated.value_or(false) && head != nullptr) {
    if (tied) {
      problems.push_back(
          {"lm_head.weight: is stored, though tie_word_embeddings is true: a copy equal to the embedding", place,
           "harmless; drop the tensor to save its bytes", false});
    } else {
      problems.push_back(
          {"lm_head.weight: holds other values than the embedding, though tie_word_embeddings is true: it "
           "is used, as by transformers 5; transformers 4 uses the embedding",
           place, "set tie_word_embeddings to false if it was trained apart; else drop the tensor", false});
    }
  } else if (!stated && head == nullptr) {
    problems.push_back(
        {"config.json does not state tie_word_embeddings and there is no lm_head.weight: the embedding is "
         "used in its place; transformers would start from a random one",
         place, "set tie_word_embeddings to true", false});
  }
}

namespace {

/// The tensors to compare with; false when config.json does not let them be told.
bool known_tensors(const Checkpoint& checkpoint, const ArchitectureEntry& entry, std::vector<ExpectedTensor>& expected,
                   std::vector<CheckProblem>& problems) {
  if (entry.known_tensors) return entry.known_tensors(checkpoint, expected, problems);
  try {
    const std::shared_ptr<const Architecture> architecture = read_architecture(checkpoint.config());
    require_plausible_blocks(checkpoint, *architecture);
    head_notes(checkpoint, problems);
    expected = expected_tensors(checkpoint, *architecture, &problems);
  } catch (const Error& error) {  // of config.json itself config_problems has told
    if (problems.empty()) problems.push_back({error.what(), checkpoint.config().where(), ""});
    return false;
  }
  return true;
}

/// Octavo widens every scale to float32; transformers makes weights of them that do not fit the activations.
void other_scales(const Checkpoint& checkpoint, std::vector<CheckProblem>& problems) {
  const DType model = running_dtype(checkpoint);
  std::vector<std::string> others;
  for (const std::string& name : checkpoint.names())
    if (is_scale(name) && checkpoint.info(name).dtype != model) others.push_back(name);
  if (others.empty()) return;
  const TensorInfo& first = checkpoint.info(others.front());
  problems.push_back({std::to_string(others.size()) + (others.size() == 1 ? " weight_scale is" : " weight_scales are") +
                          " stored as " + first.stored_dtype + ", but the model runs in " + dtype_name(model) +
                          ": transformers stops at the first product",
                      place_of(first), "quantize the original again: scales take the model's type", false});
}

/// A header that says BF16 where F16 was stored, or the reverse, fits in every byte: the other tensors' type tells.
void mixed_halves(const Checkpoint& checkpoint, std::vector<CheckProblem>& problems) {
  std::map<DType, std::vector<std::string>> halves;
  for (const std::string& name : checkpoint.names()) {
    const TensorInfo& info = checkpoint.info(name);
    if (is_scale(name)) continue;  // see other_scales
    if (info.dtype == DType::bf16 || info.dtype == DType::f16) halves[*info.dtype].push_back(name);
  }
  if (halves.size() < 2) return;
  const bool mostly_bf16 = halves[DType::bf16].size() >= halves[DType::f16].size();
  const auto& odd = halves[mostly_bf16 ? DType::f16 : DType::bf16];
  const auto& most = halves[mostly_bf16 ? DType::bf16 : DType::f16];
  for (const std::string& name : odd) {
    const TensorInfo& info = checkpoint.info(name);
    problems.push_back({name + ": is stored as " + info.stored_dtype + ", but " + std::to_string(most.size()) +
                            " tensors as " + checkpoint.info(most.front()).stored_dtype +
                            ": one checkpoint does not mix the two 16-bit types",
                        place_of(info), "its header entry is wrong, or the tensor is of another model"});
  }
}

/// Every module: parents of tensors, and theirs.
std::vector<std::string> modules_of(const std::vector<ExpectedTensor>& expected) {
  std::set<std::string> modules{"lm_head"};
  for (const ExpectedTensor& tensor : expected) {
    std::string path = tensor.name;
    for (std::size_t dot = path.rfind('.'); dot != std::string::npos; dot = path.rfind('.')) {
      path.resize(dot);
      if (!modules.insert(path).second) break;
    }
  }
  return {modules.begin(), modules.end()};
}

void unmatched_patterns(const Checkpoint& checkpoint, const std::vector<ExpectedTensor>& expected,
                        std::vector<CheckProblem>& problems) {
  for (const Checkpoint::UnmatchedPattern& pattern : checkpoint.unmatched_patterns(modules_of(expected))) {
    problems.push_back(
        {pattern.where + " is " + in_quotes(pattern.text) + ", which names no module of this model", pattern.where,
         "correct the name (\"visual.blocks.0.attn.qkv\", \"lm_head\", \"re:visual.*\") or drop the entry"});
  }
}

/// What of quantization_config is no obstacle, but worth a line.
void quantization_remarks(const Checkpoint& checkpoint, const std::vector<ExpectedTensor>& expected,
                          std::vector<CheckProblem>& problems) {
  const std::string where = checkpoint.config().where() + ": quantization_config";
  const auto unpacked = std::count_if(expected.begin(), expected.end(), [&](const ExpectedTensor& tensor) {
    const TensorInfo* info = tensor.scheme == StoredScheme::w8a16 ? checkpoint.find(tensor.name) : nullptr;
    return info != nullptr && !info->name.ends_with(".weight_packed");
  });
  if (unpacked > 0)
    problems.push_back({std::to_string(unpacked) + (unpacked == 1 ? " linear is" : " linears are") +
                            " stored W8A16 as plain int8, which vLLM does not load: it takes int8 weights under float "
                            "activations packed, in format \"pack-quantized\"",
                        where, "quantize the original again: W8A16 is written packed", false});
  for (CheckProblem& problem : setting_problems(quantization_notes(checkpoint.config()), where))
    problems.push_back(std::move(problem));
  const std::string program = checkpoint.other_naming();
  const bool has_tower = std::any_of(expected.begin(), expected.end(),
                                     [](const ExpectedTensor& tensor) { return tensor.name.starts_with("visual."); });
  if (program.empty() || !has_tower) return;  // models of text alone have one naming
  problems.push_back({"the expressions of quantization_config fit the stored weights by the module names of " +
                          program +
                          " alone; under those of transformers from 4.52 on (\"model.visual.*\", "
                          "\"model.language_model.*\") they mean other modules, and it loads those wrongly",
                      where, "write expressions that fit both, such as \"re:(model\\.)?visual\\.\"", false});
}

}  // namespace
}  // namespace model

std::vector<CheckProblem> setting_problems(std::vector<SettingFinding> findings, const std::string& file) {
  constexpr std::int64_t kMostKeys = 8;
  std::vector<CheckProblem> problems;
  std::string unknown;
  std::int64_t count = 0;
  for (SettingFinding& finding : findings) {
    if (finding.kind != SettingFinding::Kind::unknown) {
      const bool fatal = finding.kind == SettingFinding::Kind::refused;
      problems.push_back({std::move(finding.what), std::move(finding.where), std::move(finding.remedy), fatal});
    } else if (count++ < kMostKeys) {
      unknown +=
          (unknown.empty() ? "" : ", ") + shortened(finding.where.substr(finding.where.rfind(": ") + 2), kMostShown);
    }
  }
  if (count == 0) return problems;
  problems.push_back({file + ": " + std::to_string(count) +
                          (count == 1 ? " key that Octavo does not know: " : " keys that Octavo does not know: ") +
                          unknown + (count > kMostKeys ? ", ..." : ""),
                      file, "harmless where transformers does not read them either; a misspelt key is not read",
                      false});
  return problems;
}

namespace {

/// Of problems that are alike, which have one remedy, the first few and how many more there are: they have one cause.
std::vector<CheckProblem> capped(std::vector<CheckProblem> problems) {
  constexpr std::size_t kMostAlike = 20;
  std::map<std::string, std::size_t> alike;
  for (const CheckProblem& problem : problems) ++alike[problem.remedy];
  std::map<std::string, std::size_t> seen;
  std::vector<CheckProblem> kept;
  for (CheckProblem& problem : problems) {
    const std::size_t before = seen[problem.remedy]++;
    const std::size_t all = alike[problem.remedy];
    if (before < kMostAlike || all == kMostAlike + 1) {
      kept.push_back(std::move(problem));
    } else if (before == kMostAlike) {
      kept.push_back({"and " + std::to_string(all - kMostAlike) + " more like it, from " + shortened(problem.what),
                      problem.where, problem.remedy, problem.fatal});
    }
  }
  return kept;
}

}  // namespace

std::vector<CheckProblem> config_problems(const Json& config) {
  try {
    const ArchitectureEntry entry = model::find_entry(config);
    if (entry.config_problems) return entry.config_problems(config);
  } catch (const Error& error) {
    return {{error.what(), config.where() + ": model_type",
             "take a model of these types; a program can register others (octavo/architecture.hpp)"}};
  }
  try {
    static_cast<void>(read_architecture(config));
    return {};
  } catch (const Error& error) {
    return {{error.what(), config.where(), "correct the field, or take the config.json that the model was saved with"}};
  }
}

std::vector<CheckProblem> model_problems(const Checkpoint& checkpoint) {
  std::vector<CheckProblem> problems = config_problems(checkpoint.config());
  try {
    std::vector<ExpectedTensor> expected;
    if (!model::known_tensors(checkpoint, model::find_entry(checkpoint.config()), expected, problems)) {
      problems.push_back({"the tensors were not compared: config.json does not give their shapes",
                          checkpoint.config().where(), "correct the fields above first", false});
      return problems;
    }
    for (CheckProblem& problem : model::tensor_problems(checkpoint, expected)) problems.push_back(std::move(problem));
    model::mixed_halves(checkpoint, problems);
    model::other_scales(checkpoint, problems);
    model::unmatched_patterns(checkpoint, expected, problems);
    model::quantization_remarks(checkpoint, expected, problems);
  } catch (const Error& error) {
    if (problems.empty()) problems.push_back({error.what(), checkpoint.directory(), ""});
  }
  return capped(std::move(problems));
}

}  // namespace octavo
