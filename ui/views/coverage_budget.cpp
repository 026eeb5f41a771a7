#include "ui/views/coverage_budget.h"

#include <algorithm>

#include "ui/format.h"
#include "ui/views/coverage_curves.h"

namespace tandem::ui {
namespace {

using Leads = CoverageBudget::Leads;

/// Runs that the cursors follow: the first of each side.
QVector<int> followedRuns(const CoverageData& data) {
  QVector<int> runs;
  for (const Side side : {Side::Teacher, Side::Student})
    if (const int run = data.runOf(side); run >= 0) runs << run;
  return runs;
}

/// Index of the last grid value at or before `value`; 0 when there is none.
template <typename Grid, typename Value>
std::size_t indexAt(const Grid& grid, Value value) {
  const auto after = std::upper_bound(grid.begin(), grid.end(), value);
  return after == grid.begin() ? 0 : static_cast<std::size_t>(after - grid.begin()) - 1;
}

QString numbersAt(const CoverageData& data, Leads leads, std::size_t index) {
  const auto& report = data.report;
  QStringList parts;
  const auto estimates = [&](const tandem::RunCoverage& run) -> const std::vector<tandem::Estimate>& {
    return leads == Leads::Completions ? run.coverage_k : run.coverage_t;
  };
  const auto majority = [&](const tandem::RunCoverage& run) -> const std::vector<tandem::Estimate>& {
    return leads == Leads::Completions ? run.majority_k : run.majority_t;
  };
  for (std::size_t i = 0; i < report.runs.size(); ++i) {
    QString part =
        QStringLiteral("%1 %2").arg(data.runLabel(i), estimateText(estimates(report.runs[i])[index]));
    part += CoverageLoader::tr(" majority %1").arg(majority(report.runs[i])[index].mean, 0, 'f', 2);
    parts << part;
  }
  for (std::size_t i = 0; i < report.differences.size(); ++i) {
    const auto& difference = leads == Leads::Completions ? report.differences[i].k : report.differences[i].t;
    parts << QStringLiteral("Δ%1 %2").arg(
        report.differences.size() > 1 ? QLatin1Char(' ') + data.runLabel(i + 1) : QString(),
        differenceText(difference[index]));
  }
  parts << CoverageLoader::tr("n = %1 problems, %2 completions")
               .arg(report.problem_ids.size())
               .arg(report.k.back());
  return parts.join(QStringLiteral("   "));
}

QString whatIf(const CoverageData& data, const CoverageBudget& budget) {
  const int student = data.runOf(Side::Student);
  if (budget.studentSpeed == 1 || student < 0 || budget.leads != Leads::Seconds) return {};
  const auto& report = data.report;
  const double reached = budget.seconds * budget.studentSpeed;
  const auto& run = report.runs[static_cast<std::size_t>(student)];
  if (reached > report.seconds.back())
    return CoverageLoader::tr("Modelled: a student ×%1 as fast would have finished all its completions.")
        .arg(budget.studentSpeed, 0, 'g', 3);
  const double modelled =
      reached < report.seconds.front() ? 0 : run.coverage_t[indexAt(report.seconds, reached)].mean;
  return CoverageLoader::tr("Modelled: a student ×%1 as fast would cover %2 at %3.")
      .arg(budget.studentSpeed, 0, 'g', 3)
      .arg(modelled, 0, 'f', 2)
      .arg(formatSeconds(budget.seconds));
}

/// Linked, seconds lead: where each side stands on the k axis.
void followSeconds(const CoverageData& data, const CoverageBudget& budget, BudgetText& text) {
  QStringList reached;
  for (const int run : followedRuns(data)) {
    const auto index = static_cast<std::size_t>(run);
    const double k = completionsBy(data.report, index, budget.seconds);
    const QString label = data.runLabel(index);
    if (k >= 1)
      text.kCursors << CoverageCursor{k, CoverageData::side(data.report.runs[index]),
                                      QStringLiteral("%1 k = %2").arg(label).arg(k, 0, 'g', 4)};
    reached << QStringLiteral("%1 %2").arg(label).arg(k, 0, 'g', 4);
  }
  text.link = CoverageLoader::tr("Completions finished by %1 (median problem): %2.")
                  .arg(formatSeconds(budget.seconds), reached.join(QStringLiteral(", ")));
}

/// Linked, k leads: the seconds each side needs for it.
void followCompletions(const CoverageData& data, const CoverageBudget& budget, BudgetText& text) {
  QStringList needed;
  for (const int run : followedRuns(data)) {
    const auto index = static_cast<std::size_t>(run);
    const QString label = data.runLabel(index);
    const auto seconds = secondsFor(data.report, index, budget.k);
    needed << QStringLiteral("%1 %2").arg(label,
                                          seconds ? formatSeconds(*seconds) : CoverageLoader::tr("never"));
    if (seconds)
      text.secondsCursors << CoverageCursor{*seconds, CoverageData::side(data.report.runs[index]),
                                            QStringLiteral("%1 %2").arg(label, formatSeconds(*seconds))};
  }
  text.link = CoverageLoader::tr("Seconds until %1 completions of the median problem are finished: %2.")
                  .arg(budget.k)
                  .arg(needed.join(QStringLiteral(", ")));
}

}  // namespace

BudgetText describeBudget(const CoverageData& data, const CoverageBudget& budget) {
  BudgetText text;
  const auto& report = data.report;
  const QString atK = QString::fromStdString(tandem::leader_sentence_at_k(report, budget.k));
  const QString atSeconds =
      QString::fromStdString(tandem::leader_sentence_at_seconds(report, budget.seconds));
  const CoverageCursor kCursor{static_cast<double>(budget.k), std::nullopt,
                               QStringLiteral("k = %1").arg(budget.k)};
  const CoverageCursor secondsCursor{budget.seconds, std::nullopt, formatSeconds(budget.seconds)};

  if (budget.leads == Leads::Completions || !budget.linked) text.kCursors << kCursor;
  if (budget.leads == Leads::Seconds || !budget.linked) text.secondsCursors << secondsCursor;
  if (!budget.linked) {
    text.sentence = atK + QLatin1Char('\n') + atSeconds;
  } else if (budget.leads == Leads::Seconds) {
    text.sentence = atSeconds;
    followSeconds(data, budget, text);
  } else {
    text.sentence = atK;
    followCompletions(data, budget, text);
  }
  const std::size_t index = budget.leads == Leads::Completions
                                ? indexAt(report.k, static_cast<std::int64_t>(budget.k))
                                : indexAt(report.seconds, budget.seconds);
  text.numbers = numbersAt(data, budget.leads, index);
  if (const QString model = whatIf(data, budget); !model.isEmpty())
    text.link += (text.link.isEmpty() ? QString() : QStringLiteral("  ")) + model;
  return text;
}

}  // namespace tandem::ui
