#include "ui/widgets/snapshot_slider.h"

#include <algorithm>

#include <QHBoxLayout>
#include <QLabel>
#include <QSignalBlocker>
#include <QSlider>
#include <QToolButton>

#include "ui/format.h"
#include "ui/theme.h"

namespace tandem::ui {

SnapshotSlider::SnapshotSlider(QWidget* parent)
    : QWidget(parent),
      m_back(new QToolButton(this)),
      m_forward(new QToolButton(this)),
      m_slider(new QSlider(Qt::Horizontal, this)),
      m_place(new QLabel(this)) {
  setObjectName(QStringLiteral("snapshotSlider"));
  const auto button = [this](QToolButton* target, const QString& text, const QString& tip, int count) {
    target->setText(text);
    target->setToolTip(tip);
    target->setAccessibleName(tip);
    target->setAutoRaise(true);
    connect(target, &QToolButton::clicked, this, [this, count] { stepBy(count); });
  };
  button(m_back, QStringLiteral("◀"), tr("Earlier snapshot"), -1);
  button(m_forward, QStringLiteral("▶"), tr("Later snapshot"), 1);
  m_slider->setObjectName(QStringLiteral("snapshots"));
  m_slider->setAccessibleName(tr("Training step of the matrices"));
  m_slider->setToolTip(tr("Snapshots of the student's matrices while it was trained"));
  m_place->setFont(Theme::monospace(9));
  m_place->setMinimumWidth(
      m_place->fontMetrics().horizontalAdvance(tr("stage %1 · update %2").arg(3).arg(99999)));
  auto* row = new QHBoxLayout(this);
  row->setContentsMargins(0, 0, 0, 0);
  row->setSpacing(4);
  row->addWidget(m_back);
  row->addWidget(m_slider, 1);
  row->addWidget(m_forward);
  row->addSpacing(4);
  row->addWidget(m_place);
  connect(m_slider, &QSlider::valueChanged, this, [this](int at) {
    refresh();
    const auto& chosenOne = m_snapshots[static_cast<std::size_t>(at)];
    emit chosen(chosenOne.id, chosenOne.stage, chosenOne.step);
  });
  refresh();
}

void SnapshotSlider::setSnapshots(std::vector<tandem::SessionSnapshot> snapshots) {
  const std::int64_t before = snapshot();
  const bool atEnd = m_slider->value() == m_slider->maximum();
  m_snapshots = std::move(snapshots);
  {
    const QSignalBlocker block(m_slider);
    m_slider->setRange(0, std::max(0, static_cast<int>(m_snapshots.size()) - 1));
    if (atEnd) m_slider->setValue(m_slider->maximum());
  }
  if (!atEnd) setSnapshot(before);
  refresh();
}

std::int64_t SnapshotSlider::snapshot() const {
  return m_snapshots.empty() ? -1 : m_snapshots[static_cast<std::size_t>(m_slider->value())].id;
}

void SnapshotSlider::setSnapshot(std::int64_t id) {
  const auto found =
      std::find_if(m_snapshots.begin(), m_snapshots.end(), [id](const auto& s) { return s.id == id; });
  if (found == m_snapshots.end()) return;
  const QSignalBlocker block(m_slider);
  m_slider->setValue(static_cast<int>(found - m_snapshots.begin()));
  refresh();
}

void SnapshotSlider::choosePlace(std::int64_t stage, std::int64_t step) {
  const auto after = std::find_if(m_snapshots.begin(), m_snapshots.end(), [&](const auto& s) {
    return std::pair{s.stage, s.step} > std::pair{stage, step};
  });
  m_slider->setValue(std::max(0, static_cast<int>(after - m_snapshots.begin()) - 1));
}

void SnapshotSlider::stepBy(int count) {
  m_slider->setValue(m_slider->value() + count);
}

void SnapshotSlider::refresh() {
  const int at = m_slider->value();
  m_slider->setEnabled(m_snapshots.size() > 1);
  m_back->setEnabled(at > 0);
  m_forward->setEnabled(at < m_slider->maximum());
  if (m_snapshots.empty()) return m_place->setText(QStringLiteral("–"));
  const auto& shown = m_snapshots[static_cast<std::size_t>(at)];
  m_place->setText(tr("stage %1 · update %2").arg(shown.stage + 1).arg(formatCount(shown.step)));
}

}  // namespace tandem::ui
