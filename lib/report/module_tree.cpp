// Both architectures as one tree of modules, a line per tensor.
#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <memory>

#include "compare_page.hpp"
#include "html.hpp"

namespace octavo::report {
namespace {

using html::code;
using html::escaped;

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

class Tree {
 public:
  Tree(const CompareResult& result, bool unfolded) : result_(result), unfolded_(unfolded) {
    for (const TensorComparison& tensor : result.tensors) {
      if (tensor.has_fit && tensor.verdict != Verdict::wrong && std::isfinite(tensor.fit.relative_error)) {
        largest_error_ = std::max(largest_error_, tensor.fit.relative_error);
      }
    }
  }

  std::string render() {
    Node root;
    for (const TensorComparison& tensor : result_.tensors) insert(root, tensor);
    out_ =
        "<div class=\"card tree\"><div class=\"row head\"><span>tensor</span><span>original</span>"
        "<span>quantized</span><span>error</span><span></span></div>\n";
    for (const TensorComparison* tensor : root.tensors) row(*tensor);
    for (const std::string& name : root.order) module(name, *root.children[name], 0);
    out_ += "</div>\n";
    return std::move(out_);
  }

 private:
  static constexpr double kBarWidth = 80;  // pixels

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
    out_ += std::string("<details") + (bad > 0 || (depth == 0 && unfolded_) ? " open" : "") + "><summary><code>" +
            escaped(name) + "</code><span class=\"count\">" + html::plural(total, "tensor") + "</span>";
    out_ += verdict_tags_html([&](Verdict verdict) { return at->counts[static_cast<std::size_t>(verdict)]; });
    if (at->largest_error >= 0)
      out_ += "<span class=\"count\">error up to " + html::percent(at->largest_error) + "</span>";
    out_ += "</summary>\n";
    for (const TensorComparison* tensor : at->tensors) row(*tensor);
    for (const std::string& child : at->order) module(child, *at->children.at(child), depth + 1);
    out_ += "</details>\n";
  }

  void row(const TensorComparison& tensor, std::string leaf = "") {
    leaf += split_tensor_name(tensor.name).second;
    out_ += "<div class=\"row\" title=\"" + escaped(tensor.name) + "\"><span>" + code(leaf) + "</span><span>" +
            code(tensor.original.to_string()) + "</span><span>" + code(tensor.quantized.to_string()) +
            "</span><span class=\"err\">" + error_of(tensor) + "</span><span>" +
            html::tag(verdict_name(tensor.verdict), verdict_name(tensor.verdict)) + "</span></div>\n";
  }

  std::string error_of(const TensorComparison& tensor) const {
    if (!tensor.values_read) return "";
    if (!tensor.has_fit) {
      if (tensor.max_abs_difference == 0) return tensor.bytes_equal ? "same bytes" : "same values";
      return "differs by up to " + html::number(tensor.max_abs_difference);
    }
    // Bars are to the scale of what is right; what is wrong gets a full one.
    const double error = tensor.fit.relative_error;
    const bool bad = tensor.verdict == Verdict::wrong || !std::isfinite(error);
    const double share = bad || largest_error_ <= 0 ? 1 : error / largest_error_;
    return std::string("<span class=\"bar") + (bad ? " bad" : "") +
           "\" style=\"width:" + html::fixed(kBarWidth * share, 0) + "px\"></span>" + html::percent(error);
  }

  const CompareResult& result_;
  bool unfolded_;
  double largest_error_ = 0;
  std::string out_;
};

}  // namespace

std::string module_tree_html(const CompareResult& result, bool unfolded) { return Tree(result, unfolded).render(); }

}  // namespace octavo::report
