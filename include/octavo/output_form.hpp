/// @file
/// Answers of a fixed form: a JSON schema, a template such as `{"bbox_2d": [int, int, int, int]}`, a regular
/// expression, or a list of texts. While such an answer is generated, tokens that cannot continue a text of the form
/// are never chosen, so that what is complete parses. docs/output_form.md has what each kind takes.
///
///     GenerateOptions options;
///     options.form = OutputForm::example(R"({"bbox_2d": [int, int, int, int], "label": string})");
///     Json answer = Json::parse(model.generate(input, options).text, "answer");
///
/// The form is a pushdown automaton over bytes, and the vocabulary a tree of bytes: a token is allowed exactly when its
/// bytes, be they half a character or several parts of the form, lead to a state from which a complete text can be
/// reached. Source: Willard and Louf 2023 (arXiv:2307.09702) for masks by automaton; Tomita 1985 for stacks that share
/// their lower part.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "octavo/error.hpp"

namespace octavo {

/// White space in JSON that a form allows outside of strings.
///   one_space  one space or none after each `,` and `:`, as json.dumps writes by default or with separators without.
///   lines      also a line break with at most 32 spaces or tabs after each `{`, `[`, `,` and before each `}` and `]`.
enum class FormSpacing : std::uint8_t { one_space, lines };

struct FormOptions {
  FormSpacing spacing = FormSpacing::one_space;
  bool fence = false;  ///< the text stands between "```json\n" and "\n```", as models write JSON in chats
};

/// Immutable; may be shared between threads; copies share it. What is made from text refuses a form that no text has,
/// and one of more than 100,000 states, with invalid_argument. Values nest at most 192 deep, choices and references
/// counted.
class OutputForm {
 public:
  /// JSON texts that a JSON Schema (2020-12, and the older spellings that mean the same) describes.
  /// @throws Error  format for text that is no JSON; unsupported naming the keyword, where it stands, that is not
  ///                honoured: none but annotations is ignored. invalid_argument as above.
  static OutputForm json_schema(std::string_view schema, const FormOptions& options = {});
  /// JSON texts like a template: JSON whose values may be the words int, number, string, bool, null, any, with ranges
  /// (`int(0, 999)`, `string(1, 20)`), choices (`"yes" | "no" | null`), keys that may be left out (`"label"?: string`)
  /// and counts of elements (`[int * 4]`, `[string * 0..5]`, `[int, ...]`).
  /// @throws Error  format naming the byte of the template that cannot be read; invalid_argument as above.
  static OutputForm example(std::string_view text, const FormOptions& options = {});
  /// Texts that a regular expression matches from begin to end: the part of ECMA-262's that describes regular
  /// languages, over Unicode characters.
  /// @throws Error  format or unsupported naming the byte of the expression; invalid_argument as above.
  static OutputForm pattern(std::string_view expression);
  /// One of these texts, UTF-8, none empty.
  static OutputForm choices(std::span<const std::string> texts);

  bool matches(std::string_view text) const;  ///< whether it has the form, from begin to end
  bool begins(std::string_view text) const;   ///< whether a text of the form begins like that
  std::size_t states() const noexcept;        ///< of the automaton: what the form costs to hold

 private:
  friend class FormState;
  struct Impl;
  explicit OutputForm(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}
  std::shared_ptr<const Impl> impl_;
};

/// The tokens of a vocabulary as a tree of bytes, made once per tokenizer. Immutable; may be shared between threads.
class FormVocabulary {
 public:
  /// `bytes` by token id; an empty one (special, unknown) is never part of a text of any form.
  explicit FormVocabulary(std::span<const std::string> bytes);

 private:
  friend class FormState;
  struct Impl;
  std::shared_ptr<const Impl> impl_;
};

/// One answer as far as it is written: for those who choose tokens themselves, from Session's logits;
/// GenerateOptions::form does all of it. Belongs to one thread at a time. Copies are independent.
class FormState {
 public:
  /// `ends`: ids that end an answer. They are allowed exactly when the text is complete, and are no part of it.
  FormState(OutputForm form, FormVocabulary vocabulary, std::vector<std::int32_t> ends);
  FormState(const FormState& other);
  FormState(FormState&&) noexcept;
  FormState& operator=(FormState) noexcept;
  ~FormState();

  /// -infinity for every token that may not come next. logits: f32 [vocab]; ids beyond the vocabulary are no text.
  /// @throws Error  unsupported when no token is left: the vocabulary lacks a byte that the form needs.
  void mask(std::span<float> logits) const;
  /// @throws Error  invalid_argument for a token that may not come next.
  void take(std::int32_t id);

  bool complete() const noexcept;   ///< the text has the form; more may follow
  bool exhausted() const noexcept;  ///< complete, and nothing may follow

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace octavo
