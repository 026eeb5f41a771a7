// The Throughput view: live runs, recorded sessions, a measurement and its states; driven by mouse and keys.
#include <cmath>

#include <QAction>
#include <QComboBox>
#include <QLabel>
#include <QProgressBar>
#include <QPushButton>
#include <QSignalSpy>
#include <QStandardPaths>
#include <QTableView>
#include <QTemporaryDir>
#include <QTest>

#include "tests/support/session_fixture.h"
#include "ui/views/throughput_bench_plots.h"
#include "ui/views/throughput_view.h"

using namespace tandem::ui;

namespace {

tandem::BenchReport storedReport() {
  tandem::BenchReport report;
  report.device = "Recording CPU, 1 thread";
  report.version = "0.1.0";
  report.date_utc = "2025-01-31T12:34:00Z";
  report.options.batches = {1, 8};
  report.roofline = {20e9, 90e9, 1e11, 0, 32 << 20};
  report.complete = true;
  for (const char* variant : {"private prefix", "shared prefix", "recurrent"})
    for (const int batch : report.options.batches) {
      tandem::BenchBar bar;
      bar.model = std::string(variant) == "recurrent" ? "student" : "teacher";
      bar.variant = variant;
      bar.batch = batch;
      bar.tokens_per_s = bar.tokens_per_s_min = bar.tokens_per_s_max = 1000.0 * batch;
      bar.prefill_s = bar.first_token_s = bar.step_p50_s = bar.step_p95_s = 0.01;
      bar.flops_per_token = 2e6;
      bar.bytes_per_step = 5e6;
      bar.roofline_tokens_per_s = 4000.0 * batch;
      bar.roofline_share = 0.25;
      bar.bound = "bandwidth";
      report.bars.push_back(bar);
    }
  return report;
}

void writeSession(const QString& path) {
  const auto session = tandem::Session::create(path.toStdString());
  REQUIRE_OK(session);
  const tandem::ProblemSet set = tandem::test::some_problems(1);
  const auto problem = (*session)->add_problem(set, set.problems[0]);
  REQUIRE_OK(problem);
  for (const auto mixer : {tandem::MixerKind::Attention, tandem::MixerKind::DiscreteMamba2}) {
    tandem::ModelInfo info =
        tandem::test::some_model(mixer == tandem::MixerKind::Attention ? "teacher" : "student", mixer);
    tandem::LayerInfo& layer = info.layers[0];
    (mixer == tandem::MixerKind::Attention ? layer.state_bytes : layer.cache_bytes_per_token) = 0;
    const auto model = (*session)->add_model(info);
    REQUIRE_OK(model);
    const auto run = (*session)->add_run(*model, {}, "Recording CPU, 1 thread");
    REQUIRE_OK(run);
    std::vector<tandem::ThroughputSample> samples;
    for (int i = 1; i <= 20; ++i) samples.push_back({*run, *problem, {0.1 * i, 0.1, 16, 50.0 + i}});
    REQUIRE_OK((*session)->add_samples(samples));
    REQUIRE_OK((*session)->finish_run(*run));
  }
  REQUIRE_OK((*session)->add_benchmark(tandem::to_json(storedReport())));
}

}  // namespace

class TestThroughputView : public QObject {
  Q_OBJECT
 private slots:
  void initTestCase() {
    QStandardPaths::setTestModeEnabled(true);
    QVERIFY(m_folder.isValid());
    m_path = m_folder.filePath(QStringLiteral("recorded.tandem"));
    writeSession(m_path);
  }
  void init() {
    m_workspace = std::make_unique<Workspace>();
    m_view = std::make_unique<ThroughputView>(*m_workspace);
    m_view->resize(1200, 800);
    m_view->show();
    QVERIFY(QTest::qWaitForWindowActive(m_view.get()));
  }
  void cleanup() {
    m_view.reset();
    m_workspace.reset();
  }

  void emptyStatesSayWhatToDo() {
    QVERIFY(plot<ThroughputLivePlot>()->emptyText().contains(QStringLiteral("Run")));
    QVERIFY(plot<SweepPlot>()->emptyText().contains(QStringLiteral("Measure")));
    QVERIFY(!find<QPushButton>("throughputMeasure")->isEnabled());  // no models
    QVERIFY(!m_view->settled());
    QTest::keyClick(m_view.get(), Qt::Key_R);
    QVERIFY(find<QLabel>("throughputRatio")->text().contains(QStringLiteral("Measure")));
  }

  void recordedSessionIsShownWithDateAndDevice() {
    open();
    const auto* live = plot<ThroughputLivePlot>();
    for (const int side : {0, 1}) {
      QCOMPARE(live->series(side).times().size(), 20);
      QVERIFY(std::abs(live->series(side).mean().last() - 160) < 1e-9);
    }
    const QString note = find<QLabel>("throughputNote")->text();
    QVERIFY(note.contains(QStringLiteral("Recorded 2025-01-31 12:34 UTC on Recording CPU, 1 thread")));
    auto* table = find<QTableView>("throughputTable");
    QVERIFY(table->isVisible());
    QCOMPARE(table->model()->rowCount(), 6);
    // 2048 bytes of state against 128 a token.
    QStringList labels;
    auto* memory = m_view->plots()[1];
    for (int i = 0; i < memory->itemCount(); ++i)
      if (const auto* label = qobject_cast<QCPItemText*>(memory->item(i))) labels << label->text();
    QVERIFY(labels.contains(QStringLiteral("break-even 16 tokens")));
  }

  void keysFreezeScaleRevealClearAndFollow() {
    open();
    auto* live = plot<ThroughputLivePlot>();
    QTest::keyClick(m_view.get(), Qt::Key_G);
    QCOMPARE(plot<SweepPlot>()->yAxis->scaleType(), QCPAxis::stLinear);
    QTest::keyClick(m_view.get(), Qt::Key_G);
    QCOMPARE(plot<SweepPlot>()->yAxis->scaleType(), QCPAxis::stLogarithmic);

    auto* ratio = find<QLabel>("throughputRatio");
    QVERIFY(!ratio->isVisible());
    QTest::keyClick(m_view.get(), Qt::Key_R);
    QVERIFY(ratio->isVisible());
    QVERIFY(ratio->text().contains(QStringLiteral("Student 25 %")) &&
            ratio->text().contains(QStringLiteral("Teacher 25 %")));
    QVERIFY(ratio->text().startsWith(QStringLiteral("Batch 8")));
    auto* sweep = plot<SweepPlot>();
    sweep->replot();
    QTest::mouseClick(
        sweep, Qt::LeftButton, {},
        QPoint(static_cast<int>(sweep->xAxis->coordToPixel(1)), sweep->axisRect()->center().y()));
    QVERIFY(ratio->text().startsWith(QStringLiteral("Batch 1:")));

    QVERIFY(!live->isFollowing());  // the whole recording is in sight
    QTest::keyClick(m_view.get(), Qt::Key_End);
    QVERIFY(live->isFollowing());
    QTest::keyClick(m_view.get(), Qt::Key_Space);
    QVERIFY(find<QAction>("throughputFreeze")->isChecked());
    QTest::keyClick(m_view.get(), Qt::Key_Space);
    QVERIFY(!find<QAction>("throughputFreeze")->isChecked());
    QTest::keyClick(m_view.get(), Qt::Key_C);
    QVERIFY(live->isEmpty());
  }

  void spaceStillPressesTheFocusedButton() {
    open();
    auto* measure = find<QPushButton>("throughputMeasure");
    measure->setEnabled(true);
    QSignalSpy clicked(measure, &QPushButton::pressed);
    measure->blockSignals(false);
    disconnect(measure, &QPushButton::clicked, nullptr, nullptr);
    measure->setFocus();
    QTest::keyClick(measure, Qt::Key_Space);
    QTRY_COMPARE(clicked.size(), 1);
    QVERIFY(!find<QAction>("throughputFreeze")->isChecked());
  }

  void togetherIsLabelled() {
    tandem::RunSettings settings = m_workspace->settings();
    settings.mode = "together";
    m_workspace->setSettings(settings);
    QVERIFY(m_view->plots()[0]->title().contains(QStringLiteral("shared device, not comparable")));
  }

  void damagedBenchmarkIsExplained() {
    const QString path = m_folder.filePath(QStringLiteral("damaged.tandem"));
    const auto session = tandem::Session::create(path.toStdString());
    REQUIRE_OK(session);
    REQUIRE_OK((*session)->add_benchmark("{\"device\": 7}"));
    REQUIRE_OK((*session)->flush());
    m_workspace->openSession(path);
    QTRY_VERIFY(find<QLabel>("throughputNote")->text().contains(QStringLiteral("'device' should be text")));
  }

  void liveRunFillsTheCurvesAndMeasuringKeepsPartialResults() {
    m_workspace->openModels(QStringLiteral("seed-teacher"), QStringLiteral("seed-llamba"));
    m_workspace->openProblems(QStringLiteral("seed"));
    auto* measure = find<QPushButton>("throughputMeasure");
    QTRY_VERIFY_WITH_TIMEOUT(measure->isEnabled(), 30000);
    tandem::RunSettings settings = m_workspace->settings();
    settings.completions = 4;
    settings.max_new_tokens = 12;
    m_workspace->setSettings(settings);
    QSignalSpy finished(m_workspace.get(), &Workspace::runFinished);
    m_workspace->startRun({0, 1});
    QVERIFY(!measure->isEnabled());
    QVERIFY(finished.wait(60000));
    const auto* live = plot<ThroughputLivePlot>();
    for (const int side : {0, 1}) QVERIFY(!live->series(side).isEmpty());
    const double first = live->series(0).mean().last();
    QVERIFY(first > 0 && std::isfinite(first));

    auto* prompt = find<QComboBox>("throughputPrompt");
    prompt->setCurrentIndex(prompt->findData(64));
    QTRY_VERIFY(measure->isEnabled());
    QTest::mouseClick(measure, Qt::LeftButton);
    auto* progress = find<QProgressBar>("throughputProgress");
    QVERIFY(progress->isVisible());
    QTRY_VERIFY_WITH_TIMEOUT(progress->value() >= 3, 120000);
    QTest::mouseClick(find<QPushButton>("throughputCancel"), Qt::LeftButton);
    QTRY_VERIFY_WITH_TIMEOUT(m_view->settled(), 60000);
    const QString note = find<QLabel>("throughputNote")->text();
    QVERIFY2(note.contains(QStringLiteral("stopped early")), qPrintable(note));
    QVERIFY(find<QTableView>("throughputTable")->model()->rowCount() >= 2);
    const auto count = [this] { return m_workspace->session()->benchmarks().value().size(); };
    QTRY_COMPARE(count(), std::size_t{1});  // written beside the window
    const auto stored = m_workspace->session()->benchmarks();
    const auto report = tandem::bench_report_from_json(stored->front());
    REQUIRE_OK(report);
    QVERIFY(!report->complete);
  }

 private:
  void open() {
    m_workspace->openSession(m_path);
    QTRY_VERIFY_WITH_TIMEOUT(m_view->settled(), 20000);
  }
  template <typename T>
  T* find(const char* name) const {
    T* found = m_view->findChild<T*>(QString::fromLatin1(name));
    if (found == nullptr) qFatal("no child named %s", name);
    return found;
  }
  template <typename T>
  T* plot() const {
    return m_view->findChild<T*>();
  }

  QTemporaryDir m_folder;
  QString m_path;
  std::unique_ptr<Workspace> m_workspace;
  std::unique_ptr<ThroughputView> m_view;
};

QTEST_MAIN(TestThroughputView)
#include "tst_throughput_view.moc"
