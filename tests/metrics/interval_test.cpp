// Intervals of shares: against scipy's and a published table, and by how often they hold the truth.
#include "octavo/interval.hpp"

#include <cstdint>
#include <random>
#include <vector>

#include "catch.hpp"
#include "octavo/error.hpp"
#include "octavo/interval.hpp"

using namespace octavo;

TEST_CASE("Wilson's interval is scipy's") {
  struct Case {
    std::int64_t right, total;
    double low, high;
  };
  // scipy.stats.binomtest(right, total).proportion_ci(method="wilson"), scipy 1.17.
  for (const Case& given : std::vector<Case>{{0, 10, 0, 0.27753279986288926},
                                             {38, 40, 0.8349612263085903, 0.9861793326138516},
                                             {40, 40, 0.9123783988027133, 1},
                                             {1, 2, 0.09453120573423074, 0.9054687942657693},
                                             {550, 1000, 0.5190327082257412, 0.5805846159257032},
                                             {0, 1, 0, 0.7934506856227626}}) {
    CAPTURE(given.right, given.total);
    const Interval interval = share_interval(given.right, given.total);
    CHECK(interval.low == Approx(given.low).margin(1e-14));
    CHECK(interval.high == Approx(given.high).margin(1e-14));
  }
  CHECK(share_interval(0, 0).low == 0);
  CHECK(share_interval(0, 0).high == 1);
  CHECK_THROWS_AS(share_interval(3, 2), Error);
  CHECK_THROWS_AS(share_interval(-1, 2), Error);
}

TEST_CASE("McNemar's exact test is scipy's binomial test") {
  // scipy.stats.binomtest(first_only, first_only + second_only, 0.5).pvalue
  CHECK(mcnemar_p({10, 5, 0, 3}) == Approx(0.0625));
  CHECK(mcnemar_p({0, 3, 9, 0}) == Approx(0.14599609375));
  CHECK(mcnemar_p({1, 40, 25, 1}) == Approx(0.08168153394154003));
  CHECK(mcnemar_p({1, 700, 600, 1}) == Approx(0.0060157938610449395));
  CHECK(mcnemar_p({7, 4, 4, 7}) == 1);
  CHECK(mcnemar_p({7, 0, 0, 7}) == 1);
}

TEST_CASE("Newcombe's interval of a paired difference is the published one") {
  // Fagerland, Lydersen and Laake 2014, "Recommended tests and confidence intervals for paired binomial proportions",
  // airway hyper-responsiveness before and after a transplantation (Bentur et al. 2009).
  const Interval interval = difference_interval({1, 1, 7, 12});
  CHECK(interval.low == Approx(-0.507).margin(0.0006));
  CHECK(interval.high == Approx(-0.026).margin(0.0006));
}

TEST_CASE("the interval of a difference turns over with its models and closes with more samples") {
  const Interval there = difference_interval({30, 9, 3, 8}), back = difference_interval({30, 3, 9, 8});
  CHECK(there.low == Approx(-back.high));
  CHECK(there.high == Approx(-back.low));
  CHECK(there.low < 0.12);
  CHECK(there.high > 0.12);
  const Interval more = difference_interval({3000, 900, 300, 800});
  CHECK(more.high - more.low < (there.high - there.low) / 8);
  const Interval same = difference_interval({20, 0, 0, 20});
  CHECK(same.low < 0);  // forty equal answers do not prove that the next one is equal
  CHECK(same.high > 0);
  CHECK(difference_interval({}).low == -1);
  CHECK(difference_interval({}).high == 1);
}

TEST_CASE("95 of 100 intervals hold the true difference") {
  std::mt19937 random(20261126);
  std::uniform_real_distribution<double> uniform(0, 1);
  for (const double lost : {0.02, 0.1, 0.3}) {
    constexpr double kBoth = 0.6, kGained = 0.03;
    int held = 0;
    constexpr int kTrials = 4000;
    for (int trial = 0; trial < kTrials; ++trial) {
      PairedCounts counts;
      for (int sample = 0; sample < 80; ++sample) {
        const double draw = uniform(random);
        counts.add(draw < kBoth + lost, draw < kBoth || (draw >= kBoth + lost && draw < kBoth + lost + kGained));
      }
      const Interval interval = difference_interval(counts);
      held += interval.low <= lost - kGained && lost - kGained <= interval.high ? 1 : 0;
    }
    CAPTURE(lost, held);
    CHECK(held > kTrials * 0.94);
    CHECK(held < kTrials * 0.995);
  }
}
