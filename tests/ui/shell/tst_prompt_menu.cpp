// Which prompt the models read: chosen in the menu, shown, kept in the session; the date where a template
// names one.
#include <QAction>
#include <QDir>
#include <QFile>
#include <QLineEdit>
#include <QPlainTextEdit>
#include <QTemporaryDir>
#include <QTest>
#include <QTimer>

#include "core/base/resources.h"
#include "tests/support/ui_fixture.h"
#include "ui/main_window.h"
#include "ui/prompt_menu.h"

using namespace tandem::ui;
using namespace tandem::test;

class TestPromptMenu : public QObject {
  Q_OBJECT

  static QAction* action(const QMenu& menu, const char* prompt) {
    for (QAction* action : menu.actions())
      if (action->data().toString() == QLatin1String(prompt)) return action;
    qFatal("no prompt %s", prompt);
  }

  /// A small model whose chat template names a date.
  static QString datedModel(const QTemporaryDir& folder) {
    const QString model = QStringLiteral(TANDEM_TEST_DATA "/models/llamba");
    const QString teacher = QString::fromStdString(tandem::resource_path("models/seed-teacher"));
    QFile::copy(model + "/config.json", folder.filePath("config.json"));
    QFile::copy(model + "/model.safetensors", folder.filePath("model.safetensors"));
    QFile::copy(teacher + "/tokenizer.json", folder.filePath("tokenizer.json"));
    QFile jinja(folder.filePath("chat_template.jinja"));
    if (!jinja.open(QIODevice::WriteOnly)) qFatal("no template written");
    jinja.write("<|start_header_id|>{{ role }}<|end_header_id|> Today Date: {{ date }}");
    return folder.path();
  }

 private slots:
  void init() { use_own_data_folder(); }

  void everyPromptIsOffered() {
    Workspace workspace;
    const PromptMenu menu(workspace);
    for (const std::string& name : tandem::prompt_names()) QVERIFY(action(menu, name.c_str())->isCheckable());
  }

  void theChosenPromptIsReadAndRecorded() {
    Workspace workspace;
    open_seed_pair(workspace, 1);
    PromptMenu menu(workspace);
    const PromptButton button(workspace);
    QVERIFY(promptText(workspace, Side::Teacher).text.startsWith(QStringLiteral("Problem: ")));
    emit menu.aboutToShow();
    QVERIFY(action(menu, "model")->isChecked());
    action(menu, "question")->trigger();
    QCOMPARE(workspace.settings().prompt, "question");
    QVERIFY(button.text().contains(QStringLiteral("the question alone")));
    const PromptText prompt = promptText(workspace, Side::Student);
    QCOMPARE(prompt.text, QString::fromStdString(workspace.problems().problems[0].question));
    QVERIFY(prompt.tokens > 0);
    QSignalSpy finished(&workspace, &Workspace::runFinished);
    workspace.startRun({0});
    emit menu.aboutToShow();
    QVERIFY(!action(menu, "model")->isEnabled());
    QTRY_COMPARE_WITH_TIMEOUT(finished.count(), 1, 60000);
    const auto runs = workspace.session()->runs();
    QCOMPARE(runs->size(), 2U);
    for (const auto& run : *runs) QCOMPARE(run.settings.prompt, "question");
    const auto timing = workspace.session()->timings(workspace.runId(Side::Student));
    QCOMPARE(timing->front().prompt_tokens, prompt.tokens);
  }

  void theDateIsASettingWhereATemplateNamesOne() {
    const QTemporaryDir folder;
    Workspace workspace;
    open_seed_pair(workspace, 1);
    PromptMenu menu(workspace);
    emit menu.aboutToShow();
    auto* date = menu.findChild<QAction*>(QStringLiteral("promptDate"));
    QVERIFY(!date->isEnabled());
    workspace.openModel(datedModel(folder));
    QTRY_COMPARE_WITH_TIMEOUT(workspace.modelName(Side::Student), QDir(folder.path()).dirName(), 30000);
    emit menu.aboutToShow();
    QVERIFY(date->isEnabled() && date->text().contains(QStringLiteral("26 Jul 2024")));
    QVERIFY(promptText(workspace, Side::Student).text.contains(QStringLiteral("Today Date: 26 Jul 2024")));
    QTimer::singleShot(0, [] {
      auto* dialog = QApplication::activeModalWidget();
      dialog->findChild<QLineEdit*>()->setText(QStringLiteral("30 Sep 2026"));
      QTest::keyClick(dialog, Qt::Key_Return);
    });
    date->trigger();
    QCOMPARE(workspace.settings().prompt_date, "30 Sep 2026");
    QVERIFY(promptText(workspace, Side::Student).text.contains(QStringLiteral("Today Date: 30 Sep 2026")));
  }

  void bothPromptsAreShown() {
    Workspace workspace;
    MainWindow window(workspace);
    open_seed_pair(workspace, 1);
    window.findChild<QAction*>(QStringLiteral("showPrompts"))->trigger();
    auto* shown = window.findChild<QDialog*>(QStringLiteral("promptWindow"));
    QVERIFY(shown->isVisible());
    const auto texts = shown->findChildren<QPlainTextEdit*>();
    QCOMPARE(texts.size(), 2);
    QCOMPARE(texts[0]->toPlainText(), promptText(workspace, Side::Teacher).text);
  }
};

QTEST_MAIN(TestPromptMenu)
#include "tst_prompt_menu.moc"
