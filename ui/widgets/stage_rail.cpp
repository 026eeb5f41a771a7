#include "ui/widgets/stage_rail.h"

#include <algorithm>

#include <QPainter>
#include <QPainterPath>

#include "ui/format.h"
#include "ui/theme.h"

namespace tandem::ui {
namespace {

constexpr double kRadius = 6;
constexpr double kGap = 20;          // holds the line from stage to stage
constexpr std::size_t kRecent = 20;  // updates whose speed counts for the estimate

/// Seconds that an update of the present stage takes.
double secondsPerUpdate(const DistilRun& run) {
  double seconds = 0;
  int count = 0;
  const std::size_t first = run.updates.size() > kRecent ? run.updates.size() - kRecent : 0;
  for (std::size_t i = std::max<std::size_t>(first, 1); i < run.updates.size(); ++i) {
    const auto &update = run.updates[i], &before = run.updates[i - 1];
    if (update.stage != run.updates.back().stage || update.tokens_per_s <= 0) continue;
    seconds += static_cast<double>(update.tokens - before.tokens) / update.tokens_per_s;
    ++count;
  }
  return count > 0 ? seconds / count : 0;
}

}  // namespace

StageRail::StageRail(QWidget* parent) : QWidget(parent) {
  setObjectName(QStringLiteral("stageRail"));
  setAccessibleName(tr("Stages of the training"));
  setSizePolicy(QSizePolicy::Expanding, QSizePolicy::Fixed);
  connect(&Theme::instance(), &Theme::changed, this, qOverload<>(&QWidget::update));
}

void StageRail::setRun(const DistilRun* run, bool running) {
  if (run == nullptr) return setBoxes({});
  const std::int64_t stage = run->updates.empty() ? 0 : run->updates.back().stage;
  const std::int64_t step = run->updates.empty() ? 0 : run->updates.back().step;
  std::vector<Box> boxes;
  for (std::int64_t s = 0; s < std::ssize(run->stages); ++s) {
    const DistilStage& of = run->stages[static_cast<std::size_t>(s)];
    Box& box = boxes.emplace_back();
    box.done = s < stage ? 1 : s > stage ? 0 : static_cast<double>(step) / static_cast<double>(of.steps);
    const bool complete = box.done >= 1;
    box.current = s == stage && !complete;
    box.title = (complete ? tr("%1 %2 ✓") : tr("%1 %2")).arg(s + 1).arg(goalTitle(of.goal));
    box.detail = tr("%1 updates").arg(formatCount(of.steps));
    if (!box.current) continue;
    box.detail = tr("update %1 of %2").arg(formatCount(step), formatCount(of.steps));
    const double left = secondsPerUpdate(*run) * static_cast<double>(of.steps - step);
    if (running && left > 0) box.detail += tr(" · about %1 left").arg(formatSeconds(left));
  }
  setBoxes(std::move(boxes));
}

void StageRail::setPlan(const std::vector<DistilStage>& stages) {
  DistilRun plan;
  plan.stages = stages;
  setRun(&plan, false);
  for (Box& box : m_boxes) box.current = false;
}

void StageRail::setBoxes(std::vector<Box> boxes) {
  m_boxes = std::move(boxes);
  QStringList sentences;
  for (const Box& box : m_boxes) sentences << box.title + QStringLiteral(": ") + box.detail;
  setAccessibleDescription(sentences.join(QStringLiteral("; ")));
  update();
}

void StageRail::paintBox(QPainter& painter, const QRectF& frame, const Box& box) const {
  const Colors& colors = Theme::instance().colors();
  QPainterPath outline;
  outline.addRoundedRect(frame, kRadius, kRadius);
  painter.fillPath(outline, colors.surface);
  painter.save();
  painter.setClipPath(outline);
  painter.fillRect(QRectF(frame.topLeft(), QSizeF(frame.width() * box.done, frame.height())),
                   colors.studentWash);
  painter.restore();
  painter.setPen(QPen(box.current ? colors.student : colors.border, box.current ? 2 : 1));
  painter.drawPath(outline);
  const QRectF inner = frame.adjusted(10, 4, -10, -4);
  const auto line = [&](const QString& text, const QFont& font, const QColor& color,
                        Qt::Alignment alignment) {
    painter.setFont(font);
    painter.setPen(color);
    const QString shown =
        QFontMetrics(font).elidedText(text, Qt::ElideRight, static_cast<int>(inner.width()));
    painter.drawText(inner, static_cast<int>(alignment), shown);
  };
  line(box.title, Theme::body(10, QFont::DemiBold), colors.text, Qt::AlignLeft | Qt::AlignTop);
  line(box.detail, Theme::body(9), colors.secondaryText, Qt::AlignLeft | Qt::AlignBottom);
}

void StageRail::paintEvent(QPaintEvent* /*event*/) {
  if (m_boxes.empty()) return;
  QPainter painter(this);
  painter.setRenderHint(QPainter::Antialiasing);
  const auto count = static_cast<double>(m_boxes.size());
  const double boxWidth = (width() - 2 - kGap * (count - 1)) / count;
  double x = 1;
  for (std::size_t i = 0; i < m_boxes.size(); ++i, x += boxWidth + kGap) {
    paintBox(painter, QRectF(x, 1, boxWidth, height() - 2), m_boxes[i]);
    if (i + 1 == m_boxes.size()) continue;
    painter.setPen(QPen(Theme::instance().colors().border, 2));
    painter.drawLine(QPointF(x + boxWidth + 3, height() / 2.0),
                     QPointF(x + boxWidth + kGap - 3, height() / 2.0));
  }
}

}  // namespace tandem::ui
