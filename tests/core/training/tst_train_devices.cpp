// Training on a device: every goal's losses and norms are the CPU's, and runs resume there.
#include <map>

#include <QTemporaryDir>
#include <QTest>

#include "core/models/model.h"
#include "core/training/train.h"
#include "tests/support/devices.h"

using namespace tandem;
using namespace tandem::training;

namespace {

constexpr const char* kLlama = R"({
  "architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": 320, "hidden_size": 16,
  "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 1,
  "head_dim": 8, "hidden_act": "silu", "rms_norm_eps": 1e-05, "rope_theta": 10000.0,
  "tie_word_embeddings": true, "max_position_embeddings": 256})";

constexpr const char* kLlamba = R"({
  "model_type": "llamba", "vocab_size": 320, "tie_embeddings": true, "pad_vocab_size_multiple": 1,
  "d_model": 16, "n_layer": 2, "norm_epsilon": 1e-05,
  "mlp_cfg": {"intermediate_size": 24, "bias": false, "act_fn": "silu"},
  "ssm_cfg": {"d_state": 8, "n_v_heads": 2, "n_qk_heads": 2, "expand": 1, "activation": "identity"}})";

constexpr const char* kMamba = R"({
  "d_model": 16, "ssm_cfg": {"expand": 1, "ngroups": 2, "d_state": 8}, "rms_norm_eps": 1e-05, "d_inner": 16,
  "d_xb": 8, "intermediate_size": 24, "hidden_act": "silu", "n_layer": 2, "attn_layers": [1]})";

QString stage_text(const char* goal, int tokens) {
  return QString(R"({"goal": "%1", "sequences": 2, "tokens": %2,
                     "schedule": {"peak": 0.0003, "steps": 2, "warmup": 1}})")
      .arg(goal)
      .arg(tokens);
}

Recipe recipe_of(const QString& model, const QString& mamba, const QString& teacher,
                 const QStringList& stages) {
  const QString text =
      QString(R"({"seed": 5, "precision": "f32", "model": %1, %2 %3 "corpus": {"seed": 1, "max_steps": 3},
                  "tokenizer": {"vocab": 320, "examples": 300}, "stages": [%4], "checkpoint_every": 1})")
          .arg(model, mamba.isEmpty() ? "" : "\"mamba\": " + mamba + ",",
               teacher.isEmpty() ? "" : "\"teacher\": \"" + teacher + "\",", stages.join(','));
  auto recipe = parse_recipe(text.toStdString(), "recipe.json");
  if (!recipe) qFatal("%s", recipe.error().message.c_str());
  return *recipe;
}

/// Keeps the updates, and stops after some.
struct Listener final : TrainingObserver {
  std::vector<TrainingUpdate> updates;
  std::size_t stop_after = 0;
  std::stop_source stop;
  Status on_update(const TrainingUpdate& update) override {
    updates.push_back(update);
    if (updates.size() == stop_after) stop.request_stop();
    return {};
  }
};

/// Sums in f32, in different orders, seen through eight updates at a low rate: Adam's first ones go by the
/// gradients' signs, so that at a high one the rounding of small ones shows.
bool alike(double a, double b) {
  return std::abs(a - b) <= 2e-5 * std::max(std::abs(a), std::abs(b)) + 1e-6;
}

}  // namespace

class TestTrainDevices : public QObject {
  Q_OBJECT

  QTemporaryDir m_folder;
  std::map<QString, std::vector<TrainingUpdate>> m_on_cpu;  // by kind of model

  /// All updates of a run that is stopped after the first of them and resumed.
  std::vector<TrainingUpdate> train(const Recipe& recipe, const QString& name, Device* device) {
    const std::string folder = m_folder.filePath(name).toStdString();
    std::vector<TrainingUpdate> updates;
    for (const bool resume : {false, true}) {
      Listener listener;
      listener.stop_after = resume ? 0 : 1;
      const auto result =
          run_training(recipe, {folder, resume, 1, device}, listener, listener.stop.get_token());
      if (!result) qFatal("%s", result.error().message.c_str());
      updates.insert(updates.end(), listener.updates.begin(), listener.updates.end());
    }
    return updates;
  }

 private slots:
  void updates_are_those_of_the_cpu_data() {
    QTest::addColumn<QString>("kind");
    QTest::addColumn<QString>("device");
    for (const auto& [name, device] : test::devices())
      for (const char* kind : {"llama", "llamba", "hybrid"})
        QTest::addRow("%s, %s", kind, name) << QString(kind) << QString(name);
  }
  void updates_are_those_of_the_cpu() {
    QFETCH(QString, kind);
    QFETCH(QString, device);
    const QStringList distil = {stage_text("matrices", 12), stage_text("hidden", 12),
                                stage_text("logits", 70), stage_text("logits_reverse", 12)};
    const QString teacher = m_folder.filePath("llama, CPU");
    const Recipe recipe = kind == "llama"    ? recipe_of(kLlama, "", "", {stage_text("tokens", 70)})
                          : kind == "llamba" ? recipe_of(kLlamba, "", teacher, distil)
                                             : recipe_of(kLlama, kMamba, teacher, distil);
    const auto updates = train(recipe, kind + ", " + device, test::device_of(device));
    if (device == "CPU") m_on_cpu[kind] = updates;
    const auto& wanted = m_on_cpu.at(kind);
    QCOMPARE(updates.size(), wanted.size());
    for (std::size_t i = 0; i < updates.size(); ++i) {
      const TrainingUpdate &got = updates[i], &want = wanted[i];
      QVERIFY2(alike(got.loss, want.loss) && alike(got.gradient_norm, want.gradient_norm),
               qPrintable(QString("update %1: loss %2, norm %3; on the CPU %4, %5")
                              .arg(i)
                              .arg(got.loss)
                              .arg(got.gradient_norm)
                              .arg(want.loss)
                              .arg(want.gradient_norm)));
      QCOMPARE(got.distances.size(), want.distances.size());
      for (std::size_t l = 0; l < got.distances.size(); ++l)
        QVERIFY(alike(got.distances[l], want.distances[l]) && alike(got.relative[l], want.relative[l]));
    }
    const auto model = open_model(m_folder.filePath(kind + ", " + device).toStdString());
    QVERIFY2(model.ok(), model.ok() ? "" : model.error().message.c_str());
  }
};

QTEST_APPLESS_MAIN(TestTrainDevices)
#include "tst_train_devices.moc"
