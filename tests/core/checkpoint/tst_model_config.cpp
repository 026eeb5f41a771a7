// Model configurations: the values of each family as published, and an error for each setting that is broken
// or not handled.
#include <memory>

#include <QFile>
#include <QJsonDocument>
#include <QJsonObject>
#include <QTemporaryDir>
#include <QTest>

#include "core/base/resources.h"
#include "core/checkpoint/model_config.h"

using namespace tandem;

namespace {

// Llama-3.2-1B-Instruct
const char* const kLlama = R"json({
  "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 2048, "num_hidden_layers": 16,
  "num_attention_heads": 32, "num_key_value_heads": 8, "head_dim": 64, "intermediate_size": 8192,
  "vocab_size": 128256, "hidden_act": "silu", "rms_norm_eps": 1e-05, "attention_bias": false, "mlp_bias": false,
  "tie_word_embeddings": true, "max_position_embeddings": 131072, "rope_theta": 500000.0,
  "bos_token_id": 128000, "eos_token_id": [128001, 128008, 128009],
  "rope_scaling": {"factor": 32.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
                   "original_max_position_embeddings": 8192, "rope_type": "llama3"}})json";

// Llamba-3B
const char* const kLlamba = R"json({
  "model_type": "llamba", "vocab_size": 128255, "tie_embeddings": true, "pad_vocab_size_multiple": 8,
  "lm_head_bias": false, "d_model": 3072, "n_layer": 28, "resid_dropout": 0.0, "norm_epsilon": 1e-06,
  "mlp_cfg": {"intermediate_size": 8192, "bias": false, "act_fn": "silu"},
  "ssm_cfg": {"d_state": 64, "n_v_heads": 32, "n_qk_heads": 16, "expand": 1, "chunk_size": 128,
              "activation": "identity", "bias": false}})json";

// The Mamba-2-style hybrid of Llama-3.2-1B
const char* const kHybrid = R"json({
  "d_model": 2048, "ssm_cfg": {"expand": 1, "ngroups": 32, "d_state": 64}, "rms_norm_eps": 1e-05,
  "vocab_size": null, "d_inner": null, "d_xb": 512, "intermediate_size": 8192, "hidden_act": "silu",
  "n_layer": 16, "attn_layers": [3, 1, 15]})json";

// Mamba-2 130M as the transformers library writes it: Infinity is not JSON
const char* const kMamba2 = R"json({
  "model_type": "mamba2", "vocab_size": 50288, "hidden_size": 768, "num_hidden_layers": 24, "num_heads": 24,
  "head_dim": 64, "n_groups": 1, "state_size": 128, "expand": 2, "conv_kernel": 4, "chunk_size": 256,
  "hidden_act": "silu", "layer_norm_epsilon": 1e-05, "rms_norm": true, "use_bias": false,
  "use_conv_bias": true, "tie_word_embeddings": true, "eos_token_id": 0,
  "time_step_limit": [0.0, Infinity]})json";

// the same in the state-spaces spelling, with two groups
const char* const kStateSpaces = R"json({
  "d_model": 768, "d_intermediate": 0, "n_layer": 24, "vocab_size": 50277, "pad_vocab_size_multiple": 16,
  "ssm_cfg": {"layer": "Mamba2", "ngroups": 2}, "attn_layer_idx": [], "attn_cfg": {}, "rms_norm": true,
  "residual_in_fp32": true, "fused_add_norm": true, "tie_embeddings": true})json";

/// `document` with the value at `path` ("a" or "a.b") replaced by `value` (JSON text), or removed when empty.
QByteArray changed(const QByteArray& document, const QString& path, const QByteArray& value) {
  QJsonObject root = QJsonDocument::fromJson(document).object();
  const auto set = [&](QJsonObject& object, const QString& key) {
    object.remove(key);
    if (!value.isEmpty()) object[key] = QJsonDocument::fromJson("[" + value + "]")[0];
  };
  const QStringList keys = path.split('.');
  if (keys.size() == 1) {
    set(root, keys[0]);
  } else {
    QJsonObject inner = root[keys[0]].toObject();
    set(inner, keys[1]);
    root[keys[0]] = inner;
  }
  return QJsonDocument(root).toJson();
}

}  // namespace

class TestModelConfig : public QObject {
  Q_OBJECT

 private slots:
  void init() { m_folder = std::make_unique<QTemporaryDir>(); }

  void readsLlama() {
    write("config.json", kLlama);
    const ModelConfig config = read();
    QCOMPARE(config.family, ModelFamily::Llama);
    QCOMPARE(config.json, std::string(kLlama));
    QCOMPARE(config.vocab_size, 128256);
    QCOMPARE(config.d_model, 2048);
    QCOMPARE(config.n_layers, 16);
    QCOMPARE(config.d_ff, 8192);
    QCOMPARE(config.nheads, 32);
    QCOMPARE(config.nheads_kv, 8);
    QCOMPARE(config.headdim, 64);
    QCOMPARE(config.norm_eps, 1e-5F);
    QCOMPARE(config.block_norm_eps, 1e-5F);
    QCOMPARE(config.rope_theta, 500000.0);
    QVERIFY(config.rope_scaling.has_value());
    QCOMPARE(config.rope_scaling->factor, 32.0);
    QCOMPARE(config.rope_scaling->high_freq_factor, 4.0);
    QCOMPARE(config.rope_scaling->original_max_position_embeddings, 8192.0);
    QVERIFY(config.tied_embeddings);
    QCOMPARE(config.max_context, 131072);
    QCOMPARE(config.eos_ids, (std::vector<std::int32_t>{128001, 128008, 128009}));
  }

  void readsLlamba() {
    write("config.json", kLlamba);
    const ModelConfig config = read();
    QCOMPARE(config.family, ModelFamily::Llamba);
    QCOMPARE(config.vocab_size, 128256);  // rounded up to a multiple of 8
    QCOMPARE(config.d_inner, 3072);
    QCOMPARE(config.d_state, 64);
    QCOMPARE(config.d_conv, 4);
    QCOMPARE(config.n_v_heads, 32);
    QCOMPARE(config.n_qk_heads, 16);
    QCOMPARE(config.norm_eps, 1e-6F);
    QCOMPARE(config.block_norm_eps, 1e-5F);
    QCOMPARE(config.max_context, 0);
    QVERIFY(!config.conv_silu);
    QVERIFY(config.eos_ids.empty());
    write("config.json", changed(kLlamba, "ssm_cfg.activation", "\"silu\""));
    QVERIFY(read().conv_silu);
  }

  void readsHybrid() {
    write("config.json", kLlama);
    write("mamba_config.json", kHybrid);
    const ModelConfig config = read();
    QCOMPARE(config.family, ModelFamily::MambaInLlama);
    QCOMPARE(config.attention_layers, (std::vector<std::int64_t>{1, 3, 15}));
    QCOMPARE(config.d_inner, 2048);
    QCOMPARE(config.ngroups, 32);
    QCOMPARE(config.d_state, 64);
    QCOMPARE(config.d_xb, 512);
    QCOMPARE(config.headdim, 64);
  }

  void readsMamba1StyleHybrid() {
    write("config.json", kLlama);
    write("mamba_config.json", changed(kHybrid, "ssm_cfg", R"({"expand": 1})"));
    const ModelConfig config = read();
    QCOMPARE(config.d_state, 16);
    QCOMPARE(config.d_conv, 4);
    QCOMPARE(config.dt_rank, 128);
    QCOMPARE(config.ngroups, 0);
    QCOMPARE(config.attention_rope, AttentionRope::ByNames);
    write("mamba_config.json", changed(kHybrid, "ssm_cfg", R"({"expand": 1, "dt_rank": 96})"));
    QCOMPARE(read().dt_rank, 96);
    write("mamba_config.json", changed(kHybrid, "ssm_cfg", R"({"dt_rank": "big"})"));
    verifyError(ErrorCode::BadFormat, {"mamba_config.json: ssm_cfg", "'dt_rank' is \"big\""});
    write("mamba_config.json", changed(kHybrid, "ssm_cfg", R"({"repeat_kv_before_conv": false})"));
    verifyError(ErrorCode::Unsupported, {"repeat_kv_before_conv = false"});
    write("mamba_config.json", changed(changed(kHybrid, "ssm_cfg", "{}"), "d_xb", "500"));
    verifyError(ErrorCode::Mismatch, {"d_inner = 2048", "d_xb = 500"});
  }

  void readsMamba2UnderBothNames() {
    write("config.json", kMamba2);
    ModelConfig config = read();
    QCOMPARE(config.family, ModelFamily::Mamba2);
    QCOMPARE(config.d_inner, 1536);
    QCOMPARE(config.n_v_heads, 24);
    QCOMPARE(config.n_qk_heads, 1);
    QCOMPARE(config.norm_group, 1536);
    QCOMPARE(config.d_ff, 0);
    QVERIFY(config.tied_embeddings);
    QCOMPARE(config.eos_ids, std::vector<std::int32_t>{0});
    write("config.json", kStateSpaces);
    config = read();
    QCOMPARE(config.family, ModelFamily::Mamba2);
    QCOMPARE(config.vocab_size, 50288);  // rounded up to a multiple of 16
    QCOMPARE(config.d_inner, 1536);
    QCOMPARE(config.d_state, 128);
    QCOMPARE(config.n_v_heads, 24);
    QCOMPARE(config.norm_group, 768);
  }

  void readsTheBundledModels() {
    const std::pair<const char*, ModelFamily> bundled[] = {{"seed-teacher", ModelFamily::Llama},
                                                           {"seed-llamba", ModelFamily::Llamba},
                                                           {"seed-hybrid", ModelFamily::MambaInLlama}};
    for (const auto& [name, family] : bundled) {
      const auto config = read_model_config(resource_path(std::string("models/") + name));
      QVERIFY2(config.ok(), name);
      QCOMPARE(config->family, family);
      QCOMPARE(config->vocab_size, 103);
      QCOMPARE(config->eos_ids, std::vector<std::int32_t>{0});
    }
  }

  void readsAVerifier() {
    QByteArray document = changed(kLlama, "architectures", "[\"LlamaForSequenceClassification\"]");
    document = changed(document, "id2label", "{\"0\": \"LABEL_0\"}");
    write("config.json", document);
    QVERIFY(read().is_verifier);
    QVERIFY(!read().tied_embeddings);  // the head is no embedding, whatever the file says
    write("mamba_config.json", kHybrid);
    verifyError(ErrorCode::Unsupported, {"LlamaForSequenceClassification", "mamba_config.json"});
  }

  void fillsInWhatIsAbsent() {
    QByteArray document = kLlama;
    for (const char* name : {"head_dim", "num_key_value_heads", "rope_theta", "rope_scaling",
                             "tie_word_embeddings", "eos_token_id", "hidden_act"})
      document = changed(document, name, "");
    write("config.json", document);
    const ModelConfig config = read();
    QCOMPARE(config.headdim, 64);
    QCOMPARE(config.nheads_kv, 32);
    QCOMPARE(config.rope_theta, 10000.0);
    QVERIFY(!config.rope_scaling.has_value());
    QVERIFY(!config.tied_embeddings);
    QVERIFY(config.eos_ids.empty());
  }

  void readsRopeUnderItsOtherNames() {
    write("config.json",
          changed(kLlama, "rope_scaling",
                  R"({"type": "llama3", "factor": 8, "low_freq_factor": 1, "high_freq_factor": 4,
                                     "original_max_position_embeddings": 8192})"));
    QCOMPARE(read().rope_scaling->factor, 8.0);
    write("config.json", changed(changed(kLlama, "rope_theta", ""), "rope_parameters",
                                 R"({"rope_type": "default", "rope_theta": 1234.5})"));
    QCOMPARE(read().rope_theta, 1234.5);
    QVERIFY(!read().rope_scaling.has_value());
  }

  void takesEndTokensFromGenerationConfigFirst() {
    write("config.json", changed(kLlama, "eos_token_id", "128001"));
    QCOMPARE(read().eos_ids, std::vector<std::int32_t>{128001});
    write("generation_config.json", R"({"eos_token_id": [1, 2]})");
    QCOMPARE(read().eos_ids, (std::vector<std::int32_t>{1, 2}));
    write("generation_config.json", R"({"eos_token_id": 3})");
    QCOMPARE(read().eos_ids, std::vector<std::int32_t>{3});
    write("generation_config.json", R"({"eos_token_id": null, "temperature": 1})");
    QCOMPARE(read().eos_ids, std::vector<std::int32_t>{128001});
    write("generation_config.json", R"({"eos_token_id": [1, "x"]})");
    verifyError(ErrorCode::BadFormat, {"generation_config.json", "eos_token_id", "\"x\""});
    write("generation_config.json", R"({"eos_token_id": 128256})");
    verifyError(ErrorCode::BadFormat, {"generation_config.json", "128256"});
    write("generation_config.json", "[]");
    verifyError(ErrorCode::BadFormat, {"generation_config.json", "wanted an object"});
  }

  void refusesBrokenSettings_data() {
    QTest::addColumn<QByteArray>("config");
    QTest::addColumn<QByteArray>("hybrid");
    QTest::addColumn<int>("code");
    QTest::addColumn<QStringList>("words");
    const auto llama = [](ErrorCode code, const char* path, const char* value, QStringList words) {
      QTest::addRow("llama %s %s", path, value) << changed(kLlama, path, value) << QByteArray()
                                                << static_cast<int>(code) << (words << "config.json");
    };
    const auto llamba = [](ErrorCode code, const char* path, const char* value, QStringList words) {
      QTest::addRow("llamba %s %s", path, value) << changed(kLlamba, path, value) << QByteArray()
                                                 << static_cast<int>(code) << (words << "config.json");
    };
    const auto hybrid = [](ErrorCode code, const char* path, const char* value, QStringList words) {
      QTest::addRow("hybrid %s %s", path, value) << QByteArray(kLlama) << changed(kHybrid, path, value)
                                                 << static_cast<int>(code) << (words << "mamba_config.json");
    };
    using enum ErrorCode;
    llama(BadFormat, "model_type", "", {"'model_type' is missing", "a string"});
    llama(Unsupported, "model_type", "\"mistral\"", {"\"mistral\"", "\"llama\"", "\"llamba\""});
    llama(BadFormat, "hidden_size", "", {"'hidden_size' is missing"});
    llama(BadFormat, "hidden_size", "0", {"'hidden_size' is 0", "from 1"});
    llama(BadFormat, "hidden_size", "1e30", {"'hidden_size'", "an integer"});
    llama(BadFormat, "hidden_size", "2048.5", {"'hidden_size' is 2048.5"});
    llama(BadFormat, "hidden_size", "\"2048\"", {"'hidden_size' is \"2048\""});
    llama(BadFormat, "num_hidden_layers", "-1", {"'num_hidden_layers' is -1"});
    llama(BadFormat, "num_attention_heads", "[32]", {"'num_attention_heads' is an array of 1"});
    llama(Mismatch, "num_key_value_heads", "5", {"num_attention_heads = 32", "num_key_value_heads = 5"});
    llama(Mismatch, "head_dim", "63", {"63", "even"});
    llama(BadFormat, "rms_norm_eps", "0", {"'rms_norm_eps' is 0"});
    llama(BadFormat, "tie_word_embeddings", "1", {"'tie_word_embeddings' is 1", "true or false"});
    llama(Unsupported, "hidden_act", "\"gelu\"", {"hidden_act", "\"gelu\"", "\"silu\""});
    llama(Unsupported, "attention_bias", "true", {"attention_bias = true"});
    llama(Unsupported, "mlp_bias", "true", {"mlp_bias = true"});
    llama(BadFormat, "rope_theta", "0", {"'rope_theta' is 0"});
    llama(BadFormat, "rope_scaling", "3", {"'rope_scaling' is 3", "an object"});
    llama(Unsupported, "rope_scaling.rope_type", "\"yarn\"", {"rope_scaling", "\"yarn\"", "\"llama3\""});
    llama(BadFormat, "rope_scaling.rope_type", "", {"rope_scaling: 'type' is missing"});
    llama(BadFormat, "rope_scaling.factor", "", {"rope_scaling: 'factor' is missing"});
    llama(BadFormat, "rope_scaling.high_freq_factor", "1", {"'high_freq_factor' is 1", "low_freq_factor"});
    llama(BadFormat, "eos_token_id", "-1", {"eos_token_id holds -1"});
    llama(Unsupported, "architectures", "[\"LlamaForSequenceClassification\"]", {"2 labels", "single label"});
    llama(BadFormat, "architectures", "\"LlamaForCausalLM\"", {"'architectures'", "an array"});
    llamba(BadFormat, "d_model", "\"x\"", {"'d_model' is \"x\""});
    llamba(BadFormat, "mlp_cfg", "", {"'mlp_cfg' is missing"});
    llamba(BadFormat, "mlp_cfg.intermediate_size", "", {"mlp_cfg: 'intermediate_size' is missing"});
    llamba(Unsupported, "mlp_cfg.act_fn", "\"gelu\"", {"mlp_cfg", "act_fn", "\"gelu\""});
    llamba(Unsupported, "mlp_cfg.bias", "true", {"mlp_cfg", "bias = true"});
    llamba(Unsupported, "lm_head_bias", "true", {"lm_head_bias = true"});
    llamba(BadFormat, "ssm_cfg", "[]", {"'ssm_cfg' is an array", "an object"});
    llamba(Mismatch, "ssm_cfg.n_v_heads", "24", {"ssm_cfg", "n_v_heads = 24", "n_qk_heads = 16"});
    llamba(Mismatch, "ssm_cfg.n_qk_heads", "5", {"ssm_cfg", "n_qk_heads = 5"});
    llamba(Mismatch, "ssm_cfg.n_v_heads", "25", {"d_inner = 3072", "n_v_heads = 25"});
    llamba(Unsupported, "ssm_cfg.activation", "\"tanh\"", {"ssm_cfg", "\"tanh\"", "\"identity\""});
    llamba(Unsupported, "ssm_cfg.bias", "true", {"ssm_cfg", "bias = true"});
    llamba(Unsupported, "ssm_cfg.conv_bias", "false", {"ssm_cfg", "conv_bias = false"});
    hybrid(BadFormat, "attn_rope", "\"both\"", {"'attn_rope' is \"both\"", "\"unscaled\""});
    const auto mamba2 = [](ErrorCode code, const char* path, const char* value, QStringList words) {
      // The value replaces the bare Infinity's document as a whole: it is written in plain JSON.
      const QByteArray plain = QByteArray(kMamba2).replace("Infinity", "null");
      QTest::addRow("mamba2 %s %s", path, value) << changed(plain, path, value) << QByteArray()
                                                 << static_cast<int>(code) << (words << "config.json");
    };
    const auto state_spaces = [](ErrorCode code, const char* path, const char* value, QStringList words) {
      QTest::addRow("state-spaces %s %s", path, value) << changed(kStateSpaces, path, value) << QByteArray()
                                                       << static_cast<int>(code) << (words << "config.json");
    };
    mamba2(BadFormat, "num_heads", "", {"'num_heads' is missing"});
    mamba2(Mismatch, "num_heads", "20", {"1536", "20 * 64"});
    mamba2(Mismatch, "n_groups", "5", {"num_heads = 24", "n_groups = 5"});
    mamba2(Unsupported, "time_step_limit", "[0, 0.1]", {"time_step_limit", "[0, Infinity]"});
    mamba2(Unsupported, "time_step_limit", "[0.01, null]", {"time_step_limit", "[0, Infinity]"});
    mamba2(Unsupported, "use_bias", "true", {"use_bias = true"});
    mamba2(Unsupported, "use_conv_bias", "false", {"use_conv_bias = false"});
    mamba2(Unsupported, "rms_norm", "false", {"rms_norm = false"});
    mamba2(Unsupported, "hidden_act", "\"gelu\"", {"hidden_act", "\"gelu\""});
    state_spaces(Unsupported, "ssm_cfg.layer", "\"Mamba1\"", {"ssm_cfg", "\"Mamba1\"", "\"Mamba2\""});
    state_spaces(Unsupported, "ssm_cfg.layer", "", {"ssm_cfg", "\"Mamba1\""});
    state_spaces(Unsupported, "d_intermediate", "100", {"d_intermediate = 100"});
    state_spaces(Unsupported, "attn_layer_idx", "[3]", {"attn_layer_idx"});
    state_spaces(Unsupported, "ssm_cfg.D_has_hdim", "true", {"D_has_hdim = true"});
    state_spaces(Unsupported, "ssm_cfg.norm_before_gate", "true", {"norm_before_gate = true"});
    state_spaces(Mismatch, "ssm_cfg.ngroups", "5", {"d_inner / headdim = 24", "ngroups = 5"});
    state_spaces(Mismatch, "ssm_cfg.headdim", "60", {"d_inner = 1536", "headdim = 60"});
    state_spaces(BadFormat, "d_model", "0", {"'d_model' is 0"});
    hybrid(Unsupported, "ssm_cfg.repeat_kv_before_conv", "true", {"repeat_kv_before_conv = true"});
    hybrid(Mismatch, "d_model", "1024", {"d_model = 1024", "2048"});
    hybrid(Mismatch, "n_layer", "15", {"n_layer = 15", "16"});
    hybrid(Mismatch, "rms_norm_eps", "1e-6", {"rms_norm_eps"});
    hybrid(Mismatch, "d_inner", "4096", {"d_inner = 4096", "32 * 64"});
    hybrid(Mismatch, "d_xb", "32", {"d_xb = 32", "d_state = 64"});
    hybrid(Mismatch, "d_xb", "192", {"d_inner = 2048", "d_xb = 192"});
    hybrid(BadFormat, "attn_layers", "", {"'attn_layers' is missing"});
    hybrid(BadFormat, "attn_layers", "[16]", {"attn_layers holds 16", "0 to 15"});
    hybrid(BadFormat, "attn_layers", "[-1]", {"attn_layers holds -1"});
    hybrid(BadFormat, "attn_layers", "[2, 2]", {"layer 2 twice"});
  }

  void refusesBrokenSettings() {
    QFETCH(QByteArray, config);
    QFETCH(QByteArray, hybrid);
    QFETCH(int, code);
    QFETCH(QStringList, words);
    write("config.json", config);
    if (!hybrid.isEmpty()) write("mamba_config.json", hybrid);
    verifyError(static_cast<ErrorCode>(code), words);
  }

  void refusesBrokenFiles() {
    verifyError(ErrorCode::NotFound, {"config.json"});
    write("config.json", "{\"model_type\": ");
    verifyError(ErrorCode::BadFormat, {"config.json", "not valid JSON"});
    write("config.json", R"({"model_type": "llama", "model_type": "llamba"})");
    verifyError(ErrorCode::BadFormat, {"config.json", "'model_type' appears twice"});
    write("config.json", "3");
    verifyError(ErrorCode::BadFormat, {"config.json", "wanted an object"});
    write("config.json", QByteArray("{}\0{}", 5));
    verifyError(ErrorCode::BadFormat, {"config.json", "zero byte"});
    write("config.json", "{\"a\": " + QByteArray("[").repeated(1000));
    verifyError(ErrorCode::BadFormat, {"config.json", "nested deeper than 64"});
    write("config.json", QByteArray(" ").repeated((16 << 20) + 1));
    verifyError(ErrorCode::OutOfRange, {"config.json", "16777217 bytes"});
  }

 private:
  ModelConfig read() const {
    const auto config = read_model_config(m_folder->path().toStdString());
    if (!config.ok()) qFatal("%s", config.error().message.c_str());
    return *config;
  }

  void write(const char* name, const QByteArray& text) const {
    QFile file(m_folder->filePath(name));
    QVERIFY(file.open(QIODevice::WriteOnly));
    QCOMPARE(file.write(text), text.size());
  }

  void verifyError(ErrorCode code, const QStringList& words) const {
    const auto config = read_model_config(m_folder->path().toStdString());
    QVERIFY2(!config.ok(), "expected an error");
    const QString message = QString::fromStdString(config.error().message);
    QVERIFY2(config.error().code == code, qPrintable(message));
    for (const QString& word : words)
      QVERIFY2(message.contains(word), qPrintable(message + " lacks " + word));
  }

  std::unique_ptr<QTemporaryDir> m_folder;
};

QTEST_APPLESS_MAIN(TestModelConfig)
#include "tst_model_config.moc"
