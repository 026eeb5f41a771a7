// Names of curves, written beside their right ends and kept from overlapping.
#pragma once

#include <qcustomplot.h>

#include <QPointer>
#include <QVector>

namespace tandem::ui {

/// Makes room for itself at the right of the plot's axis rectangle. A child of the plot.
class EndLabels : public QObject {
  Q_OBJECT
 public:
  explicit EndLabels(QCustomPlot* plot);

  void clear();
  /// Keeps room for this text, so that the axes stay where they are while names change.
  void reserve(const QString& text);
  /// y in coordinates of the plot's y axis.
  void add(const QString& text, const QColor& color, double y, bool bold = false);

 private:
  void makeRoom();
  void place();

  struct Label {
    QPointer<QCPItemText> item;
    double y = 0;
  };
  QCustomPlot* m_plot;
  QVector<Label> m_labels;
  int m_reserved = 0;
  int m_widest = 0;
};

}  // namespace tandem::ui
