// The one plot widget: QCustomPlot with Tandem's theme, empty text, context menu, export and its numbers as a
// table.
#pragma once

#include <functional>

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

  void setTitle(const QString& title);
  /// Shown over an empty plot: says what to do to fill it. Empty string hides it.
  void setEmptyText(const QString& text);
  /// One generated sentence for screen readers.
  void setSummary(const QString& sentence);
  void setTableSource(std::function<PlotTable()> source);
  PlotTable table() const;
  /// Line printed at the foot of every export: version, session, models, seed, hardware, LIVE or REPLAY,
  /// date.
  static void setProvenance(const QString& line);

  /// By suffix: .png, .svg, .pdf (light palette on white whatever the theme, provenance footer) or .csv.
  /// Returns an error sentence or an empty string.
  QString exportTo(const QString& path);

  /// Pen of a side: teacher solid, student dashed; width 2 (3 in presenter mode).
  static QPen sidePen(int side, bool emphasised = true);

 signals:
  void themeApplied();  // after colours were reset: re-colour your own graphs here

 protected:
  void contextMenuEvent(QContextMenuEvent* event) override;
  void resizeEvent(QResizeEvent* event) override;

 private:
  void applyTheme();
  struct Private;
  Private* d = nullptr;
};

}  // namespace tandem::ui
