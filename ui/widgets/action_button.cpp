#include "ui/widgets/action_button.h"

#include <QPainter>

#include "ui/theme.h"

namespace tandem::ui {
namespace {
constexpr int kHeight = 28;
constexpr double kRadius = 3;
}  // namespace

QAction* addViewAction(QWidget& view, const QString& text, const QString& objectName, const QString& tip,
                       Qt::Key key, bool checkable) {
  auto* action = new QAction(text, &view);
  action->setObjectName(objectName);
  action->setCheckable(checkable);
  action->setShortcut(key);
  action->setShortcutContext(Qt::WidgetWithChildrenShortcut);
  action->setToolTip(
      QStringLiteral("%1 (%2)").arg(tip, QKeySequence(key).toString(QKeySequence::NativeText)));
  view.addAction(action);
  return action;
}

ActionButton::ActionButton(QAction* action, QWidget* parent) : QToolButton(parent) {
  setDefaultAction(action);
  setToolButtonStyle(Qt::ToolButtonTextOnly);
  setAccessibleName(action->toolTip());
  setMinimumHeight(kHeight);
  setVisible(action->isVisible());
  connect(action, &QAction::visibleChanged, this, [this, action] { setVisible(action->isVisible()); });
}

void ActionButton::paintEvent(QPaintEvent* event) {
  QToolButton::paintEvent(event);
  if (!isChecked()) return;
  QPainter painter(this);
  painter.setRenderHint(QPainter::Antialiasing);
  const QColor color = Theme::instance().colors().focus;
  QColor wash = color;
  wash.setAlpha(40);
  painter.setBrush(wash);
  painter.setPen(QPen(color, 1.5));
  painter.drawRoundedRect(QRectF(rect()).adjusted(1, 1, -1, -1), kRadius, kRadius);
}

}  // namespace tandem::ui
