// Brings the many spellings of an answer to one (test_time_compute.md section 6, normalising). The order of
// the steps is part of the rules.
#pragma once

#include <string>
#include <string_view>

#include "core/grading/grading.h"

namespace tandem::grading {

/// What stands for \\ (the end of a matrix row) in normalised text.
inline constexpr char kRowEnd = '\x1e';

/// Steps 1 to 4, for a whole answer: symbols to one spelling, invisible marks dropped, \frac and \sqrt with
/// braces, \text{...} unwrapped.
std::string normalise_symbols(std::string_view answer);

/// Steps 5 and 6, for an answer or one element of a list: Markdown, a full stop and a leading "x =" dropped.
std::string_view normalise_ends(AnswerKind kind, std::string_view text);

}  // namespace tandem::grading
