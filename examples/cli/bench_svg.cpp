// octavo bench --svg: a roofline chart. Both axes are logarithmic; what was measured is a numbered mark under the
// roofs, and the list below says what it is.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>

#include "bench.hpp"
#include "svg_labels.hpp"

namespace cli {

namespace {

constexpr double kWidth = 1200, kLeft = 84, kRight = 1176, kTop = 64, kBottom = 640;
constexpr double kListTop = 716, kLine = 17;

// Of light and of dark pages; distinguishable with the common colour deficiencies, and each kind has its own mark.
constexpr const char* kStyle = R"(<style>
text{font:12px system-ui,-apple-system,'Segoe UI',sans-serif;fill:#1f2328}
.page{fill:#ffffff}.title{font-size:18px;font-weight:600}.muted{fill:#59636e}
.grid{stroke:#d1d9e0;stroke-width:1}.leader{stroke:#8c959f;stroke-width:.7}
.roof{fill:none;stroke-width:2}.dashed{stroke-dasharray:6 4}
.int8{fill:#0969da;stroke:#0969da}.bf16{fill:#bc4c00;stroke:#bc4c00}.f32{fill:#1a7f37;stroke:#1a7f37}
.read{stroke:#59636e}text.int8,text.bf16,text.f32{stroke:none}
@media (prefers-color-scheme:dark){text{fill:#f0f6fc}.page{fill:#0d1117}.muted{fill:#9198a1}
.grid{stroke:#3d444d}.leader{stroke:#656c76}.read{stroke:#9198a1}
.int8{fill:#4493f8;stroke:#4493f8}.bf16{fill:#f0883e;stroke:#f0883e}.f32{fill:#3fb950;stroke:#3fb950}
text.int8{fill:#4493f8}text.bf16{fill:#f0883e}text.f32{fill:#3fb950}}
</style>
)";

std::string text_of(const char* format, double value) {
  char text[40];
  std::snprintf(text, sizeof text, format, value);
  return text;
}
std::string px(double value) { return text_of("%.1f", value); }

std::string escaped(const std::string& text) {
  std::string result;
  for (const char c : text) result += c == '&' ? "&amp;" : c == '<' ? "&lt;" : c == '>' ? "&gt;" : std::string(1, c);
  return result;
}

// "3.7 TOP/s"
std::string operations_per_second(double value) {
  for (const auto& [unit, name] : std::initializer_list<std::pair<double, const char*>>{{1e12, "T"}, {1e9, "G"}})
    if (value >= unit) return text_of(value / unit >= 99.5 ? "%.0f " : "%.3g ", value / unit) + name + "OP/s";
  return text_of("%.3g MOP/s", value / 1e6);
}

struct Point {
  std::size_t number = 0;
  const BenchRow* row = nullptr;
  std::string kind;
  double intensity = 0, rate = 0;  // operations per byte, operations per second
};

std::string kind_of(const Work& work) {
  const double bf16 = work.bf16 + work.f32_by_bf16, int8 = work.int8 + work.f32_by_int8;
  return int8 >= std::max(bf16, work.f32) ? "int8" : bf16 >= work.f32 ? "bf16" : "f32";
}

class Chart {
 public:
  explicit Chart(const BenchResult& result) : result_(result) {
    for (const BenchRow& row : result.rows) {
      const Work work = row.work();
      if (work.operations() > 0 && work.bytes > 0)
        points_.push_back(
            {points_.size() + 1, &row, kind_of(work), work.operations() / work.bytes, work.operations() / row.seconds});
    }
    double least = 1, most = 1e3, lowest = 1e9, highest = 0;
    for (const Point& point : points_) {
      least = std::min(least, point.intensity);
      most = std::max(most, point.intensity);
      lowest = std::min(lowest, point.rate);
      highest = std::max(highest, point.rate);
    }
    for (const char* kind : {"int8", "bf16", "f32"}) highest = std::max(highest, result.machine.rate(kind));
    x_begin_ = std::floor(std::log10(least));
    x_end_ = std::log10(most * 2);
    y_begin_ = std::floor(std::log10(lowest));
    y_end_ = std::log10(highest * 2.5);
  }

  std::string draw() {
    const std::size_t lines = (points_.size() + 1) / 2;
    const double height = kListTop + static_cast<double>(lines) * kLine + 24;
    svg_ = "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 " + px(kWidth) + " " + px(height) +
           "\" role=\"img\" aria-label=\"Roofline of octavo bench\">\n<!-- octavo bench -->\n" + kStyle +
           "<rect class=\"page\" width=\"100%\" height=\"100%\"/>\n";
    const limits::Machine& machine = result_.machine;
    text(kLeft, 30, "title", "start", "Octavo beside this machine's limits");
    text(kLeft, 50, "muted", "start",
         (machine.processor.empty() ? "unknown processor" : machine.processor) + ", " +
             std::to_string(machine.threads) + (machine.threads == 1 ? " thread" : " threads"));
    grid();
    roofs();
    marks();
    list();
    return svg_ + "</svg>\n";
  }

 private:
  double x_of(double intensity) const {
    return kLeft + (std::log10(intensity) - x_begin_) / (x_end_ - x_begin_) * (kRight - kLeft);
  }
  double y_of(double rate) const {
    return kBottom - (std::log10(rate) - y_begin_) / (y_end_ - y_begin_) * (kBottom - kTop);
  }

  void text(double x, double y, const std::string& style, const char* anchor, const std::string& words,
            const std::string& more = "") {
    svg_ += "<text class=\"" + style + "\" x=\"" + px(x) + "\" y=\"" + px(y) + "\" text-anchor=\"" + anchor + "\"" +
            more + ">" + escaped(words) + "</text>\n";
  }
  void line(double x1, double y1, double x2, double y2, const std::string& style) {
    svg_ += "<line class=\"" + style + "\" x1=\"" + px(x1) + "\" y1=\"" + px(y1) + "\" x2=\"" + px(x2) + "\" y2=\"" +
            px(y2) + "\"/>\n";
  }

  void grid() {
    for (int power = static_cast<int>(x_begin_); power <= x_end_; ++power) {
      const double x = x_of(std::pow(10, power));
      line(x, kTop, x, kBottom, "grid");
      text(x, kBottom + 18, "muted", "middle", text_of("%g", std::pow(10, power)));
    }
    for (int power = static_cast<int>(y_begin_); power <= y_end_; ++power) {
      const double y = y_of(std::pow(10, power));
      line(kLeft, y, kRight, y, "grid");
      text(kLeft - 8, y + 4, "muted", "end", operations_per_second(std::pow(10, power)));
    }
    text((kLeft + kRight) / 2, kBottom + 40, "muted", "middle", "operations per byte that has to be moved");
  }

  // Along a slope of the memory, up to the highest level roof; then the level roofs, those of one unit as one.
  void roofs() {
    const limits::Machine& machine = result_.machine;
    double highest = 0;
    std::map<double, std::string> levels;
    for (const char* kind : {"int8", "bf16", "f32"}) {
      const double rate = machine.rate(kind);
      highest = std::max(highest, rate);
      levels[rate] += (levels[rate].empty() ? "" : ", ") + std::string(kind);
    }
    const limits::ReadRate& memory = machine.reads.back();
    const limits::ReadRate& cache = machine.read(static_cast<double>(std::size_t{32} << 20U));
    slope(1e9 * memory.all_threads, highest, "read roof", "memory", true);
    if (&cache != &memory)
      slope(1e9 * cache.all_threads, highest, "read roof dashed",
            std::to_string(cache.bytes >> 20U) + " MiB again and again", false);
    for (const auto& [rate, kinds] : levels) {
      const std::string kind = kinds.substr(0, kinds.find(','));
      const double y = y_of(rate);
      const double from = x_of(rate / (1e9 * std::max(memory.all_threads, cache.all_threads)));
      line(from, y, kRight, y, "roof " + kind);
      labels_.occupy({from, y - 2, kRight, y + 2});
      const std::string words = kinds + ": " + operations_per_second(rate);
      text(kRight - 4, y - 6, kind, "end", words);
      labels_.occupy({kRight - 4 - 6.6 * static_cast<double>(words.size()), y - 18, kRight, y + 2});
    }
  }

  void slope(double bandwidth, double highest, const std::string& style, const std::string& name, bool below) {
    const double from = std::max(std::pow(10, x_begin_), std::pow(10, y_begin_) / bandwidth);
    const double x1 = x_of(from), y1 = y_of(from * bandwidth);
    const double x2 = x_of(highest / bandwidth), y2 = y_of(highest);
    line(x1, y1, x2, y2, style);
    const double length = std::hypot(x2 - x1, y2 - y1), dx = (x2 - x1) / length, dy = (y2 - y1) / length;
    const auto along = [&](double all, double step, const auto& body) {
      for (int i = 0; i * step < all; ++i) body(i * step);
    };
    along(length, 3, [&](double at) {
      labels_.occupy({x1 + at * dx - 2, y1 + at * dy - 2, x1 + at * dx + 2, y1 + at * dy + 2});
    });
    const std::string words = name + ": " + text_of("%.3g GB/s", bandwidth * 1e-9);
    // The words begin a little up the slope, on one side of it; small boxes keep their place free.
    const double away = below ? 15 : -6;
    const double x = x1 + 16 * dx - away * dy, y = y1 + 16 * dy + away * dx;
    text(x, y, "muted", "start", words,
         " transform=\"rotate(" + px(std::atan2(dy, dx) * 57.29578) + " " + px(x) + " " + px(y) + ")\"");
    along(6.6 * static_cast<double>(words.size()), 6, [&](double at) {
      labels_.occupy({x + at * dx - 7, y + at * dy - 12, x + at * dx + 9, y + at * dy + 5});
    });
  }

  void mark(double x, double y, const std::string& kind) {
    if (kind == "int8") svg_ += "<circle class=\"int8\" cx=\"" + px(x) + "\" cy=\"" + px(y) + "\" r=\"4\"/>\n";
    if (kind == "bf16")
      svg_ += "<rect class=\"bf16\" x=\"" + px(x - 3.5) + "\" y=\"" + px(y - 3.5) + "\" width=\"7\" height=\"7\"/>\n";
    if (kind == "f32") svg_ += "<path class=\"f32\" d=\"M" + px(x) + " " + px(y - 4.5) + "l4.5 8h-9z\"/>\n";
  }

  void marks() {
    for (const Point& point : points_) {
      const double x = x_of(point.intensity), y = y_of(point.rate);
      labels_.occupy({x - 4, y - 4, x + 4, y + 4});
    }
    for (const Point& point : points_) {
      const double x = x_of(point.intensity), y = y_of(point.rate);
      const std::string number = std::to_string(point.number);
      const double width = 7.2 * static_cast<double>(number.size());
      const Place place = labels_.place(x, y, width, 12, {kLeft, kTop, kRight, kBottom});
      if (place.distance > 12) line(x, y, place.x, place.y, "leader");
      mark(x, y, point.kind);
      text(place.x, place.y + 4, point.kind, "middle", number);
    }
  }

  void list() {
    text(kLeft, kListTop - 14, "muted", "start",
         "● products of int8 weights   ■ of bf16 weights, or in bf16   ▲ in float32   ·   share of the limit, and "
         "what binds");
    const std::size_t lines = (points_.size() + 1) / 2;
    for (std::size_t i = 0; i < points_.size(); ++i) {
      const Point& point = points_[i];
      const double x = kLeft + (i < lines ? 0 : (kRight - kLeft) / 2);
      const double y = kListTop + 10 + static_cast<double>(i < lines ? i : i - lines) * kLine;
      const Limit limit = limit_of(*point.row, result_.machine);
      const std::string& name = point.row->name;
      constexpr std::size_t kMost = 56;
      text(x + 20, y, point.kind, "end", std::to_string(point.number));
      mark(x + 30, y - 4, point.kind);
      text(x + 42, y, "", "start",
           (point.row->group == "attention" ? "attention, " : "") +
               (name.size() > kMost ? name.substr(0, kMost - 3) + "..." : name));
      text(x + 462, y, "", "end", text_of("%.0f %%", 100 * limit.seconds / point.row->seconds));
      text(x + 470, y, "muted", "start", limit.binds);
    }
  }

  const BenchResult& result_;
  std::vector<Point> points_;
  double x_begin_ = 0, x_end_ = 0, y_begin_ = 0, y_end_ = 0;  // powers of ten
  Labels labels_;
  std::string svg_;
};

}  // namespace

std::string bench_svg(const BenchResult& result) { return Chart(result).draw(); }

}  // namespace cli
