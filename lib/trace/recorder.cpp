#include <utility>

#include "octavo/trace.hpp"

namespace octavo {

namespace {

std::string header_line(bool values) {
  return JsonBuilder::object().set("octavo_trace", 1).set("values", values).dump();
}

}  // namespace

void write_trace(std::ostream& to, std::span<const TraceRecord> records, bool values) {
  to << header_line(values) << '\n';
  for (const TraceRecord& record : records) to << record.to_json().dump() << '\n';
}

Trace::Trace(TraceOptions options) : options_(std::move(options)) {
  if (options_.path.empty()) return;
  file_.open(options_.path, std::ios::binary | std::ios::trunc);
  file_ << header_line(options_.values) << '\n';
  if (!file_) throw Error(ErrorCode::io, "trace: cannot create " + options_.path);
}

Trace::~Trace() = default;

void Trace::close() {
  if (options_.path.empty() || !file_.is_open()) return;
  file_.close();
  if (!file_)
    throw Error(ErrorCode::io, "trace: " + options_.path + " could not be written to its end: is the disk full?");
}

void Trace::on_call(std::string_view phase) {
  ++call_;
  phase_ = phase;
}

void Trace::on_operation(const ObservedOperation& operation) {
  TraceRecord record;
  record.call = call_;
  record.phase = phase_;
  record.module_path = operation.module_path;
  record.operation = operation.operation;
  record.contract = operation.contract;
  for (const ObservedDim& dim : operation.dims) record.dims.push_back({std::string(dim.letter), dim.value});
  for (const ObservedValue& argument : operation.arguments)
    record.arguments.push_back({std::string(argument.name), argument.dtype, argument.shape, {}, {}});
  for (const ObservedValue& output : operation.outputs) {
    TraceValue value{std::string(output.name), output.dtype, output.shape, {}, {}};
    if (options_.values) {
      value.all = statistics_of(*output.tensor);
      const std::int64_t rows = output.row_dim < 0 ? 0 : output.shape[output.row_dim];
      if (rows > 0) value.last_row = statistics_of(output.tensor->slice(output.row_dim, rows - 1, rows));
    }
    record.outputs.push_back(std::move(value));
  }
  if (recent_.size() == kRecent) recent_.pop_front();
  recent_.push_back(record.to_line());
  ++count_;
  if (options_.path.empty())
    records_.push_back(std::move(record));
  else if (file_)  // a full disk is reported by close(), and does not end the run
    file_ << record.to_json().dump() << '\n';
}

std::string Trace::recent() const {
  std::string text;
  for (const std::string& line : recent_) text += (text.empty() ? "trace: " : "\ntrace: ") + line;
  return text;
}

}  // namespace octavo
