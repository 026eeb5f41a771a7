#include "ui/widgets/memory_bar.h"

#include <algorithm>

#include <QPainter>
#include <QPainterPath>

#include "ui/theme.h"

namespace tandem::ui {
namespace {

constexpr int kHeight = 16;
constexpr double kRadius = 4;

}  // namespace

MemoryBar::MemoryBar(QWidget* parent) : QWidget(parent) {
  setSizePolicy(QSizePolicy::Expanding, QSizePolicy::Fixed);
  connect(&Theme::instance(), &Theme::changed, this, qOverload<>(&QWidget::update));
}

void MemoryBar::setPlan(const tandem::MemoryPlan& plan, std::int64_t available) {
  m_plan = plan;
  m_available = available;
  update();
}

QSize MemoryBar::sizeHint() const {
  return {200, kHeight};
}

void MemoryBar::paintEvent(QPaintEvent*) {
  const Colors& c = Theme::instance().colors();
  const auto whole = static_cast<double>(std::max({m_plan.peak(), m_available, std::int64_t{1}}));
  const QRectF frame = QRectF(rect()).adjusted(0.5, 0.5, -0.5, -0.5);
  const auto x = [&](std::int64_t bytes) {
    return frame.left() + frame.width() * static_cast<double>(bytes) / whole;
  };
  const auto part = [&](std::int64_t from, std::int64_t to) {
    return QRectF(QPointF(x(from), frame.top()), QPointF(x(to), frame.bottom()));
  };
  QPainter painter(this);
  painter.setRenderHint(QPainter::Antialiasing);
  QPainterPath rounded;
  rounded.addRoundedRect(frame, kRadius, kRadius);
  painter.setClipPath(rounded);
  painter.fillRect(frame, c.surface);
  painter.fillRect(part(0, m_plan.weights), c.focus);
  painter.fillRect(part(m_plan.weights, m_plan.peak()), QBrush(c.focus, Qt::Dense4Pattern));
  if (m_available > 0 && m_plan.peak() > m_available) {
    painter.fillRect(part(m_available, m_plan.peak()), c.wrong);
    painter.fillRect(QRectF(x(m_available) - 1, frame.top(), 2, frame.height()), c.text);
  }
  painter.setPen(c.border);
  painter.drawPath(rounded);
}

}  // namespace tandem::ui
