#include "plan.hpp"

#include <algorithm>
#include <map>
#include <memory>

#include "octavo/message.hpp"
#include "octavo/structure.hpp"

namespace octavo::detail {
namespace {

/// vLLM fuses q, k, v and gate, up into one product, so linears that share an input must share a scheme.
void require_one_scheme_per_input(const std::vector<LinearInfo>& linears, const Recipe& recipe) {
  std::map<std::string, const LinearInfo*> first_of_group;
  for (const LinearInfo& linear : linears) {
    const auto [entry, inserted] = first_of_group.emplace(linear.input_group, &linear);
    const LinearInfo& first = *entry->second;
    if (!inserted && recipe.rule_for(first.module_path).scheme != recipe.rule_for(linear.module_path).scheme) {
      throw Error(ErrorCode::unsupported,
                  "recipe: " + first.module_path + " and " + linear.module_path +
                      " see the same input but get different schemes; runtimes fuse them: give both the same rule");
    }
  }
}

void require_skipped(const LinearInfo& linear, const Rule& rule) {
  if (rule.scheme == Scheme::skip) return;
  throw Error(ErrorCode::unsupported, "recipe: the rule " + in_quotes(rule.match.text()) + " would quantize " +
                                          linear.module_path +
                                          ", which lies outside the transformer blocks and is not the lm_head; exclude "
                                          "it with an earlier skip rule");
}

/// Its error meets no further layer, and its Hessian would need the last hidden rows of every sample.
void require_round_to_nearest(const Rule& rule) {
  if (rule.options.method == QuantMethod::rtn) return;
  throw Error(ErrorCode::unsupported, "recipe: the rule " + in_quotes(rule.match.text()) +
                                          " would quantize lm_head by GPTQ, but it is only rounded to nearest; give it "
                                          "a rule of its own: {\"match\": \"lm_head\", \"scheme\": \"" +
                                          scheme_name(rule.scheme) + "\", \"method\": \"rtn\"}, or skip it");
}

/// transformers makes a float weight of an int8 one in its scales' type and multiplies the activations by it in that.
Rule with_scale_dtype(Rule rule, DType model, const LinearInfo& linear) {
  const DType asked = rule.options.scale_dtype.value_or(model);
  if (asked != model) {
    throw Error(ErrorCode::unsupported,
                "recipe: the rule " + in_quotes(rule.match.text()) + " gives " + linear.module_path + " scales in " +
                    dtype_name(asked) + ", but the model runs in " + dtype_name(model) +
                    " (config.json): transformers could not run the result; leave scale_dtype out");
  }
  rule.options.scale_dtype = asked;
  return rule;
}

}  // namespace

bool BlockPlan::needs_hessians() const {
  return std::any_of(quantized.begin(), quantized.end(),
                     [](const LinearPlan& linear) { return linear.rule.options.method == QuantMethod::gptq; });
}

bool Plan::quantizes(Tower tower) const {
  const auto& blocks = tower == Tower::vision ? vision : language;
  return std::any_of(blocks.begin(), blocks.end(), [](const BlockPlan& block) { return !block.quantized.empty(); });
}

QuantizedModules Plan::stored_modules() const {
  const bool all = static_cast<std::int64_t>(w8a16.size()) == quantized_linears;
  QuantizedModules modules{StoredScheme::w8a8_dynamic, w8a16, ignored};
  if (all) {
    modules.rest = StoredScheme::w8a16;
    modules.w8a16.clear();
  }
  const bool in_rest = lm_head && (all || lm_head->rule.scheme != Scheme::w8a16);
  if (in_rest) modules.by_name = {lm_head->info.module_path};
  return modules;
}

Plan make_plan(const Checkpoint& checkpoint, const Recipe& recipe) {
  const std::unique_ptr<BlockwiseModel> model = BlockwiseModel::open(checkpoint);
  const DType dtype = running_dtype(checkpoint);
  Plan plan;
  for (const Tower tower : {Tower::vision, Tower::language}) {
    auto& blocks = tower == Tower::vision ? plan.vision : plan.language;
    for (std::int64_t i = 0; i < model->num_blocks(tower); ++i) {
      const std::unique_ptr<ModelBlock> block = model->load_block(tower, i);  // maps; reads no weight
      const std::vector<LinearInfo> linears = block->linears();
      require_one_scheme_per_input(linears, recipe);
      BlockPlan entry{tower, i, block->module_path(), {}, {}};
      for (const LinearInfo& linear : linears) {
        const Rule& rule = recipe.rule_for(linear.module_path);
        if (rule.scheme == Scheme::skip) {
          plan.ignored.push_back(linear.module_path);
          entry.in_float.push_back(linear);
        } else {
          entry.quantized.push_back({linear, with_scale_dtype(rule, dtype, linear)});
          if (rule.scheme == Scheme::w8a16) plan.w8a16.push_back(linear.module_path);
        }
      }
      plan.quantized_linears += static_cast<std::int64_t>(entry.quantized.size());
      plan.needs_calibration = plan.needs_calibration || entry.needs_hessians();
      blocks.push_back(std::move(entry));
    }
  }
  for (const LinearInfo& linear : model->other_linears()) {
    const Rule& rule = recipe.rule_for(linear.module_path);
    if (linear.module_path != "lm_head") require_skipped(linear, rule);
    if (rule.scheme == Scheme::skip) {
      // Tied models store no lm_head, yet loaders build the module: it must be listed, or they look for its int8
      // weight.
      plan.ignored.push_back(linear.module_path);
      continue;
    }
    require_round_to_nearest(rule);
    plan.lm_head = {linear, with_scale_dtype(rule, dtype, linear)};
    plan.quantized_linears += 1;
    if (rule.scheme == Scheme::w8a16) plan.w8a16.push_back(linear.module_path);
  }
  if (plan.quantized_linears == 0) {
    throw Error(ErrorCode::invalid_argument,
                "recipe: no rule quantizes any linear layer of this model; module paths look like \"" +
                    (plan.ignored.empty() ? std::string("model.layers.0.mlp.up_proj") : plan.ignored.front()) + "\"");
  }
  return plan;
}

}  // namespace octavo::detail
