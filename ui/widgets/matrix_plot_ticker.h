// Ticks at tokens: every token is labelled when all fit, else every n-th.
#pragma once

#include <qcustomplot.h>

#include <QStringList>

namespace tandem::ui {

/// Longest label on a token axis, in characters; longer tokens lose their middle.
inline constexpr int kTokenLabelLength = 6;
QString shortToken(const QString& token);

class TokenTicker : public QCPAxisTicker {
 public:
  /// `axis` tells how many pixels a token has. It must outlive the ticker's use.
  explicit TokenTicker(const QCPAxis* axis) : m_axis(axis) {}
  void setTokens(const QStringList& tokens) { m_tokens = tokens; }

 protected:
  QVector<double> createTickVector(double tickStep, const QCPRange& range) override;
  QString getTickLabel(double tick, const QLocale& locale, QChar formatChar, int precision) override;
  int getSubTickCount(double) override { return 0; }

 private:
  const QCPAxis* m_axis;
  QStringList m_tokens;
};

}  // namespace tandem::ui
