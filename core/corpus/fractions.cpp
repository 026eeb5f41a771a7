// Fractions: a stock of which parts are taken away, part of the rest, and so on.
#include <algorithm>
#include <array>

#include "core/corpus/families.h"
#include "core/corpus/moves.h"
#include "core/corpus/vocabulary.h"

namespace tandem::corpus {
namespace {

// Who has what, and how parts of it leave and new ones come. {part} reads "one third of the muffins".
struct Setting {
  Noun noun;
  std::array<std::string_view, 2> start;
  std::array<std::string_view, 4> leave;  // "{part} …"
  std::array<std::string_view, 2> come;
};

constexpr Setting kSettings[] = {
    {{"muffin", "muffins"},
     {"a bakery bakes {n} muffins.", "in the morning there are {n} muffins in a bakery."},
     {"{part} are sold before noon.", "{part} go to a school.", "{part} are eaten by guests.",
      "{part} are given away."},
     {"the baker bakes {n} more muffins.", "{n} fresh muffins come out of the oven."}},
    {{"book", "books"},
     {"a library has {n} books on a shelf.", "there are {n} books in a small library."},
     {"{part} are lent out.", "{part} are moved to the next room.", "{part} are sold at a fair.",
      "{part} are sent to another library."},
     {"{n} new books arrive.", "a reader brings back {n} books."}},
    {{"sheep", "sheep"},
     {"a farm has {n} sheep.", "there are {n} sheep on a farm."},
     {"{part} are sold at an auction.", "{part} are sold at the market.", "{part} are moved to another farm.",
      "{part} are given to the farmer's daughter."},
     {"{n} lambs are born and are counted as sheep too.", "the farmer buys {n} more sheep."}},
    {{"passenger", "passengers"},
     {"a train leaves with {n} passengers.", "there are {n} passengers on a ship."},
     {"{part} get off at the first stop.", "{part} leave for a museum.", "{part} change to a bus.",
      "{part} go home."},
     {"{n} more passengers get on.", "a group of {n} passengers joins them."}},
    {{"tree", "trees"},
     {"a nursery has {n} young trees.", "a gardener grows {n} trees."},
     {"{part} are planted in a park.", "{part} are sold to a town.", "{part} are planted along a road.",
      "{part} are given to schools."},
     {"{n} new trees are delivered.", "the gardener raises {n} more trees."}},
    {{"ticket", "tickets"},
     {"a theatre has {n} tickets for a show.", "there are {n} tickets for a concert."},
     {"{part} are sold on the first day.", "{part} are sold by phone.",
      "{part} are kept for schools and given to them.", "{part} are bought by a club."},
     {"{n} more tickets are printed.", "{n} tickets are handed back."}},
    {{"page", "pages"},
     {"a printer has to print {n} pages.", "an office has {n} pages to copy."},
     {"{part} are done in the first hour.", "{part} are done before lunch.",
      "{part} are taken over by a colleague.", "{part} turn out to be unnecessary and are dropped."},
     {"{n} more pages are added to the job.", "another {n} pages come in."}},
    {{"brick", "bricks"},
     {"a builder has {n} bricks.", "there are {n} bricks on a building site."},
     {"{part} are used for a wall.", "{part} are used for a chimney.", "{part} are sold.",
      "{part} are taken to another site."},
     {"a truck brings {n} more bricks.", "the builder orders {n} bricks, and they arrive."}},
};

constexpr std::string_view kOrdinals[] = {"half",    "third",  "quarter", "fifth", "sixth",
                                          "seventh", "eighth", "ninth",   "tenth"};

// "one third", "half", "25 percent", "two fifths", for parts/whole of the amount.
std::string fraction_words(RandomStream& random, std::int64_t parts, std::int64_t whole) {
  constexpr std::string_view kCounts[] = {"one", "two", "three", "four", "five", "six", "seven"};
  if (parts == 1 && whole == 2) return random.chance(0.7) ? "half" : "50 percent";
  if (parts == 1 && (whole == 4 || whole == 5 || whole == 10) && random.chance(0.3))
    return std::to_string(100 / whole) + " percent";
  std::string text(kCounts[static_cast<std::size_t>(parts - 1)]);
  text += ' ';
  text += kOrdinals[static_cast<std::size_t>(whole - 2)];
  return parts == 1 ? text : text + 's';
}

constexpr std::string_view kWhole[] = {"{fraction} of {a} is {calc}.",
                                       "{a} {items} in {b} equal parts are {calc} each.",
                                       "to take {fraction}, divide by {b}: {calc}."};
constexpr std::string_view kPartOf[] = {"one of the {b} equal parts of {a} {items} is {calc}.",
                                        "dividing {a} by {b} gives {calc} for one part."};
constexpr std::string_view kParts[] = {"{b} such parts are {calc} {items}.",
                                       "{b} of these parts make {calc}."};
constexpr std::string_view kRest[] = {"that leaves {calc} {items}.", "of {a} {items}, {calc} remain.",
                                      "without these {b} {items} there are {calc} {items}.",
                                      "the rest is {calc} {items}."};

// The setting of a story, and how the next part is spoken of.
struct Stock {
  const Setting& setting;
  std::string_view before;  // "three quarters of the {before}muffins{after}"
  std::string_view after;
};

// Tells that parts/whole of the amount leave; works out how many that is, and the rest.
bool take_part(Tale& tale, Stock& stock, std::int64_t parts, std::int64_t whole) {
  Story& story = tale.story;
  const std::string fraction = fraction_words(story.random(), parts, whole);
  std::string part = fraction + " of the ";
  ((part += stock.before) += stock.setting.noun.plural) += stock.after;
  story.tell_next(stock.setting.leave, {{"part", part}});
  std::int64_t taken = 0;
  if (parts == 1) {
    taken = story.work(kWhole, tale.amount, '/', whole, {{"fraction", fraction}});
  } else {
    taken = story.work(kParts, story.work(kPartOf, tale.amount, '/', whole), '*', parts);
  }
  tale.amount = story.work(kRest, tale.amount, '-', taken);
  stock.before = "remaining ";
  stock.after = "";
  return true;
}

bool take_one_part(Tale& tale, Stock& stock) {
  const auto whole = draw_divisor(tale.story.random(), tale.amount, 2, 10);
  return whole && tale.amount / *whole >= 3 && take_part(tale, stock, 1, *whole);
}

bool take_several_parts(Tale& tale, Stock& stock) {
  const auto whole = draw_divisor(tale.story.random(), tale.amount, 3, 8);
  if (!whole || tale.amount / *whole < 3) return false;
  std::int64_t parts = tale.story.random().between(2, *whole - 1);
  if (*whole % parts == 0 || (*whole == 6 && parts == 4) || (*whole == 8 && parts == 6)) parts = *whole - 1;
  return take_part(tale, stock, parts, *whole);  // always in lowest terms
}

bool add_more(Tale& tale, Stock& stock) {
  constexpr std::string_view kWork[] = {"with {b} more, there are {calc} {items}.",
                                        "{a} {items} and {b} new ones make {calc} {items}.",
                                        "that brings the number to {calc} {items}."};
  if (tale.amount > 800) return false;
  Story& story = tale.story;
  // Up to a multiple of 12, so that parts can be taken again.
  const std::int64_t n = 12 * story.random().between(1, 6) - tale.amount % 12;
  if (n < 2) return false;
  story.tell_next(stock.setting.come, {{"n", n}});
  tale.amount = story.work(kWork, tale.amount, '+', n);
  stock.before = "";
  stock.after = story.random().chance(0.5) ? " now there" : " that are there now";
  return true;
}

constexpr std::string_view kHowMany[] = {"how many {items} are left?", "how many {items} remain in the end?",
                                         "how many {items} are there in the end?"};
constexpr std::string_view kLeft[] = {"in the end, {answer} {items} are left.",
                                      "so {answer} {items} remain."};
constexpr std::string_view kGroups[] = {
    "the {items} that are left are divided into {n} equal groups. How many {items} are in each group?",
    "what is left is split equally into {n} lots. How many {items} are in one lot?"};
constexpr std::string_view kDivide[] = {"{a} {items} in {b} equal groups are {calc} {items} each.",
                                        "dividing the {a} {items} by {b} gives {calc}."};
constexpr std::string_view kEach[] = {"each group has {answer} {items}.",
                                      "so there are {answer} {items} in each."};

}  // namespace

void tell_fractions(Story& story, int steps) {
  RandomStream& random = story.random();
  Stock stock{random.pick(std::span<const Setting>(kSettings)), "", ""};
  story.set("items", stock.setting.noun.plural);
  Tale tale{story, 12 * random.between(3, 50)};
  story.tell(stock.setting.start, {{"n", tale.amount}});
  const Move one_part{2, [&stock](Tale& t) { return take_one_part(t, stock); }};
  const Move several_parts{3, [&stock](Tale& t) { return take_several_parts(t, stock); }};
  const Move more{1, [&stock](Tale& t) { return add_more(t, stock); }};
  const Move opening[] = {one_part, several_parts};
  const Move moves[] = {one_part, several_parts, more};

  const int first = steps > 2 && random.chance(0.5) ? 3 : 2;
  tell_moves(tale, std::span(opening).subspan(first == 3 ? 1 : 0, 1), first);
  const int left = steps - first;
  tell_moves(tale, moves, std::max(0, left - 1));
  const auto groups = draw_divisor(random, tale.amount, 2, 12);
  if (left > 0 && groups && *groups < tale.amount && random.chance(0.5)) {
    story.finish(kGroups, kEach, story.work(kDivide, tale.amount, '/', *groups), {{"n", *groups}});
    return;
  }
  if (left > 0) tell_moves(tale, std::span(&more, 1), 1);
  story.finish(kHowMany, kLeft, tale.amount);
}

}  // namespace tandem::corpus
