// What the Coverage view says at one budget: cursor positions, the sentence, the numbers. Pure, and cheap
// enough for every step of a drag.
#pragma once

#include <optional>

#include <QString>
#include <QVector>

#include "ui/views/coverage_data.h"
#include "ui/views/coverage_plot.h"

namespace tandem::ui {

struct CoverageBudget {
  enum class Leads { Completions, Seconds };  // which slider was moved last
  Leads leads = Leads::Seconds;
  bool linked = true;
  int k = 1;
  double seconds = 1;
  double studentSpeed = 1;  // of the what-if model
};

struct BudgetText {
  QVector<CoverageCursor> kCursors, secondsCursors;
  QString sentence;  // core's: who leads
  QString numbers;   // each run and each difference with its interval, and n
  QString link;      // what the other slider's side means for each model; the model's line when asked
};

/// data must hold at least one run.
BudgetText describeBudget(const CoverageData& data, const CoverageBudget& budget);

}  // namespace tandem::ui
