// What two models are, row by row, and where they differ.
#pragma once

#include "core/models/model.h"
#include "core/session/session.h"
#include "ui/widgets/plot.h"

namespace tandem::ui {

/// One row a fact: its name, the teacher's value, the student's, "≠" where they differ. A null model leaves
/// its column empty. `settings`: what the memory is planned for.
PlotTable modelTable(const tandem::ModelInfo* teacher, const tandem::ModelInfo* student,
                     const tandem::RunSettings& settings);

}  // namespace tandem::ui
