// A benchmark as pictures: the batch sweep and the roofline.
#pragma once

#include <memory>

#include "ui/views/throughput_bench_data.h"

namespace tandem::ui {

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
