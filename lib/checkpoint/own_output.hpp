// What may be replaced: what Octavo wrote, and nothing that a job reads.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace octavo::checkpoint_detail {

/// Why `directory` is not ours to replace: "" when it is empty, or when its octavo_report.json is there and names every
/// entry, each a plain file.
std::string reason_to_keep(const std::filesystem::path& directory);

/// Removes the plain files that its octavo_report.json names, then the directory itself, unless something else
/// appeared in it.
void remove_own_output(const std::filesystem::path& directory) noexcept;

}  // namespace octavo::checkpoint_detail
