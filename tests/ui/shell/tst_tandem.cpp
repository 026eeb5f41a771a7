// The application as a process: its arguments, its exit codes, and a picture.
#include <QImage>
#include <QProcess>
#include <QTemporaryDir>
#include <QTest>

class TestTandem : public QObject {
  Q_OBJECT

  struct Outcome {
    int code = -1;
    QByteArray out, err;
  };
  static Outcome start(const QStringList& arguments) {
    QProcess process;
    process.start(QStringLiteral(TANDEM_BIN "/tandem"), arguments);
    Outcome outcome;
    if (!process.waitForFinished(120000)) return outcome;
    outcome.code = process.exitStatus() == QProcess::NormalExit ? process.exitCode() : -1;
    outcome.out = process.readAllStandardOutput();
    outcome.err = process.readAllStandardError();
    return outcome;
  }

 private slots:
  void tellsItsVersionAndOptions() {
    const Outcome version = start({"--version"});
    QCOMPARE(version.code, 0);
    QVERIFY(version.out.startsWith("tandem "));
    const Outcome help = start({"--help"});
    QCOMPARE(help.code, 0);
    for (const char* option :
         {"--view", "--theme", "--screenshot", "--size", "--session", "--teacher", "--device"}) {
      QVERIFY2(help.out.contains(option), option);
    }
  }

  void wrongUsageIsNamed_data() {
    QTest::addColumn<QStringList>("arguments");
    QTest::addColumn<QByteArray>("named");
    QTest::newRow("option") << QStringList{"--frobnicate"} << QByteArray("frobnicate");
    QTest::newRow("view") << QStringList{"--view", "garden"} << QByteArray("garden");
    QTest::newRow("theme") << QStringList{"--theme", "pink"} << QByteArray("pink");
    QTest::newRow("size") << QStringList{"--size", "12"} << QByteArray("WIDTHxHEIGHT");
    QTest::newRow("scale") << QStringList{"--scale", "99"} << QByteArray("99");
    QTest::newRow("device") << QStringList{"--device", "cuda:99"} << QByteArray("no device cuda:99");
    QTest::newRow("path") << QStringList{"/no/such.tandem"} << QByteArray("/no/such.tandem");
    QTest::newRow("two paths") << QStringList{"a.tandem", "b.tandem"} << QByteArray("at a time");
  }

  void wrongUsageIsNamed() {
    QFETCH(QStringList, arguments);
    QFETCH(QByteArray, named);
    const Outcome outcome = start(arguments);
    QCOMPARE(outcome.code, 2);
    QVERIFY2(outcome.err.contains(named), outcome.err.constData());
    QVERIFY(outcome.out.isEmpty());
  }

  void takesAPicture() {
    const QTemporaryDir folder;
    const QString path = folder.filePath(QStringLiteral("race.png"));
    const Outcome outcome = start(
        {"--view", "race", "--theme", "dark", "--size", "1100x700", "--scale", "1.5", "--screenshot", path});
    QVERIFY2(outcome.code == 0, outcome.err.constData());
    const QImage image(path);
    QCOMPARE(image.size(), QSize(1650, 1050));
    QCOMPARE(image.pixelColor(image.width() / 2, 4), QColor(0x14181D));
  }

  void saysWhenAPictureCannotBeWritten() {
    const Outcome outcome = start({"--screenshot", "/no/such/folder/race.png"});
    QCOMPARE(outcome.code, 1);
    QVERIFY(outcome.err.contains("/no/such/folder/race.png"));
  }
};

QTEST_GUILESS_MAIN(TestTandem)
#include "tst_tandem.moc"
