#include "octavo/check.hpp"

#include <algorithm>
#include <filesystem>

#include "files.hpp"
#include "octavo/checkpoint.hpp"
#include "octavo/job.hpp"
#include "octavo/version.hpp"

namespace octavo {
namespace {

namespace fs = std::filesystem;

constexpr ImageSize kUsualPicture{448, 448};
constexpr std::int64_t kMostPixels = std::int64_t{1} << 24;  // a side: products stay far from overflow

void add_once(std::vector<CheckProblem>& problems, CheckProblem problem) {
  const bool known = std::any_of(problems.begin(), problems.end(),
                                 [&](const CheckProblem& other) { return other.what == problem.what; });
  if (!known) problems.push_back(std::move(problem));
}

/// Opening stopped at the first thing wrong with a file. What the others have to say does not depend on it.
void look_on(const std::string& directory, CheckResult& result) {
  std::error_code failed;
  std::vector<std::string> shards;
  for (fs::directory_iterator it(directory, failed), end; !failed && it != end; it.increment(failed))
    if (it->path().extension() == ".safetensors") shards.push_back(it->path().string());
  std::sort(shards.begin(), shards.end());
  for (const std::string& shard : shards) {
    try {
      static_cast<void>(SafetensorsFile::open(shard));
    } catch (const Error& error) {
      add_once(result.problems, {error.what(), shard, "copy the file again, from the model it belongs to"});
    }
  }
  const std::string config = (fs::path(directory) / "config.json").string();
  if (!fs::exists(config, failed)) return;
  try {
    const Json json = Json::read_file(config);
    for (CheckProblem& problem : config_problems(json)) add_once(result.problems, std::move(problem));
    if (!json.is_object()) return;
    detail::note_use_cache(json, result.problems);
    detail::check_files(directory, json, detail::known_config(json), result.problems);
  } catch (const Error& error) {
    add_once(result.problems, {error.what(), config, "copy config.json from the model it was made from"});
  }
}

/// The pictures' grids, by the directory's processor or, where that is unreadable, by config.json.
std::vector<Grid> grids_for(const std::string& directory, const Qwen25VlConfig& config, const CheckOptions& options,
                            std::vector<CheckProblem>& problems) {
  ImageProcessorConfig processor;
  try {
    // Its patches are config.json's here; where the two differ, check_files says so.
    const ImageProcessorConfig stated = ImageProcessorConfig::open(directory);
    processor.temporal_patch_size = stated.temporal_patch_size;
    processor.min_pixels = stated.min_pixels;
    processor.max_pixels = stated.max_pixels;
  } catch (const Error&) {
    // check_files has said so; the usual limits do for a plan
  }
  processor.patch_size = config.vision.patch_size;
  processor.merge_size = config.vision.spatial_merge_size;
  if (config.vision.temporal_patch_size > 0) processor.temporal_patch_size = config.vision.temporal_patch_size;
  std::vector<ImageSize> sizes = options.images;
  const bool asked = !sizes.empty();
  if (!asked) sizes.push_back(kUsualPicture);
  std::vector<Grid> grids;
  for (const ImageSize& size : sizes) {
    try {
      if (size.height > kMostPixels || size.width > kMostPixels)
        throw Error(ErrorCode::invalid_argument, "a picture has at most " + std::to_string(kMostPixels) +
                                                     " pixels a side, not " +
                                                     std::to_string(std::max(size.height, size.width)));
      grids.push_back(grid_of(size, processor));
    } catch (const Error& error) {
      problems.push_back({error.what(),
                          "image of " + std::to_string(size.height) + " x " + std::to_string(size.width) + " pixels",
                          "crop or scale the picture", asked});
    }
  }
  return grids;
}

/// Whether a problem of the tensors already names the module whose contract is broken.
bool told_of_module(const std::vector<CheckProblem>& problems, const Error& error) {
  if (error.shape() == nullptr || error.shape()->module.empty()) return false;
  const std::string prefix = error.shape()->module + ".";
  return std::any_of(problems.begin(), problems.end(),
                     [&](const CheckProblem& problem) { return problem.what.rfind(prefix, 0) == 0; });
}

/// The model's small pictures and short contexts must not make the plan fail where nobody asked for a size.
void make_plan(const Checkpoint& checkpoint, const CheckOptions& options, CheckResult& result) {
  const detail::KnownConfig known = detail::known_config(checkpoint.config());
  const Qwen25VlConfig& config = known.fields;
  PlanOptions planned;
  if (known.takes_pictures)
    planned.grids = grids_for(checkpoint.directory(), config, options, result.problems);
  else if (!options.images.empty())
    result.problems.push_back(
        {"a plan with pictures was asked for, but the model has no vision tower and takes text "
         "alone",
         "the planned prompt", "leave the pictures out"});
  planned.prompt_tokens = options.prompt_tokens;
  planned.max_new_tokens = options.max_new_tokens;
  planned.every_block = options.keep_plan;  // a broken block has shapes of its own, so it is bound in any case
  if (options.images.empty()) {
    std::int64_t tokens = 2;
    for (const Grid& grid : planned.grids)
      tokens += grid.h * grid.w / (config.vision.spatial_merge_size * config.vision.spatial_merge_size);
    const std::int64_t room = options.prompt_tokens > 0 ? options.prompt_tokens : config.text.max_position_embeddings;
    if (tokens > room) planned.grids.clear();
  }
  std::vector<Error> broken;
  try {
    ModelPlan plan = plan_model(checkpoint, planned, broken);
    if (options.keep_plan) result.plan = std::move(plan);
  } catch (const Error& error) {
    add_once(result.problems, {error.what(), "the planned prompt", "choose other sizes"});
  }
  for (const Error& error : broken)
    if (!told_of_module(result.problems, error))
      result.problems.push_back(
          {error.what(), error.shape() != nullptr ? error.shape()->module : "", "the runtime would stop here"});
}

void divide(const Checkpoint& checkpoint, const CheckOptions& options, CheckResult& result) {
  if (options.tensor_parallel == 0) return;
  try {
    result.tensor_parallel = tensor_parallel_dims(checkpoint, options.tensor_parallel);
  } catch (const Error& error) {
    add_once(result.problems, {error.what(), "tensor parallel", "choose another number of ranks"});
  }
  const std::string ranks = std::to_string(options.tensor_parallel);
  for (const ParallelDim& dim : result.tensor_parallel) {
    const std::string where = "config.json: " + dim.field;
    const std::string head = dim.field + " is " + std::to_string(dim.value);
    if (!dim.divides) {
      result.problems.push_back(
          {head + ", which cannot be cut for " + ranks + " ranks (" + dim.modules + ")", where, dim.remedy});
    } else if (!dim.effect.empty()) {
      result.problems.push_back({head + ": " + std::to_string(dim.per_rank) + " per rank for " + ranks + " ranks (" +
                                     dim.modules + "); " + dim.effect,
                                 where, dim.remedy, false});
    }
  }
}

}  // namespace

bool CheckResult::ok() const {
  return std::none_of(problems.begin(), problems.end(), [](const CheckProblem& problem) { return problem.fatal; });
}

CheckResult check(const std::string& model_dir, const CheckOptions& options) {
  const Stopwatch watch;
  CheckResult result;
  std::optional<Checkpoint> checkpoint;
  try {
    checkpoint = Checkpoint::open(model_dir);
  } catch (const Error& error) {
    const bool missing = error.code() == ErrorCode::not_found || error.code() == ErrorCode::invalid_argument;
    result.problems.push_back({error.what(), model_dir,
                               missing ? "name a directory with config.json and safetensors files"
                                       : "correct what the line names, or copy the file anew"});
    std::error_code failed;
    const bool is_adapter =
        error.code() == ErrorCode::unsupported && fs::exists(fs::path(model_dir) / "adapter_config.json", failed);
    if (!is_adapter) look_on(model_dir, result);  // what an adapter lacks as a model is not worth a list
  }
  if (checkpoint) {
    result.tensors = static_cast<std::int64_t>(checkpoint->names().size());
    result.problems = model_problems(*checkpoint);
    // Without a config that can be used there is nothing to bind or to cut.
    const std::vector<CheckProblem> of_config = config_problems(checkpoint->config());
    const bool usable =
        std::none_of(of_config.begin(), of_config.end(), [](const CheckProblem& problem) { return problem.fatal; });
    detail::note_use_cache(checkpoint->config(), result.problems);
    detail::check_files(model_dir, checkpoint->config(), detail::known_config(checkpoint->config()), result.problems);
    // A field that the tensors contradict has been told, and so have names that a wrapper changed (of the directory as
    // a whole); the plan would say so again, of every module.
    const std::string of_fields = checkpoint->config().where() + ": ";
    const bool fits = std::none_of(result.problems.begin(), result.problems.end(), [&](const CheckProblem& problem) {
      const bool is_field =
          problem.where.starts_with(of_fields) && problem.where.find("quantization_config") == std::string::npos;
      return problem.fatal && (is_field || problem.where == checkpoint->directory());
    });
    if (usable && fits) {
      make_plan(*checkpoint, options, result);
      divide(*checkpoint, options, result);
    }
  }
  result.seconds = watch.seconds();
  return result;
}

JsonBuilder CheckResult::to_json() const {
  JsonBuilder list = JsonBuilder::array();
  for (const CheckProblem& problem : problems) {
    list.push(JsonBuilder::object()
                  .set("what", problem.what)
                  .set("where", problem.where)
                  .set("remedy", problem.remedy)
                  .set("fatal", problem.fatal));
  }
  JsonBuilder json = JsonBuilder::object();
  json.set("octavo_version", kVersion).set("ok", ok()).set("tensors", tensors).set("seconds", seconds);
  json.set("problems", std::move(list));
  if (!tensor_parallel.empty()) {
    JsonBuilder dims = JsonBuilder::array();
    for (const ParallelDim& dim : tensor_parallel) {
      dims.push(JsonBuilder::object()
                    .set("field", dim.field)
                    .set("modules", dim.modules)
                    .set("value", dim.value)
                    .set("per_rank", dim.per_rank)
                    .set("divides", dim.divides)
                    .set("alignment", dim.alignment)
                    .set("int8", dim.is_int8())
                    .set("w8a8", dim.w8a8)
                    .set("w8a16", dim.w8a16)
                    .set("effect", dim.effect)
                    .set("remedy", dim.remedy));
    }
    json.set("tensor_parallel", std::move(dims));
  }
  if (plan) json.set("plan", plan->to_json());
  return json;
}

JsonBuilder inspect(const std::string& model_dir) {
  const Checkpoint checkpoint = Checkpoint::open(model_dir);
  JsonBuilder tensors = JsonBuilder::array();
  std::int64_t parameters = 0;
  std::int64_t int8_linears = 0;
  for (const std::string& name : checkpoint.names()) {
    const TensorInfo& info = checkpoint.info(name);
    if (!name.ends_with(".weight_scale")) parameters += info.shape.numel();  // a scale says how a weight is stored
    if (info.stored_dtype == "I8") ++int8_linears;
  }
  for (const TensorInfo& info : checkpoint.stored_tensors()) {
    JsonBuilder shape = JsonBuilder::array();
    for (const std::int64_t extent : info.shape.dims()) shape.push(extent);
    tensors.push(JsonBuilder::object()
                     .set("name", normalise_name(info.name))
                     .set("stored_name", info.name)
                     .set("dtype", info.stored_dtype)
                     .set("shape", std::move(shape))
                     .set("file", fs::path(info.file).filename().string()));
  }
  JsonBuilder shards = JsonBuilder::array();
  for (const std::string& file : checkpoint.shard_files()) shards.push(fs::path(file).filename().string());
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
