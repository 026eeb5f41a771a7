// The Matrices view driven by mouse and keys, on a small pair of matrices.
#include <QComboBox>
#include <QLabel>
#include <QLineEdit>
#include <QPushButton>
#include <QSignalSpy>
#include <QStackedWidget>
#include <QTableView>
#include <QTemporaryDir>
#include <QTest>

#include "tests/ui/matrices/matrix_fixture.h"
#include "ui/theme.h"
#include "ui/views/matrices_board.h"
#include "ui/views/matrices_view.h"
#include "ui/widgets/head_navigator.h"
#include "ui/widgets/token_strip.h"

using namespace tandem::ui;

class TestMatricesView : public QObject {
  Q_OBJECT
 private slots:
  void init() {
    m_workspace = std::make_unique<Workspace>();
    m_view = std::make_unique<MatricesView>(*m_workspace);
    m_view->resize(1200, 800);
    m_view->show();
    QVERIFY(QTest::qWaitForWindowExposed(m_view.get()));
  }
  void cleanup() {
    m_view.reset();
    m_workspace.reset();
  }

  void says_what_to_do_when_there_is_nothing() {
    QVERIFY(!m_view->settled());
    QCOMPARE(child<QLabel>("stateTitle")->text(), QStringLiteral("No matrices yet"));
    QVERIFY(child<QLabel>("stateText")->text().contains(QStringLiteral("Open a teacher and a student")));
    QVERIFY(!child<QPushButton>("stateCapture")->isVisible());
    QVERIFY(!child<QPushButton>("captureButton")->isEnabled());
  }

  void begins_with_a_head_that_says_something() {
    m_view->showSet(fixture::makeSet());
    QTRY_VERIFY(m_view->settled());
    HeadModel heads;
    heads.setHeads(summarizeHeads(*m_view->set(), false));
    QCOMPARE(m_view->pair(), heads.closest()->pair);
    QVERIFY(heads.closest()->pair.layer != fixture::kKeptLayer);
  }

  void captures_the_problem_as_soon_as_there_is_one() {
    m_view->demonstrate();  // before anything is loaded, as a picture from the command line does
    openModels();
    QTRY_VERIFY_WITH_TIMEOUT(m_view->settled(), 60000);
    const auto set = m_view->set();
    QVERIFY(!set->recorded);
    QCOMPARE(set->tokens.first(), QStringLiteral("Problem"));
    QCOMPARE(set->tokens.last(), QStringLiteral("."));  // of "The final answer is N."
    QVERIFY(child<QLabel>("cellReadout")->text().contains(QStringLiteral("= M ✓")));
    QVERIFY(child<QLabel>("captureStatus")->text().contains(QStringLiteral("problem 1")));
  }

  void a_text_that_cannot_be_captured_says_why() {
    openModels();
    child<QComboBox>("textChoice")->setCurrentIndex(3);  // my text
    QVERIFY(!child<QPushButton>("captureButton")->isEnabled());
    child<QLineEdit>("typedText")->setText(QStringLiteral("Noah has apples . ").repeated(600));
    QTest::mouseClick(child<QPushButton>("captureButton"), Qt::LeftButton);
    QTRY_COMPARE(child<QLabel>("stateTitle")->text(), QStringLiteral("This did not work"));
    QVERIFY(child<QLabel>("stateText")->text().contains(QStringLiteral("2400 tokens")));
    QVERIFY(child<QPushButton>("stateCapture")->isVisible());
    child<QLineEdit>("typedText")->setText(QStringLiteral("Noah has 3 apples."));
    QTest::mouseClick(child<QPushButton>("stateCapture"), Qt::LeftButton);
    QTRY_VERIFY_WITH_TIMEOUT(m_view->settled(), 60000);
    QCOMPARE(m_view->set()->seqlen(), 5);
  }

  void a_cancelled_capture_leaves_nothing() {
    openModels();
    QTest::mouseClick(child<QPushButton>("captureButton"), Qt::LeftButton);
    QCOMPARE(child<QLabel>("stateTitle")->text(), QStringLiteral("Working"));
    QTest::mouseClick(child<QPushButton>("stateCancel"), Qt::LeftButton);
    QCOMPARE(child<QLabel>("stateTitle")->text(), QStringLiteral("No matrices yet"));
    QTest::qWait(300);  // what was under way comes to its end and is dropped
    QVERIFY(!m_view->set());
    QVERIFY(child<QPushButton>("captureButton")->isEnabled());
  }

  void replay_shows_what_a_session_kept() {
    openModels();
    const auto teacher = m_workspace->model(Side::Teacher), student = m_workspace->model(Side::Student);
    QTemporaryDir folder;
    const QString path = folder.filePath(QStringLiteral("kept.tandem"));
    {
      CaptureText text;
      text.prompt = "Noah has 3 apples.";
      const CaptureRequest request{teacher, student, [text]() -> tandem::Result<CaptureText> { return text; },
                                   0, 1};
      const auto session = tandem::Session::create(path.toStdString()).value();
      QCOMPARE(storeMatrices(*session, teacher->info(), student->info(), *captureMatrices(request, {}).set),
               QString());
      const auto models = session->models();
      for (const auto& model : *models)
        QVERIFY(session->add_run(model.id, m_workspace->settings(), "a device").ok());
    }
    QSignalSpy failed(m_workspace.get(), &Workspace::failed);
    m_workspace->openSession(path);
    QTRY_VERIFY(m_workspace->isReplay() || !failed.isEmpty());
    QVERIFY2(failed.isEmpty(), qPrintable(failed.value(0).value(0).toString()));
    QTRY_VERIFY_WITH_TIMEOUT(m_view->settled(), 60000);
    QVERIFY(m_view->set()->recorded);
    QCOMPARE(m_view->set()->tokens.first(), QStringLiteral("Noah"));
    QVERIFY(child<QLabel>("captureStatus")->text().contains(QStringLiteral("Recorded earlier")));
    QVERIFY(child<QLabel>("cellReadout")->text().contains(QStringLiteral("= M ✓")));
  }

  void shows_a_set_with_a_cell_before_the_first_click() {
    show(fixture::makeSet());
    QVERIFY(child<QLabel>("cellReadout")->text().contains(QStringLiteral("= M ✓")));
    QVERIFY(child<QLabel>("distances")->text().contains(QStringLiteral("cosine")));
    QVERIFY(selection().query() > selection().key());
    QCOMPARE(m_view->plots().size(), 7);
  }

  void hover_moves_the_linked_selection() {
    show(fixture::makeSet());
    MatrixPlot* map = board()->plot(MapKind::Difference);
    QTest::mouseMove(map, map->cellCentre(10, 2).toPoint());
    QTRY_COMPARE(selection().query(), 10);
    QCOMPARE(selection().key(), 2);
    const QString text = child<QLabel>("cellReadout")->text();
    QVERIFY(text.contains(QStringLiteral("tok10")) && text.contains(QStringLiteral("tok2")));
  }

  void click_pins_and_escape_releases() {
    show(fixture::makeSet());
    MatrixPlot* map = board()->plot(MapKind::Student);
    QTest::mouseClick(map, Qt::LeftButton, {}, map->cellCentre(8, 3).toPoint());
    QVERIFY(m_view->pinned());
    QTest::mouseMove(map, map->cellCentre(4, 1).toPoint());
    QTest::qWait(0);
    QCOMPARE(selection().query(), 8);
    QTest::keyClick(m_view.get(), Qt::Key_Escape);
    QVERIFY(!m_view->pinned());
  }

  void arrows_walk_heads_and_layers() {
    show(fixture::makeSet());
    QTest::keyClick(m_view.get(), Qt::Key_Right);
    QCOMPARE(selection().head(), 1);
    QTest::keyClick(m_view.get(), Qt::Key_Right);
    QCOMPARE(selection().head(), 1);  // the last one
    QTest::keyClick(m_view.get(), Qt::Key_Down);
    QCOMPARE(selection().layer(), 1);
    QCOMPARE(m_view->pair(), (HeadPair{1, 1, 1}));
    QTRY_VERIFY(board()->settled());
    QVERIFY(!board()->plot(MapKind::Decay)->hasMap());  // attention kept
    QVERIFY(board()->plot(MapKind::Decay)->emptyText().contains(QStringLiteral("Attention kept")));
    QTest::keyClick(m_view.get(), Qt::Key_Up);
    QTest::keyClick(m_view.get(), Qt::Key_Left);
    QCOMPARE(m_view->pair(), (HeadPair{0, 0, 0}));
  }

  void shift_arrows_move_the_cell_below_the_diagonal() {
    show(fixture::makeSet());
    selection().setCell(5, 4);
    QTest::keyClick(m_view.get(), Qt::Key_Right, Qt::ShiftModifier);
    QTest::keyClick(m_view.get(), Qt::Key_Right, Qt::ShiftModifier);
    QCOMPARE(selection().key(), 5);
    QTest::keyClick(m_view.get(), Qt::Key_Down, Qt::ShiftModifier);
    QTest::keyClick(m_view.get(), Qt::Key_Period);
    QCOMPARE(selection().query(), 6);
    QCOMPARE(selection().key(), 6);
    QTest::keyClick(m_view.get(), Qt::Key_Comma);
    QCOMPARE(selection().key(), 5);
  }

  void keys_change_what_is_drawn() {
    show(fixture::makeSet());
    QTest::keyClick(m_view.get(), Qt::Key_M);
    QCOMPARE(child<QComboBox>("scaleMode")->currentIndex(), 1);
    QTRY_VERIFY(board()->settled());
    QCOMPARE(board()->plot(MapKind::Teacher)->scale().mode, ScaleMode::Log);
    QTest::keyClick(m_view.get(), Qt::Key_X);
    QVERIFY(!board()->plot(MapKind::Difference)->isVisible());
    QTest::keyClick(m_view.get(), Qt::Key_D);
    QVERIFY(!board()->plot(MapKind::Content)->isVisible());
    QTest::keyClick(m_view.get(), Qt::Key_L);
    QTRY_VERIFY(board()->settled());
    QVERIFY(!board()->frame()->request.scale.locked);
  }

  void zoom_is_shared_by_all_maps() {
    show(fixture::makeSet());
    QTest::keyClick(m_view.get(), Qt::Key_Plus);
    const QCPRange keys = board()->plot(MapKind::Teacher)->visibleKeys();
    QVERIFY(keys.size() < 12);
    for (const MapKind kind : kMapKinds) QCOMPARE(board()->plot(kind)->visibleKeys(), keys);
    QTest::keyClick(m_view.get(), Qt::Key_Home);
    QCOMPARE(board()->plot(MapKind::Content)->visibleQueries().size(), 12.0);
  }

  void hover_previews_a_head_and_click_locks_it() {
    show(fixture::makeSet());
    auto* table = child<QTableView>("headTable");
    QTRY_COMPARE(table->model()->rowCount(), fixture::kLayers);
    const auto centre = [&](int row, int column) {
      return table->visualRect(table->model()->index(row, column)).center();
    };
    QTest::mouseMove(table->viewport(), centre(2, 1));
    QTRY_COMPARE(m_view->pair(), (HeadPair{2, 1, 1}));
    QCOMPARE(selection().layer(), 0);  // only a preview
    QEvent leave(QEvent::Leave);
    QCoreApplication::sendEvent(table->viewport(), &leave);
    QCOMPARE(m_view->pair(), (HeadPair{0, 0, 0}));
    QTest::mouseClick(table->viewport(), Qt::LeftButton, {}, centre(1, 0));
    QCOMPARE(selection().layer(), 1);
    auto* navigator = child<HeadNavigator>("headNavigator");
    QVERIFY(navigator->locked());
    QTest::mouseMove(table->viewport(), centre(2, 1));
    QTest::qWait(0);
    QCOMPARE(m_view->pair(), (HeadPair{1, 0, 0}));
    QTest::keyClick(m_view.get(), Qt::Key_Escape);
    QVERIFY(!navigator->locked());
  }

  void search_goes_to_a_head() {
    show(fixture::makeSet());
    QTRY_VERIFY(m_view->settled());
    auto* search = child<QLineEdit>("headSearch");
    QTest::keyClicks(search, QStringLiteral("l2h1"));
    QTest::keyClick(search, Qt::Key_Return);
    QCOMPARE(m_view->pair(), (HeadPair{2, 1, 1}));
    search->clear();
    QTest::keyClicks(search, QStringLiteral("L9H9"));
    QTest::keyClick(search, Qt::Key_Return);
    QCOMPARE(m_view->pair(), (HeadPair{2, 1, 1}));
    QVERIFY(search->toolTip().contains(QStringLiteral("no head")));
  }

  void letters_typed_into_a_field_are_not_commands() {
    show(fixture::makeSet());
    auto* search = child<QLineEdit>("headSearch");
    search->setFocus();
    QTest::keyClicks(search, QStringLiteral("mdx"));
    QCOMPARE(search->text(), QStringLiteral("mdx"));
    QCOMPARE(child<QComboBox>("scaleMode")->currentIndex(), 0);
  }

  void unequal_heads_ask_for_a_pair() {
    show(fixture::makeSet(10, 3, 2));
    auto* choice = child<QComboBox>("teacherHead");
    QVERIFY(choice->isVisible());
    QCOMPARE(choice->count(), 3);
    choice->setCurrentIndex(2);
    emit choice->activated(2);
    QCOMPARE(m_view->pair(), (HeadPair{0, 0, 2}));
    QTRY_VERIFY(board()->settled());
    QCOMPARE(board()->frame()->request.pair.teacher, 2);
    show(fixture::makeSet());
    QVERIFY(!choice->isVisible());
  }

  void strip_and_maps_share_the_cell() {
    show(fixture::makeSet());
    selection().setCell(9, 1);
    auto* strip = child<TokenStrip>("tokenStrip");
    QVERIFY(strip->accessibleDescription().contains(QStringLiteral("tok9")));
    QTest::mouseClick(strip->viewport(), Qt::LeftButton, {}, strip->tokenRect(4).center());
    QCOMPARE(selection().query(), 9);
    QCOMPARE(selection().key(), 4);
    QTest::mouseClick(strip->viewport(), Qt::LeftButton, Qt::ShiftModifier, strip->tokenRect(6).center());
    QCOMPARE(selection().query(), 6);
    QVERIFY(m_view->pinned());
  }

  void skip_is_off_and_changes_only_the_diagonal() {
    show(fixture::makeSet());
    QVERIFY(!board()->frame()->request.includeSkip);
    const double off = *board()->cellAt(4, 4).student, below = *board()->cellAt(4, 3).student;
    QTest::mouseClick(child<QWidget>("includeSkip"), Qt::LeftButton, {}, QPoint(8, 8));
    QTRY_VERIFY(board()->settled());
    QCOMPARE(*board()->cellAt(4, 4).student, off + 0.5);
    QCOMPARE(*board()->cellAt(4, 3).student, below);
  }

  void sets_without_a_skip_cannot_add_it() {
    auto set = fixture::makeSet();
    std::swap(set->sides[0], set->sides[1]);
    show(set);
    QVERIFY(!child<QWidget>("includeSkip")->isEnabled());
    QVERIFY(child<QWidget>("includeSkip")->toolTip().contains(QStringLiteral("no D")));
  }

  void tables_hold_the_raw_numbers() {
    const auto set = fixture::makeSet();
    show(set);
    QTest::keyClick(m_view.get(), Qt::Key_M);  // a scale mode changes pictures, not numbers
    QTRY_VERIFY(board()->settled());
    const PlotTable table = board()->plot(MapKind::Student)->table();
    QCOMPARE(table.rows.size(), 12);
    QCOMPARE(table.rows[7][2 + 3].toDouble(),
             double(QString::number(set->student().matrix(0, 0).row(7)[3], 'g', 9).toDouble()));
    QCOMPARE(table.rows[3][2 + 7], QString());
    for (Plot* plot : m_view->plots())
      QVERIFY2(!plot->table().rows.isEmpty(), qPrintable(plot->objectName()));
  }

  void every_control_has_a_name() {
    show(fixture::makeSet());
    for (QWidget* widget : m_view->findChildren<QWidget*>()) {
      if (widget->focusPolicy() == Qt::NoFocus || !widget->isVisible()) continue;
      const bool named =
          !widget->accessibleName().isEmpty() || !widget->property("text").toString().isEmpty();
      QVERIFY2(named || qobject_cast<QAbstractScrollArea*>(widget->parentWidget()) != nullptr,
               qPrintable(widget->objectName() + QLatin1Char(' ') +
                          QLatin1String(widget->metaObject()->className())));
    }
  }

  void moving_the_cell_and_switching_heads_are_quick() {
    show(fixture::makeSet(256));
    QElapsedTimer timer;
    timer.start();
    for (int k = 0; k < 20; ++k) selection().setCell(200 + k, 100);
    QVERIFY2(timer.elapsed() / 20 < 10, qPrintable(QString::number(timer.elapsed())));
    timer.restart();
    QTest::keyClick(m_view.get(), Qt::Key_Right);
    QTRY_VERIFY_WITH_TIMEOUT(board()->settled(), 1000);
    qInfo("a head of 256 tokens took %lld ms", timer.elapsed());
  }

 private:
  template <typename T>
  T* child(const char* name) const {
    T* found = m_view->findChild<T*>(QLatin1String(name));
    if (found == nullptr) qFatal("no %s", name);
    return found;
  }
  void openModels() {
    m_workspace->openProblems(QStringLiteral("seed"));
    m_workspace->openModels(QStringLiteral("seed-teacher"), QStringLiteral("seed-llamba"));
    QTRY_VERIFY_WITH_TIMEOUT(
        m_workspace->state() == Workspace::State::Ready && !m_workspace->problems().problems.empty(), 60000);
  }
  SelectionModel& selection() const { return m_workspace->selection(); }
  MatricesBoard* board() const { return m_view->findChild<MatricesBoard*>(); }
  /// Shows a set and goes to its first head.
  void show(MatrixSetPtr set) {
    m_view->showSet(std::move(set));
    QTRY_VERIFY(m_view->settled());
    selection().setLayer(0);
    selection().setHead(0);
    QTRY_VERIFY(m_view->settled());
    for (Plot* plot : m_view->plots()) plot->replot();
  }

  std::unique_ptr<Workspace> m_workspace;
  std::unique_ptr<MatricesView> m_view;
};

QTEST_MAIN(TestMatricesView)
#include "tst_matrices_view.moc"
