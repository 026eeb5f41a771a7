// prompt.json: the question in its template, defaults, and errors.
#include <QFile>
#include <QTemporaryDir>
#include <QTest>

#include "core/base/resources.h"
#include "core/models/prompt_format.h"

using namespace tandem;

class TestPromptFormat : public QObject {
  Q_OBJECT

 private slots:
  void putsTheQuestionInPlace() {
    PromptFormat format;
    QCOMPARE(format.apply("2 + 2?"), "2 + 2?");
    format.template_text = "{question} Again: {question}!";
    QCOMPARE(format.apply("{question}"), "{question} Again: {question}!");
    format.template_text = "no place";
    QCOMPARE(format.apply("x"), "no place");
  }

  void readsTheBundledFormat() {
    const auto format = read_prompt_format(resource_path("models/seed-teacher/prompt.json"));
    QVERIFY(format.ok());
    QCOMPARE(format->apply("How many?"), "Problem: How many? Reason:");
    QCOMPARE(format->answer_text, "The final answer is {answer}.");
    QCOMPARE(format->eos_token, "<eos>");
  }

  void hasDefaults() {
    QCOMPARE(read(nullptr)->template_text, "{question}");
    QCOMPARE(read("{}")->template_text, "{question}");
    QCOMPARE(read("{}")->answer_text, "");
  }

  void refusesBrokenFiles() {
    verifyError("{", {"prompt.json", "not valid JSON"});
    verifyError(R"({"template": 3})", {"prompt.json", "'template' is 3", "a string"});
    verifyError(R"({"template": "Solve"})", {"prompt.json", "'template' is \"Solve\"", "{question}"});
    verifyError(R"({"answer": "It is"})", {"prompt.json", "'answer' is \"It is\"", "{answer}"});
  }

 private:
  /// What a folder's prompt.json of this text gives; without the file for null.
  static Result<PromptFormat> read(const char* text) {
    const QTemporaryDir folder;
    const QString path = folder.filePath("prompt.json");
    if (text != nullptr) {
      QFile file(path);
      if (!file.open(QIODevice::WriteOnly) || file.write(text) < 0) qFatal("cannot write");
    }
    return read_prompt_format(path.toStdString());
  }

  static void verifyError(const char* text, const QStringList& words) {
    const auto format = read(text);
    QVERIFY(!format.ok());
    QCOMPARE(format.error().code, ErrorCode::BadFormat);
    const QString message = QString::fromStdString(format.error().message);
    for (const QString& word : words) QVERIFY2(message.contains(word), qPrintable(message));
  }
};

QTEST_APPLESS_MAIN(TestPromptFormat)
#include "tst_prompt_format.moc"
