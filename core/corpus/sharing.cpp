// Sharing: one person's collection that is filled, given away, split and eaten.
#include <algorithm>

#include "core/corpus/families.h"
#include "core/corpus/moves.h"
#include "core/corpus/vocabulary.h"

namespace tandem::corpus {
namespace {

constexpr std::int64_t kMost = 400;  // things in one collection

bool gain(Tale& tale) {
  constexpr std::string_view kTell[] = {"{friend} gives {name} {n} more {items}.",
                                        "{hero} finds {n} more {items}.", "{hero} buys {n} more {items}.",
                                        "{hero} gets {n} {items} from {his} aunt.",
                                        "{friend} brings {name} another {n} {items}."};
  constexpr std::string_view kWork[] = {
      "{name} had {a} {items} and gets {b} more, which makes {calc} {items}.",
      "adding the {b} new {items} to the {a} that {he} had gives {calc} {items}.",
      "with {b} more {items}, {name} has {calc} {items}.",
      "the number of {items} grows from {a} by {b}: {calc}."};
  if (tale.amount > kMost) return false;
  Story& story = tale.story;
  const std::int64_t n = story.random().between(3, 60);
  story.tell_next(kTell, {{"friend", story.draw_friend()}, {"n", n}});
  tale.amount = story.work(kWork, tale.amount, '+', n);
  return true;
}

bool give(Tale& tale) {
  constexpr std::string_view kTell[] = {
      "{hero} gives {n} {items} to {friend}.", "{hero} loses {n} of the {items}.",
      "{hero} hands {n} of {his} {items} to {friend}.", "{hero} puts {n} {items} aside for {friend}.",
      "{friend} takes {n} of the {items}."};
  constexpr std::string_view kWork[] = {
      "taking the {b} {items} away from {a} leaves {calc} {items}.",
      "{name} had {a} {items} and {b} of them are gone, so {calc} {items} are left.",
      "without those {b} {items}, {name} has {calc} {items}.",
      "{hero} keeps {calc} {items} after parting with {b} of them."};
  if (tale.amount < 8) return false;
  Story& story = tale.story;
  const std::int64_t n = story.random().between(2, std::min<std::int64_t>(tale.amount - 3, 70));
  story.tell_next(kTell, {{"friend", story.draw_friend()}, {"n", n}});
  tale.amount = story.work(kWork, tale.amount, '-', n);
  return true;
}

bool fill_containers(Tale& tale) {
  constexpr std::string_view kTell[] = {"{hero} buys {n} {boxes} with {m} {items} in each.",
                                        "{friend} gives {name} {n} {boxes} of {m} {items} each.",
                                        "{hero} finds {n} {boxes}, and every {box} holds {m} {items}.",
                                        "{hero} is given {n} {boxes} that hold {m} {items} each."};
  constexpr std::string_view kHold[] = {
      "the {a} {boxes} hold {calc} {items} in all.",
      "there are {a} {boxes} with {b} {items} in each, which is {calc} {items}.",
      "each {box} has {b} {items}, and {a} {boxes} have {calc} {items}."};
  constexpr std::string_view kAdd[] = {
      "together with the {a} {items} that {name} already had, that makes {calc} {items}.",
      "{name} had {a} {items} before, and now {he} has {calc} {items}.",
      "adding these {b} {items} to the {a} from before gives {calc} {items}."};
  if (tale.amount > kMost) return false;
  Story& story = tale.story;
  const Noun& container = story.random().pick(containers());
  story.set("box", container.singular);
  story.set("boxes", container.plural);
  const std::int64_t n = story.random().between(2, 9);
  const std::int64_t m = story.random().between(2, 12);
  story.tell_next(kTell, {{"friend", story.draw_friend()}, {"n", n}, {"m", m}});
  const std::int64_t inside = story.work(kHold, n, '*', m);
  tale.amount = story.work(kAdd, tale.amount, '+', inside);
  return true;
}

bool split(Tale& tale) {
  constexpr std::string_view kTell[] = {
      "{hero} splits all of {his} {items} into {n} equal piles and keeps only one pile.",
      "{hero} shares {his} {items} equally among {n} people, with {himself} as one of them.",
      "{hero} deals all the {items} evenly into {n} drawers, locks one drawer and gives the rest away."};
  constexpr std::string_view kWork[] = {
      "{a} {items} in {b} equal parts are {calc} {items} in each part, and {name} keeps one part.",
      "dividing the {a} {items} by {b} gives {calc}, which is what {name} keeps.",
      "each of the {b} equal parts has {calc} {items}, and one of them stays with {name}."};
  if (tale.amount < 16) return false;
  Story& story = tale.story;
  const auto n = draw_divisor(story.random(), tale.amount, 2, 12);
  if (!n || tale.amount / *n < 4) return false;
  story.tell_next(kTell, {{"n", *n}});
  tale.amount = story.work(kWork, tale.amount, '/', *n);
  return true;
}

bool use_daily(Tale& tale) {
  constexpr std::string_view kTell[] = {"{hero} {uses} {n} {items} on each of the next {m} days.",
                                        "for {m} days, {hero} {uses} {n} {items} a day.",
                                        "every day for {m} days {hero} {uses} {n} {items}."};
  constexpr std::string_view kUse[] = {"over {a} days at {b} {items} a day, that is {calc} {items}.",
                                       "{a} days with {b} {items} each make {calc} {items}.",
                                       "in {a} days {name} {uses} {calc} {items}."};
  constexpr std::string_view kLeft[] = {"taking these from the {a} {items} leaves {calc} {items}.",
                                        "{name} had {a} {items}, so {calc} {items} remain.",
                                        "of the {a} {items} there are {calc} {items} left."};
  if (tale.amount < 20) return false;
  Story& story = tale.story;
  const std::int64_t m = story.random().between(2, 7);
  const std::int64_t n = story.random().between(2, 9);
  if (m * n >= tale.amount - 2) return false;
  story.tell_next(kTell, {{"n", n}, {"m", m}});
  const std::int64_t used = story.work(kUse, m, '*', n);
  tale.amount = story.work(kLeft, tale.amount, '-', used);
  return true;
}

bool give_half(Tale& tale) {
  constexpr std::string_view kTell[] = {"{hero} gives half of {his} {items} to {friend}.",
                                        "{hero} leaves half of the {items} with {friend}.",
                                        "half of the {items} go to {friend}."};
  constexpr std::string_view kWork[] = {
      "half of {a} is {calc}, and the other half, {c} {items}, stays with {name}.",
      "{friend} gets half of the {a} {items}, so {name} still has the other half, {calc} {items}."};
  if (tale.amount < 12 || tale.amount % 2 != 0) return false;
  Story& story = tale.story;
  const std::string other = story.draw_friend();
  story.tell_next(kTell, {{"friend", other}});
  tale.amount = story.work(kWork, tale.amount, '/', 2, {{"friend", other}});
  return true;
}

bool receive_multiple(Tale& tale) {
  constexpr std::string_view kTell[] = {
      "{friend} has {times} as many {items} as {name} has now, and gives them all to {name}.",
      "{friend} owns {times} as many {items} as {name} does at this point and hands {name} every one of "
      "them."};
  constexpr std::string_view kOther[] = {
      "{friend} has {a} times {b} {items}, which is {calc} {items}.",
      "{friend} has {a} times as many as the {b} of {name}, that is {calc} {items}."};
  constexpr std::string_view kAdd[] = {"{name} gets all of them and has {calc} {items}.",
                                       "added to the {a} {items} of {name}, that makes {calc} {items}."};
  Story& story = tale.story;
  const std::int64_t factor = story.random().between(2, 5);
  if (tale.amount * (factor + 1) > kMost) return false;
  const std::string other = story.draw_friend();
  story.tell_next(kTell, {{"friend", other}, {"times", times_words(story.random(), factor)}});
  const std::int64_t theirs = story.work(kOther, factor, '*', tale.amount, {{"friend", other}});
  tale.amount = story.work(kAdd, tale.amount, '+', theirs);
  return true;
}

bool swap(Tale& tale) {
  constexpr std::string_view kTell[] = {"{hero} trades {n} {items} with {friend} for {m} other {items}.",
                                        "{hero} swaps {n} old {items} for {m} new ones from {friend}."};
  constexpr std::string_view kOut[] = {"giving {b} {items} away leaves {calc} {items}.",
                                       "the {b} {items} that {name} hands over leave {calc} {items}."};
  constexpr std::string_view kIn[] = {"the {b} {items} that come back bring it to {calc} {items}.",
                                      "{name} receives {b} {items} in return and has {calc} {items}."};
  if (tale.amount < 12 || tale.amount > kMost) return false;
  Story& story = tale.story;
  const std::int64_t out = story.random().between(2, std::min<std::int64_t>(tale.amount - 4, 30));
  const std::int64_t in = story.random().between(2, 30);
  if (in == out) return false;
  story.tell_next(kTell, {{"friend", story.draw_friend()}, {"n", out}, {"m", in}});
  const std::int64_t rest = story.work(kOut, tale.amount, '-', out);
  tale.amount = story.work(kIn, rest, '+', in);
  return true;
}

const Move kMoves[] = {{1, gain},
                       {1, give},
                       {1, split},
                       {1, give_half},
                       {2, use_daily},
                       {2, swap},
                       {2, receive_multiple},
                       {2, fill_containers},
                       {1, give},
                       {2, use_daily}};

constexpr std::string_view kStart[] = {"{name} has {n} {items}.", "{name} starts with {n} {items}.",
                                       "{name} owns {n} {items}.", "at first, {name} has {n} {items}.",
                                       "{name} has a collection of {n} {items}."};
constexpr std::string_view kHowMany[] = {
    "how many {items} does {name} have now?", "how many {items} does {name} have in the end?",
    "how many {items} are left with {name}?", "how many {items} does {name} end up with?"};
constexpr std::string_view kHas[] = {"{name} has {answer} {items} in the end.",
                                     "so {name} now has {answer} {items}.",
                                     "that leaves {name} with {answer} {items}."};
constexpr std::string_view kPerPart[] = {
    "{name} finally packs all {his} {items} evenly into {n} parcels. How many {items} are in one parcel?",
    "at the end, {n} children divide all of {name}'s {items} equally. How many {items} does each child get?",
    "{hero} lays out all the {items} in {n} rows of the same length. How many {items} are in each row?"};
constexpr std::string_view kDivide[] = {
    "{a} {items} in {b} equal parts are {calc} {items} each.",
    "sharing the {a} {items} equally gives {calc} in each of the {b} parts."};
constexpr std::string_view kEach[] = {"so each part has {answer} {items}.",
                                      "that is {answer} {items} in each part."};

}  // namespace

void tell_sharing(Story& story, int steps) {
  story.draw_hero();
  const bool edible = story.random().chance(0.4);
  const Noun& noun = story.random().pick(edible ? snacks() : keepsakes());
  story.set("items", noun.plural);
  story.set("uses", edible ? "eats" : "gives away");
  Tale tale{story, story.random().between(12, 90)};
  story.tell(kStart, {{"n", tale.amount}});
  tell_moves(tale, kMoves, steps - 1);
  const auto parts = draw_divisor(story.random(), tale.amount, 2, 12);
  if (parts && *parts < tale.amount && story.random().chance(0.4)) {
    const std::int64_t each = tale.amount / *parts;
    story.work(kDivide, tale.amount, '/', *parts);
    story.finish(kPerPart, kEach, each, {{"n", *parts}});
  } else {
    tell_moves(tale, kMoves, 1);
    story.finish(kHowMany, kHas, tale.amount);
  }
}

}  // namespace tandem::corpus
