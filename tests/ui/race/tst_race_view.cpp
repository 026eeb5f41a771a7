// The race from a stored session and live, driven by mouse and keys.
#include <QListView>
#include <QPlainTextEdit>
#include <QPushButton>
#include <QSpinBox>
#include <QTemporaryDir>
#include <QTest>
#include <QToolButton>

#include "tests/support/session_fixture.h"
#include "tests/support/ui_fixture.h"
#include "ui/views/race_view.h"

using namespace tandem::ui;
using namespace tandem::test;

namespace {

/// Two runs of two problems, three completions each: the teacher answers right twice, the student once.
void writeSession(const std::string& path) {
  const auto session = tandem::Session::create(path);
  REQUIRE_OK(session);
  const tandem::ProblemSet set = some_problems(2);
  for (const auto& problem : set.problems) REQUIRE_OK((*session)->add_problem(set, problem));
  tandem::RunSettings settings;
  settings.completions = 3;
  settings.seed = 11;
  int right = 2;
  for (const auto mixer : {tandem::MixerKind::Attention, tandem::MixerKind::DiscreteMamba2}) {
    const bool teacher = mixer == tandem::MixerKind::Attention;
    const auto model = (*session)->add_model(some_model(teacher ? "old teacher" : "new student", mixer));
    const auto run = (*session)->add_run(*model, settings, "a processor, 2 threads");
    for (int index = 0; index < 3; ++index) {
      const auto completion = some_completion(index, index < right ? "1" : "9", 1.0 + index);
      REQUIRE_OK((*session)->add_completion(graded(*run, stored(set, 0, 1), completion)));
    }
    REQUIRE_OK((*session)->add_timing({*run, 1, 20, 0.25, 3.0, 4096, true}));
    --right;
  }
}

}  // namespace

class TestRaceView : public QObject {
  Q_OBJECT

  QTemporaryDir m_folder;
  std::unique_ptr<Workspace> m_workspace;
  std::unique_ptr<RaceView> m_view;

  QListView* grid(const char* name) { return m_view->findChild<QListView*>(QString::fromLatin1(name)); }
  QString text(const char* name) {
    return m_view->findChild<QPlainTextEdit*>(QString::fromLatin1(name))->toPlainText();
  }
  QToolButton* button(RaceSide* side, const char* name) {
    return side->findChild<QToolButton*>(QString::fromLatin1(name));
  }
  RaceSide* side(const char* name) { return m_view->findChild<RaceSide*>(QString::fromLatin1(name)); }

  void openStored() {
    const QString path = m_folder.filePath(QStringLiteral("%1.tandem").arg(QTest::currentTestFunction()));
    writeSession(path.toStdString());
    m_workspace->openSession(path);
    QTRY_COMPARE(grid("teacherGrid")->model()->rowCount(), 3);
    QTRY_VERIFY(m_view->settled());
  }

 private slots:
  void initTestCase() { use_own_data_folder(); }

  void init() {
    m_workspace = std::make_unique<Workspace>();
    m_view = std::make_unique<RaceView>(*m_workspace);
    m_view->resize(1200, 800);
    m_view->show();
    QVERIFY(QTest::qWaitForWindowExposed(m_view.get()));
  }

  void cleanup() {
    m_view.reset();
    m_workspace.reset();
  }

  void saysWhatToDoWhileEmpty() {
    const auto* cards = m_view->findChild<CardGrid*>(QStringLiteral("teacherGrid"));
    QCOMPARE(cards->model()->rowCount(), 0);
    QVERIFY(cards->placeholder().contains(QLatin1String("Open two models")));
    QVERIFY(!m_view->plots().front()->emptyText().isEmpty());
    QVERIFY(!m_view->settled());
  }

  void showsAStoredSessionWithoutTheModels() {
    openStored();
    QVERIFY(m_workspace->isReplay());
    QCOMPARE(m_workspace->modelName(Side::Teacher), QStringLiteral("old teacher"));
    QCOMPARE(m_workspace->settings().seed, 11U);
    QCOMPARE(side("teacherSide")->completions().tally().correct, 2);
    QCOMPARE(side("studentSide")->completions().tally().correct, 1);
    QCOMPARE(side("teacherSide")->speed().prefillS, 0.25);
    QCOMPARE(side("teacherSide")->speed().tokensPerSecond(), 3.0);  // 9 tokens, 3 s
    const PlotTable marks = m_view->plots().front()->table();
    QCOMPARE(marks.rows.size(), 6);
    QCOMPARE(marks.rows[0], QStringList({"Teacher", "1", "1.25", "correct", "1"}));
    QVERIFY(m_view->plots().front()->emptyText().isEmpty());
  }

  void aClickReadsACompletion() {
    openStored();
    QListView* cards = grid("studentGrid");
    const QRect third = cards->visualRect(cards->model()->index(2, 0));
    QTest::mouseClick(cards->viewport(), Qt::LeftButton, {}, third.center());
    QCOMPARE(m_workspace->selection().completion(), 2);
    QCOMPARE(text("studentText"), QStringLiteral("Thinking. The final answer is 9."));
    QTest::keyClick(cards, Qt::Key_Home);
    QCOMPARE(text("studentText"), QStringLiteral("Thinking. The final answer is 1."));
  }

  void anAnswerFilters() {
    openStored();
    RaceSide* teacher = side("teacherSide");
    QToolButton* answer = button(teacher, "answer0");
    QVERIFY(answer->text().contains(QStringLiteral("1 ×2")));
    QTest::mouseClick(answer, Qt::LeftButton);
    QCOMPARE(grid("teacherGrid")->model()->rowCount(), 2);
    QCOMPARE(grid("studentGrid")->model()->rowCount(), 3);
    QTest::mouseClick(answer, Qt::LeftButton);
    QCOMPARE(grid("teacherGrid")->model()->rowCount(), 3);
  }

  void theOtherProblemHasNothing() {
    openStored();
    m_workspace->selection().setProblem(1);
    QTRY_VERIFY(m_view->settled());
    QCOMPARE(grid("teacherGrid")->model()->rowCount(), 0);
    QVERIFY(m_view->findChild<CardGrid*>(QStringLiteral("teacherGrid"))
                ->placeholder()
                .contains(QLatin1String("no completions")));
    m_workspace->selection().setProblem(0);
    QTRY_COMPARE(grid("teacherGrid")->model()->rowCount(), 3);
  }

  void aVoteIsKept() {
    openStored();
    grid("teacherGrid")->setFocus();
    QTest::keyClick(grid("teacherGrid"), Qt::Key_3);
    QTRY_COMPARE(m_workspace->session()->votes()->size(), 1U);
    QCOMPARE(m_workspace->session()->votes()->front().preference, std::string("student"));
    QVERIFY(m_view->findChild<QPushButton*>(QStringLiteral("vote3"))->isChecked());
    m_workspace->selection().setProblem(1);
    QVERIFY(!m_view->findChild<QPushButton*>(QStringLiteral("vote3"))->isChecked());
    m_workspace->selection().setProblem(0);
    QTRY_VERIFY(m_view->findChild<QPushButton*>(QStringLiteral("vote3"))->isChecked());
  }

  void aPersonOverridesTheGrader() {
    openStored();
    m_view->overrideVerdict(Side::Student, 1, true, QStringLiteral("right in words"));
    const auto& tally = side("studentSide")->completions().tally();
    QTRY_COMPARE(tally.correct, 2);
    QCOMPARE(tally.wrong, 1);
    const QModelIndex card = grid("studentGrid")->model()->index(1, 0);
    QVERIFY(card.data(CompletionModel::OverriddenRole).toBool());
    QVERIFY(card.data(Qt::ToolTipRole).toString().contains(QLatin1String("right in words")));
    const auto row = (*m_workspace->session()->completions(m_workspace->runId(Side::Student)))[1];
    QVERIFY(!row.correct && row.override_correct.value_or(false));
    m_view->overrideVerdict(Side::Student, 1, {}, QString());
    QTRY_COMPARE(tally.correct, 1);
    QVERIFY(!card.data(CompletionModel::OverriddenRole).toBool());
  }

  void aReplayShowsThePastOnOneClock() {
    openStored();
    grid("teacherGrid")->setFocus();
    QTest::keyClick(grid("teacherGrid"), Qt::Key_Space);
    const CompletionModel& shown = side("teacherSide")->source();
    QVERIFY(!m_view->settled());
    QTRY_VERIFY(side("teacherSide")->completions().tally().done < shown.tally().done);
    QTest::keyClick(grid("teacherGrid"), Qt::Key_Space);
    QVERIFY(m_view->settled());  // paused
    auto* bar = m_view->findChild<RaceBar*>();
    const auto at = [&](double seconds) {
      return QPoint(static_cast<int>(bar->xAxis->coordToPixel(seconds)), 60);
    };
    QTest::mousePress(bar, Qt::LeftButton, {}, at(1));
    QMouseEvent drag(QEvent::MouseMove, at(2.5), bar->mapToGlobal(at(2.5)), Qt::NoButton, Qt::LeftButton, {});
    QCoreApplication::sendEvent(bar, &drag);
    QTest::mouseRelease(bar, Qt::LeftButton, {}, at(2.5));
    // Prefill 0.25 s; completions end after 1, 2 and 3 s of decoding, their first tokens come at a quarter of
    // that.
    const CompletionModel& past = side("teacherSide")->completions();
    QCOMPARE(past.tally().done, 2);
    QCOMPARE(past.cards()[2].verdict, Verdict::Streaming);
    QCOMPARE(past.cards()[2].tokens, 2);
    QTest::keyClick(grid("teacherGrid"), Qt::Key_Escape);
    QCOMPARE(side("teacherSide")->completions().tally().done, 3);
  }

  void aShortRaceIsShownAgain() {
    open_seed_pair(*m_workspace, 2);
    m_workspace->startRun({0});
    QTRY_COMPARE_WITH_TIMEOUT(m_workspace->state(), Workspace::State::Ready, 60000);
    if (side("studentSide")->duration() > 2.5) QSKIP("this machine is too slow for a short race");
    QVERIFY(!m_view->settled());
    QTest::keyClick(m_view.get(), Qt::Key_Escape);
    QVERIFY(m_view->settled());
    QCOMPARE(side("studentSide")->completions().tally().done, 2);
  }

  void blindGivesNothingAwayUntilTheVote() {
    openStored();
    grid("teacherGrid")->setFocus();
    QTest::keyClick(grid("teacherGrid"), Qt::Key_B);
    QVERIFY(!m_view->plots().front()->isVisible());
    for (const QLabel* label : m_view->findChildren<QLabel*>()) {
      if (!label->isVisible()) continue;
      for (const char* word : {"Teacher", "Student", "old teacher", "new student", "tok/s"}) {
        QVERIFY2(!label->text().contains(QLatin1String(word)), qPrintable(label->text()));
      }
    }
    const bool studentLeft = side("studentSide")->x() < side("teacherSide")->x();
    QTest::keyClick(grid("teacherGrid"), Qt::Key_1);
    QTRY_COMPARE(m_workspace->session()->votes()->size(), 1U);
    const auto vote = m_workspace->session()->votes()->front();
    QVERIFY(vote.blind);
    QCOMPARE(vote.preference, std::string(studentLeft ? "student" : "teacher"));
    QVERIFY(m_view->plots().front()->isVisible());
  }

  void textsPartAtTheFirstWordThatDiffers() {
    QCOMPARE(firstDivergence(QStringLiteral("so 3 + 6 = 9"), QStringLiteral("so 3 + 67 = 70")), 7);
    QCOMPARE(firstDivergence(QStringLiteral("same"), QStringLiteral("same")), -1);
    QCOMPARE(firstDivergence(QStringLiteral("yes"), QStringLiteral("no")), 0);
    QCOMPARE(firstDivergence(QString(), QStringLiteral("no")), -1);
  }

  void controlsSetTheRun() {
    auto* completions = m_view->findChild<QSpinBox*>(QStringLiteral("completions"));
    completions->setFocus();
    completions->selectAll();
    QTest::keyClicks(completions, QStringLiteral("12"));  // a digit typed here is no vote
    QTest::keyClick(completions, Qt::Key_Return);
    QCOMPARE(m_workspace->settings().completions, 12);
    auto* mode = m_view->findChild<QComboBox*>(QStringLiteral("mode"));
    QTest::keyClick(mode, Qt::Key_Down);
    QCOMPARE(m_workspace->settings().mode, std::string("together"));
  }

  void aLiveRunEndsAsItIsStored() {
    open_seed_pair(*m_workspace, 4);
    m_view->demonstrate();
    QCOMPARE(m_workspace->state(), Workspace::State::Running);
    QVERIFY(side("teacherSide")->showsLive());
    QTRY_COMPARE_WITH_TIMEOUT(m_workspace->state(), Workspace::State::Ready, 60000);
    QVERIFY(m_view->settled());
    QStringList live;
    for (const CompletionCard& card : side("studentSide")->completions().cards()) {
      QVERIFY(card.finished());
      QVERIFY(!card.spans.isEmpty());
      live << card.text;
    }
    QCOMPARE(live.size(), 4);
    const QStringList streamed = live;
    m_workspace->selection().setProblem(1);
    m_workspace->selection().setProblem(0);
    QTRY_VERIFY(m_view->settled());
    QVERIFY(side("studentSide")->showsLive());
    const QString path = QString::fromStdString(m_workspace->session()->path());
    m_workspace->closeSession();
    QCOMPARE(grid("studentGrid")->model()->rowCount(), 0);
    m_workspace->openSession(path);
    QTRY_COMPARE(grid("studentGrid")->model()->rowCount(), 4);
    QVERIFY(!side("studentSide")->showsLive());
    live.clear();
    for (const CompletionCard& card : side("studentSide")->completions().cards()) live << card.text;
    QCOMPARE(live, streamed);
  }
};

QTEST_MAIN(TestRaceView)
#include "tst_race_view.moc"
