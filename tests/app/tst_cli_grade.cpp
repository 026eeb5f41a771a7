// `tandem-cli grade` as a process: what it prints where, and its exit codes.
#include <QFile>
#include <QJsonArray>
#include <QJsonDocument>
#include <QJsonObject>
#include <QProcess>
#include <QTemporaryDir>
#include <QTest>

class TestCliGrade : public QObject {
  Q_OBJECT

  QTemporaryDir m_folder;
  QByteArray m_output;
  QByteArray m_errors;

  /// Runs the command and returns its exit code; -1 if it did not end by itself.
  int run(const QStringList& arguments) {
    QProcess process;
    process.start(TANDEM_BIN "/tandem-cli", QStringList{"grade"} + arguments);
    if (!process.waitForFinished() || process.exitStatus() != QProcess::NormalExit) return -1;
    m_output = process.readAllStandardOutput();
    m_errors = process.readAllStandardError();
    return process.exitCode();
  }

 private slots:
  void agreementExitsWithZero() {
    QCOMPARE(run({"--vectors", TANDEM_TEST_DATA "/grading_vectors.json"}), 0);
    QVERIFY(m_output.startsWith("220 of 220 verdicts agree"));
    QVERIFY(m_errors.isEmpty());
    QCOMPARE(run({"--vectors", TANDEM_TEST_DATA "/grading_vectors.json", "--json"}), 0);
    const QJsonObject report = QJsonDocument::fromJson(m_output).object();
    QCOMPARE(report["total"].toInt(), 220);
    QCOMPARE(report["agreement"].toDouble(), 1.0);
    QVERIFY(report["disagreements"].toArray().isEmpty());
  }

  void disagreementExitsWithOne() {
    QFile file(m_folder.filePath("vectors.json"));
    QVERIFY(file.open(QIODevice::WriteOnly));
    file.write(R"([{"kind": "gsm8k", "prediction": "The answer is 4.", "gold": "4", "equal": true},
                   {"kind": "gsm8k", "prediction": "No idea.", "gold": "4", "equal": true, "note": "on purpose"}])");
    file.close();
    QCOMPARE(run({"--vectors", file.fileName()}), 1);
    QVERIFY(m_output.startsWith("1 of 2 verdicts agree"));
    QVERIFY(m_output.contains("case 1 (gsm8k): on purpose"));
    QCOMPARE(run({"--vectors", file.fileName(), "--json"}), 1);
    const QJsonObject report = QJsonDocument::fromJson(m_output).object();
    QCOMPARE(report["agreement"].toDouble(), 0.5);
    const QJsonObject item = report["disagreements"][0].toObject();
    QCOMPARE(item["index"].toInt(), 1);
    QVERIFY(item["answer"].isNull());
    QCOMPARE(item["equal"].toBool(), true);
  }

  void errorsGoToStandardError() {
    QCOMPARE(run({"--vectors", "/no/such/file.json"}), 1);
    QVERIFY(m_output.isEmpty());
    QVERIFY(m_errors.contains("/no/such/file.json"));
    QCOMPARE(run({}), 2);
    QVERIFY(m_errors.contains("--vectors"));
  }
};

QTEST_GUILESS_MAIN(TestCliGrade)
#include "tst_cli_grade.moc"
