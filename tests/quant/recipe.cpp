#include <cstdio>
#include <fstream>

#include "catch.hpp"
#include "support.hpp"

using namespace octavo;
using namespace quant_test;

namespace {

Recipe parse(const std::string& text) { return Recipe::parse(Json::parse(text, "r.json")); }
std::string refusal(const std::string& text) {
  return message_of([&] { parse(text); });
}
std::string rule(const std::string& body) { return R"({"rules": [{"match": "a", "scheme": "skip"}, {)" + body + "}]}"; }

}  // namespace

TEST_CASE("Presets decide by module") {
  struct Expected {
    const char* path;
    Scheme language, vision;
  };
  const Expected table[] = {
      {"model.layers.0.self_attn.q_proj", Scheme::w8a8, Scheme::w8a8},
      {"model.layers.35.mlp.down_proj", Scheme::w8a8, Scheme::w8a8},
      {"model.language_model.layers.3.mlp.gate_proj", Scheme::w8a8, Scheme::w8a8},
      {"visual.blocks.0.attn.qkv", Scheme::skip, Scheme::w8a8},
      {"model.visual.blocks.31.mlp.up_proj", Scheme::skip, Scheme::w8a8},
      {"visual.merger.mlp.0", Scheme::skip, Scheme::skip},
      {"visual.patch_embed.proj", Scheme::skip, Scheme::skip},
      {"lm_head", Scheme::skip, Scheme::skip},
      {"model.embed_tokens", Scheme::skip, Scheme::skip},
      {"", Scheme::skip, Scheme::skip},
  };
  for (const Expected& row : table) {
    INFO(row.path);
    CHECK(Recipe::preset("default").rule_for(row.path).scheme == row.language);
    CHECK(Recipe::preset("rtn").rule_for(row.path).scheme == row.language);
    CHECK(Recipe::preset("vision").rule_for(row.path).scheme == row.vision);
    CHECK(Recipe::preset("w8a16").rule_for(row.path).scheme ==
          (row.language == Scheme::skip ? Scheme::skip : Scheme::w8a16));
  }
  CHECK(Recipe::preset("default").rule_for(table[0].path).options.method == QuantMethod::gptq);
  CHECK(Recipe::preset("rtn").rule_for(table[0].path).options.method == QuantMethod::rtn);
  CHECK(Recipe::preset_names() == std::vector<std::string>{"default", "rtn", "vision", "w8a16"});
  CHECK(message_of([] { Recipe::preset("best"); }) ==
        "recipe: there is no preset \"best\"; there are default, rtn, vision, w8a16");
}

TEST_CASE("The first rule that fits the whole path decides") {
  const Recipe recipe = parse(R"({"rules": [
      {"match": ".*\\.down_proj", "scheme": "w8a8", "method": "rtn", "observer": "mse", "scale_dtype": "f32"},
      {"match": "model\\..*", "scheme": "w8a8", "damp_percent": 0.05, "block_size": 64, "act_order": false}]})");
  const Rule& down = recipe.rule_for("model.layers.0.mlp.down_proj");
  CHECK(down.options.method == QuantMethod::rtn);
  CHECK(down.options.observer == ScaleObserver::mse);
  CHECK(down.options.scale_dtype == DType::f32);
  const Rule& other = recipe.rule_for("model.layers.0.mlp.up_proj");
  CHECK(other.options.method == QuantMethod::gptq);
  CHECK(other.options.damp_percent == 0.05);
  CHECK(other.options.block_size == 64);
  CHECK_FALSE(other.options.act_order);
  CHECK(recipe.rule_for("xmodel.a").scheme == Scheme::skip);  // whole path, not a part of it
}

TEST_CASE("W8A16 takes the options of W8A8") {
  const Recipe recipe = parse(R"({"rules": [
      {"match": ".*\\.down_proj", "scheme": "w8a16", "method": "rtn", "observer": "mse", "scale_dtype": "f16"},
      {"match": "model\\..*", "scheme": "w8a8"}]})");
  const Rule& down = recipe.rule_for("model.layers.0.mlp.down_proj");
  CHECK(down.scheme == Scheme::w8a16);
  CHECK(down.options.method == QuantMethod::rtn);
  CHECK(down.options.scale_dtype == DType::f16);
  CHECK(recipe.rule_for("model.layers.0.mlp.up_proj").scheme == Scheme::w8a8);
  CHECK(std::string(scheme_name(Scheme::w8a16)) == "w8a16");
  const Json written = Json::parse(recipe.to_json().dump(), "r.json").at("rules").at(0);
  CHECK(written.at("scheme").as_string() == "w8a16");
  CHECK(written.at("observer").as_string() == "mse");
  CHECK(written.at("method").as_string() == "rtn");
}

TEST_CASE("A recipe survives being written and read") {
  for (const std::string& name : Recipe::preset_names()) {
    const Recipe recipe = Recipe::open(name);
    const std::string text = recipe.to_json().dump();
    CHECK(parse(text).to_json().dump() == text);
    CHECK(parse(text).rules.size() == recipe.rules.size());
  }
}

TEST_CASE("A recipe's mistakes are named by rule and key") {
  CHECK(refusal("[]") == "r.json: a recipe must be an object with the key \"rules\"");
  CHECK(refusal("{}") == "r.json: \"rules\" must be a list of rules");
  CHECK(refusal(R"({"rules": [], "rule": 1})") == "r.json: rule: unknown key; a recipe has rules");
  CHECK(refusal(rule(R"("scheme": "skip")")) == "r.json: rules[1]: the key \"match\" is missing");
  CHECK(refusal(rule(R"("match": "a")")) == "r.json: rules[1]: the key \"scheme\" is missing");
  CHECK(refusal(rule(R"("match": "a", "scheme": "w4a16")")) ==
        "r.json: rules[1].scheme is \"w4a16\", one of \"skip\", \"w8a8\", \"w8a16\" is needed");
  CHECK(refusal(rule(R"("match": "a", "scheme": "w8a8", "damp": 1)")) ==
        "r.json: rules[1].damp: unknown key; a rule has match, scheme, method, observer, damp_percent, block_size, "
        "act_order, "
        "scale_dtype");
  CHECK(refusal(rule(R"("match": "a", "scheme": "w8a8", "damp_percent": 2)")) ==
        "r.json: rules[1]: damp_percent is 2, it must lie between 0 and 1 (0.01 is one percent)");
  CHECK(refusal(rule(R"("match": "a", "scheme": "w8a8", "block_size": 1.5)")) ==
        "r.json: rules[1].block_size is 1.5, an integer is needed");
  CHECK(refusal(rule(R"("match": "a", "scheme": "skip", "method": "rtn")")) ==
        "r.json: rules[1]: the scheme is \"skip\", which takes no quantization options");
  CHECK_THAT(refusal(rule(R"("match": "a(", "scheme": "skip")")),
             Catch::Matchers::StartsWith("r.json: rules[1].match: \"a(\" is not a regular expression: "));
  CHECK(refusal(rule(R"("match": "", "scheme": "skip")")) ==
        "r.json: rules[1].match has 0 characters, 1 to 1024 are needed");
  CHECK(message_of([] { Recipe::open("/no/such/recipe.json"); }) ==
        "recipe: \"/no/such/recipe.json\" is neither a preset (default, rtn, vision, w8a16) nor a file that exists");
}

TEST_CASE("A pattern that backtracks for ever elsewhere ends here") {
  const Recipe recipe = parse(R"({"rules": [{"match": "(a*)*(a*)*b", "scheme": "w8a8"}]})");
  CHECK(recipe.rule_for(std::string(300, 'a')).scheme == Scheme::skip);
}

TEST_CASE("Fused linears must be treated alike") {
  const std::vector<std::string> paths = {"model.layers.0.self_attn.q_proj",
                                          "model.layers.0.self_attn.k_proj",
                                          "model.layers.0.self_attn.v_proj",
                                          "model.layers.0.self_attn.o_proj",
                                          "model.layers.0.mlp.gate_proj",
                                          "model.layers.0.mlp.up_proj",
                                          "lm_head"};
  for (const std::string& name : Recipe::preset_names()) Recipe::preset(name).check_fused(paths);
  const Recipe split =
      parse(R"({"rules": [{"match": ".*v_proj", "scheme": "skip"}, {"match": "model.*", "scheme": "w8a8"}]})");
  CHECK(message_of([&] { split.check_fused(paths); }) ==
        "recipe: model.layers.0.self_attn.q_proj (rule \"model.*\") and model.layers.0.self_attn.v_proj (rule "
        "\".*v_proj\") differ "
        "in scheme; runtimes fuse them into one product: let one rule match both");
  const Recipe methods = parse(
      R"({"rules": [{"match": ".*up_proj", "scheme": "w8a8", "method": "rtn"}, {"match": "model.*", "scheme": "w8a8"}]})");
  CHECK(message_of([&] { methods.check_fused(paths); }) ==
        "recipe: model.layers.0.mlp.gate_proj (rule \"model.*\") and model.layers.0.mlp.up_proj (rule \".*up_proj\") "
        "differ in "
        "method; runtimes fuse them into one product: let one rule match both");
  const Recipe schemes =
      parse(R"({"rules": [{"match": ".*k_proj", "scheme": "w8a16"}, {"match": "model.*", "scheme": "w8a8"}]})");
  CHECK(message_of([&] { schemes.check_fused(paths); }) ==
        "recipe: model.layers.0.self_attn.q_proj (rule \"model.*\") and model.layers.0.self_attn.k_proj (rule "
        "\".*k_proj\") differ in scheme; runtimes fuse them into one product: let one rule match both");
  const Recipe apart =
      parse(R"({"rules": [{"match": ".*(o|down)_proj", "scheme": "skip"}, {"match": "model.*", "scheme": "w8a8"}]})");
  apart.check_fused(paths);
}

TEST_CASE("a recipe is a text where it begins with a brace") {
  const Recipe recipe = Recipe::open("\n {\"rules\": [{\"match\": \"lm_head\", \"scheme\": \"w8a16\"}]}");
  REQUIRE(recipe.rules.size() == 1);
  CHECK(recipe.rule_for("lm_head").scheme == Scheme::w8a16);
  CHECK(message_of([] { Recipe::open("{\"rules\": 3}"); }).find("recipe: \"rules\" must be a list") == 0);
  CHECK_FALSE(Recipe::is_text("default"));
  CHECK_FALSE(Recipe::is_text(""));
}
