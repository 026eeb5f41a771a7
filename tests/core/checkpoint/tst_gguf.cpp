// GGUF files: settings and tensors are read back, tensors of `llama` have the loader's names and row order,
// and each way a file can be broken gives an error that names it.
#include <QFile>
#include <QTemporaryDir>
#include <QTest>

#include "core/checkpoint/checkpoint.h"
#include "core/checkpoint/gguf.h"
#include "core/checkpoint/gguf_llama.h"
#include "tests/support/gguf_writer.h"

using namespace tandem;
using namespace tandem::test::gguf;

namespace {

constexpr std::uint32_t kF32 = 0;

Result<GgufFile> read(const std::string& bytes) {
  return read_gguf(std::as_bytes(std::span(bytes)), "a.gguf");
}

std::string floats(const std::vector<float>& values) {
  std::string bytes;
  for (const float value : values) bytes += raw(value);
  return bytes;
}

/// A file whose only setting or tensor is this one.
std::string with_setting(const std::string& entry) {
  return header(0, 1) + entry;
}
std::string with_tensor(const std::string& entry, std::size_t data = 0) {
  return padded(header(1, 0) + entry) + std::string(data, '\0');
}

/// The settings of a llama with 2 heads of 4 and 1 for keys and values.
Writer tiny_llama() {
  Writer file;
  file.set("general.architecture", "llama");
  file.set("llama.block_count", 1U);
  file.set("llama.context_length", 64U);
  file.set("llama.embedding_length", 8U);
  file.set("llama.feed_forward_length", 16U);
  file.set("llama.attention.head_count", 2U);
  file.set("llama.attention.head_count_kv", 1U);
  file.set("llama.attention.layer_norm_rms_epsilon", 1e-5F);
  file.set("tokenizer.ggml.eos_token_id", 2U);
  return file;
}

void verify(const Error& error, ErrorCode code, const QStringList& words) {
  const QString message = QString::fromStdString(error.message);
  QVERIFY2(error.code == code, qPrintable(message));
  for (const QString& word : words) QVERIFY2(message.contains(word), qPrintable(message + "\nlacks " + word));
}

}  // namespace

class TestGguf : public QObject {
  Q_OBJECT

 private slots:
  void readsSettingsOfEveryType() {
    Writer writer;
    writer.set("u8", 0U, std::string("\xFF"));
    writer.set("i8", 1U, std::string("\xFF"));
    writer.set("u16", 2U, raw(std::uint16_t{65535}));
    writer.set("i16", 3U, raw(std::int16_t{-2}));
    writer.set("u32", 7U);
    writer.set("i32", 5U, raw(std::int32_t{-3}));
    writer.set("f32", 0.5F);
    writer.set("yes", true);
    writer.set("text", "äö");
    writer.set("u64", 10U, raw(~std::uint64_t{0}));
    writer.set("i64", 11U, raw(std::int64_t{-4}));
    writer.set("f64", 12U, raw(1e300));
    writer.set("texts", std::vector<std::string>{"a", "", "b c"});
    writer.set("ints", std::vector<std::int32_t>{1, -1});
    const std::string bytes = writer.bytes();
    const auto file = read(bytes);
    QVERIFY2(file.ok(), file.ok() ? "" : file.error().message.c_str());
    const GgufSettings& s = file->settings;
    QCOMPARE(*s.integer("u8", 0, 255), 255);
    QCOMPARE(*s.integer("i8", -128, 0), -1);
    QCOMPARE(*s.integer("u16", 0, 65535), 65535);
    QCOMPARE(*s.integer("i16", -9, 0), -2);
    QCOMPARE(*s.integer("u32", 0, 9), 7);
    QCOMPARE(*s.integer("i32", -9, 0), -3);
    QCOMPARE(*s.number("f32", 0, 1), 0.5);
    QCOMPARE(*s.number("u32", 0, 9), 7.0);
    QCOMPARE(*s.boolean("yes", false), true);
    QCOMPARE(*s.boolean("absent", true), true);
    QVERIFY(*s.text("text") == "äö");
    QVERIFY(*s.text("absent", "x") == "x");
    QCOMPARE(*s.integer("i64", -9, 0), -4);
    QCOMPARE(*s.number("f64", 0, 1e308), 1e300);
    QVERIFY((*s.texts("texts") == std::vector<std::string_view>{"a", "", "b c"}));
    QVERIFY((*s.integers("ints") == std::vector<std::int32_t>{1, -1}));
    QCOMPARE(*s.integer("absent", 0, 1, 5), 5);

    verify(s.integer("u32", 0, 6).error(), ErrorCode::BadFormat, {"a.gguf: 'u32' is 7", "0 to 6"});
    verify(s.integer("u64", 0, 6).error(), ErrorCode::BadFormat, {"'u64' is 18446744073709551615"});
    verify(s.integer("text", 0, 6).error(), ErrorCode::BadFormat, {"'text' is \"äö\"", "integer"});
    verify(s.integer("absent", 0, 6).error(), ErrorCode::BadFormat, {"'absent' is not there"});
    verify(s.number("yes", 0, 6).error(), ErrorCode::BadFormat, {"'yes' is true", "number"});
    verify(s.boolean("u32", true).error(), ErrorCode::BadFormat, {"true or false"});
    verify(s.text("ints").error(), ErrorCode::BadFormat, {"an array of 2 elements of type 5", "text"});
    verify(s.texts("ints").error(), ErrorCode::BadFormat, {"wanted an array of texts"});
    verify(s.integers("texts").error(), ErrorCode::BadFormat, {"wanted an array of 32-bit integers"});
  }

  void readsTensorsInTheirPlaces() {
    const std::string entries = tensor("a", {3, 2}, kF32, 0) + tensor("b", {32}, 8, 64);
    const std::string bytes =
        padded(header(2, 1) + setting("general.alignment", 64U) + entries, 64) + std::string(64 + 34, '\0');
    const auto file = read(bytes);
    QVERIFY2(file.ok(), file.ok() ? "" : file.error().message.c_str());
    QCOMPARE(file->tensors.size(), 2U);
    const GgufTensor& a = file->tensors[0];
    QVERIFY(a.name == "a" && a.format == BlockFormat::F32);
    QVERIFY((a.shape == std::vector<std::int64_t>{2, 3}));
    QCOMPARE(a.begin % 64, 0U);
    QCOMPARE(a.end - a.begin, 24U);
    const GgufTensor& b = file->tensors[1];
    QVERIFY(b.format == BlockFormat::Q8_0);
    QCOMPARE(b.begin, a.begin + 64);
    QCOMPARE(b.end, bytes.size());
    QVERIFY(read(bytes + std::string(30, '\0')).ok());  // padding behind the last tensor
  }

  void refusesBrokenFiles_data() {
    QTest::addColumn<QByteArray>("bytes");
    QTest::addColumn<bool>("unsupported");
    QTest::addColumn<QStringList>("words");
    const auto row = [](const char* name, const std::string& bytes, const QStringList& words,
                        bool unsupported = false) {
      QTest::newRow(name) << QByteArray::fromStdString(bytes) << unsupported << words;
    };
    const std::string name64(64, 'n');
    row("empty", "", {"GGUF"});
    row("magic", "GGML" + u32(3) + u64(0) + u64(0), {"does not begin"});
    row("header cut", "GGUF" + u32(3) + u64(0), {"16 bytes", "24"});
    row("version 1", header(0, 0, 1), {"version 1", "2 and 3"}, true);
    row("version 0", header(0, 0, 0), {"version 0"}, true);
    row("version 4", header(0, 0, 4), {"version 4"}, true);
    row("big-endian", header(0, 0, 3U << 24), {"big-endian"}, true);
    row("too many settings", header(0, 5), {"5 settings", "room for 0"});
    row("negative settings", header(0, ~std::uint64_t{0}), {"-1 settings"});
    row("too many tensors", header(1U << 30, 0), {"1073741824 tensors"});
    row("key cut", with_setting(u64(100) + std::string(20, 'k')), {"the key of setting 0", "beyond the end"});
    row("key empty", with_setting(text("") + std::string(20, '\0')), {"setting 0", "0 bytes"});
    row("key not UTF-8", with_setting(text("\xFF") + u32(4) + u32(0)), {"setting 0", "UTF-8"});
    row("key twice", header(0, 2) + setting("k", 1U) + setting("k", 2U), {"setting 'k' appears twice"});
    row("value type", with_setting(setting("k", 13, u64(0))), {"setting 'k' has type 13", "0 to 12"});
    row("value cut", with_setting(setting("key", 10, u32(0))), {"setting 'key'", "beyond the end"});
    row("boolean", with_setting(setting("k", 7, "\2")), {"setting 'k' is 2", "boolean"});
    row("text cut", with_setting(setting("k", 8, u64(9) + "abc")), {"setting 'k'", "beyond the end"});
    row("array type", with_setting(setting("k", 9, u32(99) + u64(0))), {"'k' is an array of type 99"});
    row("array of arrays", with_setting(setting("k", 9, u32(9) + u64(1) + u32(0) + u64(0))),
        {"array of arrays"}, true);
    row("array too long", with_setting(setting("k", 9, u32(4) + u64(1ULL << 62))), {"room for 0"});
    row("text in array cut", with_setting(setting("k", 9, u32(8) + u64(2) + text("a") + u64(50))),
        {"setting 'k', element 1", "beyond the end"});
    row("name cut", with_tensor(u64(1000) + std::string(40, 'n')), {"the name of tensor 0"});
    row("name too long", with_tensor(tensor(name64, {1}, kF32, 0), 4), {"tensor 0", "64 bytes", "1 to 63"});
    row("name twice", padded(header(2, 0) + tensor("t", {1}, kF32, 0) + tensor("t", {1}, kF32, 32)),
        {"tensor 't' appears twice"});
    row("no dimensions", with_tensor(tensor("t", {}, kF32, 0) + u64(0)), {"'t' has 0 dimensions", "1 to 4"});
    row("five dimensions", with_tensor(tensor("t", {1, 1, 1, 1, 1}, kF32, 0), 4), {"5 dimensions"});
    row("empty extent", with_tensor(tensor("t", {3, 0}, kF32, 0)), {"extent 0 in dimension 1"});
    row("huge extent", with_tensor(tensor("t", {1ULL << 32, 1ULL << 32}, kF32, 0)), {"extent 4294967296"});
    row("tensor cut", header(1, 0) + text("tensor") + u32(4) + u64(1) + u64(1),
        {"'tensor'", "beyond the end"});
    row("tensor type", with_tensor(tensor("t", {32}, 16, 0), 32), {"'t' has type 16", "8 (Q8_0)"}, true);
    row("half a block", with_tensor(tensor("t", {48}, 8, 0), 51), {"rows of 48", "Q8_0", "multiple of 32"});
    row("offset", with_tensor(tensor("t", {1}, kF32, 32), 40), {"'t' has offset 32, wanted 0"});
    row("data cut", with_tensor(tensor("t", {9}, kF32, 0), 35), {"'t' ends at byte", "the file has"});
    row("data beyond", with_tensor(tensor("t", {8}, kF32, 0), 64), {"the last tensor ends"});
    row("alignment", header(0, 1) + setting("general.alignment", 24U),
        {"'general.alignment' is 24", "power"});
    row("alignment 0", header(0, 1) + setting("general.alignment", 0U), {"'general.alignment' is 0"});
  }

  void refusesBrokenFiles() {
    QFETCH(QByteArray, bytes);
    QFETCH(bool, unsupported);
    QFETCH(QStringList, words);
    const auto file = read(bytes.toStdString());
    QVERIFY(!file.ok());
    verify(file.error(), unsupported ? ErrorCode::Unsupported : ErrorCode::BadFormat, words << "a.gguf: ");
  }

  void namesAndOrdersTensorsAsTheLoaderDoes() {
    QCOMPARE(loader_name("token_embd.weight"), "model.embed_tokens.weight");
    QCOMPARE(loader_name("blk.12.ffn_down.weight"), "model.layers.12.mlp.down_proj.weight");
    QCOMPARE(loader_name("blk.attn_q.weight"), "blk.attn_q.weight");
    QCOMPARE(loader_name("rope_freqs.weight"), "rope_freqs.weight");

    // One head of 8 rows: models.md A.5 gives the order in which GGUF stores them.
    Writer writer = tiny_llama();
    writer.set("llama.attention.key_length", 8U);
    writer.add("token_embd.weight", {1, 3}, kF32, floats({1, 2, 3}));
    writer.add("blk.0.attn_q.weight", {1, 8}, kF32, floats({0, 4, 1, 5, 2, 6, 3, 7}));
    writer.add("blk.0.attn_v.weight", {1, 2}, kF32, floats({0, 1}));
    const auto checkpoint = Checkpoint::open(file(writer.bytes()));
    QVERIFY2(checkpoint.ok(), checkpoint.ok() ? "" : checkpoint.error().message.c_str());
    QVERIFY((*checkpoint)->gguf() != nullptr);
    const auto q =
        (*checkpoint)->read("model.layers.0.self_attn.q_proj.weight", std::vector<std::int64_t>{8, 1});
    QVERIFY2(q.ok(), q.ok() ? "" : q.error().message.c_str());
    for (int i = 0; i < 8; ++i) QCOMPARE(q->f32()[i], static_cast<float>(i));
    const auto v =
        (*checkpoint)->read("model.layers.0.self_attn.v_proj.weight", std::vector<std::int64_t>{2, 1});
    QCOMPARE(v->f32()[1], 1.0F);
  }

  void readsTheConfiguration() {
    Writer writer = tiny_llama();
    writer.set("llama.rope.freq_base", 100000.0F);
    writer.add("token_embd.weight", {8, 5}, kF32, std::string(8 * 5 * 4, '\0'));
    const std::string bytes = writer.bytes();
    const auto gguf = read(bytes);
    const auto config = read_gguf_config(*gguf);
    QVERIFY2(config.ok(), config.ok() ? "" : config.error().message.c_str());
    QCOMPARE(config->family, ModelFamily::Llama);
    QCOMPARE(config->vocab_size, 5);
    QCOMPARE(config->d_model, 8);
    QCOMPARE(config->d_ff, 16);
    QCOMPARE(config->nheads, 2);
    QCOMPARE(config->nheads_kv, 1);
    QCOMPARE(config->headdim, 4);
    QCOMPARE(config->max_context, 64);
    QCOMPARE(config->rope_theta, 100000.0);
    QVERIFY(config->tied_embeddings);
    QCOMPARE(config->eos_ids, std::vector<std::int32_t>{2});
    QVERIFY(config->json.find("\"llama.block_count\":1") != std::string::npos);
  }

  void refusesOtherModels_data() {
    QTest::addColumn<QByteArray>("setting");
    QTest::addColumn<QStringList>("words");
    const auto row = [](const char* name, const std::string& entry, const QStringList& words) {
      QTest::newRow(name) << QByteArray::fromStdString(entry) << words;
    };
    row("experts", setting("llama.expert_count", 8U), {"8 experts"});
    row("rope scaling", setting("llama.rope.scaling.type", "yarn"), {"\"yarn\""});
    row("partly rotated", setting("llama.rope.dimension_count", 2U), {"heads of 4 with 2 rotated"});
    row("other values", setting("llama.attention.value_length", 8U), {"values of 8"});
    row("vocabulary", setting("llama.vocab_size", 7U), {"5 rows", "7"});
    row("end token", setting("tokenizer.ggml.eot_token_id", 5U), {"eot_token_id", "0 to 4"});
  }

  void refusesOtherModels() {
    QFETCH(QByteArray, setting);
    QFETCH(QStringList, words);
    Writer writer = tiny_llama();
    writer.add("token_embd.weight", {8, 5}, kF32, std::string(8 * 5 * 4, '\0'));
    writer.set_raw(setting.toStdString());
    const std::string bytes = writer.bytes();
    const auto gguf = read(bytes);
    QVERIFY2(gguf.ok(), gguf.ok() ? "" : gguf.error().message.c_str());
    const auto config = read_gguf_config(*gguf);
    QVERIFY(!config.ok());
    for (const QString& word : words)
      QVERIFY2(QString::fromStdString(config.error().message).contains(word), config.error().message.c_str());
  }

  void refusesAnotherArchitecture() {
    Writer writer;
    writer.set("general.architecture", "mamba");
    const std::string bytes = writer.bytes();
    verify(read_gguf_config(*read(bytes)).error(), ErrorCode::Unsupported, {"\"mamba\"", "only \"llama\""});
  }

 private:
  /// Writes a file and gives its path.
  std::string file(const std::string& bytes) {
    const QString path = m_folder.filePath("a.gguf");
    QFile out(path);
    if (!out.open(QIODevice::WriteOnly) || out.write(bytes.data(), static_cast<qint64>(bytes.size())) < 0)
      qFatal("cannot write");
    return path.toStdString();
  }

  QTemporaryDir m_folder;
};

QTEST_APPLESS_MAIN(TestGguf)
#include "tst_gguf.moc"
