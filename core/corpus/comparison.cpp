// Comparison: a chain of people who collect, score or read different amounts, each told by another's.
#include <cstdlib>

#include "core/corpus/families.h"
#include "core/corpus/relations.h"
#include "core/corpus/vocabulary.h"

namespace tandem::corpus {
namespace {

// What the people do, in the present tense and in its plain form ("does … pick"), and what each one brings.
struct Activity {
  Noun noun;
  std::string_view does, plain;
  std::string_view worth;  // singular and plural of what one of the noun gives, "dollars for charity"
  std::string_view gives;  // "every apple is sold for"
};

constexpr Activity kActivities[] = {
    {{"apple", "apples"}, "picks", "pick", "dollars", "every apple is sold for"},
    {{"shell", "shells"}, "collects", "collect", "dollars", "a museum shop pays for each shell"},
    {{"page", "pages"}, "reads", "read", "minutes", "every page takes"},
    {{"lap", "laps"}, "runs", "run", "dollars", "for each lap a sponsor gives"},
    {{"goal", "goals"}, "scores", "score", "points", "every goal counts"},
    {{"ticket", "tickets"}, "sells", "sell", "dollars", "each ticket brings"},
    {{"tree", "trees"}, "plants", "plant", "litres of water", "every tree needs"},
    {{"cookie", "cookies"}, "bakes", "bake", "dollars", "each cookie sells for"},
    {{"postcard", "postcards"}, "writes", "write", "dollars", "the stamp for each postcard costs"},
    {{"mushroom", "mushrooms"}, "finds", "find", "dollars", "the market pays for each mushroom"},
    {{"bottle", "bottles"}, "gathers", "gather", "cents", "the shop pays for each bottle"},
    {{"picture", "pictures"}, "paints", "paint", "pins", "hanging up each picture takes"},
};

constexpr std::string_view kStart[] = {"{who} {does} {n} {items}.", "{who} {does} exactly {n} {items}.",
                                       "this week {who} {does} {n} {items}."};
constexpr std::string_view kMore[] = {"{who} {does} {n} more {items} than {other}.",
                                      "{other} {does} {n} fewer {items} than {who}."};
constexpr std::string_view kFewer[] = {"{who} {does} {n} fewer {items} than {other}.",
                                       "{other} {does} {n} more {items} than {who}."};
constexpr std::string_view kTimes[] = {"{who} {does} {times} as many {items} as {other}."};
constexpr std::string_view kHalf[] = {"{who} {does} half as many {items} as {other}.",
                                      "{who} {does} only half of what {other} {does}."};
constexpr std::string_view kWorkMore[] = {
    "{who} {does} {b} more than {other}'s {a}, which is {calc} {items}.",
    "{other} has {a} {items}, and with {b} more {who} has {calc}.",
    "{a} {items} and {b} more make {calc} {items} for {who}."};
constexpr std::string_view kWorkFewer[] = {
    "{who} {does} {b} fewer than {other}'s {a}, which is {calc} {items}.",
    "{other} has {a} {items}, and with {b} fewer {who} has {calc}.",
    "{a} {items} less {b} leave {calc} {items} for {who}."};
constexpr std::string_view kWorkTimes[] = {
    "{who} {does} {a} times the {b} {items} of {other}, so {calc} {items}.",
    "{other} has {b} {items}, and {a} times that is {calc} for {who}."};
constexpr std::string_view kWorkHalf[] = {
    "half of {other}'s {a} {items} is {calc}, which is what {who} {does}.",
    "{who} {does} half of {a} {items}: {calc}."};

const RelationWording kWording{kMore,      kFewer,    kTimes, kHalf, kWorkMore, kWorkFewer,
                               kWorkTimes, kWorkHalf, 3,      300,   45};

constexpr std::string_view kHowMany[] = {"how many {items} does {who} {do}?"};
constexpr std::string_view kDoes[] = {"{who} {does} {answer} {items}.", "so {who} has {answer} {items}."};
constexpr std::string_view kValue[] = {
    "{gives} {n} {worth}. How many {worth} is that for the {items} of {who}?",
    "{gives} {n} {worth}. How many {worth} do {who}'s {items} come to?"};
constexpr std::string_view kMultiply[] = {
    "{a} {items} at {b} {worth} each come to {calc} {worth}.",
    "with {b} {worth} for each of {a} {items}, that is {calc} {worth}."};
constexpr std::string_view kWorth[] = {"it comes to {answer} {worth}.", "that is {answer} {worth} in all."};
constexpr std::string_view kDifference[] = {"how many more {items} does {high} {do} than {low}?",
                                            "by how many {items} is {low} behind {high}?"};
constexpr std::string_view kSubtract[] = {
    "{high} has {a} and {low} has {b}, so the difference is {calc} {items}.",
    "from the {b} of {low} to the {a} of {high} it is {calc} {items}."};
constexpr std::string_view kIs[] = {"the difference is {answer} {items}.", "so it is {answer} {items}."};
constexpr std::string_view kTotal[] = {"how many {items} do they {do} all together?",
                                       "how many {items} is that in total?"};
constexpr std::string_view kAdd[] = {"adding the {b} {items} of {who} gives {calc}.",
                                     "the total so far is {a}, and with {who}'s {b} it is {calc}.",
                                     "together with the {b} of {who}, that makes {calc} {items}."};
constexpr std::string_view kAll[] = {"all together that is {answer} {items}.",
                                     "the total is {answer} {items}."};
constexpr std::string_view kGoal[] = {
    "together they want to reach {n} {items}. How many {items} are still missing?",
    "their common goal is {n} {items}. How many {items} do they still need?"};
constexpr std::string_view kMissing[] = {"{a} {items} less the {b} they have leave {calc} {items}.",
                                         "they have {b} of {a} {items}, so {calc} {items} are missing."};
constexpr std::string_view kStill[] = {"{answer} {items} are still missing.",
                                       "so they need {answer} {items} more."};
constexpr std::string_view kGoalTwo[] = {
    "together they want to reach {n} {items} in {m} days, doing the same number every day for the rest. How "
    "many "
    "{items} do they need on each of the {m} days?",
    "their common goal is {n} {items}, and the rest is spread evenly over {m} days. How many {items} are "
    "left for each "
    "day?"};
constexpr std::string_view kPerDay[] = {"spread over {b} days, {a} {items} are {calc} {items} a day.",
                                        "dividing the {a} {items} by {b} days gives {calc} a day."};
constexpr std::string_view kDaily[] = {"they need {answer} {items} a day.",
                                       "that is {answer} {items} for each day."};

void finish_value(Story& story, const Member& last) {
  const std::int64_t n = story.random().between(2, 9);
  story.set("who", last.name);
  story.finish(kValue, kWorth, story.work(kMultiply, last.value, '*', n), {{"n", n}});
}

void finish_sum(Story& story, const std::vector<Member>& chain, ChainEnding ending) {
  const std::int64_t sum = work_sum(story, chain, kAdd);
  RandomStream& random = story.random();
  if (ending == ChainEnding::Sum) {
    story.finish(kTotal, kAll, sum);
    return;
  }
  const std::int64_t days = random.between(2, 9);
  const std::int64_t goal = sum + days * random.between(3, 25);
  const std::int64_t rest = story.work(kMissing, goal, '-', sum);
  if (ending == ChainEnding::SumMore) {
    story.finish(kGoal, kStill, rest, {{"n", goal}});
  } else {
    story.finish(kGoalTwo, kDaily, story.work(kPerDay, rest, '/', days), {{"n", goal}, {"m", days}});
  }
}

}  // namespace

void tell_comparison(Story& story, int steps) {
  RandomStream& random = story.random();
  const ChainPlan plan = draw_chain_plan(random, steps);
  const Activity& activity = random.pick(std::span<const Activity>(kActivities));
  story.set("items", activity.noun.plural);
  story.set("does", activity.does);
  story.set("do", activity.plain);
  story.set("worth", activity.worth);
  story.set("gives", activity.gives);
  const std::vector<std::string> names = story.draw_people(plan.people + 1);
  std::vector<Member> chain{{names[0], random.between(8, 60)}};
  story.tell(kStart, {{"who", names[0]}, {"n", chain[0].value}});
  const bool sum = plan.ending >= ChainEnding::Sum;
  tell_relations(story, kWording, chain, names, plan.people, sum);
  const std::int64_t difference = chain.back().value - chain.front().value;
  if (sum) {
    finish_sum(story, chain, plan.ending);
  } else if (plan.ending == ChainEnding::Last) {
    story.finish(kHowMany, kDoes, chain.back().value, {{"who", names.back()}});
  } else if (plan.ending == ChainEnding::Difference && std::abs(difference) > 1) {
    const Member& high = difference > 0 ? chain.back() : chain.front();
    const Member& low = difference > 0 ? chain.front() : chain.back();
    story.set("high", high.name);
    story.set("low", low.name);
    story.finish(kDifference, kIs, story.work(kSubtract, high.value, '-', low.value));
  } else {
    finish_value(story, chain.back());
  }
}

}  // namespace tandem::corpus
