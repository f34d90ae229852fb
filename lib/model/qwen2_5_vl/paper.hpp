// Both towers on paper, for plan.cpp: the same operations in the same order as vision.cpp, merger.cpp and language.cpp.
#pragma once

#include <string>
#include <vector>

#include "planner.hpp"
#include "qwen2_5_vl.hpp"

namespace octavo::model {

/// The vision tower over all images of one sequence.
class VisionPaper {
 public:
  VisionPaper(CallPlanner& planner, const VisionConfig& config, const std::vector<Grid>& grids);
  /// The image rows [G, H]; `blocks` are those to bind.
  Symbol run(const std::vector<std::int64_t>& blocks);
  std::int64_t tokens() const { return tokens_; }

 private:
  Symbol begin();
  Symbol rotated(const std::string& path, const Symbol& x);
  Symbol block(std::int64_t index, const Symbol& hidden);
  Symbol merger(const Symbol& hidden);

  CallPlanner& planner_;
  const VisionConfig& config_;
  std::int64_t images_, patches_ = 0, windows_ = 0, frames_ = 0, tokens_ = 0;
  Symbol cos_, sin_, index_;
};

/// One forward call of the language model: `batch` sequences of `q_len` new positions after `past` each. Norms and
/// products see the rows of all; caches, attention and the joining of heads run once per sequence.
class LanguagePaper {
 public:
  LanguagePaper(CallPlanner& planner, const TextConfig& config, const PlannedCall& call);
  /// @param layers  Those to bind.
  /// @param vision  The image rows among the new positions; null without.
  void run(const std::vector<std::int64_t>& layers, const Symbol* vision, bool all_logits);

 private:
  Symbol split(const std::string& path, const Symbol& x, std::int64_t heads, const char* origin);
  Symbol rotated(const std::string& path, const Symbol& x);
  Symbol attend(const std::string& path, const Symbol& x);
  Symbol layer(std::int64_t index, const Symbol& hidden);
  void logits(const Symbol& x);

  CallPlanner& planner_;
  const TextConfig& config_;
  std::int64_t batch_, past_, q_len_;
  bool cached_;
  Symbol cos_, sin_;
};

}  // namespace octavo::model
