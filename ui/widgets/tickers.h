// Axis ticks: logarithmic axes get 1, 2, 5 between the powers of ten when they span little, and every label
// groups its thousands.
#pragma once

#include <qcustomplot.h>

namespace tandem::ui {

class LogTicker : public QCPAxisTicker {
 protected:
  QVector<double> createTickVector(double tickStep, const QCPRange& range) override;
  QVector<double> createSubTickVector(int subTickCount, const QVector<double>& ticks) override;
  QString getTickLabel(double tick, const QLocale& locale, QChar format, int precision) override;
};

class LinearTicker : public QCPAxisTicker {
 protected:
  QString getTickLabel(double tick, const QLocale& locale, QChar format, int precision) override;
};

/// Scale and ticks of an axis.
void setLogarithmic(QCPAxis& axis, bool logarithmic);

}  // namespace tandem::ui
