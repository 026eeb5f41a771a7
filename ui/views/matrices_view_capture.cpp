// The half of MatricesView that is about texts: what can be captured, capturing it, keeping it, reading it
// back.
#include <QStackedWidget>
#include <QThread>

#include "ui/format.h"
#include "ui/views/matrices_board.h"
#include "ui/views/matrices_scale_bar.h"
#include "ui/views/matrices_source_bar.h"
#include "ui/views/matrices_state_card.h"
#include "ui/views/matrices_view.h"
#include "ui/widgets/snapshot_slider.h"
#include "ui/widgets/token_strip.h"

namespace tandem::ui {

QString MatricesView::captureObstacle() const {
  if (m_workspace.state() == Workspace::State::Loading) return tr("The models are being loaded.");
  if (!m_workspace.model(Side::Teacher) || !m_workspace.model(Side::Student))
    return tr("Open a teacher and a student first.");
  if (m_workspace.state() == Workspace::State::Running)
    return tr("A run is being measured: matrices can be captured when it is done.");
  switch (m_source->choice()) {
    case TextChoice::Typed:
      return m_source->typedText().trimmed().isEmpty() ? tr("Type a text first.") : QString();
    case TextChoice::Recorded:
    case TextChoice::Training:
      return tr("Recorded earlier: choose a problem or a text to capture anew.");
    case TextChoice::TeacherCompletion:
    case TextChoice::StudentCompletion:
      if (m_workspace.selection().completion() < 0 || !m_workspace.session())
        return tr("Choose a completion in Race first.");
      [[fallthrough]];
    case TextChoice::Solution: {
      const auto count = static_cast<int>(m_workspace.problems().problems.size());
      return m_workspace.selection().problem() < count ? QString() : tr("Open a problem set first.");
    }
  }
  return {};
}

std::function<Result<CaptureText>()> MatricesView::textToCapture() const {
  const TextChoice choice = m_source->choice();
  CaptureText text;
  if (choice == TextChoice::Typed) {
    text.prompt = m_source->typedText().toStdString();
    text.origin = tr("typed text");
    return [text]() -> Result<CaptureText> { return text; };
  }
  const int position = m_workspace.selection().problem();
  const Problem& problem = m_workspace.problems().problems[static_cast<std::size_t>(position)];
  text.prompt = m_workspace.model(Side::Teacher)->prompt().apply(problem.question);
  if (choice == TextChoice::Solution) {
    text.solution = problem.solution;
    text.origin = tr("problem %1 and its solution").arg(position + 1);
    return [text]() -> Result<CaptureText> { return text; };
  }
  const Side side = choice == TextChoice::TeacherCompletion ? Side::Teacher : Side::Student;
  const int completion = m_workspace.selection().completion();
  text.origin = (side == Side::Teacher ? tr("problem %1, teacher's completion %2")
                                       : tr("problem %1, student's completion %2"))
                    .arg(position + 1)
                    .arg(completion + 1);
  return [text, completion, session = m_workspace.session(), run = m_workspace.runId(side),
          row = m_workspace.problemId(position)] {
    return completionText(*session, run, row, completion, text);
  };
}

void MatricesView::refreshSource() {
  const QString obstacle = captureObstacle();
  if (m_demonstrating && obstacle.isEmpty() && !m_recordedTask.running()) {
    m_demonstrating = false;
    if (!m_set) return capture();
  }
  const bool running = m_captureTask.running();
  m_source->setCapture(obstacle.isEmpty(), running);
  QString status = obstacle;
  if (obstacle.isEmpty() && m_set && !running) status = tr("Shown: %1").arg(m_set->origin);
  if (m_source->choice() == TextChoice::Recorded && m_set)
    status = tr("Recorded earlier, half precision, %n token(s)", nullptr, m_set->seqlen());
  if (m_source->choice() == TextChoice::Training && m_set)
    status = tr("%1: every layer at the teacher's input, half precision").arg(m_set->origin);
  if (running) status = tr("Capturing every layer of both models…");
  m_source->setStatus(status);
  const std::shared_ptr<Session> session = m_workspace.session();
  const bool storable = m_set && !m_set->recorded && session && !session->read_only() && !running;
  m_source->setStore(storable, storable
                                   ? tr("Writes these matrices to the session, to be shown in replay")
                                   : tr("There is nothing new to keep, or no session that can be written"));
  showCard();
}

void MatricesView::capture() {
  if (!captureObstacle().isEmpty() || m_captureTask.running()) return;
  const int threads = m_workspace.settings().threads;
  CaptureRequest request{m_workspace.model(Side::Teacher), m_workspace.model(Side::Student), textToCapture(),
                         m_workspace.selection().layer(),
                         threads > 0 ? threads : QThread::idealThreadCount()};
  m_error.clear();
  m_captureTask.start(
      [request = std::move(request)](std::stop_token stop) { return captureMatrices(request, stop); });
  refreshSource();
}

void MatricesView::cancelCapture() {
  m_captureTask.cancel();
  refreshSource();
}

void MatricesView::captured(const CaptureOutcome& outcome) {
  m_error = outcome.error;
  if (outcome.set) showSet(outcome.set);
  refreshSource();
  if (!m_error.isEmpty()) m_source->setStatus(m_error);
}

void MatricesView::store() {
  if (!m_set || m_set->recorded || !m_workspace.session() || m_storeTask.running()) return;
  const auto teacher = m_workspace.model(Side::Teacher), student = m_workspace.model(Side::Student);
  if (!teacher || !student) return;
  m_source->setStore(false, tr("Writing to the session"));
  m_storeTask.start([session = m_workspace.session(), teacher, student, set = m_set](std::stop_token) {
    return storeMatrices(*session, teacher->info(), student->info(), *set);
  });
}

void MatricesView::readRecorded() {
  readRecordedOf(m_workspace.session());
}

void MatricesView::readRecordedOf(const std::shared_ptr<Session>& session) {
  const QString teacherName = m_workspace.modelName(Side::Teacher),
                studentName = m_workspace.modelName(Side::Student);
  // The session says "changed" after every problem; its matrices are read when it is another one.
  const QString from = session ? QStringLiteral("%1\n%2\n%3")
                                     .arg(QString::fromStdString(session->path()), teacherName, studentName)
                               : QString();
  if (from == m_recordedFrom) return;
  m_recordedFrom = from;
  m_recorded.clear();
  m_trainings.clear();
  m_training = -1;
  m_snapshotTask.cancel();
  m_scrubber->hide();
  m_source->setRecorded({});
  m_source->setTrainings({});
  if (!session) return m_recordedTask.cancel();
  // The model is kept for its tokenizer, which names the tokens.
  m_recordedTask.start([session, teacher = m_workspace.model(Side::Teacher), teacherName,
                        studentName](std::stop_token) {
    return readRecordedMatrices(session, teacherName, studentName, teacher ? &teacher->tokenizer() : nullptr);
  });
}

void MatricesView::takeRecorded(const RecordedMatrices& recorded) {
  m_recorded = recorded.sets;
  m_trainings = recorded.trainings;
  m_trainingSession = recorded.session;
  m_source->setRecorded(m_recorded);
  QStringList names;
  for (const ScrubbableRun& run : m_trainings) names << run.name;
  m_source->setTrainings(names);
  if (!recorded.error.isEmpty()) m_error = recorded.error;
  if (m_wanted) {
    for (std::size_t k = 0; k < m_trainings.size(); ++k)
      if (m_trainings[k].id == m_wanted->first) m_source->choose(TextChoice::Training, static_cast<int>(k));
    if (m_wanted) takeChoice();  // it was chosen already, or is gone
  } else if (!m_set && !m_recorded.empty()) {
    m_source->choose(TextChoice::Recorded, static_cast<int>(m_recorded.size()) - 1);
  } else if (!m_set && m_workspace.isReplay() && !m_trainings.empty()) {
    m_source->choose(TextChoice::Training, static_cast<int>(m_trainings.size()) - 1);
  }
  refreshSource();
}

void MatricesView::takeChoice() {
  const auto at = static_cast<std::size_t>(m_source->recordedIndex());
  const TextChoice choice = m_source->choice();
  m_scrubber->setVisible(choice == TextChoice::Training);
  m_training = choice == TextChoice::Training ? m_trainings[at].id : -1;
  if (m_training < 0) m_scrubbed = -1;
  if (choice == TextChoice::Recorded) showSet(m_recorded[at]);
  if (choice == TextChoice::Training) {
    m_scrubber->setSnapshots({});
    m_scrubber->setSnapshots(m_trainings[at].snapshots);
    if (m_wanted) m_scrubber->setSnapshot(m_wanted->second);
    readSnapshot(m_scrubber->snapshot());
  }
  m_wanted.reset();
  refreshSource();
}

void MatricesView::showTraining(const std::shared_ptr<Session>& session, std::int64_t training,
                                std::int64_t snapshot) {
  m_wanted = {training, snapshot};
  m_recordedFrom.clear();  // there are more snapshots than when it was read
  readRecordedOf(session);
}

void MatricesView::readSnapshot(std::int64_t snapshot) {
  m_snapshotTask.start([session = m_trainingSession, training = m_training, snapshot](std::stop_token) {
    return readTrainingSet(*session, training, snapshot);
  });
}

/// Another step of the run on show: the same text, so what is looked at and pinned stays.
void MatricesView::takeSnapshot(const TrainingSet& read) {
  m_error = read.error;
  if (m_training < 0) return;
  if (read.set && m_training == m_scrubbed) {
    m_set = read.set;
    m_board->setSet(m_set);
    showPair();
    startOverview();
  } else if (read.set) {
    showSet(read.set);
  }
  if (read.set) m_scrubbed = m_training;
  refreshSource();
  if (!m_error.isEmpty()) m_source->setStatus(m_error);
}

void MatricesView::showSet(MatrixSetPtr set) {
  m_set = std::move(set);
  m_preview.reset();
  m_teacherHeads.clear();
  m_pinned = false;
  m_wantsCell = m_set != nullptr;
  m_strip->setTokens(m_set ? m_set->tokens : QStringList());
  m_board->setSet(m_set);
  const bool knowsSkip = m_set && m_set->knowsSkip();
  m_scale->setSkipAvailable(knowsSkip, tr("Recordings hold no D: capture anew to add it"));
  if (m_set) {
    SelectionModel& selection = m_workspace.selection();
    selection.setLayer(std::clamp(selection.layer(), 0, std::max(0, m_set->student().layerCount() - 1)));
    selection.setHead(
        std::clamp(selection.head(), 0, std::max(0, m_set->student().heads(selection.layer()) - 1)));
  }
  showPair();
  startOverview();
  showCard();
}

/// The card covers the maps while there are none: what to do, what is going on, or what went wrong.
void MatricesView::showCard() {
  m_stack->setCurrentIndex(m_set ? 1 : 0);
  if (m_set) return;
  const QString obstacle = captureObstacle();
  if (m_captureTask.running())
    m_card->showBusy(tr("Running both models over the text and keeping the matrix of every layer and head."));
  else if (m_recordedTask.running())
    m_card->showBusy(tr("Reading the matrices that this session recorded."));
  else if (!m_error.isEmpty())
    m_card->showError(m_error, obstacle.isEmpty());
  else if (!obstacle.isEmpty())
    m_card->showEmpty(obstacle, false);
  else
    m_card->showEmpty(
        tr("Runs the teacher and the student over the chosen text and shows, for every layer and head, "
           "how each token mixes those before it. A problem of 150 tokens takes about %1.")
            .arg(formatBytes(static_cast<double>(captureBytes(
                m_workspace.model(Side::Teacher)->info(), m_workspace.model(Side::Student)->info(), 150)))),
        true);
}

}  // namespace tandem::ui
