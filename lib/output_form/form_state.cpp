#include <algorithm>
#include <limits>
#include <unordered_map>
#include <utility>

#include "automaton.hpp"
#include "form.hpp"
#include "octavo/output_form.hpp"
#include "vocabulary.hpp"

namespace octavo {
namespace {

using output_form::kNowhere;
using output_form::PositionId;

constexpr std::size_t kMostMaskBytes = std::size_t{16} << 20;  // of one answer
constexpr std::size_t kWordBits = 64;
constexpr std::uint64_t kMostWork = 4'000'000;  // readings of a walk: well under a second; usual ones take some 10,000

}  // namespace

struct FormState::Impl {
  using Mask = std::vector<std::uint64_t>;  // a bit per id

  OutputForm form;
  FormVocabulary vocabulary;
  std::vector<std::int32_t> ends;  // sorted
  output_form::Automaton automaton;
  PositionId at;
  std::unordered_map<PositionId, Mask> masks{};  // by position: inside of a string it is the same again and again

  bool is_end(std::int32_t id) const { return std::binary_search(ends.begin(), ends.end(), id); }

  void forget_masks_beyond(std::size_t bytes) {
    if (!masks.empty() && masks.size() * masks.begin()->second.size() * sizeof(std::uint64_t) > bytes) masks.clear();
  }

  void forget(std::span<PositionId> keep) {
    masks.clear();
    automaton.forget(keep);
  }

  /// Walks the tree of tokens, and leaves a branch where the automaton does.
  Mask allowed() {
    const FormVocabulary::Impl& tree = *vocabulary.impl_;
    Mask mask((tree.bytes.size() + kWordBits - 1) / kWordBits);
    std::vector<PositionId> reached(std::size_t{tree.longest} + 1, kNowhere);  // by bytes read
    reached[0] = at;
    const std::uint64_t work = automaton.work();
    for (std::uint32_t i = 0; i + 1 < tree.nodes.size();) {
      const FormVocabulary::Impl::Node& node = tree.nodes[i];
      const PositionId to = automaton.next(reached[node.depth - 1], node.byte);
      if (to == kNowhere) {
        i = node.behind;
        continue;
      }
      reached[node.depth] = to;
      ++i;
      if (automaton.work() - work > kMostWork)
        throw Error(ErrorCode::unsupported,
                    "output form: what is written can be read in too many ways: write the form so that fewer of its "
                    "parts begin alike");
      if (automaton.full()) {
        forget({reached.data(), std::size_t{node.depth} + 1});
        at = reached[0];
      }
      for (std::uint32_t token = node.first_token; token < tree.nodes[i].first_token; ++token) {
        const auto id = static_cast<std::size_t>(tree.tokens[token]);
        mask[id / kWordBits] |= std::uint64_t{1} << (id % kWordBits);
      }
    }
    for (const std::int32_t id : ends)
      if (id >= 0 && static_cast<std::size_t>(id) < tree.bytes.size())
        mask[static_cast<std::size_t>(id) / kWordBits] &=
            ~(std::uint64_t{1} << (static_cast<std::size_t>(id) % kWordBits));
    return mask;
  }

  const Mask& mask_here() {
    if (const auto known = masks.find(at); known != masks.end()) return known->second;
    forget_masks_beyond(kMostMaskBytes);
    Mask mask = allowed();  // which may renumber where it is
    return masks.emplace(at, std::move(mask)).first->second;
  }
};

FormState::FormState(OutputForm form, FormVocabulary vocabulary, std::vector<std::int32_t> ends) {
  std::sort(ends.begin(), ends.end());
  output_form::Automaton automaton(form.impl_->grammar);
  const PositionId begin = automaton.begin();
  impl_ = std::make_unique<Impl>(
      Impl{std::move(form), std::move(vocabulary), std::move(ends), std::move(automaton), begin});
}

FormState::FormState(const FormState& other) : impl_(std::make_unique<Impl>(*other.impl_)) {}
FormState::FormState(FormState&&) noexcept = default;
FormState& FormState::operator=(FormState other) noexcept {
  impl_ = std::move(other.impl_);
  return *this;
}
FormState::~FormState() = default;

void FormState::mask(std::span<float> logits) const {
  constexpr float kNever = -std::numeric_limits<float>::infinity();
  const Impl::Mask& allowed = impl_->mask_here();
  const std::size_t known = impl_->vocabulary.impl_->bytes.size();
  std::vector<std::pair<std::size_t, float>> kept;  // ends, where they are allowed
  if (complete())
    for (const std::int32_t id : impl_->ends)
      if (id >= 0 && static_cast<std::size_t>(id) < logits.size())
        kept.emplace_back(static_cast<std::size_t>(id), logits[static_cast<std::size_t>(id)]);
  bool any = !kept.empty();
  for (std::size_t begin = 0; begin < logits.size(); begin += kWordBits) {
    const std::span<float> part = logits.subspan(begin, std::min(kWordBits, logits.size() - begin));
    const std::uint64_t bits = begin < known ? allowed[begin / kWordBits] : 0;
    if (bits == ~std::uint64_t{0} && part.size() == kWordBits) {
      any = true;
      continue;
    }
    for (std::size_t i = 0; i < part.size(); ++i) {
      if (((bits >> i) & 1U) != 0)
        any = true;
      else
        part[i] = kNever;
    }
  }
  for (const auto& [id, logit] : kept) logits[id] = logit;
  if (!any)
    throw Error(ErrorCode::unsupported,
                complete()
                    ? "output form: the answer is complete, and there is no token that ends it: name one as a stop id"
                    : "output form: no token of the vocabulary goes on with the text: it lacks a byte that the "
                      "form needs");
}

void FormState::take(std::int32_t id) {
  Impl& state = *impl_;
  const auto refuse = [&](const char* why) {
    throw Error(ErrorCode::invalid_argument, "output form: token " + std::to_string(id) + why);
  };
  if (state.is_end(id)) {
    if (!complete()) refuse(" ends the answer, which is not complete");
    return;
  }
  const auto& bytes = state.vocabulary.impl_->bytes;
  if (id < 0 || static_cast<std::size_t>(id) >= bytes.size() || bytes[static_cast<std::size_t>(id)].empty())
    refuse(" is no text");
  PositionId at = state.at;
  for (const char c : bytes[static_cast<std::size_t>(id)]) {
    at = state.automaton.next(at, static_cast<std::uint8_t>(c));
    if (at == kNowhere) refuse(" may not come next");
  }
  state.at = at;
  if (state.automaton.full()) state.forget({&state.at, 1});
}

bool FormState::complete() const noexcept { return impl_->automaton.complete(impl_->at); }
bool FormState::exhausted() const noexcept { return impl_->automaton.exhausted(impl_->at); }

}  // namespace octavo
