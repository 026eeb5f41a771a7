// One map driven by the mouse: hover, click, zoom and pan, axes, colours of masked cells, exports.
#include <QSignalSpy>
#include <QTemporaryDir>
#include <QTest>

#include "tests/ui/matrices/matrix_fixture.h"
#include "ui/theme.h"
#include "ui/widgets/matrix_plot.h"

using namespace tandem::ui;

class TestMatrixPlot : public QObject {
  Q_OBJECT
 private slots:
  void init() {
    Theme::instance().setMode(ThemeMode::Light);
    m_plot = std::make_unique<MatrixPlot>(QStringLiteral("map"));
    m_plot->resize(420, 460);
    m_plot->setTokens(m_set->tokens);
    FrameRequest request;
    request.set = m_set;
    m_frame = makeHeadFrame(request);
    m_plot->setMap(m_frame->map(MapKind::Teacher));
    m_plot->show();
    QVERIFY(QTest::qWaitForWindowExposed(m_plot.get()));
    m_plot->replot();
  }
  void cleanup() { m_plot.reset(); }

  void cells_are_square() {
    const QPointF a = m_plot->cellCentre(0, 0), b = m_plot->cellCentre(10, 10);
    QCOMPARE(b.x() - a.x(), b.y() - a.y());
    m_plot->resize(600, 400);
    m_plot->replot();
    const QRect map = m_plot->axisRect()->rect();
    QVERIFY(std::abs(map.width() - map.height()) <= 1);
  }

  void hover_names_the_cell() {
    QSignalSpy hovered(m_plot.get(), &MatrixPlot::cellHovered);
    QTest::mouseMove(m_plot.get(), m_plot->cellCentre(9, 4).toPoint());
    QTRY_VERIFY(!hovered.isEmpty());
    QCOMPARE(hovered.last().at(0).toInt(), 9);
    QCOMPARE(hovered.last().at(1).toInt(), 4);
    QCOMPARE(m_plot->cellAt(QPointF(2, 2)), QPoint(-1, -1));
  }

  void click_is_not_a_drag() {
    QSignalSpy clicked(m_plot.get(), &MatrixPlot::cellClicked);
    const QPoint at = m_plot->cellCentre(6, 5).toPoint();
    QTest::mouseClick(m_plot.get(), Qt::LeftButton, {}, at);
    QCOMPARE(clicked.count(), 1);
    QCOMPARE(clicked.last().at(0).toInt(), 6);
    QTest::mousePress(m_plot.get(), Qt::LeftButton, {}, at);
    QTest::mouseMove(m_plot.get(), at + QPoint(40, 40));
    QTest::mouseRelease(m_plot.get(), Qt::LeftButton, {}, at + QPoint(40, 40));
    QCOMPARE(clicked.count(), 1);
  }

  void view_stays_inside_the_text() {
    QSignalSpy moved(m_plot.get(), &MatrixPlot::visibleTokensChanged);
    m_plot->xAxis->setRange(-20, -12);
    QCOMPARE(m_plot->visibleKeys().lower, -0.5);
    QCOMPARE(m_plot->visibleKeys().upper, 7.5);
    m_plot->xAxis->setRange(-50, 90);
    QCOMPARE(m_plot->visibleKeys().size(), 12.0);
    m_plot->xAxis->setRange(5, 5.1);
    QCOMPARE(m_plot->visibleKeys().size(), 4.0);
    QCOMPARE(moved.count(), 3);
  }

  void labels_are_thinned_when_they_do_not_fit() {
    const auto labelled = [this] {
      QVector<double> ticks;
      QVector<QString> labels;
      m_plot->xAxis->ticker()->generate(m_plot->xAxis->range(), QLocale(), QLatin1Char('g'), 6, ticks,
                                        nullptr, &labels);
      return labels;
    };
    QCOMPARE(labelled().size(), 12);
    QCOMPARE(labelled().at(3), QStringLiteral("tok3"));
    m_plot->resize(190, 220);
    m_plot->replot();
    QVERIFY(labelled().size() < 12);
    QVERIFY(labelled().contains(QStringLiteral("tok0")));
  }

  void masked_cells_are_hatched_not_coloured() {
    const QImage image = m_plot->grab().toImage();
    const auto colours = [&](int query, int key) {
      QSet<QRgb> found;
      const QPoint centre = m_plot->cellCentre(query, key).toPoint();
      for (int dx = -8; dx <= 8; ++dx)
        for (int dy = -8; dy <= 8; ++dy) found.insert(image.pixel(centre + QPoint(dx, dy)));
      return found;
    };
    const Colors light = Theme::light();
    for (const QRgb pixel : colours(2, 9))
      QVERIFY(pixel == light.background.rgb() || pixel == light.hatch.rgb());
    QCOMPARE(colours(9, 2).size(), 1);  // a cell has one colour
    QVERIFY(!colours(9, 2).contains(light.background.rgb()));
  }

  void crosshair_ticks_the_bar_and_repaints_only_its_layer() {
    QSignalSpy replots(m_plot.get(), &QCustomPlot::afterReplot);
    const QImage before = m_plot->grab().toImage();
    replots.clear();
    m_plot->setCrosshair(7, 3, 0.1);
    QCOMPARE(replots.count(), 0);
    QVERIFY(m_plot->grab().toImage() != before);
    m_plot->setCrosshair(-1, -1, {});
    QCOMPARE(m_plot->grab().toImage(), before);
  }

  void a_frame_without_cells_says_why() {
    MapFrame empty;
    empty.reason = QStringLiteral("Nothing here.");
    m_plot->setMap(empty);
    QVERIFY(!m_plot->hasMap());
    QCOMPARE(m_plot->emptyText(), QStringLiteral("Nothing here."));
    QCOMPARE(m_plot->cellAt(m_plot->cellCentre(5, 2)), QPoint(-1, -1));
  }

  void exports_in_light_whatever_the_theme() {
    QTemporaryDir folder;
    Theme::instance().setMode(ThemeMode::Dark);
    for (const char* suffix : {"png", "svg", "pdf"})
      QCOMPARE(m_plot->exportTo(folder.filePath(QStringLiteral("map.%1").arg(QLatin1String(suffix)))),
               QString());
    const QImage image(folder.filePath(QStringLiteral("map.png")));
    QCOMPARE(image.pixelColor(1, image.height() / 2), QColor(Qt::white));
    QCOMPARE(Theme::instance().colors().dark, true);
  }

 private:
  std::shared_ptr<MatrixSet> m_set = fixture::makeSet();
  std::shared_ptr<HeadFrame> m_frame;
  std::unique_ptr<MatrixPlot> m_plot;
};

QTEST_MAIN(TestMatrixPlot)
#include "tst_matrix_plot.moc"
