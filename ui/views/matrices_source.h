// Where matrices come from: a text captured with both models, or what a session recorded. Everything here
// runs on a worker and knows no widget.
#pragma once

#include <functional>
#include <stop_token>
#include <string>
#include <vector>

#include "core/models/model.h"
#include "ui/models/matrix_set.h"
#include "ui/models/training_set.h"

namespace tandem::ui {

/// A text before it is tokens.
struct CaptureText {
  std::string prompt;                    // the template with the question in place, or typed text
  std::string solution;                  // text that follows, or empty
  std::vector<std::int32_t> completion;  // tokens that follow instead, exactly as they were sampled
  QString origin;                        // "problem 3 and its solution"
};

struct CaptureRequest {
  std::shared_ptr<const Model> teacher, student;
  std::function<Result<CaptureText>()> text;  // called on the worker: it may read the session
  int layer = 0;  // the one looked at: captured alone when all do not fit in kCaptureBudgetBytes
  int threads = 1;
};
inline constexpr std::int64_t kCaptureBudgetBytes = std::int64_t{2} << 30;

struct CaptureOutcome {
  MatrixSetPtr set;
  QString error;  // one sentence
};

/// A prompt with the completion of that index, exactly as sampled, from the session. Errors: NotFound, and
/// those of the session.
Result<CaptureText> completionText(const Session& session, std::int64_t runId, std::int64_t problemId,
                                   int completion, CaptureText prompt);

/// The text's tokens. Errors: Mismatch when the two models would split it differently, InvalidArgument when
/// it is empty.
Result<std::vector<std::int32_t>> alignedIds(const Model& teacher, const Model& student,
                                             const CaptureText& text);

/// Bytes that the matrices of all layers of both models take for `seqlen` tokens.
std::int64_t captureBytes(const ModelInfo& teacher, const ModelInfo& student, std::int64_t seqlen);

/// Runs both models over the text. A cancelled capture has neither a set nor an error.
CaptureOutcome captureMatrices(const CaptureRequest& request, std::stop_token stop);

/// Writes both sides to the session. Returns an error sentence or an empty string.
QString storeMatrices(Session& session, const ModelInfo& teacher, const ModelInfo& student,
                      const MatrixSet& set);

struct RecordedMatrices {
  std::shared_ptr<const Session> session;
  std::vector<MatrixSetPtr> sets;
  std::vector<ScrubbableRun> trainings;
  QString error;
};
/// What the session holds of these two models, and its training runs; `tokenizer` may be null, then tokens
/// are named by their ids.
RecordedMatrices readRecordedMatrices(std::shared_ptr<const Session> session, const QString& teacher,
                                      const QString& student, const Tokenizer* tokenizer);

}  // namespace tandem::ui
