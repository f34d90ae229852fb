#include <filesystem>

#include "internal.hpp"
#include "octavo/checkpoint.hpp"

namespace octavo {

namespace {

void look_beside_the_weights(const std::string& directory, CheckResult& result) {
  const auto exists = [&](const char* name) {
    std::error_code ignored;
    return std::filesystem::exists(std::filesystem::path(directory) / name, ignored);
  };
  if (!exists("tokenizer.json") && !exists("vocab.json"))
    result.problems.push_back({"no tokenizer: neither tokenizer.json nor vocab.json is there", directory,
                               "copy the tokenizer files of the model it was made from"});
  if (!exists("preprocessor_config.json"))
    result.problems.push_back({"preprocessor_config.json is missing", directory,
                               "copy it from the model it was made from: pictures cannot be prepared without"});
}

void note_use_cache(const Json& config, CheckResult& result) {
  const auto look = [&](const Json& from) {
    const auto stated = from.find("use_cache");
    if (!stated || (stated->is_bool() && stated->as_bool())) return;
    result.problems.push_back(
        {"use_cache is " + stated->dump() + ", left behind by training or quantization", stated->where(),
         "harmless here, where a cache is a property of the call; set it to true for others", false});
  };
  look(config);
  if (const auto text = config.find("text_config")) look(*text);
}

}  // namespace

bool CheckResult::ok() const {
  for (const CheckProblem& problem : problems)
    if (problem.fatal) return false;
  return true;
}

CheckResult check(const std::string& model_dir) {
  const pipeline::Stopwatch watch;
  CheckResult result;
  try {
    const Checkpoint checkpoint = Checkpoint::open(model_dir);
    result.tensors = static_cast<std::int64_t>(checkpoint.names().size());
    for (const std::string& problem : structure_problems(checkpoint))
      result.problems.push_back({problem, model_dir, ""});
    note_use_cache(checkpoint.config(), result);
    look_beside_the_weights(model_dir, result);
  } catch (const Error& error) {
    result.problems.push_back({error.what(), model_dir, ""});
  }
  result.seconds = watch.seconds();
  return result;
}

JsonBuilder inspect(const std::string& model_dir) {
  const Checkpoint checkpoint = Checkpoint::open(model_dir);
  JsonBuilder tensors = JsonBuilder::array();
  std::int64_t parameters = 0;
  std::int64_t int8_linears = 0;
  for (const std::string& name : checkpoint.names()) {
    const TensorInfo& info = checkpoint.info(name);
    parameters += info.shape.numel();
    JsonBuilder shape = JsonBuilder::array();
    for (const std::int64_t extent : info.shape.dims()) shape.push(extent);
    tensors.push(JsonBuilder::object()
                     .set("name", name)
                     .set("stored_name", info.name)
                     .set("dtype", info.stored_dtype)
                     .set("shape", std::move(shape))
                     .set("file", std::filesystem::path(info.file).filename().string()));
    if (info.stored_dtype == "I8") ++int8_linears;
  }
  JsonBuilder shards = JsonBuilder::array();
  for (const std::string& file : checkpoint.shard_files()) shards.push(std::filesystem::path(file).filename().string());
  return JsonBuilder::object()
      .set("directory", model_dir)
      .set("model_type", checkpoint.config().get_string("model_type", "unknown"))
      .set("quantized", checkpoint.is_quantized())
      .set("parameters", parameters)
      .set("bytes", static_cast<std::size_t>(checkpoint.total_bytes()))
      .set("int8_linears", int8_linears)
      .set("shards", std::move(shards))
      .set("tensors", std::move(tensors));
}

}  // namespace octavo
