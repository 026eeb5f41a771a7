// The Coverage view on a stored session, driven by mouse and keys: what it shows is what core's report says.
#include <cmath>

#include <QAction>
#include <QApplication>
#include <QComboBox>
#include <QDialog>
#include <QDoubleSpinBox>
#include <QLabel>
#include <QPushButton>
#include <QSignalSpy>
#include <QSlider>
#include <QSpinBox>
#include <QStandardPaths>
#include <QTableView>
#include <QTemporaryDir>
#include <QTest>

#include "tests/support/session_fixture.h"
#include "ui/views/coverage_view.h"
#include "ui/widgets/outcome_strip.h"

using namespace tandem::ui;

namespace {

constexpr int kCompletions = 16;

/// One side of a run: problem i has about `right`(i) right completions of 16, one finishing every `pace`
/// seconds.
template <typename Right>
void addRun(tandem::Session& session, const tandem::ProblemSet& set, const char* name,
            tandem::MixerKind mixer, double pace, Right right) {
  const auto model = session.add_model(tandem::test::some_model(name, mixer));
  REQUIRE_OK(model);
  tandem::RunSettings settings;
  settings.completions = kCompletions;
  const auto run = session.add_run(*model, settings, "Test CPU, 1 thread");
  REQUIRE_OK(run);
  for (std::size_t p = 0; p < set.problems.size(); ++p) {
    const auto id = session.add_problem(set, set.problems[p]);
    REQUIRE_OK(id);
    const int wanted = right(static_cast<int>(p));
    for (int i = 0; i < kCompletions; ++i) {
      // Right ones are spread over the order; wrong ones disagree among themselves.
      const bool isRight = (i * 7 + static_cast<int>(p)) % kCompletions < wanted;
      const std::string answer = isRight ? set.problems[p].answer : std::to_string(1000 + i % 3);
      REQUIRE_OK(session.add_completion(
          tandem::test::graded(*run, tandem::test::stored(set, p, *id),
                               tandem::test::some_completion(i, answer, pace * (i + 1)))));
    }
    REQUIRE_OK(session.add_timing({*run, *id, 20, 0.01, pace * kCompletions, 4096, true}));
  }
  REQUIRE_OK(session.finish_run(*run));
}

/// The teacher is better at equal k, the student three times as fast.
void writeSession(const QString& path, int problems) {
  const auto session = tandem::Session::create(path.toStdString());
  REQUIRE_OK(session);
  const tandem::ProblemSet set = tandem::test::some_problems(problems);
  addRun(**session, set, "slow-teacher", tandem::MixerKind::Attention, 0.06,
         [](int p) { return p % 5 == 4 ? 0 : 4 + p % 9; });
  addRun(**session, set, "fast-student", tandem::MixerKind::DiscreteMamba2, 0.02,
         [](int p) { return p % 4 == 3 ? 0 : 2 + p % 7; });
}

}  // namespace

class TestCoverageView : public QObject {
  Q_OBJECT

 private slots:
  void initTestCase() {
    QStandardPaths::setTestModeEnabled(true);
    QVERIFY(m_folder.isValid());
    m_path = m_folder.filePath(QStringLiteral("pair.tandem"));
    writeSession(m_path, 30);
    const auto session = tandem::Session::open(m_path.toStdString(), true);
    REQUIRE_OK(session);
    tandem::CoverageOptions options;
    for (int k = 1; k <= kCompletions; ++k) options.k.push_back(k);
    const auto report = tandem::coverage_report(**session, options);
    REQUIRE_OK(report);
    m_report = *report;
  }

  void init() {
    m_workspace = std::make_unique<Workspace>();
    m_view = std::make_unique<CoverageView>(*m_workspace);
    m_view->resize(1200, 760);
    m_view->show();
    QVERIFY(QTest::qWaitForWindowActive(m_view.get()));
  }
  void cleanup() {
    m_view.reset();
    m_workspace.reset();
  }

  void emptyStateSaysWhatToDo() {
    QVERIFY(!m_view->settled());
    for (Plot* plot : m_view->plots()) QVERIFY(plot->emptyText().contains(QStringLiteral("open a session")));
    QVERIFY(!find<QPushButton>("coverageEvaluate")->isEnabled());
    QVERIFY(text("coverageSentence").isEmpty());
    QTest::keyClick(m_view.get(), Qt::Key_L);  // harmless without data
  }

  void curvesEqualTheReport() {
    open();
    const auto& atK = kPlot()->curves();
    QCOMPARE(atK.size(), 4);  // coverage and majority of two runs
    for (std::size_t run = 0; run < 2; ++run) {
      compare(atK[static_cast<int>(2 * run)], m_report.runs[run].coverage_k);
      compare(atK[static_cast<int>(2 * run + 1)], m_report.runs[run].majority_k);
      QCOMPARE(atK[static_cast<int>(2 * run)].solidTo, kCompletions / 2.0);
    }
    QCOMPARE(atK[0].label, QStringLiteral("Teacher coverage"));
    QCOMPARE(atK[2].label, QStringLiteral("Student coverage"));

    // Seconds: the same function at the view's own values.
    const auto session = tandem::Session::open(m_path.toStdString(), true);
    REQUIRE_OK(session);
    tandem::CoverageOptions options;
    options.seconds = {secondsPlot()->curves()[0].x.begin(), secondsPlot()->curves()[0].x.end()};
    const auto report = tandem::coverage_report(**session, options);
    REQUIRE_OK(report);
    for (std::size_t run = 0; run < 2; ++run) {
      compare(secondsPlot()->curves()[static_cast<int>(2 * run)], report->runs[run].coverage_t);
      compare(secondsPlot()->curves()[static_cast<int>(2 * run + 1)], report->runs[run].majority_t);
    }
  }

  void sentenceIsCores() {
    open();
    setSpin("coverageKSpin", 4);
    QTRY_VERIFY(m_view->settled());
    QCOMPARE(text("coverageSentence"), QString::fromStdString(tandem::leader_sentence_at_k(m_report, 4)));
    const tandem::Estimate& teacher = m_report.runs[0].coverage_k[3];
    QVERIFY(text("coverageNumbers").contains(estimateText(teacher)));
    QVERIFY(text("coverageNumbers").contains(differenceText(m_report.differences[0].k[3])));
    QVERIFY(text("coverageNumbers").contains(QStringLiteral("n = 30 problems, 16 completions")));
    QCOMPARE(kPlot()->accessibleDescription(), text("coverageSentence"));
  }

  void typedSecondsAreExact() {
    open();
    setSpin("coverageSecondsSpin", 0.1234);
    QTRY_VERIFY(m_view->settled());
    QVERIFY(secondsPlot()->curves()[0].x.contains(0.1234));
    const auto session = tandem::Session::open(m_path.toStdString(), true);
    REQUIRE_OK(session);
    tandem::CoverageOptions options;
    options.seconds = {0.1234};
    const auto report = tandem::coverage_report(**session, options);
    REQUIRE_OK(report);
    QVERIFY(text("coverageNumbers").contains(estimateText(report->runs[1].coverage_t[0])));
  }

  void linkedSlidersFollowEachOther() {
    open();
    SelectionModel& selection = m_workspace->selection();
    QVERIFY(selection.linked());
    setSpin("coverageSecondsSpin", 0.2);
    // By 0.2 s the teacher (0.06 s each) has finished 3, the student (0.02 s each) 10.
    QCOMPARE(selection.k(), 3);
    QCOMPARE(kPlot()->cursors().size(), 2);
    QCOMPARE(kPlot()->cursors()[0].x, 3.0);
    QVERIFY(std::abs(kPlot()->cursors()[1].x - 10) <= 1);  // the grid's last value before 0.2 s
    QCOMPARE(secondsPlot()->cursors().size(), 1);

    setSpin("coverageKSpin", 8);
    // The teacher needs 0.48 s for 8, the student 0.16 s, to the next value of the grid.
    QCOMPARE(kPlot()->cursors().size(), 1);
    QCOMPARE(secondsPlot()->cursors().size(), 2);
    QVERIFY(std::abs(secondsPlot()->cursors()[0].x / 0.48 - 1) < 0.05);
    QVERIFY(std::abs(secondsPlot()->cursors()[1].x / 0.16 - 1) < 0.05);
    QCOMPARE(selection.seconds(), secondsPlot()->cursors()[0].x);

    QTest::keyClick(m_view.get(), Qt::Key_L);
    QVERIFY(!selection.linked());
    const double seconds = selection.seconds();
    setSpin("coverageKSpin", 2);
    QCOMPARE(selection.seconds(), seconds);
    QCOMPARE(text("coverageSentence").count(QLatin1Char('\n')), 1);  // one sentence for each budget
    selection.setLinked(true);  // from elsewhere
    QVERIFY(find<QAction>("coverageLink")->isChecked());
  }

  void draggingTheCursorMovesTheBudget() {
    open();
    const QRect axes = kPlot()->axisRect()->rect();
    const int x = static_cast<int>(std::lround(kPlot()->xAxis->coordToPixel(8)));
    QTest::mouseClick(kPlot(), Qt::LeftButton, {}, QPoint(x, axes.center().y()));
    QCOMPARE(m_workspace->selection().k(), 8);
    QCOMPARE(find<QDoubleSpinBox>("coverageKSpin")->value(), 8.0);
    QCOMPARE(text("coverageSentence"), QString::fromStdString(tandem::leader_sentence_at_k(m_report, 8)));
    const QRect right = secondsPlot()->axisRect()->rect();
    QTest::mouseClick(secondsPlot(), Qt::LeftButton, {}, right.center());
    QVERIFY(
        std::abs(m_workspace->selection().seconds() / secondsPlot()->xAxis->pixelToCoord(right.center().x()) -
                 1) < 0.03);  // the nearest computed value
  }

  void selectionFromOutsideIsFollowed() {
    open();
    m_workspace->selection().setK(5);
    QCOMPARE(find<QDoubleSpinBox>("coverageKSpin")->value(), 5.0);
    QCOMPARE(text("coverageSentence"), QString::fromStdString(tandem::leader_sentence_at_k(m_report, 5)));
  }

  void keysFocusAndToggle() {
    open();
    QTest::keyClick(m_view.get(), Qt::Key_K);
    QCOMPARE(QApplication::focusWidget(), find<QSlider>("coverageKSlider"));
    setSpin("coverageKSpin", 4);
    QTest::keyClick(m_view.get(), Qt::Key_K);
    QTest::keyClick(find<QSlider>("coverageKSlider"), Qt::Key_PageUp);
    QCOMPARE(m_workspace->selection().k(), 8);
    QTest::keyClick(m_view.get(), Qt::Key_S);
    QCOMPARE(QApplication::focusWidget(), find<QSlider>("coverageSecondsSlider"));

    QTest::keyClick(m_view.get(), Qt::Key_O);
    QCOMPARE(kPlot()->curves().size(), 2);  // majority alone
    QTest::keyClick(m_view.get(), Qt::Key_M);
    QCOMPARE(kPlot()->curves().size(), 0);
    QTest::keyClick(m_view.get(), Qt::Key_O);
    QCOMPARE(kPlot()->curves().size(), 2);
    const int withBands = kPlot()->graphCount();
    QTest::keyClick(m_view.get(), Qt::Key_B);
    QCOMPARE(kPlot()->graphCount(), withBands - 4);  // two edges a band
    QVERIFY(!find<QAction>("coverageWeighted")->isVisible());  // no scores stored
  }

  void tableTwinHoldsTheNumbers() {
    open();
    auto* table = find<QTableView>("coverageKTable");
    QVERIFY(!table->isVisible());
    QTest::keyClick(m_view.get(), Qt::Key_T);
    QVERIFY(table->isVisible());
    QCOMPARE(table->model()->rowCount(), kCompletions);
    const double shown = table->model()->index(3, 1).data().toDouble();
    QVERIFY(std::abs(shown - m_report.runs[0].coverage_k[3].mean) < 1e-5);
  }

  void stripSelectsTheProblem() {
    open();
    auto* strip = find<OutcomeStrip>("coverageStrip");
    QCOMPARE(strip->cells().size(), 30);
    QSignalSpy changed(&m_workspace->selection(), &SelectionModel::changed);
    QTest::mouseClick(strip, Qt::LeftButton, {}, strip->cellRect(17).center());
    QVERIFY(!changed.isEmpty());
    const auto position = static_cast<std::size_t>(m_workspace->selection().problem());
    const std::string question = m_workspace->problems().problems[position].question;
    QVERIFY(strip->cells()[17].tip.contains(QString::fromStdString(question)));

    // From easy to hard, and told apart as the report tells: 6 of 30 problems have no right teacher
    // completion.
    int teacherOnly = 0, none = 0, both = 0, studentOnly = 0;
    for (std::size_t i = 0; i < 30; ++i) {
      const bool t = m_report.runs[0].pass_at_1[i] > 0;
      const bool s = m_report.runs[1].pass_at_1[i] > 0;
      ++(t ? s ? both : teacherOnly : s ? studentOnly : none);
    }
    const auto counted = [&](OutcomeCell::Solved solved) {
      return static_cast<int>(std::count_if(strip->cells().begin(), strip->cells().end(),
                                            [=](const OutcomeCell& cell) { return cell.solved == solved; }));
    };
    QCOMPARE(counted(OutcomeCell::Solved::Both), both);
    QCOMPARE(counted(OutcomeCell::Solved::TeacherOnly), teacherOnly);
    QCOMPARE(counted(OutcomeCell::Solved::StudentOnly), studentOnly);
    QCOMPARE(counted(OutcomeCell::Solved::None), none);
    QVERIFY(teacherOnly > 0 && studentOnly > 0 && none > 0);
  }

  void whatIfIsLabelledModelled() {
    open();
    auto* speed = find<QComboBox>("coverageSpeed");
    speed->setCurrentIndex(speed->findData(2.0));
    const CoverageCurve modelled = secondsPlot()->curves().last();
    QCOMPARE(modelled.kind, CurveKind::Modelled);
    QVERIFY(modelled.label.contains(QStringLiteral("modelled")));
    const CoverageCurve measured = secondsPlot()->curves()[2];
    QCOMPARE(modelled.mean, measured.mean);
    QCOMPARE(modelled.x[7], measured.x[7] / 2);
    setSpin("coverageSecondsSpin", 0.1);
    QVERIFY(text("coverageLinkText").contains(QStringLiteral("Modelled")));
    speed->setCurrentIndex(speed->findData(1.0));
    QVERIFY(!text("coverageLinkText").contains(QStringLiteral("Modelled")));
  }

  void powerLawIsCores() {
    open();
    QTest::keyClick(m_view.get(), Qt::Key_P);
    std::vector<double> k, means;
    for (const int value : {1, 2, 4, 8, 16}) {
      k.push_back(value);
      means.push_back(m_report.runs[0].coverage_k[static_cast<std::size_t>(value - 1)].mean);
    }
    const auto fit = tandem::fit_power_law(k, means);
    REQUIRE_OK(fit);
    QVERIFY(text("coverageNotes").contains(QStringLiteral("a = %1").arg(fit->a, 0, 'f', 3)));
    const auto& curve = kPlot()->curves()[2];
    QCOMPARE(curve.kind, CurveKind::PowerLaw);
    QVERIFY(curve.x.last() <= 4 * fit->k_max * 1.000001);
  }

  void crossingIsShownOnlyWhereTheDataHaveOne() {
    open();
    const bool crosses = !m_report.differences[0].crossings_s.empty();
    bool marked = false;
    for (int i = 0; i < secondsPlot()->itemCount(); ++i)
      if (const auto* label = qobject_cast<QCPItemText*>(secondsPlot()->item(i)))
        marked = marked || label->text().startsWith(QStringLiteral("crossing at"));
    QCOMPARE(marked, crosses);
  }

  void fewProblemsSaySo_data() {
    QTest::addColumn<int>("problems");
    QTest::addColumn<QString>("note");
    QTest::addColumn<bool>("bands");
    QTest::newRow("small") << 15 << "Small set: wide bands." << true;
    QTest::newRow("too few") << 4 << "Too few problems for bands." << false;
  }
  void fewProblemsSaySo() {
    QFETCH(int, problems);
    QFETCH(QString, note);
    QFETCH(bool, bands);
    const QString path = m_folder.filePath(QStringLiteral("few-%1.tandem").arg(problems));
    writeSession(path, problems);
    open(path);
    QVERIFY(text("coverageNotes").contains(note));
    QCOMPARE(!kPlot()->curves()[0].low.isEmpty(), bands);
  }

  void emptySessionExplainsItself() {
    const QString path = m_folder.filePath(QStringLiteral("empty.tandem"));
    REQUIRE_OK(tandem::Session::create(path.toStdString()));
    m_workspace->openSession(path);
    QTRY_VERIFY(!text("coverageNotes").isEmpty());
    QVERIFY(kPlot()->curves().isEmpty());
    QVERIFY(!kPlot()->emptyText().isEmpty());
  }

  void closingWhileLoadingIsClean() {
    QSignalSpy opened(m_workspace.get(), &Workspace::sessionChanged);
    m_workspace->openSession(m_path);
    QTRY_VERIFY_WITH_TIMEOUT(!opened.isEmpty(), 20000);
    m_view.reset();  // its statistics are being computed
  }

  void evaluatesManyProblems() {
    m_workspace->openModels(QStringLiteral("seed-teacher"), QStringLiteral("seed-llamba"));
    m_workspace->openProblems(QStringLiteral("seed"));
    auto* evaluate = find<QPushButton>("coverageEvaluate");
    QTRY_VERIFY_WITH_TIMEOUT(evaluate->isEnabled(), 30000);
    tandem::RunSettings settings = m_workspace->settings();
    settings.max_new_tokens = 8;
    m_workspace->setSettings(settings);
    QSignalSpy finished(m_workspace.get(), &Workspace::runFinished);
    QTest::mouseClick(evaluate, Qt::LeftButton);
    auto* dialog = m_view->findChild<QDialog*>();
    QVERIFY(dialog != nullptr);
    QCOMPARE(dialog->findChild<QSpinBox*>(QStringLiteral("evaluateProblems"))->value(),
             200);  // all, unless told
    dialog->findChild<QSpinBox*>(QStringLiteral("evaluateProblems"))->setValue(3);
    dialog->findChild<QSpinBox*>(QStringLiteral("evaluateCompletions"))->setValue(2);
    QTest::keyClick(dialog, Qt::Key_Return);
    QVERIFY(find<QPushButton>("coverageStop")->isVisible());
    QVERIFY(finished.wait(60000));
    QTRY_VERIFY_WITH_TIMEOUT(m_view->settled(), 30000);
    QVERIFY(text("coverageNumbers").contains(QStringLiteral("n = 3 problems, 2 completions")));
    QVERIFY(evaluate->isVisible());
  }

 private:
  void open() { open(m_path); }
  void open(const QString& path) {
    m_workspace->openSession(path);
    QTRY_VERIFY_WITH_TIMEOUT(m_view->settled(), 20000);
    for (Plot* plot : m_view->plots()) plot->replot();
  }
  template <typename T>
  T* find(const char* name) const {
    T* found = m_view->findChild<T*>(QString::fromLatin1(name));
    if (found == nullptr) qFatal("no child named %s", name);
    return found;
  }
  QString text(const char* name) const { return find<QLabel>(name)->text(); }
  CoveragePlot* kPlot() const { return find<CoveragePlot>("coverageAgainstK"); }
  CoveragePlot* secondsPlot() const { return find<CoveragePlot>("coverageAgainstSeconds"); }
  void setSpin(const char* name, double value) {
    auto* spin = find<QDoubleSpinBox>(name);
    spin->setFocus();
    spin->selectAll();
    QTest::keyClicks(spin, QString::number(value, 'f', spin->decimals()));
    QTest::keyClick(spin, Qt::Key_Return);
  }
  static void compare(const CoverageCurve& curve, const std::vector<tandem::Estimate>& expected) {
    QCOMPARE(static_cast<std::size_t>(curve.mean.size()), expected.size());
    for (int i = 0; i < curve.mean.size(); ++i) {
      const tandem::Estimate& estimate = expected[static_cast<std::size_t>(i)];
      QVERIFY(curve.mean[i] == estimate.mean);  // the same digits, not nearly
      QVERIFY(curve.low[i] == estimate.band.low);
      QVERIFY(curve.high[i] == estimate.band.high);
    }
  }

  QTemporaryDir m_folder;
  QString m_path;
  tandem::CoverageReport m_report;
  std::unique_ptr<Workspace> m_workspace;
  std::unique_ptr<CoverageView> m_view;
};

QTEST_MAIN(TestCoverageView)
#include "tst_coverage_view.moc"
