#include "adapter.hpp"

#include <string>

#include "octavo/error.hpp"
#include "octavo/message.hpp"

namespace octavo::checkpoint_detail {

void refuse_adapter(const FileSource& files) {
  constexpr const char* kConfig = "adapter_config.json";
  if (!files.has(kConfig) && !files.has("adapter_model.safetensors") && !files.has("adapter_model.bin")) return;
  const std::string& directory = files.label();
  std::string base;
  try {
    base = files.json(kConfig).get_string("base_model_name_or_path", "");
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
