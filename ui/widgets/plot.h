// The one plot widget: QCustomPlot with Tandem's theme, empty text, context menu, export and its numbers as a
// table.
#pragma once

#include <functional>
#include <memory>

#include <qcustomplot.h>

#include <QString>
#include <QStringList>
#include <QVector>

namespace tandem::ui {

/// The numbers behind a plot: CSV export and the accessible table twin. Units stand in the headers.
struct PlotTable {
  QStringList headers;
  QVector<QStringList> rows;  // C locale, dot decimals
};

class Plot : public QCustomPlot {
  Q_OBJECT
 public:
  explicit Plot(const QString& objectName, QWidget* parent = nullptr);
  ~Plot() override;

  /// Printed above the axes, and the name a screen reader says. It takes no cell of plotLayout().
  void setTitle(const QString& title);
  QString title() const;
  /// Shown over an empty plot: says what to do to fill it. Empty string hides it.
  void setEmptyText(const QString& text);
  QString emptyText() const;
  /// One generated sentence for screen readers.
  void setSummary(const QString& sentence);
  void setTableSource(std::function<PlotTable()> source);
  PlotTable table() const;
  /// Line printed at the foot of every export: version, session, models, seed, hardware, LIVE or REPLAY,
  /// date.
  static void setProvenance(const QString& line);
  static QString provenance();

  /// By suffix: .png, .svg, .pdf (light palette on white whatever the theme, provenance footer) or .csv.
  /// Returns an error sentence or an empty string.
  QString exportTo(const QString& path);
  /// The picture of an export, `scale` device pixels per point.
  QImage exportImage(double scale = 2.0);
  /// The numbers as text: UTF-8, commas, one header line.
  QByteArray csv() const;
  /// Opens the table twin, a window of its own.
  void showTable();

  /// Pen of a side: teacher solid, student dashed; width 2 (3 in presenter mode).
  static QPen sidePen(int side, bool emphasised = true);

 signals:
  void themeApplied();  // after colours were reset: re-colour your own graphs here

 protected:
  void contextMenuEvent(QContextMenuEvent* event) override;
  void paintEvent(QPaintEvent* event) override;

 private:
  void applyTheme();
  void askAndExport(const QString& suffix);
  void paintOverlay(QPainter& painter) const;
  void paintExport(QCPPainter& painter, QSize plotSize, int footerHeight);
  template <typename Paint>
  void withExportLook(Paint paint);
  QSize exportSize() const;

  struct Private;
  std::unique_ptr<Private> d;
};

}  // namespace tandem::ui
