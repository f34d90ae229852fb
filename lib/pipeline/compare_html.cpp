#include <algorithm>
#include <array>
#include <cstdio>
#include <map>
#include <memory>

#include "compare_parts.hpp"

namespace octavo {
namespace pipeline {
namespace {

// Colours are pairs, light and dark; every verdict has a word beside its colour.
constexpr const char* kStyle = R"(
:root{color-scheme:light dark;--bg:#fbfbfa;--card:#fff;--ink:#1d2125;--soft:#5d666f;--line:#e2e4e6;--code:#f2f3f4;
--wrong:#b3261e;--wrong-bg:#fdecea;--harmless:#7a5b00;--harmless-bg:#fdf4d9;--expected:#175cb0;--expected-bg:#e8f1fc;
--same:#5d666f;--same-bg:#eff1f2;--good:#1b6e3c;--good-bg:#e6f5ec;--bar:#6aa3e0}
@media (prefers-color-scheme:dark){:root{--bg:#15181b;--card:#1d2125;--ink:#e4e7ea;--soft:#9aa4ad;--line:#333a40;
--code:#262b30;--wrong:#ff9a90;--wrong-bg:#46201d;--harmless:#f0cf70;--harmless-bg:#3d3314;--expected:#8fc1ff;
--expected-bg:#1a3250;--same:#9aa4ad;--same-bg:#2a3035;--good:#7fd7a1;--good-bg:#173826;--bar:#4a84c4}}
*{box-sizing:border-box}
body{margin:0;background:var(--bg);color:var(--ink);font:15px/1.5 system-ui,"Segoe UI",Roboto,"DejaVu Sans",sans-serif}
main{max-width:1180px;margin:0 auto;padding:24px 20px 60px}
h1{font-size:1.5rem;margin:0 0 14px}h2{font-size:1.12rem;margin:34px 0 10px}
code,.mono{font-family:ui-monospace,"DejaVu Sans Mono",Menlo,Consolas,monospace;font-size:.87em;overflow-wrap:anywhere}
.card{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:14px 16px}
.verdict{border-left:6px solid var(--good);display:flex;gap:8px 24px;flex-wrap:wrap;align-items:baseline}
.verdict.bad{border-left-color:var(--wrong)}.verdict strong{font-size:1.15rem}
.sides{display:grid;grid-template-columns:1fr 1fr;gap:12px;margin-top:12px}
.sides b{display:block;font-size:.8rem;color:var(--soft);font-weight:600}
.tag{display:inline-block;border-radius:999px;padding:1px 9px;font-size:.78rem;font-weight:600;white-space:nowrap}
.wrong{color:var(--wrong);background:var(--wrong-bg)}.harmless{color:var(--harmless);background:var(--harmless-bg)}
.expected{color:var(--expected);background:var(--expected-bg)}.same{color:var(--same);background:var(--same-bg)}
.good{color:var(--good);background:var(--good-bg)}
.find{margin:10px 0;border-left:4px solid var(--wrong)}.find p{margin:4px 0}.find .remedy{color:var(--soft)}
.arrow{display:flex;flex-wrap:wrap;gap:2px 10px;align-items:baseline}
.arrow code{background:var(--code);border-radius:5px;padding:1px 6px}
.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%}th{font-size:.8rem;color:var(--soft);text-align:left;font-weight:600}
td,th{padding:5px 12px 5px 0;border-bottom:1px solid var(--line);vertical-align:top}tr:last-child td{border-bottom:0}
details{margin:0}summary{cursor:pointer;padding:4px 0}summary:hover{color:var(--expected)}
.tree details{margin-left:18px;border-left:1px solid var(--line);padding-left:10px}.tree>details{margin-left:0;border:0;padding:0}
.row{display:grid;grid-template-columns:minmax(90px,1fr) 200px 200px 182px 88px;
gap:2px 12px;padding:4px 0 4px 10px;border-bottom:1px solid var(--line);margin-left:18px;align-items:center}
.head{color:var(--soft);font-size:.8rem;font-weight:600;margin-left:0;padding-left:0}
.err{display:flex;gap:8px;align-items:center;color:var(--soft);font-size:.84rem}
.bar{height:7px;border-radius:4px;background:var(--bar);min-width:2px}.bar.bad{background:var(--wrong)}
.count{color:var(--soft);font-size:.84rem;margin:0 6px;white-space:nowrap}
footer{margin-top:36px;color:var(--soft);font-size:.84rem}
@media (max-width:720px){main{padding:16px 12px 40px}.sides{grid-template-columns:1fr}.head{display:none}
.row{grid-template-columns:1fr auto;margin-left:0}.row>:nth-child(1){grid-column:1}.row>:nth-child(5){grid-column:2;grid-row:1}
.row>:nth-child(2),.row>:nth-child(3),.row>:nth-child(4){grid-column:1/3}
.row>:nth-child(2):not(:empty)::before{content:"original ";color:var(--soft)}
.row>:nth-child(3):not(:empty)::before{content:"quantized ";color:var(--soft)}
.tree details{margin-left:4px;padding-left:8px}
table.stack thead{display:none}table.stack td{display:block;border:0;padding:1px 0}
table.stack tr{display:block;padding:7px 0;border-bottom:1px solid var(--line)}
table.stack td[data-l]:not(:empty)::before{content:attr(data-l) " ";color:var(--soft);font-size:.8rem}}
)";

std::string escaped(std::string_view text) {
  std::string safe;
  safe.reserve(text.size());
  for (const char c : text) {
    switch (c) {
      case '&':
        safe += "&amp;";
        break;
      case '<':
        safe += "&lt;";
        break;
      case '>':
        safe += "&gt;";
        break;
      case '"':
        safe += "&quot;";
        break;
      case '\'':
        safe += "&#39;";
        break;
      default:
        safe += c;
    }
  }
  return safe;
}

std::string tag(Verdict verdict) {
  const std::string name = verdict_name(verdict);
  return "<span class=\"tag " + name + "\">" + name + "</span>";
}

std::string code(const std::string& text) { return text.empty() ? "" : "<code>" + escaped(text) + "</code>"; }

std::string plural(std::int64_t count, const std::string& one) {
  return std::to_string(count) + " " + one + (count == 1 ? "" : "s");
}

std::string size_text(std::uint64_t bytes) {
  std::array<char, 48> text{};
  const auto value = static_cast<double>(bytes);
  if (value >= 1e9) {
    std::snprintf(text.data(), text.size(), "%.2f GB", value / 1e9);
  } else if (value >= 1e6) {
    std::snprintf(text.data(), text.size(), "%.2f MB", value / 1e6);
  } else if (value >= 1e4) {
    std::snprintf(text.data(), text.size(), "%.1f kB", value / 1e3);
  } else {
    std::snprintf(text.data(), text.size(), "%.0f B", value);
  }
  return text.data();
}

/// A module and what is below it.
struct Node {
  std::map<std::string, std::unique_ptr<Node>> children;
  std::vector<std::string> order;  // of children, as they came
  std::vector<const TensorComparison*> tensors;
  std::array<std::int64_t, 4> counts{};  // by verdict, of every tensor below
  double largest_error = -1;             // of the int8 linears below; negative without one

  void count(const TensorComparison& tensor) {
    ++counts[static_cast<std::size_t>(tensor.verdict)];
    if (tensor.has_fit) largest_error = std::max(largest_error, tensor.fit.relative_error);
  }
};

void insert(Node& root, const TensorComparison& tensor) {
  Node* node = &root;
  std::string_view rest = split_tensor_name(tensor.name).first;
  node->count(tensor);
  while (!rest.empty()) {
    const std::size_t dot = rest.find('.');
    const std::string name(rest.substr(0, dot));
    rest = dot == std::string_view::npos ? std::string_view() : rest.substr(dot + 1);
    std::unique_ptr<Node>& child = node->children[name];
    if (!child) {
      child = std::make_unique<Node>();
      node->order.push_back(name);
    }
    node = child.get();
    node->count(tensor);
  }
  node->tensors.push_back(&tensor);
}

class Page {
 public:
  explicit Page(const CompareResult& result) : result_(result) {
    for (const TensorComparison& tensor : result.tensors) {
      if (tensor.has_fit && tensor.verdict != Verdict::wrong) {
        largest_error_ = std::max(largest_error_, tensor.fit.relative_error);
      }
    }
  }

  std::string render() {
    out_ =
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
        "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\"><title>Octavo: ";
    out_ += escaped(result_.quantized_dir) + " against its original</title><style>" + kStyle +
            "</style></head><body><main>\n";
    heading();
    wrong();
    tree();
    config();
    files();
    list("Harmless", Verdict::harmless, true);
    list("Expected", Verdict::expected, false);
    footer();
    out_ += "</main></body></html>\n";
    return std::move(out_);
  }

 private:
  static constexpr double kBarWidth = 80;  // pixels

  void heading() {
    const std::int64_t bad = result_.count(Verdict::wrong);
    out_ += "<h1>Quantized model against its original</h1><div class=\"card verdict" +
            std::string(bad > 0 ? " bad" : "") + "\"><strong>" +
            (bad > 0 ? plural(bad, "difference") + " that should not be there" : "Nothing is wrong") +
            "</strong><span>";
    tags([&](Verdict verdict) { return result_.count(verdict); });
    out_ += "</span>";
    if (!result_.values_read) out_ += "<span>No values were read: swaps of equal shapes go unseen.</span>";
    out_ += "</div><div class=\"sides\"><div class=\"card\"><b>Original</b>" + code(result_.original_dir) + "<br>" +
            size_text(result_.original_bytes) + " of tensors</div><div class=\"card\"><b>Quantized</b>" +
            code(result_.quantized_dir) + "<br>" + size_text(result_.quantized_bytes) + " of tensors, " +
            plural(result_.quantized_linears, "int8 linear") + ratio_text() + "</div></div>\n";
  }

  /// How many of each class there are; none is not worth a word.
  template <class Count>
  void tags(Count&& count_of) {
    for (const Verdict verdict : {Verdict::wrong, Verdict::harmless, Verdict::expected}) {
      const std::int64_t count = count_of(verdict);
      if (count == 0) continue;
      const std::string name = verdict_name(verdict);
      out_ += "<span class=\"tag " + name + "\">" + std::to_string(count) + " " + name + "</span> ";
    }
  }

  std::string ratio_text() const {
    if (result_.original_bytes == 0) return "";
    return ", " +
           percent_text(static_cast<double>(result_.quantized_bytes) / static_cast<double>(result_.original_bytes)) +
           " of the size";
  }

  void sides(const Difference& difference) {
    if (difference.original.empty() && difference.quantized.empty()) return;
    const auto side = [](const std::string& value) {
      return value.empty() ? std::string("<span class=\"count\">nothing</span>") : code(value);
    };
    out_ += "<div class=\"arrow\">" + side(difference.original) + "<span>&rarr;</span>" + side(difference.quantized) +
            "</div>";
  }

  void wrong() {
    if (result_.ok()) return;
    out_ += "<h2>Wrong</h2>\n";
    for (const Difference& difference : result_.differences) {
      if (difference.verdict != Verdict::wrong) continue;
      out_ += "<div class=\"card find\"><code><b>" + escaped(difference.where) + "</b></code><p>" +
              escaped(difference.what) + "</p>";
      sides(difference);
      if (!difference.remedy.empty()) out_ += "<p class=\"remedy\">" + escaped(difference.remedy) + "</p>";
      out_ += "</div>\n";
    }
  }

  // --- Modules ---

  void tree() {
    Node root;
    for (const TensorComparison& tensor : result_.tensors) insert(root, tensor);
    out_ +=
        "<h2>Architecture</h2><div class=\"card tree\"><div class=\"row head\"><span>tensor</span><span>original</span>"
        "<span>quantized</span><span>error</span><span></span></div>\n";
    for (const TensorComparison* tensor : root.tensors) row(*tensor);
    for (const std::string& name : root.order) module(name, *root.children[name], 0);
    out_ += "</div>\n";
  }

  void module(std::string name, const Node& node, int depth) {
    // A chain of modules that hold nothing else is one line: "self_attn.q_proj".
    const Node* at = &node;
    while (at->tensors.empty() && at->order.size() == 1) {
      name += "." + at->order.front();
      at = at->children.at(at->order.front()).get();
    }
    if (at->order.empty() && at->tensors.size() == 1) {
      row(*at->tensors.front(), name + ".");
      return;
    }
    const std::int64_t bad = at->counts[static_cast<std::size_t>(Verdict::wrong)];
    const std::int64_t total = at->counts[0] + at->counts[1] + at->counts[2] + at->counts[3];
    out_ += std::string("<details") + (bad > 0 || depth == 0 ? " open" : "") + "><summary><code>" + escaped(name) +
            "</code><span class=\"count\">" + plural(total, "tensor") + "</span>";
    tags([&](Verdict verdict) { return at->counts[static_cast<std::size_t>(verdict)]; });
    if (at->largest_error >= 0)
      out_ += "<span class=\"count\">error up to " + percent_text(at->largest_error) + "</span>";
    out_ += "</summary>\n";
    for (const TensorComparison* tensor : at->tensors) row(*tensor);
    for (const std::string& child : at->order) module(child, *at->children.at(child), depth + 1);
    out_ += "</details>\n";
  }

  void row(const TensorComparison& tensor, std::string leaf = "") {
    leaf += split_tensor_name(tensor.name).second;
    out_ += "<div class=\"row\" title=\"" + escaped(tensor.name) + "\"><span>" + code(leaf) + "</span><span>" +
            code(tensor.original.to_string()) + "</span><span>" + code(tensor.quantized.to_string()) +
            "</span><span class=\"err\">" + error_of(tensor) + "</span><span>" + tag(tensor.verdict) +
            "</span></div>\n";
  }

  std::string error_of(const TensorComparison& tensor) const {
    if (!tensor.values_read) return "";
    if (!tensor.has_fit) {
      if (tensor.max_abs_difference == 0) return tensor.bytes_equal ? "same bytes" : "same values";
      std::array<char, 48> text{};
      std::snprintf(text.data(), text.size(), "differs by up to %.3g", tensor.max_abs_difference);
      return text.data();
    }
    // Bars are to the scale of what is right; what is wrong gets a full one.
    const double error = tensor.fit.relative_error;
    const bool bad = tensor.verdict == Verdict::wrong;
    const double share = bad || largest_error_ <= 0 ? 1 : error / largest_error_;
    std::array<char, 16> width{};
    std::snprintf(width.data(), width.size(), "%.0f", kBarWidth * share);
    return std::string("<span class=\"bar") + (bad ? " bad" : "") + "\" style=\"width:" + width.data() +
           "px\"></span>" + percent_text(error);
  }

  // --- Tables ---

  void config() {
    std::int64_t different = 0;
    for (const ConfigComparison& field : result_.config) different += field.verdict != Verdict::same ? 1 : 0;
    out_ += "<h2>Configuration</h2><div class=\"card\">";
    const auto table = [&](bool same) {
      out_ +=
          "<div class=\"scroll\"><table "
          "class=\"stack\"><thead><tr><th>field</th><th>original</th><th>quantized</th><th></th></tr></thead><tbody>\n";
      for (const ConfigComparison& field : result_.config) {
        if ((field.verdict == Verdict::same) != same) continue;
        out_ += "<tr><td>" + code(field.key) + "</td><td data-l=\"original\">" + code(field.original) +
                "</td><td data-l=\"quantized\">" + code(field.quantized) + "</td><td>" + tag(field.verdict) +
                "</td></tr>\n";
      }
      out_ += "</tbody></table></div>";
    };
    if (different > 0) table(false);
    const std::int64_t same = static_cast<std::int64_t>(result_.config.size()) - different;
    out_ += "<details><summary>" + plural(same, "field") + " the same</summary>";
    table(true);
    out_ += "</details></div>\n";
  }

  void files() {
    out_ +=
        "<h2>Files</h2><div class=\"card scroll\"><table class=\"stack\"><thead><tr><th>file</th><th>original</th>"
        "<th>quantized</th><th></th></tr></thead><tbody>\n";
    const auto side = [](bool there, std::uint64_t bytes, const std::string& sha256) {
      if (!there) return std::string();
      return size_text(bytes) + " <code title=\"SHA-256 " + sha256 + "\">" + sha256.substr(0, 12) + "</code>";
    };
    for (const FileComparison& file : result_.files) {
      out_ += "<tr><td>" + code(file.name) + "</td><td data-l=\"original\">" +
              side(file.in_original, file.original_bytes, file.original_sha256) + "</td><td data-l=\"quantized\">" +
              side(file.in_quantized, file.quantized_bytes, file.quantized_sha256) + "</td><td>" + tag(file.verdict) +
              "</td></tr>\n";
    }
    out_ += "</tbody></table></div>\n";
  }

  void list(const char* title, Verdict verdict, bool open) {
    if (result_.count(verdict) == 0) return;
    out_ += "<h2>" + std::string(title) + "</h2><div class=\"card\"><details" + (open ? " open" : "") + "><summary>" +
            plural(result_.count(verdict), "difference") +
            "</summary><div class=\"scroll\"><table class=\"stack\"><thead><tr><th>where</th><th>what</th><th>original "
            "&rarr; quantized</th></tr></thead><tbody>\n";
    for (const Difference& difference : result_.differences) {
      if (difference.verdict != verdict) continue;
      out_ += "<tr><td>" + code(difference.where) + "</td><td>" + escaped(difference.what) + "</td><td>";
      sides(difference);
      out_ += "</td></tr>\n";
    }
    out_ += "</tbody></table></div></details></div>\n";
  }

  void footer() {
    std::array<char, 32> seconds{};
    std::snprintf(seconds.data(), seconds.size(), "%.2f", result_.seconds);
    out_ += "<footer>Octavo " + std::string(kVersion) + ", compared in " + seconds.data() +
            " s. Error of an int8 linear: ||W - q&middot;s|| / ||W||. Hover over a hash to see all of it.</footer>\n";
  }

  const CompareResult& result_;
  double largest_error_ = 0;
  std::string out_;
};

}  // namespace
}  // namespace pipeline

std::string CompareResult::to_html() const { return pipeline::Page(*this).render(); }

}  // namespace octavo
