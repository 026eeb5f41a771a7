#include "ui/widgets/end_labels.h"

#include <algorithm>

namespace tandem::ui {
namespace {
constexpr int kGap = 8;  // px between the axis rectangle and the names
}  // namespace

EndLabels::EndLabels(QCustomPlot* plot) : QObject(plot), m_plot(plot) {
  connect(plot, &QCustomPlot::afterLayout, this, &EndLabels::place);
}

void EndLabels::clear() {
  for (const Label& label : m_labels)
    if (label.item) m_plot->removeItem(label.item);
  m_labels.clear();
  m_widest = m_reserved;
  makeRoom();
}

void EndLabels::reserve(const QString& text) {
  QFont font = m_plot->font();
  font.setBold(true);
  m_reserved = QFontMetrics(font).horizontalAdvance(text);
}

void EndLabels::makeRoom() {
  m_plot->axisRect()->setMinimumMargins(QMargins(0, 0, m_widest > 0 ? m_widest + 2 * kGap : 0, 0));
}

void EndLabels::add(const QString& text, const QColor& color, double y, bool bold) {
  auto* item = new QCPItemText(m_plot);
  QFont font = m_plot->font();
  font.setBold(bold);
  item->setFont(font);
  item->setText(text);
  item->setColor(color);
  item->setClipToAxisRect(false);
  item->setPositionAlignment(Qt::AlignLeft | Qt::AlignVCenter);
  item->position->setType(QCPItemPosition::ptAbsolute);
  m_labels << Label{item, y};
  m_widest = std::max(m_widest, QFontMetrics(font).horizontalAdvance(text));
  makeRoom();
}

void EndLabels::place() {
  struct Wanted {
    QCPItemText* item;
    double y;
  };
  const QRect axes = m_plot->axisRect()->rect();
  QVector<Wanted> wanted;
  for (const Label& label : m_labels) {
    if (!label.item) continue;
    const double y = m_plot->yAxis->coordToPixel(label.y);
    wanted << Wanted{label.item, std::clamp<double>(y, axes.top(), axes.bottom())};
  }
  std::stable_sort(wanted.begin(), wanted.end(), [](const Wanted& a, const Wanted& b) { return a.y < b.y; });
  // Push down what would overlap, then up what that pushed over the edge.
  const double step = QFontMetrics(m_plot->font()).height();
  for (int i = 1; i < wanted.size(); ++i) wanted[i].y = std::max(wanted[i].y, wanted[i - 1].y + step);
  double limit = axes.bottom();
  for (int i = static_cast<int>(wanted.size()) - 1; i >= 0; --i) {
    wanted[i].y = std::min(wanted[i].y, limit);
    limit = wanted[i].y - step;
  }
  for (const Wanted& w : wanted) w.item->position->setPixelPosition(QPointF(axes.right() + kGap, w.y));
}

}  // namespace tandem::ui
