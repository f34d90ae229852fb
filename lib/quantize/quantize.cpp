#include "octavo/quantize.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <utility>

#include "calibration.hpp"
#include "cost.hpp"
#include "octavo/architecture.hpp"
#include "octavo/config.hpp"
#include "octavo/log.hpp"
#include "octavo/metrics.hpp"
#include "output.hpp"

namespace octavo {
namespace detail {
namespace {

/// Vision states of this many samples are alive at once while the tower only runs.
constexpr std::int64_t kVisionChunk = 16;
/// Below this many rows per column the Hessian is close to singular and GPTQ loses its edge.
constexpr std::int64_t kRowsPerColumn = 2;

/// Tokens are those of the texts and of the pictures' rows after merging; what the chat template adds is left out.
std::vector<SampleSize> sizes_of(const Checkpoint& checkpoint, const std::vector<Sample>& samples,
                                 const std::vector<std::int64_t>& patches) {
  const Tokenizer tokenizer = Tokenizer::open(checkpoint.files());
  const std::shared_ptr<const Architecture> architecture = read_architecture(checkpoint.config());
  const std::int64_t merge = architecture->vision() != nullptr ? architecture->vision()->layout().merge_size : 1;
  std::vector<SampleSize> sizes;
  for (std::size_t i = 0; i < samples.size(); ++i) {
    SampleSize size{patches[i], patches[i] / (merge * merge)};
    const auto count = [&](const std::string& text) {
      size.tokens += static_cast<std::int64_t>(tokenizer.encode(text).size());
    };
    for (const ChatMessage& message : messages_of(samples[i]))
      for (const ChatPart& part : message.parts) count(part.text);
    count(samples[i].answer);
    sizes.push_back(size);
  }
  return sizes;
}

class Quantizer {
 public:
  Quantizer(const std::string& model_dir, const std::string& out_dir, const QuantizeOptions& options)
      : recipe_(Recipe::open(options.recipe)),
        checkpoint_(Checkpoint::open(model_dir)),
        math_(options.math),
        steps_(options.progress, options.cancel, "quantize", "nothing was written to " + out_dir) {
    if (checkpoint_->is_quantized()) {
      throw Error(ErrorCode::unsupported,
                  "quantize: " + model_dir +
                      " is already quantized (its config.json has quantization_config); start from the original");
    }
    plan_ = make_plan(*checkpoint_, recipe_);
    if (!options.calibration.empty()) {
      set_ = read_samples(options.calibration, options.max_samples, options.decode);
      const std::vector<std::int64_t> patches = check_pictures(set_, *checkpoint_, options.calibration.skip_bad,
                                                               [&](const Sample&) { steps_.check_cancelled(); });
      result_.skipped = set_.skipped;
      costs_ = StepCosts(rates_here(math_), sizes_of(*checkpoint_, set_.samples, patches));
    } else if (plan_.needs_calibration) {
      throw Error(ErrorCode::invalid_argument,
                  "quantize: recipe \"" + options.recipe +
                      "\" uses GPTQ, which needs calibration samples; name a samples file, or use the recipe \"rtn\"");
    }
    output_.emplace(model_dir, out_dir, options.overwrite, options.max_shard_bytes, read_by(model_dir, options));
  }

  QuantizeResult run() {
    costs_.expect_steps(plan_, times_);
    expect_writing();
    steps_.set_total(times_.expected());
    times_.begin(watch_.seconds());
    if (!set_.samples.empty()) {
      calibrate();
    } else {
      for (const Tower tower : {Tower::vision, Tower::language}) {
        for (const BlockPlan& plan : blocks(tower)) {
          quantize_block(plan, *open_block(plan), nullptr);
        }
      }
    }
    if (plan_.lm_head) quantize_head(*plan_.lm_head);
    steps_.stage("write");
    output_->copy_tensors("", [&](std::uint64_t bytes) { ended(kCopy, costs_.copy(bytes)); });
    output_->finish_shards();
    ended(kWrite, costs_.write(bytes_at_end_));
    steps_.advance_to(times_.expected());  // also where less was copied than expected: an lm_head that is quantized
    output_->copy_files(*checkpoint_, plan_.stored_modules(), plan_.lm_head.has_value());
    warn_of_few_rows();
    result_.bytes_before = checkpoint_->total_bytes();
    result_.bytes_after = output_->bytes();
    result_.samples = static_cast<std::int64_t>(set_.samples.size());
    result_.math = math_;
    result_.recipe = recipe_.to_json().dump();
    result_.seconds = watch_.seconds();
    result_.peak_rss_bytes = peak_rss_bytes();
    result_.files = output_->files();
    for (const char* report : {"octavo_report.html", "octavo_report.json"}) result_.files.emplace_back(report);
    output_->write_file("octavo_report.json", result_.to_json().dump(2) + "\n");
    output_->write_file("octavo_report.html", result_.to_html());
    steps_.check_cancelled();
    output_->commit();
    return std::move(result_);
  }

 private:
  /// Every file and directory that the job reads.
  std::vector<std::string> read_by(const std::string& model_dir, const QuantizeOptions& options) const {
    std::vector<std::string> read{model_dir, options.calibration.file, options.calibration.pictures};
    if (!Recipe::is_text(options.recipe)) read.push_back(options.recipe);
    for (const Sample& sample : set_.samples)
      for (const SampleImage& image : sample.images)
        if (image.bytes == nullptr) read.push_back(image.name);
    return read;
  }

  /// Blocks that are quantized are written as they end, everything else at the job's end.
  void expect_writing() {
    std::uint64_t rest = checkpoint_->total_bytes();
    for (const auto* blocks : {&plan_.vision, &plan_.language}) {
      for (const BlockPlan& block : *blocks) {
        if (block.quantized.empty()) continue;
        times_.expect(kind_of(block, "write"), costs_.write(bytes_of(block)));
        rest -= bytes_of(block);
      }
    }
    times_.expect(kCopy, costs_.copy(rest));
    times_.expect(kWrite, costs_.write(rest));
    bytes_at_end_ = rest;
  }

  std::uint64_t bytes_of(const BlockPlan& block) const {
    std::uint64_t bytes = 0;
    for (const std::string& name : checkpoint_->names())
      if (name.starts_with(block.module_path + ".")) bytes += checkpoint_->tensor(name).size_bytes();
    return bytes;
  }

  /// Tells that a step has ended. Progress is of time, as times_ has learnt it.
  void ended(const std::string& kind, std::int64_t cost) {
    const double share = times_.end(kind, cost, watch_.seconds());
    steps_.advance_to(static_cast<std::int64_t>(share * static_cast<double>(times_.expected())));
  }

  const std::vector<BlockPlan>& blocks(Tower tower) const {
    return tower == Tower::vision ? plan_.vision : plan_.language;
  }

  std::unique_ptr<BlockwiseModel> open_model() const {
    ModelOptions options;
    options.vision_math = options.language_math = math_;
    return BlockwiseModel::open(Checkpoint::open(checkpoint_->directory()), options);
  }

  /// A fresh mapping per block: when the block goes, so do the pages it touched.
  std::unique_ptr<ModelBlock> open_block(const BlockPlan& plan) const {
    return open_model()->load_block(plan.tower, plan.index);
  }

  /// One tower's blocks over the samples in `states`; each block is quantized before the next one sees its output.
  void walk(Tower tower, CalibrationStates& states) {
    for (const BlockPlan& plan : blocks(tower)) {
      const std::unique_ptr<ModelBlock> block = open_block(plan);
      if (!plan.quantized.empty()) {
        InputCollector collector(plan, static_cast<std::int64_t>(states.states.size()), math_);
        steps_.stage(plan.module_path + ": calibrate");
        ended(kind_of(plan, "begin"), costs_.begin(plan));
        states.run(*block, &collector,
                   [&](std::size_t i) { ended(kind_of(plan, "calibrate"), costs_.collect(plan, i)); });
        quantize_block(plan, *block, &collector);
      }
      if (&plan == &plan_.language.back()) continue;  // nothing behind it needs its output
      steps_.stage(plan.module_path + ": run");
      states.run(*block, nullptr, [&](std::size_t i) { ended(kind_of(plan, "run"), costs_.run(plan, i)); });
    }
  }

  void calibrate() {
    CalibrationStates language;
    {
      const Model model = Model::open(checkpoint_->directory());
      // A tower that is quantized must see all samples at once; one that only runs can take them in chunks.
      const auto all = static_cast<std::int64_t>(set_.samples.size());
      const std::int64_t chunk = plan_.quantizes(Tower::vision) ? all : std::min(all, kVisionChunk);
      for (std::int64_t begin = 0; begin < all; begin += chunk) {
        enter_language(model, begin, std::min(all, begin + chunk), language);
      }
    }
    result_.tokens = language.tokens;
    walk(Tower::language, language);
  }

  /// Samples [begin, end): preprocessing, vision tower, embedding.
  void enter_language(const Model& model, std::int64_t begin, std::int64_t end, CalibrationStates& language) {
    steps_.stage("preprocess");
    const std::unique_ptr<BlockwiseModel> ends = open_model();
    std::vector<ModelInput> inputs;
    CalibrationStates vision;
    vision.first = static_cast<std::size_t>(begin);
    for (std::int64_t i = begin; i < end; ++i) {
      steps_.check_cancelled();
      inputs.push_back(prepare_sample(model, set_.samples[static_cast<std::size_t>(i)]));
      vision.states.push_back(ends->begin_vision(inputs.back()));
      ended(kPreprocess, costs_.preprocess(static_cast<std::size_t>(i)));
    }
    walk(Tower::vision, vision);
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      BlockState& state = vision.states[i];
      const Tensor rows = state.hidden.defined() ? ends->finish_vision(state) : Tensor{};
      state = {};
      language.tokens += static_cast<std::int64_t>(inputs[i].ids.size());
      language.states.push_back(ends->begin_language(inputs[i], rows));
      inputs[i] = {};
      ended(kEmbed, costs_.embed(vision.first + i));
    }
  }

  /// Of a tied model, the embedding's copy: OUT is not tied.
  void quantize_head(const LinearPlan& plan) {
    steps_.stage("lm_head: quantize");
    const Checkpoint source = Checkpoint::open(checkpoint_->directory());  // a mapping of its own, dropped behind it
    const bool tied = embedding_is_head(source, stated_tie(source.config()));
    const Tensor weight = source.tensor(tied ? "model.embed_tokens.weight" : "lm_head.weight");
    report_and_write(plan, quantize_layer_rtn(weight, plan.rule.options, plan.info.module_path), {});
    ended(kQuantizeHead, costs_.quantize(plan));
  }

  /// Quantizes the block's linears in place and hands its tensors to the writer.
  void quantize_block(const BlockPlan& plan, ModelBlock& block, InputCollector* collector) {
    steps_.stage(plan.module_path + ": quantize");
    std::map<std::string, PreparedHessian> prepared;  // by input group and key; dropped after its last linear
    std::map<std::string, int> users;
    for (const LinearPlan& linear : plan.quantized) {
      if (linear.rule.options.method == QuantMethod::gptq) {
        ++users[InputCollector::shared_key(linear)];
      }
    }
    for (const LinearPlan& linear : plan.quantized) {
      const std::string& path = linear.info.module_path;
      const Tensor weight = block.weight(path);
      QuantizedLayer layer;
      if (linear.rule.options.method == QuantMethod::gptq) {
        if (collector == nullptr) throw Error(ErrorCode::internal, path + ": GPTQ without calibration was let in");
        const std::string key = InputCollector::shared_key(linear);
        auto entry = prepared.find(key);
        if (entry == prepared.end()) {
          entry = prepared.emplace(key, collector->take_hessian(linear)).first;
          ended(kind_of(plan, linear, "prepare"), costs_.prepare(linear));
        }
        GptqOptions options = linear.rule.options;
        options.loss_channels = kLossChannels;
        layer = quantize_layer(weight, entry->second, options, path);
        if (--users[key] == 0) {
          prepared.erase(entry);
        }
      } else {
        layer = quantize_layer_rtn(weight, linear.rule.options, path);
      }
      install(linear, block, layer, collector);
      ended(kind_of(plan, linear, "quantize"), costs_.quantize(linear));
    }
    if (plan.quantized.empty()) return;
    output_->copy_tensors(plan.module_path + ".", [&](std::uint64_t) { steps_.check_cancelled(); });
    ended(kind_of(plan, "write"), costs_.write(bytes_of(plan)));
  }

  void install(const LinearPlan& plan, ModelBlock& block, const QuantizedLayer& layer,
               const InputCollector* collector) {
    const std::string& path = plan.info.module_path;
    LayerReport measured;
    if (collector != nullptr) {
      const Linear quantized = plan.rule.scheme == Scheme::w8a16
                                   ? Linear::w8a16(path, layer.weight, layer.scales, bias_of(path))
                                   : Linear::w8a8(path, layer.weight, layer.scales, bias_of(path));
      measured.rows = collector->rows(plan);
      if (const Tensor rows = collector->kept_rows(plan); rows.defined()) {
        const Linear original = Linear::floating(path, block.weight(path), block.bias(path));  // whatever math_ is
        measured.relative_error = relative_error(original.forward(rows), quantized.forward(rows));
      }
      block.replace(path, quantized);
    }
    report_and_write(plan, layer, measured);
  }

  /// `report`: what was measured while running it, if it was.
  void report_and_write(const LinearPlan& plan, const QuantizedLayer& layer, LayerReport report) {
    const std::string& path = plan.info.module_path;
    report.module_path = path;
    report.scheme = scheme_name(plan.rule.scheme);
    report.method = plan.rule.options.method == QuantMethod::gptq && !layer.fell_back_to_rtn ? "gptq" : "rtn";
    report.loss = layer.loss;
    report.rtn_loss = layer.rtn_loss;
    report.damp_used = layer.damp_used;
    report.dead_columns = layer.dead_columns;
    report.fell_back_to_rtn = layer.fell_back_to_rtn;
    if (layer.fell_back_to_rtn) {
      warn(path + ": no damping made the Hessian positive definite; rounded to nearest instead of GPTQ");
    }
    output_->add_quantized(*checkpoint_, path, layer, plan.rule);
    result_.layers.push_back(std::move(report));
  }

  void warn(std::string line) {
    log_line(LogLevel::warning, "quantize", [&] { return line; });
    result_.warnings.push_back(std::move(line));
  }

  Tensor bias_of(const std::string& module_path) const {
    const std::string name = module_path + ".bias";
    return checkpoint_->find(name) != nullptr ? checkpoint_->tensor(name).clone() : Tensor{};
  }

  void warn_of_few_rows() {
    std::int64_t affected = 0;
    std::string example;
    const auto look = [&](const BlockPlan& block) {
      for (const LinearPlan& linear : block.quantized) {
        const auto report = std::find_if(result_.layers.begin(), result_.layers.end(), [&](const LayerReport& layer) {
          return layer.module_path == linear.info.module_path;
        });
        if (linear.rule.options.method != QuantMethod::gptq || report == result_.layers.end() ||
            report->rows >= kRowsPerColumn * linear.info.in_features) {
          continue;
        }
        if (affected++ == 0) {
          example = linear.info.module_path + " saw " + std::to_string(report->rows) + " rows for " +
                    std::to_string(linear.info.in_features) + " columns";
        }
      }
    };
    std::for_each(plan_.vision.begin(), plan_.vision.end(), look);
    std::for_each(plan_.language.begin(), plan_.language.end(), look);
    if (affected > 0) {
      warn("few calibration rows: " + std::to_string(affected) + " of " + std::to_string(plan_.quantized_linears) +
           " linears saw fewer than twice their columns (" + example + "); add samples for a better result");
    }
  }

  Stopwatch watch_;
  Recipe recipe_;
  std::optional<Checkpoint> checkpoint_;
  FloatMath math_;
  JobProgress steps_;
  Plan plan_;
  SampleSet set_;
  StepCosts costs_;
  StepTimes times_;
  std::uint64_t bytes_at_end_ = 0;  ///< of what is written behind the last block
  std::optional<QuantizedOutput> output_;
  QuantizeResult result_;
};

}  // namespace
}  // namespace detail

QuantizeResult quantize(const std::string& model_dir, const std::string& out_dir, const QuantizeOptions& options) {
  if (options.max_shard_bytes == 0) {
    throw Error(ErrorCode::invalid_argument, "quantize: max_shard_bytes is 0; a shard must hold something");
  }
  return detail::Quantizer(model_dir, out_dir, options).run();
}

}  // namespace octavo
