/// @file
/// What can be known of a model without reading a weight: everything that is wrong with its config.json and headers,
/// the plan of its calls, and how it divides among ranks.
///
///     Checkpoint checkpoint = Checkpoint::open("Qwen2.5-VL-72B");
///     PlanOptions options;
///     options.grids = {{1, 32, 32}};
///     ModelPlan plan = plan_model(checkpoint, options);        // milliseconds
///     std::cout << plan.to_text();
///
/// A plan is a recorded run of the real forward pass over tensors without data (tensor.hpp): the same blocks bind every
/// dimension of every weight and activation through the same contracts, so that a mistake raises the error that the
/// runtime would raise, only earlier. The weights' shapes and types are those of the headers; activations follow from
/// them, operation by operation, and the bytes alive from when the run makes and drops them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "octavo/attention.hpp"
#include "octavo/checkpoint.hpp"
#include "octavo/settings.hpp"
#include "octavo/trace.hpp"

namespace octavo {

// --- Problems -------------------------------------------------------------------------------------------------------

struct CheckProblem {
  std::string what;    ///< the whole line
  std::string where;   ///< file and key, or tensor
  std::string remedy;  ///< what to do; may be empty
  bool fatal = true;   ///< false: worth knowing, harmless
};
/// What a table of settings found in `file`, as problems: each refusal (fatal), each key that is named, and one line
/// for all keys that the table does not know.
std::vector<CheckProblem> setting_problems(std::vector<SettingFinding> findings, const std::string& file);

/// Everything wrong with config.json (see Qwen25VlConfig::parse_all) and the tensors it promises: missing, unexpected,
/// misshapen, mistyped; scales that do not fit; half-tied embeddings; quantization_config that names what does not
/// exist or leaves out what is int8. Reads no weight but the head of a tied model that stores one. Never throws for
/// what is wrong inside the directory.
std::vector<CheckProblem> model_problems(const Checkpoint& checkpoint);
/// The part of model_problems that config.json alone shows.
std::vector<CheckProblem> config_problems(const Json& config);

// --- The plan -------------------------------------------------------------------------------------------------------

struct PlanOptions {
  std::vector<Grid> grids;               ///< images of the prompt, in patches (t is 1)
  std::int64_t prompt_tokens = 0;        ///< all of them, image tokens included; 0: 64 and what the images take
  std::int64_t max_new_tokens = 256;     ///< clamped so that prompt and answer fit max_position_embeddings
  std::int64_t chunk_tokens = 0;         ///< most a chunk of the chunked prefill holds; 0: half the prompt
  std::int64_t second_turn_tokens = 32;  ///< fed after the answer, on the filled cache
  std::int64_t batch = 2;                ///< sequences of the batched calls, each like the prompt
  bool every_block = true;               ///< false: of blocks whose weights have equal shapes and types, the first
  bool all_logits = false;               ///< prefill gives every position's logits (Model::forward), else the last's
};

enum class CallKind : std::uint8_t { prefill, decode, uncached, chunk, second_turn, batch_prefill, batch_decode };
const char* call_kind_name(CallKind kind) noexcept;  ///< "prefill", "second_turn", ...

/// One forward call. In the batched ones the rows of all sequences go through norms and products together ([B*Lq,
/// ...]); the vision tower, the cache and attention run per sequence. Nothing is padded.
struct PlannedCall {
  CallKind kind = CallKind::prefill;
  std::string note;  ///< "token 256 of 256"
  std::int64_t batch = 1, past = 0, q_len = 0, kv_len = 0;
  std::int64_t image_tokens = 0;    ///< that the vision tower makes in this call, for all sequences
  std::int64_t cache_capacity = 0;  ///< positions per sequence; 0: uncached
  std::vector<TraceRecord> steps;   ///< as a trace of the real call has them, but folded by sequence (`times`)
  std::uint64_t kv_cache_bytes = 0;
  std::uint64_t peak_activation_bytes = 0;  ///< the widest step; attention's blocks of scores excluded
};

struct ModelPlan {
  std::string model_type;
  std::int64_t prompt_tokens = 0, max_new_tokens = 0;  ///< after defaults and clamping
  std::vector<PlannedCall> calls;
  std::uint64_t weight_bytes = 0;                 ///< resident: as stored; norms, biases and scales as f32
  std::uint64_t kv_cache_bytes_per_position = 0;  ///< keys and values of every layer, f32

  /// The first call of that kind; null when the plan has none (no space for a second turn, a prompt of one token).
  const PlannedCall* find(CallKind kind) const noexcept;
  std::uint64_t total_bytes(const PlannedCall& call) const noexcept;  ///< weights, cache and activations
  /// Memory first, then each call's operations; equal blocks are shown once.
  std::string to_text() const;
  JsonBuilder to_json() const;
};

/// Plans every call. @throws Error  the first broken contract, as the runtime would raise it; format when config.json
/// cannot be used; invalid_argument for options out of their domain.
ModelPlan plan_model(const Checkpoint& checkpoint, const PlanOptions& options = {});
/// As plan_model, but goes on after a broken contract: the step says so in `problem`, its output takes the shape that
/// config.json implies, and one entry per broken operation is appended to `problems`.
ModelPlan plan_model(const Checkpoint& checkpoint, const PlanOptions& options, std::vector<Error>& problems);

// --- Division among ranks -------------------------------------------------------------------------------------------

/// A dimension that vLLM would cut in `ranks` parts, and what its kernels make of a part. Sources: docs/check.md.
struct ParallelDim {
  std::string field;    ///< "vision_config.intermediate_size"
  std::string modules;  ///< "visual.blocks.*.mlp"
  std::int64_t value = 0;
  std::int64_t per_rank = 0;   ///< rounded down where it does not divide; heads that are replicated: 1
  bool divides = true;         ///< as the engine cuts it: vLLM refuses to start otherwise
  std::int64_t alignment = 0;  ///< largest of 128, 64, 32, 16 that divides every width cut here as a rank's products
                               ///< see it (q, k and v are one product, gate and up another); 0: none
  std::int64_t w8a8 = 0;       ///< of the modules' linears, those that are stored W8A8
  std::int64_t w8a16 = 0;      ///< those stored W8A16
  std::string effect;          ///< what a part that divides does to the kernels; "" when there is nothing to tell
  std::string remedy;          ///< "" when there is nothing to do
  bool is_int8() const noexcept { return w8a8 + w8a16 > 0; }
};
/// @throws Error  invalid_argument unless 1 <= ranks <= 1024; format when config.json cannot be used.
std::vector<ParallelDim> tensor_parallel_dims(const Checkpoint& checkpoint, std::int64_t ranks);

}  // namespace octavo
