// One side of the race: its name, speed and counts, the vote over its answers, and the grid of its
// completions. It holds two sets of completions, those that stream and those that were stored, and shows one.
#pragma once

#include <QLabel>
#include <QVector>
#include <QWidget>

#include "ui/models/completion_filter.h"
#include "ui/models/completion_model.h"
#include "ui/side_speed.h"
#include "ui/theme.h"
#include "ui/widgets/answer_tally.h"
#include "ui/widgets/card_delegate.h"
#include "ui/widgets/card_grid.h"

namespace tandem::ui {

/// One side's completions of one problem, as a session holds them.
struct StoredSide {
  QVector<CompletionCard> cards;
  SideSpeed speed;
};

class RaceSide : public QWidget {
  Q_OBJECT
 public:
  explicit RaceSide(Side side, QWidget* parent = nullptr);

  Side side() const { return m_side; }
  void setModelName(const QString& name);
  void setPlaceholder(const QString& text);
  /// The device is shared by both models: speeds are no measurement.
  void setShared(bool shared);
  /// A name that gives nothing away, neutral colours, no speed; empty ends it.
  void setBlind(const QString& alias);
  void setOrder(CompletionFilter::Order order);

  void beginLive(int completions, bool graded);
  void addLive(const LiveBatch& batch);
  void setStored(StoredSide stored);
  void showLive(bool live);
  bool showsLive() const { return m_source == &m_live; }
  /// Shows the completions as they stood this many seconds after the model began to read; below 0, as they
  /// ended.
  void showMoment(double seconds);
  /// Seconds from the start of reading to the end of the last completion; 0 unless all have ended.
  double duration() const;
  /// Repaints what changed since the last call.
  void refresh();

  /// What is on show; at a moment of the past, less than source().
  const CompletionModel& completions() const { return m_shown->model; }
  const CompletionModel& source() const { return m_source->model; }
  const SideSpeed& speed() const { return m_shown->speed; }
  /// The chosen completion, or -1.
  int selected() const;
  void select(int completion);
  /// A finished completion with another verdict.
  void replace(CompletionCard card);
  CardGrid* grid() const { return m_grid; }

 signals:
  void selectionChanged();
  void menuRequested(int completion, QPoint globalPosition);

 private:
  struct Completions {
    CompletionModel model;
    SideSpeed speed;
  };
  void showSet(Completions& set);
  void applyTheme();
  void refreshHeader();

  Side m_side;
  QString m_alias, m_modelName;
  bool m_shared = false;
  Completions m_live, m_stored, m_past;
  Completions* m_source = &m_stored;  // live or stored
  Completions* m_shown = &m_stored;   // m_source, or m_past
  CompletionFilter m_filter;
  CardDelegate m_delegate;
  QLabel *m_name, *m_model, *m_rate, *m_first, *m_counts;
  AnswerTally* m_tally;
  CardGrid* m_grid;
};

}  // namespace tandem::ui
