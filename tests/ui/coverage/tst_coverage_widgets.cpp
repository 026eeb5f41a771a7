// The parts of the Coverage view: logarithmic slider, outcome strip, plot with cursors, power of ten ticks.
#include <cmath>

#include <QDoubleSpinBox>
#include <QElapsedTimer>
#include <QSignalSpy>
#include <QSlider>
#include <QTest>

#include "ui/views/coverage_plot.h"
#include "ui/widgets/outcome_strip.h"
#include "ui/widgets/tickers.h"
#include "ui/widgets/value_slider.h"

using namespace tandem::ui;

namespace {

CoverageCurve risingCurve(Side side) {
  CoverageCurve curve;
  curve.label = sideName(side);
  curve.side = side;
  for (int k = 1; k <= 64; ++k) {
    curve.x << k;
    curve.mean << 1 - 0.5 / std::sqrt(k);
    curve.low << curve.mean.last() - 0.1;
    curve.high << curve.mean.last() + 0.1;
  }
  return curve;
}

QVector<double> tickValues(double low, double high) {
  QCustomPlot plot;
  setLogarithmic(*plot.xAxis, true);
  plot.xAxis->setRange(low, high);
  plot.replot();
  return plot.xAxis->tickVector();
}

}  // namespace

class TestCoverageWidgets : public QObject {
  Q_OBJECT
 private slots:
  void sliderIsLogarithmic() {
    ValueSlider slider(ValueSlider::Scale::Seconds, QStringLiteral("seconds"), QStringLiteral("s"));
    slider.setRange(0.1, 10);
    slider.setValue(0.2);
    auto* bar = slider.findChild<QSlider*>(QStringLiteral("sSlider"));
    QSignalSpy changed(&slider, &ValueSlider::valueChanged);
    bar->setValue(bar->maximum() / 2);
    QCOMPARE(changed.size(), 1);
    QVERIFY(std::abs(slider.value() - 1) < 1e-9);  // the geometric middle
    slider.setValue(0.5);
    QCOMPARE(changed.size(), 1);  // not by the user
    slider.setValue(99);
    QCOMPARE(slider.value(), 10.0);
  }

  void sliderKeys() {
    ValueSlider slider(ValueSlider::Scale::Count, QStringLiteral("k"), QStringLiteral("k"));
    slider.setRange(1, 64);
    slider.setValue(5);
    auto* bar = slider.findChild<QSlider*>(QStringLiteral("kSlider"));
    const auto press = [&](Qt::Key key) {
      QTest::keyClick(bar, key);
      return slider.value();
    };
    QCOMPARE(press(Qt::Key_Right), 6.0);
    QCOMPARE(press(Qt::Key_Left), 5.0);
    QCOMPARE(press(Qt::Key_PageUp), 10.0);
    QCOMPARE(press(Qt::Key_PageDown), 5.0);
    QCOMPARE(press(Qt::Key_PageDown), 3.0);  // 2.5, rounded away from zero
    QCOMPARE(press(Qt::Key_End), 64.0);
    QCOMPARE(press(Qt::Key_Right), 64.0);
    QCOMPARE(press(Qt::Key_Home), 1.0);
  }

  void typedValuesAreExact() {
    ValueSlider slider(ValueSlider::Scale::Seconds, QStringLiteral("seconds"), QStringLiteral("s"));
    slider.setRange(0.01234567, 7);
    QSignalSpy typed(&slider, &ValueSlider::typed);
    auto* box = slider.findChild<QDoubleSpinBox*>();
    box->setFocus();
    box->selectAll();
    QTest::keyClicks(box, QStringLiteral("0.4567"));
    QTest::keyClick(box, Qt::Key_Return);
    QCOMPARE(slider.value(), 0.4567);
    QCOMPARE(typed.size(), 1);
    box->selectAll();
    QTest::keyClicks(box, QStringLiteral("0.0124"));
    QTest::keyClick(box, Qt::Key_Return);
    QCOMPARE(slider.value(), 0.0124);
  }

  void stripChooses() {
    OutcomeStrip strip(QStringLiteral("strip"));
    QVector<OutcomeCell> cells(50);
    for (int i = 0; i < cells.size(); ++i)
      cells[i] = {static_cast<OutcomeCell::Solved>(i % 4), QString::number(i)};
    strip.setCells(cells);
    strip.resize(400, strip.heightForWidth(400));
    strip.show();
    QSignalSpy activated(&strip, &OutcomeStrip::activated);
    QTest::mouseClick(&strip, Qt::LeftButton, {}, strip.cellRect(33).center());
    QCOMPARE(activated.takeFirst().first().toInt(), 33);
    QCOMPARE(strip.current(), 33);
    QTest::keyClick(&strip, Qt::Key_Right);
    QCOMPARE(activated.takeFirst().first().toInt(), 34);
    QTest::keyClick(&strip, Qt::Key_End);
    QTest::keyClick(&strip, Qt::Key_Right);
    QCOMPARE(strip.current(), 49);
    QCOMPARE(strip.accessibleDescription(), QStringLiteral("49"));
    QTest::keyClick(&strip, Qt::Key_Home);
    QTest::keyClick(&strip, Qt::Key_Up);  // nothing above
    QCOMPARE(strip.current(), 0);
    activated.clear();
    QTest::mouseClick(&strip, Qt::LeftButton, {}, QPoint(399, strip.height() - 1));  // beside the last cell
    QVERIFY(activated.isEmpty());
    for (int i = 0; i < cells.size(); ++i) QVERIFY(strip.rect().contains(strip.cellRect(i)));
  }

  void stripWrapsLargeSets() {
    OutcomeStrip strip(QStringLiteral("strip"));
    strip.setCells(QVector<OutcomeCell>(1319));
    strip.resize(1000, strip.heightForWidth(1000));
    QVERIFY(strip.height() < 80);
    QVERIFY(strip.rect().contains(strip.cellRect(1318)));
  }

  void shapesDifferWithoutColour() {
    const auto painted = [](OutcomeCell::Solved solved) {
      QImage image(24, 24, QImage::Format_Grayscale8);
      image.fill(Qt::white);
      QPainter painter(&image);
      OutcomeStrip::paintGlyph(painter, image.rect(), solved);
      painter.end();
      for (int y = 0; y < image.height(); ++y)  // only where there is ink
        for (int x = 0; x < image.width(); ++x) image.scanLine(y)[x] = image.scanLine(y)[x] < 250 ? 0 : 255;
      return image;
    };
    const QVector<QImage> shapes{
        painted(OutcomeCell::Solved::None), painted(OutcomeCell::Solved::TeacherOnly),
        painted(OutcomeCell::Solved::StudentOnly), painted(OutcomeCell::Solved::Both)};
    for (int i = 0; i < shapes.size(); ++i)
      for (int j = 0; j < i; ++j) QVERIFY(shapes[i] != shapes[j]);
  }

  void draggingRepaintsOnlyTheCursor() {
    CoveragePlot plot(QStringLiteral("plot"), QStringLiteral("k"), 2);
    plot.resize(640, 400);
    plot.setCurves({risingCurve(Side::Teacher), risingCurve(Side::Student)});
    plot.show();
    QVERIFY(QTest::qWaitForWindowExposed(&plot));
    QCoreApplication::processEvents();  // the queued replot of what was set
    QSignalSpy replotted(&plot, &QCustomPlot::beforeReplot);
    QSignalSpy dragged(&plot, &CoveragePlot::cursorDragged);
    connect(&plot, &CoveragePlot::cursorDragged, &plot, [&](double x) {
      plot.setCursors({{x, std::nullopt, QString::number(x)}});
    });
    const QRect axes = plot.axisRect()->rect();
    QTest::mousePress(&plot, Qt::LeftButton, {}, axes.center());
    QElapsedTimer timer;
    timer.start();
    const int steps = 60;
    for (int i = 0; i < steps; ++i) {
      QMouseEvent move(QEvent::MouseMove, QPointF(axes.left() + i * axes.width() / steps, axes.center().y()),
                       plot.mapToGlobal(QPointF()), Qt::NoButton, Qt::LeftButton, Qt::NoModifier);
      QCoreApplication::sendEvent(&plot, &move);
      plot.repaint();
    }
    const double perStep = static_cast<double>(timer.elapsed()) / steps;
    QTest::mouseRelease(&plot, Qt::LeftButton, {}, axes.center());
    QCOMPARE(dragged.size(), steps + 1);
    QVERIFY(replotted.isEmpty());
    QVERIFY2(perStep < 33, qPrintable(QStringLiteral("%1 ms a step").arg(perStep)));  // 30 Hz
    QVERIFY(dragged.last().first().toDouble() > dragged.at(1).first().toDouble());
    QCOMPARE(plot.cursors().size(), 1);
  }

  void cursorStaysInsideTheAxes() {
    CoveragePlot plot(QStringLiteral("plot"), QStringLiteral("k"), 2);
    plot.resize(640, 400);
    plot.setCurves({risingCurve(Side::Teacher)});
    plot.show();
    QVERIFY(QTest::qWaitForWindowExposed(&plot));
    plot.replot();
    QSignalSpy dragged(&plot, &CoveragePlot::cursorDragged);
    QTest::mouseClick(&plot, Qt::LeftButton, {}, QPoint(2, 2));  // outside: not a drag
    QVERIFY(dragged.isEmpty());
    QTest::mousePress(&plot, Qt::LeftButton, {}, plot.axisRect()->rect().center());
    QMouseEvent move(QEvent::MouseMove, QPointF(5000, 10), QPointF(5000, 10), Qt::NoButton, Qt::LeftButton,
                     Qt::NoModifier);
    QCoreApplication::sendEvent(&plot, &move);
    QVERIFY(dragged.last().first().toDouble() <= plot.xAxis->range().upper * 1.001);
  }

  void logTicks() {
    const QVector<double> few = tickValues(0.04, 1.1);
    for (const double wanted : {0.05, 0.1, 0.2, 0.5, 1.0})
      QVERIFY(std::any_of(few.begin(), few.end(), [=](double t) { return std::abs(t / wanted - 1) < 1e-9; }));
    for (const double tick : tickValues(1e-3, 1e5))
      QVERIFY(std::abs(std::log10(tick) - std::round(std::log10(tick))) < 1e-9);
  }
};

QTEST_MAIN(TestCoverageWidgets)
#include "tst_coverage_widgets.moc"
