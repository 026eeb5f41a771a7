#include "ui/widgets/head_navigator_delegate.h"

#include <cmath>

#include <QPainter>

#include "ui/format.h"
#include "ui/models/head_model.h"
#include "ui/theme.h"

namespace tandem::ui {
namespace {

/// Black or white, whichever reads better on `background`.
QColor inkOn(const QColor& background) {
  const double luminance =
      0.2126 * background.redF() + 0.7152 * background.greenF() + 0.0722 * background.blueF();
  return luminance > 0.45 ? QColor(0x1B1F24) : QColor(Qt::white);
}

/// What a cell outside the grid has to say: which head it is, and whether its layer is attention.
QString headLabel(const QModelIndex& index) {
  const bool kept = index.data(HeadModel::AttentionKeptRole).toBool();
  return kept ? index.data().toString() + QStringLiteral("·A") : index.data().toString();
}

/// "A" in the corner: this layer is attention in the student too.
void paintKeptBadge(QPainter* painter, const QRect& cell) {
  const Colors& colors = Theme::instance().colors();
  QFont font = painter->font();
  font.setBold(true);
  painter->setFont(font);
  const QRect badge(cell.right() - 14, cell.top() + 1, 14, 15);
  painter->fillRect(badge, colors.teacherWash);
  painter->setPen(colors.teacher);
  painter->drawText(badge, Qt::AlignCenter, QStringLiteral("A"));
}

}  // namespace

void HeadDelegate::paint(QPainter* painter, const QStyleOptionViewItem& option,
                         const QModelIndex& index) const {
  const auto* model = qobject_cast<const HeadModel*>(index.model());
  const HeadSummary* head = model ? model->summary(index) : nullptr;
  if (head == nullptr) return;
  const Colors& colors = Theme::instance().colors();
  const QRect cell = option.rect.adjusted(2, 2, -2, -2);
  painter->save();
  painter->setFont(Theme::body(9));
  // The other direction of hatching marks what is the teacher's own attention, not a masked triangle.
  const Qt::BrushStyle hatch = head->attentionKept ? Qt::FDiagPattern : Qt::BDiagPattern;
  painter->fillRect(cell, colors.surface);
  painter->fillRect(cell, QBrush(head->attentionKept ? colors.teacher : colors.hatch, hatch));
  if (!head->captured) {
    painter->setPen(colors.secondaryText);
    painter->drawText(cell, Qt::AlignCenter, QStringLiteral("–"));
  } else if (isThumbnail(model->metric())) {
    paintThumbnail(painter, cell, index);
  } else {
    paintTile(painter, cell, index);
  }
  if (head->attentionKept && !model->worstFirst()) paintKeptBadge(painter, cell);
  const bool selected = option.state & QStyle::State_Selected;
  const bool hovered = option.state & QStyle::State_MouseOver;
  const bool worst = model->worst() == head;
  painter->setBrush(Qt::NoBrush);
  if (selected || hovered) {
    painter->setPen(QPen(colors.focus, selected ? 3 : 1));
    painter->drawRect(option.rect.adjusted(1, 1, -2, -2));
  } else if (worst) {
    painter->setPen(QPen(colors.warning, 2, Qt::DashLine));
    painter->drawRect(option.rect.adjusted(1, 1, -2, -2));
  }
  painter->restore();
}

void HeadDelegate::paintThumbnail(QPainter* painter, const QRect& cell, const QModelIndex& index) const {
  const auto image = index.data(HeadModel::ImageRole).value<QImage>();
  if (!image.isNull()) painter->drawImage(cell, image);
  if (!static_cast<const HeadModel*>(index.model())->worstFirst()) return;
  // The masked triangle has room for it.
  const Colors& colors = Theme::instance().colors();
  const QString label = headLabel(index);
  const QRect text = painter->fontMetrics().boundingRect(label).adjusted(-2, 0, 2, 0);
  const QRect place(cell.right() - text.width(), cell.top(), text.width() + 1, text.height());
  painter->fillRect(place, colors.background);
  painter->setPen(colors.text);
  painter->drawText(place, Qt::AlignCenter, label);
}

void HeadDelegate::paintTile(QPainter* painter, const QRect& cell, const QModelIndex& index) const {
  const double value = index.data(HeadModel::ValueRole).toDouble();
  if (!std::isfinite(value)) {
    painter->setPen(Theme::instance().colors().secondaryText);
    painter->drawText(cell, Qt::AlignCenter, formatNumber(value));
    return;
  }
  const auto* model = static_cast<const HeadModel*>(index.model());
  const QColor color = model->colorMap().colorAt(index.data(HeadModel::FractionRole).toDouble());
  painter->fillRect(cell, color);
  painter->setPen(inkOn(color));
  const QString number = QString::number(value, 'f', std::abs(value) >= 9.95 ? 0 : 2);
  const QString text = QString(number).replace(QLatin1Char('-'), QChar(0x2212));
  if (model->worstFirst() && cell.height() >= 2 * painter->fontMetrics().height())
    painter->drawText(cell, Qt::AlignCenter, headLabel(index) + QLatin1Char('\n') + text);
  else
    painter->drawText(cell, Qt::AlignCenter, text);
}

}  // namespace tandem::ui
