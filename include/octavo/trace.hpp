/// @file
/// Traces: the dims that every operation of a run bound and, on request, the values it computed; as records, JSON
/// lines, a table; and the first operation at which two runs differ. A plan (plan.hpp) is made of the same records,
/// from a run over tensors without data.
///
///     Trace trace({.values = true});
///     {
///       TraceScope scope(trace);            // this thread is recorded until the scope ends
///       model.generate(input, options);
///     }
///     std::cout << trace_table(trace.records());
///
/// Off by default, and then free: an operation pays one null check of a thread-local pointer (see observer.hpp). While
/// a trace is on, the message of a broken shape contract carries the last few records.
///
/// Threads: a Trace belongs to the thread whose scope it is in; other threads, workers of parallel loops among them,
/// are not recorded. Distinct traces on distinct threads are independent.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <iosfwd>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "octavo/atomic_file.hpp"
#include "octavo/json.hpp"
#include "octavo/ledger.hpp"
#include "octavo/observer.hpp"

namespace octavo {

// --- Values ---------------------------------------------------------------------------------------------------------

/// What is kept of a tensor's values. Minimum, maximum, rms and outlier ratio are those of the finite values; 0 when
/// there is none.
struct ValueStatistics {
  std::int64_t count = 0, nan_count = 0, inf_count = 0;
  double min = 0, max = 0;
  double rms = 0;  ///< sqrt(mean(x^2))
  double outlier_ratio =
      0;  ///< share of |x| > 6 rms, the threshold of Dettmers et al. 2022 (LLM.int8()) taken relative
  /// Signed sums of 64 groups of values, grouped and signed by a hash of the index: two tensors of one size can be
  /// compared by it, see relative_difference. Source: Charikar, Chen, Farach-Colton 2002 (count sketch).
  std::vector<float> sketch;
};
/// Any element type but none undefined; integers count as their value. Reads x once.
ValueStatistics statistics_of(const Tensor& x);
/// |a - b| / |a| in the Euclidean norm, estimated from the sketches: its standard error is about 9 % of itself, and it
/// is 0 for equal tensors. Infinity when counts of NaN or infinity differ, or a is all zero and b is not.
/// @throws Error  invalid_argument when the tensors had different sizes.
double relative_difference(const ValueStatistics& a, const ValueStatistics& b);

// --- Recording ------------------------------------------------------------------------------------------------------

struct TraceDim {
  std::string letter;  ///< meaning_of(letter) is the field's term
  std::int64_t value = 0;
};
struct TraceValue {
  std::string name;
  DType dtype = DType::f32;
  Shape shape;
  // Of outputs, when values are recorded.
  std::optional<ValueStatistics> all;
  std::optional<ValueStatistics>
      last_row;            ///< of the last token, position or patch: what cached and uncached runs share
  bool is_weight = false;  ///< of arguments: as stored
  std::uint64_t size_bytes() const noexcept {
    return static_cast<std::uint64_t>(shape.numel()) * static_cast<std::uint64_t>(size_of(dtype));
  }
};
/// One finished operation.
struct TraceRecord {
  std::int64_t call = -1;   ///< forward calls counted from 0, the vision tower's included; -1 before the first
  std::string phase;        ///< "vision", "prefill", "decode", "extend"
  std::string module_path;  ///< published layout
  std::string operation;
  std::string contract;  ///< its whole text
  std::vector<TraceDim> dims;
  std::vector<TraceValue> arguments, outputs;
  std::string note;                   ///< the windows of an attention; "" when there is nothing to tell
  std::uint64_t workspace_bytes = 0;  ///< int8 rows and int32 sums of a w8a8 product
  // Of runs without data.
  std::uint64_t live_bytes = 0;  ///< activations alive while it runs, its own included; 0 without a ledger
  std::int64_t times = 1;        ///< once per sequence of a batch, where they are folded
  std::string problem;           ///< the broken contract's message; "" when everything fits

  const TraceValue* argument(std::string_view name) const noexcept;  ///< null when it was not given
  std::string to_line() const;  ///< "model.norm rms_norm M=1 K=32 -> y f32 [1, 32]"
  JsonBuilder to_json() const;
  static TraceRecord from_json(const Json& json);  ///< @throws Error  format, not_found
};

struct TraceOptions {
  bool values = false;  ///< statistics of every output that has data; reads them all once more
  /// Records go there, one JSON line each, and are not kept in memory; "": kept. The file is there from close() on.
  std::string path{};
  /// Each record is handed to it instead, as it is made, on the traced thread, which waits; with a path, to both.
  std::function<void(const TraceRecord&)> on_record{};
  // For runs over tensors without data.
  const Ledger* ledger = nullptr;  ///< fills live_bytes; outlives the trace
  bool go_on = false;              ///< a broken contract is recorded with its operation, and the run goes on
  bool fold_sequences = false;     ///< what each sequence of a batch does alike is one record, `times` the sequences
};

class Trace final : public OperationObserver {
 public:
  /// @throws Error  io when the file cannot be created; exists when the one there is neither empty nor a trace.
  explicit Trace(TraceOptions options = {});
  ~Trace() override;
  Trace(const Trace&) = delete;
  Trace& operator=(const Trace&) = delete;

  const std::vector<TraceRecord>& records() const noexcept { return records_; }  ///< empty when they go to a file
  std::int64_t count() const noexcept { return count_; }                         ///< of all recorded
  std::vector<TraceRecord> take_records() noexcept { return std::move(records_); }
  const std::vector<Error>& problems() const noexcept { return problems_; }  ///< every one, with `go_on`
  /// Ends the file and moves it to its place; destroyed without, a trace leaves that as it was.
  /// @throws Error  io when not everything could be written: there is no file then.
  void close();

  void on_call(std::string_view phase) override;
  void on_operation(const ObservedOperation& operation) override;
  std::string recent() const override;
  bool on_problem(const Error& broken) override;
  void on_note(std::string_view note) override { note_ = note; }
  void on_sequence(std::int64_t index) override;

 private:
  bool folded(const TraceRecord& record);
  void write(const TraceRecord& record) noexcept;  ///< a full disk does not end the run

  static constexpr std::size_t kRecent = 5;
  TraceOptions options_;
  std::unique_ptr<AtomicFile> file_;  // until it is closed
  std::exception_ptr not_written_;    // what close() is to throw
  std::vector<TraceRecord> records_;
  std::deque<std::string> recent_;
  std::int64_t count_ = 0, call_ = -1;
  std::string phase_;
  std::string note_, problem_;  // of the operation that comes next
  std::vector<Error> problems_;
  std::size_t first_sequence_ = 0, folding_ = kNotFolding;  // records: where the first sequence began; the one to match
  static constexpr std::size_t kNotFolding = static_cast<std::size_t>(-1);
};

/// Records this thread while it lives.
class TraceScope {
 public:
  explicit TraceScope(Trace& trace) noexcept : scope_(&trace) {}

 private:
  ObserverScope scope_;
};

// --- Reading and showing --------------------------------------------------------------------------------------------

/// One JSON document per line; the first says {"octavo_trace": 1, "values": ...}.
void write_trace(std::ostream& to, std::span<const TraceRecord> records, bool values);
/// @throws Error  not_found, io; format naming file and line.
std::vector<TraceRecord> read_trace(const std::string& path);
/// One line per record, columns aligned; statistics where recorded.
std::string trace_table(std::span<const TraceRecord> records);

// --- Comparing ------------------------------------------------------------------------------------------------------

struct TraceCompareOptions {
  double bound = 1e-3;  ///< of relative_difference; for equal arithmetic in another order. Quantized: about 0.1
  /// Compares only the last call of the language model on either side, whatever came before: a prefill of n tokens with
  /// the decode of the n-th.
  bool last_call_only = false;
};

/// Where two records that belong together differ.
struct TraceDifference {
  std::string module_path, operation;  ///< as in a
  std::int64_t call_a = 0, call_b = 0;
  std::string what;  ///< "Lk (kv_len) 24 / 25"
  double drift = 0;  ///< of values
};

/// Records belong together when they are of the same call (the k-th of the vision tower, the k-th of the language
/// model), module and operation (`linear`, `linear_w8a8` and `linear_w8a16` count as one), and the same occurrence of
/// it.
struct TraceComparison {
  double bound = 0;
  std::int64_t matched = 0, only_a = 0, only_b = 0;
  std::string first_only_a, first_only_b;  ///< "kv_append (model.layers.0.self_attn)"; "" when none
  std::int64_t values_compared = 0, values_beyond = 0;
  /// Rows alone differ: letters that count the tokens of a call (M, L, Lq, T, G, past), as between cached and uncached.
  std::optional<TraceDifference> first_rows;
  std::optional<TraceDifference> first_dims;   ///< any other letter
  std::optional<TraceDifference> first_drift;  ///< values beyond the bound
  std::vector<TraceDifference> worst;          ///< largest drifts first, one per module, at most 8

  /// No dims but rows differ, no value drifts. Records on one side alone do not count: cached runs have kv_append.
  bool same() const noexcept { return !first_dims && !first_drift; }
  std::string to_text() const;
  JsonBuilder to_json() const;
};

/// Values are compared where both sides recorded them: whole outputs of one shape, else their last rows.
/// @throws Error  invalid_argument: nothing to compare, or a bound that is not positive.
TraceComparison compare_traces(std::span<const TraceRecord> a, std::span<const TraceRecord> b,
                               const TraceCompareOptions& options = {});

}  // namespace octavo
