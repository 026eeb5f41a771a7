#include "ui/format.h"

#include <array>
#include <cmath>

#include <QCoreApplication>

namespace tandem::ui {
namespace {

const QString kUnknown = QStringLiteral("–");

QString translated(const char* text) {
  return QCoreApplication::translate("tandem::format", text);
}

/// Three significant digits without an exponent, for values of at least 0.001.
QString threeDigits(double value) {
  const double magnitude = std::abs(value);
  const int decimals = magnitude >= 99.95 ? 0 : magnitude >= 9.995 ? 1 : 2;
  return QString::number(value, 'f', decimals);
}

}  // namespace

QString formatSeconds(double seconds) {
  if (!std::isfinite(seconds) || seconds < 0) return kUnknown;
  if (seconds < 0.9995) return translated("%1 ms").arg(threeDigits(seconds * 1e3));
  if (seconds < 99.95) return translated("%1 s").arg(seconds, 0, 'f', 1);
  const auto whole = static_cast<std::int64_t>(std::llround(seconds));
  return translated("%1 min %2 s").arg(whole / 60).arg(whole % 60, 2, 10, QLatin1Char('0'));
}

QString formatRate(double tokensPerSecond) {
  if (!std::isfinite(tokensPerSecond) || tokensPerSecond < 0) return kUnknown;
  return translated("%1 tok/s")
      .arg(tokensPerSecond < 9.95 ? threeDigits(tokensPerSecond)
                                  : formatCount(std::llround(tokensPerSecond)));
}

QString formatBytes(double bytes) {
  if (!std::isfinite(bytes) || bytes < 0) return kUnknown;
  static constexpr std::array units{"B", "KiB", "MiB", "GiB", "TiB"};
  std::size_t unit = 0;
  while (bytes >= 1024 && unit + 1 < units.size()) {
    bytes /= 1024;
    ++unit;
  }
  const QString number = unit == 0 ? QString::number(bytes, 'f', 0) : threeDigits(bytes);
  return QStringLiteral("%1 %2").arg(number, QLatin1String(units[unit]));
}

QString formatCount(std::int64_t count) {
  QString digits = QString::number(std::abs(count));
  for (qsizetype i = digits.size() - 3; i > 0; i -= 3) digits.insert(i, QChar(0x2009));
  return count < 0 ? QChar(0x2212) + digits : digits;
}

QString formatDelta(double value, int decimals) {
  if (!std::isfinite(value)) return kUnknown;
  const QChar sign = value < 0 ? QChar(0x2212) : QLatin1Char('+');
  return sign + QString::number(std::abs(value), 'f', decimals);
}

QString formatNumber(double value) {
  if (!std::isfinite(value)) return kUnknown;
  return QString::number(value, 'g', 3).replace(QLatin1Char('-'), QChar(0x2212));
}

}  // namespace tandem::ui
