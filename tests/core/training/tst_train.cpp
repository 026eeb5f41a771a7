// Training for real, in seconds: a tiny teacher learns, runs resume bit for bit, and students of both kinds
// get closer to their teacher in every stage.
#include <QDir>
#include <QFile>
#include <QJsonDocument>
#include <QJsonObject>
#include <QTemporaryDir>
#include <QTest>

#include "core/models/model.h"
#include "core/training/train.h"

using namespace tandem;
using namespace tandem::training;

namespace {

constexpr const char* kLlama = R"({
  "architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": 320, "hidden_size": 32,
  "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 1,
  "head_dim": 16, "hidden_act": "silu", "rms_norm_eps": 1e-05, "rope_theta": 10000.0,
  "tie_word_embeddings": true, "max_position_embeddings": 256})";

constexpr const char* kLlamba = R"({
  "model_type": "llamba", "vocab_size": 320, "tie_embeddings": true, "pad_vocab_size_multiple": 1,
  "d_model": 32, "n_layer": 2, "norm_epsilon": 1e-05,
  "mlp_cfg": {"intermediate_size": 64, "bias": false, "act_fn": "silu"},
  "ssm_cfg": {"d_state": %1, "n_v_heads": 2, "n_qk_heads": 2, "expand": 1, "activation": "identity"}})";

constexpr const char* kMamba = R"({
  "d_model": 32, "ssm_cfg": {"expand": 1, "ngroups": 2, "d_state": 16}, "rms_norm_eps": 1e-05, "d_inner": 32,
  "d_xb": 16, "intermediate_size": 64, "hidden_act": "silu", "n_layer": 2, "attn_layers": [1]})";

QString stage_text(const char* goal, int sequences, int steps, double peak) {
  return QString(R"({"goal": "%1", "sequences": %2, "tokens": 64,
                     "schedule": {"peak": %3, "steps": %4, "warmup": 2}})")
      .arg(goal)
      .arg(sequences)
      .arg(peak)
      .arg(steps);
}

Recipe recipe_of(const QString& model, const QString& teacher, const QStringList& stages,
                 const QString& mamba = {}) {
  const QString text =
      QString(R"({"seed": 5, "model": %1, %2 %3 "corpus": {"seed": 1, "max_steps": 3},
                  "tokenizer": {"vocab": 320, "examples": 300}, "stages": [%4], "checkpoint_every": 4})")
          .arg(model, mamba.isEmpty() ? "" : "\"mamba\": " + mamba + ",",
               teacher.isEmpty() ? "" : "\"teacher\": \"" + teacher + "\",", stages.join(','));
  auto recipe = parse_recipe(text.toStdString(), "recipe.json");
  if (!recipe) qFatal("%s", recipe.error().message.c_str());
  return *recipe;
}

QByteArray bytes(const QString& path) {
  QFile file(path);
  return file.open(QIODevice::ReadOnly) ? file.readAll() : QByteArray();
}

}  // namespace

class TestTrain : public QObject {
  Q_OBJECT

  QTemporaryDir m_folder;
  QString m_teacher;
  std::vector<TrainingUpdate> m_updates;

  QString path(const char* name) const { return m_folder.filePath(name); }

  Result<TrainingResult> run(const Recipe& recipe, const QString& folder, bool resume = false,
                             std::int64_t stop_after = -1) {
    std::stop_source stop;
    m_updates.clear();
    return run_training(
        recipe, {folder.toStdString(), resume, 2},
        [&](const TrainingUpdate& update) {
          m_updates.push_back(update);
          if (std::ssize(m_updates) == stop_after) stop.request_stop();
        },
        stop.get_token());
  }
  std::vector<TrainingUpdate> of_stage(std::int64_t stage) const {
    std::vector<TrainingUpdate> list;
    for (const TrainingUpdate& update : m_updates)
      if (update.stage == stage) list.push_back(update);
    return list;
  }

 private slots:
  void initTestCase() {
    m_teacher = path("teacher");
    const auto result = run(recipe_of(kLlama, "", {stage_text("tokens", 8, 60, 1e-2)}), m_teacher);
    QVERIFY2(result.ok(), result.ok() ? "" : result.error().message.c_str());
    QVERIFY(result->finished);
    QCOMPARE(result->tokens, std::int64_t{60 * 8 * 64});
  }

  void loss_falls_and_the_model_opens() {
    QCOMPARE(m_updates.size(), std::size_t{60});
    QVERIFY(std::abs(m_updates.front().loss - std::log(320)) < 0.5);  // knows nothing yet
    QVERIFY2(m_updates.back().loss < 0.6 * m_updates.front().loss,
             qPrintable(QString::number(m_updates.back().loss)));
    const auto model = open_model(m_teacher.toStdString());
    QVERIFY2(model.ok(), model.ok() ? "" : model.error().message.c_str());
    QCOMPARE((*model)->info().vocab, std::int64_t{320});
    const QList<QByteArray> lines = bytes(m_teacher + "/log.jsonl").trimmed().split('\n');
    QCOMPARE(lines.size(), 60);
    QCOMPARE(QJsonDocument::fromJson(lines.back()).object()["loss"].toDouble(), m_updates.back().loss);
  }

  void a_stopped_run_resumes_bit_for_bit() {
    const Recipe recipe =
        recipe_of(kLlama, "", {stage_text("tokens", 2, 7, 1e-2), stage_text("tokens", 3, 4, 1e-3)});
    QVERIFY(run(recipe, path("straight")).ok());
    const std::vector<TrainingUpdate> straight = m_updates;
    std::vector<TrainingUpdate> pieces;
    for (const std::int64_t stop_after : {3, 4, 2, -1}) {  // 4: exactly at the end of the first stage
      const auto result = run(recipe, path("pieces"), !pieces.empty(), stop_after);
      QVERIFY2(result.ok(), result.ok() ? "" : result.error().message.c_str());
      QCOMPARE(result->finished, stop_after < 0);
      pieces.insert(pieces.end(), m_updates.begin(), m_updates.end());
    }
    QCOMPARE(pieces.size(), straight.size());
    for (std::size_t i = 0; i < pieces.size(); ++i) {
      QCOMPARE(pieces[i].loss, straight[i].loss);
      QCOMPARE(pieces[i].gradient_norm, straight[i].gradient_norm);
    }
    for (const char* file : {"/model.safetensors", "/training.safetensors"})
      QCOMPARE(bytes(path("pieces") + file), bytes(path("straight") + file));
    QCOMPARE(bytes(path("pieces") + "/log.jsonl").count('\n'), 11);
  }

  void updates_after_the_last_checkpoint_are_done_again() {
    // As if the process had been killed: updates 5 and 6 are in the log, the checkpoint is of update 4.
    const Recipe recipe = recipe_of(kLlama, "", {stage_text("tokens", 2, 6, 1e-2)});
    QVERIFY(run(recipe, path("whole")).ok());
    QVERIFY(run(recipe, path("killed"), false, 4).ok());
    QFile log(path("killed") + "/log.jsonl");
    QVERIFY(log.open(QIODevice::Append));
    log.write("{\"step\": 5}\n{\"step\": 6}\n");
    log.close();
    QVERIFY(run(recipe, path("killed"), true).ok());
    QCOMPARE(m_updates.size(), std::size_t{2});
    QCOMPARE(bytes(path("killed") + "/model.safetensors"), bytes(path("whole") + "/model.safetensors"));
    QCOMPARE(bytes(path("killed") + "/log.jsonl").count('\n'), 6);
  }

  void students_come_closer_in_every_stage_data() {
    QTest::addColumn<QString>("model");
    QTest::addColumn<QString>("mamba");
    QTest::addColumn<double>("matrix_factor");
    QTest::newRow("llamba") << QString(kLlamba).arg(16) << QString() << 2.0;
    QTest::newRow("llamba, narrow state") << QString(kLlamba).arg(8) << QString() << 2.0;
    QTest::newRow("hybrid") << QString(kLlama) << QString(kMamba) << 1.3;
  }
  void students_come_closer_in_every_stage() {
    QFETCH(QString, model);
    QFETCH(QString, mamba);
    QFETCH(double, matrix_factor);
    const QString folder = path(QTest::currentDataTag());
    const QStringList stages = {stage_text("matrices", 2, 40, 1e-2), stage_text("hidden", 4, 40, 1e-2),
                                stage_text("logits", 4, 20, 2e-3), stage_text("logits_reverse", 4, 4, 1e-3),
                                stage_text("tokens", 4, 4, 1e-3)};
    const auto result = run(recipe_of(model, m_teacher, stages, mamba), folder);
    QVERIFY2(result.ok(), result.ok() ? "" : result.error().message.c_str());
    QVERIFY(result->finished);
    const auto fell = [&](std::int64_t stage) {
      const auto updates = of_stage(stage);
      return updates.front().loss / updates.back().loss;
    };
    QVERIFY2(fell(0) > matrix_factor && fell(1) > 1.5,
             qPrintable(QString("%1 %2").arg(fell(0)).arg(fell(1))));
    const auto distances = of_stage(0).back().distances;
    QCOMPARE(distances.size(), std::size_t{2});
    QVERIFY(distances[0] > 0);
    QCOMPARE(distances[1] > 0, mamba.isEmpty());  // the hybrid's second layer keeps its attention
    QVERIFY(of_stage(2).back().distances.empty());
    const auto student = open_model(folder.toStdString());
    QVERIFY2(student.ok(), student.ok() ? "" : student.error().message.c_str());
    QVERIFY(is_recurrent((*student)->info().layers[0].mixer));
  }

  void logits_alone_bring_a_student_closer_data() {
    QTest::addColumn<QString>("goal");
    QTest::newRow("forward") << "logits";
    QTest::newRow("reverse") << "logits_reverse";
  }
  void logits_alone_bring_a_student_closer() {
    QFETCH(QString, goal);
    const QByteArray name = goal.toLatin1();
    const Recipe recipe = recipe_of(QString(kLlamba).arg(16), m_teacher, {stage_text(name, 4, 40, 5e-3)});
    QVERIFY(run(recipe, path(name)).ok());
    QVERIFY2(m_updates.back().loss < 0.5 * m_updates.front().loss,
             qPrintable(QString("%1 to %2").arg(m_updates.front().loss).arg(m_updates.back().loss)));
  }

  void errors_are_named() {
    const Recipe recipe = recipe_of(kLlama, "", {stage_text("tokens", 2, 3, 1e-2)});
    const auto message = [](const Result<TrainingResult>& result) {
      return result.ok() ? std::string("ok") : result.error().message;
    };
    QVERIFY(message(run(recipe, m_teacher)).find("already") != std::string::npos);
    QVERIFY(message(run(recipe, m_teacher, true)).find("another recipe") != std::string::npos);
    QVERIFY(message(run(recipe, path("nothing"), true)).find("no training run") != std::string::npos);
    QVERIFY(!QDir(path("nothing")).exists());
    const Recipe orphan = recipe_of(kLlama, "/no/such/teacher", {stage_text("logits", 2, 3, 1e-2)});
    QVERIFY(message(run(orphan, path("orphan"))).find("/no/such/teacher") != std::string::npos);
    const Recipe wide = recipe_of(QString(kLlamba).arg(16).replace("\"n_v_heads\": 2", "\"n_v_heads\": 4"),
                                  m_teacher, {stage_text("matrices", 2, 3, 1e-2)});
    QVERIFY(message(run(wide, path("wide"))).find("heads") != std::string::npos);
    const Recipe deep = recipe_of(QString(kLlamba).arg(16).replace("\"n_layer\": 2", "\"n_layer\": 3"),
                                  m_teacher, {stage_text("matrices", 2, 3, 1e-2)});
    QVERIFY(message(run(deep, path("deep"))).find("2 layers, the student 3") != std::string::npos);
  }
};

QTEST_GUILESS_MAIN(TestTrain)
#include "tst_train.moc"
