#include "open_log.hpp"

#include <string>

#include "octavo/build_info.hpp"
#include "octavo/checkpoint.hpp"
#include "octavo/detail/amounts.hpp"
#include "octavo/log.hpp"
#include "octavo/parallel.hpp"

namespace octavo::model {
namespace {

std::string what_it_is(const Model& model, double seconds) {
  std::int64_t w8a8 = 0, w8a16 = 0, others = 0;
  for (const LinearInfo& linear : model.linears()) {
    const StoredScheme scheme = model.checkpoint().scheme_of(linear.module_path);
    ++(scheme == StoredScheme::w8a8_dynamic ? w8a8 : scheme == StoredScheme::w8a16 ? w8a16 : others);
  }
  const ModelOptions& options = model.options();
  return "opened " + model.checkpoint().directory() + " in " + detail::seconds(seconds) + ": linears of the blocks " +
         std::to_string(w8a8) + " in W8A8, " + std::to_string(w8a16) + " in W8A16, " + std::to_string(others) +
         " in float; weights " + detail::megabytes(model.resident_bytes()) + "; math " +
         float_math_name(options.vision_math) + " (vision), " + float_math_name(options.language_math) +
         " (language); lm_head " + head_weights_name(options.lm_head);
}

void log_choice(const char* products, const BackendChoice& chosen) {
  log_line(LogLevel::info, "gemm",
           [&] { return std::string(products) + " products: " + chosen.name + ", " + chosen.why; });
}

}  // namespace

void log_opened(const Model& model, double seconds) {
  log_line(LogLevel::info, "model", [&] { return what_it_is(model, seconds); });
  log_line(LogLevel::info, "tensor", [] { return "loops run on " + std::to_string(num_threads()) + " threads"; });
  if (!log_is_heard(LogLevel::warning)) return;
  try {
    if (log_is_heard(LogLevel::info)) {
      log_choice("int8", int8_backend_choice());
      log_choice("float", float_backend_choice());
    }
    for (const std::string& note : model.notes()) log_line(LogLevel::warning, "model", [&] { return note; });
  } catch (const Error&) {
    // A file that cannot be read is an error of those who need it.
  }
}

}  // namespace octavo::model
