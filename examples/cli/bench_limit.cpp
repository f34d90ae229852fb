// octavo bench: what a row cannot do without, and how fast this machine could do it.
#include <algorithm>
#include <initializer_list>
#include <map>
#include <utility>

#include "bench.hpp"

namespace cli {

namespace {

/// How long each of the machine's means is busy with a step.
class Times {
 public:
  Times(const Work& work, const limits::Machine& machine) : machine_(machine) {
    add("int8", work.int8);
    add("bf16", work.bf16);
    add_exact(work.f32_by_bf16, {{"bf16", 3}});
    add_exact(work.f32_by_int8, {{"bf16", 3}, {"int8", 4}});
    add_exact(work.f32, {{"bf16", 6}});
    exps_ = work.exps / machine.rate("exp");
  }

  /// Products wait for each other; exps can be taken, and bytes moved, while products are computed.
  Limit longest(double moving, const char* from) const {
    double products = 0;
    for (const auto& [kind, seconds] : products_) products += seconds;
    const auto most = std::max_element(products_.begin(), products_.end(),
                                       [](const auto& a, const auto& b) { return a.second < b.second; });
    Limit limit{products, most->first};
    if (exps_ > limit.seconds) limit = {exps_, "exp"};
    if (moving > limit.seconds) limit = {moving, from};
    return limit;
  }

 private:
  /// In float32's precision: one product of a float32 unit, or so many of another, whichever is through first.
  void add_exact(double operations, std::initializer_list<std::pair<const char*, double>> others) {
    std::pair<const char*, double> best{"f32", 1};
    for (const auto& other : others)
      if (other.second / machine_.rate(other.first) < best.second / machine_.rate(best.first)) best = other;
    add(best.first, operations * best.second);
  }
  void add(const std::string& kind, double operations) { products_[kind] += operations / machine_.rate(kind); }

  const limits::Machine& machine_;
  std::map<std::string, double> products_;
  double exps_ = 0;
};

}  // namespace

Work& Work::operator+=(const Work& other) {
  int8 += other.int8;
  bf16 += other.bf16;
  f32 += other.f32;
  f32_by_bf16 += other.f32_by_bf16;
  f32_by_int8 += other.f32_by_int8;
  exps += other.exps;
  bytes += other.bytes;
  return *this;
}

Work BenchRow::work() const {
  Work sum;
  for (const Work& step : steps) sum += step;
  return sum;
}

Limit limit_of(const BenchRow& row, const limits::Machine& machine) {
  // What a pass over all steps reads again and again stays in a cache that holds all of it, or in none.
  const limits::ReadRate& read = machine.read(row.work().bytes / row.passes);
  const char* from = &read == &machine.reads.back() ? "memory" : "cache";
  double seconds = 0;
  std::map<std::string, double> shares;
  for (const Work& step : row.steps) {
    const Limit limit = Times(step, machine).longest(step.bytes / (1e9 * read.all_threads), from);
    seconds += limit.seconds;
    shares[limit.binds] += limit.seconds;
  }
  if (shares.empty()) return {};
  const auto most =
      std::max_element(shares.begin(), shares.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
  return {seconds, most->first};
}

}  // namespace cli
