#include <algorithm>
#include <array>
#include <string>

#include "architecture.hpp"
#include "octavo/message.hpp"
#include "problems.hpp"
#include "qwen2_5_vl/qwen2_5_vl.hpp"

namespace octavo {
namespace model {
namespace {

// A new architecture is one line here and one folder beside.
const std::array<ArchitectureEntry, 1>& registry() {
  static const std::array<ArchitectureEntry, 1> entries{qwen2_5_vl_entry()};
  return entries;
}

}  // namespace

const ArchitectureEntry& find_architecture(const Checkpoint& checkpoint) {
  return find_architecture(checkpoint.config());
}

const ArchitectureEntry& find_architecture(const Json& config) {
  const std::string type = config.get_string("model_type", "");
  std::string known;
  for (const ArchitectureEntry& entry : registry()) {
    if (entry.model_type == type) return entry;
    known += (known.empty() ? "" : ", ") + std::string(entry.model_type);
  }
  throw Error(ErrorCode::unsupported,
              config.where() + ": model_type is " + in_quotes(type) + "; this build runs " + known);
}

void require_structure(const Checkpoint& checkpoint) {
  const std::vector<std::string> problems = structure_problems(checkpoint);
  if (problems.empty()) return;
  constexpr std::size_t kMostShown = 10;
  std::string all;
  for (std::size_t i = 0; i < std::min(problems.size(), kMostShown); ++i) all += (i == 0 ? "" : "; ") + problems[i];
  if (problems.size() > kMostShown) all += "; and " + std::to_string(problems.size() - kMostShown) + " more";
  throw Error(ErrorCode::format, checkpoint.directory() + ": " + std::to_string(problems.size()) +
                                     (problems.size() == 1 ? " tensor does" : " tensors do") +
                                     " not fit config.json: " + all);
}

}  // namespace model

std::vector<ExpectedTensor> expected_tensors(const Checkpoint& checkpoint) {
  return model::find_architecture(checkpoint).expected_tensors(checkpoint);
}

std::vector<std::string> structure_problems(const Checkpoint& checkpoint) {
  std::vector<std::string> lines;
  for (CheckProblem& problem : model::tensor_problems(checkpoint, expected_tensors(checkpoint)))
    lines.push_back(std::move(problem.what));
  return lines;
}

DType running_dtype(const Checkpoint& checkpoint) {
  std::vector<ConfigProblem> told;
  bool known = false;
  const std::optional<DType> stated = Qwen25VlConfig::parse_all(checkpoint.config(), told, known).dtype;
  const TensorInfo* embedding = checkpoint.find("model.embed_tokens.weight");
  return stated ? *stated : embedding != nullptr ? embedding->dtype.value_or(DType::bf16) : DType::bf16;
}

std::unique_ptr<BlockwiseModel> BlockwiseModel::open(const Checkpoint& checkpoint, const ModelOptions& options) {
  const model::ArchitectureEntry& entry = model::find_architecture(checkpoint);
  model::require_structure(checkpoint);
  return entry.open_blockwise(checkpoint, options);
}

}  // namespace octavo
