// What the view says while it has no matrices to show: what to do, what is going on, or what went wrong.
#pragma once

#include <QWidget>

class QLabel;
class QProgressBar;
class QPushButton;

namespace tandem::ui {

class MatricesStateCard : public QWidget {
  Q_OBJECT
 public:
  explicit MatricesStateCard(QWidget* parent = nullptr);

  void showEmpty(const QString& text, bool canCapture);
  void showBusy(const QString& text);
  void showError(const QString& sentence, bool canRetry);

 signals:
  void captureRequested();
  void cancelRequested();

 private:
  QLabel* m_title;
  QLabel* m_text;
  QProgressBar* m_progress;
  QPushButton* m_capture;
  QPushButton* m_cancel;
};

}  // namespace tandem::ui
