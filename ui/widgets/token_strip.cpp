#include "ui/widgets/token_strip.h"

#include <algorithm>
#include <cmath>

#include <QHelpEvent>
#include <QMouseEvent>
#include <QPainter>
#include <QScrollBar>
#include <QToolTip>

#include "ui/theme.h"

namespace tandem::ui {
namespace {

constexpr int kPadding = 4;    // inside a token, left and right
constexpr int kGap = 2;        // between tokens
constexpr int kBarHeight = 3;  // of a weight bar
constexpr int kMostLines = 3;  // visible at once; more scroll

double largest(const QVector<double>& values) {
  double top = 0;
  for (const double value : values)
    if (std::isfinite(value)) top = std::max(top, std::abs(value));
  return top;
}

/// Weights relative to the largest, in [0, 1].
QVector<double> relative(const QVector<double>& weights) {
  QVector<double> shares(weights.size(), 0.0);
  const double top = largest(weights);
  for (int k = 0; k < weights.size(); ++k)
    if (top > 0 && std::isfinite(weights[k])) shares[k] = std::abs(weights[k]) / top;
  return shares;
}

}  // namespace

TokenStrip::TokenStrip(QWidget* parent) : QAbstractScrollArea(parent) {
  setObjectName(QStringLiteral("tokenStrip"));
  setAccessibleName(tr("Tokens of the text"));
  setFont(Theme::monospace(9));
  setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
  setFrameShape(QFrame::NoFrame);
  setSizePolicy(QSizePolicy::Expanding, QSizePolicy::Fixed);
  viewport()->setMouseTracking(true);
  connect(&Theme::instance(), &Theme::changed, viewport(), qOverload<>(&QWidget::update));
}

void TokenStrip::setTokens(const QStringList& tokens) {
  m_tokens = tokens;
  m_query = m_key = m_pressed = m_dragged = -1;
  m_teacher.clear();
  m_student.clear();
  arrange();
}

void TokenStrip::setCell(int query, int key) {
  if (query == m_query && key == m_key) return;
  m_query = query;
  m_key = key;
  const auto named = [this](int token) { return m_tokens.value(token, tr("none")); };
  setAccessibleDescription(tr("query %1, key %2").arg(named(query), named(key)));
  viewport()->update();
}

void TokenStrip::setWeights(const QVector<double>& teacher, const QVector<double>& student) {
  m_teacher = relative(teacher);
  m_student = relative(student);
  viewport()->update();
}

int TokenStrip::lineHeight() const {
  return fontMetrics().height() + 2 * kBarHeight + 5;
}

QSize TokenStrip::sizeHint() const {
  return {400, std::clamp(lineCount(), 1, kMostLines) * lineHeight() + kGap};
}

int TokenStrip::lineCount() const {
  return m_rects.isEmpty() ? 0 : (m_rects.last().top() - m_rects.first().top()) / lineHeight() + 1;
}

QRect TokenStrip::tokenRect(int token) const {
  return m_rects.value(token).translated(0, -verticalScrollBar()->value());
}

int TokenStrip::tokenAt(const QPoint& position) const {
  const QPoint content = position + QPoint(0, verticalScrollBar()->value());
  // Gaps belong to the token before them, so that a drag has no holes.
  const auto found = std::find_if(m_rects.begin(), m_rects.end(), [&](const QRect& rect) {
    return rect.adjusted(0, 0, kGap, kGap).contains(content);
  });
  return found == m_rects.end() ? -1 : static_cast<int>(found - m_rects.begin());
}

void TokenStrip::ensureTokenVisible(int token) {
  if (token < 0 || token >= m_rects.size()) return;
  const QRect rect = m_rects[token];
  QScrollBar* bar = verticalScrollBar();
  if (rect.top() < bar->value()) bar->setValue(rect.top());
  if (rect.bottom() > bar->value() + viewport()->height())
    bar->setValue(rect.bottom() - viewport()->height() + kGap);
}

void TokenStrip::arrange() {
  m_rects.clear();
  const QFontMetrics metrics(font());
  int x = 0, y = kGap;
  for (const QString& token : m_tokens) {
    const int width = metrics.horizontalAdvance(token) + 2 * kPadding;
    if (x > 0 && x + width > viewport()->width()) {
      x = 0;
      y += lineHeight();
    }
    m_rects.append(QRect(x, y, width, lineHeight() - kGap));
    x += width + kGap;
  }
  updateGeometry();
  const int contentHeight = m_tokens.isEmpty() ? 0 : y + lineHeight();
  verticalScrollBar()->setRange(0, std::max(0, contentHeight - viewport()->height()));
  verticalScrollBar()->setPageStep(viewport()->height());
  verticalScrollBar()->setSingleStep(lineHeight());
  viewport()->update();
}

void TokenStrip::paintEvent(QPaintEvent* event) {
  QPainter painter(viewport());
  painter.fillRect(event->rect(), Theme::instance().colors().background);
  painter.setFont(font());
  for (int token = 0; token < m_tokens.size(); ++token)
    if (tokenRect(token).intersects(event->rect())) paintToken(painter, token);
}

void TokenStrip::paintToken(QPainter& painter, int token) const {
  const Colors& colors = Theme::instance().colors();
  const QRect rect = tokenRect(token);
  const bool inDrag =
      m_dragged >= 0 && token >= std::min(m_pressed, m_dragged) && token <= std::max(m_pressed, m_dragged);
  painter.fillRect(rect, inDrag ? colors.grid : colors.surface);
  const auto bar = [&](const QVector<double>& shares, const QColor& color, int fromBottom) {
    if (token >= shares.size() || shares[token] <= 0) return;
    const int width = static_cast<int>(std::lround(shares[token] * rect.width()));
    painter.fillRect(rect.left(), rect.bottom() + 1 - fromBottom, std::max(1, width), kBarHeight, color);
  };
  bar(m_teacher, colors.teacher, 2 * kBarHeight);
  bar(m_student, colors.student, kBarHeight);
  const QRect textRect = rect.adjusted(kPadding, 1, -kPadding, -2 * kBarHeight);
  painter.setPen(m_query >= 0 && token > m_query ? colors.secondaryText : colors.text);
  painter.drawText(textRect, Qt::AlignVCenter | Qt::AlignLeft, m_tokens[token]);
  if (token != m_query && token != m_key) return;
  // Shape tells the two apart: the query has a solid frame, the key a dashed one.
  painter.setPen(QPen(colors.focus, 2, token == m_query ? Qt::SolidLine : Qt::DashLine));
  painter.setBrush(Qt::NoBrush);
  painter.drawRect(rect.adjusted(1, 1, -1, -1));
}

void TokenStrip::resizeEvent(QResizeEvent* event) {
  QAbstractScrollArea::resizeEvent(event);
  arrange();
}

void TokenStrip::changeEvent(QEvent* event) {
  QAbstractScrollArea::changeEvent(event);
  if (event->type() == QEvent::FontChange) arrange();
}

void TokenStrip::mouseMoveEvent(QMouseEvent* event) {
  const int token = tokenAt(event->pos());
  if (token < 0) return;
  if (m_pressed >= 0 && (event->buttons() & Qt::LeftButton)) {
    if (token != m_pressed || m_dragged >= 0) m_dragged = token;
    viewport()->update();
    return;
  }
  if (event->modifiers() & Qt::ShiftModifier)
    emit queryHovered(token);
  else
    emit keyHovered(token);
}

void TokenStrip::mousePressEvent(QMouseEvent* event) {
  if (event->button() == Qt::LeftButton) m_pressed = tokenAt(event->pos());
}

void TokenStrip::mouseReleaseEvent(QMouseEvent* event) {
  if (event->button() != Qt::LeftButton || m_pressed < 0) return;
  const int pressed = m_pressed, dragged = m_dragged;
  m_pressed = m_dragged = -1;
  viewport()->update();
  if (dragged >= 0 && dragged != pressed)
    emit rangeSelected(std::min(pressed, dragged), std::max(pressed, dragged));
  else
    emit tokenClicked(pressed, event->modifiers() & Qt::ShiftModifier);
}

void TokenStrip::mouseDoubleClickEvent(QMouseEvent* event) {
  const int token = tokenAt(event->pos());
  if (token >= 0) emit tokenClicked(token, true);
}

bool TokenStrip::viewportEvent(QEvent* event) {
  if (event->type() == QEvent::ToolTip) {
    const auto* help = static_cast<QHelpEvent*>(event);
    const int token = tokenAt(help->pos());
    if (token >= 0)
      QToolTip::showText(help->globalPos(), tr("token %1: “%2”").arg(token).arg(m_tokens[token]), viewport(),
                         tokenRect(token));
    return true;
  }
  return QAbstractScrollArea::viewportEvent(event);
}

}  // namespace tandem::ui
