// Opening, creating and committing. The writers are in session_write.cpp, the readers in session_read.cpp.
#include "core/session/session.h"

#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include "core/session/schema.h"
#include "core/session/session_state.h"

namespace tandem {
namespace {

// Half of the second that may be lost: the other half is for a slow disk.
constexpr std::chrono::milliseconds kCommitAfter{500};

/// Settings of a connection that writes. NORMAL: a killed process loses no commit; a power cut may lose the
/// last ones but damages nothing.
constexpr const char* kWriterSettings =
    "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON;";

/// Makes an empty file, only if there is none.
Status make_empty_file(const std::string& path) {
  const int file = ::open(path.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0666);
  if (file < 0 && errno == EEXIST)
    return Error{ErrorCode::InvalidArgument, path + " exists already, a new session needs a new file name"};
  if (file < 0)
    return Error{ErrorCode::Io, fmt::format("{} cannot be created: {}", path, std::strerror(errno))};
  ::close(file);
  return {};
}

Result<std::unique_ptr<sqlite::Database>> filled_database(const std::string& path,
                                                          sqlite::Database::Mode mode) {
  TANDEM_TRY(auto database, sqlite::Database::open(path, mode));
  TANDEM_RETURN_IF_ERROR(database->execute(kWriterSettings));
  TANDEM_RETURN_IF_ERROR(create_schema(*database));
  return database;
}

}  // namespace

Session::State::State(std::unique_ptr<sqlite::Database> database, bool read_only)
    : database_(std::move(database)), read_only_(read_only) {
  if (!read_only_) committer_ = std::jthread([this](const std::stop_token& stop) { commit_when_due(stop); });
}

Session::State::~State() {
  if (committer_.joinable()) {
    committer_.request_stop();
    committer_.join();
  }
  (void)flush();  // nobody is left to tell
}

Status Session::State::begin() {
  if (read_only_)
    return Error{ErrorCode::InvalidArgument, path() + " is open read-only: nothing can be added to it"};
  if (failure_) return *failure_;
  if (due_) return {};
  TANDEM_RETURN_IF_ERROR(database_->execute("BEGIN IMMEDIATE"));
  due_ = std::chrono::steady_clock::now() + kCommitAfter;
  wake_.notify_one();
  return {};
}

Status Session::State::commit() {
  if (failure_) return *failure_;
  if (!due_) return {};
  Status status = database_->execute("COMMIT");
  due_.reset();
  if (!status) fail(status.error());
  return status;
}

void Session::State::fail(const Error& error) {
  failure_ = error;
  due_.reset();
  // SQLite may have rolled back already. If not, the rows before the one that failed are whole: keep them.
  if (database_->in_transaction() && !database_->execute("COMMIT")) (void)database_->execute("ROLLBACK");
}

Status Session::State::flush() {
  const std::lock_guard lock(mutex_);
  return commit();
}

Status Session::State::copy_to(const std::string& path) {
  const std::lock_guard lock(mutex_);
  TANDEM_RETURN_IF_ERROR(commit());  // VACUUM runs outside transactions
  TANDEM_RETURN_IF_ERROR(make_empty_file(path));
  Status status = database_->run("VACUUM INTO ?", std::string_view(path));
  if (!status) sqlite::remove_database(path);
  return status;
}

void Session::State::commit_when_due(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  while (wake_.wait(lock, stop, [this] { return due_.has_value(); })) {
    const auto due = *due_;
    wake_.wait_until(lock, stop, due, [this, due] { return due_ != due; });
    if (stop.stop_requested()) return;
    if (due_ == due) (void)commit();  // an error is kept for the next writer
  }
}

Session::Session(std::unique_ptr<State> state) : state_(std::move(state)) {}

Session::~Session() = default;

const std::string& Session::path() const {
  return state_->path();
}

bool Session::read_only() const {
  return state_->read_only();
}

Status Session::flush() {
  return state_->flush();
}

Status Session::copy_to(const std::string& path) const {
  return state_->copy_to(path);
}

Result<std::shared_ptr<Session>> Session::create(const std::string& path) {
  TANDEM_RETURN_IF_ERROR(make_empty_file(path));
  auto database = filled_database(path, sqlite::Database::Mode::ReadWrite);
  if (!database) {
    sqlite::remove_database(path);
    return database.error();
  }
  return std::shared_ptr<Session>(new Session(std::make_unique<State>(*std::move(database), false)));
}

Result<std::shared_ptr<Session>> Session::in_memory() {
  TANDEM_TRY(auto database, filled_database(":memory:", sqlite::Database::Mode::Memory));
  return std::shared_ptr<Session>(new Session(std::make_unique<State>(std::move(database), false)));
}

Result<std::shared_ptr<Session>> Session::open(const std::string& path, bool read_only) {
  TANDEM_TRY(auto database, open_session_database(path, read_only));
  if (!read_only) TANDEM_RETURN_IF_ERROR(refuse_newer_schema(*database));
  if (!read_only) TANDEM_RETURN_IF_ERROR(database->execute(kWriterSettings));
  if (!read_only) TANDEM_RETURN_IF_ERROR(migrate_schema(*database));
  if (!read_only) TANDEM_RETURN_IF_ERROR(add_prompt_columns(*database));
  return std::shared_ptr<Session>(new Session(std::make_unique<State>(std::move(database), read_only)));
}

}  // namespace tandem
