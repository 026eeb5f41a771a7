// prompt.json: the question in its template, defaults, and errors. Chat templates, and the usual prompts in
// them.
#include <QFile>
#include <QTemporaryDir>
#include <QTest>

#include "core/base/resources.h"
#include "core/models/prompt_format.h"
#include "core/models/worked_examples.h"

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

  void rendersLlama3() {
    // models.md 1.5
    const auto dated = recognise_chat_template("...<|start_header_id|>... Today Date: ...");
    QVERIFY(dated.has_value());
    const ChatTurn turns[] = {{"system", " You are a bot. "}, {"user", "Hey?\n"}};
    QCOMPARE(
        dated->render(turns, "30 Sep 2026"),
        "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\nCutting Knowledge Date: December "
        "2023\nToday Date: 30 Sep 2026\n\nYou are a bot.<|eot_id|><|start_header_id|>user<|end_header_id|>"
        "\n\nHey?<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n");
    const auto user = std::span(turns).last(1);
    QVERIFY(dated->render(user).find("Today Date: 26 Jul 2024\n\n<|eot_id|>") != std::string::npos);
    const auto plain = recognise_chat_template("<|start_header_id|>{{ role }}<|end_header_id|>");
    QCOMPARE(plain->render(user),
             "<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\nHey?<|eot_id|>"
             "<|start_header_id|>assistant<|end_header_id|>\n\n");
  }

  void rendersChatMl() {
    const ChatTurn user[] = {{"user", " Hey? "}};
    const auto smol =
        recognise_chat_template("'<|im_start|>system\nYou are S.<|im_end|>\n' {{ '<|im_start|>' }}");
    QCOMPARE(smol->render(user),
             "<|im_start|>system\nYou are S.<|im_end|>\n<|im_start|>user\n Hey? <|im_end|>\n"
             "<|im_start|>assistant\n");
    const ChatTurn own[] = {{"system", "Be brief."}, {"user", "Hey?"}};
    QVERIFY(smol->render(own).starts_with("<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user"));
    // A backslash and an n, as Jinja spells a line's end; and a system text that is no literal.
    QCOMPARE(recognise_chat_template(R"(<|im_start|>system\nA.<|im_end|>)")->system, "A.");
    QCOMPARE(recognise_chat_template(R"(<|im_start|>system\n' + message + '<|im_end|>)")->system, "");
    QVERIFY(!recognise_chat_template("[INST] {{ content }} [/INST]").has_value());
    QVERIFY(!recognise_chat_template("").has_value());
  }

  void choosesPromptsOfAnInstructModel() {
    const PromptFormat own = chat_prompt("<|im_start|>");
    QVERIFY(own.chat.has_value() && !own.with_bos);
    QVERIFY(own.apply("2 + 2?").starts_with("<|im_start|>user\nGiven the following problem, reason and"));
    QVERIFY(own.apply("2 + 2?").ends_with("Problem: 2 + 2?<|im_end|>\n<|im_start|>assistant\n"));
    QCOMPARE(choose_prompt(own, "model")->template_text, own.template_text);
    QCOMPARE(choose_prompt(own, "question")->apply("Hi"),
             "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n");
    QVERIFY(choose_prompt(own, "problem-first")->apply("Hi").starts_with("<|im_start|>user\nProblem: Hi\n"));
    const std::string shots = choose_prompt(own, "gsm8k")->apply("Hi");
    QCOMPARE(QString::fromStdString(shots).count("The final answer is "),
             9 + 8);  // instructions, and answers
    QVERIFY(shots.find("35<|im_end|>") != std::string::npos);
    const std::string math = choose_prompt(own, "math")->apply("Hi");
    QCOMPARE(QString::fromStdString(math).count("\\boxed{"), 4);
    QVERIFY(math.find("Final Answer: The final answer is $75$. I hope it is correct.") != std::string::npos);
    const PromptFormat dated = chat_prompt("<|start_header_id|>Today Date: ");
    QVERIFY(choose_prompt(dated, "model", "1 Jan 2027")->template_text.find("1 Jan 2027") !=
            std::string::npos);
  }

  void choosesPromptsOfABaseModel() {
    const PromptFormat own;
    QCOMPARE(choose_prompt(own, "model")->apply("Hi"), "Hi");
    const auto gsm8k = choose_prompt(own, "gsm8k");
    QVERIFY(gsm8k->with_bos);
    QCOMPARE(gsm8k->stop_strings, std::vector<std::string>{"Q:"});
    QVERIFY(gsm8k->apply("Hi").starts_with("Q: A bakery"));
    QVERIFY(gsm8k->apply("Hi").ends_with(" The answer is 12.\n\nQ: Hi\nA:"));
    const auto math = choose_prompt(own, "math");
    QCOMPARE(math->stop_strings, std::vector<std::string>{"Problem:"});
    QVERIFY(math->apply("Hi").ends_with("I hope it is correct.\n\nProblem:\nHi\n\nSolution:\n"));
    for (const std::string& name : prompt_names()) {
      const auto format = choose_prompt(own, name);
      QVERIFY(format.ok() && format->template_text.find("{question}") != std::string::npos);
    }
    const auto unknown = choose_prompt(own, "poem");
    QCOMPARE(unknown.error().code, ErrorCode::InvalidArgument);
    QVERIFY(unknown.error().message.find("'poem', only model, question") != std::string::npos);
  }

  void showsExamplesThatAnswerThemselves() {
    QCOMPARE(word_problem_examples().size(), 8U);
    QCOMPARE(math_examples().size(), 4U);
    for (const WorkedExample& example : math_examples())
      QVERIFY(example.reasoning.find("\\boxed{" + std::string(example.answer) + "}") !=
              std::string_view::npos);
    for (const WorkedExample& example : word_problem_examples())
      QVERIFY(example.reasoning.find(example.answer) != std::string_view::npos);
  }

  void readsAFolderOfHuggingFace() {
    const QTemporaryDir folder;
    const auto write = [&folder](const char* name, const char* text) {
      QFile file(folder.filePath(name));
      if (!file.open(QIODevice::WriteOnly) || file.write(text) < 0) qFatal("cannot write");
    };
    const std::string path = folder.path().toStdString();
    QVERIFY(!read_folder_prompt(path)->chat);
    write("tokenizer_config.json", R"({"chat_template": "<|im_start|>"})");
    QCOMPARE(read_folder_prompt(path)->chat->style, ChatTemplate::Style::ChatMl);
    write(
        "tokenizer_config.json",
        R"({"chat_template": [{"name": "tools", "template": "x"}, {"name": "default", "template": "<|start_header_id|>"}]})");
    QCOMPARE(read_folder_prompt(path)->chat->style, ChatTemplate::Style::Llama3);
    write("tokenizer_config.json", R"({"chat_template": [3]})");
    QVERIFY(read_folder_prompt(path).error().message.find("'chat_template'") != std::string::npos);
    write("chat_template.jinja", "<|im_start|>");
    QCOMPARE(read_folder_prompt(path)->chat->style, ChatTemplate::Style::ChatMl);
    write("prompt.json", R"({"template": "Q {question}"})");
    QCOMPARE(read_folder_prompt(path)->apply("x"), "Q x");
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
