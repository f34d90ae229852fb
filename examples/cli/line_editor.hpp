// Lines typed on a terminal, with libedit: editing, history, completion. Only in builds that found libedit.
#pragma once

#include <memory>
#include <string>

#include "lines.hpp"

namespace cli {

/// Null where standard input or standard error is no terminal, or none that can move its cursor. Keys are those of
/// Emacs, and what ~/.editrc says. One at a time.
std::unique_ptr<LineSource> open_line_editor();

std::string line_editor_version();

}  // namespace cli
