// Checks the grader against a file of decided verdicts: `tandem-cli grade --vectors`.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/base/result.h"
#include "core/grading/grading.h"

namespace tandem {

struct GradingDisagreement {
  std::int64_t index = 0;  // in the file, from 0
  AnswerKind kind = AnswerKind::Gsm8k;
  std::string prediction;
  std::optional<std::string> answer;  // what was extracted from the prediction
  std::string gold;
  bool decided = false;  // the file's verdict; the grader says the opposite
  std::string note;
};

struct GradingAgreement {
  std::int64_t total = 0;
  std::vector<GradingDisagreement> disagreements;

  /// Share of verdicts that agree.
  double agreement() const;
};

/// Grades every case of a JSON array of {kind: "gsm8k" or "math", prediction, gold, equal, note?}.
/// Errors: NotFound, Io, OutOfRange (over 64 MiB), BadFormat (names the case).
Result<GradingAgreement> check_grading_vectors(const std::string& path);

}  // namespace tandem
