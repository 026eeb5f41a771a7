// Numbers as answers write them, compared exactly (test_time_compute.md section 6, equality 1).
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace tandem::grading {

/// A natural number of any size.
class Natural {
 public:
  explicit Natural(std::string_view decimal_digits);

  bool is_zero() const { return limbs_.empty(); }
  friend Natural operator*(const Natural& a, const Natural& b);
  friend Natural operator+(const Natural& a, const Natural& b);
  friend bool operator==(const Natural& a, const Natural& b) = default;

 private:
  void drop_leading_zeros();
  std::vector<std::uint32_t> limbs_;  // base 10^9, the lowest first, none of them for 0
};

/// Numerator and denominator need not be coprime; the denominator is not zero.
struct Rational {
  bool negative = false;  // never with a zero numerator
  Natural numerator;
  Natural denominator;

  friend bool operator==(const Rational& a, const Rational& b) {
    return a.negative == b.negative && a.numerator * b.denominator == b.numerator * a.denominator;
  }
};

/// The value of normalised text that is one number and, perhaps, a unit. Nothing for any other text, for a
/// division by zero and for numbers over 400 digits.
std::optional<Rational> parse_number(std::string_view text);

}  // namespace tandem::grading
