#include "core/corpus/vocabulary.h"

namespace tandem::corpus {
namespace {

constexpr Person kPeople[] = {
    {"Ava", true},   {"Ben", false},   {"Cara", true},  {"Dan", false},    {"Ella", true},  {"Finn", false},
    {"Gia", true},   {"Hugo", false},  {"Ivy", true},   {"Jack", false},   {"Kira", true},  {"Leo", false},
    {"Mia", true},   {"Noah", false},  {"Olga", true},  {"Omar", false},   {"Pia", true},   {"Quinn", false},
    {"Rosa", true},  {"Sam", false},   {"Tess", true},  {"Umar", false},   {"Vera", true},  {"Will", false},
    {"Zoe", true},   {"Adam", false},  {"Bella", true}, {"Carl", false},   {"Dina", true},  {"Eric", false},
    {"Fay", true},   {"Greg", false},  {"Hana", true},  {"Ian", false},    {"Jane", true},  {"Kofi", false},
    {"Lena", true},  {"Marco", false}, {"Nina", true},  {"Oscar", false},  {"Paula", true}, {"Raj", false},
    {"Sara", true},  {"Tom", false},   {"Uma", true},   {"Victor", false}, {"Wendy", true}, {"Yusuf", false},
    {"Amara", true}, {"Diego", false},
};

constexpr Noun kKeepsakes[] = {
    {"marble", "marbles"},     {"sticker", "stickers"}, {"card", "cards"},       {"shell", "shells"},
    {"stamp", "stamps"},       {"bead", "beads"},       {"button", "buttons"},   {"toy car", "toy cars"},
    {"postcard", "postcards"}, {"pebble", "pebbles"},   {"badge", "badges"},     {"crayon", "crayons"},
    {"coin", "coins"},         {"ribbon", "ribbons"},   {"balloon", "balloons"}, {"pencil", "pencils"},
    {"magnet", "magnets"},     {"photo", "photos"},     {"feather", "feathers"}, {"key ring", "key rings"},
};

constexpr Noun kSnacks[] = {
    {"apple", "apples"},     {"cookie", "cookies"},
    {"orange", "oranges"},   {"peach", "peaches"},
    {"plum", "plums"},       {"candy", "candies"},
    {"muffin", "muffins"},   {"walnut", "walnuts"},
    {"cherry", "cherries"},  {"strawberry", "strawberries"},
    {"pretzel", "pretzels"}, {"cracker", "crackers"},
    {"grape", "grapes"},     {"fig", "figs"},
    {"biscuit", "biscuits"}, {"chocolate", "chocolates"},
};

constexpr Noun kContainers[] = {
    {"box", "boxes"}, {"bag", "bags"},   {"jar", "jars"},       {"basket", "baskets"}, {"packet", "packets"},
    {"tin", "tins"},  {"case", "cases"}, {"bundle", "bundles"}, {"tray", "trays"},     {"crate", "crates"},
};

constexpr Goods kGoods[] = {
    {{"notebook", "notebooks"}, 2, 7},  {{"pen", "pens"}, 2, 4},        {{"book", "books"}, 6, 19},
    {{"mug", "mugs"}, 4, 12},           {{"plant", "plants"}, 5, 18},   {{"candle", "candles"}, 3, 9},
    {{"T-shirt", "T-shirts"}, 8, 25},   {{"scarf", "scarves"}, 9, 24},  {{"cap", "caps"}, 6, 15},
    {{"lamp", "lamps"}, 14, 45},        {{"chair", "chairs"}, 18, 60},  {{"puzzle", "puzzles"}, 7, 20},
    {{"kite", "kites"}, 5, 16},         {{"ball", "balls"}, 3, 12},     {{"sandwich", "sandwiches"}, 3, 8},
    {{"ticket", "tickets"}, 4, 18},     {{"cake", "cakes"}, 8, 24},     {{"brush", "brushes"}, 2, 9},
    {{"towel", "towels"}, 4, 13},       {{"poster", "posters"}, 3, 11}, {{"plate", "plates"}, 3, 10},
    {{"umbrella", "umbrellas"}, 9, 22}, {{"map", "maps"}, 3, 9},        {{"pillow", "pillows"}, 7, 19},
};

}  // namespace

std::span<const Person> people() {
  return kPeople;
}
std::span<const Noun> keepsakes() {
  return kKeepsakes;
}
std::span<const Noun> snacks() {
  return kSnacks;
}
std::span<const Noun> containers() {
  return kContainers;
}
std::span<const Goods> goods() {
  return kGoods;
}

}  // namespace tandem::corpus
