// What lies over a matrix map: crosshair, the two tokens it names, a tick on the colour bar, caps, badges.
#pragma once

#include <optional>

#include <qcustomplot.h>

#include <QStringList>

namespace tandem::ui {

class MatrixOverlay : public QCPAbstractItem {
  Q_OBJECT
 public:
  MatrixOverlay(QCustomPlot* plot, QCPColorScale* bar);

  QStringList tokens;
  QStringList badges;
  QString warning;
  int query = -1, key = -1;
  std::optional<double> barValue;  // where on the bar, in the bar's units
  bool cappedBelow = false, cappedAbove = false;
  bool rangeWarning = false;
  bool hasMap = false;

  double selectTest(const QPointF&, bool, QVariant* = nullptr) const override { return -1; }

 protected:
  void draw(QCPPainter* painter) override;

 private:
  void drawCrosshair(QCPPainter* painter, const QRectF& area) const;
  void drawTokenChips(QCPPainter* painter, const QRectF& area) const;
  void drawBar(QCPPainter* painter) const;
  void drawBadges(QCPPainter* painter, const QRectF& area) const;

  QCPColorScale* m_bar;
};

}  // namespace tandem::ui
