// What the window knows of a page: a title, its plots (for export), and whether it shows something yet.
#pragma once

#include <QList>
#include <QWidget>

#include "ui/widgets/plot.h"
#include "ui/workspace.h"

namespace tandem::ui {

class View : public QWidget {
  Q_OBJECT
 public:
  using QWidget::QWidget;
  virtual QString title() const = 0;
  virtual QList<Plot*> plots() const = 0;
  /// True when the view shows data and no background work for it is pending: what --screenshot waits for.
  virtual bool settled() const = 0;
  /// Does by itself what a first click would (starts a run, captures matrices, measures a short sweep): used
  /// by --screenshot, once models and problems are loaded.
  virtual void demonstrate() {}
};

}  // namespace tandem::ui
