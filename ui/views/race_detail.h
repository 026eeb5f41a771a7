// The whole text of one completion, its tokens tinted by log-probability on request, its answer marked, and
// the word where it parts from the completion beside it.
#pragma once

#include <QLabel>
#include <QPlainTextEdit>
#include <QWidget>

#include "ui/models/completion_model.h"
#include "ui/theme.h"

namespace tandem::ui {

class RaceDetail : public QWidget {
  Q_OBJECT
 public:
  explicit RaceDetail(Side side, QWidget* parent = nullptr);

  /// Shows a completion; null empties the pane. While the same one streams, only what is new is inserted.
  void showCompletion(const CompletionCard* card);
  void setTinted(bool tinted);
  void setBlind(const QString& alias);
  /// Marks the word at this character; -1 removes the mark.
  void setDivergence(int character);
  void scrollToDivergence();
  QString text() const { return m_card.text; }
  bool finished() const { return m_card.finished(); }

 private:
  void rebuild();
  void append(int fromSpan);
  void mark();
  QTextCharFormat formatOf(float logprob) const;
  void setCaption();

  Side m_side;
  QString m_alias;
  bool m_tinted = false;
  int m_divergence = -1;
  CompletionCard m_card;
  QLabel* m_caption;
  QPlainTextEdit* m_text;
};

/// Where two texts part: the start of the first word that differs, or -1 when one is empty or both are equal.
int firstDivergence(const QString& a, const QString& b);

}  // namespace tandem::ui
