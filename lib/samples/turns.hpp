// Conversations: turns of text and pictures, and which picture belongs where.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "octavo/json.hpp"
#include "octavo/samples.hpp"
#include "pictures.hpp"

namespace octavo::samples {

/// A piece of a turn: text, a picture of its own, or the place of one that is listed elsewhere in the sample.
struct Piece {
  enum class Kind { text, picture, place } kind = Kind::text;
  std::string text = {};
  std::optional<SampleImage> picture = {};
};

struct Turn {
  std::string role;   ///< system, user, assistant
  std::string where;  ///< for messages
  std::vector<Piece> pieces;
};

/// Text with `<image>` in it: each is the place of a picture. Refuses what would be another kind of input to the model:
/// the vision tokens of the chat template, `<video>`, `<audio>`.
std::vector<Piece> pieces_of(const std::string& text, const std::string& where);
/// An array of {"role", "content"} or {"from", "value"}.
std::vector<Turn> turns_of(const Json& list, PicturePlace& place);
/// The text of a turn that may not have pictures.
std::string text_alone(const Turn& turn);
/// Puts `listed` into the places, or, where there is no place and `may_stand_first`, before the first user turn's text;
/// moves all of it into the sample.
void settle(std::vector<Turn> turns, std::vector<SampleImage> listed, bool may_stand_first, const std::string& where,
            Sample& sample);

}  // namespace octavo::samples
