// A benchmark in words and as a table, and how its bars look in every plot.
#pragma once

#include <QString>
#include <QVector>

#include "core/jobs/bench.h"
#include "ui/theme.h"
#include "ui/widgets/plot.h"

namespace tandem::ui {

/// How a bar's model and variant look everywhere: teacher with a shared or private prefix, or a student,
/// whose state is written at every step or replayed.
struct BenchStyle {
  Side side = Side::Teacher;
  int model = 0;  // of the models of its side, in the report's order
  bool privatePrefix = false;
  bool replayed = false;
  QString label;  // "Teacher, shared prefix"; with the model's name where a side has several models
  bool isMain() const { return !privatePrefix && !replayed; }
  QPen pen() const;
  QCPScatterStyle mark() const;
};

/// Teacher when the report has the model's shared or private prefix bars.
Side benchSide(const tandem::BenchReport& report, const std::string& model);

/// Bars with the same model and variant, by batch, in the report's order.
struct BenchSeries {
  BenchStyle style;
  QVector<const tandem::BenchBar*> bars;
};
QVector<BenchSeries> benchSeries(const tandem::BenchReport& report);

/// "2026-11-24 11:02 UTC on AMD EPYC, 1 thread: prompt 512, 64 tokens timed, 5 repeats"
QString benchOrigin(const tandem::BenchReport& report);
/// In which types weights, caches and states were, and which models have random weights, as sentences; empty
/// for a report that does not say.
QString benchTypes(const tandem::BenchReport& report);
/// How much other programs took of the processor meanwhile, as a sentence; empty when it was hardly anything.
QString benchDisturbance(const tandem::BenchReport& report);
/// Every bar with its units in the headers; numbers as a person reads them, or as files want them.
PlotTable benchTable(const tandem::BenchReport& report, bool forFiles);
/// Every student over the teacher before it at a batch size, a line each, always with the share of its
/// roofline that each reaches; a sentence that says what is missing when no pair was measured.
QString ratioText(const tandem::BenchReport& report, int batch);

}  // namespace tandem::ui
