#include <array>
#include <set>
#include <string>

#include "architecture.hpp"
#include "qwen2_5_vl/qwen2_5_vl.hpp"

namespace octavo {
namespace model {
namespace {

// A new architecture is one line here and one folder beside.
const std::array<ArchitectureEntry, 1>& registry() {
  static const std::array<ArchitectureEntry, 1> entries{qwen2_5_vl_entry()};
  return entries;
}

bool floating_dtype(const TensorInfo& info) {
  return info.dtype == DType::f32 || info.dtype == DType::bf16 || info.dtype == DType::f16;
}

/// A scale per channel is [N,1] in compressed-tensors; [N] means the same.
bool same_shape(const Shape& expected, const Shape& actual) {
  if (expected == actual) return true;
  return expected.rank() == 2 && expected[1] == 1 && actual.rank() == 1 && actual[0] == expected[0];
}

/// Left by other savers; nothing reads them.
bool ignorable(const std::string& name) {
  return name.ends_with("rotary_emb.inv_freq") || name.ends_with(".weight_zero_point") ||
         name.ends_with(".weight_shape");
}

}  // namespace

const ArchitectureEntry& find_architecture(const Checkpoint& checkpoint) {
  const std::string type = checkpoint.config().get_string("model_type", "");
  std::string known;
  for (const ArchitectureEntry& entry : registry()) {
    if (entry.model_type == type) return entry;
    known += (known.empty() ? "" : ", ") + std::string(entry.model_type);
  }
  throw Error(ErrorCode::unsupported,
              checkpoint.directory() + "/config.json: model_type is \"" + type + "\"; this build runs " + known);
}

void require_structure(const Checkpoint& checkpoint) {
  const std::vector<std::string> problems = structure_problems(checkpoint);
  if (problems.empty()) return;
  std::string all;
  for (const std::string& problem : problems) all += (all.empty() ? "" : "; ") + problem;
  throw Error(ErrorCode::format, checkpoint.directory() + ": " + std::to_string(problems.size()) +
                                     (problems.size() == 1 ? " tensor does" : " tensors do") +
                                     " not fit config.json: " + all);
}

}  // namespace model

std::vector<ExpectedTensor> expected_tensors(const Checkpoint& checkpoint) {
  return model::find_architecture(checkpoint).expected_tensors(checkpoint);
}

std::vector<std::string> structure_problems(const Checkpoint& checkpoint) {
  std::vector<std::string> problems;
  std::set<std::string> known;
  for (const ExpectedTensor& expected : expected_tensors(checkpoint)) {
    known.insert(expected.name);
    const TensorInfo* info = checkpoint.find(expected.name);
    const std::string promise = expected.shape.to_string() + " (" + expected.because + ")";
    if (info == nullptr) {
      if (!expected.optional) problems.push_back(expected.name + ": missing, expected " + promise);
    } else if (!model::same_shape(expected.shape, info->shape)) {
      problems.push_back(expected.name + ": is " + info->shape.to_string() + ", expected " + promise);
    } else if (expected.int8 ? info->dtype != DType::s8 : !model::floating_dtype(*info)) {
      problems.push_back(expected.name + ": is stored as " + info->stored_dtype + ", expected " +
                         (expected.int8 ? "I8, as quantization_config says" : "F32, BF16 or F16"));
    }
  }
  for (const std::string& name : checkpoint.names()) {
    if (!known.contains(name) && !model::ignorable(name))
      problems.push_back(name + ": unexpected, nothing in config.json calls for it");
  }
  return problems;
}

std::unique_ptr<BlockwiseModel> BlockwiseModel::open(const Checkpoint& checkpoint) {
  const model::ArchitectureEntry& entry = model::find_architecture(checkpoint);
  model::require_structure(checkpoint);
  return entry.open_blockwise(checkpoint);
}

}  // namespace octavo
