// The window on a second device, whose ops are the CPU's: chosen, remembered, gone, too small; what runs
// there gives the same as on the CPU, is recorded as run there, and never makes the GUI's thread wait.
#include <atomic>

#include <QCoreApplication>
#include <QLabel>
#include <QMenu>
#include <QSignalSpy>
#include <QStatusBar>
#include <QTest>
#include <QThread>

#include "tests/support/host_device.h"
#include "tests/support/session_fixture.h"
#include "tests/support/ui_fixture.h"
#include "ui/device_menu.h"
#include "ui/main_window.h"
#include "ui/views/distil_view.h"
#include "ui/views/matrices_source.h"
#include "ui/views/throughput_bench_runner.h"

using namespace tandem::ui;
using namespace tandem::test;

namespace {

std::atomic<int> callsOfGuiThread = 0;

/// Counts what the GUI's thread asks of it: an actual GPU would make it wait.
class WatchedDevice final : public tandem::Device {
 public:
  WatchedDevice(const char* id, const char* name, std::int64_t free)
      : m_device(/*locked=*/false, {id, name, 1 << 30, 1 << 20}), m_free(free) {}
  const tandem::DeviceInfo& info() const override { return m_device.info(); }
  std::int64_t free_bytes() const override { return watched(), m_free; }
  void reserve(std::int64_t bytes) override { watched(), m_device.reserve(bytes); }
  void* allocate(std::int64_t bytes) override { return watched(), m_device.allocate(bytes); }
  void release(void* memory) override { watched(), m_device.release(memory); }
  std::unique_ptr<tandem::DeviceQueue> make_queue() override { return watched(), m_device.make_queue(); }

 private:
  static void watched() {
    if (QThread::currentThread() == QCoreApplication::instance()->thread()) ++callsOfGuiThread;
  }
  HostDevice m_device;
  std::int64_t m_free;
};

WatchedDevice& card() {
  static auto& device = *new WatchedDevice("cuda:0", "Test card", 1 << 30);
  return device;
}
WatchedDevice& smallCard() {
  static auto& device = *new WatchedDevice("cuda:1", "Small card", 1000);
  return device;
}

}  // namespace

extern "C" __attribute__((visibility("default"))) tandem::Device* tandem_test_device(int index) {
  return index == 0 ? &card() : index == 1 ? &smallCard() : nullptr;
}

class TestDeviceChoice : public QObject {
  Q_OBJECT

  /// The greedy texts of both models for a problem, and what the session says they were written on.
  static std::pair<QStringList, QString> run(Workspace& workspace, const std::string& verifier = {}) {
    tandem::RunSettings settings = workspace.settings();
    settings.sampling.temperature = 0;
    workspace.setSettings(settings);
    QSignalSpy finished(&workspace, &Workspace::runFinished);
    QSignalSpy failed(&workspace, &Workspace::failed);
    workspace.startRun({3}, verifier);
    if (!QTest::qWaitFor([&] { return finished.count() == 1; }, 120000) || !failed.isEmpty())
      return {{}, failed.isEmpty() ? QStringLiteral("no end") : failed[0][0].toString()};
    QStringList texts;
    QString devices;
    for (const Side side : {Side::Teacher, Side::Student}) {
      const auto rows = workspace.session()->completions(workspace.runId(side), workspace.problemId(3));
      for (const auto& row : *rows) texts << QString::fromStdString(row.completion.text);
    }
    const auto runs = workspace.session()->runs();
    for (const auto& row : *runs) devices += QString::fromStdString(row.device) + QLatin1Char('\n');
    return {texts, devices};
  }
  static void moveTo(Workspace& workspace, const char* id) {
    QSignalSpy chosen(&workspace, &Workspace::deviceChosen);
    workspace.chooseDevice(QLatin1String(id));
    QTRY_COMPARE_WITH_TIMEOUT(chosen.count(), 1, 30000);
    QCOMPARE(chosen[0][0].toString(), QLatin1String(id));
    QTRY_COMPARE(workspace.state(), Workspace::State::Ready);
  }
  static QString sentence(const MainWindow& window) {
    return window.findChild<QLabel*>(QStringLiteral("sentence"))->text();
  }

 private slots:
  void initTestCase() { qputenv("TANDEM_CUDA_MODULE", TEST_MODULE); }
  void init() { use_own_data_folder(); }
  void cleanup() {
    QVERIFY(QThreadPool::globalInstance()->waitForDone(10000));
    QCOMPARE(callsOfGuiThread.load(), 0);
  }

  void aGpuIsTakenUnlessTheCpuIsChosen() {
    Workspace workspace;
    MainWindow window(workspace);
    open_seed_pair(workspace, 1);
    QCOMPARE(workspace.device(), &card());
    QCOMPARE(workspace.model(Side::Teacher)->device(), &card());
    const auto* button = window.statusBar()->findChild<DeviceButton*>();
    QCOMPARE(button->accessibleName(), QStringLiteral("Test card (cuda:0)"));
    const auto [texts, devices] = run(workspace);
    QCOMPARE(texts.size(), 2);
    QCOMPARE(devices, QStringLiteral("Test card (cuda:0)\nTest card (cuda:0)\n"));
    const std::string session = workspace.session()->path();

    moveTo(workspace, "cpu");
    QCOMPARE(workspace.model(Side::Student)->device(), nullptr);
    QVERIFY(button->accessibleName().contains(QStringLiteral("thread")));
    const auto [again, elsewhere] = run(workspace);
    QCOMPARE(again, texts);
    QVERIFY(!elsewhere.contains(QStringLiteral("Test card")) && elsewhere.contains(button->accessibleName()));
    QVERIFY(workspace.session()->path() != session);  // another device's seconds: not in the same run

    Workspace other;  // which goes on with what was recorded on the CPU
    other.openSession(QString::fromStdString(workspace.session()->path()));
    QTRY_VERIFY_WITH_TIMEOUT(other.model(Side::Teacher) && other.model(Side::Student), 30000);
    QCOMPARE(other.device(), &card());
    QVERIFY(other.recordedDevice().contains(QStringLiteral("thread")));
  }

  void theMenuListsAndChooses() {
    Workspace workspace;
    MainWindow window(workspace);
    open_seed_pair(workspace, 4);
    auto* menu = window.statusBar()->findChild<DeviceMenu*>();
    QCOMPARE(menu->actions().size(), 3);
    QVERIFY(menu->actions()[0]->text().startsWith(QStringLiteral("CPU: ")));
    QCOMPARE(menu->actions()[1]->text(), QStringLiteral("GPU 0: Test card, 1.00 GiB"));
    emit menu->aboutToShow();
    QVERIFY(menu->actions()[1]->isChecked());
    menu->actions()[0]->trigger();
    QTRY_VERIFY_WITH_TIMEOUT(workspace.device() == nullptr, 30000);
    emit menu->aboutToShow();
    QVERIFY(menu->actions()[0]->isChecked());
    workspace.startRun({0});
    emit menu->aboutToShow();
    QVERIFY(!menu->actions()[1]->isEnabled());
    QSignalSpy failed(&workspace, &Workspace::failed);
    workspace.chooseDevice(QStringLiteral("cuda:0"));
    QCOMPARE(failed.count(), 1);
    workspace.stop();
    QTRY_COMPARE_WITH_TIMEOUT(workspace.state(), Workspace::State::Ready, 30000);
  }

  void whatDoesNotFitStaysWhereItIs() {
    Workspace workspace;
    open_seed_pair(workspace, 1);
    const auto teacher = workspace.model(Side::Teacher);
    QSignalSpy failed(&workspace, &Workspace::failed);
    QSignalSpy chosen(&workspace, &Workspace::deviceChosen);
    workspace.chooseDevice(QStringLiteral("cuda:1"));
    QTRY_COMPARE_WITH_TIMEOUT(failed.count(), 1, 30000);
    QVERIFY2(failed[0][0].toString().contains(QStringLiteral("seed-teacher needs")),
             qPrintable(failed[0][0].toString()));
    QTRY_COMPARE(workspace.state(), Workspace::State::Ready);
    QCOMPARE(workspace.device(), &card());
    QCOMPARE(workspace.model(Side::Teacher), teacher);
    QCOMPARE(chosen.count(), 0);
    workspace.chooseDevice(QStringLiteral("cuda:2"));
    QVERIFY(failed[1][0].toString().contains(QStringLiteral("there is no device cuda:2")));
  }

  void changingItCanBeStopped() {
    Workspace workspace;
    open_seed_pair(workspace, 1);
    QSignalSpy failed(&workspace, &Workspace::failed);
    workspace.chooseDevice(QStringLiteral("cpu"));
    workspace.startRun({0});  // would be on the device that is being left
    QCOMPARE(failed.count(), 1);
    workspace.stop();
    QTRY_COMPARE_WITH_TIMEOUT(workspace.state(), Workspace::State::Ready, 30000);
    const auto* device = workspace.device();
    QCOMPARE(workspace.model(Side::Teacher)->device(), device);
    QCOMPARE(workspace.model(Side::Student)->device(), device);
    QVERIFY(!run(workspace).first.isEmpty());
  }

  void aChoiceWhileModelsAreLoadedCounts() {
    Workspace workspace;
    QTRY_VERIFY(workspace.devices() != nullptr);
    workspace.openModels(QStringLiteral("seed-teacher"), QStringLiteral("seed-llamba"));
    workspace.chooseDevice(QStringLiteral("cpu"));
    workspace.openModel(QStringLiteral("seed-hybrid"), Side::Student);
    QTRY_VERIFY_WITH_TIMEOUT(workspace.model(Side::Student) && workspace.state() != Workspace::State::Loading,
                             30000);
    QCOMPARE(workspace.device(), nullptr);
    QCOMPARE(workspace.model(Side::Student)->device(), nullptr);
  }

  void aDeviceThatIsGoneLeavesTheCpu_data() {
    QTest::addColumn<QString>("device");
    QTest::addColumn<QString>("why");
    QTest::newRow("gone") << "cuda:7"
                          << "there is no device cuda:7";
    QTest::newRow("too small") << "cuda:1"
                               << "seed-teacher needs";
  }
  void aDeviceThatIsGoneLeavesTheCpu() {
    QFETCH(QString, device);
    QFETCH(QString, why);
    Workspace workspace;
    workspace.beginOn(device);
    MainWindow window(workspace);
    QSignalSpy failed(&workspace, &Workspace::failed);
    open_seed_pair(workspace, 1);
    QCOMPARE(workspace.device(), nullptr);
    QCOMPARE(workspace.model(Side::Teacher)->device(), nullptr);
    QVERIFY2(sentence(window).startsWith(QStringLiteral("On the CPU: ") + why),
             qPrintable(sentence(window)));
    QCOMPARE(failed.count(), 0);
    moveTo(workspace, "cuda:0");
    QCOMPARE(sentence(window), QString());
    QVERIFY(!run(workspace).first.isEmpty());
  }

  void measurementsCapturesAndScoresAreMadeThere() {
    Workspace workspace;
    workspace.openProblems(QStringLiteral("pocket"));
    workspace.openModels(QStringLiteral("pocket-small-teacher"), QStringLiteral("pocket-small-llamba"));
    QTRY_COMPARE_WITH_TIMEOUT(workspace.state(), Workspace::State::Ready, 30000);
    QTRY_VERIFY(!workspace.problems().problems.empty());
    tandem::RunSettings settings = workspace.settings();
    settings.completions = 1;
    settings.max_new_tokens = 24;
    workspace.setSettings(settings);
    const auto [texts, devices] = run(workspace, "pocket-verifier");
    QVERIFY2(devices.startsWith(QStringLiteral("Test card")), qPrintable(devices));
    QVERIFY(workspace.session()->completions(workspace.runId(Side::Teacher))->front().score.has_value());

    const auto capture = [&workspace] {
      return captureMatrices({workspace.model(Side::Teacher), workspace.model(Side::Student),
                              [] {
                                return CaptureText{"Ava has 2 pens.", {}, {}, {}};
                              }},
                             {});
    };
    CaptureOutcome there, here;
    const auto onWorker = [&](CaptureOutcome& outcome) {
      std::unique_ptr<QThread> thread(QThread::create([&] { outcome = capture(); }));
      thread->start();
      thread->wait();
    };
    onWorker(there);
    BenchRunner runner;
    QSignalSpy measured(&runner, &BenchRunner::finished);
    tandem::BenchOptions options;
    options.batches = {1};
    options.prompt_tokens = options.generated_tokens = 8;
    options.repeats = 1;
    runner.start({workspace.model(Side::Teacher), workspace.model(Side::Student)}, options);
    QTRY_COMPARE_WITH_TIMEOUT(measured.count(), 1, 60000);
    const auto report = measured[0][0].value<std::shared_ptr<const tandem::BenchReport>>();
    QCOMPARE(report->device, std::string("Test card (cuda:0)"));

    moveTo(workspace, "cpu");
    onWorker(here);
    QVERIFY2(there.set && here.set, qPrintable(there.error + here.error));
    const auto& got = there.set->sides[1].capture().layers.front().matrix;
    const auto& want = here.set->sides[1].capture().layers.front().matrix;
    QCOMPARE(got.shape(), want.shape());
    for (std::int64_t i = 0; i < want.shape().elements(); ++i)
      QVERIFY(std::abs(got.f32()[i] - want.f32()[i]) < 1e-4F);
  }

  void studentsAreTrainedThere() {
    Workspace workspace;
    MainWindow window(workspace);
    window.showView(QStringLiteral("distil"));
    QTRY_VERIFY(workspace.device() == &card());
    auto& view = *window.findChild<DistilView*>();
    QCOMPARE(view.findChild<DeviceButton*>()->accessibleName(), QStringLiteral("GPU 0"));
    view.start();
    const auto updates = [&view] {
      const DistilRun* run = view.model().run(view.current());
      return run != nullptr ? run->updates.size() : 0;
    };
    QTRY_VERIFY_WITH_TIMEOUT(updates() >= 3, 120000);
    QVERIFY(!view.findChild<DeviceButton*>()->isEnabled());
    QSignalSpy failed(&workspace, &Workspace::failed);
    workspace.chooseDevice(QStringLiteral("cpu"));
    QCOMPARE(failed.count(), 1);
    view.pause();
    QTRY_VERIFY_WITH_TIMEOUT(!view.isTraining() && view.settled(), 120000);
    QCOMPARE(workspace.session()->trainings()->front().device, std::string("Test card (cuda:0)"));
  }
};

QTEST_MAIN(TestDeviceChoice)
#include "tst_device_choice.moc"
