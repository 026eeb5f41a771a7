// While both models decode 64 completions each, and while a student is trained on show, the event loop of the
// visible window never stalls for more than 50 ms.
#include <algorithm>

#include <QElapsedTimer>
#include <QTest>
#include <QTimer>

#include "tests/support/ui_fixture.h"
#include "ui/main_window.h"
#include "ui/views/distil_view.h"

using namespace tandem::ui;
using namespace tandem::test;

namespace {

constexpr int kBeatMs = 5;
constexpr double kLongestStallMs = 50;
constexpr int kAttempts =
    4;  // other programs on the machine can only lengthen a stall: the best attempt tells

/// The worst lateness of a 5 ms timer, in milliseconds.
class Heart : public QObject {
 public:
  Heart() {
    m_timer.setTimerType(Qt::PreciseTimer);
    m_timer.setInterval(kBeatMs);
    connect(&m_timer, &QTimer::timeout, this, [this] {
      m_worst = std::max(m_worst, static_cast<double>(m_clock.nsecsElapsed()) / 1e6 - kBeatMs);
      m_clock.restart();
      ++m_beats;
    });
    m_clock.start();
    m_timer.start();
  }
  double worst() const { return m_worst; }
  int beats() const { return m_beats; }

 private:
  QTimer m_timer;
  QElapsedTimer m_clock;
  double m_worst = 0;
  int m_beats = 0;
};

}  // namespace

class TestResponsiveness : public QObject {
  Q_OBJECT
 private slots:
  void initTestCase() { use_own_data_folder(); }

  void theEventLoopNeverStalls_data() {
    QTest::addColumn<QString>("mode");
    QTest::newRow("take turns") << QStringLiteral("take turns");
    QTest::newRow("together") << QStringLiteral("together");
  }

  void theEventLoopNeverStalls() {
    QFETCH(QString, mode);
    Workspace workspace;
    MainWindow window(workspace);
    window.resize(1440, 900);
    window.show();
    QVERIFY(QTest::qWaitForWindowExposed(&window));
    open_seed_pair(workspace, 64);
    tandem::RunSettings settings = workspace.settings();
    settings.mode = mode.toStdString();
    workspace.setSettings(settings);
    double best = 1e9;
    for (int attempt = 0; attempt < kAttempts && best > kLongestStallMs; ++attempt) {
      QSignalSpy finished(&workspace, &Workspace::runFinished);
      const Heart heart;
      workspace.startRun({2 * attempt, 2 * attempt + 1});
      QTRY_COMPARE_WITH_TIMEOUT(finished.count(), 1, 180000);
      QVERIFY(heart.beats() > 10);
      best = std::min(best, heart.worst());
      qInfo("%s, attempt %d: longest stall %.1f ms in %d beats", qPrintable(mode), attempt, heart.worst(),
            heart.beats());
    }
    QVERIFY2(best <= kLongestStallMs,
             qPrintable(QStringLiteral("the event loop stalled for %1 ms").arg(best)));
  }

  void norWhileAStudentIsTrained() {
    Workspace workspace;
    MainWindow window(workspace);
    window.resize(1440, 900);
    window.showView(QStringLiteral("distil"));
    window.show();
    QVERIFY(QTest::qWaitForWindowExposed(&window));
    auto& view = *window.findChild<DistilView*>();
    const auto updates = [&view]() -> std::size_t {
      const DistilRun* run = view.model().run(view.current());
      return run != nullptr ? run->updates.size() : 0;
    };
    double best = 1e9;
    for (int attempt = 0; attempt < kAttempts && best > kLongestStallMs; ++attempt) {
      const std::int64_t before = view.current();
      view.start();
      {
        const Heart heart;
        QTRY_VERIFY_WITH_TIMEOUT(view.current() != before && updates() >= 100, 180000);
        QVERIFY(heart.beats() > 10);
        best = std::min(best, heart.worst());
        qInfo("training, attempt %d: longest stall %.1f ms in %d beats", attempt, heart.worst(),
              heart.beats());
      }
      view.pause();
      QTRY_VERIFY_WITH_TIMEOUT(!view.isTraining() && view.settled(), 180000);
    }
    QVERIFY2(best <= kLongestStallMs,
             qPrintable(QStringLiteral("the event loop stalled for %1 ms").arg(best)));
  }
};

QTEST_MAIN(TestResponsiveness)
#include "tst_responsiveness.moc"
