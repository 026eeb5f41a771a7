#include "ui/views/race_detail.h"

#include <algorithm>

#include <QScrollBar>
#include <QTextCursor>
#include <QVBoxLayout>

#include "ui/format.h"

namespace tandem::ui {

int firstDivergence(const QString& a, const QString& b) {
  if (a.isEmpty() || b.isEmpty() || a == b) return -1;
  const auto [left, right] = std::mismatch(a.begin(), a.end(), b.begin(), b.end());
  const auto at = left - a.begin();
  return at == 0 ? 0 : static_cast<int>(a.lastIndexOf(QLatin1Char(' '), at - 1) + 1);
}

RaceDetail::RaceDetail(Side side, QWidget* parent)
    : QWidget(parent), m_side(side), m_caption(new QLabel(this)), m_text(new QPlainTextEdit(this)) {
  m_caption->setFont(Theme::body(9));
  m_text->setObjectName(side == Side::Teacher ? QStringLiteral("teacherText")
                                              : QStringLiteral("studentText"));
  m_text->setAccessibleName(tr("Text of the chosen %1 completion").arg(sideName(side)));
  m_text->setReadOnly(true);
  m_text->setUndoRedoEnabled(false);
  m_text->setTabChangesFocus(true);
  m_text->setFont(Theme::monospace(10));
  m_text->setPlaceholderText(tr("Choose a completion to read it here"));
  m_text->setMinimumHeight(70);
  auto* layout = new QVBoxLayout(this);
  layout->setContentsMargins(8, 0, 8, 0);
  layout->setSpacing(2);
  layout->addWidget(m_caption);
  layout->addWidget(m_text);
  connect(&Theme::instance(), &Theme::changed, this, &RaceDetail::rebuild);
  setCaption();
}

void RaceDetail::showCompletion(const CompletionCard* card) {
  const CompletionCard next = card == nullptr ? CompletionCard{} : *card;
  const bool same = card != nullptr && next.index == m_card.index && next.finished() == m_card.finished() &&
                    next.text.startsWith(m_card.text) && next.spans.size() >= m_card.spans.size();
  if (same && next.text.size() == m_card.text.size() && next.spans.size() == m_card.spans.size()) return;
  const auto shown = static_cast<int>(m_card.spans.size());
  m_card = next;
  setCaption();
  if (same && !m_card.text.isEmpty() && shown > 0) {
    append(shown);
  } else {
    m_divergence = -1;
    rebuild();
  }
}

void RaceDetail::setTinted(bool tinted) {
  if (tinted == m_tinted) return;
  m_tinted = tinted;
  rebuild();
}

void RaceDetail::setBlind(const QString& alias) {
  m_alias = alias;
  setCaption();
}

void RaceDetail::setDivergence(int character) {
  if (character == m_divergence) return;
  m_divergence = character;
  mark();
}

void RaceDetail::scrollToDivergence() {
  if (m_divergence < 0) return;
  QTextCursor cursor(m_text->document());
  cursor.setPosition(m_divergence);
  m_text->setTextCursor(cursor);
  m_text->ensureCursorVisible();
}

void RaceDetail::rebuild() {
  m_text->clear();
  append(0);
  mark();
  if (m_card.finished()) m_text->verticalScrollBar()->setValue(0);
}

/// Inserts the text of the spans from `fromSpan` on, and what no span covers.
void RaceDetail::append(int fromSpan) {
  QScrollBar* bar = m_text->verticalScrollBar();
  const bool follow = bar->value() == bar->maximum();
  QTextCursor cursor(m_text->document());
  cursor.movePosition(QTextCursor::End);
  cursor.beginEditBlock();
  int at = static_cast<int>(cursor.position());
  const auto textSize = static_cast<int>(m_card.text.size());
  if (m_tinted) {
    for (auto i = static_cast<qsizetype>(fromSpan); i < m_card.spans.size() && at < textSize; ++i) {
      const TokenSpan& span = m_card.spans[i];
      cursor.insertText(m_card.text.mid(at, span.length), formatOf(span.logprob));
      at += span.length;
    }
  }
  if (at < textSize) cursor.insertText(m_card.text.mid(at), QTextCharFormat());
  cursor.endEditBlock();
  if (follow) bar->setValue(bar->maximum());
}

/// The answer and the divergence, as selections over the text: they can go without touching it.
void RaceDetail::mark() {
  const Colors& c = Theme::instance().colors();
  QList<QTextEdit::ExtraSelection> marks;
  const auto add = [&](qsizetype from, qsizetype to, const QTextCharFormat& format) {
    QTextCursor cursor(m_text->document());
    cursor.setPosition(static_cast<int>(from));
    cursor.setPosition(static_cast<int>(to), QTextCursor::KeepAnchor);
    marks.append({cursor, format});
  };
  const qsizetype answer = m_card.answer.isEmpty() ? -1 : m_card.text.lastIndexOf(m_card.answer);
  if (answer >= 0) {
    QTextCharFormat format;
    const bool wrong = m_card.verdict == Verdict::Wrong;
    format.setBackground(wrong ? c.wrong : m_card.verdict == Verdict::Correct ? c.correct : c.secondaryText);
    format.setForeground(c.background);
    add(answer, answer + m_card.answer.size(), format);
  }
  if (m_divergence >= 0 && m_divergence < m_card.text.size()) {
    qsizetype end = m_card.text.indexOf(QLatin1Char(' '), m_divergence);
    if (end < 0) end = m_card.text.size();
    QTextCharFormat format;
    format.setUnderlineStyle(QTextCharFormat::WaveUnderline);
    format.setUnderlineColor(c.focus);
    format.setToolTip(tr("Here the two texts part"));
    add(m_divergence, end, format);
  }
  m_text->setExtraSelections(marks);
}

QTextCharFormat RaceDetail::formatOf(float logprob) const {
  constexpr float kStrongest = -4;  // probability 0.02 and below
  QTextCharFormat format;
  QColor tint = Theme::instance().colors().warning;
  tint.setAlphaF(0.55F * std::clamp(logprob / kStrongest, 0.0F, 1.0F));
  format.setBackground(tint);
  return format;
}

void RaceDetail::setCaption() {
  const QString name =
      m_alias.isEmpty() ? QStringLiteral("%1 %2").arg(sideGlyph(m_side), sideName(m_side)) : m_alias;
  if (m_card.verdict == Verdict::Waiting) {
    m_caption->setText(name);
    return;
  }
  QStringList parts{name, QStringLiteral("#%1").arg(m_card.index + 1), tr("%1 tok").arg(m_card.tokens)};
  if (m_card.finished()) {
    if (m_alias.isEmpty()) parts << formatSeconds(m_card.finishS);
    parts << (m_card.answer.isEmpty() ? tr("no answer found") : tr("answer %1").arg(m_card.answer));
    if (m_card.finish == tandem::FinishReason::Length) parts << tr("stopped at the token limit");
    if (m_card.verdict == Verdict::Cut) parts << tr("cut before its end");
  }
  m_caption->setText(parts.join(QStringLiteral(" · ")));
}

}  // namespace tandem::ui
