#include "core/grading/number.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "core/grading/text.h"

namespace tandem::grading {
namespace {

constexpr std::size_t kMostDigits = 400;
constexpr std::uint64_t kLimb = 1'000'000'000;
constexpr std::size_t kLimbDigits = 9;

/// Units of one or two letters, and those that may stand right behind the digits.
constexpr std::array<std::string_view, 27> kShortUnits{
    "m",  "g",  "s",  "h",   "L",  "N",  "J",  "cm",  "mm", "km",  "in",  "ft",  "yd", "mi",
    "kg", "mg", "lb", "lbs", "oz", "ml", "mL", "min", "hr", "hrs", "sec", "mph", "kph"};
constexpr std::array<std::string_view, 6> kConnectingWords{"of", "to", "in", "a", "an", "per"};

struct ScaleWord {
  std::string_view word;
  std::string_view factor;
};
constexpr std::array<ScaleWord, 3> kScaleWords{
    {{"thousand", "1000"}, {"million", "1000000"}, {"billion", "1000000000"}}};

/// digits / 10^decimals, with a sign.
struct Decimal {
  bool negative = false;
  std::string digits;
  std::size_t decimals = 0;
  bool is_natural = true;  // no sign, no decimal point
};

/// numerator / denominator * 10^exponent, where that is a number of a size we compare.
std::optional<Rational> quotient(const Decimal& numerator, const Decimal& denominator,
                                 std::int64_t exponent) {
  const auto up = static_cast<std::size_t>(std::max<std::int64_t>(exponent, 0));
  const auto down = static_cast<std::size_t>(std::max<std::int64_t>(-exponent, 0));
  const std::size_t most = std::max(numerator.digits.size() + denominator.decimals + up,
                                    denominator.digits.size() + numerator.decimals + down);
  if (most > kMostDigits) return std::nullopt;
  Natural above(numerator.digits + std::string(denominator.decimals + up, '0'));
  Natural below(denominator.digits + std::string(numerator.decimals + down, '0'));
  if (below.is_zero()) return std::nullopt;
  const bool negative = numerator.negative != denominator.negative && !above.is_zero();
  return Rational{negative, std::move(above), std::move(below)};
}

/// Reads one number at the start of a text and leaves what follows it in rest().
class NumberReader {
 public:
  explicit NumberReader(std::string_view text) : text_(text) {}

  std::string_view rest() const { return text_.substr(at_); }

  std::optional<Rational> number() {
    const bool negative = sign();
    std::optional<Rational> value;
    if (const auto alone = latex_fraction()) {
      value = quotient(alone->first, alone->second, 0);
    } else if (const auto first = unsigned_decimal()) {
      const auto second = first->is_natural ? fraction_after_whole() : std::nullopt;
      value = second ? mixed(*first, *second) : decimal_value(*first);
    }
    if (value && !value->numerator.is_zero()) value->negative = value->negative != negative;
    return value;
  }

 private:
  using Fraction = std::pair<Decimal, Decimal>;

  static constexpr Decimal one() { return {false, "1", 0, true}; }

  static std::optional<Rational> mixed(const Decimal& whole, const Fraction& fraction) {
    auto value = quotient(fraction.first, fraction.second, 0);
    if (!value || whole.digits.size() > kMostDigits) return std::nullopt;
    value->numerator = value->numerator + Natural(whole.digits) * value->denominator;
    return value;
  }

  /// A decimal alone, over another one, or times a power of ten.
  std::optional<Rational> decimal_value(const Decimal& first) {
    const std::size_t slash = skip_spaces(text_, at_);
    if (char_at(text_, slash) == '/') {
      NumberReader after(text_.substr(slash + 1));
      if (const auto divisor = after.signed_decimal()) {
        at_ = text_.size() - after.rest().size();
        return quotient(first, *divisor, 0);
      }
    }
    return quotient(first, one(), exponent());
  }

  /// Reads e3, *10^3 or *10^{3}, signs allowed; 0 if there is none. Values beyond all limits stay beyond
  /// them.
  std::int64_t exponent() {
    std::size_t at = at_;
    bool braces = false;
    if (char_at(text_, at) == 'e' || char_at(text_, at) == 'E') {
      ++at;
    } else {
      at = skip_spaces(text_, at);
      if (char_at(text_, at) != '*') return 0;
      at = skip_spaces(text_, at + 1);
      if (!text_.substr(at).starts_with("10^")) return 0;
      at += 3;
      braces = char_at(text_, at) == '{';
      if (braces) ++at;
    }
    const bool negative = char_at(text_, at) == '-';
    if (negative || char_at(text_, at) == '+') ++at;
    const std::size_t end = skip_digits(text_, at);
    if (end == at || (braces && char_at(text_, end) != '}')) return 0;
    std::int64_t value = 0;
    for (; at < end; ++at) value = std::min<std::int64_t>(value * 10 + (text_[at] - '0'), 2 * kMostDigits);
    at_ = braces ? end + 1 : end;
    return negative ? -value : value;
  }

  /// The second part of 1 1/2 or 1\frac{1}{2}.
  std::optional<Fraction> fraction_after_whole() {
    const std::size_t begin = at_;
    at_ = skip_spaces(text_, at_);
    const bool spaced = at_ > begin;
    std::optional<Fraction> fraction = latex_fraction();
    if (!fraction && spaced) fraction = plain_fraction();
    if (fraction && fraction->first.is_natural && fraction->second.is_natural) return fraction;
    at_ = begin;
    return std::nullopt;
  }

  std::optional<Fraction> plain_fraction() {
    auto numerator = unsigned_decimal();
    at_ = skip_spaces(text_, at_);
    if (!numerator || char_at(text_, at_) != '/') return std::nullopt;
    at_ = skip_spaces(text_, at_ + 1);
    auto denominator = unsigned_decimal();
    if (!denominator) return std::nullopt;
    return Fraction(std::move(*numerator), std::move(*denominator));
  }

  /// \frac{a}{b} of two decimals. Normalised text has the braces.
  std::optional<Fraction> latex_fraction() {
    constexpr std::string_view kFraction = "\\frac";
    if (!rest().starts_with(kFraction)) return std::nullopt;
    std::size_t open = at_ + kFraction.size();
    std::array<std::optional<Decimal>, 2> parts;
    for (auto& part : parts) {
      const std::size_t close = closing_brace(text_, open);
      if (char_at(text_, open) != '{' || close == std::string_view::npos) return std::nullopt;
      NumberReader inside(trim(text_.substr(open + 1, close - open - 1)));
      part = inside.signed_decimal();
      if (!part || !inside.rest().empty()) return std::nullopt;
      open = close + 1;
    }
    at_ = open;
    return Fraction(std::move(*parts[0]), std::move(*parts[1]));
  }

  std::optional<Decimal> signed_decimal() {
    at_ = skip_spaces(text_, at_);
    const std::size_t begin = at_;
    const bool negative = sign();
    const bool has_sign = at_ > begin;
    auto decimal = unsigned_decimal();
    if (!decimal) return std::nullopt;
    decimal->negative = negative;
    decimal->is_natural = decimal->is_natural && !has_sign;
    return decimal;
  }

  /// Reads an optional sign and the spaces behind it.
  bool sign() {
    const char c = char_at(text_, at_);
    if (c == '-' || c == '+') at_ = skip_spaces(text_, at_ + 1);
    return c == '-';
  }

  /// Digits, in groups of three by commas or by spaces or in one run, and a decimal part.
  std::optional<Decimal> unsigned_decimal() {
    std::size_t end = skip_digits(text_, at_);
    Decimal result;
    result.digits = text_.substr(at_, end - at_);
    const char separator = char_at(text_, end);
    if (!result.digits.empty() && result.digits.size() <= 3 && (separator == ',' || separator == ' '))
      for (; char_at(text_, end) == separator && skip_digits(text_, end + 1) == end + 4; end += 4)
        result.digits += text_.substr(end + 1, 3);
    if (char_at(text_, end) == '.') {
      const std::size_t decimals = skip_digits(text_, end + 1) - end - 1;
      result.digits += text_.substr(end + 1, decimals);
      result.decimals = decimals;
      result.is_natural = false;
      end += 1 + decimals;
    }
    if (result.digits.empty()) return std::nullopt;
    at_ = end;
    return result;
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

/// Reads "thousand", "million" and "billion" after spaces and multiplies by them.
void apply_scale_words(std::string_view& rest, Rational& value) {
  for (bool found = true; found;) {
    found = false;
    const std::size_t begin = skip_spaces(rest, 0);
    const std::string_view word = begin > 0 ? letters_at(rest, begin) : std::string_view();
    for (const ScaleWord& scale : kScaleWords) {
      if (word != scale.word) continue;
      value.numerator = value.numerator * Natural(scale.factor);
      rest.remove_prefix(begin + word.size());
      found = true;
    }
  }
}

bool is_scale_word(std::string_view word) {
  return std::any_of(kScaleWords.begin(), kScaleWords.end(),
                     [&](const ScaleWord& s) { return s.word == word; });
}

/// Whether what follows a number is a unit: %, or words joined by space, / or -, a power 2 or 3 allowed.
bool is_unit(std::string_view rest) {
  std::size_t at = skip_spaces(rest, 0);
  bool glued = at == 0;
  bool has_unit = false;
  if (char_at(rest, at) == '%') {
    has_unit = true;
    glued = false;
    at = skip_spaces(rest, at + 1);
  }
  while (at < rest.size()) {
    const std::string_view word = letters_at(rest, at);
    const bool is_short = contains(kShortUnits, word);
    const bool is_word = !glued && word.size() >= 3 && word != "and" && !is_scale_word(word);
    if (!is_short && !is_word && (glued || !contains(kConnectingWords, word))) return false;
    has_unit = has_unit || is_short || is_word;
    glued = false;
    at = skip_spaces(rest, at + word.size());
    for (const std::string_view power : {"^2", "^3", "^{2}", "^{3}"})
      if (rest.substr(at).starts_with(power)) at = skip_spaces(rest, at + power.size());
    const bool joined = char_at(rest, at) == '/' || char_at(rest, at) == '-';
    if (joined) at = skip_spaces(rest, at + 1);
    if (joined && at == rest.size()) return false;
  }
  return has_unit || rest.empty();
}

}  // namespace

Natural::Natural(std::string_view decimal_digits) {
  while (!decimal_digits.empty()) {
    const std::size_t size = std::min(decimal_digits.size(), kLimbDigits);
    std::uint32_t limb = 0;
    for (const char digit : decimal_digits.substr(decimal_digits.size() - size))
      limb = limb * 10 + static_cast<std::uint32_t>(digit - '0');
    limbs_.push_back(limb);
    decimal_digits.remove_suffix(size);
  }
  drop_leading_zeros();
}

void Natural::drop_leading_zeros() {
  while (!limbs_.empty() && limbs_.back() == 0) limbs_.pop_back();
}

Natural operator*(const Natural& a, const Natural& b) {
  Natural product("");
  product.limbs_.resize(a.limbs_.size() + b.limbs_.size());
  for (std::size_t i = 0; i < a.limbs_.size(); ++i) {
    std::uint64_t carry = 0;
    for (std::size_t j = 0; j < b.limbs_.size() || carry != 0; ++j) {
      const std::uint64_t factor = j < b.limbs_.size() ? b.limbs_[j] : 0;
      const std::uint64_t sum = product.limbs_[i + j] + a.limbs_[i] * factor + carry;
      product.limbs_[i + j] = static_cast<std::uint32_t>(sum % kLimb);
      carry = sum / kLimb;
    }
  }
  product.drop_leading_zeros();
  return product;
}

Natural operator+(const Natural& a, const Natural& b) {
  Natural sum("");
  std::uint64_t carry = 0;
  for (std::size_t i = 0; i < a.limbs_.size() || i < b.limbs_.size() || carry != 0; ++i) {
    if (i < a.limbs_.size()) carry += a.limbs_[i];
    if (i < b.limbs_.size()) carry += b.limbs_[i];
    sum.limbs_.push_back(static_cast<std::uint32_t>(carry % kLimb));
    carry /= kLimb;
  }
  return sum;
}

std::optional<Rational> parse_number(std::string_view text) {
  NumberReader reader(text);
  std::optional<Rational> value = reader.number();
  if (!value) return std::nullopt;
  std::string_view rest = reader.rest();
  apply_scale_words(rest, *value);
  if (!is_unit(rest)) return std::nullopt;
  return value;
}

}  // namespace tandem::grading
