// What models are, row by row, and where two of them differ.
#pragma once

#include <vector>

#include "core/models/memory_plan.h"
#include "core/session/session.h"
#include "ui/widgets/plot.h"

namespace tandem::ui {

struct ModelColumn {
  QString title;
  const tandem::ModelInfo* info;
};

/// One row a fact: its name, its value for each model and, for two models, "≠" where they differ. `settings`:
/// what the memory is planned for. `onlyDifferences`: the rows in which two models differ.
PlotTable modelTable(const std::vector<ModelColumn>& models, const tandem::RunSettings& settings,
                     bool onlyDifferences = false);

/// The memory a model takes for a run with these settings; its prompt is not known yet, so one of 512 tokens.
tandem::MemoryPlan plannedMemory(const tandem::ModelInfo& info, const tandem::RunSettings& settings);

}  // namespace tandem::ui
