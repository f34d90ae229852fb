#include "evaluate.hpp"

#include <algorithm>
#include <utility>

#include "../unicode.hpp"
#include "lexer.hpp"
#include "octavo/error.hpp"

namespace octavo::text::jinja {
namespace {

constexpr std::int64_t kMaxSteps = 500'000;  // statements and expressions: a file must not run for ever

[[noreturn]] void fail(int line, const std::string& what) {
  throw Error(ErrorCode::invalid_argument, "line " + std::to_string(line) + ": " + what);
}

class Renderer {
 public:
  explicit Renderer(Dict variables) { scopes_.push_back(std::move(variables)); }

  void run(const Block& block) {
    for (const Statement& statement : block) {
      step(statement.line);
      switch (statement.kind) {
        case Statement::Kind::text: {
          Text text;
          text.bytes = statement.text;
          write(text, statement.line);
          break;
        }
        case Statement::Kind::output:
          write(located(statement.line, [&] { return printed(value_of(*statement.expressions[0])); }), statement.line);
          break;
        case Statement::Kind::branch:
          branch(statement);
          break;
        case Statement::Kind::loop:
          loop(statement);
          break;
        case Statement::Kind::assign:
          assign(statement);
          break;
      }
    }
  }

  Text take() { return std::move(out_); }

 private:
  void step(int line) {
    if (++steps_ > kMaxSteps) not_supported(line, "the template takes more than 500000 steps");
  }
  void write(const Text& text, int line) {
    out_.append(text);
    if (out_.bytes.size() > kMaxBytes) not_supported(line, "the prompt is longer than 64 MiB");
  }

  /// Errors of values know no line.
  template <class Function>
  static auto located(int line, Function function) -> decltype(function()) {
    try {
      return function();
    } catch (const Error& error) {
      const std::string what = error.what();
      if (what.rfind("line ", 0) == 0) throw;
      throw Error::of(error.code(), "line " + std::to_string(line) + ": " + what);
    }
  }

  Value* find(const std::string& name) {
    for (auto scope = scopes_.rbegin(); scope != scopes_.rend(); ++scope)
      for (auto& [key, value] : *scope)
        if (key == name) return &value;
    return nullptr;
  }

  static void set(Dict& scope, const std::string& name, Value value) {
    const auto found =
        std::find_if(scope.begin(), scope.end(), [&](const auto& member) { return member.first == name; });
    if (found != scope.end())
      found->second = std::move(value);
    else
      scope.emplace_back(name, std::move(value));
  }

  void branch(const Statement& statement) {
    for (std::size_t i = 0; i < statement.expressions.size(); ++i)
      if (value_of(*statement.expressions[i]).truthy()) return run(statement.blocks[i]);
    if (statement.blocks.size() > statement.expressions.size()) run(statement.blocks.back());
  }

  List items_of(const Value& value, int line) const {
    if (value.kind == Value::Kind::undefined) return {};
    if (value.kind == Value::Kind::list) return *value.list;
    List items;
    if (value.kind == Value::Kind::dict && !value.is_namespace) {
      for (const auto& member : *value.dict) items.push_back(Value::of(member.first));
    } else if (value.kind == Value::Kind::text) {
      for (std::size_t at = 0; at < value.text.bytes.size();) {
        const std::size_t begin = at;
        next_code_point(value.text.bytes, at);
        items.push_back(Value::of(value.text.substr(begin, at)));
      }
    } else {
      fail(line, std::string("'") + type_name(value) + "' object is not iterable");
    }
    return items;
  }

  void bind(const Statement& statement, const Value& item) {
    if (statement.names.size() == 1) return set(scopes_.back(), statement.names[0], item);
    const List parts = items_of(item, statement.line);
    if (parts.size() != statement.names.size())
      fail(statement.line, "the loop's variables are not as many as its values");
    for (std::size_t i = 0; i < parts.size(); ++i) set(scopes_.back(), statement.names[i], parts[i]);
  }

  void loop(const Statement& statement) {
    List items = items_of(value_of(*statement.expressions[0]), statement.line);
    scopes_.emplace_back();
    if (statement.expressions.size() > 1) {
      List kept;
      for (Value& item : items) {
        step(statement.line);
        bind(statement, item);
        if (value_of(*statement.expressions[1]).truthy()) kept.push_back(std::move(item));
      }
      items = std::move(kept);
    }
    const auto count = static_cast<std::int64_t>(items.size());
    for (std::int64_t i = 0; i < count; ++i) {
      const auto at = static_cast<std::size_t>(i);
      step(statement.line);
      scopes_.back().clear();  // what an iteration sets is forgotten after it
      bind(statement, items[at]);
      Dict about{
          {"index0", Value::of(i)},           {"index", Value::of(i + 1)},  {"revindex0", Value::of(count - 1 - i)},
          {"revindex", Value::of(count - i)}, {"first", Value::of(i == 0)}, {"last", Value::of(i + 1 == count)},
          {"length", Value::of(count)}};
      if (i > 0) about.emplace_back("previtem", items[at - 1]);
      if (i + 1 < count) about.emplace_back("nextitem", items[at + 1]);
      set(scopes_.back(), "loop", Value::of(std::move(about)));
      run(statement.blocks[0]);
    }
    scopes_.pop_back();
    if (count == 0 && statement.blocks.size() > 1) run(statement.blocks[1]);
  }

  void assign(const Statement& statement) {
    Value value = value_of(*statement.expressions[0]);
    if (statement.names.size() == 1) return set(scopes_.back(), statement.names[0], std::move(value));
    Value* target = find(statement.names[0]);
    if (target == nullptr || !target->is_namespace)
      fail(statement.line, "cannot assign attribute on non-namespace object");
    set(*target->dict, statement.names[1], std::move(value));
  }

  Value value_of(const Expression& expression) {
    step(expression.line);
    Value value = located(expression.line, [&] { return evaluate(expression); });
    const std::size_t size = value.text.bytes.size() + (value.list != nullptr ? value.list->size() * sizeof(Value) : 0);
    if (size > kMaxBytes) not_supported(expression.line, "a value is longer than 64 MiB");
    steps_ += static_cast<std::int64_t>(size / 1024);  // long values take their time
    return value;
  }

  Value evaluate(const Expression& e) {
    switch (e.kind) {
      case Expression::Kind::literal:
        return e.value;
      case Expression::Kind::variable: {
        const Value* found = find(e.name);
        return found != nullptr ? *found : Value::undefined(e.name);
      }
      case Expression::Kind::list: {
        List items;
        for (const ExpressionPtr& item : e.operands) items.push_back(value_of(*item));
        return Value::of(std::move(items));
      }
      case Expression::Kind::attribute:
        return attribute(e);
      case Expression::Kind::slice:
        return slice(e);
      case Expression::Kind::call:
        return call(e);
      case Expression::Kind::filter:
        return apply_filter(e.name, arguments_of(e));
      case Expression::Kind::test: {
        if (e.operands.size() > 1)
          not_supported(e.line, "'is " + e.name + "' with arguments is not among what Octavo has");
        return Value::of(apply_test(e.name, value_of(*e.operands[0])));
      }
      case Expression::Kind::unary: {
        const Value value = value_of(*e.operands[0]);
        if (e.name == "not") return Value::of(!value.truthy());
        if (value.kind != Value::Kind::integer)
          fail(e.line, std::string("bad operand type for unary -: '") + type_name(value) + "'");
        return Value::of(-value.integer);
      }
      case Expression::Kind::binary:
        return binary(e);
      case Expression::Kind::condition:
        if (value_of(*e.operands[0]).truthy()) return value_of(*e.operands[1]);
        return e.operands[2] != nullptr ? value_of(*e.operands[2]) : Value::undefined("the expression without else");
    }
    return {};
  }

  std::vector<Value> arguments_of(const Expression& e) {
    std::vector<Value> values;
    for (std::size_t i = 0; i < e.operands.size(); ++i) {
      if (i < e.keywords.size() && !e.keywords[i].empty())
        not_supported(e.line, "the argument '" + e.keywords[i] + "' is not among what Octavo has of Jinja");
      values.push_back(value_of(*e.operands[i]));
    }
    return values;
  }

  Value attribute(const Expression& e) {
    const Value object = value_of(*e.operands[0]);
    const Value key = e.operands.size() > 1 ? value_of(*e.operands[1]) : Value::of(e.name);
    if (object.kind == Value::Kind::undefined) fail(e.line, "'" + object.text.bytes + "' is undefined");
    if (key.kind == Value::Kind::text) {
      const Value* found = object.find(key.text.bytes);
      return found != nullptr ? *found : Value::undefined(key.text.bytes);
    }
    if (key.kind == Value::Kind::integer && (object.kind == Value::Kind::list || object.kind == Value::Kind::text)) {
      const List items = items_of(object, e.line);
      const auto count = static_cast<std::int64_t>(items.size());
      const std::int64_t at = key.integer < 0 ? key.integer + count : key.integer;
      if (at >= 0 && at < count) return items[static_cast<std::size_t>(at)];
    }
    return Value::undefined("an element of a " + std::string(type_name(object)));
  }

  Value slice(const Expression& e) {
    const Value object = value_of(*e.operands[0]);
    if (object.kind != Value::Kind::list && object.kind != Value::Kind::text)
      fail(e.line, std::string("'") + type_name(object) + "' object is not sliced");
    const List items = items_of(object, e.line);
    const auto count = static_cast<std::int64_t>(items.size());
    const auto part = [&](std::size_t i, std::int64_t otherwise) {
      if (e.operands[i] == nullptr) return otherwise;
      const Value value = value_of(*e.operands[i]);
      if (value.kind == Value::Kind::none) return otherwise;
      if (value.kind != Value::Kind::integer) fail(e.line, "slice indices must be integers");
      return value.integer;
    };
    const std::int64_t stride = part(3, 1);
    if (stride != 1 && stride != -1) not_supported(e.line, "slices in steps are not among what Octavo has of Jinja");
    const auto place = [&](std::int64_t at, std::int64_t least, std::int64_t most) {
      return std::clamp(at < 0 ? std::max<std::int64_t>(at, -count) + count - (at < -count ? 1 : 0) : at, least, most);
    };
    List taken;
    if (stride == 1) {
      const std::int64_t begin = place(part(1, 0), 0, count);
      const std::int64_t end = place(part(2, count), 0, count);
      for (std::int64_t i = begin; i < end; ++i) taken.push_back(items[static_cast<std::size_t>(i)]);
    } else {
      const std::int64_t begin = e.operands[1] == nullptr ? count - 1 : place(part(1, 0), -1, count - 1);
      const std::int64_t end = e.operands[2] == nullptr ? -1 : place(part(2, 0), -1, count - 1);
      for (std::int64_t i = begin; i > end; --i) taken.push_back(items[static_cast<std::size_t>(i)]);
    }
    if (object.kind == Value::Kind::list) return Value::of(std::move(taken));
    Text text;
    for (const Value& character : taken) text.append(character.text);
    return Value::of(std::move(text));
  }

  Value call(const Expression& e) {
    const Expression& callee = *e.operands[0];
    if (callee.kind == Expression::Kind::attribute && callee.operands.size() == 1) {
      std::vector<Value> arguments = arguments_of_call(e);
      arguments[0] = value_of(*callee.operands[0]);
      if (arguments[0].kind == Value::Kind::undefined) fail(e.line, "'" + arguments[0].text.bytes + "' is undefined");
      return call_method(callee.name, arguments);
    }
    if (callee.kind == Expression::Kind::variable && find(callee.name) == nullptr) {
      if (callee.name == "namespace") {
        Dict members;
        for (std::size_t i = 1; i < e.operands.size(); ++i) {
          if (e.keywords[i].empty()) not_supported(e.line, "namespace() of a dictionary is not among what Octavo has");
          set(members, e.keywords[i], value_of(*e.operands[i]));
        }
        Value made = Value::of(std::move(members));
        made.is_namespace = true;
        return made;
      }
      if (callee.name == "raise_exception" && e.operands.size() == 2)
        fail(e.line,
             "the template refuses the conversation: " + printed(value_of(*e.operands[1])).bytes.substr(0, 200));
      if (callee.name == "range") return range(e);
      not_supported(e.line, "the function '" + callee.name + "' is not among what Octavo has of Jinja");
    }
    fail(e.line, std::string("'") + type_name(value_of(callee)) + "' object is not callable");
  }

  std::vector<Value> arguments_of_call(const Expression& e) {
    std::vector<Value> values(1);
    for (std::size_t i = 1; i < e.operands.size(); ++i) {
      if (!e.keywords[i].empty())
        not_supported(e.line, "the argument '" + e.keywords[i] + "' is not among what Octavo has of Jinja");
      values.push_back(value_of(*e.operands[i]));
    }
    return values;
  }

  Value range(const Expression& e) {
    const std::vector<Value> arguments = arguments_of_call(e);
    for (std::size_t i = 1; i < arguments.size(); ++i)
      if (arguments[i].kind != Value::Kind::integer) fail(e.line, "range() takes integers");
    if (arguments.size() < 2 || arguments.size() > 3)
      not_supported(e.line, "range() in steps is not among what Octavo has");
    const std::int64_t begin = arguments.size() == 3 ? arguments[1].integer : 0;
    const std::int64_t end = arguments.back().integer;
    if (begin<end&& static_cast<std::uint64_t>(end) - static_cast<std::uint64_t>(begin)> 100'000)
      not_supported(e.line, "range() is longer than 100000");
    List items;
    for (std::int64_t i = begin; i < end; ++i) items.push_back(Value::of(i));
    return Value::of(std::move(items));
  }

  Value binary(const Expression& e) {
    Value left = value_of(*e.operands[0]);
    if (e.name == "and") return left.truthy() ? value_of(*e.operands[1]) : left;
    if (e.name == "or") return left.truthy() ? left : value_of(*e.operands[1]);
    const Value right = value_of(*e.operands[1]);
    return apply_operator(e.name, left, right);
  }

  std::vector<Dict> scopes_;
  Text out_;
  std::int64_t steps_ = 0;
};

}  // namespace

Text render(const Block& block, Dict variables) {
  Renderer renderer(std::move(variables));
  renderer.run(block);
  return renderer.take();
}

}  // namespace octavo::text::jinja
