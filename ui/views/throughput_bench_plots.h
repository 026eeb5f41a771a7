// A benchmark as pictures: the batch sweep and the roofline; and as a table.
#pragma once

#include <memory>

#include <QVector>

#include "core/jobs/bench.h"
#include "ui/theme.h"
#include "ui/widgets/plot.h"

namespace tandem::ui {

/// How a bar's model and variant look everywhere: teacher with a shared or private prefix, or a student.
struct BenchStyle {
  Side side = Side::Teacher;
  bool privatePrefix = false;
  QString label;  // "Teacher, shared prefix"
  QPen pen() const;
  QCPScatterStyle mark() const;
};
BenchStyle benchStyle(const tandem::BenchBar& bar);

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
/// How much other programs took of the processor meanwhile, as a sentence; empty when it was hardly anything.
QString benchDisturbance(const tandem::BenchReport& report);
/// Every bar with its units in the headers; numbers as a person reads them, or as files want them.
PlotTable benchTable(const tandem::BenchReport& report, bool forFiles);
/// Student over teacher at a batch size, always with the share of its roofline that each reaches; a sentence
/// that says what is missing when one was not measured.
QString ratioText(const tandem::BenchReport& report, int batch);

class EndLabels;

class SweepPlot : public Plot {
  Q_OBJECT
 public:
  explicit SweepPlot(QWidget* parent = nullptr);
  void setReport(std::shared_ptr<const tandem::BenchReport> report);  // null: empty
  void setBatch(int batch);                                           // highlighted
  void setLogarithmic(bool logarithmic);

 signals:
  void batchClicked(int batch);

 protected:
  void mousePressEvent(QMouseEvent* event) override;

 private:
  void rebuild();
  void addSeries(const BenchSeries& series);
  void addSkipped(const BenchSeries& series, double y);

  std::shared_ptr<const tandem::BenchReport> m_report;
  int m_batch = 0;
  bool m_logarithmic = true;
  EndLabels* m_endLabels;
};

class RooflinePlot : public Plot {
  Q_OBJECT
 public:
  explicit RooflinePlot(QWidget* parent = nullptr);
  void setReport(std::shared_ptr<const tandem::BenchReport> report);

 private:
  void rebuild();
  void addRoofs(double low, double high);
  void turnLabels();
  PlotTable numbers() const;

  std::shared_ptr<const tandem::BenchReport> m_report;
  QVector<QCPItemText*> m_roofLabels;
};

}  // namespace tandem::ui
