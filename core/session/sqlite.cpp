#include "core/session/sqlite.h"

#include <filesystem>

#include <fmt/format.h>
#include <sqlite3.h>

namespace tandem::sqlite {
namespace {

constexpr int kBusyTimeoutMs = 5000;  // how long another process may keep the file before it is an error

Error describe(const std::string& path, int code, const char* message) {
  switch (code & 0xFF) {
    case SQLITE_NOTADB:
      return {ErrorCode::BadFormat, path + " is not a Tandem session: it is not an SQLite database"};
    case SQLITE_CORRUPT:
      return {ErrorCode::BadFormat, fmt::format("{} is damaged: {}", path, message)};
    case SQLITE_FULL:
      return {ErrorCode::Io, path + " cannot grow: the disk is full; what was committed before is kept"};
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return {ErrorCode::Io, path + " is in use by another program that does not let go of it"};
    case SQLITE_READONLY:
    case SQLITE_PERM:
      return {ErrorCode::Io, path + " cannot be written: permission denied"};
    case SQLITE_CANTOPEN:
      return {ErrorCode::Io, fmt::format("{} cannot be opened: {}", path, message)};
    case SQLITE_IOERR:
      return {
          ErrorCode::Io,
          fmt::format("{} cannot be read or written: {}; what was committed before is kept", path, message)};
    case SQLITE_CONSTRAINT:
      return {ErrorCode::InvalidArgument, fmt::format("{} does not accept this row: {}", path, message)};
    default:
      return {ErrorCode::Io, fmt::format("{}: {}", path, message)};
  }
}

}  // namespace

bool Row::is_null(int column) const {
  return sqlite3_column_type(statement_, column) == SQLITE_NULL;
}

std::int64_t Row::integer(int column) const {
  return sqlite3_column_int64(statement_, column);
}

double Row::real(int column) const {
  return sqlite3_column_double(statement_, column);
}

std::string Row::text(int column) const {
  const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
  return text == nullptr
             ? std::string()
             : std::string(text, static_cast<std::size_t>(sqlite3_column_bytes(statement_, column)));
}

std::span<const std::byte> Row::blob(int column) const {
  const auto* data = static_cast<const std::byte*>(sqlite3_column_blob(statement_, column));
  return {data, static_cast<std::size_t>(sqlite3_column_bytes(statement_, column))};
}

std::string Database::uri(const std::string& path, Mode mode) {
  std::string uri = "file:";
  for (const char c : path) {
    if (c == '?' || c == '#' || c == '%') {  // these would end the path or begin an escape
      uri += fmt::format("%{:02x}", static_cast<unsigned>(c));
    } else {
      uri += c;
    }
  }
  switch (mode) {
    case Mode::ReadWrite:
      return uri + "?mode=rw";
    case Mode::ReadOnly:
      return uri + "?mode=ro";
    case Mode::Memory:
      return uri + "?mode=memory";
    case Mode::Immutable:
      return uri + "?mode=ro&immutable=1";
  }
  return uri;
}

Result<std::unique_ptr<Database>> Database::open(const std::string& path, Mode mode) {
  constexpr int kFlags =
      SQLITE_OPEN_URI | SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
  sqlite3* connection = nullptr;
  const int code = sqlite3_open_v2(uri(path, mode).c_str(), &connection, kFlags, nullptr);
  std::unique_ptr<Database> database(new Database(path, connection));  // closes also what failed to open
  if (code != SQLITE_OK) return describe(path, code, sqlite3_errstr(code));
  sqlite3_busy_timeout(connection, kBusyTimeoutMs);
  return database;
}

Database::~Database() {
  for (const auto& [sql, statement] : statements_) sqlite3_finalize(statement);
  sqlite3_close(connection_);
}

Status Database::execute(const char* sql) {
  if (sqlite3_exec(connection_, sql, nullptr, nullptr, nullptr) != SQLITE_OK) return error();
  return {};
}

std::int64_t Database::last_insert_id() const {
  return sqlite3_last_insert_rowid(connection_);
}

bool Database::in_transaction() const {
  return sqlite3_get_autocommit(connection_) == 0;
}

Result<sqlite3_stmt*> Database::prepare(std::string_view sql) {
  std::string key(sql);
  if (const auto found = statements_.find(key); found != statements_.end()) return found->second;
  sqlite3_stmt* statement = nullptr;
  if (sqlite3_prepare_v2(connection_, sql.data(), static_cast<int>(sql.size()), &statement, nullptr) !=
      SQLITE_OK)
    return error();
  statements_.emplace(std::move(key), statement);
  return statement;
}

Result<bool> Database::step(sqlite3_stmt* statement) {
  switch (sqlite3_step(statement)) {
    case SQLITE_ROW:
      return true;
    case SQLITE_DONE:
      return false;
    default:
      return error();
  }
}

void Database::reset(sqlite3_stmt* statement) {
  sqlite3_reset(statement);
  sqlite3_clear_bindings(statement);
}

Error Database::error() const {
  return describe(path_, sqlite3_errcode(connection_), sqlite3_errmsg(connection_));
}

void Database::bind(sqlite3_stmt* statement, int index, std::nullopt_t /*null*/) {
  sqlite3_bind_null(statement, index);
}

void Database::bind(sqlite3_stmt* statement, int index, std::int64_t value) {
  sqlite3_bind_int64(statement, index, value);
}

void Database::bind(sqlite3_stmt* statement, int index, double value) {
  sqlite3_bind_double(statement, index, value);
}

// Text and blobs outlive the statement's run: the values are the caller's arguments.
void Database::bind(sqlite3_stmt* statement, int index, std::string_view value) {
  sqlite3_bind_text64(statement, index, value.data() == nullptr ? "" : value.data(), value.size(),
                      SQLITE_STATIC, SQLITE_UTF8);
}

void Database::bind(sqlite3_stmt* statement, int index, std::span<const std::byte> value) {
  if (value.empty()) {
    sqlite3_bind_zeroblob(statement, index, 0);  // a null pointer would store NULL
  } else {
    sqlite3_bind_blob64(statement, index, value.data(), value.size(), SQLITE_STATIC);
  }
}

Database::Mode reading_mode(const std::string& path) {
  std::error_code ignored;
  return std::filesystem::exists(path + "-wal", ignored) ? Database::Mode::ReadOnly
                                                         : Database::Mode::Immutable;
}

void remove_database(const std::string& path) {
  std::error_code ignored;
  for (const char* suffix : {"", "-wal", "-shm"}) std::filesystem::remove(path + suffix, ignored);
}

}  // namespace tandem::sqlite
