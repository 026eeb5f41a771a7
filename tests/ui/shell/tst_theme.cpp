// Colours against the contrast the design asks for, number formats, and the linked selection.
#include <cmath>
#include <limits>

#include <QApplication>
#include <QSignalSpy>
#include <QTest>

#include "ui/format.h"
#include "ui/selection_model.h"
#include "ui/theme.h"

using namespace tandem::ui;

namespace {

double luminance(const QColor& color) {
  const auto linear = [](double v) { return v <= 0.04045 ? v / 12.92 : std::pow((v + 0.055) / 1.055, 2.4); };
  return 0.2126 * linear(color.redF()) + 0.7152 * linear(color.greenF()) + 0.0722 * linear(color.blueF());
}

double contrast(const QColor& a, const QColor& b) {
  const double la = luminance(a), lb = luminance(b);
  return (std::max(la, lb) + 0.05) / (std::min(la, lb) + 0.05);
}

}  // namespace

class TestTheme : public QObject {
  Q_OBJECT
 private slots:
  void textIsReadable_data() {
    QTest::addColumn<bool>("dark");
    QTest::newRow("light") << false;
    QTest::newRow("dark") << true;
  }

  void textIsReadable() {
    QFETCH(bool, dark);
    const Colors c = dark ? Theme::darkColors() : Theme::light();
    for (const QColor& ink : {c.text, c.secondaryText, c.teacher, c.student, c.majority, c.reward, c.correct,
                              c.wrong, c.warning, c.focus}) {
      QVERIFY2(contrast(ink, c.background) >= 4.5, qPrintable(ink.name()));
      QVERIFY2(contrast(ink, c.surface) >= 4.5, qPrintable(ink.name()));
    }
    QVERIFY(contrast(c.border, c.background) >= 2.95);
    for (Side side : {Side::Teacher, Side::Student}) QVERIFY(contrast(c.text, c.wash(side)) >= 7);
  }

  void modeSetsPaletteAndTells() {
    Theme& theme = Theme::instance();
    theme.setMode(ThemeMode::Light);
    QSignalSpy changed(&theme, &Theme::changed);
    theme.setMode(ThemeMode::Dark);
    QCOMPARE(changed.count(), 1);
    QVERIFY(theme.colors().dark);
    QCOMPARE(QApplication::palette().color(QPalette::Window), Theme::darkColors().background);
    {
      const Theme::LightScope light;
      QVERIFY(!theme.colors().dark);
    }
    QVERIFY(theme.colors().dark);
    QCOMPARE(changed.count(), 1);
  }

  void iconsExist_data() {
    QTest::addColumn<QString>("name");
    for (const char* name : {"race", "matrices", "throughput", "coverage", "run", "stop"}) {
      QTest::newRow(name) << QString::fromLatin1(name);
    }
  }

  void iconsExist() {
    QFETCH(QString, name);
    const QImage image = Theme::icon(name, Qt::red).pixmap(24).toImage();
    QVERIFY(!image.isNull());
    int inked = 0;
    for (int y = 0; y < image.height(); ++y) {
      for (int x = 0; x < image.width(); ++x) inked += image.pixelColor(x, y).alpha() > 128;
    }
    QVERIFY(inked > 20);
    QVERIFY(Theme::icon(QStringLiteral("no such icon")).isNull());
  }

  void numbersRead_data() {
    QTest::addColumn<QString>("shown");
    QTest::addColumn<QString>("wanted");
    const double nan = std::numeric_limits<double>::quiet_NaN();
    QTest::newRow("ms") << formatSeconds(0.3401) << QStringLiteral("340 ms");
    QTest::newRow("small ms") << formatSeconds(0.00512) << QStringLiteral("5.12 ms");
    QTest::newRow("s") << formatSeconds(5.1) << QStringLiteral("5.1 s");
    QTest::newRow("min") << formatSeconds(124) << QStringLiteral("2 min 04 s");
    QTest::newRow("unknown s") << formatSeconds(nan) << QStringLiteral("–");
    QTest::newRow("rate") << formatRate(171.4) << QStringLiteral("171 tok/s");
    QTest::newRow("high rate") << formatRate(12345) << QStringLiteral("12\u2009345 tok/s");
    QTest::newRow("no rate") << formatRate(-1) << QStringLiteral("–");
    QTest::newRow("bytes") << formatBytes(512) << QStringLiteral("512 B");
    QTest::newRow("GiB") << formatBytes(2.9 * 1024 * 1024 * 1024) << QStringLiteral("2.90 GiB");
    QTest::newRow("count") << formatCount(-1234567) << QStringLiteral("\u22121\u2009234\u2009567");
    QTest::newRow("plus") << formatDelta(0.07) << QStringLiteral("+0.07");
    QTest::newRow("minus") << formatDelta(-0.02) << QStringLiteral("\u22120.02");
    QTest::newRow("number") << formatNumber(-0.12345) << QStringLiteral("\u22120.123");
  }

  void numbersRead() {
    QFETCH(QString, shown);
    QTEST(shown, "wanted");
  }

  void selectionTellsWhatMoved() {
    SelectionModel selection;
    QSignalSpy changed(&selection, &SelectionModel::changed);
    selection.setCell(4, 2);
    QCOMPARE(changed.takeFirst().at(0).value<SelectionModel::Fields>(),
             SelectionModel::Query | SelectionModel::Key);
    selection.setCell(4, 3);
    QCOMPARE(changed.takeFirst().at(0).value<SelectionModel::Fields>(),
             SelectionModel::Fields(SelectionModel::Key));
    selection.setCell(4, 3);
    selection.setK(1);
    QVERIFY(changed.isEmpty());
    selection.setSeconds(2.5);
    QCOMPARE(selection.seconds(), 2.5);
    QCOMPARE(changed.count(), 1);
  }
};

QTEST_MAIN(TestTheme)
#include "tst_theme.moc"
