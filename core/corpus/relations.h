// Chains of people each of whom is described by another: "Ben is 3 years older than Ava". Ages and comparison
// problems are such chains, followed by a question about all of them or about the last.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/corpus/story.h"

namespace tandem::corpus {

struct Member {
  std::string name;
  std::int64_t value = 0;
};

/// The wording of one kind of quantity: {who} is the new person, {other} the one referred to, {n} a number,
/// {times} "twice" or the like.
struct RelationWording {
  Phrases more, fewer, times, half;                      // what the question says
  Phrases work_more, work_fewer, work_times, work_half;  // how the solution works it out
  std::int64_t lowest = 1;                               // bounds of every value
  std::int64_t highest = 100;
  std::int64_t widest = 20;  // largest difference told
};

/// Adds `count` people, one calculation each, to a chain that has at least one. Each refers to the last of
/// the chain, or, with `branching`, to anyone in it.
void tell_relations(Story& story, const RelationWording& wording, std::vector<Member>& chain,
                    const std::vector<std::string>& names, int count, bool branching);

/// Adds up all values of the chain, one calculation for each person after the first.
std::int64_t work_sum(Story& story, const std::vector<Member>& chain, Phrases phrases);

/// What is asked at the end of a chain of people, and how many calculations that takes.
enum class ChainEnding {
  Last,        // about the last person: none
  LastMore,    // about the last person, one further calculation
  Difference,  // between the last and the first person: one
  Sum,         // of all: one per person after the first
  SumMore,     // one further calculation
  SumMoreTwo,  // two further ones
};

struct ChainPlan {
  ChainEnding ending = ChainEnding::Last;
  int people = 1;  // beside the first
};

/// A random plan with exactly `steps` (2 to 8) calculations and at most seven people.
ChainPlan draw_chain_plan(RandomStream& random, int steps);

}  // namespace tandem::corpus
