#include "copied_files.hpp"

#include <algorithm>
#include <array>

namespace octavo::detail {
namespace {

/// Weights in their forms, and pickled or binary state.
constexpr std::array<std::string_view, 15> kEndings{".safetensors", ".safetensors.index.json",
                                                    ".bin",         ".bin.index.json",
                                                    ".pt",          ".pth",
                                                    ".ckpt",        ".gguf",
                                                    ".msgpack",     ".h5",
                                                    ".pkl",         ".distcp",
                                                    ".onnx",        ".onnx_data",
                                                    ".npz"};

/// Of peft and other adapters; of Trainer, DeepSpeed, FSDP and their logs; of an earlier run of ours.
constexpr std::array<std::string_view, 15> kNames{"config.json",
                                                  "octavo_report.json",
                                                  "octavo_report.html",
                                                  "adapter_config.json",
                                                  "trainer_state.json",
                                                  "training_args.json",
                                                  "all_results.json",
                                                  "train_results.json",
                                                  "eval_results.json",
                                                  "trainer_log.jsonl",
                                                  "training_args.yaml",
                                                  "zero_to_fp32.py",
                                                  "latest",
                                                  "trainer_config.yaml",
                                                  "dataset_info.json"};
constexpr std::array<std::string_view, 5> kBeginnings{".", "adapter_", "events.out.tfevents.", "rng_state",
                                                      "global_step"};

}  // namespace

bool is_copied(std::string_view name) {
  const auto is_name = [&](std::string_view other) { return name == other; };
  const auto ends = [&](std::string_view ending) { return name.ends_with(ending); };
  const auto begins = [&](std::string_view beginning) { return name.starts_with(beginning); };
  return std::none_of(kNames.begin(), kNames.end(), is_name) && std::none_of(kEndings.begin(), kEndings.end(), ends) &&
         std::none_of(kBeginnings.begin(), kBeginnings.end(), begins);
}

}  // namespace octavo::detail
