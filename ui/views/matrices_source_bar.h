// Chooses the text whose matrices are looked at: the problem with its solution, a completion, typed words,
// what the session recorded, or a training run's probe text.
#pragma once

#include <vector>

#include <QWidget>

#include "ui/models/matrix_set.h"

class QComboBox;
class QLabel;
class QLineEdit;
class QPushButton;
class QToolButton;

namespace tandem::ui {

enum class TextChoice { Solution, TeacherCompletion, StudentCompletion, Typed, Recorded, Training };

class MatricesSourceBar : public QWidget {
  Q_OBJECT
 public:
  explicit MatricesSourceBar(QWidget* parent = nullptr);

  TextChoice choice() const;
  /// Index into what setRecorded() or setTrainings() was given; -1 for other choices.
  int recordedIndex() const;
  void choose(TextChoice choice, int recorded = -1);
  QString typedText() const;
  void setTypedText(const QString& text);
  void setRecorded(const std::vector<MatrixSetPtr>& sets);
  void setTrainings(const QStringList& names);
  /// What is chosen and what it costs, or why it cannot be captured.
  void setStatus(const QString& text);
  void setCapture(bool possible, bool running);
  void setStore(bool possible, const QString& tip);

 signals:
  void choiceChanged();
  void typed();
  void captureRequested();
  void cancelRequested();
  void storeRequested();
  void factsRequested();

 private:
  void refresh();
  void replaceItems(TextChoice choice, const QStringList& texts);

  QComboBox* m_choice;
  QLineEdit* m_text;
  QLabel* m_status;
  QPushButton* m_capture;
  QPushButton* m_store;
  QToolButton* m_facts;
  bool m_running = false;
};

}  // namespace tandem::ui
