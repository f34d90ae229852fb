// A record as a line of text and as JSON.
#include <fstream>

#include "octavo/contract.hpp"
#include "octavo/trace.hpp"

namespace octavo {

namespace {

JsonBuilder shape_json(const Shape& shape) {
  JsonBuilder dims = JsonBuilder::array();
  for (const std::int64_t dim : shape.dims()) dims.push(dim);
  return dims;
}

JsonBuilder statistics_json(const ValueStatistics& statistics) {
  JsonBuilder sketch = JsonBuilder::array();
  for (const float sum : statistics.sketch) sketch.push(double{sum});
  return JsonBuilder::object()
      .set("count", statistics.count)
      .set("nan", statistics.nan_count)
      .set("inf", statistics.inf_count)
      .set("min", statistics.min)
      .set("max", statistics.max)
      .set("rms", statistics.rms)
      .set("outlier_ratio", statistics.outlier_ratio)
      .set("sketch", std::move(sketch));
}

JsonBuilder value_json(const TraceValue& value) {
  JsonBuilder json = JsonBuilder::object();
  json.set("name", value.name).set("dtype", dtype_name(value.dtype)).set("shape", shape_json(value.shape));
  if (value.all) json.set("values", statistics_json(*value.all));
  if (value.last_row) json.set("last_row", statistics_json(*value.last_row));
  if (value.is_weight) json.set("weight", true);
  return json;
}

Shape shape_from(const Json& json) {
  std::vector<std::int64_t> dims;
  if (!json.is_array() || json.size() > Shape::kMaxRank)
    throw Error(ErrorCode::format, json.where() + ": a shape is a list of at most 8 numbers");
  for (std::size_t i = 0; i < json.size(); ++i) dims.push_back(json.at(i).as_int());
  return Shape(dims);
}

DType dtype_from(const Json& json) {
  for (const DType dtype : {DType::f32, DType::f16, DType::bf16, DType::s8, DType::u8, DType::s32, DType::i64})
    if (json.as_string() == dtype_name(dtype)) return dtype;
  throw Error(ErrorCode::format, json.where() + ": no element type is called \"" + json.as_string() + "\"");
}

ValueStatistics statistics_from(const Json& json) {
  ValueStatistics statistics;
  statistics.count = json.at("count").as_int();
  statistics.nan_count = json.at("nan").as_int();
  statistics.inf_count = json.at("inf").as_int();
  statistics.min = json.at("min").as_number();
  statistics.max = json.at("max").as_number();
  statistics.rms = json.at("rms").as_number();
  statistics.outlier_ratio = json.at("outlier_ratio").as_number();
  const Json sketch = json.at("sketch");
  for (std::size_t i = 0; i < sketch.size(); ++i)
    statistics.sketch.push_back(static_cast<float>(sketch.at(i).as_number()));
  return statistics;
}

std::vector<TraceValue> values_from(const Json& json) {
  std::vector<TraceValue> values;
  for (std::size_t i = 0; i < json.size(); ++i) {
    const Json item = json.at(i);
    TraceValue value{item.at("name").as_string(),   dtype_from(item.at("dtype")), shape_from(item.at("shape")), {}, {},
                     item.get_bool("weight", false)};
    if (const auto found = item.find("values")) value.all = statistics_from(*found);
    if (const auto found = item.find("last_row")) value.last_row = statistics_from(*found);
    values.push_back(std::move(value));
  }
  return values;
}

}  // namespace

const TraceValue* TraceRecord::argument(std::string_view name) const noexcept {
  for (const TraceValue& value : arguments)
    if (value.name == name) return &value;
  return nullptr;
}

std::string TraceRecord::to_line() const {
  std::string line = module_path + (module_path.empty() ? "" : " ") + operation;
  for (const TraceDim& dim : dims) line += " " + dim.letter + "=" + std::to_string(dim.value);
  for (std::size_t i = 0; i < outputs.size(); ++i)
    line += (i == 0 ? " -> " : ", ") + outputs[i].name + " " + dtype_name(outputs[i].dtype) + " " +
            outputs[i].shape.to_string();
  return line;
}

JsonBuilder TraceRecord::to_json() const {
  JsonBuilder bound = JsonBuilder::array();
  for (const TraceDim& dim : dims)
    bound.push(
        JsonBuilder::object().set("letter", dim.letter).set("meaning", meaning_of(dim.letter)).set("value", dim.value));
  JsonBuilder in = JsonBuilder::array();
  JsonBuilder out = JsonBuilder::array();
  for (const TraceValue& value : arguments) in.push(value_json(value));
  for (const TraceValue& value : outputs) out.push(value_json(value));
  JsonBuilder json = JsonBuilder::object();
  json.set("call", call)
      .set("phase", phase)
      .set("module", module_path)
      .set("operation", operation)
      .set("contract", contract)
      .set("dims", std::move(bound))
      .set("arguments", std::move(in))
      .set("outputs", std::move(out));
  if (!note.empty()) json.set("note", note);
  if (workspace_bytes != 0) json.set("workspace_bytes", static_cast<std::size_t>(workspace_bytes));
  if (live_bytes != 0) json.set("live_bytes", static_cast<std::size_t>(live_bytes));
  if (times != 1) json.set("times", times);
  if (!problem.empty()) json.set("problem", problem);
  return json;
}

TraceRecord TraceRecord::from_json(const Json& json) {
  TraceRecord record;
  record.call = json.at("call").as_int();
  record.phase = json.at("phase").as_string();
  record.module_path = json.at("module").as_string();
  record.operation = json.at("operation").as_string();
  record.contract = json.at("contract").as_string();
  const Json bound = json.at("dims");
  for (std::size_t i = 0; i < bound.size(); ++i)
    record.dims.push_back({bound.at(i).at("letter").as_string(), bound.at(i).at("value").as_int()});
  record.arguments = values_from(json.at("arguments"));
  record.outputs = values_from(json.at("outputs"));
  record.note = json.get_string("note", "");
  record.workspace_bytes = static_cast<std::uint64_t>(json.get_int("workspace_bytes", 0));
  record.live_bytes = static_cast<std::uint64_t>(json.get_int("live_bytes", 0));
  record.times = json.get_int("times", 1);
  record.problem = json.get_string("problem", "");
  return record;
}

std::vector<TraceRecord> read_trace(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw Error(ErrorCode::not_found, "trace: cannot open " + path);
  std::vector<TraceRecord> records;
  std::string line;
  std::int64_t number = 0;
  while (std::getline(file, line)) {
    const Json json = Json::parse(line, path + ":" + std::to_string(++number));
    if (number > 1) {
      records.push_back(TraceRecord::from_json(json));
      continue;
    }
    const std::int64_t version = json.get_int("octavo_trace", 0);
    if (version != 1)
      throw Error(ErrorCode::format, path + ": " +
                                         (version == 0 ? "not a trace: its first line must say {\"octavo_trace\": 1}"
                                                       : "a trace of version " + std::to_string(version) +
                                                             ", this build reads version 1"));
  }
  if (file.bad()) throw Error(ErrorCode::io, "trace: " + path + " could not be read to its end");
  if (number == 0) throw Error(ErrorCode::format, path + ": an empty file is no trace");
  return records;
}

}  // namespace octavo
