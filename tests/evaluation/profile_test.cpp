#include <string>

#include "catch.hpp"
#include "jobs.hpp"
#include "octavo/verify.hpp"

using namespace octavo;

namespace {

VerifyProfile parsed(const std::string& text) { return VerifyProfile::parse(Json::parse(text, "p.json")); }
std::string refused(const std::string& text) {
  return test::message_of([&] { parsed(text); });
}

}  // namespace

TEST_CASE("the presets get stricter in order, and the default has the documented bounds") {
  CHECK(VerifyProfile::preset_names() == std::vector<std::string>{"strict", "default", "lenient"});
  const VerifyProfile strict = VerifyProfile::preset("strict");
  const VerifyProfile usual = VerifyProfile::preset("default");
  const VerifyProfile lenient = VerifyProfile::preset("lenient");
  CHECK(usual.for_step("text").min_logit_cosine == 0.99);
  CHECK(usual.for_step("text").max_kl == 0.05);
  CHECK(usual.for_step("text").min_top1_agreement == 0.9);
  CHECK(usual.for_step("evaluation").max_accuracy_drop == 0.02);
  CHECK(usual.for_step("evaluation").min_token_agreement == 0.9);
  CHECK_FALSE(usual.for_step("cached").min_token_agreement);
  for (const char* step : {"text", "long", "evaluation"}) {
    CHECK(*strict.for_step(step).max_kl < *usual.for_step(step).max_kl);
    CHECK(*usual.for_step(step).max_kl < *lenient.for_step(step).max_kl);
    CHECK(*strict.for_step(step).min_logit_cosine > *usual.for_step(step).min_logit_cosine);
    CHECK(*usual.for_step(step).min_logit_cosine > *lenient.for_step(step).min_logit_cosine);
  }
}

TEST_CASE("a profile changes what it names and leaves the rest to its base") {
  const VerifyProfile profile = parsed(R"({"name": "mine", "prompts": 2, "long_tokens": 32,
    "thresholds": {"max_kl": 0.2, "min_top5_agreement": 0.5},
    "steps": {"image": {"max_kl": 0.7, "min_logit_cosine": null}}})");
  CHECK(profile.name == "mine");
  CHECK(profile.prompts == 2);
  CHECK(profile.long_tokens == 32);
  CHECK(profile.for_step("text").max_kl == 0.2);
  CHECK(profile.for_step("text").min_top5_agreement == 0.5);
  CHECK(profile.for_step("text").min_logit_cosine == 0.99);
  CHECK(profile.for_step("long").max_kl == 0.2);  // a bound for all steps overrides the preset's own of one
  CHECK(profile.for_step("image").max_kl == 0.7);
  CHECK_FALSE(profile.for_step("image").min_logit_cosine);
  CHECK(profile.for_step("image").min_top1_agreement == 0.9);
  CHECK(parsed(R"({"extends": "strict"})").for_step("text").max_kl == 0.01);
}

TEST_CASE("what a caller states overrides the profile wherever the metric is judged") {
  VerifyProfile profile = VerifyProfile::preset("default");
  VerifyThresholds given;
  given.max_kl = 3;
  given.min_token_agreement = 0.1;
  profile.override_with(given);
  for (const char* step : {"text", "long", "evaluation"}) CHECK(profile.for_step(step).max_kl == 3.0);
  CHECK(profile.for_step("evaluation").min_token_agreement == 0.1);
  CHECK_FALSE(profile.for_step("text").min_token_agreement);
  CHECK(profile.for_step("text").min_logit_cosine == 0.99);
  VerifyProfile off = parsed(R"({"thresholds": {"max_kl": null}})");
  CHECK_FALSE(off.for_step("evaluation").max_kl);
  off.override_with(given);
  CHECK(off.for_step("evaluation").max_kl == 3.0);
  CHECK_FALSE(off.for_step("text").max_kl);
}

TEST_CASE("a profile survives its own JSON") {
  VerifyProfile profile = VerifyProfile::preset("strict");
  profile.steps["image"] = profile.thresholds;
  profile.steps["image"].max_kl = std::nullopt;
  const std::string text = profile.to_json().dump();
  CHECK(parsed(text).to_json().dump() == text);
}

TEST_CASE("profiles that cannot be meant are refused, naming file and key") {
  CHECK(test::contains(refused(R"({"treshold": {}})"),
                       "p.json: treshold: unknown key; a profile has name, extends, prompts"));
  CHECK(test::contains(refused(R"({"thresholds": {"max_lk": 1}})"),
                       "p.json: thresholds.max_lk: unknown key; the thresholds are min_token_agreement,"));
  CHECK(
      test::contains(refused(R"({"steps": {"picture": {}}})"), "p.json: steps.picture: unknown step; there are open,"));
  CHECK(test::contains(refused(R"({"steps": {"image": {"kl": 1}}})"), "p.json: steps.image.kl: unknown key"));
  CHECK(test::contains(refused(R"({"steps": {"image": 3}})"), "p.json: steps.image must be an object"));
  CHECK(test::contains(refused(R"({"thresholds": {"max_kl": -1}})"), "p.json: thresholds.max_kl is -1"));
  CHECK(test::contains(refused(R"({"thresholds": {"min_top1_agreement": 1.5}})"), "min_top1_agreement is 1.5"));
  CHECK(test::contains(refused(R"({"thresholds": {"max_kl": "low"}})"), "thresholds.max_kl"));
  CHECK(test::contains(refused(R"({"prompts": 0})"), "p.json: prompts is 0, it must lie in 1 .. 64"));
  CHECK(test::contains(refused(R"({"extends": "best"})"),
                       "p.json: extends is \"best\", one of strict, default, lenient is needed"));
  CHECK(test::contains(refused("[]"), "must be an object"));
  CHECK(test::message_of([] { VerifyProfile::open("no/such.json"); }) ==
        "profile: \"no/such.json\" is neither a preset (strict, default, lenient) nor a file that exists");
  CHECK(test::contains(test::message_of([] { VerifyProfile::preset("best"); }), "strict, default, lenient"));
}
