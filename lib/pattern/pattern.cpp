#include "octavo/pattern.hpp"

#include "octavo/error.hpp"
#include "octavo/message.hpp"
#include "python_syntax.hpp"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

namespace octavo {
namespace {

constexpr std::size_t kMaxCharacters = 1024;
// PCRE2's interpreter, not its JIT, runs the expressions: its limits hold exactly and alike on every machine, it needs
// no stack, and names are short. 200,000 steps take some 5 ms.
constexpr std::uint32_t kMaxSteps = 200'000;
constexpr std::uint32_t kMaxDepth = 20'000;
constexpr std::uint32_t kMaxHeapKiB = 16 * 1024;
constexpr std::uint32_t kMaxNesting = 200;

template <class T, void (*Free)(T*)>
struct Freed {
  void operator()(T* object) const { Free(object); }
};
using Code = std::unique_ptr<pcre2_code, Freed<pcre2_code, pcre2_code_free>>;
using CompileContext = std::unique_ptr<pcre2_compile_context, Freed<pcre2_compile_context, pcre2_compile_context_free>>;
using MatchContext = std::unique_ptr<pcre2_match_context, Freed<pcre2_match_context, pcre2_match_context_free>>;
using MatchData = std::unique_ptr<pcre2_match_data, Freed<pcre2_match_data, pcre2_match_data_free>>;

template <class Pointer>
Pointer allocated(Pointer pointer) {
  if (!pointer) throw Error(ErrorCode::out_of_memory, "no memory for a regular expression");
  return pointer;
}

std::string message_of(int code) {
  PCRE2_UCHAR text[256];
  return pcre2_get_error_message(code, text, sizeof text) < 0 ? "error " + std::to_string(code)
                                                              : reinterpret_cast<const char*>(text);
}

PCRE2_SPTR bytes(std::string_view text) { return reinterpret_cast<PCRE2_SPTR>(text.data()); }

Code compile(std::string_view expression) {
  const CompileContext context = allocated(CompileContext(pcre2_compile_context_create(nullptr)));
  pcre2_set_newline(context.get(), PCRE2_NEWLINE_LF);
  pcre2_set_parens_nest_limit(context.get(), kMaxNesting);
  int code = 0;
  PCRE2_SIZE offset = 0;
  constexpr std::uint32_t kOptions = PCRE2_UTF | PCRE2_UCP | PCRE2_MATCH_INVALID_UTF | PCRE2_NEVER_BACKSLASH_C;
  Code compiled(pcre2_compile(bytes(expression), expression.size(), kOptions, &code, &offset, context.get()));
  if (!compiled) throw pattern_detail::SyntaxError(message_of(code));
  return compiled;
}

MatchContext limits() {
  MatchContext context = allocated(MatchContext(pcre2_match_context_create(nullptr)));
  pcre2_set_match_limit(context.get(), kMaxSteps);
  pcre2_set_depth_limit(context.get(), kMaxDepth);
  pcre2_set_heap_limit(context.get(), kMaxHeapKiB);
  return context;
}

}  // namespace

struct Pattern::Impl {
  std::string text, where;
  std::string refusal;  ///< why there is no code, or empty
  Code code;
  MatchContext limit;
  static std::shared_ptr<const Impl> make(const std::string& text, const std::string& where);
};

std::shared_ptr<const Pattern::Impl> Pattern::Impl::make(const std::string& text, const std::string& where) {
  auto impl = std::make_shared<Impl>();
  impl->text = text;
  impl->where = where;
  if (text.size() > kMaxCharacters) {
    impl->refusal = where + ": the expression " + in_quotes(text) + " has " + std::to_string(text.size()) +
                    " characters, at most " + std::to_string(kMaxCharacters) + " are read";
    return impl;
  }
  try {
    impl->code = compile(pattern_detail::to_pcre2(text));
  } catch (const pattern_detail::SyntaxError& error) {
    impl->refusal = where + ": " + in_quotes(text) + " is not a regular expression: " + error.what();
  }
  impl->limit = limits();
  return impl;
}

Pattern::Pattern(const std::string& text, const std::string& where) : impl_(Impl::make(text, where)) {
  if (!impl_->refusal.empty()) throw Error(ErrorCode::format, impl_->refusal);
}

Pattern::Pattern(const std::string& text) : impl_(Impl::make(text, "pattern")) {}

bool Pattern::matches(std::string_view name) const {
  if (!impl_) return false;
  if (!impl_->refusal.empty()) throw Error(ErrorCode::format, impl_->refusal);
  const MatchData data = allocated(MatchData(pcre2_match_data_create(1, nullptr)));
  // The context is read only, though the function's type does not say so.
  const int code =
      pcre2_match(impl_->code.get(), bytes(name), name.size(), 0, PCRE2_ANCHORED, data.get(), impl_->limit.get());
  if (code >= 0) return true;
  if (code == PCRE2_ERROR_NOMATCH) return false;
  if (code == PCRE2_ERROR_NOMEMORY) throw Error(ErrorCode::out_of_memory, "no memory for a regular expression");
  throw Error(ErrorCode::format, impl_->where + ": the expression " + in_quotes(impl_->text) +
                                     " is too complex: on the name " + in_quotes(name) + ", " + message_of(code) +
                                     "; repeat less, or name the modules one by one");
}

const std::string& Pattern::text() const noexcept {
  static const std::string kEmpty;
  return impl_ ? impl_->text : kEmpty;
}

}  // namespace octavo
