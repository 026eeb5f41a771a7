// Draws a completion as a card: number, verdict, answer, the end of its text, tokens and seconds.
#pragma once

#include <QStyledItemDelegate>

#include "ui/theme.h"

namespace tandem::ui {

class CardDelegate : public QStyledItemDelegate {
  Q_OBJECT
 public:
  explicit CardDelegate(Side side, QObject* parent = nullptr);
  /// Neutral colours and no times: a blind comparison gives nothing away.
  void setBlind(bool blind) { m_blind = blind; }

  QSize sizeHint(const QStyleOptionViewItem& option, const QModelIndex& index) const override;
  void paint(QPainter* painter, const QStyleOptionViewItem& option, const QModelIndex& index) const override;

 private:
  void paintHead(QPainter& painter, const QRect& line, const QModelIndex& index) const;
  void paintFoot(QPainter& painter, const QRect& line, const QModelIndex& index) const;

  Side m_side;
  bool m_blind = false;
  QFont m_headFont, m_answerFont, m_textFont, m_footFont;
};

}  // namespace tandem::ui
