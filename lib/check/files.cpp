#include "files.hpp"

#include <algorithm>
#include <filesystem>
#include <map>
#include <optional>
#include <utility>

#include "octavo/architecture.hpp"
#include "octavo/generation_config.hpp"
#include "octavo/settings.hpp"
#include "octavo/text.hpp"

namespace octavo::detail {
namespace {

namespace fs = std::filesystem;

bool exists(const std::string& directory, const char* name) {
  std::error_code ignored;
  return fs::exists(fs::path(directory) / name, ignored);
}

std::string path_of(const std::string& directory, const char* name) { return (fs::path(directory) / name).string(); }

/// What config.json must agree with; the merges are not built, which would take most of the time.
struct Vocabulary {
  std::string file;
  std::int64_t size = 0;                      // 1 + the largest id
  std::map<std::string, std::int64_t> added;  // special tokens by text
};

void take_id(const Json& id, Vocabulary& vocabulary) { vocabulary.size = std::max(vocabulary.size, id.as_int() + 1); }

std::optional<Vocabulary> read_vocabulary(const std::string& directory) {
  Vocabulary vocabulary;
  if (exists(directory, "tokenizer.json")) {
    vocabulary.file = path_of(directory, "tokenizer.json");
    const Json json = Json::read_file(vocabulary.file);
    json.at("model").at("vocab").for_each_member([&](std::string_view, const Json& id) { take_id(id, vocabulary); });
    if (const auto added = json.find("added_tokens"))
      for (std::size_t i = 0; i < added->size(); ++i) {
        const Json token = added->at(i);
        take_id(token.at("id"), vocabulary);
        vocabulary.added[token.at("content").as_string()] = token.at("id").as_int();
      }
    return vocabulary;
  }
  if (!exists(directory, "vocab.json")) return std::nullopt;
  vocabulary.file = path_of(directory, "tokenizer_config.json");
  Json::read_file(path_of(directory, "vocab.json")).for_each_member([&](std::string_view, const Json& id) {
    take_id(id, vocabulary);
  });
  Json::read_file(vocabulary.file)
      .at("added_tokens_decoder")
      .for_each_member([&](std::string_view id, const Json& token) {
        const Json number = Json::parse(id, token.where());
        take_id(number, vocabulary);
        vocabulary.added[token.at("content").as_string()] = number.as_int();
      });
  return vocabulary;
}

void compare_size(const Json& json, std::int64_t vocab_size, const Vocabulary& vocabulary,
                  std::vector<CheckProblem>& problems) {
  if (vocab_size <= 0 || vocabulary.size <= vocab_size) return;
  problems.push_back({json.where() + ": vocab_size is " + std::to_string(vocab_size) + ", smaller than the " +
                          std::to_string(vocabulary.size) + " ids of " + vocabulary.file,
                      json.where() + ": vocab_size",
                      "the embedding has a row per id (it may have more): use the tokenizer the model was trained "
                      "with"});
}

void compare_tokens(const Json& json, const Qwen25VlConfig& config, const Vocabulary& vocabulary,
                    std::vector<CheckProblem>& problems) {
  const auto special = [&](const char* key, const char* token, std::int64_t id) {
    const auto found = vocabulary.added.find(token);
    if (found == vocabulary.added.end()) {
      problems.push_back({std::string(token) + " is not among the added tokens of " + vocabulary.file, vocabulary.file,
                          "copy the tokenizer files of the model it was made from"});
    } else if (id != found->second) {
      problems.push_back({json.where() + ": " + key + " is " + std::to_string(id) + ", but " + vocabulary.file +
                              " gives " + token + " the id " + std::to_string(found->second),
                          json.where() + ": " + key, "set it to the tokenizer's id"});
    }
  };
  special("image_token_id", "<|image_pad|>", config.image_token_id);
  special("video_token_id", "<|video_pad|>", config.video_token_id);
  special("vision_start_token_id", "<|vision_start|>", config.vision_start_token_id);
  special("vision_end_token_id", "<|vision_end|>", config.vision_end_token_id);
  for (const char* token : {"<|im_start|>", "<|im_end|>"})
    if (vocabulary.added.count(token) == 0)
      problems.push_back({std::string(token) + " is not among the added tokens of " + vocabulary.file, vocabulary.file,
                          "the chat template needs it: copy the tokenizer files of the model it was made from"});
}

/// What a reader of the file does not throw for: named settings, and keys that are not known.
void add_findings(const std::string& path, const SettingsTable& table, std::vector<CheckProblem>& problems) {
  for (SettingFinding& finding : examine_settings(Json::read_file(path), table))
    problems.push_back({std::move(finding.what), std::move(finding.where), std::move(finding.remedy),
                        finding.kind == SettingFinding::Kind::refused});
}

void check_template(const std::string& directory, const KnownConfig& config, std::vector<CheckProblem>& problems) {
  try {
    const ChatTemplate chat = ChatTemplate::open(directory, config.takes_pictures);
    const std::string& where = chat.origin();
    if (!chat.problem().empty())
      problems.push_back({chat.problem(), where, "compare answers with transformers before relying on them", false});
    if (config.is_built_in && !chat.difference().empty())
      problems.push_back({chat.difference(), where, "nothing, if the model was trained with it", false});
  } catch (const Error& error) {
    problems.push_back({error.what(), directory, "copy the chat template of the model it was made from"});
  }
}

void check_tokenizer(const std::string& directory, const Json& json, const KnownConfig& config,
                     std::vector<CheckProblem>& problems) {
  try {
    if (exists(directory, "tokenizer_config.json"))
      add_findings(path_of(directory, "tokenizer_config.json"), tokenizer_settings(), problems);
    if (const std::optional<Vocabulary> vocabulary = read_vocabulary(directory)) {
      if (config.is_built_in) compare_tokens(json, config.fields, *vocabulary, problems);
      compare_size(json, config.fields.text.vocab_size, *vocabulary, problems);
    } else {
      problems.push_back({"no tokenizer: neither tokenizer.json nor vocab.json is there", directory,
                          "copy the tokenizer files of the model it was made from"});
    }
  } catch (const Error& error) {
    problems.push_back({error.what(), directory, "copy the tokenizer files of the model it was made from"});
  }
}

void note_settings(const Json& object, const SettingsTable& table, std::vector<CheckProblem>& problems) {
  for (CheckProblem& problem : setting_problems(examine_settings(object, table), object.where()))
    problems.push_back(std::move(problem));
}

/// The two files that may hold picture settings, held against their tables and each other.
void note_processor_files(const std::string& directory, std::vector<CheckProblem>& problems) {
  std::optional<Json> nested;
  std::optional<Json> older;
  if (exists(directory, "processor_config.json")) {
    const Json processor = Json::read_file(path_of(directory, "processor_config.json"));
    note_settings(processor, image_settings()[1], problems);
    nested = processor.find("image_processor");
  }
  if (exists(directory, "preprocessor_config.json"))
    older = Json::read_file(path_of(directory, "preprocessor_config.json"));
  const bool newer_counts = nested && nested->is_object();
  const std::optional<Json>& counts = newer_counts ? nested : older;
  if (!counts) return;
  note_settings(*counts, image_settings()[0], problems);
  for (const auto& [edge, limit] : {std::pair{"shortest_edge", "min_pixels"}, {"longest_edge", "max_pixels"}}) {
    const std::optional<Json> size = counts->find("size");
    const std::optional<Json> area = size ? size->find(edge) : std::nullopt;
    const std::optional<Json> pixels = counts->find(limit);
    if (!area || !pixels || !area->is_number() || !pixels->is_number() || area->as_number() == pixels->as_number())
      continue;
    problems.push_back({pixels->where() + " is " + pixels->dump() + ", but " + area->where() + " is " + area->dump() +
                            ": " + limit + " counts, as for transformers",
                        pixels->where(), "make them equal", false});
  }
  if (!newer_counts || !older || !older->is_object()) return;
  std::string differing;
  older->for_each_member([&](std::string_view key, const Json& value) {
    const std::optional<Json> other = nested->find(key);
    const bool same = !other || value.dump() == other->dump() ||
                      (value.is_number() && other->is_number() && value.as_number() == other->as_number());
    const Setting* setting = image_settings()[0].find(key);
    if (same || (setting != nullptr && setting->effect == SettingEffect::no_matter)) return;
    differing += (differing.empty() ? "" : ", ") + std::string(key);
  });
  if (differing.empty()) return;
  problems.push_back({older->where() + " and " + nested->where() + " differ in " + differing +
                          ": the latter counts, as for transformers 5; 4.x reads the former",
                      nested->where(), "make them equal", false});
}

void check_processor(const std::string& directory, const VisionConfig& vision, std::vector<CheckProblem>& problems) {
  try {
    const ImageProcessorConfig processor = ImageProcessorConfig::open(directory);
    const std::string key_of = processor.where + (processor.where.ends_with(".json") ? ": " : ".");
    const auto equal = [&](const char* key, std::int64_t cuts, const char* field, std::int64_t expects) {
      if (expects <= 0 || cuts == expects) return;
      problems.push_back(
          {key_of + key + " is " + std::to_string(cuts) + ", but vision_config." + field + " is " +
               std::to_string(expects),
           key_of + key,
           "both must be what the vision tower was trained with; visual.patch_embed.proj.weight shows it"});
    };
    equal("patch_size", processor.patch_size, "patch_size", vision.patch_size);
    equal("temporal_patch_size", processor.temporal_patch_size, "temporal_patch_size", vision.temporal_patch_size);
    equal("merge_size", processor.merge_size, "spatial_merge_size", vision.spatial_merge_size);
    if (vision.in_channels > 0 && vision.in_channels != 3)
      problems.push_back({processor.where + ": pictures have 3 channels, but vision_config.in_channels is " +
                              std::to_string(vision.in_channels),
                          processor.where, "patches can then only be made by the caller", false});
    if (processor.min_pixels > processor.max_pixels)
      problems.push_back({key_of + "min_pixels is " + std::to_string(processor.min_pixels) + ", above max_pixels " +
                              std::to_string(processor.max_pixels),
                          key_of + "min_pixels", "published models have 3136 and 12845056"});
    note_processor_files(directory, problems);
  } catch (const Error& error) {
    problems.push_back({error.what(), directory,
                        "copy preprocessor_config.json from the model it was made from: pictures cannot be prepared "
                        "without"});
  }
}

void check_generation(const std::string& directory, const Json& json, const Qwen25VlConfig& config,
                      std::vector<CheckProblem>& problems) {
  const std::string path = path_of(directory, "generation_config.json");
  try {
    const GenerationConfig generation = GenerationConfig::read(directory, json);
    for (const std::int64_t id : generation.eos_token_ids)
      if (config.text.vocab_size > 0 && id >= config.text.vocab_size)
        problems.push_back({path + ": eos_token_id has " + std::to_string(id) + ", outside the vocabulary of " +
                                std::to_string(config.text.vocab_size) + ": answers would not end",
                            path + ": eos_token_id", "take the ids of <|im_end|> and <|endoftext|>"});
    if (exists(directory, "generation_config.json")) add_findings(path, generation_settings(), problems);
    if (generation.eos_token_ids.empty())
      problems.push_back({"no eos_token_id in generation_config.json or config.json: answers end at max_new_tokens",
                          path, "take the ids of <|im_end|> and <|endoftext|>", false});
  } catch (const Error& error) {
    problems.push_back({error.what(), path, "copy it from the model it was made from"});
  }
}

}  // namespace

KnownConfig known_config(const Json& json) {
  KnownConfig known;
  std::vector<ConfigProblem> told;
  bool tensors_known = false;
  known.fields = Qwen25VlConfig::parse_all(json, told, tensors_known);
  const auto stated = json.find("model_type");
  if (!stated || !stated->is_string()) return known;
  const std::string type = stated->as_string();
  const std::vector<std::string> registered = registered_architectures();
  if (type == "qwen2_5_vl" || std::find(registered.begin(), registered.end(), type) == registered.end()) return known;
  known.is_built_in = false;
  try {
    const std::shared_ptr<const Architecture> architecture = read_architecture(json);
    known.fields.text = architecture->text();
    known.takes_pictures = architecture->vision() != nullptr;
    if (!known.takes_pictures) return known;
    known.fields.vision.patch_size = architecture->vision()->layout().patch_size;
    known.fields.vision.spatial_merge_size = architecture->vision()->layout().merge_size;
  } catch (const Error&) {
    known.takes_pictures = false;  // config_problems tells; nothing is known to hold files against
  }
  return known;
}

void check_files(const std::string& directory, const Json& json, const KnownConfig& config,
                 std::vector<CheckProblem>& problems) {
  check_tokenizer(directory, json, config, problems);
  check_template(directory, config, problems);
  if (config.takes_pictures) check_processor(directory, config.fields.vision, problems);
  check_generation(directory, json, config.fields, problems);
  if (exists(directory, "adapter_config.json"))
    problems.push_back(
        {"adapter_config.json lies beside the model's own weights, which are taken for merged ones; "
         "transformers with peft would load the adapter's base model instead of them",
         path_of(directory, "adapter_config.json"), "move the adapter's files elsewhere", false});
}

void note_use_cache(const Json& config, std::vector<CheckProblem>& problems) {
  const auto look = [&](const Json& from) {
    const auto stated = from.find("use_cache");
    if (!stated || !stated->is_bool() || stated->as_bool()) return;
    problems.push_back({"use_cache is " + stated->dump() + ", left behind by training or quantization", stated->where(),
                        "harmless here, where a cache is a property of the call; set it to true for others", false});
  };
  look(config);
  if (const auto text = config.find("text_config")) look(*text);
}

}  // namespace octavo::detail
