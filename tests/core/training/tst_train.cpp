// Training for real, in seconds: a tiny teacher learns, runs resume bit for bit, and students of both kinds
// get closer to their teacher in every stage.
#include <QDir>
#include <QFile>
#include <QJsonDocument>
#include <QJsonObject>
#include <QTemporaryDir>
#include <QTest>

#include "core/models/model.h"
#include "core/training/export.h"
#include "core/training/log.h"
#include "core/training/probe.h"
#include "core/training/train.h"
#include "kernels/ops/matmul.h"

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

/// Keeps what the run tells; asks it to stop after an update.
struct Listener final : TrainingObserver {
  std::vector<TrainingUpdate> updates;
  std::vector<TrainingEvent> events;
  std::vector<TrainingSnapshot> snapshots;
  std::vector<TrainingStart> starts;
  std::int64_t stop_after = -1;
  std::int64_t fail_after = -1;
  std::stop_source stop;

  Status on_begin(const TrainingStart& start) override {
    starts.push_back(start);
    return {};
  }
  Status on_update(const TrainingUpdate& update) override {
    updates.push_back(update);
    if (std::ssize(updates) == stop_after) stop.request_stop();
    if (std::ssize(updates) == fail_after) return Error{ErrorCode::Io, "the disk is full"};
    return {};
  }
  Status on_event(const TrainingEvent& event) override {
    events.push_back(event);
    return {};
  }
  Status on_snapshot(const TrainingSnapshot& snapshot) override {
    snapshots.push_back(snapshot);
    return {};
  }
  QStringList kinds() const {
    QStringList list;
    for (const TrainingEvent& event : events) list << event_kind_name(event.kind);
    return list;
  }
};

QByteArray bytes(const QString& path) {
  QFile file(path);
  return file.open(QIODevice::ReadOnly) ? file.readAll() : QByteArray();
}

}  // namespace

class TestTrain : public QObject {
  Q_OBJECT

  QTemporaryDir m_folder;
  QString m_teacher;
  std::vector<TrainingUpdate> m_updates;  // of the latest run, as everything else that was told
  Listener m_told;

  QString path(const char* name) const { return m_folder.filePath(name); }

  Result<TrainingResult> run(const Recipe& recipe, const QString& folder, bool resume = false,
                             std::int64_t stop_after = -1) {
    m_told = {};
    m_told.stop_after = stop_after;
    const auto result =
        run_training(recipe, {folder.toStdString(), resume, 2}, m_told, m_told.stop.get_token());
    m_updates = m_told.updates;
    return result;
  }
  std::vector<TrainingUpdate> of_stage(std::int64_t stage) const {
    std::vector<TrainingUpdate> list;
    for (const TrainingUpdate& update : m_updates)
      if (update.stage == stage) list.push_back(update);
    return list;
  }

  void snapshots_approach_the_teacher(std::size_t recurrent_layers) {
    const std::vector<TrainingSnapshot>& all = m_told.snapshots;
    QVERIFY(all.front().of_teacher && !all[1].of_teacher && all[1].step == 0);
    const Capture& teacher = *all.front().matrices;
    QCOMPARE(teacher.layers.size(), std::size_t{2});
    QVERIFY(std::ssize(teacher.ids) <= kProbeTokens);
    const auto distance = [&](const TrainingSnapshot& snapshot) {
      const TensorView m = snapshot.matrices->layers[0].matrix, a = teacher.layers[0].matrix;
      return matrix_distance({m.f32(), {m.extent(1), m.extent(2)}}, {a.f32(), {m.extent(1), m.extent(2)}})
          .relative;
    };
    std::vector<TrainingSnapshot> first;
    for (const TrainingSnapshot& snapshot : all)
      if (!snapshot.of_teacher && snapshot.stage == 0) first.push_back(snapshot);
    QCOMPARE(first.back().step, std::int64_t{40});
    QCOMPARE(first.back().matrices->layers.size(), recurrent_layers);
    QVERIFY2(distance(first.back()) < 0.9 * distance(first.front()),
             qPrintable(QString("%1 to %2").arg(distance(first.front())).arg(distance(first.back()))));
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
    QCOMPARE(m_updates.back().tokens, std::int64_t{60 * 8 * 64});
    QVERIFY(m_told.snapshots.empty());  // no teacher to compare with
  }

  void the_log_reads_back_and_older_ones_too() {
    const Recipe recipe = recipe_of(kLlama, "", {stage_text("tokens", 8, 60, 1e-2)});
    const auto updates = read_log(m_teacher.toStdString(), recipe);
    QVERIFY(updates.ok());
    QCOMPARE(updates->size(), std::size_t{60});
    QCOMPARE(updates->back().tokens, std::int64_t{60 * 8 * 64});
    QCOMPARE(updates->back().steps, std::int64_t{60});
    const auto written = [&](const QByteArray& text) {
      QFile log(path("log.jsonl"));
      QVERIFY(log.open(QIODevice::WriteOnly));
      log.write(text);
    };
    const QByteArray line = R"({"stage":0,"goal":"tokens","step":1,"loss":2.5,"learning_rate":0.1,)"
                            R"("gradient_norm":1,"tokens_per_s":100,"distances":[1,2]})";
    written(line + "\n" + line + "\n{\"cut");
    const auto older = read_log(m_folder.path().toStdString(), recipe);
    QVERIFY(older.ok());
    QCOMPARE(older->size(), std::size_t{2});
    QCOMPARE(older->at(1).tokens, std::int64_t{2 * 8 * 64});
    QCOMPARE(older->at(1).distances, (std::vector<double>{1, 2}));
    written(line + "\n{\"stage\": 7}\n");
    const auto wrong = read_log(m_folder.path().toStdString(), recipe);
    QVERIFY(!wrong.ok());
    QVERIFY(wrong.error().message.find("line 2: 'stage' is 7") != std::string::npos);
  }

  void precisions_learn_alike() {
    std::vector<double> last;
    for (const Precision precision : {Precision::F32, Precision::BF16}) {
      Recipe recipe = recipe_of(kLlama, "", {stage_text("tokens", 8, 40, 1e-2)});
      recipe.precision = precision;
      QVERIFY(run(recipe, path(precision == Precision::F32 ? "f32" : "bf16")).ok());
      last.push_back(m_updates.back().loss);
    }
    QVERIFY2(std::abs(last[0] - last[1]) < 0.05, qPrintable(QString("%1 and %2").arg(last[0]).arg(last[1])));
    QCOMPARE(last[0] != last[1], bf16_products_supported());
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
      QCOMPARE(m_told.starts.size(), std::size_t{1});
      QCOMPARE(m_told.starts[0].resumed, !pieces.empty());
      QCOMPARE(m_told.starts[0].tokens, pieces.empty() ? 0 : pieces.back().tokens);
      QCOMPARE(m_told.kinds().front(), pieces.empty() ? "started" : "resumed");
      QCOMPARE(m_told.kinds().back(), stop_after < 0 ? "finished" : "stopped");
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
    const auto relative = [&](std::size_t update) { return of_stage(0)[update].relative[0]; };
    QVERIFY(relative(0) > relative(39) && relative(39) > 0);
    const auto student = open_model(folder.toStdString());
    QVERIFY2(student.ok(), student.ok() ? "" : student.error().message.c_str());
    QVERIFY(is_recurrent((*student)->info().layers[0].mixer));
    snapshots_approach_the_teacher(mamba.isEmpty() ? 2 : 1);
  }

  void a_snapshot_is_the_matrix_the_model_uses() {
    // Layer 0 of teacher and student get the same input, so the finished student's own capture must agree.
    const QString folder = path("snapshot");
    Recipe recipe = recipe_of(QString(kLlamba).arg(16), m_teacher, {stage_text("matrices", 2, 5, 1e-2)});
    recipe.precision = Precision::F32;  // the capture's
    QVERIFY(run(recipe, folder).ok());
    const Capture& taken = *m_told.snapshots.back().matrices;
    const auto student = open_model(folder.toStdString());
    QVERIFY(student.ok());
    Context context(1);
    const auto captured = capture(**student, taken.ids, {}, context);
    QVERIFY(captured.ok());
    const TensorView a = taken.layers[0].matrix, b = captured->layers[0].matrix;
    QVERIFY(a.shape() == b.shape());
    for (std::int64_t i = 0; i < a.elements(); ++i) QVERIFY(std::abs(a.f32()[i] - b.f32()[i]) < 1e-5F);
    for (std::int64_t h = 0; h < 2; ++h)
      QCOMPARE(taken.layers[0].skip.f32()[h], captured->layers[0].skip.f32()[h]);
  }

  void snapshots_are_few_and_dense_at_the_beginning() {
    for (const std::int64_t steps : {1, 2, 7, 200, 20000}) {
      std::vector<std::int64_t> taken;
      for (std::int64_t step = 1; step <= steps; ++step)
        if (is_snapshot_step(step, steps)) taken.push_back(step);
      QVERIFY(taken.size() <= 25);
      QCOMPARE(taken.front(), std::int64_t{1});
      QCOMPARE(taken.back(), steps);
    }
  }

  void an_observers_error_ends_the_run() {
    Listener listener;
    listener.fail_after = 3;
    const Recipe recipe = recipe_of(kLlama, "", {stage_text("tokens", 2, 7, 1e-2)});
    const auto result = run_training(recipe, {path("full").toStdString(), false, 1}, listener);
    QVERIFY(!result.ok());
    QCOMPARE(result.error().message, std::string("the disk is full"));
    QCOMPARE(listener.kinds().back(), QString("failed"));
    QVERIFY(run(recipe, path("full"), true).ok());
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

  void a_run_is_exported_as_a_model_with_small_weights_and_its_curve() {
    const std::string out = path("shipped").toStdString();
    const Status exported = export_run(m_teacher.toStdString(), out);
    QVERIFY2(exported.ok(), exported.ok() ? "" : exported.error().message.c_str());
    QVERIFY(open_model(out).ok());
    const auto checkpoint = Checkpoint::open(out);
    const auto trained = Checkpoint::open(m_teacher.toStdString());
    QVERIFY(checkpoint.ok() && trained.ok());
    for (const TensorEntry* tensor : (*checkpoint)->tensors()) QCOMPARE(tensor->dtype, std::string("BF16"));
    const auto norm = (*checkpoint)->read("model.norm.weight", (*trained)->shape("model.norm.weight"));
    const auto wide = (*trained)->read("model.norm.weight", (*trained)->shape("model.norm.weight"));
    QVERIFY(norm.ok() && wide.ok());
    for (std::int64_t i = 0; i < norm->elements(); ++i)
      QVERIFY(std::abs(norm->f32()[i] - wide->f32()[i]) <= std::abs(wide->f32()[i]) / 256);
    const QList<QByteArray> curve = bytes(path("shipped") + "/curve.csv").split('\n');
    QCOMPARE(curve.first(), QByteArray("stage,goal,step,tokens,loss,learning_rate"));
    QCOMPARE(curve.size(), 1 + 60 + 1);
    QVERIFY(curve[60].startsWith("0,tokens,60,"));
    QCOMPARE(export_run(m_teacher.toStdString(), out).error().code, ErrorCode::InvalidArgument);
    QCOMPARE(export_run("/no/such/run", path("none").toStdString()).error().code, ErrorCode::NotFound);
  }
};

QTEST_GUILESS_MAIN(TestTrain)
#include "tst_train.moc"
