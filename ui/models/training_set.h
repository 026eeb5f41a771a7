// Matrices that a training run kept, as sets that the maps show. Everything here reads the session: for
// workers.
#pragma once

#include "core/session/session.h"
#include "ui/models/matrix_set.h"

namespace tandem::ui {

struct TrainingSet {
  std::int64_t snapshot = -1;
  MatrixSetPtr set;
  HeadPair telling;  // worth looking at first: see tellingHead()
  QString error;
};

/// The teacher's head with the shortest reach among those that look back at all: weights that fade with
/// distance are what a state-space mixer can imitate best.
HeadPair tellingHead(const MatrixSet& set);

/// The teacher's matrices beside the student's of one snapshot. Tokens are named by the tokenizer in the
/// run's folder, by their ids when that is gone.
TrainingSet readTrainingSet(const tandem::Session& session, std::int64_t training, std::int64_t snapshot);

/// A run that has snapshots to scrub through.
struct ScrubbableRun {
  std::int64_t id = -1;
  QString name;
  std::vector<tandem::SessionSnapshot> snapshots;  // the student's, in order
};
/// Errors: those of the session.
tandem::Result<std::vector<ScrubbableRun>> scrubbableRuns(const tandem::Session& session);

}  // namespace tandem::ui
