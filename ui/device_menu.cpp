#include "ui/device_menu.h"

#include "ui/format.h"

namespace tandem::ui {
namespace {

/// "CPU"; "GPU", or "GPU 1" among several.
QString kindOf(const tandem::DeviceEntry& entry, const tandem::DeviceList& among) {
  if (entry.device == nullptr) return DeviceMenu::tr("CPU");
  if (among.present.size() <= 2) return DeviceMenu::tr("GPU");
  const QString id = QString::fromStdString(entry.id);
  return DeviceMenu::tr("GPU %1").arg(id.section(QLatin1Char(':'), -1));
}

/// "GPU: NVIDIA H100, 80 GiB"
QString lineOf(const tandem::DeviceEntry& entry, const tandem::DeviceList& among) {
  const QString line = DeviceMenu::tr("%1: %2").arg(kindOf(entry, among), QString::fromStdString(entry.name));
  if (entry.memory_bytes <= 0) return line;
  return DeviceMenu::tr("%1, %2").arg(line, formatBytes(static_cast<double>(entry.memory_bytes)));
}

QString briefName(const Workspace& workspace) {
  const tandem::DeviceList* list = workspace.devices();
  if (list != nullptr)
    for (const tandem::DeviceEntry& entry : list->present)
      if (entry.device == workspace.device()) return kindOf(entry, *list);
  return DeviceMenu::tr("CPU");
}

}  // namespace

DeviceMenu::DeviceMenu(Workspace& workspace, QWidget* parent)
    : QMenu(tr("&Device"), parent), m_workspace(workspace), m_devices(new QActionGroup(this)) {
  setObjectName(QStringLiteral("deviceMenu"));
  connect(m_devices, &QActionGroup::triggered, this,
          [this](const QAction* action) { m_workspace.chooseDevice(action->data().toString()); });
  connect(&m_workspace, &Workspace::deviceChanged, this, &DeviceMenu::fill);
  connect(this, &QMenu::aboutToShow, this, &DeviceMenu::refresh);
  fill();
}

/// Once, when they are known: they stay what they are.
void DeviceMenu::fill() {
  const tandem::DeviceList* list = m_workspace.devices();
  if (list == nullptr || !isEmpty()) return;
  for (const tandem::DeviceEntry& entry : list->present) {
    QAction* action = addAction(lineOf(entry, *list));
    action->setCheckable(true);
    action->setData(QString::fromStdString(entry.id));
    m_devices->addAction(action);
  }
  if (list->no_cuda.empty()) return;
  QAction* none = addAction(tr("GPU: %1").arg(QString::fromStdString(list->no_cuda)));
  none->setObjectName(QStringLiteral("noGpu"));
  none->setEnabled(false);
}

void DeviceMenu::refresh() {
  const tandem::Device* device = m_workspace.device();
  const QString id = device != nullptr ? QString::fromStdString(device->info().id) : QStringLiteral("cpu");
  for (QAction* action : m_devices->actions()) {
    action->setChecked(action->data().toString() == id);
    action->setEnabled(m_workspace.state() != Workspace::State::Running);
  }
}

DeviceButton::DeviceButton(Workspace& workspace, Form form, QWidget* parent)
    : MenuButton(new DeviceMenu(workspace), parent), m_workspace(workspace), m_form(form) {
  setObjectName(QStringLiteral("deviceButton"));
  for (auto signal : {&Workspace::deviceChanged, &Workspace::settingsChanged})
    connect(&m_workspace, signal, this, &DeviceButton::refresh);
  refresh();
}

void DeviceButton::refresh() {
  setChoice(m_form == Form::Full ? m_workspace.deviceName() : briefName(m_workspace));
  QString tip = tr("What the models run on: %1").arg(m_workspace.deviceName());
  if (const QString note = m_workspace.deviceNote(); !note.isEmpty()) tip += QLatin1Char('\n') + note;
  setToolTip(tip);
}

}  // namespace tandem::ui
