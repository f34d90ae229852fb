// What is worth a line of the log when a model is opened.
#pragma once

#include "octavo/model.hpp"

namespace octavo::model {

void log_opened(const Model& model, double seconds);

}  // namespace octavo::model
