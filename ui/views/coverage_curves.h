// From a coverage report to the curves of the two plots. Pure functions: no number is made here except by the
// two labelled models (the power law in k, the what-if speed).
#pragma once

#include <QStringList>
#include <QVector>

#include "ui/views/coverage_data.h"
#include "ui/views/coverage_plot.h"

namespace tandem::ui {

/// What the toggles ask for.
struct CoverageShow {
  bool coverage = true;
  bool majority = true;
  bool weighted = false;
  bool resampled = false;
  bool powerLaw = false;
  double studentSpeed = 1;  // what if students were this many times as fast
};

QVector<CoverageCurve> curvesAgainstK(const CoverageData& data, const CoverageShow& show);
QVector<CoverageCurve> curvesAgainstSeconds(const CoverageData& data, const CoverageShow& show);

/// "exp(a k^b)" of each run with a, b, the range of k and R^2, or why there is no fit.
QStringList powerLawNotes(const CoverageData& data);

/// Every curve's numbers, one row per x; a curve without that x leaves its cells empty.
PlotTable coverageTable(const QString& xHeader, const QVector<CoverageCurve>& curves);

/// "0.68 [0.59, 0.77]", without brackets where there is no band.
QString estimateText(const tandem::Estimate& estimate);
/// "+0.07 [−0.02, +0.16]"
QString differenceText(const tandem::Estimate& estimate);

}  // namespace tandem::ui
