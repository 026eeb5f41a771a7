// Shopping: a basket that is added up and paid for, and a purse that fills and empties.
#include <algorithm>

#include "core/corpus/families.h"
#include "core/corpus/moves.h"
#include "core/corpus/vocabulary.h"

namespace tandem::corpus {
namespace {

// --- the basket: count * price for each kind of goods, sums, then what happens to the bill ---

constexpr std::string_view kShops[] = {"market",      "corner shop", "department store", "flea market",
                                       "school fair", "gift shop",   "bazaar",           "shopping centre"};
constexpr std::string_view kGoTo[] = {"{name} goes to the {shop}.", "{name} is shopping at the {shop}.",
                                      "{name} visits the {shop} to buy a few things.",
                                      "on Saturday {name} goes to the {shop}."};
constexpr std::string_view kBuy[] = {"{hero} buys {n} {goods} for {p} dollars each.",
                                     "{hero} buys {n} {goods} at {p} dollars apiece.",
                                     "{hero} takes {n} {goods}, and each {good} costs {p} dollars.",
                                     "{hero} picks {n} {goods} that cost {p} dollars each."};
constexpr std::string_view kCost[] = {
    "{a} {goods} at {b} dollars each cost {calc} dollars.",
    "the {goods} cost {calc} dollars, because there are {a} of them at {b} dollars each.",
    "each {good} costs {b} dollars and {name} buys {a} of them, so the {goods} cost {calc} dollars.",
    "for the {goods} {name} pays {a} times {b} dollars, which is {calc} dollars."};
constexpr std::string_view kSum[] = {"together with the {a} dollars from before, that makes {calc} dollars.",
                                     "adding this to the bill gives {calc} dollars.",
                                     "the bill rises from {a} dollars by {b} dollars: {calc} dollars.",
                                     "so far everything costs {calc} dollars."};

std::int64_t buy_goods(Story& story, std::span<const Goods> shelf, std::size_t kind) {
  const Goods& goods = shelf[kind];
  story.set("good", goods.noun.singular);
  story.set("goods", goods.noun.plural);
  const std::int64_t price = story.random().between(goods.low, goods.high);
  const std::int64_t count = story.random().between(2, price > 15 ? 6 : 12);
  story.tell(kBuy, {{"n", count}, {"p", price}});
  return story.work(kCost, count, '*', price);
}

bool coupon(Tale& tale) {
  constexpr std::string_view kTell[] = {"{hero} has a coupon that takes {n} dollars off the bill.",
                                        "the cashier takes {n} dollars off the bill.",
                                        "a discount of {n} dollars is taken off the bill."};
  constexpr std::string_view kWork[] = {"with {b} dollars off, the bill falls from {a} to {calc} dollars.",
                                        "taking {b} dollars off the {a} dollars leaves {calc} dollars.",
                                        "the discount brings the bill to {calc} dollars."};
  if (tale.amount < 12) return false;
  const std::int64_t n = tale.story.random().between(2, std::min<std::int64_t>(tale.amount / 2, 25));
  tale.story.tell_next(kTell, {{"n", n}});
  tale.amount = tale.story.work(kWork, tale.amount, '-', n);
  return true;
}

bool fee(Tale& tale) {
  constexpr std::string_view kTell[] = {
      "wrapping everything costs {n} dollars more.", "delivery adds {n} dollars to the bill.",
      "{hero} also takes a bag for {n} dollars.", "{hero} adds a single flower pot for {n} dollars.",
      "{hero} also picks up a gift card worth {n} dollars."};
  constexpr std::string_view kWork[] = {"with the extra {b} dollars the bill is {calc} dollars.",
                                        "a bill of {a} dollars and {b} dollars more come to {calc} dollars.",
                                        "that raises the bill to {calc} dollars."};
  const std::int64_t n = tale.story.random().between(2, 30);
  tale.story.tell_next(kTell, {{"n", n}});
  tale.amount = tale.story.work(kWork, tale.amount, '+', n);
  return true;
}

bool half_price(Tale& tale) {
  constexpr std::string_view kTell[] = {"today the shop takes half off the whole bill.",
                                        "there is a sale, and {name} pays only half of the bill."};
  constexpr std::string_view kWork[] = {"half of {a} dollars is {calc} dollars.",
                                        "the bill is cut in half: {calc} dollars."};
  if (tale.amount % 2 != 0 || tale.amount < 20) return false;
  tale.story.tell_next(kTell);
  tale.amount = tale.story.work(kWork, tale.amount, '/', 2);
  return true;
}

const Move kBillMoves[] = {{1, coupon}, {1, fee}, {1, half_price}};

constexpr std::string_view kPay[] = {"how many dollars does {name} pay?",
                                     "how much does {name} pay in all, in dollars?",
                                     "what is the bill at the end, in dollars?"};
constexpr std::string_view kPaid[] = {"{name} pays {answer} dollars.", "so the bill is {answer} dollars."};
constexpr std::string_view kChange[] = {
    "{hero} pays with {n} dollars in cash. How many dollars of change does {name} get?",
    "{hero} hands over {n} dollars. How many dollars does {he} get back?"};
constexpr std::string_view kTakeFromCash[] = {
    "out of {a} dollars {name} gets back {calc} dollars.",
    "the change is what is left of {a} dollars after the bill of {b} "
    "dollars: {calc} dollars."};
constexpr std::string_view kGetsBack[] = {"{name} gets {answer} dollars back.",
                                          "the change is {answer} dollars."};
constexpr std::string_view kShareBill[] = {
    "{n} people share the bill equally. How many dollars does each of them pay?",
    "{name} is one of {n} people who split the bill equally. How many dollars does each person pay?"};
constexpr std::string_view kDivide[] = {
    "{a} dollars shared by {b} people is {calc} dollars per person.",
    "each of the {b} people pays an equal part of {a} dollars: {calc} dollars."};
constexpr std::string_view kEach[] = {"each person pays {answer} dollars.",
                                      "so everyone pays {answer} dollars."};
constexpr std::string_view kRepeat[] = {
    "{hero} makes exactly the same purchase in each of {n} weeks. How many dollars does {name} spend in "
    "those {n} "
    "weeks?",
    "{hero} spends this amount every month for {n} months. How many dollars is that in total?"};
constexpr std::string_view kMultiply[] = {"spending {a} dollars {b} times comes to {calc} dollars.",
                                          "{b} times {a} dollars is {calc} dollars."};
constexpr std::string_view kSpends[] = {"in total {name} spends {answer} dollars.",
                                        "altogether that is {answer} dollars."};

void close_bill(Tale& tale) {
  Story& story = tale.story;
  RandomStream& random = story.random();
  const auto people = draw_divisor(random, tale.amount, 2, 6);
  if (people && tale.amount > 2 * *people && random.chance(0.4)) {
    const std::int64_t total = tale.amount;
    story.finish(kShareBill, kEach, story.work(kDivide, total, '/', *people), {{"n", *people}});
  } else if (tale.amount < 200 && random.chance(0.3)) {
    const std::int64_t weeks = random.between(2, 6);
    story.finish(kRepeat, kSpends, story.work(kMultiply, tale.amount, '*', weeks), {{"n", weeks}});
  } else {
    const std::int64_t cash = ((tale.amount + 1) / 20 + random.between(1, 3)) * 20;
    story.finish(kChange, kGetsBack, story.work(kTakeFromCash, cash, '-', tale.amount), {{"n", cash}});
  }
}

void tell_basket(Story& story, int steps) {
  story.set("shop", story.random().pick(Phrases(kShops)));
  story.tell(kGoTo);
  std::vector<Goods> shelf(goods().begin(), goods().end());
  for (std::size_t i = 0; i < 4; ++i)  // the first four become a random choice
    std::swap(shelf[i], shelf[static_cast<std::size_t>(story.random().between(
                            static_cast<std::int64_t>(i), static_cast<std::int64_t>(shelf.size()) - 1))]);
  const std::int64_t kinds = story.random().between(1, std::min(4, (steps + 1) / 2));
  Tale tale{story, buy_goods(story, shelf, 0)};
  --steps;
  for (std::size_t i = 1; i < static_cast<std::size_t>(kinds); ++i, steps -= 2)
    tale.amount = story.work(kSum, tale.amount, '+', buy_goods(story, shelf, i));
  if (steps == 0) {
    story.finish(kPay, kPaid, tale.amount);
    return;
  }
  tell_moves(tale, kBillMoves, steps - 1);
  close_bill(tale);
}

// --- the purse: money earned, received and spent ---

bool earn(Tale& tale) {
  constexpr std::string_view kTell[] = {"{hero} earns {p} dollars a day for {n} days.",
                                        "{hero} works {n} hours and is paid {p} dollars for each hour.",
                                        "for {n} weeks {hero} gets {p} dollars of pocket money a week.",
                                        "{hero} washes {n} cars and earns {p} dollars per car.",
                                        "{hero} sells {n} old books for {p} dollars each."};
  constexpr std::string_view kWork[] = {"that brings {a} times {b} dollars, which is {calc} dollars.",
                                        "{name} gets {b} dollars {a} times: {calc} dollars.",
                                        "{a} payments of {b} dollars make {calc} dollars."};
  constexpr std::string_view kAdd[] = {"with the {a} dollars from before, {name} has {calc} dollars.",
                                       "the money grows from {a} dollars to {calc} dollars.",
                                       "adding that to the {a} dollars gives {calc} dollars."};
  if (tale.amount > 400) return false;
  const std::int64_t n = tale.story.random().between(2, 9);
  const std::int64_t p = tale.story.random().between(3, 15);
  tale.story.tell_next(kTell, {{"n", n}, {"p", p}});
  tale.amount = tale.story.work(kAdd, tale.amount, '+', tale.story.work(kWork, n, '*', p));
  return true;
}

bool spend(Tale& tale) {
  constexpr std::string_view kBuyIt[] = {"{hero} buys {n} {goods} at {p} dollars each.",
                                         "{hero} spends {p} dollars on each of {n} {goods}.",
                                         "{hero} pays for {n} {goods} that cost {p} dollars each."};
  constexpr std::string_view kPrice[] = {"the {goods} cost {calc} dollars.",
                                         "{a} {goods} at {b} dollars each cost {calc} dollars."};
  constexpr std::string_view kLeft[] = {"that leaves {calc} dollars of the {a} dollars.",
                                        "after paying {b} dollars, {name} has {calc} dollars left.",
                                        "{name} had {a} dollars and keeps {calc} dollars."};
  Story& story = tale.story;
  const Goods& goods_item = story.random().pick(goods());
  const std::int64_t price = story.random().between(goods_item.low, goods_item.high);
  const std::int64_t most = std::min<std::int64_t>(8, (tale.amount - 3) / price);
  if (most < 2) return false;
  const std::int64_t count = story.random().between(2, most);
  story.set("goods", goods_item.noun.plural);
  story.tell_next(kBuyIt, {{"n", count}, {"p", price}});
  tale.amount = story.work(kLeft, tale.amount, '-', story.work(kPrice, count, '*', price));
  return true;
}

bool receive(Tale& tale) {
  constexpr std::string_view kTell[] = {
      "{name}'s grandmother gives {him} {n} dollars.", "{hero} gets {n} dollars for {his} birthday.",
      "{hero} finds {n} dollars in an old coat.", "{friend} pays an old debt of {n} dollars to {name}."};
  constexpr std::string_view kWork[] = {"with {b} dollars more, {name} has {calc} dollars.",
                                        "the {b} dollars bring {name} to {calc} dollars.",
                                        "{a} dollars and another {b} dollars make {calc} dollars."};
  const std::int64_t n = tale.story.random().between(5, 50);
  tale.story.tell_next(kTell, {{"friend", tale.story.draw_friend()}, {"n", n}});
  tale.amount = tale.story.work(kWork, tale.amount, '+', n);
  return true;
}

bool pay_once(Tale& tale) {
  constexpr std::string_view kTell[] = {
      "{hero} pays {n} dollars for a haircut.", "{hero} lends {n} dollars to {friend}.",
      "{hero} puts {n} dollars into the savings bank.", "{hero} spends {n} dollars on a train ride.",
      "{hero} gives {n} dollars to an animal shelter."};
  constexpr std::string_view kWork[] = {"without these {b} dollars, {name} has {calc} dollars.",
                                        "that takes {b} dollars away and leaves {calc} dollars.",
                                        "{a} dollars less {b} dollars is {calc} dollars."};
  if (tale.amount < 12) return false;
  const std::int64_t n = tale.story.random().between(3, std::min<std::int64_t>(tale.amount - 4, 60));
  tale.story.tell_next(kTell, {{"friend", tale.story.draw_friend()}, {"n", n}});
  tale.amount = tale.story.work(kWork, tale.amount, '-', n);
  return true;
}

const Move kPurseMoves[] = {{2, earn}, {2, spend}, {1, receive}, {1, pay_once}, {2, spend}};

constexpr std::string_view kPurse[] = {
    "{name} has {n} dollars in {his} purse.", "{name} has saved {n} dollars.",
    "{name} starts the month with {n} dollars.", "{name} has {n} dollars."};
constexpr std::string_view kLeftOver[] = {"how many dollars does {name} have now?",
                                          "how many dollars does {name} have in the end?",
                                          "how much money does {name} have at the end, in dollars?"};
constexpr std::string_view kHasMoney[] = {"{name} has {answer} dollars in the end.",
                                          "so {name} has {answer} dollars."};
constexpr std::string_view kMissing[] = {
    "{hero} wants a bicycle that costs {n} dollars. How many more dollars does {name} need?",
    "a guitar costs {n} dollars. How many dollars is {name} still short of that price?"};
constexpr std::string_view kMiss[] = {
    "the price is {a} dollars and {name} has {b}, so {calc} dollars are missing.",
    "from {b} dollars to {a} dollars it is {calc} dollars."};
constexpr std::string_view kNeeds[] = {"{name} needs {answer} more dollars.",
                                       "so {answer} dollars are missing."};

void tell_purse(Story& story, int steps) {
  Tale tale{story, story.random().between(20, 120)};
  story.tell(kPurse, {{"n", tale.amount}});
  if (!story.random().chance(0.4)) {
    tell_moves(tale, kPurseMoves, steps);
    story.finish(kLeftOver, kHasMoney, tale.amount);
    return;
  }
  tell_moves(tale, kPurseMoves, steps - 1);
  const std::int64_t price = tale.amount + story.random().between(15, 150);
  story.finish(kMissing, kNeeds, story.work(kMiss, price, '-', tale.amount), {{"n", price}});
}

}  // namespace

void tell_shopping(Story& story, int steps) {
  story.draw_hero();
  story.random().chance(0.6) ? tell_basket(story, steps) : tell_purse(story, steps);
}

}  // namespace tandem::corpus
