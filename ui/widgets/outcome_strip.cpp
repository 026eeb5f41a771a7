#include "ui/widgets/outcome_strip.h"

#include <algorithm>

#include <QHelpEvent>
#include <QKeyEvent>
#include <QPainter>
#include <QToolTip>

#include "ui/theme.h"

namespace tandem::ui {
namespace {
constexpr int kLargestCell = 20;
constexpr int kSmallestCell = 6;
constexpr int kPreferredRows = 3;
constexpr int kMargin = 2;
}  // namespace

OutcomeStrip::OutcomeStrip(const QString& objectName, QWidget* parent) : QWidget(parent) {
  setObjectName(objectName);
  setAccessibleName(tr("Problems by difficulty"));
  setFocusPolicy(Qt::StrongFocus);
  QSizePolicy policy(QSizePolicy::Expanding, QSizePolicy::Preferred);
  policy.setHeightForWidth(true);
  setSizePolicy(policy);
  connect(&Theme::instance(), &Theme::changed, this, qOverload<>(&QWidget::update));
}

void OutcomeStrip::setCells(QVector<OutcomeCell> cells) {
  m_cells = std::move(cells);
  if (m_current >= m_cells.size()) m_current = -1;
  updateGeometry();
  update();
}

void OutcomeStrip::setCurrent(int cell) {
  m_current = cell >= 0 && cell < m_cells.size() ? cell : -1;
  setAccessibleDescription(m_current >= 0 ? m_cells[m_current].tip : QString());
  update();
}

int OutcomeStrip::cellSize(int width) const {
  const int usable = std::max(width - 2 * kMargin, kSmallestCell);
  for (int size = kLargestCell; size > kSmallestCell; --size)
    if (kPreferredRows * (usable / size) >= m_cells.size()) return size;
  return kSmallestCell;
}

int OutcomeStrip::columns(int width) const {
  return std::max(1, (width - 2 * kMargin) / cellSize(width));
}

QRect OutcomeStrip::cellRect(int cell) const {
  const int size = cellSize(width());
  const int perRow = columns(width());
  return {kMargin + cell % perRow * size, kMargin + cell / perRow * size, size, size};
}

QSize OutcomeStrip::sizeHint() const {
  return {400, heightForWidth(400)};
}

QSize OutcomeStrip::minimumSizeHint() const {
  return {120, kLargestCell + 2 * kMargin};
}

int OutcomeStrip::heightForWidth(int width) const {
  const int perRow = columns(width);
  const int rows = std::max(1, (static_cast<int>(m_cells.size()) + perRow - 1) / perRow);
  return rows * cellSize(width) + 2 * kMargin;
}

void OutcomeStrip::paintGlyph(QPainter& painter, const QRectF& rect, OutcomeCell::Solved solved) {
  const Colors& colors = Theme::instance().colors();
  painter.setPen(Qt::NoPen);
  const QPointF center = rect.center();
  const double radius = rect.width() / 3;
  switch (solved) {
    case OutcomeCell::Solved::Both:
      painter.setBrush(colors.secondaryText);
      painter.drawRect(QRectF(center.x() - radius, center.y() - radius, 2 * radius, 2 * radius));
      break;
    case OutcomeCell::Solved::TeacherOnly:
      painter.setBrush(colors.teacher);
      painter.drawEllipse(center, radius, radius);
      break;
    case OutcomeCell::Solved::StudentOnly:
      painter.setBrush(colors.student);
      painter.drawPolygon(
          QPolygonF({center + QPointF(0, -radius * 1.1), center + QPointF(radius * 1.1, radius),
                     center + QPointF(-radius * 1.1, radius)}));
      break;
    case OutcomeCell::Solved::None:
      painter.setBrush(colors.border);
      painter.drawEllipse(center, radius / 3, radius / 3);
      break;
  }
}

void OutcomeStrip::paintEvent(QPaintEvent* /*event*/) {
  QPainter painter(this);
  painter.setRenderHint(QPainter::Antialiasing);
  for (int i = 0; i < m_cells.size(); ++i) paintGlyph(painter, cellRect(i), m_cells[i].solved);
  if (m_current < 0) return;
  painter.setBrush(Qt::NoBrush);
  painter.setPen(QPen(hasFocus() ? Theme::instance().colors().focus : Theme::instance().colors().text, 2));
  painter.drawRoundedRect(QRectF(cellRect(m_current)).adjusted(0.5, 0.5, -0.5, -0.5), 3, 3);
}

int OutcomeStrip::cellAt(const QPoint& position) const {
  const int size = cellSize(width());
  const int column = (position.x() - kMargin) / size;
  if (position.x() < kMargin || position.y() < kMargin || column >= columns(width())) return -1;
  const int cell = (position.y() - kMargin) / size * columns(width()) + column;
  return cell < m_cells.size() ? cell : -1;
}

void OutcomeStrip::choose(int cell) {
  if (cell < 0 || cell >= m_cells.size()) return;
  setCurrent(cell);
  emit activated(cell);
}

void OutcomeStrip::mousePressEvent(QMouseEvent* event) {
  if (event->button() == Qt::LeftButton) choose(cellAt(event->pos()));
}

void OutcomeStrip::keyPressEvent(QKeyEvent* event) {
  const int last = static_cast<int>(m_cells.size()) - 1;
  switch (event->key()) {
    case Qt::Key_Right:
      return choose(std::min(m_current + 1, last));
    case Qt::Key_Left:
      return choose(std::max(m_current - 1, 0));
    case Qt::Key_Down:
      return choose(m_current + columns(width()));
    case Qt::Key_Up:
      return choose(m_current - columns(width()));
    case Qt::Key_Home:
      return choose(0);
    case Qt::Key_End:
      return choose(last);
    default:
      QWidget::keyPressEvent(event);
  }
}

void OutcomeStrip::focusInEvent(QFocusEvent* event) {
  QWidget::focusInEvent(event);
  update();
}

void OutcomeStrip::focusOutEvent(QFocusEvent* event) {
  QWidget::focusOutEvent(event);
  update();
}

bool OutcomeStrip::event(QEvent* event) {
  if (event->type() != QEvent::ToolTip) return QWidget::event(event);
  const auto* help = static_cast<QHelpEvent*>(event);
  const int cell = cellAt(help->pos());
  if (cell < 0) {
    QToolTip::hideText();
  } else {
    QToolTip::showText(help->globalPos(), m_cells[cell].tip, this, cellRect(cell));
  }
  return true;
}

}  // namespace tandem::ui
