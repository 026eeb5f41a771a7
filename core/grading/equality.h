// An answer taken apart, so that it can be compared many times (test_time_compute.md section 6, equality).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/grading/grading.h"
#include "core/grading/number.h"

namespace tandem::grading {

struct AnswerForm {
  enum class Kind { Text, Matrix, Union, Tuple, Set, List };

  Kind kind = Kind::Text;
  std::optional<Rational> number;
  std::string text;   // without insignificant marks; empty equals nothing
  std::string label;  // of words (in lower case) and choice letters; else empty
  std::string shape;  // Matrix: name and cells of each row; Tuple: its brackets
  std::vector<AnswerForm> parts;
};

/// Normalises and parses an extracted answer. One of over 2,000 bytes, or of over 200 braces, brackets and
/// commands, is not parsed: it is compared as it stands.
AnswerForm parse_answer(AnswerKind kind, std::string_view answer);

/// Symmetric. Numbers by value; the rest by text, then part by part; no algebra.
bool equal(const AnswerForm& a, const AnswerForm& b);

}  // namespace tandem::grading
