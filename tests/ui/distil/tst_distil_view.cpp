// The Distil view with a real run of a small recipe: the matrices approach the teacher's, the run is paused,
// gone on with after a restart, compared, scrubbed through in Matrices.
#include <QAction>
#include <QLabel>
#include <QListWidget>
#include <QPushButton>
#include <QSlider>
#include <QTableView>
#include <QTemporaryDir>
#include <QTest>

#include "tests/support/recipes.h"
#include "tests/support/ui_fixture.h"
#include "ui/main_window.h"
#include "ui/models/matrix_set.h"
#include "ui/views/distil_heat_plot.h"
#include "ui/views/distil_loss_plot.h"
#include "ui/views/distil_pair.h"
#include "ui/views/distil_view.h"
#include "ui/views/matrices_view.h"
#include "ui/widgets/snapshot_slider.h"

using namespace tandem::ui;
using namespace tandem::test;

namespace {

constexpr int kPatienceMs = 120'000;

/// A Llamba student of the bundled teacher; stage 1 is long enough to be paused in.
const QByteArray kRecipe = QByteArray::fromStdString(seedStudentRecipe(10, R"(
    {"goal": "matrices", "sequences": 1, "tokens": 32, "schedule": {"peak": 0.005, "steps": 60}},
    {"goal": "logits", "sequences": 1, "tokens": 32, "schedule": {"peak": 0.001, "steps": 5}})"));

/// A window with its workspace, as after a start of the program.
struct Program {
  Workspace workspace;
  MainWindow window{workspace};
  Program() {
    window.resize(1280, 800);
    window.showView(QStringLiteral("distil"));
    window.show();
  }
  DistilView& view() { return *window.findChild<DistilView*>(); }
  template <typename Widget>
  Widget* child(const char* name) {
    return window.findChild<Widget*>(QString::fromLatin1(name));
  }
  const DistilRun* run() { return view().model().run(view().current()); }
  std::size_t updates() { return run() != nullptr ? run()->updates.size() : 0; }
};

}  // namespace

class TestDistilView : public QObject {
  Q_OBJECT

  QTemporaryDir m_folder;
  QString m_recipe;
  QString m_session;  // where the run was recorded

 private slots:
  void initTestCase() {
    use_own_data_folder();
    m_recipe = m_folder.filePath(QStringLiteral("small.json"));
    QFile file(m_recipe);
    QVERIFY(file.open(QIODevice::WriteOnly));
    file.write(kRecipe);
  }

  void anEmptyViewSaysWhatToDo() {
    Program program;
    QVERIFY(
        program.child<DistilLossPlot>("distilLoss")->emptyText().startsWith(QStringLiteral("Press Start")));
    QVERIFY(program.child<QPushButton>("distilStart")->isEnabled());
    QVERIFY(!program.child<QPushButton>("distilPause")->isEnabled());
    QVERIFY(!program.child<QPushButton>("distilResume")->isEnabled());
    QCOMPARE(program.view().controls().recipeName(), QStringLiteral("first-look"));
  }

  void stageOneApproachesTheTeacherAndIsPaused() {
    Program program;
    program.view().controls().chooseRecipe(m_recipe);
    QTest::mouseClick(program.child<QPushButton>("distilStart"), Qt::LeftButton);
    QVERIFY(program.view().isTraining());
    QVERIFY(program.child<QPushButton>("distilPause")->isEnabled());
    QTRY_VERIFY_WITH_TIMEOUT(program.updates() >= 20, kPatienceMs);
    const auto& updates = program.run()->updates;
    QVERIFY2(updates[19].relative[0] < 0.8 * updates[0].relative[0],
             qPrintable(QStringLiteral("%1 to %2").arg(updates[0].relative[0]).arg(updates[19].relative[0])));
    QTRY_VERIFY(
        program.child<QLabel>("distilDistance")->text().contains(QStringLiteral("relative distance")));

    program.workspace.startRun({0});  // a measurement beside it would measure nothing
    QVERIFY(program.workspace.state() != Workspace::State::Running);
    QVERIFY(program.child<QLabel>("message")->text().contains(QStringLiteral("being trained")));

    QTest::mouseClick(program.child<QPushButton>("distilPause"), Qt::LeftButton);
    QTRY_VERIFY_WITH_TIMEOUT(!program.view().isTraining(), kPatienceMs);
    QTRY_VERIFY(program.view().settled());
    QVERIFY(program.updates() < 60);
    QCOMPARE(program.run()->row.state, std::string("stopped"));
    QVERIFY(program.child<QPushButton>("distilResume")->isEnabled());
    m_session = QString::fromStdString(program.workspace.session()->path());
  }

  void itGoesOnAfterARestart() {
    Program program;
    program.workspace.openSession(m_session);
    QTRY_VERIFY_WITH_TIMEOUT(program.child<QPushButton>("distilResume")->isEnabled(), kPatienceMs);
    const std::size_t before = program.updates();
    QVERIFY(before >= 20);
    QTest::mouseClick(program.child<QPushButton>("distilResume"), Qt::LeftButton);
    QVERIFY(program.view().isTraining());
    QTRY_VERIFY_WITH_TIMEOUT(!program.view().isTraining(), kPatienceMs);
    QTRY_VERIFY(program.view().settled());
    QCOMPARE(program.view().model().rowCount(), 1);
    QCOMPARE(program.updates(), std::size_t{65});
    QVERIFY(program.run()->finished());
    QVERIFY(!program.child<QPushButton>("distilResume")->isEnabled());
    auto* events = program.child<QListWidget>("distilEvents");
    QVERIFY(events->count() >= 5);
    QVERIFY(events->item(events->count() - 1)->text().contains(QStringLiteral("Finished")));
  }

  void anEventLeadsToItsStepAndSnapshotsAreScrubbed() {
    Program program;
    program.workspace.openSession(m_session);
    QTRY_VERIFY_WITH_TIMEOUT(program.updates() == 65, kPatienceMs);
    auto* pair = program.window.findChild<DistilPair*>();
    QTRY_VERIFY(pair->set() != nullptr && program.view().settled());
    auto* slider = pair->findChild<SnapshotSlider*>();
    const std::int64_t last = slider->snapshot();
    auto* events = program.child<QListWidget>("distilEvents");
    emit events->itemClicked(events->item(0));  // "Started"
    QVERIFY(slider->snapshot() != last);
    QTRY_VERIFY(pair->set()->origin.endsWith(QStringLiteral("stage 1, update 0")));
    QTest::keyClick(&program.view(), Qt::Key_BracketRight);
    QTRY_VERIFY(pair->set()->origin.endsWith(QStringLiteral("stage 1, update 1")));
  }

  void trainingsAloneLeaveTheModels() {
    Program program;
    program.workspace.openModels(QStringLiteral("seed-teacher"), QStringLiteral("seed-llamba"));
    QTRY_VERIFY_WITH_TIMEOUT(program.workspace.model(Side::Student) != nullptr, kPatienceMs);
    program.workspace.openSession(m_session);
    QTRY_VERIFY_WITH_TIMEOUT(program.updates() == 65, kPatienceMs);
    QCOMPARE(program.workspace.modelName(Side::Teacher), QStringLiteral("seed-teacher"));
    QVERIFY(program.workspace.model(Side::Student) != nullptr);
    QVERIFY(!program.workspace.isReplay());
  }

  void aPinnedRunIsTheBaseline() {
    Program program;
    program.workspace.openSession(m_session);
    QTRY_VERIFY_WITH_TIMEOUT(program.updates() == 65, kPatienceMs);
    const DistilRun* first = program.run();
    program.view().import(QString::fromStdString(first->row.folder));  // known: its row stays the only one
    QTRY_VERIFY(program.view().settled());
    QCOMPARE(program.view().model().rowCount(), 1);
    QTest::keyClick(&program.view(), Qt::Key_P);
    QCOMPARE(program.view().model().baseline(), program.view().current());
    auto* loss = program.child<DistilLossPlot>("distilLoss");
    QTest::keyClick(&program.view(), Qt::Key_X);
    QCOMPARE(loss->axis(), CurveAxis::Tokens);
    QCOMPARE(loss->table().rows.size(), 65);
    QCOMPARE(program.child<DistilHeatPlot>("distilDistances")->table().headers.size(), 7);
  }

  void matricesScrubTheRun() {
    Program program;
    program.workspace.openSession(m_session);
    QTRY_VERIFY_WITH_TIMEOUT(program.updates() == 65, kPatienceMs);
    QTRY_VERIFY(program.view().settled());
    QTest::mouseClick(program.child<QPushButton>("openInMatrices"), Qt::LeftButton);
    QCOMPARE(program.window.currentView()->objectName(), QStringLiteral("matrices"));
    auto& matrices = *program.window.findChild<MatricesView*>();
    QTRY_VERIFY_WITH_TIMEOUT(matrices.settled(), kPatienceMs);
    const auto distance = [&] {
      return tandem::matrix_distance(matrices.set()->student().matrixWithSkip(0, 0),
                                     matrices.set()->teacher().matrix(0, 0))
          .relative;
    };
    const double late = distance();
    auto* slider = matrices.findChild<QSlider*>(QStringLiteral("snapshots"));
    QVERIFY(slider->isVisible());
    slider->setValue(0);
    QTRY_VERIFY(matrices.set()->origin.endsWith(QStringLiteral("update 0")));
    QVERIFY2(late < 0.8 * distance(), qPrintable(QStringLiteral("%1, %2").arg(late).arg(distance())));
    QTRY_VERIFY(matrices.settled());
  }

  void aRunThatCannotBeginSaysWhy() {
    Program program;
    const QString orphan = m_folder.filePath(QStringLiteral("orphan.json"));
    QFile file(orphan);
    QVERIFY(file.open(QIODevice::WriteOnly));
    file.write(QByteArray(kRecipe).replace("seed-teacher", "/no/such/teacher"));
    file.close();
    program.view().controls().chooseRecipe(orphan);
    program.view().start();
    QTRY_VERIFY_WITH_TIMEOUT(!program.view().isTraining(), kPatienceMs);
    QVERIFY(program.child<QLabel>("message")->text().contains(QStringLiteral("/no/such/teacher")));
    program.view().import(m_folder.filePath(QStringLiteral("nothing")));
    QTRY_VERIFY(program.child<QLabel>("message")->text().contains(QStringLiteral("recipe.json")));
  }
};

QTEST_MAIN(TestDistilView)
#include "tst_distil_view.moc"
