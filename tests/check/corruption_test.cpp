// Property: change any single field of config.json, of a safetensors header or of the index, and `check` says so
// without reading a weight; or it makes no difference (the logits are the same to the bit); or the field is one of the
// few whose every value is a sound model of the same shapes, which docs/check.md lists.
//
// Nothing can be read where nothing is: check runs on a directory whose tensors are holes.
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <functional>
#include <map>
#include <optional>
#include <random>
#include <set>

#include "../model/golden.hpp"
#include "jobs.hpp"
#include "octavo/check.hpp"

namespace {

using octavo::Json;
using octavo::JsonBuilder;
using Random = std::mt19937;

std::size_t below(Random& random, std::size_t count) { return random() % count; }  // same everywhere

/// What no header can tell: another value is another model of the same shapes.
bool is_value_only(const std::string& path) {
  static const std::set<std::string> kFields{
      "rms_norm_eps",   "rope_theta",    "window_size", "fullatt_block_indexes", "vision_config.num_heads",
      "image_token_id", "video_token_id"};
  for (const std::string& field : kFields)
    if (path == field || path.ends_with("." + field) || path.find(field + "[") != std::string::npos) return true;
  return false;
}

bool is_leaf(const Json& node) { return !node.is_object() && !node.is_array(); }

void list_leaves(const Json& node, const std::string& path, std::vector<std::string>& paths) {
  if (is_leaf(node)) {
    paths.push_back(path);
  } else if (node.is_array()) {
    for (std::size_t i = 0; i < node.size(); ++i) list_leaves(node.at(i), path + "[" + std::to_string(i) + "]", paths);
  } else {
    node.for_each_member([&](std::string_view key, const Json& value) {
      list_leaves(value, (path.empty() ? "" : path + ".") + std::string(key), paths);
    });
  }
}

/// A document with the leaf at `target` replaced by `value(leaf)`; absent: removed.
using Change = std::function<std::optional<JsonBuilder>(const Json& leaf)>;
std::optional<JsonBuilder> rebuilt(const Json& node, const std::string& path, const std::string& target,
                                   const Change& change) {
  if (is_leaf(node)) return path == target ? change(node) : JsonBuilder(node);
  if (node.is_array()) {
    JsonBuilder array = JsonBuilder::array();
    for (std::size_t i = 0; i < node.size(); ++i)
      if (auto value = rebuilt(node.at(i), path + "[" + std::to_string(i) + "]", target, change)) array.push(*value);
    return array;
  }
  JsonBuilder object = JsonBuilder::object();
  node.for_each_member([&](std::string_view key, const Json& value) {
    if (auto kept = rebuilt(value, (path.empty() ? "" : path + ".") + std::string(key), target, change))
      object.set(key, *kept);
  });
  return object;
}

std::optional<JsonBuilder> other_value(const Json& leaf, Random& random) {
  const std::size_t kind = below(random, 12);
  if (kind == 0) return std::nullopt;
  if (kind == 1) return JsonBuilder(nullptr);
  if (leaf.is_bool()) return kind < 8 ? JsonBuilder(!leaf.as_bool()) : JsonBuilder("yes");
  if (leaf.is_string()) return kind < 8 ? JsonBuilder(leaf.as_string() + "x") : JsonBuilder(7);
  if (leaf.is_integer()) {
    const std::int64_t value = leaf.as_int();
    const std::array<JsonBuilder, 10> values{value + 1,
                                             value - 1,
                                             value * 2,
                                             value / 2,
                                             std::int64_t{0},
                                             -value,
                                             value + 64,
                                             static_cast<double>(value) + 0.5,
                                             std::int64_t{1} << 40,
                                             std::to_string(value)};
    return values[kind - 2];
  }
  if (leaf.is_number()) {
    const double value = leaf.as_number();
    const std::array<JsonBuilder, 10> values{value * 2, value / 2,    0.0,          -value,
                                             value + 1, value * 10,   value + 1e-9, std::to_string(value),
                                             true,      value * 1e300};
    return values[kind - 2];
  }
  return JsonBuilder(3);
}

std::string length_prefix(std::uint64_t length) {
  std::string bytes;
  for (int i = 0; i < 8; ++i, length >>= 8) bytes += static_cast<char>(length & 0xFF);
  return bytes;
}

/// A safetensors file in two parts.
struct Shard {
  std::string header, data;
  explicit Shard(const std::string& bytes) {
    std::uint64_t length = 0;
    for (std::size_t i = 8; i-- > 0;) length = (length << 8) | static_cast<unsigned char>(bytes[i]);
    header = bytes.substr(8, length);
    data = bytes.substr(8 + length);
  }
};

struct Corruption {
  std::string file, what;
  std::string content;  // of the file; of a shard: prefix and header, without its data
  bool is_shard = false;
  bool value_only = false;  // sound by itself
};

class Model {
 public:
  Model(const std::string& name, const test::Scratch& scratch)
      : name_(name), values_(name), hollow_(scratch.path(name + "_hollow")), whole_(scratch.path(name + "_whole")) {
    for (const std::string& directory : {hollow_, whole_}) test::fs::create_directory(directory);
    for (const auto& entry : test::fs::directory_iterator(golden::directory(name))) {
      const std::string file = entry.path().filename().string();
      if (file == "golden.safetensors") continue;
      contents_[file] = test::read_file(entry.path().string());
      if (file.ends_with(".safetensors")) shards_.push_back(file);
      restore(file);
    }
    std::sort(shards_.begin(), shards_.end());
    for (const octavo::CheckProblem& problem : octavo::check(hollow_).problems)
      if (problem.fatal) known_.insert(name_of(problem));
    logits_ = logits();
    REQUIRE_FALSE(logits_.empty());
  }

  enum class Outcome { caught, harmless, another_model, escaped };
  Outcome run(const Corruption& corruption, std::string& how) {
    write(corruption);
    Outcome outcome = Outcome::caught;
    if (!is_caught(how)) {
      std::vector<float> now;
      try {
        now = logits();
        how = now == logits_ ? "same logits" : "other logits";
      } catch (const std::exception& error) {
        how = error.what();
      }
      outcome = now == logits_ ? Outcome::harmless : corruption.value_only ? Outcome::another_model : Outcome::escaped;
    }
    restore(corruption.file);
    return outcome;
  }

  Corruption of_config(Random& random) const {
    const Json json = Json::parse(contents_.at("config.json"), "config.json");
    std::vector<std::string> paths;
    list_leaves(json, "", paths);
    return leaf_of("config.json", json, paths[below(random, paths.size())], random);
  }

  Corruption of_index(Random& random) const {
    const char* file = "model.safetensors.index.json";
    const Json json = Json::parse(contents_.at(file), file);
    std::vector<std::string> paths;
    list_leaves(json, "", paths);
    const std::string path = paths[below(random, paths.size())];
    if (!path.starts_with("weight_map.") || below(random, 3) == 0) return leaf_of(file, json, path, random);
    // Another shard: there, but not the tensor's.
    return {file, path + " in another shard",
            rebuilt(json, "", path, [&](const Json& leaf) {
              return JsonBuilder(leaf.as_string() == shards_[0] ? shards_[1] : shards_[0]);
            })->dump()};
  }

  Corruption of_header(Random& random) const {
    const std::string& file = shards_[below(random, shards_.size())];
    const Shard shard(contents_.at(file));
    const Json header = Json::parse(shard.header, "header");
    std::vector<std::string> names;
    header.for_each_member([&](std::string_view key, const Json&) { names.emplace_back(key); });
    const std::string victim = names[below(random, names.size())];
    std::string what;
    JsonBuilder changed = JsonBuilder::object();
    header.for_each_member([&](std::string_view key, const Json& value) {
      if (key != victim) {
        changed.set(key, JsonBuilder(value));
      } else {
        change_entry(std::string(key), value, random, changed, what);
      }
    });
    const std::string text = changed.dump();
    return {file, victim + ": " + what, length_prefix(text.size()) + text, true};
  }

  Corruption of_header_bytes(Random& random) const {
    const std::string& file = shards_[below(random, shards_.size())];
    const Shard shard(contents_.at(file));
    std::string bytes = length_prefix(shard.header.size()) + shard.header;
    const std::size_t at = below(random, bytes.size());
    bytes[at] = static_cast<char>(static_cast<unsigned char>(bytes[at]) ^ (1U << below(random, 8)));
    return {file, "bit of byte " + std::to_string(at), bytes, true};
  }

  bool has_index() const { return contents_.count("model.safetensors.index.json") != 0; }

 private:
  static std::string name_of(const octavo::CheckProblem& problem) { return problem.what; }

  static Corruption leaf_of(const std::string& file, const Json& json, const std::string& path, Random& random) {
    std::string after = "removed";
    const auto document = rebuilt(json, "", path, [&](const Json& leaf) {
      std::optional<JsonBuilder> value = other_value(leaf, random);
      while (value && value->dump() == leaf.dump()) value = other_value(leaf, random);  // 0 * 2 is no corruption
      if (value) after = leaf.dump() + " -> " + value->dump();
      return value;
    });
    return {file, path + ": " + after, document->dump(1), false, is_value_only(path)};
  }

  /// One field of one tensor.
  static void change_entry(const std::string& name, const Json& entry, Random& random, JsonBuilder& out,
                           std::string& what) {
    static constexpr std::array<const char*, 10> kTypes{"F32", "BF16", "F16", "I8",   "I16",
                                                        "I32", "U8",   "F64", "BOOL", "Q7"};
    if (name == "__metadata__") {
      what = "metadata";
      out.set(name, JsonBuilder::object().set("format", "tf"));
      return;
    }
    JsonBuilder changed(entry);
    const Json shape = entry.at("shape");
    const Json offsets = entry.at("data_offsets");
    switch (below(random, 8)) {
      case 0: {  // one extent
        const std::size_t which = below(random, shape.size());
        const std::array<std::int64_t, 6> steps{1,       -1,   shape.at(which).as_int(), -shape.at(which).as_int() / 2,
                                                1 << 20, -1000};
        JsonBuilder dims = JsonBuilder::array();
        const std::int64_t step = steps[below(random, steps.size())];
        for (std::size_t i = 0; i < shape.size(); ++i) dims.push(shape.at(i).as_int() + (i == which ? step : 0));
        changed.set("shape", dims);
        break;
      }
      case 1: {  // two extents change places
        JsonBuilder dims = JsonBuilder::array();
        for (std::size_t i = shape.size(); i-- > 0;) dims.push(shape.at(i).as_int());
        changed.set("shape", dims);
        break;
      }
      case 2: {  // the rank
        JsonBuilder dims = JsonBuilder::array();
        std::int64_t product = 1;
        for (std::size_t i = 0; i < shape.size(); ++i) product *= shape.at(i).as_int();
        if (shape.size() == 1) {
          changed.set("shape", dims.push(product).push(1));
        } else {
          changed.set("shape", dims.push(product));
        }
        break;
      }
      case 3:
        changed.set("dtype", kTypes[below(random, kTypes.size())]);
        break;
      case 4:
      case 5: {
        const std::size_t which = below(random, 2);
        const std::array<std::int64_t, 5> steps{1, -1, 4, -64, std::int64_t{1} << 50};
        const std::int64_t step = steps[below(random, steps.size())];
        JsonBuilder moved = JsonBuilder::array();
        for (std::size_t i = 0; i < 2; ++i) moved.push(offsets.at(i).as_int() + (i == which ? step : 0));
        changed.set("data_offsets", moved);
        break;
      }
      case 6: {
        const std::array<std::string, 4> names{name + "x", name.substr(1), "model." + name,
                                               name.substr(0, name.size() - 7)};
        const std::string& renamed = names[below(random, names.size())];
        what = "renamed " + renamed;
        out.set(renamed, JsonBuilder(entry));
        return;
      }
      default: {
        const std::array<const char*, 3> keys{"dtype", "shape", "data_offsets"};
        changed.erase(keys[below(random, keys.size())]);
      }
    }
    what = changed.dump();
    if (what == entry.dump()) return change_entry(name, entry, random, out, what);  // a vector turned round
    out.set(name, changed);
  }

  /// A shard as it is, and one with a hole for its data.
  void put(const std::string& file, const std::string& head, const std::string* data) const {
    for (const std::string& directory : {hollow_, whole_}) {
      const std::string path = (test::fs::path(directory) / file).string();
      std::ofstream(path, std::ios::binary) << head << (data != nullptr && directory == whole_ ? *data : std::string());
      if (data != nullptr && directory == hollow_)
        REQUIRE(truncate(path.c_str(), static_cast<off_t>(head.size() + data->size())) == 0);
    }
  }
  void restore(const std::string& file) const {
    if (!file.ends_with(".safetensors")) return put(file, contents_.at(file), nullptr);
    const Shard shard(contents_.at(file));
    put(file, length_prefix(shard.header.size()) + shard.header, &shard.data);
  }
  void write(const Corruption& corruption) const {
    if (!corruption.is_shard) return put(corruption.file, corruption.content, nullptr);
    const Shard shard(contents_.at(corruption.file));
    put(corruption.file, corruption.content, &shard.data);
  }

  bool is_caught(std::string& how) const {
    for (const octavo::CheckProblem& problem : octavo::check(hollow_).problems) {
      if (!problem.fatal || known_.count(name_of(problem)) != 0) continue;
      how = problem.what;
      return true;
    }
    return false;
  }

  std::vector<float> logits() const {
    const octavo::Model model = octavo::Model::open(whole_);
    std::vector<float> all;
    for (const char* prompt : {"text", "one", "two"}) {
      const octavo::Tensor rows = model.forward(values_.input(prompt));
      all.insert(all.end(), rows.values<float>().begin(), rows.values<float>().end());
    }
    return all;
  }

  std::string name_;
  golden::Values values_;
  std::string hollow_, whole_;
  std::map<std::string, std::string> contents_;
  std::vector<std::string> shards_;
  std::set<std::string> known_;  // a golden model without tokenizer has problems of its own
  std::vector<float> logits_;
};

}  // namespace

TEST_CASE("a single corrupted field is caught by check, or makes no difference") {
  const test::Scratch scratch;
  constexpr std::uint32_t kSeed = 20250917;
  Random random(kSeed);
  struct Count {
    int run = 0, caught = 0, harmless = 0, another_model = 0;
  };
  std::map<std::string, Count> counts;
  for (const char* name : {"nested", "flat", "bf16"}) {
    Model model(name, scratch);
    for (int i = 0; i < 320; ++i) {
      const int kind = i % 8;
      const std::string group = kind < 4    ? "config.json"
                                : kind < 6  ? "header field"
                                : kind == 6 ? "header bit"
                                            : "index";
      if (group == "index" && !model.has_index()) continue;
      const Corruption corruption = kind < 4    ? model.of_config(random)
                                    : kind < 6  ? model.of_header(random)
                                    : kind == 6 ? model.of_header_bytes(random)
                                                : model.of_index(random);
      std::string how;
      const Model::Outcome outcome = model.run(corruption, how);
      INFO(name << "/" << corruption.file << ": " << corruption.what << ": " << how);
      CHECK(outcome != Model::Outcome::escaped);
      Count& count = counts[group];
      ++count.run;
      count.caught += outcome == Model::Outcome::caught ? 1 : 0;
      count.harmless += outcome == Model::Outcome::harmless ? 1 : 0;
      count.another_model += outcome == Model::Outcome::another_model ? 1 : 0;
    }
  }
  for (const auto& [group, count] : counts) {
    std::printf("corruption, %-12s run %4d  caught %4d  harmless %4d  another model of the same shapes %3d\n",
                group.c_str(), count.run, count.caught, count.harmless, count.another_model);
    CHECK(count.caught > count.run / 4);  // a check that lets everything through would be all harmless
  }
}
