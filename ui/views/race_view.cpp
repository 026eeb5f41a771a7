#include "ui/views/race_view.h"

#include <algorithm>
#include <utility>

#include <QAction>
#include <QApplication>
#include <QClipboard>
#include <QComboBox>
#include <QHBoxLayout>
#include <QInputDialog>
#include <QMenu>
#include <QRandomGenerator>
#include <QToolButton>
#include <QVBoxLayout>
#include <QtConcurrentRun>

#include "ui/format.h"
#include "ui/widgets/problem_strip.h"

namespace tandem::ui {
namespace {

constexpr int kTextClockMs = 66;
constexpr double kTooFastToFollowS = 3;  // a race this short is shown again by itself, slowed down

const char* preferenceWord(Side winner) {
  return winner == Side::Teacher ? "teacher" : "student";
}

}  // namespace

RaceView::RaceView(Workspace& workspace, QWidget* parent)
    : View(parent),
      m_workspace(workspace),
      m_sides{new RaceSide(Side::Teacher, this), new RaceSide(Side::Student, this)},
      m_details{new RaceDetail(Side::Teacher, this), new RaceDetail(Side::Student, this)},
      m_bar(new RaceBar(this)),
      m_votes(new VoteBar(this)),
      m_gridSplitter(new QSplitter(Qt::Horizontal, this)),
      m_detailSplitter(new QSplitter(Qt::Horizontal, this)),
      m_blindAction(new QAction(tr("Blind"), this)),
      m_tintAction(new QAction(tr("Tint"), this)),
      m_replayAction(new QAction(tr("Replay"), this)) {
  buildLayout();
  addKeys();
  connectWorkspace();
  m_textClock.setInterval(kTextClockMs);
  connect(&m_textClock, &QTimer::timeout, this, [this] {
    if (isVisible()) refresh();
  });
  setBlind(false);
  onStateChanged();
  showProblem();
}

QString RaceView::title() const {
  return tr("Race");
}

QList<Plot*> RaceView::plots() const {
  return {m_bar};
}

void RaceView::buildLayout() {
  for (QSplitter* splitter : {m_gridSplitter, m_detailSplitter}) splitter->setChildrenCollapsible(false);
  auto* rows = new QSplitter(Qt::Vertical, this);
  rows->setChildrenCollapsible(false);
  rows->addWidget(m_gridSplitter);
  rows->addWidget(m_detailSplitter);
  rows->addWidget(m_bar);
  rows->setSizes({460, 120, 150});  // shares, not pixels
  rows->setStretchFactor(0, 4);
  rows->setStretchFactor(1, 1);
  rows->setStretchFactor(2, 1);

  auto* options = new QHBoxLayout;
  options->addWidget(new RaceControls(m_workspace, this), 1);
  options->addWidget(buildOptions());
  auto* layout = new QVBoxLayout(this);
  layout->setContentsMargins(0, 0, 0, 0);
  layout->setSpacing(4);
  layout->addWidget(new ProblemStrip(m_workspace, this));
  layout->addLayout(options);
  layout->addWidget(rows, 1);
  layout->addWidget(m_votes);
  arrangeSides();
}

QWidget* RaceView::buildOptions() {
  auto* box = new QWidget(this);
  auto* order = new QComboBox(box);
  order->setObjectName(QStringLiteral("order"));
  order->setAccessibleName(tr("Order of the completions"));
  order->setToolTip(tr("Order of the completions"));
  order->addItems({tr("by number"), tr("by finish"), tr("by length"), tr("by verdict"), tr("by answer")});
  connect(order, &QComboBox::currentIndexChanged, this, [this](int index) {
    for (RaceSide* side : m_sides) side->setOrder(static_cast<CompletionFilter::Order>(index));
  });
  auto* layout = new QHBoxLayout(box);
  layout->setContentsMargins(0, 0, 8, 0);
  layout->addWidget(order);
  for (QAction* action : {m_replayAction, m_tintAction, m_blindAction}) {
    auto* button = new QToolButton(box);
    button->setDefaultAction(action);
    layout->addWidget(button);
  }
  return box;
}

void RaceView::addKeys() {
  m_tintAction->setCheckable(true);
  m_tintAction->setShortcut(Qt::Key_P);
  m_tintAction->setToolTip(tr("Tint tokens: the stronger, the less likely the model found them (P)"));
  connect(m_tintAction, &QAction::toggled, this, [this](bool tinted) {
    for (RaceDetail* detail : m_details) detail->setTinted(tinted);
  });
  m_blindAction->setCheckable(true);
  m_blindAction->setShortcut(Qt::Key_B);
  m_blindAction->setToolTip(tr("Hide which model is which until you have voted (B)"));
  connect(m_blindAction, &QAction::toggled, this, &RaceView::setBlind);
  m_replayAction->setCheckable(true);
  m_replayAction->setShortcut(Qt::Key_Space);
  m_replayAction->setToolTip(
      tr("Shows the race again, slowed down: plays and pauses (Space); Esc ends it. "
         "Drag in the chart below to choose the moment"));
  m_replayAction->setShortcutContext(Qt::WidgetWithChildrenShortcut);
  const std::array<QWidget*, 5> places{m_sides[0]->grid(), m_sides[1]->grid(), m_details[0], m_details[1],
                                       m_bar};
  for (QWidget* place : places) place->addAction(m_replayAction);  // not everywhere: Space presses buttons
  connect(m_replayAction, &QAction::triggered, &m_playback, &RacePlayback::toggle);
  auto* ended = new QAction(tr("End the replay"), this);
  ended->setShortcut(Qt::Key_Escape);
  connect(ended, &QAction::triggered, &m_playback, &RacePlayback::finish);
  connect(&m_playback, &RacePlayback::moved, this, &RaceView::showMoment);
  connect(m_bar, &RaceBar::momentDragged, &m_playback, &RacePlayback::seek);
  auto* other = new QAction(tr("Other side"), this);
  other->setShortcut(Qt::Key_F6);
  connect(other, &QAction::triggered, this, [this] {
    const bool inTeacher = m_sides[0]->isAncestorOf(focusWidget()) || m_sides[0]->grid()->hasFocus();
    m_sides[inTeacher ? 1 : 0]->grid()->setFocus(Qt::ShortcutFocusReason);
  });
  auto* divergence = new QAction(tr("Where the texts part"), this);
  divergence->setShortcut(Qt::Key_D);
  connect(divergence, &QAction::triggered, this, [this] {
    for (RaceDetail* detail : m_details) detail->scrollToDivergence();
  });
  QList<QAction*> actions{ended, m_tintAction, m_blindAction, other, divergence};
  for (int choice = 0; choice <= 3; ++choice) {
    auto* action = new QAction(tr("Vote %1").arg(choice), this);
    action->setShortcut(Qt::Key_0 + choice);
    connect(action, &QAction::triggered, this,
            [this, choice] { m_votes->choose(static_cast<VoteBar::Choice>(choice)); });
    actions << action;
  }
  for (QAction* action : actions) {
    action->setShortcutContext(Qt::WidgetWithChildrenShortcut);
    addAction(action);
  }
}

void RaceView::connectWorkspace() {
  connect(&m_workspace, &Workspace::runStarted, this, &RaceView::onRunStarted);
  connect(&m_workspace, &Workspace::problemStarted, this, &RaceView::onProblemStarted);
  connect(&m_workspace, &Workspace::live, this, &RaceView::onLive);
  connect(&m_workspace, &Workspace::runFinished, this, &RaceView::onRunFinished);
  connect(&m_workspace, &Workspace::stateChanged, this, &RaceView::onStateChanged);
  connect(&m_workspace, &Workspace::modelsChanged, this, &RaceView::onStateChanged);
  connect(&m_workspace, &Workspace::problemsChanged, this, &RaceView::showProblem);
  connect(&m_workspace, &Workspace::sessionChanged, this, [this] {
    if (m_workspace.state() == Workspace::State::Running) return;
    if (m_workspace.session() != m_session) m_livePosition = {-1, -1};
    m_session = m_workspace.session();
    showProblem();
  });
  connect(&m_workspace.selection(), &SelectionModel::changed, this, &RaceView::onSelection);
  connect(m_votes, &VoteBar::voted, this, &RaceView::vote);
  connect(m_bar, &RaceBar::completionClicked, this,
          [this](int at, int completion) { side(at).select(completion); });
  for (RaceSide* side : m_sides) {
    connect(side, &RaceSide::menuRequested, this,
            [this, side](int completion, QPoint at) { showMenu(side->side(), completion, at); });
    connect(side, &RaceSide::selectionChanged, this, [this, side] {
      refreshDetails();
      if (side->selected() >= 0) m_workspace.selection().setCompletion(side->selected());
    });
  }
}

void RaceView::onRunStarted() {
  m_started = {false, false};
  m_follow = true;
  m_showAgain = isVisible();
  m_starts = 0;
  const int position = m_workspace.selection().problem();
  m_livePosition = {position, position};
  for (RaceSide* side : m_sides) side->beginLive(m_workspace.settings().completions, true);
  m_textClock.start();
  showProblem();
}

void RaceView::onProblemStarted(int at, int position) {
  const auto index = static_cast<std::size_t>(at);
  const auto& problems = m_workspace.problems().problems;
  const bool graded = position >= 0 && !problems[static_cast<std::size_t>(position)].answer.empty();
  m_started[index] = true;
  ++m_starts;
  m_livePosition[index] = position;
  side(at).beginLive(m_workspace.settings().completions, graded);
  if (m_follow && position >= 0) m_workspace.selection().setProblem(position);
  showProblem();
}

void RaceView::onLive(const LiveBatch& batch) {
  for (RaceSide* side : m_sides) side->addLive(batch);
}

void RaceView::onRunFinished() {
  m_textClock.stop();
  m_session = m_workspace.session();
  for (std::size_t at = 0; at < m_started.size(); ++at) {
    if (!m_started[at]) m_livePosition[at] = -1;  // it had nothing left to do: what it did is stored
  }
  showProblem();
  const bool oneProblem = m_starts <= 2;  // once a side
  if (m_showAgain && oneProblem && m_playback.duration() < kTooFastToFollowS) m_playback.toggle();
}

void RaceView::onSelection(SelectionModel::Fields fields) {
  if (!fields.testFlag(SelectionModel::ProblemIndex)) return;
  const int position = m_workspace.selection().problem();
  m_follow = position == m_livePosition[0] || position == m_livePosition[1];
  showProblem();
}

void RaceView::onStateChanged() {
  for (RaceSide* side : m_sides) {
    side->setModelName(m_workspace.modelName(side->side()));
    side->setShared(m_workspace.settings().mode == "together");
  }
  refreshTexts();
}

/// What an empty grid says, and whether a vote can be kept.
void RaceView::refreshTexts() {
  QString text;
  switch (m_workspace.state()) {
    case Workspace::State::Empty:
      text = tr("Open two models to race them (File menu)");
      break;
    case Workspace::State::Loading:
      text = tr("Loading the models…");
      break;
    case Workspace::State::Ready:
      text = tr("Press Run (Ctrl+R): both models solve this problem");
      break;
    case Workspace::State::Running:
      text = tr("Waits for its turn");
      break;
    case Workspace::State::Replay:
      text = tr("This session holds no completions of this problem");
      break;
  }
  for (RaceSide* side : m_sides) side->setPlaceholder(text);
  const auto session = m_workspace.session();
  m_votes->setEnabled(session && !session->read_only() &&
                      m_workspace.problemId(m_workspace.selection().problem()) >= 0);
}

/// Each side shows what streams when that is the chosen problem, else what is stored.
void RaceView::showProblem() {
  const int position = m_workspace.selection().problem();
  bool allLive = true;
  for (std::size_t at = 0; at < m_sides.size(); ++at) {
    const bool live = m_livePosition[at] >= 0 && m_livePosition[at] == position;
    m_sides[at]->showLive(live);
    allLive = allLive && live;
  }
  showPreference(QString());
  if (allLive) {
    ++m_generation;  // a reading under way is of another problem
  } else {
    readStored();
  }
  refreshTexts();
  refresh();
}

void RaceView::readStored() {
  const quint64 generation = ++m_generation;
  for (RaceSide* side : m_sides) side->setStored({});
  RaceQuery query;
  const int position = m_workspace.selection().problem();
  query.session = m_workspace.session();
  query.problemId = m_workspace.problemId(position);
  if (!query.session || query.problemId < 0) return;
  query.graded = !m_workspace.problems().problems[static_cast<std::size_t>(position)].answer.empty();
  for (Side side : {Side::Teacher, Side::Student}) {
    query.runIds[static_cast<std::size_t>(side)] = m_workspace.runId(side);
    query.models[static_cast<std::size_t>(side)] = m_workspace.model(side);
  }
  ++m_reading;
  QtConcurrent::run([query] { return readRace(query); }).then(this, [this, generation](RaceAnswer answer) {
    --m_reading;
    if (generation == m_generation) apply(std::move(answer));
  });
}

void RaceView::apply(RaceAnswer answer) {
  for (std::size_t at = 0; at < m_sides.size(); ++at) m_sides[at]->setStored(std::move(answer.sides[at]));
  showPreference(answer.preference);
  if (!answer.error.isEmpty()) emit m_workspace.failed(answer.error);
  refresh();
}

void RaceView::refresh() {
  for (RaceSide* side : m_sides) {
    side->refresh();
    m_bar->setSide(side->side(), side->source().cards(), side->speed().prefillS);
  }
  m_bar->refresh();
  const bool ended = m_sides[0]->duration() > 0 && m_sides[1]->duration() > 0 && !m_blindAction->isChecked();
  m_playback.setDuration(ended ? std::max(m_sides[0]->duration(), m_sides[1]->duration()) : 0);
  m_replayAction->setEnabled(ended);
  refreshDetails();
}

/// Both sides as they stood at the playback's moment.
void RaceView::showMoment() {
  const double moment = m_playback.moment();
  for (RaceSide* side : m_sides) side->showMoment(moment);
  m_replayAction->setChecked(m_playback.playing());
  QString label = formatSeconds(moment);
  if (m_playback.playing() && m_playback.rate() < 1)
    label += tr(", slowed %1×").arg(1 / m_playback.rate(), 0, 'f', 0);
  m_bar->setMoment(moment, label);
  refreshDetails();
}

/// The chosen completion of each side; the first one where none is chosen.
void RaceView::refreshDetails() {
  for (std::size_t at = 0; at < m_sides.size(); ++at) {
    const CompletionModel& model = m_sides[at]->completions();
    const int row = std::max(0, model.rowOf(m_sides[at]->selected()));
    m_details[at]->showCompletion(row < model.rowCount() ? &model.cards()[row] : nullptr);
  }
  const bool both = m_details[0]->finished() && m_details[1]->finished();
  for (std::size_t at = 0; at < m_details.size(); ++at) {
    m_details[at]->setDivergence(both ? firstDivergence(m_details[at]->text(), m_details[1 - at]->text())
                                      : -1);
  }
}

void RaceView::vote(VoteBar::Choice choice) {
  const auto session = m_workspace.session();
  tandem::HumanVote vote;
  vote.problem_id = m_workspace.problemId(m_workspace.selection().problem());
  vote.blind = m_blindAction->isChecked();
  if (!session || vote.problem_id < 0) return;
  const Side left = leftSide();
  const Side right = left == Side::Teacher ? Side::Student : Side::Teacher;
  switch (choice) {
    case VoteBar::Choice::None:
      return;
    case VoteBar::Choice::Left:
      vote.preference = preferenceWord(left);
      break;
    case VoteBar::Choice::Right:
      vote.preference = preferenceWord(right);
      break;
    case VoteBar::Choice::Tie:
      vote.preference = "tie";
      break;
    case VoteBar::Choice::BothBad:
      vote.preference = "both bad";
      break;
  }
  QtConcurrent::run([session, vote] {
    return session->add_vote(vote);
  }).then(this, [this](tandem::Status status) {
    if (!status) emit m_workspace.failed(QString::fromStdString(status.error().message));
  });
  const QString preference = QString::fromStdString(vote.preference);
  m_blindAction->setChecked(false);  // the vote is in: show who was who
  showPreference(preference);
}

void RaceView::showPreference(const QString& preference) {
  auto choice = VoteBar::Choice::None;
  if (preference == QLatin1String("tie")) choice = VoteBar::Choice::Tie;
  if (preference == QLatin1String("both bad")) choice = VoteBar::Choice::BothBad;
  for (Side side : {Side::Teacher, Side::Student}) {
    if (preference != QLatin1String(preferenceWord(side))) continue;
    choice = side == leftSide() ? VoteBar::Choice::Left : VoteBar::Choice::Right;
  }
  m_votes->setChoice(choice);
}

void RaceView::showMenu(Side of, int completion, QPoint globalPosition) {
  const CompletionModel& model = side(static_cast<int>(of)).completions();
  const CompletionCard card = model.cards()[model.rowOf(completion)];
  QMenu menu(this);
  menu.addAction(tr("Copy text"), this, [card] { QApplication::clipboard()->setText(card.text); });
  menu.addSeparator();
  for (const bool correct : {true, false}) {
    QAction* action =
        menu.addAction(correct ? tr("Mark as correct…") : tr("Mark as wrong…"), this, [=, this] {
          const QString note = QInputDialog::getText(this, tr("Verdict by hand"), tr("Why?")).trimmed();
          if (!note.isEmpty()) overrideVerdict(of, completion, correct, note);
        });
    action->setEnabled(m_votes->isEnabled() && card.finished());
  }
  QAction* undo = menu.addAction(tr("Back to the grader's verdict"), this,
                                 [=, this] { overrideVerdict(of, completion, {}, QString()); });
  undo->setEnabled(m_votes->isEnabled() && !card.overrideNote.isEmpty());
  menu.exec(globalPosition);
}

void RaceView::overrideVerdict(Side of, int completion, std::optional<bool> correct, const QString& note) {
  const auto session = m_workspace.session();
  const std::int64_t run = m_workspace.runId(of);
  const std::int64_t problem = m_workspace.problemId(m_workspace.selection().problem());
  if (!session || run < 0 || problem < 0) return;
  const auto work = [=, reason = note.toStdString()]() -> tandem::Result<CompletionCard> {
    TANDEM_RETURN_IF_ERROR(session->set_override(run, problem, completion, correct, reason));
    TANDEM_TRY(const auto stored, session->completions(run, problem));
    const auto row = std::find_if(stored.begin(), stored.end(),
                                  [&](const auto& each) { return each.completion.index == completion; });
    return makeCard(*row, /*graded=*/true, nullptr);  // set_override has found it
  };
  const quint64 generation = m_generation;
  QtConcurrent::run(work).then(this, [this, generation, of](tandem::Result<CompletionCard> card) {
    if (!card) return void(emit m_workspace.failed(QString::fromStdString(card.error().message)));
    if (generation != m_generation) return;
    side(static_cast<int>(of)).replace(*std::move(card));
    refresh();
  });
}

void RaceView::setBlind(bool blind) {
  m_swapped = blind && QRandomGenerator::global()->bounded(2) == 1;
  arrangeSides();
  for (std::size_t at = 0; at < m_sides.size(); ++at) {
    const bool left = m_sides[at]->side() == leftSide();
    const QString alias = !blind ? QString() : left ? tr("Model A") : tr("Model B");
    m_sides[at]->setBlind(alias);
    m_details[at]->setBlind(alias);
  }
  m_bar->setVisible(!blind);  // finish times would tell
  m_votes->setNames(blind ? tr("Model A") : sideName(Side::Teacher),
                    blind ? tr("Model B") : sideName(Side::Student));
}

void RaceView::arrangeSides() {
  const auto left = static_cast<std::size_t>(leftSide());
  for (std::size_t place = 0; place < m_sides.size(); ++place) {
    const std::size_t at = place == 0 ? left : 1 - left;
    m_gridSplitter->insertWidget(static_cast<int>(place), m_sides[at]);
    m_detailSplitter->insertWidget(static_cast<int>(place), m_details[at]);
  }
}

bool RaceView::settled() const {
  const auto state = m_workspace.state();
  const bool idle = state == Workspace::State::Ready || state == Workspace::State::Replay;
  return idle && m_reading == 0 && !m_playback.playing();
}

void RaceView::demonstrate() {
  const bool empty = m_sides[0]->completions().rowCount() == 0;
  if (!empty || m_workspace.isReplay()) return;
  m_workspace.startRun({m_workspace.selection().problem()});
  m_showAgain = false;  // the picture is of how the race ended
}

void RaceView::showEvent(QShowEvent* event) {
  View::showEvent(event);
  refresh();
}

}  // namespace tandem::ui
