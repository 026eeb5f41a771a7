// Answer extraction and equality for GSM8K (numbers) and MATH (LaTeX). Pure functions, no exceptions, no
// algebra. Rules: test_time_compute.md section 6, fixed by tests/data/grading_vectors.json.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace tandem {

/// Stored with sessions; raised whenever a verdict can change.
inline constexpr const char* kGraderVersion = "1";

enum class AnswerKind { Gsm8k, Math };
const char* answer_kind_name(AnswerKind kind);  // "gsm8k", "math"

/// The answer in a model's output, or nothing if there is none (wrong, and no vote).
std::optional<std::string> extract_answer(AnswerKind kind, std::string_view output);

/// What the last \boxed{...} or \fbox{...} of a text holds; nothing if there is no box or its braces do not
/// balance.
std::optional<std::string> boxed_answer(std::string_view text);

/// The gold answer of a problem's answer field: what follows the last "####" for gsm8k, else the whole text.
std::string gold_answer(AnswerKind kind, std::string_view answer_field);

/// Whether two extracted answers are the same answer. Symmetric; an empty side equals nothing.
bool answers_equal(AnswerKind kind, std::string_view a, std::string_view b);

/// extract_answer, gold_answer and answers_equal together.
bool grade(AnswerKind kind, std::string_view output, std::string_view answer_field);

}  // namespace tandem
