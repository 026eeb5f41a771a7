#include "ui/widgets/matrix_plot_ticker.h"

#include <algorithm>
#include <cmath>

namespace tandem::ui {

QString shortToken(const QString& token) {
  if (token.size() <= kTokenLabelLength) return token;
  return token.left(kTokenLabelLength - 3) + QChar(0x2026) + token.right(2);
}

QVector<double> TokenTicker::createTickVector(double /*tickStep*/, const QCPRange& range) {
  const QCPAxisRect* rect = m_axis->axisRect();
  const int pixels = m_axis->orientation() == Qt::Horizontal ? rect->width() : rect->height();
  const double pixelsPerToken = pixels / std::max(1e-9, range.size());
  const double labelPixels = QFontMetricsF(m_axis->tickLabelFont()).height();
  const int step = std::max(1, static_cast<int>(std::ceil(labelPixels / pixelsPerToken)));
  const int first = std::max(0, static_cast<int>(std::ceil(range.lower)));
  const int last = std::min(static_cast<int>(m_tokens.size()) - 1, static_cast<int>(std::floor(range.upper)));
  QVector<double> ticks;
  // Multiples of the step, so that labels stay put while panning.
  for (int token = (first + step - 1) / step * step; token <= last; token += step) ticks.append(token);
  return ticks;
}

QString TokenTicker::getTickLabel(double tick, const QLocale& /*locale*/, QChar /*format*/,
                                  int /*precision*/) {
  return shortToken(m_tokens.value(static_cast<int>(std::lround(tick))));
}

}  // namespace tandem::ui
