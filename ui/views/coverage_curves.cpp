#include "ui/views/coverage_curves.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "ui/format.h"

namespace tandem::ui {
namespace {

constexpr double kFitReach = 4;  // a power law is never drawn beyond this many times its range of k
constexpr int kFitPoints = 60;

/// Which run of its side this is.
int ordinalOf(const CoverageData& data, std::size_t run) {
  int ordinal = 0;
  for (std::size_t i = 0; i < run; ++i)
    if (CoverageData::side(data.report.runs[i]) == CoverageData::side(data.report.runs[run])) ++ordinal;
  return ordinal;
}

CoverageCurve baseCurve(const CoverageData& data, std::size_t run, CurveKind kind, const QString& what) {
  CoverageCurve curve;
  curve.side = CoverageData::side(data.report.runs[run]);
  curve.ordinal = ordinalOf(data, run);
  curve.kind = kind;
  curve.label = data.runLabel(run) + QLatin1Char(' ') + what;
  return curve;
}

CoverageCurve estimateCurve(CoverageCurve curve, const QVector<double>& x,
                            const std::vector<tandem::Estimate>& estimates) {
  curve.x = x;
  bool banded = !estimates.empty();
  for (const tandem::Estimate& estimate : estimates) {
    curve.mean << estimate.mean;
    curve.low << estimate.band.low;
    curve.high << estimate.band.high;
    banded = banded && estimate.has_band;
  }
  if (!banded) {
    curve.low.clear();
    curve.high.clear();
  }
  return curve;
}

tandem::Result<tandem::PowerLaw> fitRun(const CoverageData& data, std::size_t run) {
  std::vector<double> k, means;
  for (std::size_t i = 0; i < data.report.k.size(); ++i) {
    // Powers of two, as k is read on its axis: every k would weigh the large ones by their number.
    if ((data.report.k[i] & (data.report.k[i] - 1)) != 0) continue;
    k.push_back(static_cast<double>(data.report.k[i]));
    means.push_back(data.report.runs[run].coverage_k[i].mean);
  }
  return tandem::fit_power_law(k, means);
}

CoverageCurve powerLawCurve(const CoverageData& data, std::size_t run, const tandem::PowerLaw& fit) {
  CoverageCurve curve = baseCurve(data, run, CurveKind::PowerLaw, CoverageLoader::tr("fit"));
  const double last = fit.k_max * kFitReach;
  for (int i = 0; i < kFitPoints; ++i) {
    const double k = fit.k_min * std::pow(last / fit.k_min, static_cast<double>(i) / (kFitPoints - 1));
    curve.x << k;
    curve.mean << std::exp(fit.a * std::pow(k, fit.b));
  }
  return curve;
}

}  // namespace

QVector<CoverageCurve> curvesAgainstK(const CoverageData& data, const CoverageShow& show) {
  QVector<CoverageCurve> curves;
  const QVector<double> x(data.report.k.begin(), data.report.k.end());
  const auto add = [&](std::size_t run, CurveKind kind, const QString& what,
                       const std::vector<tandem::Estimate>& estimates) {
    CoverageCurve curve = estimateCurve(baseCurve(data, run, kind, what), x, estimates);
    curve.solidTo = static_cast<double>(data.report.runs[run].n) / 2;
    curves << curve;
  };
  for (std::size_t i = 0; i < data.report.runs.size(); ++i) {
    const tandem::RunCoverage& run = data.report.runs[i];
    if (show.coverage) add(i, CurveKind::Coverage, CoverageLoader::tr("coverage"), run.coverage_k);
    if (show.majority) add(i, CurveKind::Majority, CoverageLoader::tr("majority"), run.majority_k);
    if (show.weighted && !run.weighted_k.empty())
      add(i, CurveKind::Weighted, CoverageLoader::tr("weighted"), run.weighted_k);
    if (!show.powerLaw) continue;
    if (const auto fit = fitRun(data, i)) curves << powerLawCurve(data, i, *fit);
  }
  return curves;
}

QVector<CoverageCurve> curvesAgainstSeconds(const CoverageData& data, const CoverageShow& show) {
  QVector<CoverageCurve> curves;
  const QVector<double> x(data.report.seconds.begin(), data.report.seconds.end());
  for (std::size_t i = 0; i < data.report.runs.size(); ++i) {
    const tandem::RunCoverage& run = data.report.runs[i];
    if (show.coverage)
      curves << estimateCurve(baseCurve(data, i, CurveKind::Coverage, CoverageLoader::tr("coverage")), x,
                              run.coverage_t);
    if (show.majority)
      curves << estimateCurve(baseCurve(data, i, CurveKind::Majority, CoverageLoader::tr("majority")), x,
                              run.majority_t);
    if (show.resampled && !run.resampled_t.empty()) {
      CoverageCurve curve = baseCurve(data, i, CurveKind::Resampled, CoverageLoader::tr("resampled orders"));
      curve.x = x;
      curve.mean = QVector<double>(run.resampled_t.begin(), run.resampled_t.end());
      curves << curve;
    }
    if (show.studentSpeed != 1 && !run.is_teacher) {
      CoverageCurve curve = baseCurve(data, i, CurveKind::Modelled,
                                      CoverageLoader::tr("×%1, modelled").arg(show.studentSpeed, 0, 'g', 3));
      for (std::size_t t = 0; t < data.report.seconds.size(); ++t) {
        curve.x << data.report.seconds[t] / show.studentSpeed;
        curve.mean << run.coverage_t[t].mean;
      }
      curves << curve;
    }
  }
  return curves;
}

QStringList powerLawNotes(const CoverageData& data) {
  QStringList notes;
  for (std::size_t i = 0; i < data.report.runs.size(); ++i) {
    const auto fit = fitRun(data, i);
    notes << (fit ? CoverageLoader::tr("%1: exp(a·kᵇ), a = %2, b = %3, R² = %4, k = %5 to %6")
                        .arg(data.runLabel(i))
                        .arg(fit->a, 0, 'f', 3)
                        .arg(fit->b, 0, 'f', 3)
                        .arg(fit->r_squared, 0, 'f', 3)
                        .arg(fit->k_min, 0, 'f', 0)
                        .arg(fit->k_max, 0, 'f', 0)
                  : CoverageLoader::tr("%1: no fit. %2")
                        .arg(data.runLabel(i), QString::fromStdString(fit.error().message)));
  }
  return notes;
}

PlotTable coverageTable(const QString& xHeader, const QVector<CoverageCurve>& curves) {
  PlotTable table;
  table.headers << xHeader;
  std::map<double, QStringList> rows;
  int columns = 0;
  for (const CoverageCurve& curve : curves) {
    const bool banded = !curve.low.isEmpty();
    table.headers << curve.label;
    if (banded)
      table.headers << CoverageLoader::tr("%1, 95 % low").arg(curve.label)
                    << CoverageLoader::tr("%1, 95 % high").arg(curve.label);
    for (int i = 0; i < curve.x.size(); ++i) {
      QStringList& row = rows[curve.x[i]];
      while (row.size() < columns) row << QString();
      row << QString::number(curve.mean[i], 'g', 6);
      if (banded) row << QString::number(curve.low[i], 'g', 6) << QString::number(curve.high[i], 'g', 6);
    }
    columns += banded ? 3 : 1;
  }
  for (auto& [x, row] : rows) {
    while (row.size() < columns) row << QString();
    table.rows << QStringList{QString::number(x, 'g', 6)} + row;
  }
  return table;
}

QString estimateText(const tandem::Estimate& estimate) {
  const QString mean = QString::number(estimate.mean, 'f', 2);
  if (!estimate.has_band) return mean;
  return QStringLiteral("%1 [%2, %3]")
      .arg(mean)
      .arg(estimate.band.low, 0, 'f', 2)
      .arg(estimate.band.high, 0, 'f', 2);
}

QString differenceText(const tandem::Estimate& estimate) {
  if (!estimate.has_band) return formatDelta(estimate.mean);
  return QStringLiteral("%1 [%2, %3]")
      .arg(formatDelta(estimate.mean), formatDelta(estimate.band.low), formatDelta(estimate.band.high));
}

}  // namespace tandem::ui
