// A folder of pictures, each of which is asked about with the same prompt.
#pragma once

#include <cstdint>

#include "octavo/samples.hpp"

namespace octavo::samples {

/// The pictures under the folder, folders in it included, by path, bytewise; names that begin with a dot are left out,
/// links to folders are not followed. A file counts as a picture by its ending.
SampleSet read_folder(const SampleSource& source, std::int64_t limit);

}  // namespace octavo::samples
