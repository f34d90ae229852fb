/// The report's parts, each as markup; "" when the report has no data for it. page.cpp puts them in order.
#pragma once

#include <optional>
#include <string>

#include "octavo/report.hpp"

namespace octavo::report {

const char* style();  ///< beside the style that all pages share

// sections/verdict.cpp
std::string verdict_html(const Report& report);             ///< passed or failed, in words; diagnosis and what to do
std::string why_no_evaluation(const VerifyResult& verify);  ///< a sentence
std::string figures_html(const Report& report);             ///< the few numbers that matter, as tiles
// sections/steps.cpp
std::string steps_html(const VerifyResult& verify);  ///< every step: status, metrics, bounds
// sections/error.cpp
std::string layers_html(const VerifyResult& verify);      ///< error of the hidden states behind each block
std::string groups_html(const Attribution& attribution);  ///< error of each group, what is the weights' of it, outliers
std::string towers_html(const Attribution& attribution);  ///< vision against language
std::string activations_html(const Attribution& attribution);
// sections/suggestion.cpp
std::string suggestion_html(const Suggestion& suggestion);
// sections/samples.cpp
std::string samples_html(const VerifyResult& verify);
// sections/resources.cpp
std::string resources_html(const Report& report);   ///< size, memory, speed
std::string provenance_html(const Report& report);  ///< versions, machine, directories, profile
// sections/quantization.cpp
/// Recipe, calibration, warnings and losses, of what QuantizeResult::to_json wrote.
std::string quantization_html(const Json& quantization);
/// Report::quantization parsed; absent when there is none. @throws Error  format.
std::optional<Json> quantization_of(const Report& report);

}  // namespace octavo::report
