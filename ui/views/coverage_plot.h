// One of the two plots of the Coverage view: curves with bands, labels at their ends, and cursor lines on a
// layer of their own, so that dragging a cursor repaints nothing else.
#pragma once

#include <limits>
#include <optional>

#include <QVector>

#include "ui/theme.h"
#include "ui/widgets/plot.h"

namespace tandem::ui {

enum class CurveKind { Coverage, Majority, Weighted, Resampled, Modelled, PowerLaw };

struct CoverageCurve {
  QString label;  // at its end
  Side side = Side::Teacher;
  int ordinal = 0;  // which run of its side: further runs get other dashes and marks
  CurveKind kind = CurveKind::Coverage;
  QVector<double> x, mean;
  QVector<double> low, high;                                 // band; empty = none
  double solidTo = std::numeric_limits<double>::infinity();  // beyond it dotted: few subsets
};

struct CoverageCursor {
  double x = 0;
  std::optional<Side> side;  // none: the cursor of both
  QString label;
  bool operator==(const CoverageCursor&) const = default;
};

/// A vertical line with a label.
struct PlotMark {
  double x = 0;
  QString label;
};

class EndLabels;

class CoveragePlot : public Plot {
  Q_OBJECT
 public:
  /// @param base of the x axis' logarithm: 2 for completions, 10 for seconds.
  CoveragePlot(const QString& objectName, const QString& xLabel, double base, QWidget* parent = nullptr);

  void setCurves(QVector<CoverageCurve> curves);
  const QVector<CoverageCurve>& curves() const { return m_curves; }
  void setBandsVisible(bool visible);
  void setCursors(const QVector<CoverageCursor>& cursors);
  const QVector<CoverageCursor>& cursors() const { return m_cursors; }
  void setMarks(QVector<PlotMark> marks);
  /// Shades the axis beyond x and says why; x <= 0 hides it.
  void setDoubtfulFrom(double x, const QString& label);

 signals:
  void cursorDragged(double x);

 protected:
  void mousePressEvent(QMouseEvent* event) override;
  void mouseMoveEvent(QMouseEvent* event) override;

 private:
  void rebuild();
  void addBand(const CoverageCurve& curve);
  void addLine(const CoverageCurve& curve);
  struct CursorItems {
    QCPItemLine* line = nullptr;
    QCPItemText* label = nullptr;
    QVector<QCPItemTracer*> dots;  // one per curve
    QVector<QCPAbstractItem*> all() const;
  };
  void makeCursorItems();
  void moveCursors();
  void moveCursor(const CoverageCursor& cursor, int row, const CursorItems& items);
  void fitAxes();
  void showValues(const QPoint& position);
  bool insideAxes(const QPoint& position) const;

  QVector<CoverageCurve> m_curves;
  QVector<CoverageCursor> m_cursors;
  QVector<CursorItems> m_cursorItems;  // at most two cursors: one for each side
  QVector<PlotMark> m_marks;
  double m_doubtfulX = 0;
  QString m_doubtfulLabel;
  bool m_bands = true;
  double m_base;
  EndLabels* m_endLabels;
};

}  // namespace tandem::ui
