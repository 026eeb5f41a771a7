#include "ui/widgets/menu_button.h"

#include <QMenu>
#include <QStyleOptionToolButton>

namespace tandem::ui {

MenuButton::MenuButton(QMenu* menu, QWidget* parent) : QToolButton(parent) {
  menu->setParent(this, menu->windowFlags());
  setMenu(menu);
  setPopupMode(QToolButton::InstantPopup);
}

void MenuButton::setChoice(const QString& choice) {
  setText(choice + QStringLiteral(" ▾"));
  setAccessibleName(choice);
}

/// The style's own arrow is as small as a comma.
void MenuButton::initStyleOption(QStyleOptionToolButton* option) const {
  QToolButton::initStyleOption(option);
  option->features &= ~QStyleOptionToolButton::ToolButtonFeatures(QStyleOptionToolButton::HasMenu);
}

}  // namespace tandem::ui
