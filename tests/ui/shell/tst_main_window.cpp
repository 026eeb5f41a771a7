// The window's frame: views by key, problems, files, exports, names for screen readers.
#include <QAbstractButton>
#include <QAbstractItemModelTester>
#include <QAbstractSpinBox>
#include <QComboBox>
#include <QLabel>
#include <QLineEdit>
#include <QListView>
#include <QMenu>
#include <QMenuBar>
#include <QSettings>
#include <QStatusBar>
#include <QTemporaryDir>
#include <QTest>

#include "tests/support/ui_fixture.h"
#include "ui/device_menu.h"
#include "ui/file_kind.h"
#include "ui/main_window.h"

using namespace tandem::ui;
using namespace tandem::test;

class TestMainWindow : public QObject {
  Q_OBJECT

  std::unique_ptr<Workspace> m_workspace;
  std::unique_ptr<MainWindow> m_window;

 private slots:
  void initTestCase() {
    qputenv("TANDEM_CUDA_MODULE", "/nowhere/libtandem-cuda.so");
    use_own_data_folder();
  }

  void init() {
    Theme::instance().setMode(ThemeMode::Light);
    m_workspace = std::make_unique<Workspace>();
    m_window = std::make_unique<MainWindow>(*m_workspace);
    m_window->show();
    QVERIFY(QTest::qWaitForWindowExposed(m_window.get()));
  }

  void cleanup() {
    m_window.reset();
    m_workspace.reset();
  }

  void keysChooseTheView() {
    const QStringList names = m_window->viewNames();
    QCOMPARE(names.constFirst(), QStringLiteral("race"));
    for (int i = 0; i < names.size(); ++i) {
      QTest::keyClick(m_window.get(), static_cast<Qt::Key>(Qt::Key_1 + i), Qt::ControlModifier);
      QCOMPARE(m_window->currentView()->objectName(), names[i]);
    }
    QVERIFY(!m_window->showView(QStringLiteral("no such view")));
  }

  void shortcutsAreUnambiguous() {
    QHash<QKeySequence, QString> owners;
    for (const QAction* menu : m_window->menuBar()->actions()) {
      for (const QAction* action : menu->menu()->actions()) {
        for (const QKeySequence& keys : action->shortcuts()) {
          QVERIFY2(!owners.contains(keys), qPrintable(action->text() + owners.value(keys) + keys.toString()));
          owners.insert(keys, action->text());
        }
      }
    }
    QVERIFY(owners.contains(QKeySequence(Qt::CTRL | Qt::Key_R)));
    QVERIFY(owners.contains(QKeySequence(Qt::CTRL | Qt::Key_Period)));
  }

  void controlsHaveNames() {
    const auto named = [](const QWidget* widget) {
      const auto* button = qobject_cast<const QAbstractButton*>(widget);
      return !widget->accessibleName().isEmpty() || (button != nullptr && !button->text().isEmpty());
    };
    for (const QWidget* widget : m_window->findChildren<QWidget*>()) {
      const bool control = qobject_cast<const QAbstractButton*>(widget) ||
                           qobject_cast<const QComboBox*>(widget) ||
                           qobject_cast<const QAbstractSpinBox*>(widget) || qobject_cast<const Plot*>(widget);
      if (!control || !widget->isVisible()) continue;
      if (qobject_cast<const QComboBox*>(widget->parentWidget())) continue;
      if (widget->objectName() == QLatin1String("qt_toolbar_ext_button")) continue;
      QVERIFY2(named(widget), qPrintable(QStringLiteral("%1 in %2")
                                             .arg(QLatin1String(widget->metaObject()->className()),
                                                  widget->parent()->objectName())));
    }
  }

  void theStatusBarTellsTheDevices() {
    auto* menu = m_window->statusBar()->findChild<DeviceMenu*>();
    QTRY_COMPARE(menu->actions().size(), 2);
    emit menu->aboutToShow();
    QVERIFY(menu->actions()[0]->isChecked());
    const QAction* gpu = menu->actions()[1];
    QVERIFY(!gpu->isEnabled());
    QCOMPARE(gpu->text(),
             QStringLiteral("GPU: this build comes without its CUDA module (libtandem-cuda.so)"));
  }

  void buttonsFollowTheState() {
    auto* run = m_window->findChild<QAction*>(QStringLiteral("run"));
    auto* stop = m_window->findChild<QAction*>(QStringLiteral("stop"));
    QVERIFY(!run->isEnabled());
    open_seed_pair(*m_workspace, 2);
    QVERIFY(run->isEnabled());
    QVERIFY(!stop->isEnabled());
    QCOMPARE(m_window->findChild<QComboBox*>(QStringLiteral("studentModel"))->currentText(),
             QStringLiteral("seed-llamba"));
    QTest::keyClick(m_window.get(), Qt::Key_R, Qt::ControlModifier);
    QCOMPARE(m_workspace->state(), Workspace::State::Running);
    QVERIFY(stop->isEnabled());
    QVERIFY(!run->isEnabled());
    QTRY_COMPARE_WITH_TIMEOUT(m_workspace->state(), Workspace::State::Ready, 60000);
    QVERIFY(m_window->windowTitle().contains(m_workspace->sessionName()));
  }

  void problemsAreFoundAndTyped() {
    open_seed_pair(*m_workspace, 2);
    QTest::keyClick(m_window.get(), Qt::Key_F, Qt::ControlModifier);
    auto* filter = m_window->findChild<QLineEdit*>(QStringLiteral("problemFilter"));
    auto* list = m_window->findChild<QListView*>(QStringLiteral("problemList"));
    const QAbstractItemModelTester tester(list->model(),
                                          QAbstractItemModelTester::FailureReportingMode::QtTest);
    QTRY_VERIFY(filter->isVisible());
    const auto all = static_cast<int>(m_workspace->problems().problems.size());
    QCOMPARE(list->model()->rowCount(), all);
    QTest::keyClicks(filter, QStringLiteral("COINS"));
    QVERIFY(list->model()->rowCount() > 0 && list->model()->rowCount() < all);
    const QModelIndex found = list->model()->index(0, 0);
    QTest::mouseClick(list->viewport(), Qt::LeftButton, {}, list->visualRect(found).center());
    const auto& chosen =
        m_workspace->problems().problems[static_cast<std::size_t>(m_workspace->selection().problem())];
    QVERIFY(QString::fromStdString(chosen.question).contains(QLatin1String("coins")));
    const int before = m_workspace->selection().problem();
    QTest::keyClick(m_window.get(), Qt::Key_Right, Qt::AltModifier);
    QCOMPARE(m_workspace->selection().problem(), before + 1);

    auto* typed = m_window->findChild<QLineEdit*>(QStringLiteral("typedProblem"));
    QTest::keyClicks(typed, QStringLiteral("Sam has 2 apples."));
    QTest::keyClick(typed, Qt::Key_Return);
    QCOMPARE(m_workspace->selection().problem(), all);
    QCOMPARE(list->model()->rowCount(), all + 1);
    QCOMPARE(list->currentIndex().row(), all);
  }

  void aStrangeFileIsRefusedInWords() {
    m_window->openPath(QStringLiteral("/tmp/picture.gif"));
    auto* message = m_window->findChild<QLabel*>(QStringLiteral("message"));
    QVERIFY(message->isVisible());
    QVERIFY(message->text().startsWith(QLatin1String("/tmp/picture.gif")));
  }

  void filesAreRecognised() {
    const QTemporaryDir folder;
    QCOMPARE(fileKind(QStringLiteral("a.tandem")), FileKind::Session);
    QCOMPARE(fileKind(QStringLiteral("a/model.safetensors")), FileKind::Model);
    QCOMPARE(fileKind(QStringLiteral("a.GGUF")), FileKind::Model);
    QCOMPARE(fileKind(QStringLiteral("a.JSONL")), FileKind::Problems);
    QCOMPARE(fileKind(QStringLiteral("a.csv")), FileKind::Problems);
    QCOMPARE(fileKind(QStringLiteral("a.txt")), FileKind::Unknown);
    QCOMPARE(fileKind(folder.path()), FileKind::Unknown);
    QFile config(folder.filePath(QStringLiteral("config.json")));
    QVERIFY(config.open(QIODevice::WriteOnly));
    QCOMPARE(fileKind(folder.path()), FileKind::Model);
  }

  void everyPlotIsExported() {
    const QTemporaryDir folder;
    QCOMPARE(m_window->exportPlots(folder.path()), QString());
    for (const char* suffix : {"png", "svg", "pdf", "csv"}) {
      QVERIFY(QFile::exists(folder.filePath(QStringLiteral("race-raceBar.%1").arg(QLatin1String(suffix)))));
    }
    QVERIFY(m_window->exportPlots(QStringLiteral("/no/such/folder"))
                .startsWith(QLatin1String("/no/such/folder")));
  }

  void preferencesComeBack() {
    const QTemporaryDir folder;
    QSettings settings(folder.filePath(QStringLiteral("tandem.ini")), QSettings::IniFormat);
    m_window->showView(m_window->viewNames().constLast());
    Theme::instance().setMode(ThemeMode::Dark);
    m_window->savePreferences(settings);
    Theme::instance().setMode(ThemeMode::Light);
    MainWindow other(*m_workspace);
    other.restorePreferences(settings);
    QCOMPARE(other.currentView()->objectName(), m_window->viewNames().constLast());
    QCOMPARE(Theme::instance().mode(), ThemeMode::Dark);
    settings.setValue(QStringLiteral("window/view"), QStringLiteral("nonsense"));
    settings.setValue(QStringLiteral("window/theme"), 99);
    settings.setValue(QStringLiteral("window/state"), QByteArray("nonsense"));
    MainWindow third(*m_workspace);
    third.restorePreferences(settings);
    QCOMPARE(third.currentView()->objectName(), QStringLiteral("race"));
  }
};

QTEST_MAIN(TestMainWindow)
#include "tst_main_window.moc"
