// The plot widget: theme, exports, table twin.
#include <QApplication>
#include <QFile>
#include <QMenu>
#include <QSignalSpy>
#include <QTableView>
#include <QTemporaryDir>
#include <QTest>

#include "ui/theme.h"
#include "ui/widgets/plot.h"

using namespace tandem::ui;

namespace {

PlotTable sampleTable() {
  return {
      {QStringLiteral("seconds"), QStringLiteral("label, quoted")},
      {{QStringLiteral("0.5"), QStringLiteral("a \"b\"")}, {QStringLiteral("1.25"), QStringLiteral("c")}}};
}

}  // namespace

class TestPlot : public QObject {
  Q_OBJECT
 private slots:
  void init() {
    Theme::instance().setMode(ThemeMode::Dark);
    Plot::setProvenance(QStringLiteral("Tandem test, seed 7, LIVE"));
    m_plot = std::make_unique<Plot>(QStringLiteral("samplePlot"));
    m_plot->resize(600, 400);
    m_plot->setTitle(QStringLiteral("Sample"));
    m_plot->setTableSource(sampleTable);
    m_plot->addGraph()->setData({0.5, 1.25}, {1, 2});
    m_plot->rescaleAxes();
    m_plot->graph(0)->setPen(Plot::sidePen(0));
    connect(m_plot.get(), &Plot::themeApplied, m_plot.get(),
            [this] { m_plot->graph(0)->setPen(Plot::sidePen(0)); });
  }

  void followsTheTheme() {
    QCOMPARE(m_plot->xAxis->labelColor(), Theme::darkColors().text);
    QSignalSpy applied(m_plot.get(), &Plot::themeApplied);
    Theme::instance().setMode(ThemeMode::Light);
    QCOMPARE(applied.count(), 1);
    QCOMPARE(m_plot->xAxis->labelColor(), Theme::light().text);
    QCOMPARE(m_plot->graph(0)->pen().color(), Theme::light().teacher);
  }

  void sidesDifferByColourAndDash() {
    QCOMPARE(Plot::sidePen(0).style(), Qt::SolidLine);
    QCOMPARE(Plot::sidePen(1).style(), Qt::DashLine);
    QVERIFY(Plot::sidePen(0).color() != Plot::sidePen(1).color());
  }

  void exportsOnWhiteWithProvenance_data() {
    QTest::addColumn<QString>("suffix");
    QTest::addColumn<QByteArray>("magic");
    QTest::newRow("png") << QStringLiteral("png") << QByteArray("\x89PNG");
    QTest::newRow("svg") << QStringLiteral("svg") << QByteArray("<?xml");
    QTest::newRow("pdf") << QStringLiteral("pdf") << QByteArray("%PDF");
    QTest::newRow("csv") << QStringLiteral("csv")
                         << QByteArray("seconds,\"label, quoted\"\n0.5,\"a \"\"b\"\"\"\n1.25,c\n");
  }

  void exportsOnWhiteWithProvenance() {
    QFETCH(QString, suffix);
    QFETCH(QByteArray, magic);
    const QTemporaryDir folder;
    const QString path = folder.filePath(QStringLiteral("plot.") + suffix);
    QCOMPARE(m_plot->exportTo(path), QString());
    QFile file(path);
    QVERIFY(file.open(QIODevice::ReadOnly));
    const QByteArray bytes = file.readAll();
    QVERIFY2(bytes.startsWith(magic), bytes.left(80).constData());
    if (suffix == QLatin1String("svg")) {
      QVERIFY(bytes.contains("Tandem test, seed 7, LIVE"));
      QVERIFY(bytes.contains("#0b5cad"));  // the light teacher, though the window is dark
    }
    QCOMPARE(m_plot->graph(0)->pen().color(), Theme::darkColors().teacher);
    QCOMPARE(m_plot->xAxis->labelColor(), Theme::darkColors().text);
  }

  void exportedImageIsLight() {
    const QImage image = m_plot->exportImage(2);
    QCOMPARE(image.width(), 1200);
    QCOMPARE(image.pixelColor(2, 2), QColor(Qt::white));
    bool teacherInk = false;
    for (int y = 0; y < image.height() && !teacherInk; ++y) {
      for (int x = 0; x < image.width(); ++x) teacherInk |= image.pixelColor(x, y) == Theme::light().teacher;
    }
    QVERIFY(teacherInk);
  }

  void exportSaysWhyItFailed() {
    QVERIFY(m_plot->exportTo(QStringLiteral("/tmp/plot.bmp")).contains(QLatin1String(".svg")));
    QVERIFY(
        m_plot->exportTo(QStringLiteral("/no/such/folder/plot.png")).startsWith(QLatin1String("/no/such")));
  }

  void emptyTextIsPainted() {
    Plot plot(QStringLiteral("empty"));
    plot.resize(400, 300);
    const QImage before = plot.grab().toImage();
    plot.setEmptyText(QStringLiteral("Press Run to fill this plot"));
    QVERIFY(plot.grab().toImage() != before);
    plot.setEmptyText(QString());
    QCOMPARE(plot.grab().toImage(), before);
  }

  void tableTwinHoldsTheNumbers() {
    m_plot->showTable();
    auto* view = m_plot->findChild<QTableView*>(QStringLiteral("plotTable"));
    QVERIFY(view);
    QCOMPARE(view->model()->rowCount(), 2);
    QCOMPARE(view->model()->headerData(1, Qt::Horizontal).toString(), QStringLiteral("label, quoted"));
    QCOMPARE(view->model()->index(1, 0).data().toString(), QStringLiteral("1.25"));
  }

 private:
  std::unique_ptr<Plot> m_plot;
};

QTEST_MAIN(TestPlot)
#include "tst_plot.moc"
