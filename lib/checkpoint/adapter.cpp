#include "adapter.hpp"

#include <filesystem>
#include <string>

#include "octavo/error.hpp"
#include "octavo/json.hpp"
#include "octavo/message.hpp"

namespace octavo::checkpoint_detail {

namespace fs = std::filesystem;

void refuse_adapter(const std::string& directory) {
  std::error_code failed;
  const fs::path config = fs::path(directory) / "adapter_config.json";
  const bool has_weights = fs::exists(fs::path(directory) / "adapter_model.safetensors", failed) ||
                           fs::exists(fs::path(directory) / "adapter_model.bin", failed);
  if (!fs::exists(config, failed) && !has_weights) return;
  std::string base;
  try {
    base = Json::read_file(config.string()).get_string("base_model_name_or_path", "");
  } catch (const Error&) {
    // the remedy does without its name
  }
  base = shortened(base);
  throw Error(ErrorCode::unsupported,
              directory + ": holds an adapter" + (base.empty() ? "" : " of \"" + base + "\"") +
                  ", not a model: merge it first, with peft in Python: PeftModel.from_pretrained(base, \"" + directory +
                  "\").merge_and_unload().save_pretrained(OUT), base being the loaded model; then copy the base's "
                  "tokenizer and preprocessor files into OUT");
}

}  // namespace octavo::checkpoint_detail
