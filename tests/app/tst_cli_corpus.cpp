// `tandem-cli corpus` and `tandem-cli tokenizer` as processes.
#include <QFile>
#include <QJsonDocument>
#include <QJsonObject>
#include <QProcess>
#include <QTemporaryDir>
#include <QTest>

class TestCliCorpus : public QObject {
  Q_OBJECT

  QTemporaryDir m_folder;
  QByteArray m_output;
  QByteArray m_errors;

  /// Runs a command and returns its exit code; -1 if it did not end by itself.
  int run(const QStringList& arguments) {
    QProcess process;
    process.start(TANDEM_BIN "/tandem-cli", arguments);
    if (!process.waitForFinished() || process.exitStatus() != QProcess::NormalExit) return -1;
    m_output = process.readAllStandardOutput();
    m_errors = process.readAllStandardError();
    return process.exitCode();
  }
  QByteArray read(const QString& name) {
    QFile file(m_folder.filePath(name));
    return file.open(QIODevice::ReadOnly) ? file.readAll() : QByteArray();
  }

 private slots:
  void writesProblemsAndATokenizer() {
    const QString corpus = m_folder.filePath("train.jsonl");
    QCOMPARE(run({"corpus", "--seed", "3", "--count", "1200", "--direct-share", "0.2", "--out", corpus}), 0);
    QVERIFY(m_output.startsWith("1200 training problems of seed 3"));
    const QList<QByteArray> lines = read("train.jsonl").trimmed().split('\n');
    QCOMPARE(lines.size(), 1200);
    const QJsonObject first = QJsonDocument::fromJson(lines.front()).object();
    QVERIFY(first["question"].toString().endsWith('?'));
    QVERIFY(first["answer"].toString().contains("\n#### "));

    const QString tokenizer = m_folder.filePath("tokenizer.json");
    QCOMPARE(run({"tokenizer", "--corpus", corpus, "--vocab", "500", "--out", tokenizer, "--json"}), 0);
    QCOMPARE(QJsonDocument::fromJson(m_output).object()["vocab"].toInt(), 500);
    QCOMPARE(QJsonDocument::fromJson(read("tokenizer.json"))
                 .object()["model"]
                 .toObject()["vocab"]
                 .toObject()
                 .size(),
             500);
  }

  void sameSeedSameFileAndSetsAreApart() {
    for (const char* name : {"a.jsonl", "b.jsonl"})
      QCOMPARE(run({"corpus", "--seed", "9", "--count", "50", "--out", m_folder.filePath(name)}), 0);
    QCOMPARE(read("a.jsonl"), read("b.jsonl"));
    QCOMPARE(
        run({"corpus", "--seed", "9", "--count", "50", "--heldout", "--out", m_folder.filePath("h.jsonl")}),
        0);
    for (const QByteArray& line : read("h.jsonl").trimmed().split('\n'))
      QVERIFY(!read("a.jsonl").contains(line));
  }

  void errorsAreNamed() {
    const QString out = m_folder.filePath("x.jsonl");
    QCOMPARE(run({"corpus", "--seed", "1", "--count", "5", "--max-steps", "12", "--out", out}), 1);
    QVERIFY(m_errors.contains("2 to 8 steps"));
    QCOMPARE(run({"corpus", "--seed", "1", "--out", out}), 2);
    QVERIFY(m_errors.contains("--count"));
    QCOMPARE(run({"corpus", "--seed", "1", "--count", "5", "--out", "/no/such/folder/x.jsonl"}), 1);
    QVERIFY(m_errors.contains("/no/such/folder/x.jsonl"));
    QCOMPARE(run({"tokenizer", "--corpus", "/no/such/file.jsonl", "--out", out}), 1);
    QVERIFY(m_errors.contains("/no/such/file.jsonl"));
    QVERIFY(!QFile::exists(out));
  }
};

QTEST_GUILESS_MAIN(TestCliCorpus)
#include "tst_cli_corpus.moc"
