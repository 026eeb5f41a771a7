// The models at hand: remembered, described, compared, refused in words, loaded; a tokenizer asked for.
#include <QAbstractItemModelTester>
#include <QCheckBox>
#include <QComboBox>
#include <QDir>
#include <QDragEnterEvent>
#include <QFile>
#include <QLabel>
#include <QMimeData>
#include <QPushButton>
#include <QSettings>
#include <QSignalSpy>
#include <QTableWidget>
#include <QTemporaryDir>
#include <QTest>
#include <QTextBrowser>
#include <QTreeView>

#include "core/base/resources.h"
#include "kernels/ops/matmul.h"
#include "tests/support/ui_fixture.h"
#include "ui/main_window.h"
#include "ui/model_manager.h"

using namespace tandem::ui;
using namespace tandem::test;

namespace {

const QString kLlamba = QStringLiteral(TANDEM_TEST_DATA "/models/llamba");  // has no tokenizer
const QString kHybrid = QStringLiteral(TANDEM_TEST_DATA "/models/hybrid-mamba2");

QString tokenizerFile() {
  return QString::fromStdString(tandem::resource_path("models/seed-teacher/tokenizer.json"));
}

QStringList column(const QAbstractItemModel& model, int column) {
  QStringList texts;
  for (int row = 0; row < model.rowCount(); ++row) texts << model.index(row, column).data().toString();
  return texts;
}

}  // namespace

class TestModelManager : public QObject {
  Q_OBJECT

  std::unique_ptr<Workspace> m_workspace;
  std::unique_ptr<ModelManager> m_manager;

  template <typename T>
  T* part(const char* name) const {
    return m_manager->findChild<T*>(QLatin1String(name));
  }
  QAbstractItemModel& list() const { return *part<QTreeView>("modelList")->model(); }
  QString shown() const { return part<QLabel>("modelName")->text(); }
  bool hasFact(const QString& text) const {
    return !part<QTableWidget>("modelFacts")->findItems(text, Qt::MatchStartsWith).isEmpty();
  }

 private slots:
  void init() {
    use_own_data_folder();
    m_workspace = std::make_unique<Workspace>();
    m_manager = std::make_unique<ModelManager>(*m_workspace);
    m_manager->show();
    QVERIFY(QTest::qWaitForWindowExposed(m_manager.get()));
  }
  void cleanup() {
    m_manager.reset();
    m_workspace.reset();
  }

  void theLatestModelsAreRemembered() {
    RecentModels recent;
    for (int i = 0; i < RecentModels::kKept + 2; ++i) recent.add(QStringLiteral("/m/%1").arg(i));
    QCOMPARE(recent.entries().size(), RecentModels::kKept);
    QCOMPARE(recent.entries().front().path, QStringLiteral("/m/11"));
    recent.add(QStringLiteral("/m/5/"), QStringLiteral("/t"));
    recent.add(QStringLiteral("/m/../m/5"));
    QCOMPARE(recent.entries().front(), (RecentModels::Entry{QStringLiteral("/m/5"), QStringLiteral("/t")}));
    QCOMPARE(recent.entries().size(), RecentModels::kKept);
    const QTemporaryDir folder;
    QSettings settings(folder.filePath(QStringLiteral("s.ini")), QSettings::IniFormat);
    recent.save(settings);
    recent.remove(QStringLiteral("/m/5"));
    QCOMPARE(recent.entries().size(), RecentModels::kKept - 1);
    RecentModels restored;
    restored.restore(settings);
    QCOMPARE(restored.entries().size(), RecentModels::kKept);
    QCOMPARE(restored.tokenizer(QStringLiteral("/m/5")), QStringLiteral("/t"));
    settings.setValue(QStringLiteral("models/recent/size"), QStringLiteral("nonsense"));
    restored.restore(settings);
    QVERIFY(restored.entries().isEmpty());
  }

  void theListSaysWhatIsLoadedAndMissing() {
    const QAbstractItemModelTester tester(&list(), QAbstractItemModelTester::FailureReportingMode::QtTest);
    m_workspace->recentModels().add(QStringLiteral("/no/such/model"));
    m_workspace->openModels(QStringLiteral("seed-teacher"), QStringLiteral("seed-llamba"));
    QTRY_COMPARE_WITH_TIMEOUT(m_workspace->state(), Workspace::State::Ready, 30000);
    const QStringList names = column(list(), ModelList::NameColumn);
    const QStringList notes = column(list(), ModelList::NoteColumn);
    QCOMPARE(names.front(), QStringLiteral("model"));
    QCOMPARE(notes.front(), QStringLiteral("missing"));
    QVERIFY(notes[names.indexOf("seed-teacher")].contains(QStringLiteral("Teacher")));
    QVERIFY(notes[names.indexOf("seed-llamba")].contains(QStringLiteral("Student")));
    QCOMPARE(notes[names.indexOf("seed-hybrid")], QStringLiteral("bundled"));
    QCOMPARE(m_workspace->recentModels().entries().size(), 1);  // the bundled ones are in the list anyway

    auto* view = part<QTreeView>("modelList");
    view->setCurrentIndex(list().index(0, 0));
    QTRY_VERIFY(part<QLabel>("modelPath")->text().contains(QStringLiteral("/no/such/model: no such file")));
    QVERIFY(!part<QPushButton>("loadTeacher")->isEnabled());
    QTest::mouseClick(part<QPushButton>("removeModel"), Qt::LeftButton);
    QVERIFY(!column(list(), ModelList::NoteColumn).contains(QStringLiteral("missing")));
    QCOMPARE(view->currentIndex().data().toString(), column(list(), ModelList::NameColumn).front());
    QVERIFY(!part<QPushButton>("removeModel")->isEnabled());
  }

  void saysWhereToGetModels() {
    auto* text = part<QTextBrowser>("publicModels");
    part<QTreeView>("modelList")->setCurrentIndex(list().index(0, 0));
    QVERIFY(!text->isVisible());
    QTest::mouseClick(part<QPushButton>("getModels"), Qt::LeftButton);
    QVERIFY(text->isVisible());
    for (const char* name :
         {"Llama-3.2-1B-Instruct", "Llamba-1B", "MambaInLlama1B_Distill_MATH", "Apache-2.0"})
      QVERIFY(text->toPlainText().contains(QLatin1String(name)));
    part<QTreeView>("modelList")->setCurrentIndex(list().index(1, 0));
    QVERIFY(!text->isVisible());
  }

  void twoModelsAreCompared() {
    m_workspace->openModels(QStringLiteral("seed-teacher"), QStringLiteral("seed-llamba"));
    QTRY_COMPARE_WITH_TIMEOUT(m_workspace->state(), Workspace::State::Ready, 30000);
    m_manager->compareLoaded();
    auto* facts = part<QTableWidget>("modelFacts");
    QTRY_COMPARE(facts->columnCount(), 4);
    QCOMPARE(shown(), QStringLiteral("seed-teacher"));
    QCOMPARE(part<QComboBox>("compareModel")->currentText(), QStringLiteral("seed-llamba"));
    QVERIFY(hasFact(QString::fromStdString(m_workspace->model(Side::Teacher)->info().sha256)));
    const int all = facts->rowCount();
    part<QCheckBox>("onlyDifferences")->click();
    QVERIFY(facts->rowCount() > 0 && facts->rowCount() < all);
    auto* compare = part<QComboBox>("compareModel");
    compare->setCurrentIndex(0);
    emit compare->activated(0);
    QTRY_COMPARE(facts->columnCount(), 2);
    QCOMPARE(facts->rowCount(), all);
  }

  void aFolderIsDescribedBeforeItIsLoaded() {
    m_manager->openPath(kHybrid);
    QTRY_COMPARE(shown(), QStringLiteral("hybrid-mamba2"));
    QVERIFY(part<QLabel>("memoryPlan")->text().contains(QStringLiteral("it fits")));
    QTRY_VERIFY(!hasFact(QStringLiteral("not read yet")));  // its hash
    QVERIFY(!m_workspace->model(Side::Student));
    QVERIFY(part<QPushButton>("loadStudent")->isDefault());
    QCOMPARE(m_workspace->recentModels().entries().front().path, RecentModels::normalised(kHybrid));
  }

  void weightsMayTakeHalfTheMemory() {
    m_manager->openPath(kHybrid);
    QTRY_COMPARE(shown(), QStringLiteral("hybrid-mamba2"));
    const QString exact = part<QLabel>("memoryPlan")->text();
    auto* weights = part<QComboBox>("weights");
    weights->setCurrentIndex(1);
    emit weights->activated(1);
    QCOMPARE(m_workspace->settings().weights, "bf16");
    if (tandem::bf16_products_supported()) QTRY_VERIFY(part<QLabel>("memoryPlan")->text() != exact);
  }

  void rubbishIsRefusedInWords_data() {
    QTest::addColumn<QString>("name");
    QTest::addColumn<QByteArray>("bytes");
    QTest::addColumn<QString>("word");
    QTest::newRow("text as GGUF") << "a.gguf" << QByteArray("some text") << "GGUF";
    QTest::newRow("empty GGUF") << "a.gguf" << QByteArray() << "a.gguf";
    QTest::newRow("text file") << "a.txt" << QByteArray("some text") << "is no model";
    QTest::newRow("pickle") << "pytorch_model.bin" << QByteArray("x") << "python3 -c";
    QTest::newRow("empty folder") << "" << QByteArray() << "is no model";
  }
  void rubbishIsRefusedInWords() {
    QFETCH(QString, name);
    QFETCH(QByteArray, bytes);
    QFETCH(QString, word);
    const QTemporaryDir folder;
    const QString path = folder.filePath(name);
    if (!name.isEmpty()) {
      QFile file(path);
      QVERIFY(file.open(QIODevice::WriteOnly) && file.write(bytes) == bytes.size());
    }
    m_manager->openPath(path);
    auto* message = part<QLabel>("message");
    QTRY_VERIFY(message->isVisible());
    QVERIFY2(message->text().contains(word), qPrintable(message->text()));
    QVERIFY(m_workspace->recentModels().entries().isEmpty());
  }

  void modelsAreDropped() {
    QMimeData model;
    model.setUrls({QUrl::fromLocalFile(kHybrid)});
    QMimeData text;
    text.setUrls({QUrl::fromLocalFile(QStringLiteral("/tmp/letter.txt"))});
    QMimeData two;
    two.setUrls(model.urls() + text.urls());
    MainWindow window(*m_workspace);
    const auto dropOn = [&](QWidget* target) {
      for (QMimeData* data : {&text, &two, &model}) {
        QDragEnterEvent enter({}, Qt::CopyAction, data, Qt::LeftButton, Qt::NoModifier);
        enter.ignore();
        QCoreApplication::sendEvent(target, &enter);
        QCOMPARE(enter.isAccepted(), data == &model);
      }
      QDropEvent drop({}, Qt::CopyAction, &model, Qt::LeftButton, Qt::NoModifier);
      QCoreApplication::sendEvent(target, &drop);  // to what accepted the last entry
    };
    dropOn(m_manager.get());
    QTRY_COMPARE(shown(), QStringLiteral("hybrid-mamba2"));
    QVERIFY(!m_workspace->model(Side::Student));  // the manager describes, the window loads
    m_workspace->recentModels().add(kHybrid, tokenizerFile());
    dropOn(&window);
    QTRY_VERIFY_WITH_TIMEOUT(m_workspace->model(Side::Student), 30000);
  }

  void aMissingTokenizerIsAskedFor() {
    QSignalSpy wanted(m_workspace.get(), &Workspace::tokenizerWanted);
    m_workspace->openModels(QStringLiteral("pocket-teacher"), {});
    QTRY_VERIFY_WITH_TIMEOUT(m_workspace->model(Side::Teacher), 30000);
    m_manager->openPath(kLlamba);
    QTRY_COMPARE(shown(), QStringLiteral("llamba"));
    auto* source = part<QLabel>("tokenizerSource");
    QVERIFY(source->isVisible() && source->text().contains(QStringLiteral("no loaded model")));
    QTest::mouseClick(part<QPushButton>("loadStudent"), Qt::LeftButton);
    QTRY_COMPARE_WITH_TIMEOUT(wanted.count(), 1, 30000);
    QCOMPARE(wanted[0][0].toString(), kLlamba);
    QVERIFY(!m_workspace->model(Side::Student));

    m_workspace->openModel(kLlamba, Side::Student, tokenizerFile());
    QTRY_VERIFY_WITH_TIMEOUT(m_workspace->model(Side::Student), 30000);
    QTRY_VERIFY(source->text().contains(tokenizerFile()));
    m_workspace->openModel(kLlamba);  // remembered
    QTRY_COMPARE_WITH_TIMEOUT(m_workspace->state(), Workspace::State::Ready, 30000);
    QCOMPARE(wanted.count(), 1);
  }

  void theTeachersTokenizerIsTakenWhereItFits() {
    QSignalSpy wanted(m_workspace.get(), &Workspace::tokenizerWanted);
    m_workspace->openModels(QStringLiteral("seed-teacher"), kLlamba);
    QTRY_COMPARE_WITH_TIMEOUT(m_workspace->state(), Workspace::State::Ready, 30000);
    QCOMPARE(wanted.count(), 0);
    QCOMPARE(&m_workspace->model(Side::Student)->tokenizer(),
             &m_workspace->model(Side::Teacher)->tokenizer());
    m_manager->openPath(kLlamba);
    QTRY_VERIFY(part<QLabel>("tokenizerSource")->text().contains(QStringLiteral("that of seed-teacher")));
  }

  void theWindowOffersATokenizer() {
    MainWindow window(*m_workspace);
    window.show();
    window.openPath(kLlamba);
    auto* bar = window.findChild<MessageBar*>(QStringLiteral("messageBar"));
    QTRY_VERIFY_WITH_TIMEOUT(bar->isVisible(), 30000);
    QStringList offers;
    for (const auto* button : bar->findChildren<QPushButton*>()) offers << button->text();
    QCOMPARE(offers, QStringList{QStringLiteral("Choose a tokenizer…")});
    QVERIFY(bar->text().contains(QStringLiteral("llamba comes without a tokenizer")));
  }

  void theWindowsBoxesOfferRecentModels() {
    MainWindow window(*m_workspace);
    auto* box = window.findChild<QComboBox*>(QStringLiteral("studentModel"));
    QVERIFY(box->findText(QStringLiteral("hybrid-mamba2")) < 0);
    m_workspace->recentModels().add(kHybrid);
    const int item = box->findText(QStringLiteral("hybrid-mamba2"));
    QVERIFY(item >= 0);
    m_workspace->recentModels().add(kHybrid, tokenizerFile());
    emit box->activated(item);
    QTRY_VERIFY_WITH_TIMEOUT(m_workspace->model(Side::Student), 30000);
    QCOMPARE(box->currentText(), QStringLiteral("hybrid-mamba2"));
  }
};

QTEST_MAIN(TestModelManager)
#include "tst_model_manager.moc"
