// The models at hand: those opened lately and the bundled ones, what each is, and loading them.
#pragma once

#include <QDialog>
#include <QLabel>
#include <QProgressBar>
#include <QPushButton>
#include <QStackedWidget>
#include <QTreeView>

#include "ui/latest_task.h"
#include "ui/model_card.h"
#include "ui/models/model_list.h"
#include "ui/widgets/message_bar.h"

namespace tandem::ui {

class ModelManager : public QDialog {
  Q_OBJECT
 public:
  explicit ModelManager(Workspace& workspace, QWidget* parent = nullptr);
  /// Shows the loaded models beside each other; where to get some when there are none.
  void compareLoaded();
  /// Takes a folder or file into the list and shows what it is; loads nothing.
  void openPath(const QString& path);

 protected:
  void dragEnterEvent(QDragEnterEvent* event) override;
  void dropEvent(QDropEvent* event) override;

 private:
  struct Found {
    QString path, error;
  };
  QWidget* listSide();
  QWidget* cardSide();
  QWidget* publicModels();
  void connectWorkspace();
  void select(const QString& choice);
  void showChoice(const QString& choice);
  void refreshList();
  void removeChosen();

  Workspace& m_workspace;
  ModelList* m_list;
  QTreeView* m_view;
  ModelCard* m_card;
  QStackedWidget* m_pages;  // the card, where to get models
  MessageBar* m_message;
  QWidget* m_loading;
  QLabel* m_loadingText;
  QProgressBar* m_progress;
  QPushButton *m_remove, *m_getModels;
  QString m_shown;  // the choice that the card shows
  LatestTask<Found> m_finder;
};

/// A local file or folder that is being dragged or dropped alone; else empty.
QString draggedPath(const QMimeData* data);

}  // namespace tandem::ui
