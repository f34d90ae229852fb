/// @file
/// Checkpoint directories as Hugging Face publishes them: safetensors (one file or shards with an index),
/// config.json, and the compressed-tensors form of W8A8 and W8A16; reading is lazy and memory-mapped, writing is
/// atomic.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "octavo/files.hpp"
#include "octavo/json.hpp"
#include "octavo/settings.hpp"
#include "octavo/tensor.hpp"

namespace octavo {

/// What a safetensors header says of one tensor.
struct TensorInfo {
  std::string name;            ///< as stored
  std::string stored_dtype;    ///< "BF16", "I8", ... also those that have no DType
  std::optional<DType> dtype;  ///< absent when Octavo has no such type
  Shape shape;
  std::string file;         ///< path of the shard
  std::uint64_t begin = 0;  ///< bytes, from the start of the file
  std::uint64_t end = 0;
};

/// One .safetensors file. Every header field is validated before a byte of data is trusted: header length,
/// offsets (in bounds, no overlap, no hole), dtype x shape == byte count, overflow, duplicate keys. Hostile bytes cost
/// at most memory in proportion to the header, which the format bounds at 100 MB. Immutable; copies share the mapping.
/// A file that another process cuts short while it is mapped ends this process (SIGBUS): replace, never truncate.
/// Source of the rules: the safetensors format description and its reference reader.
class SafetensorsFile {
 public:
  /// Maps the file and reads its header; no data is touched.
  /// @throws Error  not_found, io; invalid_argument for a directory; format naming file, tensor, field and byte;
  ///                unsupported for more than Shape::kMaxRank dimensions.
  static SafetensorsFile open(const std::string& path);
  /// One of a model's files. @throws Error  as above.
  static SafetensorsFile open(const FileSource& files, const std::string& name);
  const std::vector<TensorInfo>& tensors() const noexcept;  ///< in file order
  const TensorInfo* find(std::string_view name) const noexcept;
  /// Over the mapped file, which stays mapped as long as the tensor lives; read-only.
  /// @throws Error  not_found; unsupported when the stored element type has no DType.
  Tensor tensor(std::string_view name) const;
  /// `__metadata__`, in the order of the file; Hugging Face writes {"format": "pt"}.
  const std::vector<std::pair<std::string, std::string>>& metadata() const noexcept;

 private:
  struct Impl;
  static SafetensorsFile over(std::shared_ptr<Storage> storage, const std::string& path);
  std::shared_ptr<const Impl> impl_;
};

/// How a linear is stored, from quantization_config. (A module that matches no group or is ignored is `none`.)
enum class StoredScheme : std::uint8_t { none, w8a8_dynamic, w8a16 };

/// A linear as it is stored, checked against its scheme.
///
///     quantized:  weight[N,K]:s8  weight_scale[N]:f32  bias?[N]      none:  weight[N,K]  bias?[N]
struct StoredLinear {
  StoredScheme scheme = StoredScheme::none;
  Tensor weight;        ///< over the mapped file; owned where it was packed
  Tensor weight_scale;  ///< one per output channel; undefined for `none`
  Tensor bias;          ///< as stored; undefined when the linear has none
};

/// A model directory. Names are normalised to the published layout ("visual.*", "model.*", "lm_head.weight");
/// `TensorInfo::name` keeps the stored spelling. A weight that is stored packed ("pack-quantized", 8 bits) appears
/// as the "weight" that it holds, [N,K] s8, and is unpacked into owned memory by each call that asks for it; its
/// TensorInfo::name ends in "weight_packed". Immutable; copies share the mapped files; safe to read from many
/// threads.
class Checkpoint {
 public:
  /// Reads config.json, the index if there is one, and every shard's header. Of model.safetensors and an index, the
  /// single file wins, as it does for Hugging Face.
  /// @throws Error  not_found for a missing directory, config.json, weights or shards; invalid_argument for a file;
  ///                format for an index that does not fit its shards, and whatever SafetensorsFile::open finds.
  static Checkpoint open(const FileSource& files);

  const std::string& directory() const noexcept;  ///< or the label of files that are in none
  const FileSource& files() const noexcept;
  const Json& config() const noexcept;                           ///< config.json, as read
  std::vector<std::string> names() const;                        ///< normalised, sorted
  const TensorInfo* find(std::string_view name) const noexcept;  ///< by normalised name
  const TensorInfo& info(std::string_view name) const;           ///< throws not_found, with the nearest names
  Tensor tensor(std::string_view name) const;
  std::string stored_name(
      std::string_view normalised) const;  ///< spelling in this checkpoint, also for modules and new tensors
  /// Every tensor as its file has it, by normalised name: packed weights unseen.
  std::vector<TensorInfo> stored_tensors() const;
  std::uint64_t total_bytes() const noexcept;    ///< of tensor data
  std::vector<std::string> shard_files() const;  ///< paths, each once, in order of their names
  /// By quantization_config (targets, ignore; plain, class and `re:` forms); `none` without one. A full name
  /// overrides an expression, and that overrides the class. Full names match in every layout; expressions are given the
  /// name that the module has in the program that loads it (other_naming), as compressed-tensors does. "Linear" is a
  /// module whose stored weight is a matrix other than the embedding.
  /// @throws Error  unsupported for a scheme that is not W8A8 dynamic or W8A16; format when two groups claim the
  /// module.
  StoredScheme scheme_of(std::string_view module_path) const;
  /// The tensors of one linear by its module path, checked: s8 weight, finite scales, no zero point but 0, shapes that
  /// agree.
  StoredLinear linear(std::string_view module_path) const;
  bool is_quantized() const noexcept;  ///< config.json has a quantization_config
  /// Expressions are given the module names of transformers from 4.52 on ("model.visual.*"), unless those of another
  /// program agree better with which weights are stored as integers: then that program, "transformers before 4.52" or
  /// "vLLM". Empty otherwise.
  std::string other_naming() const;
  /// Entries of quantization_config's targets and ignore that match none of these modules (published layout), whichever
  /// program names them. Class names are taken to match.
  struct UnmatchedPattern {
    std::string where, text;  ///< "config.json: quantization_config.ignore[3]", "lm_haed"
  };
  std::vector<UnmatchedPattern> unmatched_patterns(std::span<const std::string> module_paths) const;

 private:
  struct Impl;
  std::shared_ptr<const Impl> impl_;
};

/// "model.safetensors: tensor "lm_head.weight" holds NaN or infinity, first at [3, 17]"; "" where every value is
/// finite, and for tensors of integers. Reads the tensor whole. @throws Error  not_found
std::string not_finite(const Checkpoint& checkpoint, std::string_view name);

/// Whether the embedding serves as lm_head, by what config.json says of tie_word_embeddings (`Qwen25VlConfig`) and by
/// what is stored: a tied model may store an equal copy; a head of other values is used instead, as transformers 5 does
/// (modeling_utils.py, tie_weights). Reads both tensors where a tied model stores a head, else no data.
bool embedding_is_head(const Checkpoint& checkpoint, std::optional<bool> tie_word_embeddings);

/// Normalises one tensor or module name to the published layout.
std::string normalise_name(std::string_view stored);

/// A directory that is complete or absent: built beside the target under a temporary name, synced, renamed by `commit`.
/// Destroyed without commit, it removes what it wrote. Refuses an existing target unless `overwrite`, in which case
/// the old one is replaced only by commit, and only when it is empty, or an output of quantize() to which nothing was
/// added: its octavo_report.json is there, and its "files" name every entry. Other directories are not ours to remove.
/// A killed process leaves `.NAME.octavo-tmp-PID` beside the target; the next run on that target removes it once the
/// process is gone. One thread at a time.
class AtomicDirectory {
 public:
  /// @throws Error  exists; not_found when the parent directory is missing; io.
  explicit AtomicDirectory(const std::string& target, bool overwrite = false);
  AtomicDirectory(AtomicDirectory&&) noexcept;
  AtomicDirectory& operator=(AtomicDirectory&&) = delete;
  ~AtomicDirectory();
  const std::string& path() const noexcept;  ///< where to write meanwhile; the target after commit
  void write_file(const std::string& name, std::string_view content);  ///< `name` is a plain file name
  void copy_file(const std::string& from, const std::string& name);    ///< byte for byte
  std::vector<std::string> files() const;                              ///< names of what it holds, sorted
  /// Syncs everything, moves the directory to its place in one rename, and syncs that. If it throws, the target is as
  /// before.
  void commit();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Removes what AtomicDirectories and AtomicFiles of this process have not committed. Async-signal-safe: for the
/// handler of a signal that is about to end the process, which must not go on afterwards. Octavo installs no handler.
void remove_unfinished_outputs() noexcept;

/// Refuses an output directory that is, or holds, one of the files and directories that a job reads, however they are
/// spelled: links and bind mounts are followed. Empty names among `read` are passed over.
/// @throws Error  invalid_argument naming both.
void check_output_directory(const std::string& target, std::span<const std::string> read);

/// A file to be written as a whole.
struct NewFile {
  std::string path;
  std::string_view content;
  std::string_view mark;  ///< stands near the beginning of what we write there: only such a file is replaced
};
/// Writes files that belong together, each beside its place and synced, before the first is renamed into it: none is
/// ever seen half-written, and a full disk leaves every one as it was. An old file is replaced where the first 4096
/// bytes hold its mark, or it is empty; of a link, what it names.
/// @throws Error  as check_new_file; io naming the file.
void write_files(std::span<const NewFile> files);
/// What would keep write_files from writing `path`, so that a caller finds out before long work: not_found when its
/// directory is missing, io when that cannot be written, invalid_argument when `path` is empty or is no regular file,
/// exists when the file there lacks the mark.
void check_new_file(const std::string& path, std::string_view mark);
/// Marks of our pages, of JSON that names its version, and of recipes.
inline constexpr std::string_view kPageMark = "<!doctype html>", kResultMark = "\"octavo_version\"",
                                  kRecipeMark = "\"rules\"";

/// Writes tensors into shards of bounded size as they come, then the index. Tensors of one shard are
/// held (by handle) until the shard is full, so memory is bounded by one shard. Each tensor sits at a multiple of its
/// element size; the same tensors give the bytes that Hugging Face's writer gives. Destroyed without `finish`, it
/// removes its shards. One thread at a time.
class ShardWriter {
 public:
  /// @param directory        Where the shards go; must outlive the writer and not be committed before `finish`.
  /// @param max_shard_bytes  Tensor data per shard; a larger tensor gets a shard of its own.
  explicit ShardWriter(AtomicDirectory& directory, std::uint64_t max_shard_bytes = std::uint64_t{5} << 30);
  ShardWriter(const ShardWriter&) = delete;
  ~ShardWriter();
  void add(const std::string& stored_name, const Tensor& tensor);  ///< written or kept by handle; duplicates throw
  void flush();  ///< ends the current shard now, letting go of its tensors
  /// Renames shards to their final names and writes model.safetensors (one shard) or shards + index.
  void finish();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// What is done with each key of quantization_config: of the object itself, of one of its config_groups, of that
/// group's weights and of its input_activations, in this order.
std::span<const SettingsTable, 4> quantization_settings() noexcept;
/// What of `config`'s quantization_config is worth a line though it is no obstacle: keys that are named or unknown.
/// What is refused is thrown by Checkpoint::scheme_of.
std::vector<SettingFinding> quantization_notes(const Json& config);

/// Which linears of a written model are stored how; modules by every name that a loader may know them by.
struct QuantizedModules {
  StoredScheme rest = StoredScheme::w8a8_dynamic;  ///< of the linears that neither list names; not `none`
  std::vector<std::string> w8a16;                  ///< beside a `rest` of W8A8; empty when that is W8A16
  std::vector<std::string> ignored;                ///< stay float
  /// Of `rest`, named besides the class: vLLM's lm_head is no "Linear".
  std::vector<std::string> by_name = {};
};
/// The tensors that hold a quantized linear, by their last name: int-quantized for W8A8, pack-quantized for W8A16,
/// which vLLM takes in that form alone.
///
///     w8a8_dynamic:  weight[N,K]:s8  weight_scale      w8a16:  weight_packed[N,ceil(K/4)]:s32  weight_scale
///                                                              weight_shape[2]:i64
/// @param scheme  w8a8_dynamic or w8a16.
/// @param weight  [N,K] s8, contiguous.
/// @param weight_scale  [N,1] f32, bf16 or f16.
std::vector<std::pair<std::string, Tensor>> stored_tensors(StoredScheme scheme, const Tensor& weight,
                                                           const Tensor& weight_scale);
/// Adds `quantization_config` (compressed-tensors, the forms of stored_tensors) to a config. `rest` is group_0, by the
/// class "Linear"; `w8a16` is group_1, by name, which overrides the class. All else, use_cache included, stays as it
/// was; an earlier quantization_config is replaced. Returns the text of the new config.json.
/// @throws Error  invalid_argument for a `rest` of `none`, or of W8A16 with a list beside it.
std::string with_quantization_config(const Json& config, const QuantizedModules& modules);
/// The same where every linear but `ignored` is W8A8.
std::string with_w8a8_quantization_config(const Json& config, const std::vector<std::string>& ignored);

}  // namespace octavo
