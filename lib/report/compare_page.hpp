/// A comparison's parts as markup, for its own page and for the report.
#pragma once

#include <functional>
#include <string>

#include "octavo/compare.hpp"

namespace octavo::report {

/// "<span>3 wrong</span> ...", a tag per class; none is not worth a word.
std::string verdict_tags_html(const std::function<std::int64_t(Verdict)>& count_of);
/// Findings of one class, as a table: where, what, both sides.
std::string differences_html(const CompareResult& result, Verdict verdict);
/// What is wrong, a card each, with the remedy.
std::string wrong_html(const CompareResult& result);
/// Every tensor by module. What is wrong below a module opens it; `unfolded` opens the outermost ones as well.
std::string module_tree_html(const CompareResult& result, bool unfolded);
std::string config_html(const CompareResult& result);
std::string files_html(const CompareResult& result);

}  // namespace octavo::report
