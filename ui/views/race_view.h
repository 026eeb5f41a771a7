// Race: both models solve one problem side by side, many completions each; live, or as a session holds it.
#pragma once

#include <array>
#include <optional>

#include <QSplitter>
#include <QTimer>

#include "ui/views/race_bar.h"
#include "ui/views/race_controls.h"
#include "ui/views/race_detail.h"
#include "ui/views/race_playback.h"
#include "ui/views/race_reader.h"
#include "ui/views/race_side.h"
#include "ui/views/view.h"
#include "ui/widgets/vote_bar.h"

namespace tandem::ui {

class RaceView : public View {
  Q_OBJECT
 public:
  explicit RaceView(Workspace& workspace, QWidget* parent = nullptr);

  QString title() const override;
  QList<Plot*> plots() const override;
  bool settled() const override;
  void demonstrate() override;

  /// A person's verdict beside the grader's, with its reason; nothing: the grader's alone. Kept in the
  /// session.
  void overrideVerdict(Side side, int completion, std::optional<bool> correct, const QString& note);

 protected:
  void showEvent(QShowEvent* event) override;

 private:
  void buildLayout();
  QWidget* buildOptions();
  void addKeys();
  void connectWorkspace();

  void onRunStarted();
  void onProblemStarted(int side, int position);
  void onLive(const LiveBatch& batch);
  void onRunFinished();
  void onSelection(SelectionModel::Fields fields);
  void onStateChanged();

  void showProblem();
  void readStored();
  void apply(RaceAnswer answer);
  void refresh();
  void refreshDetails();
  void refreshTexts();
  void vote(VoteBar::Choice choice);
  void showPreference(const QString& preference);
  void showMoment();
  void showMenu(Side side, int completion, QPoint globalPosition);
  void setBlind(bool blind);
  void arrangeSides();
  Side leftSide() const { return m_swapped ? Side::Student : Side::Teacher; }
  RaceSide& side(int index) { return *m_sides[static_cast<std::size_t>(index)]; }

  Workspace& m_workspace;
  std::array<RaceSide*, 2> m_sides;
  std::array<RaceDetail*, 2> m_details;
  RaceBar* m_bar;
  VoteBar* m_votes;
  QSplitter *m_gridSplitter, *m_detailSplitter;
  QAction *m_blindAction, *m_tintAction, *m_replayAction;
  RacePlayback m_playback;
  QTimer m_textClock;  // texts and figures follow a run at 15 Hz; the eye reads no faster

  std::array<int, 2> m_livePosition{-1, -1};  // problem that streams, or last streamed, per side
  std::array<bool, 2> m_started{false, false};
  bool m_follow = true;      // the selection moves with the run until the user moves it
  bool m_showAgain = false;  // a short race is replayed when it has ended
  int m_starts = 0;          // problems begun in this run, counted once a side
  bool m_swapped = false;    // blind mode may put the student left
  int m_reading = 0;
  quint64 m_generation = 0;
  std::shared_ptr<tandem::Session> m_session;
};

}  // namespace tandem::ui
