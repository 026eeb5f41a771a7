// What a running job tells the window, gathered between two frames.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <QString>
#include <QVector>

#include "core/generation/generate.h"
#include "core/session/session.h"

namespace tandem::ui {

struct LiveToken {
  int side = 0;
  int completion = 0;
  QString text;
  float logprob = 0;
};
struct LiveStep {
  int side = 0;
  tandem::StepSample sample;
};
struct LivePrefill {
  int side = 0;
  double seconds = 0;
  std::int64_t tokens = 0;
};
/// Everything that happened since the last frame, in order within each kind.
struct LiveBatch {
  QVector<LivePrefill> prefills;
  QVector<LiveStep> steps;
  QVector<LiveToken> tokens;
  std::vector<std::pair<int, tandem::SessionCompletion>> completions;  // side, completion

  bool empty() const {
    return prefills.isEmpty() && steps.isEmpty() && tokens.isEmpty() && completions.empty();
  }
};

/// A model turns to a problem: what follows on its side belongs to that one.
struct LiveStart {
  int side = 0;
  std::string set;
  std::int64_t index = 0;  // Problem::index
  std::int64_t runId = 0;
  std::int64_t problemId = 0;
};

}  // namespace tandem::ui
