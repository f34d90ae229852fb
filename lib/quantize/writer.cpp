#include <array>
#include <cmath>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "octavo/cancel.hpp"
#include "octavo/contract.hpp"
#include "octavo/job.hpp"
#include "octavo/quantize.hpp"
#include "octavo/quantized_writer.hpp"
#include "octavo/structure.hpp"
#include "output.hpp"
#include "plan.hpp"

namespace octavo {

namespace {

constexpr Contract kQuantizedContract{"quantized: stored[N,K] weight[N,K]:s8 scales[N]:f32 -> y[N,K]:s8"};

Checkpoint unquantized(const std::string& model_dir) {
  Checkpoint checkpoint = Checkpoint::open(model_dir);
  if (checkpoint.is_quantized())
    throw Error(ErrorCode::unsupported, "quantized_writer: " + model_dir +
                                            " is already quantized (its config.json has quantization_config); start "
                                            "from the original");
  return checkpoint;
}

/// A rule for one module alone.
Rule rule_for(const std::string& module_path, Scheme scheme) {
  std::string escaped;
  for (const char c : module_path) escaped += c == '.' ? std::string("\\.") : std::string(1, c);
  Rule rule;
  rule.match = Pattern(escaped + "$");
  rule.scheme = scheme;
  rule.options.method = QuantMethod::rtn;  // what was done to it is the caller's matter
  return rule;
}

void require_storable(const std::string& module_path, const Tensor& scales, DType dtype) {
  const Tensor stored = scales.to(dtype).to(DType::f32);
  const std::span<const float> given = scales.values<float>(), kept = stored.values<float>();
  for (std::size_t i = 0; i < given.size(); ++i)
    if (!(given[i] > 0) || !std::isfinite(given[i]) || given[i] != kept[i])
      throw Error(ErrorCode::invalid_argument,
                  module_path + ": scale " + std::to_string(i) + " is " + std::to_string(given[i]) +
                      (given[i] > 0 && std::isfinite(given[i])
                           ? std::string(", which ") + dtype_name(dtype) +
                                 ", the model's type, cannot hold: quantize with that as the type of the scales"
                           : std::string(", it must be positive and finite")));
}

}  // namespace

struct QuantizedWriter::Impl {
  Impl(const std::string& model_dir, const std::string& out_dir, const QuantizedWriterOptions& options)
      : checkpoint(unquantized(model_dir)),
        dtype(running_dtype(checkpoint)),
        output(model_dir, out_dir, options.overwrite, options.max_shard_bytes, std::array{model_dir}) {}

  Checkpoint checkpoint;
  DType dtype;
  detail::QuantizedOutput output;
  Recipe recipe{};
  std::map<std::string, Scheme> added;
};

QuantizedWriter::QuantizedWriter(const std::string& model_dir, const std::string& out_dir,
                                 const QuantizedWriterOptions& options)
    : impl_(std::make_unique<Impl>(model_dir, out_dir, options)) {}

QuantizedWriter::~QuantizedWriter() = default;

void QuantizedWriter::add(const std::string& module_path, Scheme scheme, const Tensor& weight, const Tensor& scales) {
  if (impl_ == nullptr) throw Error(ErrorCode::invalid_argument, "quantized_writer: the output is finished");
  Impl& own = *impl_;
  if (scheme == Scheme::skip)
    throw Error(ErrorCode::invalid_argument, module_path + ": a linear that is skipped is not added");
  const bool tied_head = module_path == "lm_head" && own.checkpoint.find("lm_head.weight") == nullptr;
  const TensorInfo& stored = own.checkpoint.info(tied_head ? "model.embed_tokens.weight" : module_path + ".weight");
  Binder(kQuantizedContract, module_path)
      .arg("stored", stored.dtype.value_or(DType::u8), stored.shape)
      .arg("weight", weight)
      .arg("scales", scales)
      .check();
  require_storable(module_path, scales.contiguous(), own.dtype);
  if (!own.added.emplace(module_path, scheme).second)
    throw Error(ErrorCode::invalid_argument, module_path + " is given twice");
  QuantizedLayer layer;
  layer.weight = weight.clone();  // the writer keeps it until its shard is written
  layer.scales = scales.contiguous();
  Rule rule = rule_for(module_path, scheme);
  own.recipe.rules.push_back(rule);
  rule.options.scale_dtype = own.dtype;
  own.output.add_quantized(own.checkpoint, module_path, layer, rule);
}

void QuantizedWriter::finish() {
  if (impl_ == nullptr) throw Error(ErrorCode::invalid_argument, "quantized_writer: the output is finished");
  const std::unique_ptr<Impl> own = std::move(impl_);
  check_cancelled();
  const detail::Plan plan = detail::make_plan(own->checkpoint, own->recipe);
  own->output.copy_tensors("", [](std::uint64_t) { check_cancelled(); });
  own->output.finish_shards();
  own->output.copy_files(own->checkpoint, plan.stored_modules(), plan.lm_head.has_value());
  std::vector<std::string> files = own->output.files();
  files.emplace_back("octavo_report.json");
  QuantizeResult report;  // which makes OUT an output of ours, that another may replace
  report.files = std::move(files);
  report.bytes_before = own->checkpoint.total_bytes();
  report.bytes_after = own->output.bytes();
  for (const auto& [module, scheme] : own->added) {
    LayerReport layer;
    layer.module_path = module;
    layer.method = "of the caller";
    layer.scheme = scheme_name(scheme);
    report.layers.push_back(std::move(layer));
  }
  own->output.write_file("octavo_report.json", report.to_json().dump(2) + "\n");
  own->output.commit();
}

}  // namespace octavo
