#include <atomic>
#include <string>
#include <vector>

#include "catch.hpp"
#include "jobs.hpp"
#include "octavo/job.hpp"

using octavo::JobProgress;
using octavo::Progress;

TEST_CASE("progress tells the callback of every stage and step and never goes back") {
  std::vector<Progress> heard;
  const octavo::ProgressCallback callback = [&](const Progress& progress) {
    heard.push_back(progress);
    return true;
  };
  JobProgress progress(callback, nullptr, "job", "nothing was written");
  progress.set_total(5);
  progress.stage("first");
  progress.advance(2);
  progress.advance_to(1);
  progress.advance_to(4);
  REQUIRE(heard.size() == 4);
  CHECK(heard[0].stage == "first");
  CHECK(heard[0].total == 5);
  CHECK(heard[1].done == 2);
  CHECK(heard[2].done == 2);
  CHECK(heard[3].done == 4);
}

TEST_CASE("a flag or a callback that refuses cancels with the stage and the outcome") {
  const std::string said = "job: cancelled at \"second\"; nothing was written";
  std::atomic<bool> cancel{false};
  const octavo::ProgressCallback none;
  JobProgress flagged(none, &cancel, "job", "nothing was written");
  flagged.stage("second");
  flagged.check_cancelled();
  cancel = true;
  CHECK(test::message_of([&] { JobProgress(none, &cancel, "job", "nothing was written").check_cancelled(); }) ==
        "job: cancelled before it began; nothing was written");
  CHECK(test::message_of([&] { flagged.check_cancelled(); }) == said);
  CHECK(test::message_of([&] { flagged.advance(); }) == said);

  const octavo::ProgressCallback refuses = [](const Progress& progress) { return progress.stage != "second"; };
  JobProgress refused(refuses, nullptr, "job", "nothing was written");
  refused.stage("first");
  CHECK(test::message_of([&] { refused.stage("second"); }) == said);
}
