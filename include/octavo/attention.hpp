/// @file
/// Attention and what must agree with it: positions, masks and the key/value cache, all derived from
/// one SequenceState so that they cannot disagree.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "octavo/contract.hpp"
#include "octavo/float_math.hpp"
#include "octavo/tensor.hpp"

namespace octavo {

inline constexpr Contract kAttentionContract{
    "attention: q[B,Hq,Lq,D]:f32 k[B,Hkv,Lk,D]:f32|bf16|s8 v[B,Hkv,Lk,D]:f32|bf16|s8 mask?[B|1,Hq|1,Lq,Lk]:f32|u8 "
    "k_scale?[B,Hkv,Lk]:f32 v_scale?[B,Hkv,Lk]:f32 -> out[B,Hq,Lq,D] where Hq % Hkv == 0, Lk == past + Lq"};
inline constexpr Contract kKvAppendContract{"kv_append: k[1,Hkv,Lq,D]:f32 v[1,Hkv,Lq,D]:f32 -> cached[1,Hkv,Lk,D]"};
inline constexpr Contract kMropeContract{"mrope: positions[3,L]:i64 -> cos[L,D]:f32 sin[L,D]:f32"};
inline constexpr Contract kRotaryContract{
    "rotary: x[L,Hq,D]:f32 cos[L,D]:f32 sin[L,D]:f32 -> turned[L,Hq,D] where D % 2 == 0"};

/// An image's or video's extent in patches: frames, rows, columns (before the spatial merge).
struct Grid {
  std::int64_t t = 1, h = 0, w = 0;
};

/// Who sees whom, as a description; a mask tensor exists only where a caller hands one in.
class Mask {
 public:
  static Mask none();
  /// Query i sees keys j <= past + i.
  static Mask causal(std::int64_t past);
  /// Rows see the rows of their own segment [cu_seqlens[s], cu_seqlens[s+1]).
  static Mask segments(std::vector<std::int32_t> cu_seqlens);
  /// Additive f32 or boolean u8 (1 = visible) [B|1,Hq|1,Lq,Lk]; borrowed by handle.
  static Mask explicit_tensor(Tensor mask);

  enum class Kind : std::uint8_t { none, causal, segments, tensor };
  Kind kind() const noexcept { return kind_; }
  std::int64_t past() const noexcept { return past_; }
  std::span<const std::int32_t> cu_seqlens() const noexcept { return cu_seqlens_; }
  const Tensor& tensor() const noexcept { return tensor_; }

 private:
  Kind kind_ = Kind::none;
  std::int64_t past_ = 0;
  std::vector<std::int32_t> cu_seqlens_;
  Tensor tensor_;
};

/// Keys and values of every layer, with one common length. Keys are stored after rotary.
///
/// Elements are f32, bf16 (rounded to nearest), or s8 with one float32 scale per position and head, the largest
/// magnitude / 127, symmetric. A row with NaN or infinity reads back as NaN from s8. docs/attention.md has the errors.
class KvCache {
 public:
  /// Its memory is only reserved: pages are used from the first position that is written to them, however large
  /// `capacity` is. It comes from the allocator (octavo/allocator.hpp), also where the thread has a MemoryPool.
  /// @throws Error  invalid_argument when an extent is not positive, or dtype is none of f32, bf16 and s8.
  KvCache(std::int64_t num_layers, std::int64_t num_kv_heads, std::int64_t head_dim, std::int64_t capacity,
          DType dtype = DType::f32);
  /// Without data: append takes keys and values of the right shapes, and stores nothing.
  static KvCache meta(std::int64_t num_layers, std::int64_t num_kv_heads, std::int64_t head_dim, std::int64_t capacity,
                      DType dtype = DType::f32);
  DType dtype() const noexcept;
  std::int64_t num_layers() const noexcept;
  std::int64_t capacity() const noexcept;
  std::int64_t length() const noexcept;  ///< committed positions
  /// Writes k,v [1,Hkv,Lq,D] f32 behind the committed positions of `layer`; returns views of [1,Hkv,past+Lq,D] in the
  /// cache's dtype and, for s8, of the scales [1,Hkv,past+Lq] f32.
  struct View {
    Tensor k, v;
    Tensor k_scale{}, v_scale{};
  };
  View append(std::int64_t layer, const Tensor& k, const Tensor& v, std::string_view module_path);
  void commit(std::int64_t new_positions);  ///< after all layers appended; throws when one did not
  void truncate(std::int64_t length);
  /// Appends the positions [begin, end) of another cache, bit by bit, and commits them.
  /// @throws Error  invalid_argument: of another dtype, other extents, outside what `from` holds, or no room for them.
  void append_copy(const KvCache& from, std::int64_t begin, std::int64_t end);
  /// The committed positions of `layer`, as they are stored. @throws Error  invalid_argument: no such layer
  View stored(std::int64_t layer) const;
  /// Writes positions as stored() gave them behind the committed ones of `layer`, bit by bit; commit() follows.
  /// @throws Error  invalid_argument: no such layer, other extents or types, or no room.
  void append_stored(std::int64_t layer, const View& positions);
  /// As though positions had been appended and committed. @throws Error  invalid_argument unless without data.
  void skip(std::int64_t positions);
  /// The committed positions in memory of its own; what was appended and not committed is not copied.
  KvCache clone() const;
  std::size_t size_bytes() const noexcept;

 private:
  struct Impl;
  KvCache(std::int64_t num_layers, std::int64_t num_kv_heads, std::int64_t head_dim, std::int64_t capacity, DType dtype,
          bool has_data);
  std::shared_ptr<Impl> impl_;
};

/// Where an image stands in its sequence.
struct PlacedImage {
  std::int64_t begin = 0, end = 0;  ///< its tokens are [begin, end) of the sequence
  std::int64_t next = 0;            ///< M-RoPE position of the token behind it
};

/// M-RoPE positions of a call: [3, Lq] i64, rows T, Y, X.
struct CallPlan {
  std::int64_t past = 0;              ///< positions before this call
  std::int64_t q_len = 0;             ///< tokens fed by this call
  std::int64_t kv_len = 0;            ///< past + q_len
  Tensor positions;                   // i64 [3, q_len]
  Mask mask;                          ///< causal(past)
  std::vector<PlacedImage> images{};  ///< with a token in this call

  /// The part of the call that feeds its tokens [begin, end), where they would stand in the whole: it may begin and
  /// end inside an image. Parts that follow each other are run, and committed, like calls.
  /// @throws Error  invalid_argument unless 0 <= begin < end <= q_len.
  CallPlan slice(std::int64_t begin, std::int64_t end) const;
};

/// The one source of positions, mask and cache length of a sequence. `ids` are token ids with image pads expanded.
/// Source of the positions: get_rope_index of transformers' modeling_qwen2_5_vl.py.
class SequenceState {
 public:
  struct Tokens {  ///< what the positions depend on
    std::int32_t image_token_id = 0, video_token_id = 0;
    std::int64_t spatial_merge_size = 2;
    double tokens_per_second = 2;
  };
  explicit SequenceState(Tokens tokens);
  /// Plans feeding `new_ids` after what was committed; grids are those of the images in `new_ids`, in order.
  /// Throws when pads and grids do not fit (an image must be whole within one plan; CallPlan::slice cuts it), or when
  /// what was committed ends inside an image. Changes nothing.
  CallPlan plan(std::span<const std::int32_t> new_ids, std::span<const Grid> grids) const;
  /// Plans feeding tokens of which the number alone is known: the positions are without data.
  CallPlan plan(std::int64_t q_len) const;
  void commit(const CallPlan& plan);  ///< advances past and the next position
  /// Forgets what stands behind the first `past` tokens. @throws Error  invalid_argument: more than were committed, or
  /// a place inside an image.
  void truncate(std::int64_t past);
  /// The last place at or before `past` that is not inside an image.
  std::int64_t boundary(std::int64_t past) const noexcept;
  std::int64_t past() const noexcept;
  std::int64_t next_position() const noexcept;
  void reset() noexcept;
  /// As though as many text tokens had been fed.
  void skip(std::int64_t tokens) noexcept;

 private:
  Tokens tokens_;
  std::int64_t past_ = 0;
  std::vector<PlacedImage> images_;  // of which a token was committed
};

/// cos/sin tables [L, D] f32 for text M-RoPE (sections over D/2 frequencies).
struct RotaryTable {
  Tensor cos, sin;
};
RotaryTable mrope_table(const Tensor& positions, std::int64_t head_dim, double theta,
                        std::array<std::int64_t, 3> sections, std::string_view module_path = "");
/// Vision tower: angles by patch row and column, in merge-group order: [N, D]. Source: rot_pos_emb of transformers'
/// modeling_qwen2_5_vl.py.
RotaryTable vision_rotary_table(std::span<const Grid> grids, std::int64_t head_dim, std::int64_t spatial_merge_size);
/// x[L,H,D] in place, rotate-half.
void apply_rotary(Tensor& x, const RotaryTable& table, std::string_view module_path = "");

/// Window order and boundaries of the vision tower. Indices count merge groups, lengths count patches. Source:
/// get_window_index of transformers' modeling_qwen2_5_vl.py.
struct WindowIndex {
  std::vector<std::int64_t> window_index;
  std::vector<std::int32_t> cu_window_seqlens;
  std::vector<std::int32_t> cu_seqlens;  ///< one segment per frame
};
WindowIndex window_index(std::span<const Grid> grids, std::int64_t window_size, std::int64_t patch_size,
                         std::int64_t spatial_merge_size);

/// out = softmax(scale q k^T + mask) v, float32. Keys and values that are stored as bf16 or s8 are widened as they are
/// read, to the bits that float32 copies of them would give.
struct AttentionOptions {
  Mask mask = Mask::none();
  float scale = 0;        ///< 0 means 1/sqrt(D)
  std::int64_t past = 0;  ///< Lk == past + Lq
  std::string_view module_path{};
  FloatMath math = FloatMath::f32;
  Tensor k_scale{}, v_scale{};  ///< [B,Hkv,Lk] f32, of each row of k and v, where those are s8; as KvCache returns them
};
/// @throws Error  shape_mismatch, dtype_mismatch (also where k and v differ), invalid_argument (s8 without scales).
Tensor attention(const Tensor& q, const Tensor& k, const Tensor& v, const AttentionOptions& options = {});

}  // namespace octavo
