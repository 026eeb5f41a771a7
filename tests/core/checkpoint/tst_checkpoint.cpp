// Checkpoints: what is written is read back, the bundled files open, and each way a file can be broken gives
// an error that names it.
#include <cmath>
#include <cstring>
#include <limits>
#include <memory>
#include <vector>

#include <QDir>
#include <QFile>
#include <QProcess>
#include <QTemporaryDir>
#include <QTest>

#include "core/base/resources.h"
#include "core/checkpoint/checkpoint.h"

using namespace tandem;

namespace {

/// The bytes of a safetensors file with this header and `payload` bytes of zeros.
QByteArray rawFile(const QByteArray& header, int payload) {
  const auto length = static_cast<std::uint64_t>(header.size());
  QByteArray bytes(reinterpret_cast<const char*>(&length), sizeof length);
  return bytes + header + QByteArray(payload, '\0');
}

void write(const QString& path, const QByteArray& bytes) {
  QFile file(path);
  QVERIFY(file.open(QIODevice::WriteOnly));
  QCOMPARE(file.write(bytes), bytes.size());
}

/// One F32 tensor's part of a header.
QByteArray tensor(const char* name, int begin, int end) {
  return QString("\"%1\":{\"dtype\":\"F32\",\"shape\":[%2],\"data_offsets\":[%3,%4]}")
      .arg(name)
      .arg((end - begin) / 4)
      .arg(begin)
      .arg(end)
      .toUtf8();
}

/// Fails unless `result` holds an error of this code whose sentence contains every one of `words`.
template <typename R>
void verifyError(const R& result, ErrorCode code, const QStringList& words) {
  QVERIFY2(!result.ok(), "expected an error");
  const QString message = QString::fromStdString(result.error().message);
  QVERIFY2(result.error().code == code, qPrintable(message));
  for (const QString& word : words) QVERIFY2(message.contains(word), qPrintable(message + " lacks " + word));
}

}  // namespace

class TestCheckpoint : public QObject {
  Q_OBJECT

 private slots:
  void init() { m_folder = std::make_unique<QTemporaryDir>(); }

  void readsBackWhatIsWritten() {
    Tensor matrix(Shape{2, 3});
    for (int i = 0; i < 6; ++i) matrix.f32()[i] = static_cast<float>(i) * 0.37F;
    std::vector<std::uint16_t> brain = {to_bfloat16(1.5F).bits, to_bfloat16(-2.0F).bits};
    std::vector<std::uint16_t> half = {float_to_half(0.25F), float_to_half(65504.0F),
                                       float_to_half(0x1p-24F)};
    float scalar = 7;
    const NamedTensor tensors[] = {{"half", {half.data(), DType::F16, Shape{3}}},
                                   {"matrix", matrix.view()},
                                   {"brain", {brain.data(), DType::BF16, Shape{2, 1}}},
                                   {"scalar", {&scalar, Shape{}}},
                                   {"empty", {nullptr, Shape{0, 4}}}};
    const std::string path = file("a.safetensors");
    QVERIFY(write_safetensors(path, tensors, {{"format", "pt"}, {"note", "\"quoted\""}}).ok());
    const auto opened = Checkpoint::open(path);
    QVERIFY2(opened.ok(), opened.ok() ? "" : opened.error().message.c_str());
    const Checkpoint& checkpoint = **opened;
    QCOMPARE(checkpoint.names(), (std::vector<std::string>{"brain", "empty", "half", "matrix", "scalar"}));
    QCOMPARE(checkpoint.shape("matrix"), (std::vector<std::int64_t>{2, 3}));
    QVERIFY(checkpoint.shape("absent").empty());
    QVERIFY(checkpoint.contains("scalar") && !checkpoint.contains("absent"));
    const std::int64_t matrixShape[] = {2, 3};
    const auto readMatrix = checkpoint.read("matrix", matrixShape);
    QVERIFY(readMatrix.ok());
    QVERIFY(std::memcmp(readMatrix->f32(), matrix.f32(), 24) == 0);
    QVERIFY(readMatrix->shape() == (Shape{2, 3}));
    const std::int64_t brainShape[] = {2, 1};
    QCOMPARE(checkpoint.read("brain", brainShape)->f32()[1], -2.0F);
    const std::int64_t halfShape[] = {3};
    const auto readHalf = checkpoint.read("half", halfShape);
    QCOMPARE(readHalf->f32()[0], 0.25F);
    QCOMPARE(readHalf->f32()[1], 65504.0F);
    QCOMPARE(readHalf->f32()[2], 0x1p-24F);
    QCOMPARE(checkpoint.read("scalar", {})->f32()[0], 7.0F);
    const std::int64_t emptyShape[] = {0, 4};
    QVERIFY(checkpoint.read("empty", emptyShape).ok());
    QCOMPARE(QDir(m_folder->path()).entryList(QDir::Files), QStringList{"a.safetensors"});
  }

  void writerReportsWhatTheSystemSays() {
    verifyError(write_safetensors(file("absent/a.safetensors"), {}), ErrorCode::Io,
                {"absent/a.safetensors", "No such file"});
  }

  void opensTheBundledModels() {
    for (const char* name : {"seed-teacher", "seed-llamba", "seed-hybrid"}) {
      const auto opened = Checkpoint::open(resource_path(std::string("models/") + name));
      QVERIFY2(opened.ok(), name);
      for (const TensorEntry* entry : (*opened)->tensors())
        QVERIFY2((*opened)->read(entry->name, entry->shape).ok(), entry->name.c_str());
    }
  }

  void hashesTheBytesOfAllShards() {
    write(QString::fromStdString(file("a.safetensors")), rawFile("{}", 0));
    const auto single = Checkpoint::open(file("a.safetensors"));
    // printf '\x02\0\0\0\0\0\0\0{}' | sha256sum
    QCOMPARE(*(*single)->sha256(), "411a485216e432ece6b9af94fa32154cf79a2a56d4f81266baa50063f45092bd");
    QCOMPARE((*single)->file_bytes(), 10);
  }

  void refusesBrokenFiles_data() {
    QTest::addColumn<QByteArray>("bytes");
    QTest::addColumn<QStringList>("words");
    const QByteArray one = tensor("w", 0, 8);
    QTest::newRow("empty") << QByteArray() << QStringList{"0 bytes", "at least 8"};
    QTest::newRow("shorter than its length") << QByteArray("\x08\0\0", 3) << QStringList{"3 bytes"};
    QTest::newRow("header cut") << rawFile("{" + one + "}", 0).left(20)
                                << QStringList{"the file has 20 bytes"};
    QTest::newRow("oversized header")
        << QByteArray("\x01\xE1\xF5\x05\0\0\0\0{}", 10) << QStringList{"100000001", "100000000"};
    QTest::newRow("length of all ones") << QByteArray(8, '\xFF') << QStringList{"18446744073709551615"};
    QTest::newRow("no header") << rawFile("", 0) << QStringList{"'{'"};
    QTest::newRow("not JSON") << rawFile("{\"w\":", 0) << QStringList{"not valid JSON"};
    QTest::newRow("not UTF-8") << rawFile("{\"\xC3\x28\":{}}", 0) << QStringList{"not valid JSON"};
    QTest::newRow("text after the end") << rawFile("{} x", 0) << QStringList{"not valid JSON"};
    QTest::newRow("zero byte") << rawFile(QByteArray("{}\0", 3), 0) << QStringList{"zero byte"};
    QTest::newRow("array") << rawFile(" {}", 0) << QStringList{"does not begin"};
    QTest::newRow("duplicate name") << rawFile("{" + one + "," + tensor("w", 8, 16) + "}", 16)
                                    << QStringList{"'w' appears twice"};
    QTest::newRow("duplicate field")
        << rawFile(R"({"w":{"dtype":"F32","dtype":"F32","shape":[],"data_offsets":[0,4]}})", 4)
        << QStringList{"'w'", "'dtype' twice"};
    QTest::newRow("unknown field") << rawFile(R"({"w":{"kind":"F32"}})", 4) << QStringList{"'w'", "'kind'"};
    QTest::newRow("no dtype") << rawFile(R"({"w":{"shape":[],"data_offsets":[0,4]}})", 4)
                              << QStringList{"'w' has no dtype"};
    QTest::newRow("no shape") << rawFile(R"({"w":{"dtype":"F32","data_offsets":[0,4]}})", 4)
                              << QStringList{"'w' has no shape"};
    QTest::newRow("no offsets") << rawFile(R"({"w":{"dtype":"F32","shape":[]}})", 4)
                                << QStringList{"'w' has no data_offsets"};
    QTest::newRow("one offset") << rawFile(R"({"w":{"dtype":"F32","shape":[],"data_offsets":[0]}})", 4)
                                << QStringList{"1 data offsets, wanted 2"};
    QTest::newRow("three offsets") << rawFile(R"({"w":{"dtype":"F32","shape":[],"data_offsets":[0,4,4]}})", 4)
                                   << QStringList{"data_offsets holds 4"};
    QTest::newRow("negative size") << rawFile(R"({"w":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}})", 4)
                                   << QStringList{"'w'", "shape holds -1"};
    QTest::newRow("fractional size") << rawFile(R"({"w":{"dtype":"F32","shape":[1.5],"data_offsets":[0,4]}})",
                                                4)
                                     << QStringList{"'w'", "shape holds 1.5"};
    QTest::newRow("nested shape") << rawFile(R"({"w":{"dtype":"F32","shape":[[1]],"data_offsets":[0,4]}})", 4)
                                  << QStringList{"'w'", "shape holds an array"};
    QTest::newRow("too many dimensions")
        << rawFile("{\"w\":{\"dtype\":\"F32\",\"shape\":[" + QByteArray("1,").repeated(64) + "1]", 4)
        << QStringList{"'w'", "more than 64 dimensions"};
    QTest::newRow("tensor not an object") << rawFile(R"({"w":3})", 0) << QStringList{"'w' is 3"};
    QTest::newRow("unknown dtype") << rawFile(R"({"w":{"dtype":"F31","shape":[],"data_offsets":[0,4]}})", 4)
                                   << QStringList{"'w'", "'F31'"};
    QTest::newRow("size and shape differ")
        << rawFile(R"({"w":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}})", 8)
        << QStringList{"'w' holds 8 bytes", "[3] of F32", "96 bits"};
    QTest::newRow("part of a byte") << rawFile(R"({"w":{"dtype":"F4","shape":[3],"data_offsets":[0,1]}})", 1)
                                    << QStringList{"'w'", "12 bits"};
    QTest::newRow("product overflows")
        << rawFile(R"({"w":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}})", 0)
        << QStringList{"'w'", "more elements than 64 bits"};
    QTest::newRow("extent over 63 bits")
        << rawFile(R"({"w":{"dtype":"F32","shape":[9223372036854775808],"data_offsets":[0,0]}})", 0)
        << QStringList{"'w'", "9223372036854775808"};
    QTest::newRow("end before begin")
        << rawFile(R"({"w":{"dtype":"F32","shape":[0],"data_offsets":[4,0]}})", 4)
        << QStringList{"'w'", "bytes 4 to 0"};
    QTest::newRow("truncated data") << rawFile("{" + one + "}", 7) << QStringList{"'w'", "0 to 8", "7 bytes"};
    QTest::newRow("bytes left over") << rawFile("{" + one + "}", 9) << QStringList{"8 bytes", "holds 9"};
    QTest::newRow("overlap") << rawFile("{" + one + "," + tensor("v", 4, 12) + "}", 12)
                             << QStringList{"'v'", "byte 4", "wanted 8", "overlaps"};
    QTest::newRow("hole") << rawFile("{" + one + "," + tensor("v", 12, 16) + "}", 16)
                          << QStringList{"'v'", "byte 12", "wanted 8", "hole"};
    QTest::newRow("hole at the start")
        << rawFile("{" + tensor("v", 4, 8) + "}", 8) << QStringList{"'v'", "wanted 0"};
    QTest::newRow("metadata not strings")
        << rawFile(R"({"__metadata__":{"a":1}})", 0) << QStringList{"__metadata__"};
  }

  void refusesBrokenFiles() {
    QFETCH(QByteArray, bytes);
    QFETCH(QStringList, words);
    write(QString::fromStdString(file("b.safetensors")), bytes);
    verifyError(Checkpoint::open(file("b.safetensors")), ErrorCode::BadFormat,
                QStringList{"b.safetensors"} + words);
  }

  void acceptsWhatTheFormatAllows() {
    const QByteArray header =
        R"({"__metadata__":{"a":"b"},"late":{"dtype":"F4","shape":[2],"data_offsets":[1,2]},)"
        R"("none":{"dtype":"I64","shape":[0,9],"data_offsets":[1,1]},)"
        R"("early":{"data_offsets":[0,1],"shape":[],"dtype":"U8"}}   )";
    write(QString::fromStdString(file("c.safetensors")), rawFile(header, 2));
    const auto opened = Checkpoint::open(file("c.safetensors"));
    QVERIFY2(opened.ok(), opened.ok() ? "" : opened.error().message.c_str());
    QCOMPARE((*opened)->names().size(), 3U);
    verifyError((*opened)->read("early", {}), ErrorCode::Unsupported,
                {"c.safetensors", "'early'", "U8", "BF16"});
  }

  void readNamesWhatDiffers() {
    float values[] = {0, std::nanf(""), 1, std::numeric_limits<float>::infinity()};
    const NamedTensor tensors[] = {{"w", {values, Shape{2, 2}}}};
    QVERIFY(write_safetensors(file("d.safetensors"), tensors).ok());
    const auto opened = Checkpoint::open(file("d.safetensors"));
    const std::int64_t shape[] = {2, 2};
    verifyError((*opened)->read("w", shape), ErrorCode::BadFormat,
                {"d.safetensors", "'w'", "2 NaN or infinite", "[0, 1]"});
    const std::int64_t other[] = {4};
    verifyError((*opened)->read("w", other), ErrorCode::Mismatch, {"d.safetensors", "'w'", "[2, 2]", "[4]"});
    verifyError((*opened)->read("v", shape), ErrorCode::NotFound, {"d.safetensors", "'v'"});
  }

  void opensShards() {
    float a = 1;
    float b = 2;
    const NamedTensor first[] = {{"a", {&a, Shape{1}}}};
    const NamedTensor second[] = {{"b", {&b, Shape{1}}}};
    QVERIFY(write_safetensors(file("1.safetensors"), first).ok());
    QVERIFY(write_safetensors(file("2.safetensors"), second).ok());
    writeIndex(R"({"metadata":{"total_size":8},"weight_map":{"b":"2.safetensors","a":"1.safetensors"}})");
    const auto opened = Checkpoint::open(m_folder->path().toStdString());
    QVERIFY2(opened.ok(), opened.ok() ? "" : opened.error().message.c_str());
    const std::int64_t shape[] = {1};
    QCOMPARE((*opened)->read("b", shape)->f32()[0], 2.0F);
    QCOMPARE((*opened)->names().size(), 2U);
  }

  void refusesBrokenShards_data() {
    QTest::addColumn<QByteArray>("index");
    QTest::addColumn<int>("code");
    QTest::addColumn<QStringList>("words");
    const int bad = static_cast<int>(ErrorCode::BadFormat);
    const QString index = "model.safetensors.index.json";
    QTest::newRow("outside") << QByteArray(R"({"weight_map":{"a":"../x.safetensors"}})") << bad
                             << QStringList{index, "'a'", "../x.safetensors", "same folder"};
    QTest::newRow("absolute") << QByteArray(R"({"weight_map":{"a":"/x"}})") << bad
                              << QStringList{index, "/x"};
    QTest::newRow("parent") << QByteArray(R"({"weight_map":{"a":".."}})") << bad << QStringList{index, "'a'"};
    QTest::newRow("not a name") << QByteArray(R"({"weight_map":{"a":3}})") << bad
                                << QStringList{index, "'a' is in 3"};
    QTest::newRow("missing file") << QByteArray(R"({"weight_map":{"a":"9.safetensors"}})")
                                  << static_cast<int>(ErrorCode::NotFound) << QStringList{"9.safetensors"};
    QTest::newRow("missing tensor") << QByteArray(
                                           R"({"weight_map":{"a":"1.safetensors","z":"1.safetensors"}})")
                                    << bad << QStringList{index, "'z'", "1.safetensors"};
    QTest::newRow("in another file") << QByteArray(
                                            R"({"weight_map":{"a":"2.safetensors","b":"1.safetensors"}})")
                                     << bad << QStringList{index, "'a'", "2.safetensors"};
    QTest::newRow("in two files") << QByteArray(R"({"weight_map":{"a":"1.safetensors","c":"3.safetensors"}})")
                                  << bad << QStringList{"'a'", "two files", "1.safetensors", "3.safetensors"};
    QTest::newRow("listed twice") << QByteArray(R"({"weight_map":{"a":"1.safetensors","a":"2.safetensors"}})")
                                  << bad << QStringList{index, "'a' appears twice"};
    QTest::newRow("no map") << QByteArray("{}") << bad << QStringList{index, "'weight_map' is missing"};
    QTest::newRow("not JSON") << QByteArray("{") << bad << QStringList{index, "not valid JSON"};
    QTest::newRow("deep") << "{\"a\":" + QByteArray("[").repeated(100) << bad << QStringList{index, "nested"};
  }

  void refusesBrokenShards() {
    QFETCH(QByteArray, index);
    QFETCH(int, code);
    QFETCH(QStringList, words);
    float value = 1;
    const NamedTensor a[] = {{"a", {&value, Shape{1}}}};
    const NamedTensor b[] = {{"b", {&value, Shape{1}}}};
    const NamedTensor ac[] = {{"a", {&value, Shape{1}}}, {"c", {&value, Shape{1}}}};
    QVERIFY(write_safetensors(file("1.safetensors"), a).ok());
    QVERIFY(write_safetensors(file("2.safetensors"), b).ok());
    QVERIFY(write_safetensors(file("3.safetensors"), ac).ok());
    writeIndex(index);
    verifyError(Checkpoint::open(m_folder->path().toStdString()), static_cast<ErrorCode>(code), words);
  }

  void saysWhatToDoWithPickles() {
    write(m_folder->filePath("pytorch_model.bin"), "x");
    const QStringList words = {m_folder->path(), "python3 -c", "pytorch_model*.bin", "weights_only=True",
                               "model.safetensors"};
    verifyError(Checkpoint::open(m_folder->path().toStdString()), ErrorCode::Unsupported, words);
    verifyError(Checkpoint::open(file("pytorch_model.bin")), ErrorCode::Unsupported, words);
    QVERIFY(QFile::rename(m_folder->filePath("pytorch_model.bin"),
                          m_folder->filePath("pytorch_model-00001-of-00002.bin")));
    verifyError(Checkpoint::open(m_folder->path().toStdString()), ErrorCode::Unsupported, words);
  }

  void theConversionRuns() {
    const auto python = [](const QString& code, const QString& argument = {}) {
      return QProcess::execute("python3", {"-c", code, argument}) == 0;
    };
    if (!python("import torch, safetensors.torch")) QSKIP("python3 lacks torch or safetensors");
    const QString folder = m_folder->filePath("it's [one] $HOME");
    QVERIFY(QDir().mkpath(folder));
    QVERIFY(
        python("import sys, torch; w = torch.arange(6.0).reshape(2, 3).bfloat16(); "
               "torch.save({'tied': w, 'head': w}, sys.argv[1] + '/pytorch_model.bin')",
               folder));
    const QString message = QString::fromStdString(Checkpoint::open(folder.toStdString()).error().message);
    const QString marker = "once with: ";
    QCOMPARE(QProcess::execute("sh", {"-c", message.mid(message.indexOf(marker) + marker.size())}), 0);
    const auto converted = Checkpoint::open(folder.toStdString());
    QVERIFY2(converted.ok(), "the converted file does not open");
    QCOMPARE((*converted)->shape("head"), (std::vector<std::int64_t>{2, 3}));
    QVERIFY((*converted)->same("head", "tied"));
  }

  void saysWhatIsNotThere() {
    verifyError(Checkpoint::open(m_folder->path().toStdString()), ErrorCode::NotFound,
                {"model.safetensors.index.json"});
    verifyError(Checkpoint::open(file("none.safetensors")), ErrorCode::NotFound, {"none.safetensors"});
  }

 private:
  std::string file(const QString& name) const { return m_folder->filePath(name).toStdString(); }
  void writeIndex(const QByteArray& bytes) {
    write(m_folder->filePath("model.safetensors.index.json"), bytes);
  }

  std::unique_ptr<QTemporaryDir> m_folder;
};

QTEST_APPLESS_MAIN(TestCheckpoint)
#include "tst_checkpoint.moc"
