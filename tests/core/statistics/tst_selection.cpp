// What selectors pick, against the worked tables and against plain enumeration.
#include <cmath>
#include <limits>
#include <map>
#include <random>
#include <vector>

#include <QTest>

#include "core/statistics/coverage.h"
#include "core/statistics/selection.h"

using namespace tandem;

namespace {

constexpr double kNoScore = std::numeric_limits<double>::quiet_NaN();

#define QNEAR(actual, expected, tolerance)                 \
  QVERIFY2(std::abs((actual) - (expected)) <= (tolerance), \
           qPrintable(QStringLiteral("%1, expected %2").arg(actual, 0, 'g', 17).arg(expected, 0, 'g', 17)))

/// Answers 7, 7, 3, 3, none, 7 with gold 7.
std::vector<Vote> worked_votes() {
  return {{0, true, .1}, {0, true, .2}, {1, false, .9}, {1, false, .3}, {-1, false, .9}, {0, true, .4}};
}

/// `right` votes for the right group, the wrong groups by size, then unanswered ones.
std::vector<Vote> votes_of(int right, const std::vector<int>& wrong, int unanswered) {
  std::vector<Vote> votes(static_cast<std::size_t>(right), Vote{0, true, 0.5});
  int group = 0;
  for (const int size : wrong) {
    ++group;
    votes.insert(votes.end(), static_cast<std::size_t>(size), Vote{group, false, 0.5});
  }
  votes.insert(votes.end(), static_cast<std::size_t>(unanswered), Vote{-1, false, 0.5});
  return votes;
}

/// Calls visit with every k-subset of the votes.
template <typename Visit>
void each_subset(const std::vector<Vote>& votes, std::int64_t k, Visit visit) {
  for (std::uint32_t mask = 0; mask < 1U << votes.size(); ++mask) {
    std::vector<Vote> subset;
    for (std::size_t i = 0; i < votes.size(); ++i)
      if ((mask >> i & 1U) != 0) subset.push_back(votes[i]);
    if (static_cast<std::int64_t>(subset.size()) == k) visit(subset);
  }
}

/// Right share among the heaviest groups of a subset, by the definition.
double heaviest_right(const std::vector<Vote>& subset, bool by_score) {
  std::map<int, std::pair<double, bool>> groups;
  for (const Vote& vote : subset)
    if (vote.group >= 0 && !(by_score && std::isnan(vote.score))) {
      groups[vote.group].first += by_score ? vote.score : 1;
      groups[vote.group].second = vote.correct;
    }
  double most = 0;
  for (const auto& [group, entry] : groups) most = std::max(most, entry.first);
  double tied = 0;
  double right = 0;
  for (const auto& [group, entry] : groups)
    if (entry.first >= most - 1e-12 * most) {
      ++tied;
      right += entry.second ? 1 : 0;
    }
  return tied == 0 ? 0 : right / tied;
}

double best_right(const std::vector<Vote>& subset) {
  double best = -1;
  for (const Vote& vote : subset)
    if (vote.group >= 0 && vote.score > best) best = vote.score;
  double tied = 0;
  double right = 0;
  for (const Vote& vote : subset)
    if (vote.group >= 0 && vote.score == best) {
      ++tied;
      right += vote.correct ? 1 : 0;
    }
  return tied == 0 ? 0 : right / tied;
}

std::vector<Vote> random_votes(std::mt19937_64& generator, int count) {
  std::vector<Vote> votes;
  for (int i = 0; i < count; ++i) {
    const int group = static_cast<int>(generator() % 5) - 1;
    const double score = generator() % 6 == 0 ? kNoScore : static_cast<double>(generator() % 4) / 4;
    votes.push_back(
        {group, group == 0 || group == 3, score, 0});  // two right groups: equality is not transitive
  }
  return votes;
}

}  // namespace

class TestSelection : public QObject {
  Q_OBJECT
 private slots:
  void worked_table_data() {
    QTest::addColumn<int>("k");
    QTest::addColumn<double>("coverage");
    QTest::addColumn<double>("majority");
    QTest::addColumn<double>("weighted");
    QTest::addColumn<double>("best");
    QTest::newRow("1") << 1 << 1.0 / 2 << 1.0 / 2 << 1.0 / 2 << 1.0 / 2;
    QTest::newRow("2") << 2 << 4.0 / 5 << 3.0 / 5 << 7.0 / 15 << 7.0 / 15;
    QTest::newRow("3") << 3 << 19.0 / 20 << 13.0 / 20 << 3.0 / 8 << 7.0 / 20;
    QTest::newRow("4") << 4 << 1.0 << 7.0 / 10 << 3.0 / 10 << 4.0 / 15;
    QTest::newRow("5") << 5 << 1.0 << 3.0 / 4 << 1.0 / 6 << 1.0 / 6;
    QTest::newRow("6") << 6 << 1.0 << 1.0 << 0.0 << 0.0;
  }
  void worked_table() {
    QFETCH(int, k);
    QFETCH(double, coverage);
    QFETCH(double, majority);
    QFETCH(double, weighted);
    QFETCH(double, best);
    QNEAR(pass_at_k(6, 3, k).value(), coverage, 1e-14);
    QNEAR(majority_at_k(worked_votes(), k).value(), majority, 1e-14);
    QNEAR(weighted_at_k(worked_votes(), k).value(), weighted, 1e-14);
    QNEAR(best_of_at_k(worked_votes(), k).value(), best, 1e-14);
  }

  void answers_are_grouped_as_graded() {
    using Answers = std::vector<std::optional<std::string>>;
    const Answers answers = {"1,200", "7", std::nullopt, "1200", "", "7.0", "7", " ", "1200 dollars"};
    QCOMPARE(group_answers(AnswerKind::Gsm8k, answers), (std::vector<int>{0, 1, -1, 0, -1, 1, 1, -1, 0}));
    const Answers maths = {"\\frac12", "(1,2)", "0.5", "(2,1)", "( 1, 2 )"};
    QCOMPARE(group_answers(AnswerKind::Math, maths), (std::vector<int>{0, 1, 0, 2, 1}));
    QVERIFY(group_answers(AnswerKind::Math, {}).empty());
  }

  void majority_by_polynomial() {
    const auto small = votes_of(4, {5, 3}, 0);
    const std::vector<std::pair<int, double>> small_expected = {
        {1, 1.0 / 3}, {2, 1.0 / 3}, {3, 18.0 / 55}, {5, 85.0 / 264}, {12, 0}};
    for (const auto& [k, expected] : small_expected) QNEAR(majority_at_k(small, k).value(), expected, 1e-14);
    const auto large = votes_of(10, {12, 6, 1, 1, 1, 1}, 8);
    const std::vector<std::pair<int, double>> large_expected = {
        {1, 0.25}, {5, 0.342992790361}, {10, 0.357875647125}, {20, 0.328031021710}, {40, 0}};
    for (const auto& [k, expected] : large_expected) QNEAR(majority_at_k(large, k).value(), expected, 1e-12);
  }

  void agrees_with_enumeration() {
    std::mt19937_64 generator(3);
    for (int round = 0; round < 30; ++round) {
      const auto votes = random_votes(generator, 1 + round % 10);
      for (std::int64_t k = 1; k <= static_cast<std::int64_t>(votes.size()); ++k) {
        double subsets = 0;
        double majority = 0;
        double weighted = 0;
        double best = 0;
        each_subset(votes, k, [&](const std::vector<Vote>& subset) {
          ++subsets;
          majority += heaviest_right(subset, false);
          weighted += heaviest_right(subset, true);
          best += best_right(subset);
        });
        QNEAR(majority_at_k(votes, k).value(), majority / subsets, 1e-12);
        QNEAR(weighted_at_k(votes, k).value(), weighted / subsets, 1e-12);
        QNEAR(best_of_at_k(votes, k).value(), best / subsets, 1e-12);
      }
    }
  }

  void equal_scores_make_it_a_majority_vote() {
    const auto votes = votes_of(4, {5, 3}, 2);
    for (std::int64_t k = 1; k <= 14; ++k)
      QNEAR(weighted_at_k(votes, k).value(), majority_at_k(votes, k).value(), 1e-12);
    // Best-of-N of equal scores is a draw among the answered: here the subset's mean share of right ones.
    QNEAR(best_of_at_k(votes_of(4, {5, 3}, 0), 5).value(), 4.0 / 12, 1e-14);
  }

  void many_completions_are_sampled_reproducibly() {
    const auto votes = votes_of(120, {100, 60}, 40);  // 320: beyond the exact form
    const double sampled = majority_at_k(votes, 9, 1).value();
    QCOMPARE(majority_at_k(votes, 9, 1).value(), sampled);
    // The same shares among 240 completions have nearly the same chance, exactly.
    QNEAR(sampled, majority_at_k(votes_of(90, {75, 45}, 30), 9).value(), 0.04);
    QNEAR(weighted_at_k(votes, 9, 1).value(), sampled, 1e-9);  // equal scores, same subsets
  }

  void refuses_bad_arguments() {
    QVERIFY(!majority_at_k(worked_votes(), 0).ok());
    QVERIFY(!majority_at_k(worked_votes(), 7).ok());
    QVERIFY(!best_of_at_k({}, 1).ok());
    auto logits = worked_votes();
    logits[2].score = -0.5;
    QCOMPARE(weighted_at_k(logits, 2).error().code, ErrorCode::InvalidArgument);
    logits[2].score = 3;
    QVERIFY(!best_of_at_k(logits, 2).ok());
    QVERIFY(majority_at_k(logits, 2).ok());  // does not look at scores
  }

  void missing_scores_do_not_vote() {
    const std::vector<Vote> votes = {{0, true, kNoScore}, {0, true, kNoScore}, {1, false, 0.1}};
    QCOMPARE(weighted_at_k(votes, 3).value(), 0.0);
    QCOMPARE(best_of_at_k(votes, 3).value(), 0.0);
    QCOMPARE(majority_at_k(votes, 3).value(), 1.0);
  }

  void tally_orders_by_size_then_by_who_was_first() {
    const std::vector<Vote> votes = {{4, false, 0, 9}, {2, true, 0, 1},  {4, false, 0, 2},
                                     {2, true, 0, 5},  {7, false, 0, 3}, {-1, false, 0, 1}};
    const auto entries = tally(votes);
    QCOMPARE(entries.size(), std::size_t{3});
    QCOMPARE(entries[0].group, 2);  // reached two votes at 5 s, group 4 at 9 s
    QVERIFY(entries[0].correct && entries[0].tied);
    QCOMPARE(entries[1].group, 4);
    QVERIFY(!entries[1].correct && entries[1].tied);
    QCOMPARE(entries[2].votes, 1);
    QVERIFY(!entries[2].tied);
    const std::vector<Vote> untimed = {{4, false, 0, 0}, {2, true, 0, 0}, {2, true, 0, 0}, {4, false, 0, 0}};
    QCOMPARE(tally(untimed)[0].group, 2);
    QVERIFY(tally({}).empty());
  }

  void majority_at_time_counts_what_has_finished() {
    const std::vector<Vote> votes = {{0, true, 0, 1}, {1, false, 0, 2}, {1, false, 0, 3},
                                     {0, true, 0, 4}, {0, true, 0, 5},  {-1, false, 0, 0.1}};
    QCOMPARE(majority_at_time(votes, 0.5), 0.0);
    QCOMPARE(majority_at_time(votes, 1), 1.0);
    QCOMPARE(majority_at_time(votes, 2), 0.5);
    QCOMPARE(majority_at_time(votes, 3), 0.0);
    QCOMPARE(majority_at_time(votes, 4), 0.5);
    QCOMPARE(majority_at_time(votes, 5), 1.0);
  }
};

QTEST_GUILESS_MAIN(TestSelection)
#include "tst_selection.moc"
