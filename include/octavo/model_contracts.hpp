/// @file
/// Contracts of the operations that only models have: norms, embedding, the splitting and joining of heads, and the
/// ends of a vision tower. Products are `linear` and `linear_w8a8` (gemm.hpp), lm_head and merger included; attention,
/// cache and rotary are in attention.hpp. A plan (plan.hpp) is a run that binds all of them over tensors without
/// data, and raises the errors of a real one.
#pragma once

#include "octavo/contract.hpp"

namespace octavo {

inline constexpr Contract kEmbeddingContract{
    "embedding: ids[L]:s32 table[V,H]:f32|bf16|f16 vision?[G,H]:f32 -> x[L,H]:f32 where G <= L"};
inline constexpr Contract kRmsNormContract{"rms_norm: x[M,K]:f32 w[K]:f32|bf16|f16 -> y[M,K]:f32"};
inline constexpr Contract kResidualContract{"residual: x[M,H]:f32 y[M,H]:f32 -> sum[M,H]:f32"};
inline constexpr Contract kSwigluContract{"swiglu: gate[M,I]:f32 up[M,I]:f32 -> y[M,I]:f32"};
inline constexpr Contract kGeluContract{"gelu: x[M,I]:f32 -> y[M,I]:f32"};
inline constexpr Contract kScaleLogitsContract{"scale_logits: x[M,V]:f32 -> y[M,V]:f32"};
inline constexpr Contract kSplitHeadsContract{"split_heads: x[L,heads*D]:f32 -> y[L,heads,D]:f32"};
inline constexpr Contract kJoinHeadsContract{"join_heads: x[B,heads,L,D]:f32 -> y[B*L,heads*D]:f32"};

// The ends of a vision tower. P patches become G image tokens, merge*merge patches each.
inline constexpr Contract kPatchEmbedContract{
    "patch_embed: pixels[P,C]:f32 w[H,Ci,Ft,Ps,Ps]:f32|bf16|f16 -> x[P,H]:f32 where C == Ci*Ft*Ps*Ps"};
inline constexpr Contract kVisionRotaryContract{
    "vision_rotary: grids[images,3]:i64 -> cos[P,D]:f32 sin[P,D]:f32 where D % 4 == 0"};
inline constexpr Contract kWindowOrderContract{
    "window_order: x[P,H]:f32 index[G]:i64 -> y[P,H]:f32 where P == G*merge*merge"};
inline constexpr Contract kSplitQkvContract{
    "split_qkv: x[P,3*heads*D]:f32 -> q[P,heads,D]:f32 k[P,heads,D]:f32 v[P,heads,D]:f32"};
inline constexpr Contract kMergeGroupsContract{
    "merge_groups: x[P,H]:f32 -> y[G,merge*merge*H]:f32 where P == G*merge*merge"};
inline constexpr Contract kWindowRestoreContract{"window_restore: x[G,H]:f32 index[G]:i64 -> y[G,H]:f32"};

}  // namespace octavo
