#include "ui/views/matrices_readout.h"

#include <algorithm>
#include <cmath>

#include <QCoreApplication>

#include "ui/theme.h"

namespace tandem::ui {
namespace {

constexpr double kExactTolerance = 1e-5;     // f32 captures: rounding of one product
constexpr double kRecordedTolerance = 2e-3;  // recordings are half-precision

QString tr(const char* text) {
  return QCoreApplication::translate("MatricesReadout", text);
}

/// Four significant digits, so that a product can be checked by eye; "–" when unknown.
QString number(std::optional<double> value, bool withSign = false) {
  if (!value) return QStringLiteral("–");
  QString text = QString::number(*value, 'g', 4);
  text.replace(QLatin1Char('-'), QChar(0x2212));
  if (withSign && *value >= 0) text.prepend(QLatin1Char('+'));
  return text;
}

QString row(const QString& name, const QString& value, const QString& note = {}) {
  return QStringLiteral("<tr><td>%1&nbsp;&nbsp;</td><td align='right'>%2</td><td>&nbsp;%3</td></tr>")
      .arg(name, value, note);
}

QString coloured(const QString& text, const QColor& color) {
  return QStringLiteral("<span style='color:%1'>%2</span>").arg(color.name(), text);
}

QString tokenCell(const MatrixSet& set, int token) {
  return QStringLiteral("“%1”").arg(set.tokens.value(token).toHtmlEscaped());
}

/// "L × C·B = 0.9821 × 0.1906 = 0.1872 = M ✓"
QString identity(const MatrixSet& set, const CellValues& cell) {
  if (!cell.decay || !cell.content || !cell.student) return {};
  const Colors& colors = Theme::instance().colors();
  const bool holds = factorsAddUp(cell, set.recorded);
  QString sum = QStringLiteral("%1 × %2").arg(number(cell.decay), number(cell.content));
  if (cell.skip) sum += QStringLiteral(" + %1").arg(number(cell.skip));
  const double made = *cell.decay * *cell.content + cell.skip.value_or(0.0);
  return QStringLiteral("%1 =<br>%2<br>= %3 %4")
      .arg(cell.skip ? tr("L × C·B + D") : tr("L × C·B"), sum, number(made),
           coloured(holds ? tr("= M ✓") : tr("≠ M ✗"), holds ? colors.correct : colors.wrong));
}

}  // namespace

bool factorsAddUp(const CellValues& cell, bool recorded) {
  if (!cell.decay || !cell.content || !cell.student) return false;
  const double made = *cell.decay * *cell.content + cell.skip.value_or(0.0);
  const double tolerance = (recorded ? kRecordedTolerance : kExactTolerance) *
                           std::max({std::abs(*cell.content), std::abs(*cell.student), 1e-3});
  return std::abs(made - *cell.student) <= tolerance;
}

QString cellHtml(const MatrixSet& set, const CellValues& cell, const CellValues& reference) {
  if (cell.query < 0) return {};
  const Colors& colors = Theme::instance().colors();
  QString rows = row(tr("query i"), QString::number(cell.query), tokenCell(set, cell.query)) +
                 row(tr("key j"), QString::number(cell.key), tokenCell(set, cell.key));
  if (cell.key > cell.query)
    return QStringLiteral("<table>%1</table>%2").arg(rows, tr("masked: a query cannot see later keys"));
  const bool compares = reference.query >= 0 && (reference.query != cell.query || reference.key != cell.key);
  const auto value = [&](const QString& name, std::optional<double> CellValues::*member,
                         bool withSign = false) {
    const auto &here = cell.*member, &there = reference.*member;
    const QString delta =
        compares && here && there ? tr("Δ %1").arg(number(*here - *there, true)) : QString();
    rows += row(name, number(here, withSign), delta);
  };
  rows += row(tr("lag i − j"), QString::number(cell.query - cell.key), compares ? tr("from pin") : QString());
  value(coloured(tr("● A teacher"), colors.teacher), &CellValues::teacher);
  value(coloured(tr("▲ M student"), colors.student), &CellValues::student);
  value(tr("M − A"), &CellValues::difference, true);
  value(tr("L decay"), &CellValues::decay);
  value(tr("C·B content"), &CellValues::content);
  if (cell.skip) value(tr("D skip"), &CellValues::skip);
  return QStringLiteral("<table>%1</table>%2").arg(rows, identity(set, cell));
}

QString cellSentence(const MatrixSet& set, const CellValues& cell) {
  if (cell.query < 0) return tr("No cell chosen");
  const QString where = tr("query %1 “%2”, key %3 “%4”")
                            .arg(cell.query)
                            .arg(set.tokens.value(cell.query))
                            .arg(cell.key)
                            .arg(set.tokens.value(cell.key));
  if (cell.key > cell.query) return tr("%1: masked").arg(where);
  return tr("%1: teacher %2, student %3, decay %4, content %5")
      .arg(where, number(cell.teacher), number(cell.student), number(cell.decay), number(cell.content));
}

MatricesReadout::MatricesReadout(QWidget* parent) : QLabel(parent) {
  setObjectName(QStringLiteral("cellReadout"));
  setAccessibleName(tr("Numbers of the cell"));
  setTextFormat(Qt::RichText);
  setFont(Theme::monospace(9));
  setAlignment(Qt::AlignTop | Qt::AlignLeft);
  setWordWrap(true);
  showNothing();
}

void MatricesReadout::showCell(const MatrixSet& set, const CellValues& cell, bool pinned) {
  if (cell.query < 0) return showNothing();
  const QString hint = pinned ? tr("pinned, Esc releases") : tr("click a map to pin this cell");
  setText(cellHtml(set, cell) + QStringLiteral("<br>") +
          coloured(hint, Theme::instance().colors().secondaryText));
  setAccessibleDescription(cellSentence(set, cell));
}

void MatricesReadout::showNothing() {
  setText(tr("Point at a cell of a map: its numbers appear here."));
  setAccessibleDescription(tr("No cell chosen"));
}

}  // namespace tandem::ui
