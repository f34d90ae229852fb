#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <set>

#include "octavo/config.hpp"
#include "octavo/detail/sha256.hpp"
#include "octavo/image.hpp"
#include "octavo/text.hpp"
#include "parts.hpp"

namespace octavo::detail {
namespace {

namespace fs = std::filesystem;

/// Weights in any form are compared as tensors or not at all; config.json has a part of its own.
bool is_compared_elsewhere(const std::string& name) {
  static constexpr std::array<std::string_view, 8> kEndings{
      ".safetensors", ".safetensors.index.json", ".bin", ".bin.index.json", ".pt", ".pth", ".gguf", ".msgpack"};
  return name == "config.json" ||
         std::any_of(kEndings.begin(), kEndings.end(), [&](std::string_view ending) { return name.ends_with(ending); });
}

std::set<std::string> files_of(const std::string& directory) {
  std::set<std::string> names;
  std::error_code failed;
  for (fs::directory_iterator it(directory, failed), end; !failed && it != end; it.increment(failed)) {
    std::error_code ignored;
    const std::string name = it->path().filename().string();
    if (it->is_regular_file(ignored) && !is_compared_elsewhere(name)) names.insert(name);
  }
  return names;
}

/// The first place where two documents say different things; key order and number spelling say nothing.
struct JsonDifference {
  std::string path, original, quantized;
};
std::optional<JsonDifference> first_difference(const std::optional<Json>& a, const std::optional<Json>& b,
                                               const std::string& path) {
  const auto leaf = [&] { return JsonDifference{path, a ? a->dump() : std::string(), b ? b->dump() : std::string()}; };
  if (!a || !b) return leaf();
  if (a->is_object() && b->is_object()) {
    std::optional<JsonDifference> found;
    const auto below = [&](std::string_view key) {
      return path.empty() ? std::string(key) : path + "." + std::string(key);
    };
    a->for_each_member([&](std::string_view key, const Json& value) {
      if (!found) found = first_difference(value, b->find(key), below(key));
    });
    b->for_each_member([&](std::string_view key, const Json& value) {
      if (!found && !a->find(key)) found = first_difference(std::nullopt, value, below(key));
    });
    return found;
  }
  if (a->is_array() && b->is_array()) {
    for (std::size_t i = 0; i < std::max(a->size(), b->size()); ++i) {
      auto found = first_difference(i < a->size() ? std::optional(a->at(i)) : std::nullopt,
                                    i < b->size() ? std::optional(b->at(i)) : std::nullopt,
                                    path + "[" + std::to_string(i) + "]");
      if (found) return found;
    }
    return std::nullopt;
  }
  // Merges are "a b" in older files and ["a", "b"] in newer ones.
  const auto joined = [](const Json& pair) {
    return pair.is_array() && pair.size() == 2 && pair.at(std::size_t{0}).is_string() &&
                   pair.at(std::size_t{1}).is_string()
               ? std::optional(pair.at(std::size_t{0}).as_string() + " " + pair.at(std::size_t{1}).as_string())
               : std::nullopt;
  };
  if (path.starts_with("model.merges[")) {
    const std::optional<std::string> left = a->is_string() ? std::optional(a->as_string()) : joined(*a);
    const std::optional<std::string> right = b->is_string() ? std::optional(b->as_string()) : joined(*b);
    if (left && left == right) return std::nullopt;
  }
  if (a->is_number() && b->is_number() && a->as_number() == b->as_number()) return std::nullopt;
  if (a->dump() == b->dump()) return std::nullopt;
  return leaf();
}

std::string shortened(std::string text) {
  constexpr std::size_t kMost = 120;
  if (text.size() <= kMost) return text;
  std::size_t end = kMost;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) --end;  // whole characters only
  return text.substr(0, end) + "...";
}

class FilesPart {
 public:
  FilesPart(const ComparedPair& pair, JobProgress& steps, CompareResult& result)
      : pair_(pair),
        a_(pair.original.directory()),
        b_(pair.quantized.directory()),
        names_a_(files_of(a_)),
        names_b_(files_of(b_)),
        steps_(steps),
        result_(result) {}

  void run() {
    std::set<std::string> names = names_a_;
    names.insert(names_b_.begin(), names_b_.end());
    for (const std::string& name : names) {
      steps_.check_cancelled();
      FileComparison file;
      file.name = name;
      file.in_original = names_a_.count(name) != 0;
      file.in_quantized = names_b_.count(name) != 0;
      try {
        measure(file);
        if (file.original_sha256 != file.quantized_sha256) judge(file);
      } catch (const Error& error) {
        add(file, Verdict::wrong, error.what(), kCopy);
      }
      result_.files.push_back(std::move(file));
    }
    compare_generation();
    compare_templates();
  }

 private:
  static constexpr const char* kCopy = "copy it from the original";

  static std::string join(const std::string& directory, const std::string& name) {
    return (fs::path(directory) / name).string();
  }

  static std::uint64_t size_of_file(const std::string& path) {
    std::error_code failed;
    const std::uintmax_t size = fs::file_size(path, failed);
    if (failed) throw Error(ErrorCode::io, path + ": " + failed.message());
    return size;
  }

  void measure(FileComparison& file) const {
    if (file.in_original) {
      file.original_sha256 = sha256_of_file(join(a_, file.name));
      file.original_bytes = size_of_file(join(a_, file.name));
    }
    if (file.in_quantized) {
      file.quantized_sha256 = sha256_of_file(join(b_, file.name));
      file.quantized_bytes = size_of_file(join(b_, file.name));
    }
  }

  void add(FileComparison& file, Verdict verdict, std::string what, std::string remedy = "", std::string original = "",
           std::string quantized = "") {
    file.verdict = verdict;
    result_.differences.push_back({verdict, file.name, std::move(what), shortened(std::move(original)),
                                   shortened(std::move(quantized)), std::move(remedy)});
  }

  bool in_both(const FileComparison& file) const { return file.in_original && file.in_quantized; }

  void judge(FileComparison& file) {
    const std::string& name = file.name;
    if (name == "tokenizer.json" || name == "vocab.json" || name == "merges.txt" || name == "added_tokens.json") {
      judge_tokenizer(file);
    } else if (name == "preprocessor_config.json" || name == "processor_config.json") {
      judge_processor(file);
    } else if (name == "tokenizer_config.json") {
      judge_tokenizer_config(file);
    } else if (name == "generation_config.json") {
      add(file, Verdict::harmless, "the file differs; its fields are compared one by one");
    } else if (name.starts_with("chat_template")) {
      add(file, Verdict::harmless, "the file differs; the template that results is compared on its own");
    } else if (!in_both(file)) {
      add(file, Verdict::harmless,
          file.in_original ? "left out; no computation reads it" : "added; no computation reads it");
    } else {
      add(file, Verdict::harmless, "differs; no computation reads it");
    }
  }

  void judge_tokenizer(FileComparison& file) {
    const bool whole = file.name == "tokenizer.json";
    if (!file.in_quantized) {
      const bool other = whole ? names_b_.count("vocab.json") + names_b_.count("merges.txt") == 2
                               : names_b_.count("tokenizer.json") != 0;
      if (other) {
        add(file, Verdict::harmless, "left out; the tokenizer is there in its other form");
      } else {
        add(file, Verdict::wrong, "missing: the tokenizer is not whole without it", kCopy);
      }
    } else if (!file.in_original) {
      if (same_tokens()) {
        add(file, Verdict::harmless, "added; every token has the id and the text that it has in the original");
      } else {
        add(file, Verdict::wrong, "added, and its tokens are not those of the original", "remove it");
      }
    } else if (file.name == "merges.txt") {
      if (lines_of(join(a_, file.name)) == lines_of(join(b_, file.name))) {
        add(file, Verdict::harmless, "differs in its heading or line ends alone");
      } else {
        add(file, Verdict::wrong, "the merges differ: text is cut into other tokens", kCopy);
      }
    } else {
      judge_json(file, "the tokenizer differs", {"version", "truncation", "padding"});
    }
  }

  /// Wrong at the first difference, but for the named top-level members.
  void judge_json(FileComparison& file, const std::string& complaint, const std::set<std::string>& unread) {
    const auto reduced = [&](const std::string& directory) {
      JsonBuilder kept = JsonBuilder::object();
      Json::read_file(join(directory, file.name)).for_each_member([&](std::string_view key, const Json& value) {
        if (unread.count(std::string(key)) == 0) kept.set(key, JsonBuilder(value));
      });
      return kept.build(file.name);
    };
    const auto found = first_difference(reduced(a_), reduced(b_), "");
    if (found) {
      add(file, Verdict::wrong, complaint + " at " + shortened(found->path), kCopy, found->original, found->quantized);
    } else {
      add(file, Verdict::harmless, "says the same in other words");
    }
  }

  void judge_tokenizer_config(FileComparison& file) {
    if (!file.in_quantized) {
      add(file, Verdict::wrong, "missing: serving engines read special tokens and the chat template from it", kCopy);
      return;
    }
    if (!file.in_original) {
      add(file, Verdict::harmless, "added; the tokenizer itself is compared on its own");
      return;
    }
    const Json a = Json::read_file(join(a_, file.name));
    const Json b = Json::read_file(join(b_, file.name));
    for (const char* key : {"added_tokens_decoder", "eos_token"}) {
      const std::optional<Json> left = a.find(key);
      const std::optional<Json> right = b.find(key);
      if (!left) continue;
      // Newer savers leave the tokens to tokenizer.json, which is compared whole.
      if (!right && std::string_view(key) == "added_tokens_decoder" && names_b_.count("tokenizer.json") != 0) continue;
      const auto found = first_difference(content_of(left), content_of(right), key);
      if (!found) continue;
      add(file, Verdict::wrong, "the special tokens differ at " + shortened(found->path), kCopy, found->original,
          found->quantized);
      return;
    }
    const auto found = first_difference(a, b, "");
    add(file, Verdict::harmless,
        found ? "differs in what only the saving program reads, first at " + shortened(found->path)
              : "says the same in other words",
        "", found ? found->original : "", found ? found->quantized : "");
  }

  /// A token is its text, or an object that has it as "content".
  static std::optional<Json> content_of(const std::optional<Json>& token) {
    const std::optional<Json> content = token ? token->find("content") : std::nullopt;
    return content ? content : token;
  }

  /// Either file may hold the settings, so what they come to is compared.
  void judge_processor(FileComparison& file) {
    std::optional<ImageProcessorConfig> original;
    try {
      original = ImageProcessorConfig::open(a_);
    } catch (const Error& error) {
      if (error.code() != ErrorCode::not_found) throw;
      add(file, Verdict::harmless, "added; the original has no picture settings to differ from");
      return;
    }
    const ImageProcessorConfig& a = *original;
    std::optional<ImageProcessorConfig> quantized;
    try {
      quantized = ImageProcessorConfig::open(b_);
    } catch (const Error& error) {
      if (error.code() != ErrorCode::not_found) throw;
      add(file, Verdict::wrong, "missing: pictures cannot be prepared without it", kCopy);
      return;
    }
    const ImageProcessorConfig& b = *quantized;
    const auto differs = [&](const char* key, const JsonBuilder& left, const JsonBuilder& right) {
      if (left.dump() == right.dump()) return false;
      add(file, Verdict::wrong, std::string("pictures are prepared differently: ") + key + " changed",
          std::string("set ") + key + " back to " + left.dump(), left.dump(), right.dump());
      return true;
    };
    const auto list = [](const std::array<double, 3>& values) { return JsonBuilder::array_of(values); };
    if (differs("patch_size", a.patch_size, b.patch_size) ||
        differs("temporal_patch_size", a.temporal_patch_size, b.temporal_patch_size) ||
        differs("merge_size", a.merge_size, b.merge_size) || differs("min_pixels", a.min_pixels, b.min_pixels) ||
        differs("max_pixels", a.max_pixels, b.max_pixels) || differs("do_resize", a.do_resize, b.do_resize) ||
        differs("do_rescale", a.do_rescale, b.do_rescale) ||
        differs("rescale_factor", a.rescale_factor, b.rescale_factor) ||
        differs("do_normalize", a.do_normalize, b.do_normalize) || differs("image_mean", list(a.mean), list(b.mean)) ||
        differs("image_std", list(a.std), list(b.std))) {
      return;
    }
    add(file, Verdict::harmless, "prepares pictures the same way in other words");
  }

  bool same_tokens() const {
    try {
      const Tokenizer a = Tokenizer::open(a_);
      const Tokenizer b = Tokenizer::open(b_);
      if (a.size() != b.size()) return false;
      for (std::int32_t id = 0; id < a.size(); ++id) {
        if (a.token_bytes(id) != b.token_bytes(id) || a.is_special(id) != b.is_special(id)) return false;
      }
      return true;
    } catch (const Error&) {
      return false;
    }
  }

  static std::vector<std::string> lines_of(const std::string& path) {
    std::vector<std::string> lines;
    std::ifstream file(path, std::ios::binary);
    for (std::string line; std::getline(file, line);) {
      if (!line.empty() && line.back() == '\r') line.pop_back();
      if (!line.empty() && !(lines.empty() && line.starts_with("#version"))) lines.push_back(line);
    }
    return lines;
  }

  static Json generation_file(const std::string& directory) {
    const std::string path = join(directory, "generation_config.json");
    std::error_code ignored;
    return std::filesystem::exists(path, ignored) ? Json::read_file(path) : Json();
  }

  /// What ends and steers a generation when the caller says nothing.
  void compare_generation() {
    GenerationConfig a;
    GenerationConfig b;
    try {
      a = GenerationConfig::read(a_, pair_.original.config());
      b = GenerationConfig::read(b_, pair_.quantized.config());
    } catch (const Error& error) {
      result_.differences.push_back({Verdict::wrong, "generation_config.json", error.what(), "", "", kCopy});
      return;
    }
    const auto ids = [](const std::vector<std::int64_t>& values) {
      JsonBuilder json = JsonBuilder::array();
      for (const std::int64_t value : values) json.push(value);
      return json;
    };
    const auto id = [](const std::optional<std::int64_t>& value) {
      return value ? JsonBuilder(*value) : JsonBuilder();
    };
    std::set<std::string> compared;
    const auto field = [&](const std::string& key, const JsonBuilder& left, const JsonBuilder& right, Verdict verdict) {
      compared.insert(key);
      const bool same = left.dump() == right.dump();
      result_.config.push_back({"generation." + key, left.dump(), right.dump(), same ? Verdict::same : verdict});
      if (same) return;
      const bool wrong = verdict == Verdict::wrong;
      result_.differences.push_back(
          {verdict, "generation: " + key,
           wrong ? "answers end or are drawn differently" : "one answer at a time never reads it", left.dump(),
           right.dump(), wrong ? "copy generation_config.json from the original" : ""});
    };
    field("eos_token_id", ids(a.eos_token_ids), ids(b.eos_token_ids), Verdict::wrong);
    field("do_sample", a.do_sample, b.do_sample, Verdict::wrong);
    field("temperature", a.temperature, b.temperature, Verdict::wrong);
    field("top_k", a.top_k, b.top_k, Verdict::wrong);
    field("top_p", a.top_p, b.top_p, Verdict::wrong);
    field("repetition_penalty", a.repetition_penalty, b.repetition_penalty, Verdict::wrong);
    const Json file_a = generation_file(a_);
    const Json file_b = generation_file(b_);
    for (const Setting& setting : generation_settings().settings) {
      const std::string key(setting.key);
      if (setting.effect != SettingEffect::honoured || compared.count(key) != 0) continue;
      const Json left = file_a.find(key).value_or(Json());
      const Json right = file_b.find(key).value_or(Json());
      if (left.is_null() && right.is_null()) continue;  // most keys are in no file
      field(key, JsonBuilder(left), JsonBuilder(right), Verdict::wrong);
    }
    field("bos_token_id", id(a.bos_token_id), id(b.bos_token_id), Verdict::harmless);
    field("pad_token_id", id(a.pad_token_id), id(b.pad_token_id), Verdict::harmless);
  }

  void compare_templates() {
    try {
      const std::string a = ChatTemplate::open(a_).source();
      const std::string b = ChatTemplate::open(b_).source();
      const auto trimmed = [](std::string_view text) {
        while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.remove_suffix(1);
        return text;
      };
      if (trimmed(a) == trimmed(b)) return;
      if (a.empty()) {
        result_.differences.push_back({Verdict::harmless, "chat template", "added; the original has none", "",
                                       std::to_string(b.size()) + " bytes", ""});
        return;
      }
      const auto split = std::mismatch(a.begin(), a.end(), b.begin(), b.end());
      const auto at = static_cast<std::size_t>(split.first - a.begin());
      result_.differences.push_back({Verdict::wrong, "chat template",
                                     b.empty() ? "missing: prompts cannot be laid out"
                                               : "prompts are laid out differently, from byte " + std::to_string(at),
                                     std::to_string(a.size()) + " bytes",
                                     b.empty() ? "" : std::to_string(b.size()) + " bytes",
                                     "copy chat_template.* and tokenizer_config.json from the original"});
    } catch (const Error& error) {
      result_.differences.push_back({Verdict::wrong, "chat template", error.what(), "", "", kCopy});
    }
  }

  const ComparedPair& pair_;
  std::string a_, b_;
  std::set<std::string> names_a_, names_b_;
  JobProgress& steps_;
  CompareResult& result_;
};

}  // namespace

void compare_files(const ComparedPair& pair, JobProgress& steps, CompareResult& result) {
  FilesPart(pair, steps, result).run();
}

}  // namespace octavo::detail
