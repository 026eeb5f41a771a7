#include "ui/widgets/status_strip.h"

#include <QHBoxLayout>
#include <QtConcurrentRun>

#include "core/base/provenance.h"
#include "core/devices/devices.h"
#include "ui/format.h"
#include "ui/theme.h"

namespace tandem::ui {
namespace {

/// The devices of this machine, and why there is no GPU among them.
QString deviceLines(const tandem::DeviceList& list) {
  QStringList lines;
  for (const tandem::DeviceEntry& entry : list.present)
    lines << QString::fromStdString(entry.id + ": " + entry.name);
  if (!list.no_cuda.empty()) lines << StatusStrip::tr("No GPU: %1").arg(QString::fromStdString(list.no_cuda));
  return lines.join(QLatin1Char('\n'));
}

constexpr int kClockMs = 250;

}  // namespace

StatusStrip::StatusStrip(Workspace& workspace, QWidget* parent)
    : QWidget(parent),
      m_workspace(workspace),
      m_badge(new QLabel(this)),
      m_session(new QLabel(this)),
      m_speeds{new QLabel(this), new QLabel(this)},
      m_memory(new QLabel(this)),
      m_device(new QLabel(this)),
      m_seed(new QLabel(this)),
      m_loading(new QLabel(this)),
      m_progress(new QProgressBar(this)) {
  m_badge->setObjectName(QStringLiteral("badge"));
  m_badge->setFont(Theme::body(9, QFont::DemiBold));
  m_progress->setMaximumWidth(160);
  m_progress->setAccessibleName(tr("Progress of the run"));
  m_progress->hide();
  auto* layout = new QHBoxLayout(this);
  layout->setContentsMargins(8, 0, 8, 0);
  layout->setSpacing(16);
  for (QLabel* label : {m_badge, m_session, m_loading}) layout->addWidget(label);
  layout->addWidget(m_progress);
  layout->addStretch();
  for (QLabel* label : {m_speeds[0], m_speeds[1], m_memory, m_seed, m_device}) {
    label->setFont(Theme::monospace(9));
    layout->addWidget(label);
  }
  m_clock.setInterval(kClockMs);
  connect(&m_clock, &QTimer::timeout, this, &StatusStrip::refreshSpeeds);
  for (auto signal : {&Workspace::stateChanged, &Workspace::sessionChanged, &Workspace::modelsChanged,
                      &Workspace::settingsChanged}) {
    connect(&m_workspace, signal, this, &StatusStrip::refresh);
  }
  connect(&m_workspace, &Workspace::runStarted, this, [this] {
    m_speed[0] = m_speed[1] = {};
    m_progress->setRange(0, 0);
    m_progress->show();
    m_clock.start();
  });
  connect(&m_workspace, &Workspace::problemStarted, this, [this](int side, int) { m_speed[side] = {}; });
  connect(&m_workspace, &Workspace::live, this, [this](const LiveBatch& batch) {
    for (int side = 0; side < 2; ++side) m_speed[side].add(side, batch);
  });
  connect(&m_workspace, &Workspace::runProgress, this, [this](int done, int planned) {
    m_progress->setRange(0, planned);
    m_progress->setValue(done);
  });
  connect(&m_workspace, &Workspace::runFinished, this, [this] {
    m_clock.stop();
    m_progress->hide();
    refreshSpeeds();
  });
  connect(&m_workspace, &Workspace::loadProgress, this, [this](const QString& what, int percent) {
    m_loading->setText(what.isEmpty() ? what : tr("%1, %2 %").arg(what).arg(percent));
  });
  connect(&Theme::instance(), &Theme::changed, this, &StatusStrip::refresh);
  // Looking for them may start a driver, which takes its time.
  QtConcurrent::run([] { return deviceLines(tandem::devices()); }).then(this, [this](const QString& lines) {
    m_device->setToolTip(lines);
  });
  refresh();
}

void StatusStrip::refresh() {
  const Colors& c = Theme::instance().colors();
  const bool replay = m_workspace.isReplay();
  m_badge->setText(replay ? tr("◼ REPLAY") : tr("● LIVE"));
  m_badge->setToolTip(replay ? tr("Recorded earlier; nothing is computed now")
                             : tr("Computed by the models now"));
  QPalette palette = m_badge->palette();
  palette.setColor(QPalette::WindowText, replay ? c.warning : c.correct);
  m_badge->setPalette(palette);
  m_session->setText(m_workspace.sessionName());
  QStringList memory;
  for (Side side : {Side::Teacher, Side::Student}) {
    const auto model = m_workspace.model(side);
    if (model)
      memory << sideGlyph(side) + QLatin1Char(' ') +
                    formatBytes(static_cast<double>(model->info().weight_bytes));
  }
  m_memory->setText(memory.join(QLatin1Char(' ')));
  m_memory->setToolTip(tr("Memory of the weights"));
  const tandem::RunSettings& settings = m_workspace.settings();
  m_seed->setText(tr("seed %1").arg(settings.seed));
  m_device->setText(QString::fromStdString(tandem::device_name(settings.threads)));
  refreshSpeeds();
}

void StatusStrip::refreshSpeeds() {
  for (Side side : {Side::Teacher, Side::Student}) {
    const auto at = static_cast<std::size_t>(side);
    const bool known = m_speed[at].tokens > 0;
    m_speeds[at]->setText(
        known ? sideGlyph(side) + QLatin1Char(' ') + formatRate(m_speed[at].tokensPerSecond()) : QString());
  }
}

}  // namespace tandem::ui
