// Losses of the chosen training run: raw faint, smoothed bold, stages divided by lines, a pinned baseline
// dashed.
#pragma once

#include "ui/models/distil_run.h"
#include "ui/widgets/plot.h"

namespace tandem::ui {

class DistilLossPlot : public Plot {
  Q_OBJECT
 public:
  explicit DistilLossPlot(QWidget* parent = nullptr);

  /// Draws from these; null clears. They are only read during the call.
  void setRun(const DistilRun* run, const DistilRun* baseline);
  void setAxis(CurveAxis axis);
  CurveAxis axis() const { return m_axis; }
  void setSmoothing(double smoothing);
  double smoothing() const { return m_smoothing; }
  void setLogarithmic(bool logarithmic);
  /// Marks a place of the run; a negative stage hides the mark.
  void setMark(std::int64_t stage, std::int64_t step);

 signals:
  void settingsChanged();                               // draw again
  void clicked(std::int64_t stage, std::int64_t step);  // the update nearest to the mouse

 protected:
  void mouseReleaseEvent(QMouseEvent* event) override;

 private:
  void applyColors();
  void drawBoundaries(const DistilRun& run);
  void drawMark(const DistilRun& run);
  void fitAxes(const DistilRun& run);
  PlotTable numbers() const;

  CurveAxis m_axis = CurveAxis::Updates;
  double m_smoothing = 0.9;
  LossCurve m_curve, m_reference;                               // as drawn
  std::vector<std::pair<std::int64_t, std::int64_t>> m_places;  // stage and step of every update, in order
  QVector<double> m_updateX;
  std::int64_t m_markStage = -1, m_markStep = 0;
  QCPGraph *m_raw, *m_smooth, *m_baseline;
  QList<QCPItemStraightLine*> m_boundaries;
  QList<QCPItemText*> m_stageNames;
  QCPItemStraightLine* m_mark;
};

}  // namespace tandem::ui
