// The tokenizer inside a GGUF file: the ids that the package `tokenizers` gives for the same vocabulary and
// merges (tests/reference/make_tokenizer_vectors.py), and an error for each thing that can be wrong.
#include <algorithm>

#include <QJsonArray>
#include <QJsonObject>
#include <QTest>

#include "core/checkpoint/gguf.h"
#include "core/tokenizer/tokenizer.h"
#include "tests/support/gguf_writer.h"
#include "tests/support/json_data.h"

using namespace tandem;
using tandem::test::readDocument;
namespace gguf = tandem::test::gguf;

namespace {

using Ids = std::vector<std::int32_t>;

/// What the settings tokenizer.ggml.* hold.
struct Vocabulary {
  std::vector<std::string> tokens;
  std::vector<std::int32_t> types;
  std::vector<std::string> merges;

  /// That of tests/data/tokenizer/smollm.json, whose merges are texts; llama3.json has the same.
  static Vocabulary stored() {
    Vocabulary vocabulary;
    const QJsonObject file = readDocument("tokenizer/smollm.json").object();
    const QJsonObject model = file["model"].toObject();
    const QJsonObject ids = model["vocab"].toObject();
    const auto put = [&vocabulary](int id, const QString& text, std::int32_t type) {
      const auto at = static_cast<std::size_t>(id);
      if (at >= vocabulary.tokens.size()) {
        vocabulary.tokens.resize(at + 1);
        vocabulary.types.resize(at + 1, 5);
      }
      vocabulary.tokens[at] = text.toStdString();
      vocabulary.types[at] = type;
    };
    for (auto entry = ids.begin(); entry != ids.end(); ++entry) put(entry.value().toInt(), entry.key(), 1);
    for (const auto& entry : file["added_tokens"].toArray()) {
      const QJsonObject token = entry.toObject();
      put(token["id"].toInt(), token["content"].toString(), token["special"].toBool() ? 3 : 4);
    }
    for (const auto& merge : model["merges"].toArray())
      vocabulary.merges.push_back(merge.toString().toStdString());
    return vocabulary;
  }

  static Vocabulary tiny() { return {{"a", "b", "ab", "<end>"}, {1, 1, 1, 3}, {"a b"}}; }

  gguf::Writer written(const char* pre) const {
    gguf::Writer writer;
    writer.set("tokenizer.ggml.model", "gpt2");
    writer.set("tokenizer.ggml.pre", pre);
    writer.set("tokenizer.ggml.tokens", tokens);
    writer.set("tokenizer.ggml.token_type", types);
    writer.set("tokenizer.ggml.merges", merges);
    return writer;
  }
};

Result<std::shared_ptr<const Tokenizer>> open(const gguf::Writer& writer) {
  const std::string bytes = writer.bytes();
  const auto file = read_gguf(std::as_bytes(std::span(bytes)), "a.gguf");
  if (!file) return file.error();
  return read_tokenizer(file->settings);  // keeps nothing of the bytes
}

}  // namespace

class TestGgufTokenizer : public QObject {
  Q_OBJECT

 private slots:
  void givesTheReferenceIds_data() {
    QTest::addColumn<QString>("pre");
    QTest::addColumn<QString>("vectors");
    QTest::newRow("llama-bpe") << "llama-bpe"
                               << "llama3";
    QTest::newRow("smollm") << "smollm"
                            << "smollm";
  }

  void givesTheReferenceIds() {
    QFETCH(QString, pre);
    QFETCH(QString, vectors);
    gguf::Writer writer = Vocabulary::stored().written(qPrintable(pre));
    writer.set("tokenizer.ggml.bos_token_id", 2U);
    const auto opened = open(writer);
    QVERIFY2(opened.ok(), opened.ok() ? "" : opened.error().message.c_str());
    const Tokenizer& tokenizer = **opened;
    const QJsonArray strings = readDocument("tokenizer/strings.json").array();
    const QJsonArray expected = readDocument("tokenizer/" + vectors + "_ids.json").array();
    QVERIFY(strings.size() >= 2000);
    QCOMPARE(expected.size(), strings.size());
    for (qsizetype i = 0; i < strings.size(); ++i) {
      const std::string text = strings[i].toString().toStdString();
      const Ids ids = tokenizer.encode(text);
      Ids wanted;
      for (const auto& id : expected[i].toArray()) wanted.push_back(id.toInt());
      QVERIFY2(ids == wanted, qPrintable(QString("string %1: %2").arg(i).arg(strings[i].toString())));
      QCOMPARE(tokenizer.decode(ids, true), text);
    }
    const Ids prefix = tokenizer.encode("", true, true);
    QCOMPARE(prefix, pre == "llama-bpe" ? Ids{2} : Ids{});
  }

  void asksTheFileForTheBeginning() {
    gguf::Writer with = Vocabulary::tiny().written("smollm");
    with.set("tokenizer.ggml.add_bos_token", true);
    with.set("tokenizer.ggml.bos_token_id", 3U);
    QCOMPARE((*open(with))->encode("ab", true, true), (Ids{3, 2}));
    gguf::Writer without = Vocabulary::tiny().written("llama-bpe");
    without.set("tokenizer.ggml.add_bos_token", false);
    QCOMPARE((*open(without))->encode("ab<end>", true, true), (Ids{2, 3}));
    QVERIFY((*open(without))->is_special(3));
  }

  void refusesWhatItDoesNotKnow_data() {
    QTest::addColumn<QString>("what");
    QTest::addColumn<QStringList>("words");
    const auto row = [](const char* what, const QStringList& words) { QTest::newRow(what) << what << words; };
    row("model", {"\"bert\"", "only \"gpt2\""});
    row("pre", {"\"unheard-of\"", "\"llama-bpe\"", "\"smollm\""});
    row("no tokens", {"'tokenizer.ggml.tokens' is not there"});
    row("types", {"token_type' has 1 elements", "tokens' has 2"});
    row("type", {"token 1 is \"b\" of type 9", "1 to 6"});
    row("empty token", {"token 1 is \"\""});
    row("same text", {"tokens 0 and 1 have the same text"});
    row("same added text", {"two tokens have the text \"<x>\""});
    row("merge", {"merge 0 is \"a c\"", "two tokens"});
    row("merge in one piece", {"merge 0 is \"ab\""});
    row("beginning", {"bos_token_id' is 9", "0 to 3"});
    row("end", {"add_eos_token' is true"});
    row("not UTF-8", {"element 1 of 'tokenizer.ggml.tokens' is not valid UTF-8"});
  }

  void refusesWhatItDoesNotKnow() {
    QFETCH(QString, what);
    QFETCH(QStringList, words);
    Vocabulary tiny = Vocabulary::tiny();
    if (what == "types") tiny = {{"a", "b"}, {1}, {}};
    if (what == "type") tiny = {{"a", "b"}, {1, 9}, {}};
    if (what == "empty token") tiny = {{"a", ""}, {1, 1}, {}};
    if (what == "same text") tiny = {{"a", "a"}, {1, 1}, {}};
    if (what == "same added text") tiny = {{"<x>", "<x>"}, {3, 4}, {}};
    if (what == "merge") tiny.merges = {"a c"};
    if (what == "merge in one piece") tiny.merges = {"ab"};
    if (what == "not UTF-8") tiny.tokens[1] = "\xFF";
    gguf::Writer writer = tiny.written(what == "pre" ? "unheard-of" : "smollm");
    if (what == "model") {
      writer = {};
      writer.set("tokenizer.ggml.model", "bert");
    }
    if (what == "no tokens") {
      writer = {};
      writer.set("tokenizer.ggml.model", "gpt2");
      writer.set("tokenizer.ggml.pre", "gpt-2");
    }
    if (what == "beginning") {
      writer.set("tokenizer.ggml.add_bos_token", true);
      writer.set("tokenizer.ggml.bos_token_id", 9U);
    }
    if (what == "end") writer.set("tokenizer.ggml.add_eos_token", true);
    const auto tokenizer = open(writer);
    QVERIFY(!tokenizer.ok());
    const QString message = QString::fromStdString(tokenizer.error().message);
    for (const QString& word : words << "a.gguf")
      QVERIFY2(message.contains(word), qPrintable(message + "\nlacks " + word));
  }
};

QTEST_APPLESS_MAIN(TestGgufTokenizer)
#include "tst_gguf_tokenizer.moc"
