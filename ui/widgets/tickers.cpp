#include "ui/widgets/tickers.h"

#include <cmath>

#include "ui/format.h"

namespace tandem::ui {
namespace {

constexpr double kDecadesWithSteps = 2.6;  // up to here 2 and 5 are labelled, too

/// 0.05, 20, 12 000.
QString tickText(double tick) {
  if (std::abs(tick) >= 1000 && std::abs(tick) < 1e9) return formatCount(std::llround(tick));
  return QString::number(tick, 'g', 4);
}

}  // namespace

QVector<double> LogTicker::createTickVector(double /*tickStep*/, const QCPRange& range) {
  QVector<double> ticks;
  if (range.lower <= 0 || range.upper <= range.lower) return ticks;
  const bool steps = std::log10(range.upper / range.lower) < kDecadesWithSteps;
  // One tick beyond each end, as QCustomPlot expects.
  const int first = static_cast<int>(std::floor(std::log10(range.lower)));
  const int last = static_cast<int>(std::ceil(std::log10(range.upper)));
  for (int exponent = first; exponent <= last; ++exponent)
    for (const int digit : {1, 2, 5})
      if (digit == 1 || steps) ticks << digit * std::pow(10.0, exponent);
  return ticks;
}

QVector<double> LogTicker::createSubTickVector(int /*subTickCount*/, const QVector<double>& /*ticks*/) {
  return {};
}

QString LogTicker::getTickLabel(double tick, const QLocale& /*locale*/, QChar /*format*/, int /*precision*/) {
  return tickText(tick);
}

QString LinearTicker::getTickLabel(double tick, const QLocale& /*locale*/, QChar /*format*/,
                                   int /*precision*/) {
  return tickText(tick);
}

void setLogarithmic(QCPAxis& axis, bool logarithmic) {
  axis.setScaleType(logarithmic ? QCPAxis::stLogarithmic : QCPAxis::stLinear);
  axis.setTicker(logarithmic ? QSharedPointer<QCPAxisTicker>(new LogTicker)
                             : QSharedPointer<QCPAxisTicker>(new LinearTicker));
}

}  // namespace tandem::ui
