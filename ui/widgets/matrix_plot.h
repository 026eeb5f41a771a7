// One mixing matrix as a map: square cells, token axes, hatched mask, its colour bar, and a crosshair on a
// layer of its own, so that moving it repaints nothing else.
#pragma once

#include <functional>
#include <optional>

#include "ui/widgets/color_map.h"
#include "ui/widgets/matrix_frame.h"
#include "ui/widgets/matrix_plot_ticker.h"
#include "ui/widgets/plot.h"

namespace tandem::ui {

class MatrixOverlay;

class MatrixPlot : public Plot {
  Q_OBJECT
 public:
  explicit MatrixPlot(const QString& objectName, QWidget* parent = nullptr);

  void setTokens(const QStringList& tokens);
  /// Takes the frame's cells; a frame without cells shows its reason.
  void setMap(MapFrame& frame);
  /// Of magnitudes; signs always get the diverging map of the theme.
  void setColorMap(const ColorMap& sequential);
  /// Lines printed in the masked triangle: what the reader must know about this picture. The warning is red.
  void setBadges(const QStringList& badges, const QString& warning = {});
  /// Outlines the bar: this map's range is not shared with the one beside it.
  void setRangeWarning(bool on);
  /// -1 hides it. `value` is ticked on the colour bar.
  void setCrosshair(int query, int key, std::optional<double> value);
  /// Tokens in view along both axes; clamped to the text. Does not emit.
  void setVisibleTokens(QCPRange keys, QCPRange queries);
  QCPRange visibleKeys() const { return xAxis->range(); }
  QCPRange visibleQueries() const { return yAxis->range(); }
  /// Rich text of the tooltip at a cell.
  void setTooltipSource(std::function<QString(int query, int key)> source);

  const MatrixScale& scale() const { return m_scale; }
  bool hasMap() const { return m_hasMap; }
  QCPColorMap* map() const { return m_map; }
  /// Cell under a widget position; {-1, -1} outside.
  QPoint cellAt(const QPointF& position) const;  // x = key, y = query
  /// Centre of a cell in widget coordinates.
  QPointF cellCentre(int query, int key) const;

 signals:
  void cellHovered(int query, int key);
  void cellClicked(int query, int key);
  void visibleTokensChanged(const QCPRange& keys, const QCPRange& queries);

 protected:
  void mouseMoveEvent(QMouseEvent* event) override;
  void mousePressEvent(QMouseEvent* event) override;
  void mouseReleaseEvent(QMouseEvent* event) override;
  bool event(QEvent* event) override;

 private:
  void buildAxes();
  void limitRange(QCPAxis* axis);
  void recolor();
  void refreshOverlay();
  void showTooltip(const QPoint& position);

  QCPColorMap* m_map = nullptr;
  QCPColorScale* m_bar = nullptr;
  MatrixOverlay* m_overlay = nullptr;
  QSharedPointer<TokenTicker> m_keyTicker, m_queryTicker;
  std::function<QString(int, int)> m_tooltip;
  ColorMap m_sequential = sequentialColorMap(QString());
  MatrixScale m_scale;
  bool m_hasMap = false;
  int m_tokenCount = 0;
  bool m_limiting = false;
  QPoint m_pressed;
};

}  // namespace tandem::ui
