/// What the page says about a number beside it: what it measures, in plain words.
#pragma once

#include <string>
#include <string_view>

#include "octavo/interval.hpp"

namespace octavo::report {

/// One or two sentences about a metric of a step or a tile, by the name that the page shows; "" of one without words.
std::string_view meaning(std::string_view metric);
/// A name with its meaning behind it, folded: it opens where it stands, without a script.
std::string explained(std::string_view metric, const std::string& markup, std::string_view look = {});

std::string confidence_text();                        ///< "95 %"
std::string interval_text(const Interval& interval);  ///< "87.1 % to 98.6 %", of shares
std::string points_text(double share);                ///< "+2.5 points", of a difference of shares

}  // namespace octavo::report
