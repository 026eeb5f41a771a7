// Models, problems, runs and sessions behind the window, with the bundled models.
#include <csignal>

#include <sys/wait.h>
#include <unistd.h>

#include <QElapsedTimer>
#include <QSignalSpy>
#include <QTemporaryDir>
#include <QTest>

#include "kernels/ops/matmul.h"
#include "tests/support/session_fixture.h"
#include "tests/support/ui_fixture.h"
#include "ui/session_files.h"
#include "ui/workspace.h"

using namespace tandem::ui;
using namespace tandem::test;

class TestWorkspace : public QObject {
  Q_OBJECT

  void runToItsEnd(Workspace& workspace, const std::vector<std::int64_t>& problems) {
    QSignalSpy finished(&workspace, &Workspace::runFinished);
    workspace.startRun(problems);
    QTRY_COMPARE_WITH_TIMEOUT(finished.count(), 1, 120000);
  }

 private slots:
  void init() { use_own_data_folder(); }

  void aMissingModelIsOneSentence() {
    Workspace workspace;
    QSignalSpy failed(&workspace, &Workspace::failed);
    workspace.openModels(QStringLiteral("/no/such/model"), QString());
    QCOMPARE(workspace.state(), Workspace::State::Loading);
    QTRY_COMPARE(failed.count(), 1);
    QVERIFY(failed[0][0].toString().contains(QLatin1String("/no/such/model")));
    QTRY_COMPARE(workspace.state(), Workspace::State::Empty);
    workspace.startRun({0});
    QCOMPARE(failed.count(), 2);
  }

  void aModelGoesToTheSideItBelongsTo() {
    Workspace workspace;
    QSignalSpy changed(&workspace, &Workspace::modelsChanged);
    workspace.openModel(QStringLiteral("seed-hybrid"));
    QTRY_COMPARE_WITH_TIMEOUT(changed.count(), 1, 30000);
    QCOMPARE(workspace.modelName(Side::Student), QStringLiteral("seed-hybrid"));
    QVERIFY(!workspace.model(Side::Teacher));
  }

  void loadingCanBeStopped() {
    Workspace workspace;
    QSignalSpy failed(&workspace, &Workspace::failed);
    workspace.openModels(QStringLiteral("seed-teacher"), QStringLiteral("seed-hybrid"));
    workspace.stop();
    QTRY_COMPARE_WITH_TIMEOUT(workspace.state(), Workspace::State::Empty, 30000);
    QCOMPARE(failed.count(), 0);
  }

  void theLatestRequestWins() {
    Workspace workspace;
    workspace.openModels(QStringLiteral("seed-teacher"), QStringLiteral("seed-hybrid"));
    workspace.openModels(QStringLiteral("seed-teacher"), QStringLiteral("seed-llamba"));
    QTRY_COMPARE_WITH_TIMEOUT(workspace.state(), Workspace::State::Ready, 30000);
    QCOMPARE(workspace.modelName(Side::Student), QStringLiteral("seed-llamba"));
  }

  void anotherTypeOfWeightsLoadsTheModelsAnew() {
    Workspace workspace;
    open_seed_pair(workspace, 1);
    const auto exact = workspace.model(Side::Teacher)->info();
    tandem::RunSettings settings = workspace.settings();
    settings.weights = "bf16";
    workspace.setSettings(settings);
    QCOMPARE(workspace.state(), Workspace::State::Loading);
    workspace.startRun({0});  // would record bf16 of f32 models
    QCOMPARE(workspace.state(), Workspace::State::Loading);
    QTRY_COMPARE_WITH_TIMEOUT(workspace.state(), Workspace::State::Ready, 30000);
    const auto narrow = workspace.model(Side::Teacher)->info();
    QCOMPARE(narrow.sha256, exact.sha256);
    if (tandem::bf16_products_supported()) QVERIFY(narrow.weight_bytes < exact.weight_bytes * 3 / 4);
    runToItsEnd(workspace, {0});
    QCOMPARE(workspace.session()->runs()->front().settings.weights, "bf16");

    Workspace other;  // what a session was recorded with is what continues it
    other.openSession(QString::fromStdString(workspace.session()->path()));
    QTRY_VERIFY_WITH_TIMEOUT(other.model(Side::Teacher) && other.model(Side::Student), 30000);
    QCOMPARE(other.settings().weights, "bf16");
    QCOMPARE(other.model(Side::Teacher)->info().weight_bytes, narrow.weight_bytes);
  }

  void aRunStreamsWhatItStores() {
    Workspace workspace;
    open_seed_pair(workspace, 3);
    QString streamed[2][3];
    std::vector<std::pair<int, tandem::SessionCompletion>> completions;
    connect(&workspace, &Workspace::live, this, [&](const LiveBatch& batch) {
      for (const LiveToken& token : batch.tokens) streamed[token.side][token.completion] += token.text;
      completions.insert(completions.end(), batch.completions.begin(), batch.completions.end());
    });
    QSignalSpy started(&workspace, &Workspace::problemStarted);
    runToItsEnd(workspace, {2});
    QCOMPARE(started.count(), 2);
    QCOMPARE(started[1][1].toInt(), 2);
    QCOMPARE(completions.size(), 6U);
    for (const Side side : {Side::Teacher, Side::Student}) {
      const auto stored = workspace.session()->completions(workspace.runId(side), workspace.problemId(2));
      REQUIRE_OK(stored);
      QCOMPARE(stored->size(), 3U);
      for (const auto& row : *stored) {
        const auto index = static_cast<std::size_t>(row.completion.index);
        QCOMPARE(streamed[static_cast<int>(side)][index], QString::fromStdString(row.completion.text));
      }
    }
    QVERIFY(workspace.session()->runs()->front().finished);
  }

  void equalSettingsShareASessionAndOthersDoNot() {
    Workspace workspace;
    open_seed_pair(workspace, 1);
    runToItsEnd(workspace, {0});
    const std::string first = workspace.session()->path();
    runToItsEnd(workspace, {1});
    QCOMPARE(workspace.session()->path(), first);
    QCOMPARE(workspace.session()->problems()->size(), 2U);
    runToItsEnd(workspace, {1});  // all of it is there already: recorded anew
    QVERIFY(workspace.session()->path() != first);
    tandem::RunSettings settings = workspace.settings();
    settings.seed = 5;
    const std::string second = workspace.session()->path();
    workspace.setSettings(settings);
    runToItsEnd(workspace, {2});
    QVERIFY(workspace.session()->path() != second);
  }

  void stopEndsARunWithinASecond() {
    Workspace workspace;
    open_seed_pair(workspace, 256);
    QSignalSpy live(&workspace, &Workspace::live);
    QSignalSpy finished(&workspace, &Workspace::runFinished);
    workspace.startRun({0, 1, 2, 3, 4, 5, 6, 7});
    QTRY_VERIFY_WITH_TIMEOUT(live.count() > 3, 30000);
    QElapsedTimer clock;
    clock.start();
    workspace.stop();
    QTRY_COMPARE_WITH_TIMEOUT(finished.count(), 1, 30000);
    QVERIFY2(clock.elapsed() < 1000, qPrintable(QString::number(clock.elapsed())));
    QCOMPARE(workspace.state(), Workspace::State::Ready);
    QSignalSpy failed(&workspace, &Workspace::failed);
    workspace.startRun({});  // nothing asked for: a sentence, not a run
    QCOMPARE(failed.count(), 1);
    runToItsEnd(workspace, {199});
  }

  void typedProblemsRunUngraded() {
    Workspace workspace;
    open_seed_pair(workspace, 2);
    const auto before = static_cast<int>(workspace.problems().problems.size());
    workspace.addProblem(
        QStringLiteral("  Sam has 2 apples. Sam buys 3 more apples. How many apples does Sam have now? "));
    QCOMPARE(workspace.selection().problem(), before);
    workspace.addProblem(
        QStringLiteral("Sam has 2 apples. Sam buys 3 more apples. How many apples does Sam have now?"));
    QCOMPARE(static_cast<int>(workspace.problems().problems.size()), before + 1);  // the same text, once
    workspace.addProblem(QStringLiteral("   "));
    QCOMPARE(static_cast<int>(workspace.problems().problems.size()), before + 1);
    runToItsEnd(workspace, {before});
    QCOMPARE(workspace.session()->problems()->front().set, std::string("typed"));
    QCOMPARE(workspace.session()->completions(workspace.runId(Side::Student))->size(), 2U);
  }

  void aSavedSessionOpensElsewhere() {
    const QTemporaryDir folder;
    const QString path = folder.filePath(QStringLiteral("saved.tandem"));
    Workspace workspace;
    QSignalSpy failed(&workspace, &Workspace::failed);
    workspace.saveSessionAs(path);
    QCOMPARE(failed.count(), 1);
    open_seed_pair(workspace, 2);
    runToItsEnd(workspace, {4});
    QSignalSpy saved(&workspace, &Workspace::notified);
    workspace.saveSessionAs(path);
    QTRY_COMPARE(saved.count(), 1);

    Workspace other;
    QSignalSpy opened(&other, &Workspace::modelsChanged);
    other.openSession(path);
    QTRY_COMPARE_WITH_TIMEOUT(opened.count(), 2, 30000);  // names at once, then the weights from their folder
    QVERIFY(other.isReplay());
    QCOMPARE(other.sessionName(), QStringLiteral("saved"));
    QCOMPARE(other.modelName(Side::Teacher), QStringLiteral("seed-teacher"));
    QVERIFY(other.model(Side::Teacher));
    QCOMPARE(other.settings().completions, 2);
    QVERIFY(other.problemId(0) >= 0);
    other.closeSession();
    QCOMPARE(other.state(), Workspace::State::Ready);
  }

  void aDamagedSessionIsOneSentenceAndStaysAsItIs() {
    const QTemporaryDir folder;
    const QString path = folder.filePath(QStringLiteral("damaged.tandem"));
    QFile file(path);
    QVERIFY(file.open(QIODevice::WriteOnly));
    file.write("no session");
    file.close();
    Workspace workspace;
    QSignalSpy failed(&workspace, &Workspace::failed);
    workspace.openSession(path);
    QTRY_COMPARE(failed.count(), 1);
    QVERIFY(failed[0][0].toString().contains(QLatin1String("damaged.tandem")));
    QVERIFY(file.open(QIODevice::ReadOnly));
    QCOMPARE(file.readAll(), QByteArray("no session"));
    QVERIFY(!workspace.isReplay());
  }

  void aKilledRunIsFoundAndGoesOn() {
    QString path;
    {
      Workspace workspace;
      open_seed_pair(workspace, 2);
      runToItsEnd(workspace, {0});
      path = QString::fromStdString(workspace.session()->path());
      const tandem::ProblemSet& set = workspace.problems();
      REQUIRE_OK(workspace.session()->add_problem(set, set.problems[1]));  // asked for, never reached
    }
    QVERIFY(takeInterruptedSessions().isEmpty());  // a run that ended leaves no mark
    const pid_t child = fork();
    if (child == 0) {
      const auto mark = markRecording(path);
      raise(SIGKILL);
    }
    QCOMPARE(waitpid(child, nullptr, 0), child);

    Workspace workspace;
    QSignalSpy interrupted(&workspace, &Workspace::interrupted);
    workspace.findInterrupted();
    QTRY_COMPARE(interrupted.count(), 1);
    QCOMPARE(interrupted[0][0].toString(), path);
    QSignalSpy started(&workspace, &Workspace::problemStarted);
    QSignalSpy finished(&workspace, &Workspace::runFinished);
    workspace.resumeSession(path);
    QTRY_COMPARE_WITH_TIMEOUT(finished.count(), 1, 120000);
    QCOMPARE(started.count(), 2);  // the problem that was missing, by both models
    QCOMPARE(QString::fromStdString(workspace.session()->path()), path);
    QCOMPARE(workspace.session()->completions(workspace.runId(Side::Teacher))->size(), 4U);
    QVERIFY(takeInterruptedSessions().isEmpty());
  }

  void closingDuringARunIsClean() {
    auto workspace = std::make_unique<Workspace>();
    open_seed_pair(*workspace, 64);
    QSignalSpy live(workspace.get(), &Workspace::live);
    workspace->startRun({0, 1, 2, 3});
    QTRY_VERIFY_WITH_TIMEOUT(live.count() > 0, 30000);
    QElapsedTimer clock;
    clock.start();
    workspace.reset();
    QVERIFY(clock.elapsed() < 1000);
  }
};

QTEST_MAIN(TestWorkspace)
#include "tst_workspace.moc"
