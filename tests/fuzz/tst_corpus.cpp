// Replays the corpus of a fuzz target; what goes wrong aborts.
#include <cstdint>

#include <QDir>
#include <QFile>
#include <QTest>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

class TestCorpus : public QObject {
  Q_OBJECT

 private slots:
  void replays_data() {
    QTest::addColumn<QString>("path");
    for (const QFileInfo& file : QDir(TANDEM_CORPUS).entryInfoList(QDir::Files))
      QTest::newRow(qPrintable(file.fileName())) << file.filePath();
  }

  void replays() {
    QFETCH(QString, path);
    QFile file(path);
    QVERIFY(file.open(QIODevice::ReadOnly));
    const QByteArray bytes = file.readAll();
    QCOMPARE(LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(bytes.constData()),
                                    static_cast<std::size_t>(bytes.size())),
             0);
  }
};

QTEST_APPLESS_MAIN(TestCorpus)
#include "tst_corpus.moc"
