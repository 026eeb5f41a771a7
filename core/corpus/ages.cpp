// Ages: a chain of people described by one another's ages, then a question about one, two or all of them.
#include <cstdlib>

#include "core/corpus/families.h"
#include "core/corpus/relations.h"

namespace tandem::corpus {
namespace {

constexpr std::string_view kStart[] = {"{who} is {n} years old.", "{who} has just turned {n} years old.",
                                       "this year {who} is {n} years old."};
constexpr std::string_view kOlder[] = {"{who} is {n} years older than {other}.",
                                       "{other} is {n} years younger than {who}."};
constexpr std::string_view kYounger[] = {"{who} is {n} years younger than {other}.",
                                         "{other} is {n} years older than {who}."};
constexpr std::string_view kTimes[] = {"{who} is {times} as old as {other}."};
constexpr std::string_view kHalf[] = {"{who} is half as old as {other}.",
                                      "{who}'s age is half of {other}'s age."};
constexpr std::string_view kWorkOlder[] = {
    "{who} is {b} years older than {other}, who is {a}, so {who} is {calc} years old.",
    "{other} is {a}, and {b} years more give {who}'s age: {calc}.",
    "adding {b} years to the {a} of {other} gives {calc} for {who}."};
constexpr std::string_view kWorkYounger[] = {
    "{who} is {b} years younger than {other}, who is {a}, so {who} is {calc} years old.",
    "{other} is {a}, and {b} years less give {who}'s age: {calc}.",
    "taking {b} years from the {a} of {other} gives {calc} for {who}."};
constexpr std::string_view kWorkTimes[] = {"{who} is {a} times as old as {other}, so {calc} years old.",
                                           "{other} is {b}, and {a} times that is {calc}, the age of {who}."};
constexpr std::string_view kWorkHalf[] = {"half of {other}'s {a} years is {calc}, so {who} is {c} years old.",
                                          "{who} is half as old as {other}, so {calc} years old."};

const RelationWording kWording{kOlder,     kYounger,  kTimes, kHalf, kWorkOlder, kWorkYounger,
                               kWorkTimes, kWorkHalf, 3,      90,    25};

constexpr std::string_view kHowOld[] = {"how old is {who}?", "what is the age of {who}?"};
constexpr std::string_view kIsOld[] = {"{who} is {answer} years old.", "so {who} is {answer}."};
constexpr std::string_view kInYears[] = {"how old will {who} be in {n} years?",
                                         "what will {who}'s age be {n} years from now?"};
constexpr std::string_view kAddYears[] = {"in {b} years {who} will be {calc} years old.",
                                          "{who}, who is {a}, will be {b} years older: {calc}."};
constexpr std::string_view kWillBe[] = {"{who} will be {answer} years old.", "so {who} will be {answer}."};
constexpr std::string_view kDifference[] = {"how many years older is {old} than {young}?",
                                            "by how many years is {young} younger than {old}?"};
constexpr std::string_view kSubtract[] = {
    "{old} is {a} and {young} is {b}, and the difference is {calc} years.",
    "the difference between the ages of {old} and {young} is {calc}."};
constexpr std::string_view kYears[] = {"the difference is {answer} years.", "so it is {answer} years."};
constexpr std::string_view kHowOldTogether[] = {"how old are they all together?",
                                                "what do all their ages add up to?",
                                                "what is the sum of all these ages?"};
constexpr std::string_view kSum[] = {"adding the {b} years of {who} gives {calc}.",
                                     "with {who}, who is {b}, it is {calc}.",
                                     "the sum so far is {a}, and with {who} it is {calc}."};
constexpr std::string_view kTogether[] = {"together they are {answer} years old.",
                                          "the ages add up to {answer}."};
constexpr std::string_view kSumLater[] = {"what will their ages add up to in {n} years?",
                                          "how old will they all be together in {n} years?"};
constexpr std::string_view kYearsForAll[] = {
    "in {b} years each of the {a} people is {b} years older, which adds {calc} years.",
    "{a} people gain {b} years each, so {calc} years in all."};
constexpr std::string_view kAddAll[] = {"the sum grows from {a} to {calc}.",
                                        "adding these to {a} gives {calc}."};

constexpr std::string_view kHouse[] = {
    "the house they live in is {n} years old. By how many years is the house older than all of them "
    "together?",
    "an old tree in the garden is {n} years old. How many years older is the tree than all of them "
    "together?"};
constexpr std::string_view kFromSum[] = {
    "{a} years less the {b} years of all of them are {calc} years.",
    "the people are {b} years old together, so the difference is {calc}."};

void finish_last(Story& story, const std::vector<Member>& chain, bool later) {
  story.set("who", chain.back().name);
  const std::int64_t age = chain.back().value;
  if (!later) {
    story.finish(kHowOld, kIsOld, age);
    return;
  }
  const std::int64_t years = story.random().between(2, 15);
  story.finish(kInYears, kWillBe, story.work(kAddYears, age, '+', years), {{"n", years}});
}

void finish_sum(Story& story, const std::vector<Member>& chain, ChainEnding ending) {
  const std::int64_t sum = work_sum(story, chain, kSum);
  RandomStream& random = story.random();
  if (ending == ChainEnding::Sum) {
    story.finish(kHowOldTogether, kTogether, sum);
  } else if (ending == ChainEnding::SumMore) {
    const std::int64_t house = sum + random.between(5, 90);
    story.finish(kHouse, kYears, story.work(kFromSum, house, '-', sum), {{"n", house}});
  } else {
    const std::int64_t years = random.between(2, 12);
    const std::int64_t gained = story.work(kYearsForAll, static_cast<std::int64_t>(chain.size()), '*', years);
    story.finish(kSumLater, kTogether, story.work(kAddAll, sum, '+', gained), {{"n", years}});
  }
}

}  // namespace

void tell_ages(Story& story, int steps) {
  const ChainPlan plan = draw_chain_plan(story.random(), steps);
  const std::vector<std::string> names = story.draw_people(plan.people + 1);
  std::vector<Member> chain{{names[0], story.random().between(6, 40)}};
  story.tell(kStart, {{"who", names[0]}, {"n", chain[0].value}});
  const bool sum = plan.ending >= ChainEnding::Sum;
  tell_relations(story, kWording, chain, names, plan.people, sum);
  const std::int64_t difference = chain.back().value - chain.front().value;
  if (sum) {
    finish_sum(story, chain, plan.ending);
  } else if (plan.ending == ChainEnding::Difference && std::abs(difference) > 1) {
    const Member& old = difference > 0 ? chain.back() : chain.front();
    const Member& young = difference > 0 ? chain.front() : chain.back();
    story.set("old", old.name);
    story.set("young", young.name);
    story.finish(kDifference, kYears, story.work(kSubtract, old.value, '-', young.value));
  } else {
    finish_last(story, chain, plan.ending != ChainEnding::Last);
  }
}

}  // namespace tandem::corpus
