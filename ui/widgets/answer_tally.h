// The vote over answers as a row of buttons, most frequent first; pressing one filters by it.
#pragma once

#include <vector>

#include <QLabel>
#include <QToolButton>
#include <QWidget>

#include "ui/models/completion_model.h"

namespace tandem::ui {

class AnswerTally : public QWidget {
  Q_OBJECT
 public:
  explicit AnswerTally(QWidget* parent = nullptr);
  void setVotes(const std::map<QString, CompletionModel::Vote>& votes);
  /// Empty: none is pressed.
  QString answer() const { return m_answer; }
  void setAnswer(const QString& answer);

 protected:
  void resizeEvent(QResizeEvent* event) override;

 signals:
  void answerChosen(const QString& answer);  // empty: show all again

 private:
  struct Entry {
    QString answer;
    CompletionModel::Vote vote;
  };
  void refresh();
  void fit();

  std::vector<Entry> m_entries;
  QString m_answer;
  std::vector<QToolButton*> m_buttons;
  QLabel* m_caption;
  QLabel* m_rest;
};

}  // namespace tandem::ui
