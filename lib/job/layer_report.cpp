#include "octavo/job.hpp"

namespace octavo {

JsonBuilder LayerReport::to_json() const {
  JsonBuilder json = JsonBuilder::object();
  json.set("module", module_path).set("method", method);
  if (!scheme.empty()) json.set("scheme", scheme);
  if (method != "output") {
    json.set("loss", loss)
        .set("rtn_loss", rtn_loss)
        .set("damp_used", damp_used)
        .set("dead_columns", dead_columns)
        .set("fell_back_to_rtn", fell_back_to_rtn);
  }
  json.set("relative_error", relative_error < 0 ? JsonBuilder(nullptr) : JsonBuilder(relative_error));
  json.set("rows", rows);
  return json;
}

}  // namespace octavo
