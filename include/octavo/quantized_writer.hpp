/// @file
/// The output of a quantization of your own: linears that you quantized, and everything else as the model has it. With
/// blockwise.hpp and quant.hpp, the third part of a calibration loop:
///
///     QuantizedWriter writer("Qwen2.5-VL-3B-Instruct", "out");
///     writer.add("model.layers.0.mlp.down_proj", Scheme::w8a8, layer.weight, layer.scales);   // as many as you like
///     writer.finish();
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "octavo/quant.hpp"
#include "octavo/tensor.hpp"

namespace octavo {

struct QuantizedWriterOptions {
  bool overwrite = false;  ///< replace an earlier output, once the new one is complete: AtomicDirectory
  std::uint64_t max_shard_bytes = std::uint64_t{5} << 30;
};

/// OUT is what quantize() writes: compressed-tensors, complete or absent. Destroyed without finish, nothing is left.
/// Memory is bounded by what of one shard is not mapped. One thread at a time.
class QuantizedWriter {
 public:
  /// @throws Error  not_found, format; unsupported for a model that is quantized already; exists, io,
  ///                invalid_argument for a place where OUT cannot be.
  QuantizedWriter(const std::string& model_dir, const std::string& out_dir, const QuantizedWriterOptions& options = {});
  QuantizedWriter(const QuantizedWriter&) = delete;
  QuantizedWriter& operator=(const QuantizedWriter&) = delete;
  ~QuantizedWriter();

  /// A linear of the blocks, or the lm_head. weight[N,K] s8, scales[N] f32, positive and exactly representable in the
  /// type that the model runs in (GptqOptions::scale_dtype), since it is stored in that.
  /// @throws Error  not_found for another module; invalid_argument for Scheme::skip, a module given twice, or scales
  ///                that would be rounded; shape_mismatch, dtype_mismatch.
  void add(const std::string& module_path, Scheme scheme, const Tensor& weight, const Tensor& scales);
  /// Copies every other tensor and file, and moves OUT to its place. Nothing can be added then.
  /// @throws Error  unsupported when linears that share an input got different schemes, and for linears outside the
  ///                blocks; invalid_argument when nothing was added; io.
  void finish();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace octavo
