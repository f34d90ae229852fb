#include "sources.hpp"

#include <algorithm>
#include <cstdio>

#include "streams.hpp"

namespace cli {

namespace {

constexpr std::size_t kMostShown = 20;

}  // namespace

void add_pictures(Command& command, octavo::SampleSource& source, const std::string& file_option) {
  command.text("--pictures", {"DIR", ValueKind::directory}, source.pictures,
               "instead of " + file_option + ": every picture under DIR, in the order of their paths");
  command.text("--prompt", {"TEXT"}, source.prompt, "with --pictures: what to ask about each");
}

void add_skip_bad(Command& command, octavo::SampleSource& source) {
  command.flag("--skip-bad-samples", source.skip_bad,
               "leave out samples that cannot be used, and list them, instead of stopping at the first");
}

void require_source(const octavo::SampleSource& source, const std::string& file_option) {
  if (!source.file.empty() && !source.pictures.empty())
    throw UsageError(file_option + " and --pictures exclude each other: both say what the samples are");
  if (!source.pictures.empty() && source.prompt.find_first_not_of(" \t\r\n") == std::string::npos)
    throw UsageError("--pictures needs --prompt TEXT: what to ask about each");
  if (source.pictures.empty() && !source.prompt.empty())
    throw UsageError("--prompt needs --pictures DIR: samples of a file bring their own");
  if (source.skip_bad && source.empty())
    throw UsageError("--skip-bad-samples needs " + file_option + " FILE, or --pictures DIR");
}

std::string source_words(const octavo::SampleSource& source, const std::string& file_option) {
  std::string words = source.pictures.empty()
                          ? " " + file_option + " " + shell_word(source.file)
                          : " --pictures " + shell_word(source.pictures) + " --prompt " + shell_word(source.prompt);
  return source.skip_bad ? words + " --skip-bad-samples" : words;
}

void print_skipped(const std::vector<octavo::SkippedSample>& skipped) {
  if (skipped.empty()) return;
  std::fprintf(stderr, "left out: %zu sample%s that cannot be used\n", skipped.size(), skipped.size() == 1 ? "" : "s");
  for (std::size_t i = 0; i < std::min(kMostShown, skipped.size()); ++i)
    std::fprintf(stderr, "  %s: %s\n", skipped[i].id.c_str(), skipped[i].reason.c_str());
  if (skipped.size() > kMostShown)
    std::fprintf(stderr, "  and %zu more; --json lists all\n", skipped.size() - kMostShown);
}

void add_boxes(Command& command, std::string& target, const std::string& help) {
  command.text("--boxes", {"SPACE", ValueKind::choice, {"model", "original"}}, target, help);
}

octavo::BoxSpace box_space(const std::string& name) {
  for (const octavo::BoxSpace space : {octavo::BoxSpace::model, octavo::BoxSpace::original})
    if (name == octavo::box_space_name(space)) return space;
  throw UsageError("--boxes is \"" + name + "\", one of model, original is needed");
}

}  // namespace cli
