// One record of a samples file as a sample, whichever of the known forms it has.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "octavo/json.hpp"
#include "octavo/samples.hpp"

namespace octavo::samples {

/// The id of a record, so far as it has one that can be read; else "line 3".
std::string id_of(const Json& record, std::int64_t line);
/// @throws Error  naming record, key and what to do.
Sample parse_sample(const Json& record, std::int64_t line, const std::filesystem::path& base);
/// One user turn about the pictures of `sample`, which stand where `<image>` does, else before the text.
void ask_about_pictures(Sample& sample, const std::string& prompt, const std::string& where);

}  // namespace octavo::samples
