// What models run on: one choice for the whole window, offered wherever it matters.
#pragma once

#include <QActionGroup>
#include <QMenu>

#include "ui/widgets/menu_button.h"
#include "ui/workspace.h"

namespace tandem::ui {

/// The CPU and the GPUs there are; without one a line that says why.
class DeviceMenu : public QMenu {
  Q_OBJECT
 public:
  explicit DeviceMenu(Workspace& workspace, QWidget* parent = nullptr);

 private:
  void fill();
  void refresh();

  Workspace& m_workspace;
  QActionGroup* m_devices;
};

/// A button that names the device and opens the menu.
class DeviceButton : public MenuButton {
  Q_OBJECT
 public:
  enum class Form { Brief, Full };  // "GPU", "NVIDIA H100 (cuda:0)"
  DeviceButton(Workspace& workspace, Form form, QWidget* parent = nullptr);

 private:
  void refresh();

  Workspace& m_workspace;
  Form m_form;
};

}  // namespace tandem::ui
