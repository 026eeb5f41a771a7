#include "core/statistics/selection.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <string_view>
#include <unordered_map>
#include <utility>

#include <fmt/format.h>

#include "core/grading/equality.h"
#include "core/statistics/draw.h"

namespace tandem {
namespace {

constexpr std::size_t kMostExact = 256;    // completions: C(256, k) and sums of its size fit a double
constexpr double kMostEnumerated = 20000;  // subsets
constexpr int kSampledSubsets = 2000;      // where neither of these holds
constexpr double kTieTolerance = 1e-12;    // relative, between two sums of scores

/// C(n, 0), C(n, 1), ..., C(n, n).
std::vector<double> binomials(std::int64_t n) {
  std::vector<double> row{1};
  for (std::int64_t i = 0; i < n; ++i)
    row.push_back(row.back() * static_cast<double>(n - i) / static_cast<double>(i + 1));
  return row;
}

Status check_k(std::span<const Vote> votes, std::int64_t k) {
  if (k >= 1 && k <= static_cast<std::int64_t>(votes.size())) return {};
  return Error{ErrorCode::InvalidArgument,
               fmt::format("selection: k is {} with {} completions; it must be between 1 and that number", k,
                           votes.size())};
}

/// A score outside [0, 1] is a raw logit, which must not be summed. NaN means "no score".
Status check_scores(std::span<const Vote> votes) {
  for (const Vote& vote : votes)
    if (vote.score < 0 || vote.score > 1)
      return Error{ErrorCode::InvalidArgument,
                   fmt::format("selection: a score is {}; it must be between 0 and 1", vote.score)};
  return {};
}

double equal_weight(const Vote&) {
  return 1;
}
double score_weight(const Vote& vote) {
  return vote.score;
}

/// Weighted ballots over groups numbered from 0.
class Election {
 public:
  /// Completions without an answer, and those whose weight is NaN, do not vote.
  Election(std::span<const Vote> votes, double (*weight)(const Vote&)) : ballots_(votes.size()) {
    std::unordered_map<int, int> numbers;
    for (std::size_t i = 0; i < votes.size(); ++i) {
      if (votes[i].group < 0 || std::isnan(weight(votes[i]))) continue;
      const auto [number, is_new] = numbers.try_emplace(votes[i].group, static_cast<int>(right_.size()));
      if (is_new) right_.push_back(votes[i].correct ? 1 : 0);
      ballots_[i] = {number->second, weight(votes[i])};
    }
    sums_.resize(right_.size());
  }

  /// Share of right groups among the heaviest of these voters' groups; 0 when none of them votes. Weights are
  /// summed in the order given.
  double right_share(std::span<const std::int32_t> voters) {
    constexpr double kAbsent = -1;
    std::fill(sums_.begin(), sums_.end(), kAbsent);
    for (const std::int32_t voter : voters) {
      const auto [group, weight] = ballots_[static_cast<std::size_t>(voter)];
      if (group < 0) continue;
      double& sum = sums_[static_cast<std::size_t>(group)];
      sum = std::max(sum, 0.0) + weight;
    }
    const double heaviest = sums_.empty() ? kAbsent : *std::max_element(sums_.begin(), sums_.end());
    if (heaviest == kAbsent) return 0;
    int tied = 0;
    int right = 0;
    for (std::size_t group = 0; group < sums_.size(); ++group) {
      if (sums_[group] == kAbsent || heaviest - sums_[group] > kTieTolerance * heaviest) continue;
      ++tied;
      right += right_[group];
    }
    return static_cast<double>(right) / tied;
  }

 private:
  struct Ballot {
    int group = -1;
    double weight = 0;
  };
  std::vector<Ballot> ballots_;  // one per completion
  std::vector<int> right_;       // per group, 1 or 0
  std::vector<double> sums_;     // scratch of right_share
};

/// Moves to the next subset of {0, ..., n - 1} in lexicographic order; false after the last.
bool next_subset(std::span<std::int32_t> subset, std::int64_t n) {
  const auto k = static_cast<std::int64_t>(subset.size());
  for (std::int64_t i = k - 1; i >= 0; --i) {
    auto& element = subset[static_cast<std::size_t>(i)];
    if (element == n - k + i) continue;
    std::iota(subset.begin() + i, subset.end(), element + 1);
    return true;
  }
  return false;
}

/// Mean right share over all k-subsets of n completions, or over seeded ones where there are too many.
double mean_right_share(Election election, std::int64_t n, std::int64_t k, std::uint64_t seed) {
  double sum = 0;
  std::vector<std::int32_t> subset(static_cast<std::size_t>(k));
  if (const double subsets = binomials(n)[static_cast<std::size_t>(k)]; subsets <= kMostEnumerated) {
    std::iota(subset.begin(), subset.end(), 0);
    do sum += election.right_share(subset);
    while (next_subset(subset, n));
    return sum / subsets;
  }
  std::vector<std::int32_t> order(static_cast<std::size_t>(n));
  std::iota(order.begin(), order.end(), 0);
  std::mt19937_64 generator(seed);
  for (int draw = 0; draw < kSampledSubsets; ++draw) {
    draw_subset(generator, std::span(order), k);
    std::copy_n(order.begin(), k, subset.begin());
    std::sort(subset.begin(), subset.end());
    sum += election.right_share(subset);
  }
  return sum / kSampledSubsets;
}

/// Counts subsets by size and by the number of groups that tie with a leader of `leader` votes: the
/// coefficient of x^d z^j counts those with d members and j ties. Truncated at x^most.
class TieCounts {
 public:
  TieCounts(std::int64_t leader, std::int64_t most)
      : leader_(leader),
        most_(most),
        ties_(most / leader),
        counts_(static_cast<std::size_t>((most + 1) * (ties_ + 1))) {
    at(0, 0) = 1;
  }

  /// Multiplies by the ways in which a group may take part without beating the leader.
  void add_group(std::span<const double> ways) { multiply(ways, leader_, leader_); }
  /// Multiplies by the ways in which the unanswered may take part: any number of them.
  void add_unanswered(std::span<const double> ways) {
    multiply(ways, static_cast<std::int64_t>(ways.size()), 0);
  }

  /// Sum over j of the coefficient of x^most z^j divided by 1 + j.
  double leader_share() {
    double share = 0;
    for (std::int64_t j = 0; j <= ties_; ++j) share += at(most_, j) / static_cast<double>(1 + j);
    return share;
  }

 private:
  double& at(std::int64_t degree, std::int64_t ties) {
    return counts_[static_cast<std::size_t>(degree * (ties_ + 1) + ties)];
  }

  /// ways[v] ways to take v members; fewer than `below` make no tie, exactly `tie` members (if > 0) make one.
  /// From high degrees to low, so that it can be done in place.
  void multiply(std::span<const double> ways, std::int64_t below, std::int64_t tie) {
    const auto size = static_cast<std::int64_t>(ways.size()) - 1;
    degree_ = std::min(most_, degree_ + size);
    for (std::int64_t d = degree_; d >= 1; --d)
      for (std::int64_t j = 0; j <= ties_; ++j) {
        for (std::int64_t v = 1; v <= std::min({size, below - 1, d}); ++v)
          at(d, j) += ways[static_cast<std::size_t>(v)] * at(d - v, j);
        if (tie > 0 && tie <= std::min(size, d) && j > 0)
          at(d, j) += ways[static_cast<std::size_t>(tie)] * at(d - tie, j - 1);
      }
  }

  std::int64_t leader_;
  std::int64_t most_;
  std::int64_t ties_;
  std::int64_t degree_ = 0;  // of x so far
  std::vector<double> counts_;
};

/// maj@k by the polynomials of section 4, summed over the right groups (equality need not be transitive, so
/// there may be more than one).
double exact_majority(std::span<const Vote> votes, std::int64_t k) {
  struct Group {
    std::int64_t size = 0;
    bool correct = false;
  };
  std::map<int, Group> groups;
  std::int64_t unanswered = 0;
  for (const Vote& vote : votes) {
    if (vote.group < 0) {
      ++unanswered;
      continue;
    }
    Group& group = groups.try_emplace(vote.group, Group{0, vote.correct}).first->second;
    ++group.size;
  }
  std::vector<std::vector<double>> ways;
  std::vector<bool> correct;
  for (const auto& [number, group] : groups) {
    ways.push_back(binomials(group.size));
    correct.push_back(group.correct);
  }
  const std::vector<double> unanswered_ways = binomials(unanswered);
  double won = 0;
  for (std::size_t leader = 0; leader < ways.size(); ++leader) {
    if (!correct[leader]) continue;
    for (std::int64_t m = 1; m < static_cast<std::int64_t>(ways[leader].size()) && m <= k; ++m) {
      TieCounts counts(m, k - m);
      for (std::size_t other = 0; other < ways.size(); ++other)
        if (other != leader) counts.add_group(ways[other]);
      counts.add_unanswered(unanswered_ways);
      won += ways[leader][static_cast<std::size_t>(m)] * counts.leader_share();
    }
  }
  return won / binomials(static_cast<std::int64_t>(votes.size()))[static_cast<std::size_t>(k)];
}

}  // namespace

std::vector<int> group_answers(AnswerKind kind, std::span<const std::optional<std::string>> answers) {
  std::vector<int> groups(answers.size(), -1);
  std::vector<grading::AnswerForm> firsts;          // first member of each group
  std::unordered_map<std::string_view, int> known;  // the same text need not be compared again
  for (std::size_t i = 0; i < answers.size(); ++i) {
    if (!answers[i].has_value()) continue;
    const auto [entry, is_new] = known.try_emplace(*answers[i], -1);
    if (is_new) {
      grading::AnswerForm form = grading::parse_answer(kind, *answers[i]);
      if (!grading::equal(form, form)) continue;  // empty: no answer
      const auto same = [&](const grading::AnswerForm& first) { return grading::equal(first, form); };
      const auto found = std::find_if(firsts.begin(), firsts.end(), same);
      entry->second = static_cast<int>(found - firsts.begin());
      if (found == firsts.end()) firsts.push_back(std::move(form));
    }
    groups[i] = entry->second;
  }
  return groups;
}

Result<double> majority_at_k(std::span<const Vote> votes, std::int64_t k, std::uint64_t seed) {
  TANDEM_RETURN_IF_ERROR(check_k(votes, k));
  if (votes.size() <= kMostExact) return exact_majority(votes, k);
  return mean_right_share(Election(votes, equal_weight), static_cast<std::int64_t>(votes.size()), k, seed);
}

Result<double> weighted_at_k(std::span<const Vote> votes, std::int64_t k, std::uint64_t seed) {
  TANDEM_RETURN_IF_ERROR(check_k(votes, k));
  TANDEM_RETURN_IF_ERROR(check_scores(votes));
  return mean_right_share(Election(votes, score_weight), static_cast<std::int64_t>(votes.size()), k, seed);
}

Result<double> best_of_at_k(std::span<const Vote> votes, std::int64_t k) {
  TANDEM_RETURN_IF_ERROR(check_k(votes, k));
  TANDEM_RETURN_IF_ERROR(check_scores(votes));
  std::vector<Vote> ranked;
  for (const Vote& vote : votes)
    if (vote.group >= 0 && !std::isnan(vote.score)) ranked.push_back(vote);
  std::sort(ranked.begin(), ranked.end(), [](const Vote& a, const Vote& b) { return a.score > b.score; });
  const auto n = static_cast<double>(votes.size());
  double chance =
      static_cast<double>(k) / n;  // that this rank is the best of a k-subset: C(n-r, k-1) / C(n, k)
  double right_chance = 0;
  for (std::size_t begin = 0; begin < ranked.size();) {
    double tied_chance = 0;
    int right = 0;
    std::size_t end = begin;
    for (; end < ranked.size() && ranked[end].score == ranked[begin].score; ++end) {
      const double below = n - static_cast<double>(end + 1);
      tied_chance += chance;
      right += ranked[end].correct ? 1 : 0;
      chance *= below > 0 ? std::max(0.0, below - static_cast<double>(k - 1)) / below : 0;
    }
    right_chance += tied_chance * right / static_cast<double>(end - begin);  // tied ones share
    begin = end;
  }
  return right_chance;
}

std::vector<TallyEntry> tally(std::span<const Vote> votes) {
  using Reached =
      std::pair<double, std::size_t>;  // a group's count: its last member's finish, then its index
  std::vector<TallyEntry> entries;
  std::unordered_map<int, std::size_t> position;
  std::vector<Reached> reached;
  for (std::size_t i = 0; i < votes.size(); ++i) {
    if (votes[i].group < 0) continue;
    const auto [entry, is_new] = position.try_emplace(votes[i].group, entries.size());
    if (is_new) {
      entries.push_back({votes[i].group, 0, votes[i].correct, false});
      reached.emplace_back();
    }
    ++entries[entry->second].votes;
    reached[entry->second] = std::max(reached[entry->second], Reached(votes[i].finish_s, i));
  }
  std::sort(entries.begin(), entries.end(), [&](const TallyEntry& a, const TallyEntry& b) {
    if (a.votes != b.votes) return a.votes > b.votes;
    return reached[position[a.group]] < reached[position[b.group]];
  });
  if (entries.size() > 1 && entries[1].votes == entries[0].votes)
    for (TallyEntry& entry : entries) entry.tied = entry.votes == entries[0].votes;
  return entries;
}

double majority_at_time(std::span<const Vote> votes, double t_s) {
  std::vector<std::int32_t> finished;
  for (std::size_t i = 0; i < votes.size(); ++i)
    if (votes[i].finish_s <= t_s) finished.push_back(static_cast<std::int32_t>(i));
  return Election(votes, equal_weight).right_share(finished);
}

}  // namespace tandem
