// A thin layer over SQLite: one connection with its prepared statements, errors as sentences that name the
// file. Confined: one thread at a time.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <unordered_map>
#include <vector>

#include "core/base/result.h"

struct sqlite3;
struct sqlite3_stmt;

namespace tandem::sqlite {

/// The bytes of an array, to store as a blob.
template <typename T>
std::span<const std::byte> blob_of(const std::vector<T>& values) {
  return std::as_bytes(std::span(values));
}

/// A row of a result. Columns are numbered from 0; NULL reads as 0 or empty.
class Row {
 public:
  explicit Row(sqlite3_stmt* statement) : statement_(statement) {}
  bool is_null(int column) const;
  std::int64_t integer(int column) const;
  double real(int column) const;
  std::string text(int column) const;
  std::span<const std::byte> blob(int column) const;
  template <typename T>
  std::vector<T> array(int column) const;

 private:
  sqlite3_stmt* statement_;
};

class Database {
 public:
  enum class Mode {
    ReadWrite,
    ReadOnly,   // sees what other processes commit; may need the journal's shared-memory file
    Memory,     // a new database that is gone with the connection
    Immutable,  // touches nothing but the file itself, which nobody else may be writing
  };
  /// Opens an existing file, or memory. SQLite reads nothing yet: a file that is no database fails at the
  /// first query.
  static Result<std::unique_ptr<Database>> open(const std::string& path, Mode mode);
  /// The path as SQLite's file: URI, for ATTACH.
  static std::string uri(const std::string& path, Mode mode);
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  /// Runs statements that give no rows.
  Status execute(const char* sql);
  /// Runs one statement with its parameters: numbers, text, blobs, std::optional of these.
  template <typename... Values>
  Status run(std::string_view sql, const Values&... values) {
    return query(
        sql, [](const Row&) {}, values...);
  }
  /// Calls on_row for every row of the result.
  template <typename OnRow, typename... Values>
  Status query(std::string_view sql, OnRow&& on_row, const Values&... values);
  /// The first column of the only row. Errors: those of query(); NotFound when there is no row.
  template <typename... Values>
  Result<std::int64_t> query_integer(std::string_view sql, const Values&... values);

  std::int64_t last_insert_id() const;
  bool in_transaction() const;
  const std::string& path() const { return path_; }

 private:
  Database(std::string path, sqlite3* connection) : path_(std::move(path)), connection_(connection) {}
  Result<sqlite3_stmt*> prepare(std::string_view sql);
  /// True on a row, false at the end.
  Result<bool> step(sqlite3_stmt* statement);
  static void reset(sqlite3_stmt* statement);
  Error error() const;

  static void bind(sqlite3_stmt* statement, int index, std::nullopt_t);
  static void bind(sqlite3_stmt* statement, int index, std::int64_t value);
  static void bind(sqlite3_stmt* statement, int index, double value);
  static void bind(sqlite3_stmt* statement, int index, std::string_view value);
  static void bind(sqlite3_stmt* statement, int index, std::span<const std::byte> value);
  template <typename T>
  static void bind_value(sqlite3_stmt* statement, int index, const T& value);
  template <typename T>
  static void bind_value(sqlite3_stmt* statement, int index, const std::optional<T>& value);

  std::string path_;
  sqlite3* connection_;
  std::unordered_map<std::string, sqlite3_stmt*> statements_;
};

/// The mode to read a file in without writing anything: alone where it has no journal, through it where it
/// has.
Database::Mode reading_mode(const std::string& path);

/// Removes a database and its journals.
void remove_database(const std::string& path);

template <typename T>
std::vector<T> Row::array(int column) const {
  const std::span<const std::byte> bytes = blob(column);
  std::vector<T> values(bytes.size() / sizeof(T));
  std::copy_n(bytes.data(), values.size() * sizeof(T), reinterpret_cast<std::byte*>(values.data()));
  return values;
}

template <typename T>
void Database::bind_value(sqlite3_stmt* statement, int index, const T& value) {
  if constexpr (std::is_integral_v<T>) {
    bind(statement, index, static_cast<std::int64_t>(value));
  } else if constexpr (std::is_floating_point_v<T>) {
    bind(statement, index, static_cast<double>(value));
  } else {
    bind(statement, index, value);
  }
}

template <typename T>
void Database::bind_value(sqlite3_stmt* statement, int index, const std::optional<T>& value) {
  if (value) {
    bind_value(statement, index, *value);
  } else {
    bind(statement, index, std::nullopt);
  }
}

template <typename OnRow, typename... Values>
Status Database::query(std::string_view sql, OnRow&& on_row, const Values&... values) {
  TANDEM_TRY(sqlite3_stmt * statement, prepare(sql));
  struct Reset {
    sqlite3_stmt* statement;
    ~Reset() { reset(statement); }
  } at_end{statement};
  int index = 0;
  (bind_value(statement, ++index, values), ...);
  for (;;) {
    TANDEM_TRY(const bool has_row, step(statement));
    if (!has_row) return {};
    on_row(Row(statement));
  }
}

template <typename... Values>
Result<std::int64_t> Database::query_integer(std::string_view sql, const Values&... values) {
  std::optional<std::int64_t> found;
  TANDEM_RETURN_IF_ERROR(query(
      sql, [&found](const Row& row) { found = row.integer(0); }, values...));
  if (!found) return Error{ErrorCode::NotFound, path_ + ": no such row"};
  return *found;
}

/// Collects what `make` gives for every row.
template <typename T, typename Make, typename... Values>
Result<std::vector<T>> collect(Database& database, std::string_view sql, Make&& make,
                               const Values&... values) {
  std::vector<T> items;
  TANDEM_RETURN_IF_ERROR(database.query(
      sql, [&](const Row& row) { items.push_back(make(row)); }, values...));
  return items;
}

}  // namespace tandem::sqlite
