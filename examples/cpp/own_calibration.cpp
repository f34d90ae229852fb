// Quantizes with a recipe and a calibration loop of your own, block by block, without octavo::quantize.
//   own_calibration MODEL_DIR OUT_DIR SAMPLES.jsonl
#include <cstdio>
#include <filesystem>
#include <map>
#include <octavo/octavo.hpp>
#include <set>

using octavo::BlockState, octavo::LinearInfo, octavo::Tensor, octavo::Tower;

namespace {

// The recipe, as code: what reads the widest range of values gets the scales that a search finds.
octavo::GptqOptions recipe(const std::string& module_path) {
  octavo::GptqOptions options;
  options.observer = module_path.ends_with("down_proj") ? octavo::ScaleObserver::mse : octavo::ScaleObserver::minmax;
  return options;
}

// One Hessian for each distinct input of a block: q, k and v share theirs.
struct Hessians : octavo::LinearObserver {
  std::map<std::string, octavo::HessianAccumulator> of;
  void on_input(const LinearInfo& linear, const Tensor& x) override {
    of.try_emplace(linear.input_group, linear.in_features, linear.input_group).first->second.add(x);
  }
};

void quantize(const std::string& model_dir, const std::string& out_dir, const std::string& samples) {
  const octavo::Checkpoint checkpoint = octavo::Checkpoint::open(model_dir);
  const octavo::Model model = octavo::Model::open(model_dir);
  const auto blocks = octavo::BlockwiseModel::open(checkpoint);
  const octavo::DType dtype = octavo::running_dtype(checkpoint);  // of the scales
  octavo::AtomicDirectory out(out_dir);                           // complete at commit(), or absent
  octavo::ShardWriter writer(out);
  std::set<std::string> written;

  std::vector<BlockState> states;  // every sample's hidden rows, on their way through the blocks
  for (const octavo::Sample& sample : octavo::read_samples(samples).samples) {
    const octavo::ModelInput input = octavo::prepare_question(model, sample);
    states.push_back(blocks->begin_language(input, model.encode_images(input)));
  }
  for (std::int64_t index = 0; index < blocks->num_blocks(Tower::language); ++index) {
    const auto block = blocks->load_block(Tower::language, index);
    Hessians hessians;
    for (const BlockState& state : states) {  // in float: a copy, the rows themselves run again below
      BlockState seen{state.hidden.clone(), state.context};
      block->forward(seen, &hessians);
    }
    std::map<std::string, octavo::PreparedHessian> prepared;  // factored once, for all linears of an input
    for (const LinearInfo& linear : block->linears()) {
      const std::string& path = linear.module_path;
      const octavo::GptqOptions options = recipe(path);
      auto hessian = prepared.find(linear.input_group);
      if (hessian == prepared.end())
        hessian =
            prepared.try_emplace(linear.input_group, hessians.of.at(linear.input_group).take(), options, path).first;
      const auto layer = octavo::quantize_layer(block->weight(path), hessian->second, options, path);
      std::printf("%s: loss %.4g, round-to-nearest %.4g\n", path.c_str(), layer.loss, layer.rtn_loss);
      block->replace(path, octavo::Linear::w8a8(path, layer.weight, layer.scales, block->bias(path)));
      const Tensor scales = layer.scales.to(dtype).reshape({linear.out_features, 1});
      for (const auto& [name, tensor] :
           octavo::stored_tensors(octavo::StoredScheme::w8a8_dynamic, layer.weight, scales))
        writer.add(checkpoint.stored_name(path) + "." + name, tensor);
      written.insert(path + ".weight");
    }
    for (BlockState& state : states) block->forward(state, nullptr);  // in int8: what the next block will see
  }
  for (const std::string& name : checkpoint.names())  // all else as it was
    if (!written.contains(name)) writer.add(checkpoint.info(name).name, checkpoint.tensor(name));
  writer.finish();

  std::vector<std::string> ignored;  // linears that stay in float
  for (std::int64_t index = 0; index < blocks->num_blocks(Tower::vision); ++index)
    for (const LinearInfo& linear : blocks->load_block(Tower::vision, index)->linears())
      ignored.push_back(checkpoint.stored_name(linear.module_path));
  for (const LinearInfo& linear : blocks->other_linears())
    ignored.push_back(checkpoint.stored_name(linear.module_path));
  out.write_file("config.json", octavo::with_w8a8_quantization_config(checkpoint.config(), ignored));
  for (const char* name : {"tokenizer.json", "tokenizer_config.json", "vocab.json", "merges.txt", "chat_template.json",
                           "preprocessor_config.json", "generation_config.json"})
    if (const auto file = std::filesystem::path(model_dir) / name; std::filesystem::exists(file))
      out.copy_file(file.string(), name);
  out.commit();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) return std::fprintf(stderr, "usage: %s MODEL_DIR OUT_DIR SAMPLES.jsonl\n", argv[0]), 2;
  try {
    quantize(argv[1], argv[2], argv[3]);
  } catch (const octavo::Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
  return 0;
}
