// Draws one head of the navigator: its thumbnail over the masked triangle's hatch, or a tile with a number.
#pragma once

#include <QStyledItemDelegate>

namespace tandem::ui {

class HeadDelegate : public QStyledItemDelegate {
  Q_OBJECT
 public:
  using QStyledItemDelegate::QStyledItemDelegate;
  void paint(QPainter* painter, const QStyleOptionViewItem& option, const QModelIndex& index) const override;

 private:
  void paintThumbnail(QPainter* painter, const QRect& cell, const QModelIndex& index) const;
  void paintTile(QPainter* painter, const QRect& cell, const QModelIndex& index) const;
};

}  // namespace tandem::ui
