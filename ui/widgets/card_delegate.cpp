#include "ui/widgets/card_delegate.h"

#include <QPainter>

#include "ui/format.h"
#include "ui/models/completion_model.h"
#include "ui/widgets/card_grid.h"

namespace tandem::ui {
namespace {

constexpr int kPadding = 8;
constexpr int kTextLines = 3;
constexpr int kTailCharacters = 160;  // more than three lines of a card hold

/// The end of a text from a word's start: all that a card shows while more arrives.
QString tailOf(const QString& text) {
  if (text.size() <= kTailCharacters) return text;
  const qsizetype space = text.indexOf(QLatin1Char(' '), text.size() - kTailCharacters);
  return QStringLiteral("…") + text.mid(space < 0 ? text.size() - kTailCharacters : space);
}

QColor verdictColor(Verdict verdict) {
  const Colors& c = Theme::instance().colors();
  switch (verdict) {
    case Verdict::Correct:
      return c.correct;
    case Verdict::Wrong:
      return c.wrong;
    case Verdict::Cut:
      return c.warning;
    default:
      return c.secondaryText;
  }
}

QString verdictGlyph(Verdict verdict) {
  switch (verdict) {
    case Verdict::Correct:
      return QStringLiteral("✓");
    case Verdict::Wrong:
      return QStringLiteral("✗");
    case Verdict::Cut:
      return QStringLiteral("✂");
    default:
      return {};
  }
}

Verdict verdictOf(const QModelIndex& index) {
  return static_cast<Verdict>(index.data(CompletionModel::VerdictRole).toInt());
}

}  // namespace

CardDelegate::CardDelegate(Side side, QObject* parent)
    : QStyledItemDelegate(parent),
      m_side(side),
      m_headFont(Theme::body(9)),
      m_answerFont(Theme::body(10, QFont::DemiBold)),
      m_textFont(Theme::body(9)),
      m_footFont(Theme::monospace(9)) {}

QSize CardDelegate::sizeHint(const QStyleOptionViewItem& option, const QModelIndex& /*index*/) const {
  const int text = QFontMetrics(m_textFont).lineSpacing();
  const int head = QFontMetrics(m_answerFont).lineSpacing();
  const int foot = QFontMetrics(m_footFont).lineSpacing();
  const int minimum = QFontMetrics(m_textFont).averageCharWidth() * 24 + 2 * kPadding;
  const auto* grid = qobject_cast<const CardGrid*>(option.widget);
  return {grid == nullptr ? minimum : grid->cardWidth(minimum),
          head + kTextLines * text + foot + 2 * kPadding + 6};
}

void CardDelegate::paint(QPainter* painter, const QStyleOptionViewItem& option,
                         const QModelIndex& index) const {
  const Colors& c = Theme::instance().colors();
  const Verdict verdict = verdictOf(index);
  const bool selected = option.state.testFlag(QStyle::State_Selected);
  const bool hovered = option.state.testFlag(QStyle::State_MouseOver);
  const QRectF card = QRectF(option.rect).adjusted(3.5, 3.5, -3.5, -3.5);
  painter->save();
  painter->setRenderHint(QPainter::Antialiasing);
  const bool washed = !m_blind && (selected || verdict == Verdict::Streaming);
  painter->setBrush(washed ? c.wash(m_side) : c.surface);
  if (selected) {
    painter->setPen(QPen(c.focus, 2));
  } else {
    painter->setPen(QPen(hovered ? c.border : c.grid, 1));
  }
  painter->drawRoundedRect(card, 6, 6);

  const QRect inner = card.toRect().adjusted(kPadding, kPadding - 2, -kPadding, -kPadding + 3);
  const int head = QFontMetrics(m_answerFont).lineSpacing();
  const int foot = QFontMetrics(m_footFont).lineSpacing();
  paintHead(*painter, QRect(inner.topLeft(), QSize(inner.width(), head)), index);
  paintFoot(*painter, QRect(inner.left(), inner.bottom() - foot + 1, inner.width(), foot), index);

  const QRect body = inner.adjusted(0, head + 2, 0, -foot - 2);
  QString text = tailOf(index.data(CompletionModel::TextRole).toString());
  if (verdict == Verdict::Streaming) text += QStringLiteral(" ▍");
  painter->setFont(m_textFont);
  painter->setPen(verdict == Verdict::Streaming ? c.text : c.secondaryText);
  painter->setClipRect(body);
  const QRect needed = painter->fontMetrics().boundingRect(body, Qt::TextWordWrap, text);
  const int vertical = needed.height() > body.height() ? Qt::AlignBottom : Qt::AlignTop;
  painter->drawText(body, Qt::TextWordWrap | Qt::TextDontClip | vertical, text);
  painter->restore();
}

void CardDelegate::paintHead(QPainter& painter, const QRect& line, const QModelIndex& index) const {
  const Colors& c = Theme::instance().colors();
  const Verdict verdict = verdictOf(index);
  painter.setFont(m_headFont);
  painter.setPen(c.secondaryText);
  painter.drawText(line, Qt::AlignVCenter | Qt::AlignLeft,
                   QStringLiteral("#%1").arg(index.data(CompletionModel::IndexRole).toInt() + 1));
  QString right = index.data(CompletionModel::AnswerRole).toString();
  if (verdict == Verdict::Waiting) {
    right.clear();
  } else if (verdict == Verdict::Streaming) {
    right = QStringLiteral("…");
  } else if (right.isEmpty()) {
    right = QStringLiteral("–");
  }
  painter.setFont(m_answerFont);
  painter.setPen(verdictColor(verdict));
  QString glyph = verdictGlyph(verdict);
  if (index.data(CompletionModel::OverriddenRole).toBool()) glyph += QLatin1Char('*');
  const int room = line.width() - 44;
  right = painter.fontMetrics().elidedText(right, Qt::ElideMiddle, room);
  painter.drawText(line, Qt::AlignVCenter | Qt::AlignRight,
                   glyph.isEmpty() ? right : glyph + QLatin1Char(' ') + right);
}

void CardDelegate::paintFoot(QPainter& painter, const QRect& line, const QModelIndex& index) const {
  const int tokens = index.data(CompletionModel::TokensRole).toInt();
  if (tokens == 0) return;
  painter.setFont(m_footFont);
  painter.setPen(Theme::instance().colors().secondaryText);
  painter.drawText(line, Qt::AlignVCenter | Qt::AlignLeft, tr("%1 tok").arg(tokens));
  const QString reason = index.data(CompletionModel::FinishReasonRole).toString();
  const bool cutShort =
      !reason.isEmpty() && reason != QLatin1String("eos") && reason != QLatin1String("stop");
  const QVariant seconds = index.data(CompletionModel::FinishRole);
  const bool timed = seconds.isValid() && !m_blind;
  const QString right = cutShort ? reason : timed ? formatSeconds(seconds.toDouble()) : QString();
  painter.drawText(line, Qt::AlignVCenter | Qt::AlignRight, right);
}

}  // namespace tandem::ui
