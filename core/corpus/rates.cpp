// Rates: so much per hour for so many hours. A workshop that produces, a journey in legs, a tank with a tap.
#include <algorithm>

#include "core/corpus/families.h"
#include "core/corpus/moves.h"
#include "core/corpus/vocabulary.h"

namespace tandem::corpus {
namespace {

constexpr std::int64_t kMost = 1200;

// Tells "rate for hours" and adds it to the amount (two steps).
bool add_rate(Tale& tale, Phrases tell, Phrases multiply, Phrases add, std::int64_t most_rate) {
  if (tale.amount > kMost) return false;
  Story& story = tale.story;
  const std::int64_t rate = story.random().between(3, most_rate);
  const std::int64_t hours = story.random().between(2, 9);
  story.tell_next(tell, {{"r", rate}, {"h", hours}});
  const std::int64_t part = story.work(multiply, rate, '*', hours);
  tale.amount = story.work(add, tale.amount, '+', part);
  return true;
}

// Tells "rate for hours" and takes it off the amount (two steps).
bool subtract_rate(Tale& tale, Phrases tell, Phrases multiply, Phrases subtract) {
  Story& story = tale.story;
  const std::int64_t rate = story.random().between(2, 12);
  const std::int64_t hours = story.random().between(2, 8);
  if (rate * hours > tale.amount - 5) return false;
  story.tell_next(tell, {{"r", rate}, {"h", hours}});
  const std::int64_t part = story.work(multiply, rate, '*', hours);
  tale.amount = story.work(subtract, tale.amount, '-', part);
  return true;
}

bool add_once(Tale& tale, Phrases tell, Phrases add) {
  const std::int64_t n = tale.story.random().between(4, 80);
  tale.story.tell_next(tell, {{"n", n}});
  tale.amount = tale.story.work(add, tale.amount, '+', n);
  return true;
}

bool subtract_once(Tale& tale, Phrases tell, Phrases subtract) {
  if (tale.amount < 15) return false;
  const std::int64_t n = tale.story.random().between(3, std::min<std::int64_t>(tale.amount / 2, 60));
  tale.story.tell_next(tell, {{"n", n}});
  tale.amount = tale.story.work(subtract, tale.amount, '-', n);
  return true;
}

// --- the workshop ---

bool next_day(Tale& tale) {
  constexpr std::string_view kTell[] = {"a second machine makes {r} {items} an hour and runs for {h} hours.",
                                        "a slower machine adds {r} {items} an hour for {h} hours.",
                                        "the night shift makes {r} {items} an hour for {h} hours.",
                                        "another team makes {r} {items} in each of {h} hours."};
  constexpr std::string_view kMultiply[] = {"{a} {items} an hour for {b} hours are {calc} {items}.",
                                            "in {b} hours at {a} {items} an hour, {calc} {items} are made."};
  constexpr std::string_view kAdd[] = {"together with the {a} {items} from before, that is {calc} {items}.",
                                       "the stock grows from {a} to {calc} {items}.",
                                       "now there are {calc} {items}."};
  return add_rate(tale, kTell, kMultiply, kAdd, 40);
}

bool orders(Tale& tale) {
  constexpr std::string_view kTell[] = {"every hour for {h} hours a van takes {r} {items} away.",
                                        "for {h} days the workshop sends out {r} {items} a day.",
                                        "{h} customers each order {r} {items}, and these are sent off."};
  constexpr std::string_view kMultiply[] = {"that is {a} {items} {b} times, or {calc} {items}.",
                                            "{b} times {a} {items} is {calc} {items} that leave."};
  constexpr std::string_view kLeft[] = {"taking them from {a} leaves {calc} {items}.",
                                        "of the {a} {items}, {calc} are still there."};
  return subtract_rate(tale, kTell, kMultiply, kLeft);
}

bool faulty(Tale& tale) {
  constexpr std::string_view kTell[] = {"{n} of the {items} are faulty and are thrown away.",
                                        "the inspector rejects {n} {items}.",
                                        "{n} {items} break and cannot be sold."};
  constexpr std::string_view kLeft[] = {"without the {b} bad ones, {calc} {items} are left.",
                                        "{a} {items} less {b} are {calc} {items}."};
  return subtract_once(tale, kTell, kLeft);
}

bool old_stock(Tale& tale) {
  constexpr std::string_view kTell[] = {"the workshop still has {n} {items} from last week and adds them.",
                                        "another workshop sends {n} {items} over.",
                                        "{n} {items} are found in the store room and added."};
  constexpr std::string_view kAdd[] = {"with these {b}, there are {calc} {items}.",
                                       "{a} {items} and {b} more make {calc} {items}."};
  return add_once(tale, kTell, kAdd);
}

const Move kWorkshopMoves[] = {{2, next_day}, {2, orders}, {1, faulty}, {1, old_stock}};
constexpr Noun kProducts[] = {{"toy", "toys"},       {"bottle", "bottles"}, {"candle", "candles"},
                              {"lamp", "lamps"},     {"brick", "bricks"},   {"basket", "baskets"},
                              {"button", "buttons"}, {"chair", "chairs"},   {"tile", "tiles"},
                              {"loaf", "loaves"},    {"clock", "clocks"},   {"kite", "kites"}};

constexpr std::string_view kMachine[] = {
    "a machine in a workshop makes {r} {items} every hour and runs for {h} hours.",
    "in a workshop, a machine that makes {r} {items} an hour runs for {h} hours.",
    "a workshop makes {r} {items} per hour and works for {h} hours."};
constexpr std::string_view kMade[] = {
    "the machine makes {a} {items} an hour for {b} hours, which is {calc} {items}.",
    "{b} hours at {a} {items} an hour give {calc} {items}.",
    "in {b} hours it makes {b} times {a} {items}, so {calc} {items}."};
constexpr std::string_view kHowManyMade[] = {"how many {items} are there in the end?",
                                             "how many {items} does the workshop have now?"};
constexpr std::string_view kThereAre[] = {"there are {answer} {items} in the end.",
                                          "so the workshop has {answer} {items}."};
constexpr std::string_view kPack[] = {
    "the {items} are packed with {n} in every carton. How many cartons are needed?",
    "every shelf holds {n} {items}. How many shelves do the {items} fill?"};
constexpr std::string_view kPacked[] = {"{a} {items} in groups of {b} are {calc} groups.",
                                        "dividing {a} {items} by {b} gives {calc}."};
constexpr std::string_view kGroups[] = {"so {answer} are needed.", "that makes {answer} of them."};
constexpr std::string_view kSell[] = {
    "each one is sold for {n} dollars. How many dollars does the workshop take in?",
    "every {item} brings {n} dollars. How many dollars is that in all?"};
constexpr std::string_view kSold[] = {"{a} {items} at {b} dollars each bring {calc} dollars."};
constexpr std::string_view kMoney[] = {"the workshop takes in {answer} dollars.",
                                       "that is {answer} dollars in all."};

void tell_workshop(Story& story, int steps) {
  const Noun& product = story.random().pick(std::span<const Noun>(kProducts));
  story.set("item", product.singular);
  story.set("items", product.plural);
  const std::int64_t rate = story.random().between(5, 48);
  const std::int64_t hours = story.random().between(2, 9);
  story.tell(kMachine, {{"r", rate}, {"h", hours}});
  Tale tale{story, story.work(kMade, rate, '*', hours)};
  tell_moves(tale, kWorkshopMoves, steps - 2);
  const auto group = draw_divisor(story.random(), tale.amount, 3, 12);
  if (group && tale.amount > *group && story.random().chance(0.6)) {
    story.finish(kPack, kGroups, story.work(kPacked, tale.amount, '/', *group), {{"n", *group}});
  } else if (tale.amount < 900 && story.random().chance(0.5)) {
    const std::int64_t price = story.random().between(2, 9);
    story.finish(kSell, kMoney, story.work(kSold, tale.amount, '*', price), {{"n", price}});
  } else {
    tell_moves(tale, kWorkshopMoves, 1);
    story.finish(kHowManyMade, kThereAre, tale.amount);
  }
}

// --- the journey ---

bool leg(Tale& tale) {
  constexpr std::string_view kTell[] = {
      "{hero} goes on for {h} hours at {r} kilometres an hour.",
      "{hero} covers {r} kilometres in every one of the next {h} hours.",
      "on a better road, {hero} travels {h} hours at {r} kilometres an hour."};
  constexpr std::string_view kMultiply[] = {"{b} hours at {a} kilometres an hour are {calc} kilometres.",
                                            "this part is {a} times {b}, that is {calc} kilometres."};
  constexpr std::string_view kAdd[] = {"the way so far is {calc} kilometres.",
                                       "added to the {a} kilometres before, that makes {calc} kilometres."};
  return add_rate(tale, kTell, kMultiply, kAdd, 60);
}

bool detour(Tale& tale) {
  constexpr std::string_view kTell[] = {"a detour adds {n} kilometres.",
                                        "{hero} takes a ferry for {n} kilometres.",
                                        "{friend} takes {name} along for {n} kilometres."};
  constexpr std::string_view kAdd[] = {"with these {b} kilometres it is {calc} kilometres.",
                                       "{a} kilometres and {b} kilometres make {calc} kilometres."};
  tale.story.set("friend", tale.story.draw_friend());
  return add_once(tale, kTell, kAdd);
}

const Move kJourneyMoves[] = {{2, leg}, {2, leg}, {1, detour}};

constexpr std::string_view kRide[] = {"{name} {rides} for {h} hours at {r} kilometres an hour.",
                                      "{name} {rides} {r} kilometres in each of {h} hours.",
                                      "{name} {rides} at {r} kilometres an hour, and does so for {h} hours."};
constexpr std::string_view kRides[] = {"rides a bicycle", "drives", "travels by bus", "sails",
                                       "takes the train"};
constexpr std::string_view kWay[] = {"{b} hours at {a} kilometres an hour make {calc} kilometres.",
                                     "{name} covers {a} kilometres {b} times, so {calc} kilometres."};
constexpr std::string_view kHowFar[] = {"how many kilometres does {name} travel in all?",
                                        "how long is the whole journey, in kilometres?"};
constexpr std::string_view kTravels[] = {"{name} travels {answer} kilometres.",
                                         "the whole way is {answer} kilometres."};
constexpr std::string_view kToGo[] = {
    "the whole way is {n} kilometres long. How many kilometres are still to go?",
    "{name}'s goal is {n} kilometres from the start. How many kilometres remain?"};
constexpr std::string_view kRemain[] = {
    "of {a} kilometres, {b} are done, so {calc} kilometres remain.",
    "{a} kilometres less the {b} already covered leave {calc} kilometres."};
constexpr std::string_view kIsToGo[] = {"{answer} kilometres are still to go.",
                                        "so {name} has {answer} kilometres to go."};
constexpr std::string_view kArrive[] = {
    "the whole way is {n} kilometres long, and the rest is done at {m} kilometres an hour. How many hours "
    "does the "
    "rest take?",
    "{name}'s goal is {n} kilometres from the start. At {m} kilometres an hour, how many hours are still "
    "needed?"};
constexpr std::string_view kTime[] = {
    "{a} kilometres at {b} kilometres an hour take {calc} hours.",
    "dividing {a} kilometres by {b} kilometres an hour gives {calc} hours."};
constexpr std::string_view kHours[] = {"the rest takes {answer} hours.",
                                       "so {answer} more hours are needed."};

void tell_journey(Story& story, int steps) {
  story.draw_hero();
  RandomStream& random = story.random();
  story.set("rides", random.pick(Phrases(kRides)));
  const std::int64_t rate = random.between(8, 60);
  const std::int64_t hours = random.between(2, 7);
  story.tell(kRide, {{"r", rate}, {"h", hours}});
  Tale tale{story, story.work(kWay, rate, '*', hours)};
  const int ending = static_cast<int>(random.between(0, steps >= 3 ? 2 : 1));  // steps the ending takes
  tell_moves(tale, kJourneyMoves, steps - 1 - ending);
  if (ending == 0) {
    story.finish(kHowFar, kTravels, tale.amount);
    return;
  }
  const std::int64_t speed = random.between(10, 60);
  const std::int64_t whole = tale.amount + speed * random.between(2, 7);
  const std::int64_t rest = story.work(kRemain, whole, '-', tale.amount);
  if (ending == 1) {
    story.finish(kToGo, kIsToGo, rest, {{"n", whole}});
  } else {
    story.finish(kArrive, kHours, story.work(kTime, rest, '/', speed), {{"n", whole}, {"m", speed}});
  }
}

// --- the tank ---

bool tap(Tale& tale) {
  constexpr std::string_view kTell[] = {"a tap runs for {h} minutes and adds {r} litres a minute.",
                                        "a pump fills in {r} litres a minute for {h} minutes.",
                                        "a hose brings {r} litres in each of {h} minutes."};
  constexpr std::string_view kMultiply[] = {"{b} minutes at {a} litres a minute are {calc} litres.",
                                            "that adds {a} litres {b} times, or {calc} litres."};
  constexpr std::string_view kAdd[] = {"now the {tank} holds {calc} litres.",
                                       "with the {a} litres from before, that is {calc} litres."};
  return add_rate(tale, kTell, kMultiply, kAdd, 25);
}

bool leak(Tale& tale) {
  constexpr std::string_view kTell[] = {"a leak loses {r} litres an hour for {h} hours.",
                                        "{h} buckets of {r} litres each are taken out.",
                                        "for {h} days the plants get {r} litres of it a day."};
  constexpr std::string_view kMultiply[] = {"that takes out {a} litres {b} times, which is {calc} litres.",
                                            "{b} times {a} litres are {calc} litres."};
  constexpr std::string_view kLeft[] = {"the {tank} goes down from {a} to {calc} litres.",
                                        "{a} litres less these {b} litres leave {calc} litres."};
  return subtract_rate(tale, kTell, kMultiply, kLeft);
}

bool rain(Tale& tale) {
  constexpr std::string_view kTell[] = {"rain adds {n} litres.", "{n} litres are poured in by hand."};
  constexpr std::string_view kAdd[] = {"with {b} litres more, the {tank} holds {calc} litres.",
                                       "{a} litres and {b} litres make {calc} litres."};
  return add_once(tale, kTell, kAdd);
}

bool drain(Tale& tale) {
  constexpr std::string_view kTell[] = {"{n} litres are drained.", "a neighbour takes {n} litres."};
  constexpr std::string_view kLeft[] = {"without these {b} litres, {calc} litres are left.",
                                        "the {tank} now has {calc} litres."};
  return subtract_once(tale, kTell, kLeft);
}

const Move kTankMoves[] = {{2, tap}, {2, leak}, {1, rain}, {1, drain}};
constexpr std::string_view kTanks[] = {"tank", "pool", "barrel", "pond", "water tower", "cistern"};

constexpr std::string_view kHolds[] = {"a {tank} holds {n} litres of water.",
                                       "there are {n} litres of water in a {tank}.",
                                       "a {tank} has {n} litres of water in it."};
constexpr std::string_view kHowMuch[] = {"how many litres are in the {tank} now?",
                                         "how many litres does the {tank} hold in the end?"};
constexpr std::string_view kHoldsNow[] = {"the {tank} holds {answer} litres.",
                                          "so there are {answer} litres in it."};
constexpr std::string_view kFull[] = {"the {tank} is full at {n} litres. How many litres are missing?"};
constexpr std::string_view kMissing[] = {"from {b} litres up to {a} litres, {calc} litres are missing.",
                                         "the {tank} has room for {a} litres, so {calc} litres are missing."};
constexpr std::string_view kMiss[] = {"{answer} litres are missing.",
                                      "so the {tank} can take {answer} more litres."};
constexpr std::string_view kFillUp[] = {
    "the {tank} is full at {n} litres and is filled up at {m} litres a minute. How many minutes does that "
    "take?"};
constexpr std::string_view kFillTime[] = {"{a} litres at {b} litres a minute take {calc} minutes."};
constexpr std::string_view kMinutes[] = {"filling it up takes {answer} minutes.",
                                         "so it takes {answer} minutes."};

void tell_tank(Story& story, int steps) {
  RandomStream& random = story.random();
  story.set("tank", random.pick(Phrases(kTanks)));
  Tale tale{story, random.between(20, 150)};
  story.tell(kHolds, {{"n", tale.amount}});
  const int ending = static_cast<int>(random.between(0, 2));  // steps the ending takes
  tell_moves(tale, kTankMoves, steps - ending);
  if (ending == 0) {
    story.finish(kHowMuch, kHoldsNow, tale.amount);
    return;
  }
  const std::int64_t flow = random.between(3, 20);
  const std::int64_t full = tale.amount + flow * random.between(3, 15);
  const std::int64_t rest = story.work(kMissing, full, '-', tale.amount);
  if (ending == 1) {
    story.finish(kFull, kMiss, rest, {{"n", full}});
  } else {
    story.finish(kFillUp, kMinutes, story.work(kFillTime, rest, '/', flow), {{"n", full}, {"m", flow}});
  }
}

}  // namespace

void tell_rates(Story& story, int steps) {
  constexpr void (*kPlots[])(Story&, int) = {tell_workshop, tell_journey, tell_tank};
  kPlots[story.random().between(0, 2)](story, steps);
}

}  // namespace tandem::corpus
