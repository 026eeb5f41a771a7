// What to train and with what: recipe, teacher, threads, device; start, pause, resume.
#pragma once

#include <QWidget>

#include "core/training/recipe.h"
#include "ui/device_menu.h"

class QComboBox;
class QPushButton;
class QSpinBox;

namespace tandem::ui {

class DistilControls : public QWidget {
  Q_OBJECT
 public:
  explicit DistilControls(Workspace& workspace, QWidget* parent = nullptr);

  /// The chosen recipe with the chosen teacher in it. Errors: those of read_recipe().
  tandem::Result<tandem::training::Recipe> recipe() const;
  QString recipeName() const;
  /// A recipe's file; it becomes the chosen one.
  void chooseRecipe(const QString& path);
  int threads() const;
  void setThreads(int threads);

  enum class State { Ready, Running, Stopping, Blocked };
  /// `why`: the tip of what cannot be pressed.
  void setState(State state, bool resumable, const QString& why);

 signals:
  void recipeChanged();
  void startRequested();
  void pauseRequested();
  void resumeRequested();
  void importRequested(const QString& folder);

 private:
  void addBundled();
  void recipeActivated(int item);
  void teacherActivated(int item);
  void refreshTeachers();

  QComboBox *m_recipe, *m_teacher;
  QSpinBox* m_threads;
  DeviceButton* m_device;
  QPushButton *m_start, *m_pause, *m_resume, *m_import;
  int m_chosen = 0;  // item of m_recipe
};

}  // namespace tandem::ui
