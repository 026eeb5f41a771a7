// What happens to a session when its process is killed, its disk is full, or its bytes are not what they
// were.
#include <chrono>
#include <csignal>
#include <thread>

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <QFile>
#include <QRandomGenerator>
#include <QTemporaryDir>
#include <QTest>

#include "tests/support/session_fixture.h"

using namespace tandem;
using namespace tandem::test;

namespace {

/// In a child process: creates a session and adds a completion every 10 ms, telling the parent each index,
/// until it is killed.
[[noreturn]] void write_until_killed(const std::string& path, int pipe) {
  const ProblemSet set = some_problems(1);
  const auto session = Session::create(path);
  if (!session) _exit(1);
  const auto model = (*session)->add_model(some_model("teacher", MixerKind::Attention));
  const auto problem = (*session)->add_problem(set, set.problems[0]);
  const auto run = (*session)->add_run(*model, {}, "test");
  for (int i = 0;; ++i) {
    if (!(*session)->add_completion(graded(*run, stored(set, 0, *problem), some_completion(i, "1", i))))
      _exit(1);
    if (write(pipe, &i, sizeof i) != sizeof i) _exit(1);
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
}

/// In a child process whose files may not grow beyond `limit` bytes: fills a session until it refuses. Exit
/// code: 0 refused with a sentence that names the file, and went on refusing.
[[noreturn]] void write_until_full(const std::string& path, rlim_t limit) {
  signal(SIGXFSZ, SIG_IGN);
  const auto session = Session::open(path);
  if (!session) _exit(2);
  const rlimit bound{limit, limit};
  setrlimit(RLIMIT_FSIZE, &bound);
  const std::string long_text(20000, 'x');
  Status status;
  for (int i = 0; status && i < 500; ++i) {
    status = (*session)->set_note("note " + std::to_string(i), long_text);
    if (status) status = (*session)->flush();
  }
  if (status || status.error().code != ErrorCode::Io) _exit(3);
  if (status.error().message.find(path) == std::string::npos) _exit(4);
  _exit((*session)->set_note("one more", "") ? 5 : 0);
}

int wait_for(pid_t child) {
  int status = 0;
  waitpid(child, &status, 0);
  return status;
}

QByteArray bytes_of(const QString& name) {
  QFile file(name);
  return file.open(QIODevice::ReadOnly) ? file.readAll() : QByteArray();
}

void write_bytes(const QString& name, const QByteArray& bytes) {
  QFile file(name);
  QVERIFY(file.open(QIODevice::WriteOnly));
  QCOMPARE(file.write(bytes), bytes.size());
}

}  // namespace

class TestSessionDurability : public QObject {
  Q_OBJECT

  QTemporaryDir m_folder;
  QString path(const char* name) const { return m_folder.filePath(name); }

  QByteArray a_session() const {
    const QString name = path("whole.tandem");
    if (!QFile::exists(name)) {
      const auto session = Session::create(name.toStdString());
      const ProblemSet set = some_problems(50);
      for (const Problem& problem : set.problems)
        if (!(*session)->add_problem(set, problem)) return {};
    }
    return bytes_of(name);
  }

 private slots:
  void a_killed_process_loses_at_most_a_second() {
    const std::string name = path("killed.tandem").toStdString();
    int ends[2];
    QCOMPARE(pipe(ends), 0);
    const pid_t child = fork();
    if (child == 0) write_until_killed(name, ends[1]);
    close(ends[1]);
    using Clock = std::chrono::steady_clock;
    std::vector<Clock::time_point> added;
    const auto end = Clock::now() + std::chrono::milliseconds(2200);
    for (int index = 0; Clock::now() < end && read(ends[0], &index, sizeof index) == sizeof index;)
      added.push_back(Clock::now());
    const auto killed = Clock::now();
    kill(child, SIGKILL);
    QVERIFY(WIFSIGNALED(wait_for(child)));
    close(ends[0]);
    QVERIFY(added.size() > 20);

    const auto due = static_cast<std::size_t>(std::count_if(
        added.begin(), added.end(), [killed](auto at) { return killed - at > std::chrono::seconds(1); }));
    for (const bool read_only : {true, false}) {  // through the journal, then bringing it into the file
      const auto session = Session::open(name, read_only);
      REQUIRE_OK(session);
      const auto completions = (*session)->completions((*session)->runs()->front().id);
      REQUIRE_OK(completions);
      QVERIFY2(completions->size() >= due, qPrintable(QString("%1 of %2").arg(completions->size()).arg(due)));
      for (std::size_t i = 0; i < completions->size(); ++i)
        QCOMPARE((*completions)[i].completion.index, static_cast<int>(i));
    }
    QCOMPARE(verify_session(name)->size(), 0U);
  }

  void a_full_disk_is_told_and_loses_nothing_committed() {
    const QString name = path("full.tandem");
    {
      const auto session = Session::create(name.toStdString());
      REQUIRE_OK(session);
      REQUIRE_OK((*session)->set_note("first", "kept"));
    }
    const pid_t child = fork();
    if (child == 0) write_until_full(name.toStdString(), 400000);
    const int status = wait_for(child);
    QVERIFY(WIFEXITED(status));
    QCOMPARE(WEXITSTATUS(status), 0);

    const auto session = Session::open(name.toStdString());
    REQUIRE_OK(session);
    const auto notes = (*session)->notes();
    REQUIRE_OK(notes);
    QCOMPARE(notes->at("first"), std::string("kept"));
    QVERIFY(notes->size() > 2);  // those before the limit was reached
    QCOMPARE(notes->count("one more"), 0U);
    QCOMPARE(verify_session(name.toStdString())->size(), 0U);
  }

  void damaged_data() {
    QTest::addColumn<QByteArray>("bytes");
    const QByteArray whole = a_session();
    QVERIFY(whole.size() > 3 * 4096);
    QTest::newRow("empty") << QByteArray();
    QTest::newRow("half a header") << whole.left(50);
    QTest::newRow("only the first page") << whole.left(4096);
    QTest::newRow("cut inside a page") << whole.left(whole.size() - 1000);
    QTest::newRow("last page missing") << whole.left(whole.size() - 4096);
    QByteArray noise(20000, '\0');
    QRandomGenerator random(7);
    for (char& byte : noise) byte = static_cast<char>(random.generate());
    QTest::newRow("random bytes") << noise;
    QByteArray overwritten = whole;
    overwritten.replace(4096, 3 * 4096, noise.left(3 * 4096));
    QTest::newRow("pages overwritten") << overwritten;
    QTest::newRow("text") << QByteArray("question,answer\nWhat is 1 + 1?,2\n");
  }

  void damaged() {
    QFETCH(QByteArray, bytes);
    const QString name = path("damaged.tandem");
    write_bytes(name, bytes);
    for (const bool read_only : {true, false}) {
      const auto session = Session::open(name.toStdString(), read_only);
      QVERIFY(!session);
      QVERIFY(session.error().code == ErrorCode::BadFormat);
      QVERIFY(session.error().message.find(name.toStdString()) != std::string::npos);
    }
    QVERIFY(!verify_session(name.toStdString()));
    QCOMPARE(bytes_of(name), bytes);
  }

  void another_programs_database() {
    const QString name = path("other.tandem");
    QByteArray bytes = a_session();
    bytes.replace(68, 4, "\0\0\0\0", 4);  // application_id
    write_bytes(name, bytes);
    const auto session = Session::open(name.toStdString());
    QVERIFY(!session);
    QVERIFY(session.error().message.find("not a Tandem session") != std::string::npos);
    QCOMPARE(bytes_of(name), bytes);
  }
};

QTEST_GUILESS_MAIN(TestSessionDurability)
#include "tst_session_durability.moc"
