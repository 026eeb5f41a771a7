#include "core/corpus/relations.h"

namespace tandem::corpus {
namespace {

enum class Relation { More, Fewer, Times, Half };

// Draws a relation to `other` whose value stays within the wording's bounds.
struct Drawn {
  Relation relation;
  std::int64_t number;
};

Drawn draw_relation(RandomStream& random, const RelationWording& wording, std::int64_t other) {
  for (;;) {
    switch (static_cast<Relation>(random.between(0, 3))) {
      case Relation::More: {
        const std::int64_t n = random.between(2, wording.widest);
        if (other + n <= wording.highest) return {Relation::More, n};
        break;
      }
      case Relation::Fewer: {
        const std::int64_t n = random.between(2, wording.widest);
        if (other - n >= wording.lowest) return {Relation::Fewer, n};
        break;
      }
      case Relation::Times: {
        const std::int64_t n = random.between(2, 4);
        if (other * n <= wording.highest) return {Relation::Times, n};
        break;
      }
      case Relation::Half:
        if (other % 2 == 0 && other / 2 >= wording.lowest) return {Relation::Half, 2};
        break;
    }
  }
}

std::int64_t tell_relation(Story& story, const RelationWording& wording, const Drawn& drawn,
                           const std::string& who, const Member& other) {
  story.set("who", who);
  story.set("other", other.name);
  const std::int64_t n = drawn.number;
  switch (drawn.relation) {
    case Relation::More:
      story.tell(wording.more, {{"n", n}});
      return story.work(wording.work_more, other.value, '+', n);
    case Relation::Fewer:
      story.tell(wording.fewer, {{"n", n}});
      return story.work(wording.work_fewer, other.value, '-', n);
    case Relation::Times:
      story.tell(wording.times, {{"times", times_words(story.random(), n)}});
      return story.work(wording.work_times, n, '*', other.value);
    case Relation::Half:
      break;
  }
  story.tell(wording.half);
  return story.work(wording.work_half, other.value, '/', 2);
}

}  // namespace

void tell_relations(Story& story, const RelationWording& wording, std::vector<Member>& chain,
                    const std::vector<std::string>& names, int count, bool branching) {
  for (int i = 0; i < count; ++i) {
    const auto last = static_cast<std::int64_t>(chain.size()) - 1;
    const Member other = chain[static_cast<std::size_t>(branching ? story.random().between(0, last) : last)];
    const Drawn drawn = draw_relation(story.random(), wording, other.value);
    const std::string& who = names[chain.size()];
    chain.push_back({who, tell_relation(story, wording, drawn, who, other)});
  }
}

std::int64_t work_sum(Story& story, const std::vector<Member>& chain, Phrases phrases) {
  std::int64_t sum = chain.front().value;
  for (std::size_t i = 1; i < chain.size(); ++i) {
    story.set("who", chain[i].name);
    sum = story.work(phrases, sum, '+', chain[i].value);
  }
  return sum;
}

ChainPlan draw_chain_plan(RandomStream& random, int steps) {
  constexpr int kMostPeople = 6;
  std::vector<ChainPlan> plans;
  if (steps <= kMostPeople) plans.push_back({ChainEnding::Last, steps});
  if (steps <= kMostPeople + 1) {
    plans.push_back({ChainEnding::LastMore, steps - 1});
    plans.push_back({ChainEnding::Difference, steps - 1});
  }
  if (steps % 2 == 0) plans.push_back({ChainEnding::Sum, steps / 2});
  if (steps % 2 == 1) plans.push_back({ChainEnding::SumMore, (steps - 1) / 2});
  if (steps % 2 == 0 && steps >= 4) plans.push_back({ChainEnding::SumMoreTwo, (steps - 2) / 2});
  return random.pick(std::span<const ChainPlan>(plans));
}

}  // namespace tandem::corpus
