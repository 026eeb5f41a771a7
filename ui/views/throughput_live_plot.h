// Tokens per second while completions are decoded, one curve a side: every step faint, the mean of the last
// second bold.
#pragma once

#include <array>

#include <QVector>

#include "core/generation/generate.h"
#include "ui/theme.h"
#include "ui/widgets/plot.h"

namespace tandem::ui {

class EndLabels;

/// Rates of one side over its decoding time: problems follow each other without their prefill. Plain data.
class RateSeries {
 public:
  void add(const tandem::StepSample& step);
  void clear() { *this = {}; }

  const QVector<double>& times() const { return m_times; }  // s, end of each step
  /// tokens/s of each step; NaN for a problem's first, which samples from the prompt and runs no model
  const QVector<double>& raw() const { return m_raw; }
  const QVector<double>& mean() const { return m_mean; }  // tokens/s over the last second of decoding
  bool isEmpty() const { return m_times.isEmpty(); }

 private:
  QVector<double> m_times, m_raw, m_mean, m_tokens, m_steps;
  double m_offset = 0;      // decoding time of earlier problems
  double m_lastSample = 0;  // time_s of the last step, within its problem
  qsizetype m_windowBegin = 0;
  double m_windowTokens = 0, m_windowSeconds = 0;
};

class ThroughputLivePlot : public Plot {
  Q_OBJECT
 public:
  explicit ThroughputLivePlot(QWidget* parent = nullptr);

  void add(int side, const tandem::StepSample& step);
  void setSeries(int side, RateSeries series);
  void clearSeries();
  const RateSeries& series(int side) const { return m_series[static_cast<std::size_t>(side)]; }
  bool isEmpty() const { return m_series[0].isEmpty() && m_series[1].isEmpty(); }

  void setFrozen(bool frozen);
  void setFollowing(bool following);  // keeps the newest seconds in sight
  bool isFollowing() const { return m_following; }
  void setLogarithmic(bool logarithmic);
  void showAll();  // the whole recording instead of its end
  /// Shows what was added since; call at most once a frame.
  void refresh();

 signals:
  void followingChanged(bool following);  // the user zoomed or dragged the time axis

 protected:
  void mouseMoveEvent(QMouseEvent* event) override;
  void leaveEvent(QEvent* event) override;
  void wheelEvent(QWheelEvent* event) override;

 private:
  struct Graphs {
    QCPGraph* raw = nullptr;
    QCPGraph* mean = nullptr;
    QCPGraph* mark = nullptr;  // the side's shape at the newest value
    qsizetype shown = 0;       // points already handed over
  };
  void applyColors();
  void fitAxes();
  void showCursor(double time);
  PlotTable numbers() const;

  std::array<RateSeries, 2> m_series;
  std::array<Graphs, 2> m_graphs;
  EndLabels* m_endLabels;
  QCPItemStraightLine* m_cursor;
  QCPItemText* m_cursorText;
  bool m_frozen = false, m_following = true, m_dirty = false;
};

}  // namespace tandem::ui
