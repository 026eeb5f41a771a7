// The numbers of one cell, as words and rich text: for the side read-out and for tooltips.
#pragma once

#include <QLabel>

#include "ui/models/matrix_set.h"

namespace tandem::ui {

/// Rows of a small table: query, key, lag, A, M, M - A, L, C·B and how M is made of them. Unknown values are
/// "–". With a reference (the pinned cell) a third column says by how much each number differs from its.
QString cellHtml(const MatrixSet& set, const CellValues& cell, const CellValues& reference = {});
/// The same in one sentence, for screen readers.
QString cellSentence(const MatrixSet& set, const CellValues& cell);
/// True when L x C·B (+ D) gives M to the precision it is held in; false when a factor is missing too.
bool factorsAddUp(const CellValues& cell, bool recorded);

class MatricesReadout : public QLabel {
  Q_OBJECT
 public:
  explicit MatricesReadout(QWidget* parent = nullptr);
  void showCell(const MatrixSet& set, const CellValues& cell, bool pinned);
  void showNothing();
};

}  // namespace tandem::ui
