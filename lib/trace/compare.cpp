#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <map>
#include <tuple>

#include "octavo/contract.hpp"
#include "octavo/trace.hpp"

namespace octavo {

namespace {

constexpr std::size_t kWorst = 8;

bool counts_tokens_of_a_call(const std::string& letter) {
  static constexpr std::array<std::string_view, 6> kLetters{"M", "L", "Lq", "T", "G", "past"};
  return std::find(kLetters.begin(), kLetters.end(), letter) != kLetters.end();
}

// What a record is matched by.
struct Key {
  bool vision = false;
  std::int64_t call = 0;  // of its tower, counted from 0
  std::string module_path, operation;
  std::int64_t occurrence = 0;
  bool operator<(const Key& other) const {
    return std::tie(vision, call, module_path, operation, occurrence) <
           std::tie(other.vision, other.call, other.module_path, other.operation, other.occurrence);
  }
};

struct Keyed {
  Key key;
  const TraceRecord* record;
};

std::vector<Keyed> keyed(std::span<const TraceRecord> records, bool last_call_only) {
  std::map<std::int64_t, std::int64_t> ordinals[2];  // by call, of the language model and of the vision tower
  const auto vision = [](const TraceRecord& record) { return record.phase == "vision"; };
  for (const TraceRecord& record : records) {
    auto& known = ordinals[vision(record) ? 1 : 0];
    known.emplace(record.call, static_cast<std::int64_t>(known.size()));
  }
  const auto last = static_cast<std::int64_t>(ordinals[0].size()) - 1;
  std::map<Key, std::int64_t> seen;
  std::vector<Keyed> result;
  for (const TraceRecord& record : records) {
    Key key;
    key.vision = vision(record);
    key.call = ordinals[key.vision ? 1 : 0].at(record.call);
    if (last_call_only) {
      if (key.vision || key.call != last) continue;
      key.call = 0;
    }
    key.module_path = record.module_path;
    const bool int8 = record.operation == "linear_w8a8" || record.operation == "linear_w8a16";
    key.operation = int8 ? "linear" : record.operation;
    key.occurrence = seen[key]++;
    result.push_back({key, &record});
  }
  return result;
}

std::string drift_text(double drift) {
  if (std::isinf(drift)) return "infinitely";
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.2e", drift);
  return text.data();
}

class Comparer {
 public:
  Comparer(TraceComparison& result, double bound) : result_(result), bound_(bound) {}

  void records(const TraceRecord& a, const TraceRecord& b) {
    dims(a, b);
    for (const TraceValue& left : a.outputs)
      for (const TraceValue& right : b.outputs)
        if (left.name == right.name) values(a, b, left, right);
  }

  void finish() {
    for (auto& [module_path, difference] : worst_by_module_) result_.worst.push_back(difference);
    std::stable_sort(result_.worst.begin(), result_.worst.end(),
                     [](const TraceDifference& x, const TraceDifference& y) { return x.drift > y.drift; });
    if (result_.worst.size() > kWorst) result_.worst.resize(kWorst);
  }

 private:
  static TraceDifference difference(const TraceRecord& a, const TraceRecord& b, std::string what, double drift) {
    return {a.module_path, a.operation, a.call, b.call, std::move(what), drift};
  }

  void dims(const TraceRecord& a, const TraceRecord& b) {
    std::string rows;
    std::string others;
    for (const TraceDim& left : a.dims)
      for (const TraceDim& right : b.dims) {
        if (left.letter != right.letter || left.value == right.value) continue;
        std::string& text = counts_tokens_of_a_call(left.letter) ? rows : others;
        text += (text.empty() ? "" : ", ") + left.letter + " (" + std::string(meaning_of(left.letter)) + ") " +
                std::to_string(left.value) + " / " + std::to_string(right.value);
      }
    if (!rows.empty() && !result_.first_rows) result_.first_rows = difference(a, b, rows, 0);
    if (!others.empty() && !result_.first_dims) result_.first_dims = difference(a, b, others, 0);
  }

  void values(const TraceRecord& a, const TraceRecord& b, const TraceValue& left, const TraceValue& right) {
    double drift = 0;
    std::string what = left.name;
    if (left.all && right.all && left.shape == right.shape) {
      drift = relative_difference(*left.all, *right.all);
    } else if (left.last_row && right.last_row && left.last_row->count == right.last_row->count) {
      drift = relative_difference(*left.last_row, *right.last_row);
      what += ", last row";
    } else {
      return;
    }
    ++result_.values_compared;
    what += " differs " + std::string(std::isinf(drift) ? "" : "by ") + drift_text(drift) + " relative";
    const TraceDifference found = difference(a, b, what, drift);
    if (drift > bound_) {
      ++result_.values_beyond;
      if (!result_.first_drift) result_.first_drift = found;
    }
    const auto [place, is_new] = worst_by_module_.emplace(a.module_path, found);
    if (!is_new && drift > place->second.drift) place->second = found;
  }

  TraceComparison& result_;
  double bound_;
  std::map<std::string, TraceDifference> worst_by_module_;
};

std::string place_of(const TraceDifference& found) {
  return "call " + std::to_string(found.call_a) + " / " + std::to_string(found.call_b) + ", " + found.operation + " (" +
         found.module_path + "): " + found.what;
}

}  // namespace

TraceComparison compare_traces(std::span<const TraceRecord> a, std::span<const TraceRecord> b,
                               const TraceCompareOptions& options) {
  if (!(options.bound > 0))
    throw Error(ErrorCode::invalid_argument,
                "compare_traces: the bound is " + std::to_string(options.bound) + ", it must be positive");
  if (a.empty() || b.empty())
    throw Error(ErrorCode::invalid_argument,
                std::string("compare_traces: the ") + (a.empty() ? "first" : "second") + " trace has no records");
  TraceComparison result;
  result.bound = options.bound;
  std::map<Key, const TraceRecord*> others;
  const std::vector<Keyed> right = keyed(b, options.last_call_only);
  for (const Keyed& item : right) others.emplace(item.key, item.record);
  const auto spelled = [](const TraceRecord& record) { return record.operation + " (" + record.module_path + ")"; };
  Comparer comparer(result, options.bound);
  for (const Keyed& item : keyed(a, options.last_call_only)) {
    const auto found = others.find(item.key);
    if (found == others.end()) {
      if (result.only_a++ == 0) result.first_only_a = spelled(*item.record);
      continue;
    }
    ++result.matched;
    comparer.records(*item.record, *found->second);
    others.erase(found);
  }
  for (const Keyed& item : right)
    if (others.count(item.key) != 0 && result.only_b++ == 0) result.first_only_b = spelled(*item.record);
  comparer.finish();
  return result;
}

std::string TraceComparison::to_text() const {
  std::string text = std::to_string(matched) + " operations match";
  if (only_a > 0) text += ", " + std::to_string(only_a) + " only in the first trace, from " + first_only_a + " on";
  if (only_b > 0) text += ", " + std::to_string(only_b) + " only in the second, from " + first_only_b + " on";
  text += "\nrows: ";
  text += first_rows ? "first differ at " + place_of(*first_rows) : "equal everywhere";
  text += "\ndims: ";
  text += first_dims ? "first differ at " + place_of(*first_dims) : "equal everywhere";
  text += "\nvalues: ";
  if (values_compared == 0) {
    text += "not compared: record both traces with values";
  } else if (!first_drift) {
    text += std::to_string(values_compared) + " compared, none beyond " + drift_text(bound);
  } else {
    text += std::to_string(values_beyond) + " of " + std::to_string(values_compared) + " beyond " + drift_text(bound) +
            ", first at " + place_of(*first_drift);
  }
  for (const TraceDifference& found : worst)
    if (found.drift > 0) text += "\n  " + place_of(found);
  return text + "\n";
}

JsonBuilder TraceComparison::to_json() const {
  const auto place = [](const TraceDifference& found) {
    return JsonBuilder::object()
        .set("module", found.module_path)
        .set("operation", found.operation)
        .set("call_a", found.call_a)
        .set("call_b", found.call_b)
        .set("what", found.what)
        .set("drift", found.drift);
  };
  const auto optional = [&](const std::optional<TraceDifference>& found) {
    return found ? JsonBuilder(place(*found)) : JsonBuilder();
  };
  JsonBuilder drifts = JsonBuilder::array();
  for (const TraceDifference& found : worst) drifts.push(place(found));
  return JsonBuilder::object()
      .set("same", same())
      .set("bound", bound)
      .set("matched", matched)
      .set("only_a", only_a)
      .set("only_b", only_b)
      .set("first_only_a", first_only_a)
      .set("first_only_b", first_only_b)
      .set("values_compared", values_compared)
      .set("values_beyond", values_beyond)
      .set("first_rows", optional(first_rows))
      .set("first_dims", optional(first_dims))
      .set("first_drift", optional(first_drift))
      .set("worst", std::move(drifts));
}

}  // namespace octavo
