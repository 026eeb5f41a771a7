// tokenizer.json: every component that is not handled is refused by name, and every way a file can be broken
// gives an error.
#include <vector>

#include <QJsonArray>
#include <QJsonDocument>
#include <QJsonObject>
#include <QTemporaryDir>
#include <QTest>

#include "core/tokenizer/tokenizer.h"

using namespace tandem;

namespace {

using Ids = std::vector<std::int32_t>;

const char* const kBpe = R"json({
  "added_tokens": [{"id": 5, "content": "<s>", "special": true, "normalized": false,
                    "single_word": false, "lstrip": false, "rstrip": false}],
  "normalizer": null,
  "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "use_regex": true},
  "post_processor": {"type": "TemplateProcessing",
                     "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
                     "special_tokens": {"<s>": {"id": "<s>", "ids": [5], "tokens": ["<s>"]}}},
  "decoder": {"type": "ByteLevel"},
  "model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "Ġ": 2, "ab": 3, "Ġab": 4},
            "merges": ["a b", ["Ġ", "ab"]]}})json";

const char* const kWordLevel = R"json({
  "added_tokens": [{"id": 0, "content": "?!", "special": true}],
  "pre_tokenizer": {"type": "Whitespace"},
  "model": {"type": "WordLevel", "vocab": {"?!": 0, "a": 1, "b": 2}, "unk_token": "?!"}})json";

/// `object` with the value at `path` replaced by `value` (JSON text), or removed when it is empty.
QJsonObject changed(QJsonObject object, const QStringList& path, const QByteArray& value) {
  if (path.size() > 1)
    object[path[0]] = changed(object[path[0]].toObject(), path.mid(1), value);
  else if (value.isEmpty())
    object.remove(path[0]);
  else
    object[path[0]] = QJsonDocument::fromJson("[" + value + "]")[0];
  return object;
}

std::string changed(const char* document, const char* path, const char* value) {
  const QJsonObject object = QJsonDocument::fromJson(document).object();
  return QJsonDocument(changed(object, QString(path).split('.'), value)).toJson().toStdString();
}

std::shared_ptr<const Tokenizer> parse(const std::string& text) {
  auto tokenizer = parse_tokenizer(text, "tokenizer.json");
  if (!tokenizer.ok()) qFatal("%s", tokenizer.error().message.c_str());
  return *tokenizer;
}

void verifyError(const Result<std::shared_ptr<const Tokenizer>>& result, ErrorCode code,
                 const QStringList& words) {
  QVERIFY2(!result.ok(), "expected an error");
  const QString message = QString::fromStdString(result.error().message);
  QVERIFY2(result.error().code == code, qPrintable(message));
  for (const QString& word : words) QVERIFY2(message.contains(word), qPrintable(message + " lacks " + word));
}

}  // namespace

class TestTokenizerFile : public QObject {
  Q_OBJECT

 private slots:
  void readsBothKinds() {
    const auto bpe = parse(kBpe);
    QCOMPARE(bpe->encode("ab ab", true, true), (Ids{5, 3, 4}));
    QCOMPARE(bpe->vocab_size(), 6);
    QCOMPARE(bpe->id_of(" ab"), 4);
    QCOMPARE(bpe->piece(4), " ab");
    QCOMPARE(bpe->encode("xa"), Ids{0});  // no token for x, and no unknown token
    const auto words = parse(kWordLevel);
    QCOMPARE(words->encode("a b c"), (Ids{1, 2, 0}));
  }

  void readsPreTokenizers_data() {
    QTest::addColumn<QByteArray>("steps");
    QTest::addColumn<Ids>("ids");  // of "a b ab" with a, b, space, ab and space-ab as tokens
    QTest::newRow("one piece") << QByteArray() << Ids{0, 2, 1, 4};
    QTest::newRow("isolated") << QByteArray(
                                     R"({"type":"Split","pattern":{"String":" "},"behavior":"Isolated"},)")
                              << Ids{0, 2, 1, 2, 3};
    QTest::newRow("removed") << QByteArray(
                                    R"({"type":"Split","pattern":{"Regex":"\\s+"},"behavior":"Removed"},)")
                             << Ids{0, 1, 3};
    QTest::newRow("all but removed")
        << QByteArray(R"({"type":"Split","pattern":{"Regex":"[^b]"},"behavior":"Removed","invert":true},)")
        << Ids{0, 2, 2, 0};
    QTest::newRow("literal") << QByteArray(
                                    R"({"type":"Split","pattern":{"String":"."},"behavior":"Removed"},)")
                             << Ids{0, 2, 1, 4};
  }

  void readsPreTokenizers() {
    QFETCH(QByteArray, steps);
    QFETCH(Ids, ids);
    const QByteArray list =
        R"({"type":"Sequence","pretokenizers":[)" + steps + R"({"type":"ByteLevel","use_regex":false}]})";
    QCOMPARE(parse(changed(kBpe, "pre_tokenizer", list))->encode("a b ab"), ids);
  }

  void replacesUnknownBytes() {
    const std::string unknown = changed(kBpe, "model.unk_token", "\"b\"");
    QCOMPARE(parse(unknown)->encode("axxa"), (Ids{3, 1, 0}));  // "a" and the unknown "b" join to "ab"
    const QJsonObject object = QJsonDocument::fromJson(QByteArray::fromStdString(unknown)).object();
    const auto fused = QJsonDocument(changed(object, {"model", "fuse_unk"}, "true")).toJson().toStdString();
    QCOMPARE(parse(fused)->encode("axxa"), (Ids{3, 0}));
  }

  void mergesTheLowestRankFirst() {
    const char* const vocab = R"({"a":0,"b":1,"c":2,"ab":3,"bc":4,"abc":6,"aa":7})";
    const std::string document = changed(kBpe, "model.vocab", vocab);
    const auto with = [&](const char* merges) {
      return parse(changed(document.c_str(), "model.merges", merges));
    };
    QCOMPARE(with(R"(["a b", "b c"])")->encode("abc"), (Ids{3, 2}));
    QCOMPARE(with(R"(["b c", "a b"])")->encode("abc"), (Ids{0, 4}));
    QCOMPARE(with(R"(["b c", "a bc"])")->encode("abc"), (Ids{6}));
    QCOMPARE(with(R"(["a a"])")->encode("aaa"), (Ids{7, 0}));  // the leftmost of equals
    const std::string whole = changed(document.c_str(), "model.ignore_merges", "true");
    QCOMPARE(parse(changed(whole.c_str(), "model.merges", "[]"))->encode("abc"), (Ids{6}));
  }

  void refuses_data();
  void refuses() {
    QFETCH(std::string, text);
    QFETCH(int, code);
    QFETCH(QStringList, words);
    verifyError(parse_tokenizer(text, "tokenizer.json"), static_cast<ErrorCode>(code),
                QStringList{"tokenizer.json"} + words);
  }

  void saysWhichFileIsNotThere() {
    const QTemporaryDir folder;
    verifyError(read_tokenizer(folder.filePath("tokenizer.json").toStdString()), ErrorCode::NotFound,
                {"tokenizer.json"});
  }
};

void TestTokenizerFile::refuses_data() {
  QTest::addColumn<std::string>("text");
  QTest::addColumn<int>("code");
  QTest::addColumn<QStringList>("words");
  const auto bpe = [](ErrorCode code, const char* path, const char* value, const QStringList& words) {
    QTest::addRow("%s %s", path, value) << changed(kBpe, path, value) << static_cast<int>(code) << words;
  };
  const auto word = [](ErrorCode code, const char* path, const char* value, const QStringList& words) {
    QTest::addRow("words: %s %s", path, value)
        << changed(kWordLevel, path, value) << static_cast<int>(code) << words;
  };
  using enum ErrorCode;
  const auto text = [](const char* name, const std::string& document, const QStringList& words) {
    QTest::newRow(name) << document << static_cast<int>(BadFormat) << words;
  };
  text("empty", "", {"not valid JSON"});
  text("cut", std::string(kBpe).substr(0, 300), {"not valid JSON"});
  text("not an object", "[]", {"wanted an object"});
  text("twice", R"({"model": 1, "model": 2})", {"'model' appears twice"});
  text("half a surrogate pair", R"({"a": "\ud800"})", {"not valid JSON"});
  text("not UTF-8", "{\"a\": \"\xFF\"}", {"not valid JSON"});
  text("deep", std::string(100'000, '['), {"nested deeper"});

  bpe(BadFormat, "model", "", {"'model' is missing"});
  bpe(BadFormat, "model.type", "", {"model: 'type' is missing"});
  bpe(Unsupported, "model.type", "\"Unigram\"", {"model", "Unigram"});
  bpe(BadFormat, "model.vocab", "[]", {"'vocab' is an array", "an object"});
  bpe(BadFormat, "model.vocab", R"({"a": -1})", {"'a'", "-1"});
  bpe(BadFormat, "model.vocab", R"({"a": 1.5})", {"'a'", "1.5"});
  bpe(BadFormat, "model.vocab", R"({"a": 65538})", {"'a'", "65538", "65536"});
  bpe(BadFormat, "model.vocab", R"({"a": 18446744073709551615})", {"'a'", "1.8446744073709552e+19"});
  bpe(BadFormat, "model.vocab", R"({"a": 0, "b": 0})", {"'a' and 'b'", "same id 0"});
  bpe(BadFormat, "model.vocab", R"({"": 0})", {"''", "wanted a text"});
  bpe(BadFormat, "model.merges", "", {"'merges' is missing"});
  bpe(BadFormat, "model.merges", R"(["a b", "a x"])", {"merge 1", "a x"});
  bpe(BadFormat, "model.merges", R"(["b a"])", {"merge 0", "b a"});
  bpe(BadFormat, "model.merges", R"(["ab"])", {"merge 0", "ab"});
  bpe(BadFormat, "model.merges", R"([["a"]])", {"merge 0"});
  bpe(BadFormat, "model.merges", "[3]", {"merge 0", "3"});
  bpe(BadFormat, "model.unk_token", "\"<unk>\"",
      {"model: 'unk_token' is \"<unk>\"", "a token of the vocabulary"});
  bpe(Unsupported, "model.continuing_subword_prefix", "\"##\"", {"continuing_subword_prefix", "##"});
  bpe(Unsupported, "model.end_of_word_suffix", "\"</w>\"", {"end_of_word_suffix"});
  bpe(Unsupported, "model.byte_fallback", "true", {"byte_fallback"});
  bpe(Unsupported, "model.dropout", "0.1", {"dropout"});
  bpe(BadFormat, "model.ignore_merges", "1", {"'ignore_merges' is 1"});

  bpe(Unsupported, "normalizer", R"({"type": "NFC"})", {"normalizer: NFC"});
  bpe(Unsupported, "pre_tokenizer", "null", {"BPE without the ByteLevel"});
  bpe(Unsupported, "pre_tokenizer", R"({"type": "Metaspace"})", {"pre_tokenizer: Metaspace"});
  bpe(Unsupported, "pre_tokenizer.add_prefix_space", "true", {"pre_tokenizer", "add_prefix_space"});
  bpe(BadFormat, "pre_tokenizer", R"({"type": "Sequence"})", {"'pretokenizers' is missing"});
  bpe(BadFormat, "pre_tokenizer", R"({"type": "Sequence", "pretokenizers": [3]})", {"an array of objects"});
  bpe(Unsupported, "pre_tokenizer",
      R"({"type": "Sequence", "pretokenizers": [{"type": "ByteLevel"}, {"type": "Digits"}]})",
      {"Digits after ByteLevel"});
  bpe(Unsupported, "pre_tokenizer",
      R"({"type": "Split", "pattern": {"String": "a"}, "behavior": "MergedWithNext"})", {"MergedWithNext"});
  bpe(BadFormat, "pre_tokenizer", R"({"type": "Split", "pattern": {"Regex": "(a"}, "behavior": "Isolated"})",
      {"pre_tokenizer", "regular expression", "byte 2"});
  bpe(BadFormat, "pre_tokenizer", R"({"type": "Split", "pattern": {}, "behavior": "Isolated"})",
      {"pattern: 'Regex' is missing"});
  bpe(Unsupported, "decoder", R"({"type": "Metaspace"})", {"decoder: Metaspace"});

  bpe(Unsupported, "post_processor", R"({"type": "BertProcessing"})", {"post_processor: BertProcessing"});
  bpe(Unsupported, "post_processor.single",
      R"([{"Sequence": {"id": "A"}}, {"SpecialToken": {"id": "<s>", "type_id": 0}}])",
      {"a token after the text"});
  bpe(BadFormat, "post_processor.single", R"([{"SpecialToken": {"id": "</s>"}}])", {"'</s>' is missing"});
  bpe(BadFormat, "post_processor.single", "[7]", {"'single'", "an array of objects"});
  bpe(BadFormat, "post_processor.special_tokens.<s>.ids", "[6]", {"'ids'", "ids below 6"});

  bpe(BadFormat, "added_tokens", "{}", {"'added_tokens' is an object", "an array"});
  bpe(BadFormat, "added_tokens", "[1]", {"added_tokens holds 1"});
  bpe(BadFormat, "added_tokens", R"([{"id": 9}])", {"added_tokens: 'content' is missing"});
  bpe(BadFormat, "added_tokens", R"([{"content": "x"}])", {"added_tokens: 'id' is missing"});
  bpe(BadFormat, "added_tokens", R"([{"content": "", "id": 9}])", {"'' is empty"});
  bpe(BadFormat, "added_tokens", R"([{"content": "x", "id": 9}, {"content": "x", "id": 8}])",
      {"'x'", "twice"});
  bpe(BadFormat, "added_tokens", R"([{"content": "x", "id": 4}])", {"' ab' and 'x'", "same id 4"});
  bpe(BadFormat, "added_tokens", R"([{"content": "x", "id": 1000000000}])", {"'id' is 1000000000"});
  bpe(Mismatch, "added_tokens", R"([{"content": "ab", "id": 9}])", {"'ab' has id 9", "id 3"});
  bpe(Unsupported, "added_tokens", R"([{"content": "x", "id": 9, "lstrip": true}])", {"'x'", "lstrip"});

  word(BadFormat, "model.unk_token", "", {"'unk_token' is missing"});
  word(BadFormat, "model.unk_token", "\"c\"", {"'unk_token' is \"c\""});
  word(Unsupported, "pre_tokenizer", R"({"type": "ByteLevel"})", {"WordLevel with the ByteLevel"});
  word(Unsupported, "decoder", R"({"type": "ByteLevel"})", {"decoder: ByteLevel"});
}

QTEST_APPLESS_MAIN(TestTokenizerFile)
#include "tst_tokenizer_file.moc"
