// How a problem is put to the models: one of the usual prompts, and the date in those that name one.
#pragma once

#include <QActionGroup>
#include <QMenu>

#include "ui/widgets/menu_button.h"
#include "ui/workspace.h"

namespace tandem::ui {

class PromptMenu : public QMenu {
  Q_OBJECT
 public:
  explicit PromptMenu(Workspace& workspace, QWidget* parent = nullptr);

 private:
  void refresh();
  void choose(const QString& prompt);
  void askDate();
  void showPrompts();

  Workspace& m_workspace;
  QActionGroup* m_prompts;
  QAction* m_date;
};

/// A button that says which prompt is chosen and opens the menu.
class PromptButton : public MenuButton {
  Q_OBJECT
 public:
  explicit PromptButton(Workspace& workspace, QWidget* parent = nullptr);

 private:
  void refresh();
  Workspace& m_workspace;
};

/// What a model reads before its first own token, for the chosen problem; empty without a model or a problem.
struct PromptText {
  QString text;
  std::int64_t tokens = 0;
};
PromptText promptText(Workspace& workspace, Side side);

}  // namespace tandem::ui
