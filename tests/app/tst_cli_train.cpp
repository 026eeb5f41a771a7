// `tandem-cli train` and `distil` as processes: a run that is killed goes on, and ends where an undisturbed
// one does.
#include <QDir>
#include <QFile>
#include <QJsonDocument>
#include <QJsonObject>
#include <QProcess>
#include <QTemporaryDir>
#include <QTest>

#include "core/session/session.h"

namespace {

const QByteArray kRecipe = R"({
  "seed": 5,
  "model": {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": 300, "hidden_size": 16,
            "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 1,
            "head_dim": 8, "hidden_act": "silu", "rms_norm_eps": 1e-05, "rope_theta": 10000.0,
            "tie_word_embeddings": true, "max_position_embeddings": 256},
  "corpus": {"seed": 1, "max_steps": 3},
  "tokenizer": {"vocab": 300, "examples": 100},
  "stages": [{"goal": "tokens", "sequences": 4, "tokens": 64, "schedule": {"peak": 0.01, "steps": 200}}],
  "checkpoint_every": 5})";

}  // namespace

class TestCliTrain : public QObject {
  Q_OBJECT

  QTemporaryDir m_folder;
  QString m_recipe;
  QByteArray m_output;
  QByteArray m_errors;

  QString path(const char* name) const { return m_folder.filePath(name); }
  QByteArray read(const QString& name) const {
    QFile file(m_folder.filePath(name));
    return file.open(QIODevice::ReadOnly) ? file.readAll() : QByteArray();
  }
  QStringList trainArguments(const char* out) const {
    return {"train", "--recipe", m_recipe, "--out", path(out)};
  }

  /// Runs a command and returns its exit code; -1 if it did not end by itself.
  int run(const QStringList& arguments) {
    QProcess process;
    process.start(TANDEM_BIN "/tandem-cli", arguments);
    if (!process.waitForFinished(120000) || process.exitStatus() != QProcess::NormalExit) return -1;
    m_output = process.readAllStandardOutput();
    m_errors = process.readAllStandardError();
    return process.exitCode();
  }

 private slots:
  void initTestCase() {
    m_recipe = path("recipe.json");
    QFile file(m_recipe);
    QVERIFY(file.open(QIODevice::WriteOnly));
    file.write(kRecipe);
  }

  void aKilledRunGoesOn() {
    QCOMPARE(run(trainArguments("whole") + QStringList{"--json"}), 0);
    const QJsonObject result = QJsonDocument::fromJson(m_output).object();
    QVERIFY(result["finished"].toBool());
    QCOMPARE(result["tokens"].toInt(), 200 * 4 * 64);

    QProcess process;
    const QStringList recorded{"--session", path("runs.tandem")};
    process.start(TANDEM_BIN "/tandem-cli", trainArguments("killed") + recorded);
    QTRY_VERIFY_WITH_TIMEOUT(read("killed/log.jsonl").count('\n') >= 8, 60000);
    process.kill();
    QVERIFY(process.waitForFinished());
    QCOMPARE(run(trainArguments("killed") + recorded + QStringList{"--resume"}), 0);
    QVERIFY(m_output.startsWith("finished after 51.2 k tokens"));
    QCOMPARE(read("killed/model.safetensors"), read("whole/model.safetensors"));
    QCOMPARE(read("killed/log.jsonl").count('\n'), 200);

    const auto session = tandem::Session::open(path("runs.tandem").toStdString(), /*read_only=*/true);
    QVERIFY(session.ok());
    const auto trainings = (*session)->trainings();
    QVERIFY(trainings.ok());
    QCOMPARE(trainings->size(), std::size_t{1});
    QCOMPARE(trainings->front().state, std::string("finished"));
    const auto updates = (*session)->training_updates(trainings->front().id);
    QCOMPARE(updates->size(), std::size_t{200});
    QCOMPARE(updates->back().step, std::int64_t{200});
    QCOMPARE(updates->back().tokens, std::int64_t{200 * 4 * 64});
    QCOMPARE(run({"session", "verify", path("runs.tandem")}), 0);
  }

  void errorsAreNamed() {
    QCOMPARE(run({"train", "--recipe", "/no/such.json", "--out", path("x")}), 1);
    QVERIFY(m_errors.contains("/no/such.json"));
    QCOMPARE(run({"distil", "--recipe", m_recipe, "--out", path("x")}), 1);
    QVERIFY(m_errors.contains("is a recipe for the train command, not for distil"));
    QCOMPARE(run(trainArguments("x") + QStringList{"--resume"}), 1);
    QVERIFY(m_errors.contains("no training run"));
    QVERIFY(!QDir(path("x")).exists());
    QCOMPARE(run({"train"}), 2);
    QVERIFY(m_errors.contains("--recipe"));
  }
};

QTEST_GUILESS_MAIN(TestCliTrain)
#include "tst_cli_train.moc"
