// The completions of one side for one problem: streaming, or as stored. One row a completion.
#pragma once

#include <map>
#include <vector>

#include <QAbstractListModel>
#include <QString>
#include <QVector>

#include "core/session/session.h"
#include "core/tokenizer/tokenizer.h"
#include "ui/live_batch.h"

namespace tandem::ui {

/// A token's share of a completion's text and its log-probability.
struct TokenSpan {
  int length = 0;  // characters
  float logprob = 0;
};

enum class Verdict { Waiting, Streaming, Correct, Wrong, Cut, Ungraded };

struct CompletionCard {
  int index = 0;
  QString text;
  QVector<TokenSpan> spans;  // cover the text from its start; empty when the tokenizer is not at hand
  Verdict verdict = Verdict::Waiting;
  tandem::FinishReason finish = tandem::FinishReason::Cancelled;
  QString answer;        // empty: none was found
  QString overrideNote;  // why a person set the verdict; empty: it is the grader's
  int tokens = 0;
  double firstTokenS = 0;  // from the first decode step
  double finishS = 0;

  bool finished() const { return verdict != Verdict::Waiting && verdict != Verdict::Streaming; }
};

/// A finished completion as a card. `graded`: the problem has a known answer. The tokenizer splits the text
/// into spans and may be null.
CompletionCard makeCard(const tandem::SessionCompletion& stored, bool graded,
                        const tandem::Tokenizer* tokenizer);

/// A finished completion as it stood `seconds` after the first decode step. Between its first and its last
/// token they are taken to have come evenly.
CompletionCard cardAt(const CompletionCard& finished, double seconds);

class CompletionModel : public QAbstractListModel {
  Q_OBJECT
 public:
  enum Role {
    IndexRole = Qt::UserRole + 1,  // int
    TextRole,                      // QString; also Qt::DisplayRole
    VerdictRole,                   // int(Verdict)
    AnswerRole,                    // QString
    TokensRole,                    // int
    FirstTokenRole,                // seconds
    FinishRole,                    // seconds
    FinishReasonRole,              // QString, "eos"
    OverriddenRole,                // bool: the verdict is a person's; Qt::ToolTipRole says why
  };
  struct Vote {
    int count = 0;
    bool correct = false;
  };
  struct Tally {
    int done = 0, correct = 0, wrong = 0, cut = 0;
    std::map<QString, Vote> votes;  // by answer
  };

  using QAbstractListModel::QAbstractListModel;
  int rowCount(const QModelIndex& parent = {}) const override;
  QVariant data(const QModelIndex& index, int role = Qt::DisplayRole) const override;
  QHash<int, QByteArray> roleNames() const override;

  /// `count` completions that wait for their first token.
  void begin(int count, bool graded);
  void setCards(QVector<CompletionCard> cards);
  /// The same completions, further on or back; keeps the selection of views.
  void updateCards(QVector<CompletionCard> cards);
  /// Takes what `batch` has for `side`. Views hear of it at the next flush().
  void add(int side, const LiveBatch& batch);
  /// Another verdict for a finished completion; its spans stay.
  void replace(CompletionCard card);
  /// One dataChanged for all rows that changed since the last.
  void flush();

  const QVector<CompletionCard>& cards() const { return m_cards; }
  const Tally& tally() const { return m_tally; }
  /// Row of a completion, or -1.
  int rowOf(int index) const;

 private:
  void touch(int row);
  void recount();
  void count(const CompletionCard& card);

  QVector<CompletionCard> m_cards;
  Tally m_tally;
  bool m_graded = true;
  int m_firstDirty = -1, m_lastDirty = -1;
};

}  // namespace tandem::ui
