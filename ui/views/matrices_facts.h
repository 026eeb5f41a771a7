// What a reader has to know about mixing matrices to read them right.
#pragma once

#include <QDialog>

#include "core/models/model.h"

namespace tandem::ui {

/// `student` is how the selected layer of the student mixes: the text says where its step size went.
QString matrixFacts(MixerKind student);

class MatricesFacts : public QDialog {
  Q_OBJECT
 public:
  explicit MatricesFacts(MixerKind student, QWidget* parent = nullptr);
};

}  // namespace tandem::ui
