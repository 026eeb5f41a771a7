#include "ui/widgets/card_grid.h"

#include <algorithm>

#include <QPainter>
#include <QScrollBar>

#include "ui/theme.h"

namespace tandem::ui {

CardGrid::CardGrid(QWidget* parent) : QListView(parent) {
  setViewMode(QListView::IconMode);
  setResizeMode(QListView::Adjust);
  setMovement(QListView::Static);
  setUniformItemSizes(true);  // one size hint for all: layout costs nothing per card
  setSelectionMode(QAbstractItemView::SingleSelection);
  setVerticalScrollMode(QAbstractItemView::ScrollPerPixel);
  setVerticalScrollBarPolicy(Qt::ScrollBarAlwaysOn);  // a bar that comes and goes would change the widths
  verticalScrollBar()->setSingleStep(24);
  setFrameShape(QFrame::NoFrame);
  viewport()->setBackgroundRole(QPalette::Window);
  setMouseTracking(true);
  setMinimumHeight(110);
}

void CardGrid::setPlaceholder(const QString& text) {
  if (text == m_placeholder) return;
  m_placeholder = text;
  viewport()->update();
}

int CardGrid::cardWidth(int minimum) const {
  const int room = viewport()->width() - 1;  // the layout wraps a row that fills its last pixel
  return room / std::max(1, room / minimum);
}

void CardGrid::paintEvent(QPaintEvent* event) {
  QListView::paintEvent(event);
  if (m_placeholder.isEmpty() || (model() != nullptr && model()->rowCount() > 0)) return;
  QPainter painter(viewport());
  painter.setPen(Theme::instance().colors().secondaryText);
  painter.drawText(viewport()->rect().adjusted(16, 16, -16, -16), Qt::AlignCenter | Qt::TextWordWrap,
                   m_placeholder);
}

}  // namespace tandem::ui
