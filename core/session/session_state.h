// What a Session holds: the connection, the transaction that gathers writes, and the thread that commits it.
#pragma once

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>

#include "core/session/session.h"
#include "core/session/sqlite.h"

namespace tandem {

class Session::State {
 public:
  State(std::unique_ptr<sqlite::Database> database, bool read_only);
  ~State();

  const std::string& path() const { return database_->path(); }
  bool read_only() const { return read_only_; }

  /// Runs `writer(database)`, which returns a Status or a Result, inside the gathering transaction.
  template <typename Writer>
  auto write(Writer&& writer) -> decltype(writer(std::declval<sqlite::Database&>())) {
    const std::lock_guard lock(mutex_);
    TANDEM_RETURN_IF_ERROR(begin());
    auto result = writer(*database_);
    if (!result && result.error().code == ErrorCode::Io) fail(result.error());
    return result;
  }

  /// Runs `reader(database)`, which returns a Status or a Result.
  template <typename Reader>
  auto read(Reader&& reader) -> decltype(reader(std::declval<sqlite::Database&>())) {
    const std::lock_guard lock(mutex_);
    return reader(*database_);
  }

  Status flush();
  Status copy_to(const std::string& path);

 private:
  // The mutex is held in all of these.
  Status begin();
  Status commit();
  void fail(const Error& error);

  void commit_when_due(const std::stop_token& stop);

  std::unique_ptr<sqlite::Database> database_;
  const bool read_only_;
  std::mutex mutex_;
  std::condition_variable_any wake_;
  std::optional<std::chrono::steady_clock::time_point> due_;  // of the open transaction
  std::optional<Error> failure_;                              // the first error of the file system
  std::jthread committer_;
};

}  // namespace tandem
