// What the commands share about samples: where they come from, which were left out, what their boxes are in.
#pragma once

#include <octavo/samples.hpp>
#include <string>
#include <vector>

#include "program.hpp"

namespace cli {

/// --pictures and --skip-bad-samples; and --prompt, where the command has none of its own.
void add_pictures(Command& command, octavo::SampleSource& source, const std::string& file_option);
void add_skip_bad(Command& command, octavo::SampleSource& source);
/// What goes together and what does not. `file_option` names the samples file: "--samples".
void require_source(const octavo::SampleSource& source, const std::string& file_option);
/// The options that name the source again, as a shell reads them.
std::string source_words(const octavo::SampleSource& source, const std::string& file_option);
/// Says on standard error which samples were left out, and why.
void print_skipped(const std::vector<octavo::SkippedSample>& skipped);

/// --boxes model|original.
void add_boxes(Command& command, std::string& target, const std::string& help);
octavo::BoxSpace box_space(const std::string& name);

}  // namespace cli
