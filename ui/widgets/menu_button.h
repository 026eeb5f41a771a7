// A button that says what is chosen and opens a menu to choose from.
#pragma once

#include <QToolButton>

class QMenu;

namespace tandem::ui {

class MenuButton : public QToolButton {
  Q_OBJECT
 public:
  /// Takes the menu.
  explicit MenuButton(QMenu* menu, QWidget* parent = nullptr);
  void setChoice(const QString& choice);

 protected:
  void initStyleOption(QStyleOptionToolButton* option) const override;
};

}  // namespace tandem::ui
