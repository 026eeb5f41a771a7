// Buttons of a view's own actions. What is switched on shows it by a frame, in every theme.
#pragma once

#include <QAction>
#include <QToolButton>

namespace tandem::ui {

/// An action of `view`: its single-key shortcut works while the focus is inside the view. The tip says the
/// key, too.
QAction* addViewAction(QWidget& view, const QString& text, const QString& objectName, const QString& tip,
                       Qt::Key key, bool checkable);

class ActionButton : public QToolButton {
  Q_OBJECT
 public:
  explicit ActionButton(QAction* action, QWidget* parent = nullptr);

 protected:
  void paintEvent(QPaintEvent* event) override;
};

}  // namespace tandem::ui
