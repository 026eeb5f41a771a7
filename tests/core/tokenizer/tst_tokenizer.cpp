// Encoding and decoding: the ids that the package `tokenizers` gives
// (tests/reference/make_tokenizer_vectors.py), every way back to text, and streams.
#include <vector>

#include <QElapsedTimer>
#include <QJsonArray>
#include <QJsonObject>
#include <QTest>

#include "core/base/resources.h"
#include "core/tokenizer/tokenizer.h"
#include "tests/support/json_data.h"

using namespace tandem;
using tandem::test::readDocument;

namespace {

using Ids = std::vector<std::int32_t>;

Ids toIds(const QJsonValue& value) {
  Ids ids;
  for (const auto& id : value.toArray()) ids.push_back(id.toInt());
  return ids;
}

std::shared_ptr<const Tokenizer> open(const std::string& path) {
  auto tokenizer = read_tokenizer(path);
  if (!tokenizer.ok()) qFatal("%s", tokenizer.error().message.c_str());
  return *tokenizer;
}

std::shared_ptr<const Tokenizer> openData(const char* name) {
  return open(std::string(TANDEM_TEST_DATA "/tokenizer/") + name);
}

std::shared_ptr<const Tokenizer> openWords() {
  return open(resource_path("models/seed-teacher/tokenizer.json"));
}

std::string stream(const Tokenizer& tokenizer, const Ids& ids) {
  StreamDecoder decoder(tokenizer);
  std::string text;
  for (const std::int32_t id : ids) text += decoder.push(id);
  return text + decoder.finish();
}

}  // namespace

class TestTokenizer : public QObject {
  Q_OBJECT

 private slots:
  void givesTheReferenceIds_data() {
    QTest::addColumn<QString>("name");
    QTest::newRow("Llama-3 pre-tokenizer, whole pieces, merges as pairs") << "llama3";
    QTest::newRow("digits and ByteLevel, merges as strings") << "smollm";
  }

  void givesTheReferenceIds() {
    QFETCH(QString, name);
    const auto tokenizer = openData(qPrintable(name + ".json"));
    const QJsonArray strings = readDocument("tokenizer/strings.json").array();
    const QJsonArray expected = readDocument("tokenizer/" + name + "_ids.json").array();
    QVERIFY(strings.size() >= 2000);
    QCOMPARE(expected.size(), strings.size());
    for (qsizetype i = 0; i < strings.size(); ++i) {
      const std::string text = strings[i].toString().toStdString();
      const Ids ids = tokenizer->encode(text);
      QVERIFY2(ids == toIds(expected[i]),
               qPrintable(QString("string %1: %2").arg(i).arg(strings[i].toString())));
      QCOMPARE(tokenizer->decode(ids, true), text);
      QCOMPARE(stream(*tokenizer, ids), tokenizer->decode(ids));
    }
  }

  void givesTheReferenceIdsOfWords() {
    const auto tokenizer = openWords();
    const QJsonObject vectors = readDocument("tokenizer/words.json").object();
    const QJsonArray strings = vectors["strings"].toArray();
    const QJsonArray expected = vectors["ids"].toArray();
    QVERIFY(strings.size() >= 200);
    for (qsizetype i = 0; i < strings.size(); ++i) {
      const Ids ids = tokenizer->encode(strings[i].toString().toStdString());
      QVERIFY2(ids == toIds(expected[i]), qPrintable(strings[i].toString()));
      QCOMPARE(stream(*tokenizer, ids), tokenizer->decode(ids));
    }
  }

  void joinsWords() {
    const auto tokenizer = openWords();
    const std::string text =
        "Problem: Noah has 27 apples, so 2 * 3 = 6. How many apples? The answer is 1234.";
    const Ids ids = tokenizer->encode(text);
    QCOMPARE(tokenizer->decode(ids), text);
    QCOMPARE(tokenizer->decode(tokenizer->encode("now 1 2 , has:3")), "now 12, has: 3");
    const std::int32_t eos = *tokenizer->id_of("<eos>");
    QCOMPARE(tokenizer->decode(Ids{7, eos, 8}), "01");  // what is left out does not part digits
    QCOMPARE(tokenizer->decode(Ids{7, eos, 8}, true), "0 <eos> 1");
    QCOMPARE(stream(*tokenizer, {eos, 7, eos, 8}), "01");
    QCOMPARE(tokenizer->encode("zebra"), Ids{eos});  // this file's unknown token
    QCOMPARE(tokenizer->piece(21), "After");
    QCOMPARE(tokenizer->vocab_size(), 103);
  }

  void treatsSpecialTokensAsAsked() {
    const auto tokenizer = openData("llama3.json");
    const std::int32_t begin = *tokenizer->id_of("<|begin_of_text|>");
    const std::int32_t turn = *tokenizer->id_of("<|eot_id|>");
    const std::int32_t tool = *tokenizer->id_of("tool_call");
    QVERIFY(tokenizer->is_special(begin) && tokenizer->is_special(turn));
    QVERIFY(!tokenizer->is_special(tool) && !tokenizer->is_special(0) && !tokenizer->is_special(-1));
    QVERIFY(!tokenizer->id_of("<|absent|>").has_value());
    QCOMPARE(tokenizer->encode("<|eot_id|>", true, true), (Ids{begin, turn}));
    QCOMPARE(tokenizer->encode("", true, true), Ids{begin});
    const Ids plain = tokenizer->encode("<|eot_id|>tool_call", false);
    QVERIFY(std::find(plain.begin(), plain.end(), turn) == plain.end());
    QCOMPARE(plain.back(), tool);
    QCOMPARE(tokenizer->decode(plain), "<|eot_id|>tool_call");
    QCOMPARE(tokenizer->decode(Ids{begin, tool, turn}), "tool_call");
    QCOMPARE(tokenizer->decode(Ids{begin, tool, turn}, true), "<|begin_of_text|>tool_call<|eot_id|>");
    // No template in this file, so nothing to put before a text.
    QCOMPARE(openData("smollm.json")->encode("", true, true), Ids{});
  }

  void takesTheLongestAddedToken() {
    const auto tokenizer = openData("llama3.json");
    QCOMPARE(tokenizer->encode("<|eot|><|eot_id|>"),
             (Ids{*tokenizer->id_of("<|eot|>"), *tokenizer->id_of("<|eot_id|>")}));
  }

  void decodesAnyIds() {
    const auto tokenizer = openData("llama3.json");
    QCOMPARE(tokenizer->decode(Ids{-1, 1 << 30, static_cast<std::int32_t>(tokenizer->vocab_size())}), "");
    QCOMPARE(tokenizer->piece(-5), "");
    // The single bytes are tokens: E2 82 AC is the euro sign, and what breaks off becomes one U+FFFD.
    const Ids euro = bytesToIds(*tokenizer, "\xE2\x82\xAC");
    QCOMPARE(tokenizer->decode(euro), "\u20AC");
    QCOMPARE(tokenizer->piece(euro[0]), "\uFFFD");
    StreamDecoder decoder(*tokenizer);
    QCOMPARE(decoder.push(euro[0]), "");
    QCOMPARE(decoder.push(euro[1]), "");
    QCOMPARE(decoder.push(euro[2]), "\u20AC");
    QCOMPARE(decoder.push(euro[0]), "");
    QCOMPARE(decoder.push(euro[0]), "\uFFFD");
    QCOMPARE(decoder.finish(), "\uFFFD");
    QCOMPARE(decoder.finish(), "");
    std::srand(7);
    for (int round = 0; round < 200; ++round) {
      Ids ids;
      for (int i = 0; i < 20; ++i) ids.push_back(std::rand() % 300);
      const std::string text = tokenizer->decode(ids);
      QCOMPARE(stream(*tokenizer, ids), text);
      QCOMPARE(QString::fromStdString(text).toStdString(), text);  // valid UTF-8
    }
  }

  void repairsUtf8_data() {
    QTest::addColumn<QByteArray>("bytes");
    QTest::addColumn<QString>("text");  // with _ for U+FFFD
    // The tables of Unicode 15, section 3.9: 3-8 to 3-11.
    QTest::newRow("ill-formed") << QByteArray::fromHex("61F18080E180C262806380BF64") << "a___b_c__d";
    QTest::newRow("not shortest") << QByteArray::fromHex("C0AFE080BFF0818241") << "________A";
    QTest::newRow("surrogates") << QByteArray::fromHex("EDA080EDBFBFEDAF41") << "________A";
    QTest::newRow("above U+10FFFF") << QByteArray::fromHex("F4919293FF4180BF42") << "_____A__B";
    QTest::newRow("truncated") << QByteArray::fromHex("E180E2F09192F1BF41") << "____A";
    QTest::newRow("well-formed") << QByteArray("a\u00E9\u20AC\U0010FFFF")
                                 << QString::fromUtf8("a\u00E9\u20AC\U0010FFFF");
  }

  void repairsUtf8() {
    QFETCH(QByteArray, bytes);
    QFETCH(QString, text);
    const std::string expected = text.replace('_', QChar(0xFFFD)).toStdString();
    QCOMPARE(repair_utf8(bytes.toStdString()), expected);
    QVERIFY(is_utf8(expected));
    Utf8Repair repair;
    std::string streamed;
    for (const char byte : bytes) streamed += repair.push({&byte, 1});
    QCOMPARE(streamed + repair.finish(), expected);
  }

  void encodesTextThatIsNotUtf8() {
    const auto tokenizer = openData("llama3.json");
    QCOMPARE(tokenizer->decode(tokenizer->encode("a\xFF"
                                                 "b\xE2\x82")),
             "a\uFFFDb\uFFFD");
  }

  void encodesLongPiecesInReasonableTime() {
    const auto tokenizer = openData("llama3.json");
    const std::string letters = std::string(400'000, 'a');  // one piece
    QElapsedTimer timer;
    timer.start();
    QCOMPARE(tokenizer->decode(tokenizer->encode(letters)), letters);
    const std::string spaces = std::string(400'000, ' ') + "x";
    QCOMPARE(tokenizer->decode(tokenizer->encode(spaces)), spaces);
    QVERIFY2(timer.elapsed() < 5000, qPrintable(QString("%1 ms").arg(timer.elapsed())));
  }

 private:
  static Ids bytesToIds(const Tokenizer& tokenizer, const std::string& bytes) {
    Ids ids;
    for (const char byte : bytes) ids.push_back(*tokenizer.id_of({&byte, 1}));
    return ids;
  }
};

QTEST_APPLESS_MAIN(TestTokenizer)
#include "tst_tokenizer.moc"
